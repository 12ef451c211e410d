"""Differences of totals: what happened in a window."""

from typing import Final

from aigw_receiver.core.rollup.model import NOTHING, Distribution, Measure, Number, Totals
from aigw_receiver.core.rollup.totals import subtract

_ONE: Final = (1.0, 2.0)
_OTHER: Final = (5.0,)


def _totals(errors: float, *distributions: Distribution) -> Totals:
    return Totals({Number.ERRORS: errors}, {Measure.DURATION: distributions} if distributions else {})


def test_difference() -> None:
    """A window has what was counted before it, or loses what is new in it."""
    earlier = _totals(2, Distribution(_ONE, (1, 0, 3), 4.5))
    later = _totals(7, Distribution(_ONE, (1, 2, 5), 10.0), Distribution(_OTHER, (1, 0), 2.0))
    later.numbers[Number.COST] = 0.5
    expected = Totals(
        {Number.ERRORS: 5, Number.COST: 0.5},
        {Measure.DURATION: (Distribution(_ONE, (0, 2, 2), 5.5), Distribution(_OTHER, (1, 0), 2.0))},
    )
    assert expected == subtract(later, earlier)
    assert later == subtract(later, NOTHING)


def test_difference_of_what_rests() -> None:
    """A cell in which nothing happened shows zeros as if they were counted."""
    totals = _totals(2, Distribution(_ONE, (1, 0, 3), 4.5))
    assert NOTHING == subtract(totals, totals)
    assert NOTHING == subtract(NOTHING, totals)


def test_difference_is_never_negative() -> None:
    """A total that fell, because a file was replaced, makes fewer than no requests."""
    earlier, later = _totals(7, Distribution(_ONE, (9, 2, 5), 10.0)), _totals(2, Distribution(_ONE, (1, 3, 5), 4.0))
    assert Totals({}, {Measure.DURATION: (Distribution(_ONE, (0, 1, 0), 0.0),)}) == subtract(later, earlier)
