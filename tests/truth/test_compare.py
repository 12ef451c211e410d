"""The judgement itself: it must see each kind of error, or the truth tests prove nothing."""

import pytest

from truth.compare import difference, late_mismatches, mismatches
from truth.ledger import Series
from truth.programs import RawSamples

_SERIES: Series = ("mcp_method_count_total", frozenset({("gateway_name", "g")}))


def _raw(*values: float, began: float = 100.0) -> RawSamples:
    return RawSamples(tuple((began + number, value) for number, value in enumerate(values)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((7,), 0),
        ((0, 7), 7),
        ((5, 7), 2),
        ((0, 7, 7, 9), 9),
        ((0, 7, 3), 10),
        ((0, 7, 0, 4), 11),
        ((0, 7, 7, 7), 7),
    ],
    ids=["first is a baseline", "zero first", "old stream", "growth", "fall", "reset to zero", "idle"],
)
def test_difference_follows_resets(values: tuple[float, ...], expected: float) -> None:
    """A reset is taken for a loss, or the first value for an increment."""
    assert expected == difference(_raw(*values))


@pytest.mark.parametrize(
    ("recorded", "values", "wrong"),
    [
        (9, (0, 4, 9), 0),
        (9, (4, 9), 1),
        (9, (9,), 1),
        (9, (0, 4), 1),
        (9, (0, 9, 18), 1),
        (9, (0, 9, 0, 9), 1),
        (0, (0, 0), 0),
        (0, (3, 3), 1),
    ],
    ids=[
        "exact", "first increment lost", "only the last value", "last export lost", "counted twice", "shown twice",
        "nothing recorded", "too old for that",
    ],
)  # fmt: skip
def test_mismatches_are_seen(recorded: int, values: tuple[float, ...], wrong: int) -> None:
    """A receiver that loses or doubles would pass."""
    assert wrong == len(mismatches({_SERIES: recorded}, {_SERIES: _raw(*values)}))


def test_missing_and_unknown_series_are_mismatches() -> None:
    """A stream that was dropped whole, or that came under a wrong label, would pass."""
    other: Series = ("mcp_method_count_total", frozenset({("gateway_name", "other")}))
    wrong = mismatches({_SERIES: 1}, {other: _raw(0, 1)})
    expected = ["never recorded", "never stored"]
    assert expected == [line.split(":")[0] for line in wrong]


@pytest.mark.parametrize(
    ("recorded", "early", "late", "wrong"),
    [
        (9, _raw(0, 4, 9), _raw(4, 9, began=102), 0),
        (9, _raw(0, 4, 9), _raw(0, 9, began=102), 1),
        (9, _raw(0, 4, 9), _raw(4, 8, began=102), 1),
        (9, _raw(0, 9, began=104), _raw(0, 9, began=104), 0),
        (9, _raw(0, 9, began=104), _raw(5, 9, began=104), 1),
    ],
    ids=["baseline", "old stream at 0", "export lost", "new stream", "new stream not at 0"],
)
def test_late_mismatches_are_seen(recorded: int, early: RawSamples, late: RawSamples, wrong: int) -> None:
    """A server that was added would count the past of an old stream, or miss the start of a new one."""
    assert wrong == len(late_mismatches({_SERIES: recorded}, {_SERIES: late}, {_SERIES: early}, began=102.0))
