"""What cells gained, from readings of their running totals."""

from aigw_receiver.core.gateways import gains
from aigw_receiver.core.gateways.window import Steps, Window
from aigw_receiver.core.rollup.model import NOTHING, Cell, Distribution, Measure, Number, Totals, View
from otlp_messages import SECOND

_A, _B = Cell(View.MODEL, "ns", "gw", ("openai", "a")), Cell(View.MODEL, "ns", "gw", ("openai", "b"))


def _errors(number: int) -> Totals:
    return Totals({Number.ERRORS: number}, {}) if number else NOTHING


def test_window() -> None:
    """A window has what was counted before it, or what another cell gained."""
    readings = [[_errors(3), _errors(10)], [NOTHING, _errors(4)]]
    assert {_A: _errors(7), _B: _errors(4)} == gains.of_window([_A, _B], readings)


def test_steps() -> None:
    """A step of which nothing is known has a number, or one that is known has none."""
    edges = tuple(at * 10 * SECOND for at in range(7))
    readings = [[_errors(number) for number in (5, 5, 5, 6, 6, 9, 9)]]
    steps = Steps(10 * SECOND, edges)
    known = Window(15 * SECOND, 48 * SECOND, 60 * SECOND)
    expected = {_A: [None, _errors(0), _errors(1), _errors(0), _errors(3), None]}
    assert expected == gains.of_steps([_A], readings, steps, known, {Number.ERRORS})


def test_nothing_known() -> None:
    """A receiver that has just begun shows zeros of a time before it."""
    steps = Steps(SECOND, (0, SECOND, 2 * SECOND))
    assert {_A: [None, None]} == gains.of_steps([_A], [[NOTHING] * 3], steps, Window(0, 0, 0), ())


def test_wanted() -> None:
    """A chart of one number takes the time of all."""
    read = [NOTHING, Totals({Number.ERRORS: 1, Number.INPUT: 5}, {Measure.DURATION: (Distribution((), (1,), 1.0),)})]
    found = gains.of_steps([_A], [read], Steps(SECOND, (0, SECOND)), Window(0, SECOND, SECOND), {Number.INPUT})
    assert {_A: [Totals({Number.INPUT: 5}, {})]} == found
