"""The decision table of start and end times."""

import itertools

import pytest

from aigw_receiver.core import temporality
from aigw_receiver.core.temporality import Clock, Verdict

_NEW = Clock(0, 0, 0, 0)
# A run that began at 10, and whose last points ended at 20 and 30.
_RUN = Clock(10, 20, 10, 30)


@pytest.mark.parametrize(
    ("clock", "start", "time", "moved", "verdict"),
    [
        # moved: "=" as the last point, "+" rose, "-" fell, "±" some rose and some fell
        (_NEW, 10, 20, "+", Verdict.ADVANCE),
        (_NEW, 10, 20, "=", Verdict.ADVANCE),
        (_NEW, 0, 20, "+", Verdict.ADVANCE),
        (_RUN, 10, 40, "+", Verdict.ADVANCE),
        (_RUN, 10, 40, "=", Verdict.ADVANCE),
        (_RUN, 10, 40, "-", Verdict.RESET),
        (_RUN, 10, 40, "±", Verdict.RESET),
        (_RUN, 10, 30, "=", Verdict.DUPLICATE),
        (_RUN, 10, 30, "-", Verdict.DUPLICATE),
        (_RUN, 10, 30, "±", Verdict.DUPLICATE),
        (_RUN, 10, 30, "+", Verdict.ADVANCE),
        (_RUN, 10, 25, "=", Verdict.OUTDATED),
        (_RUN, 10, 25, "-", Verdict.OUTDATED),
        (_RUN, 10, 25, "±", Verdict.OUTDATED),
        (_RUN, 10, 25, "+", Verdict.ADVANCE),
        (_RUN, 35, 40, "+", Verdict.RESET),
        (_RUN, 35, 40, "-", Verdict.RESET),
        (_RUN, 35, 40, "=", Verdict.RESET),
        (_RUN, 11, 30, "=", Verdict.RESET),
        (_RUN, 9, 40, "+", Verdict.SUPERSEDED),
        (_RUN, 9, 25, "-", Verdict.SUPERSEDED),
        # without a start only the counts tell
        (_RUN, 0, 40, "+", Verdict.ADVANCE),
        (_RUN, 0, 40, "-", Verdict.RESET),
        (_RUN, 0, 30, "=", Verdict.DUPLICATE),
        (_RUN, 0, 25, "-", Verdict.OUTDATED),
        (Clock(0, 0, 0, 30), 10, 40, "+", Verdict.ADVANCE),
        (Clock(0, 0, 0, 30), 10, 40, "-", Verdict.RESET),
    ],
)
def test_cumulative(clock: Clock, start: int, time: int, moved: str, verdict: Verdict) -> None:
    """A cumulative point is counted twice, or not at all."""
    fell, rose = moved in "-±", moved in "+±"
    assert verdict == temporality.judge_cumulative(clock, start, time, fell=fell, rose=rose)


# Intervals 10 to 20 and 20 to 30 were counted.
_TWO = Clock(10, 20, 20, 30)
# Intervals 30 to 40 and 10 to 20 were counted, with a hole between them.
_HOLE = Clock(10, 20, 30, 40)


@pytest.mark.parametrize(
    ("clock", "start", "time", "verdict"),
    [
        (_NEW, 10, 20, Verdict.ADVANCE),
        (_NEW, 0, 20, Verdict.ADVANCE),
        (_TWO, 30, 40, Verdict.ADVANCE),
        (_TWO, 35, 40, Verdict.ADVANCE),
        (_TWO, 30, 30, Verdict.ADVANCE),
        (_TWO, 20, 30, Verdict.DUPLICATE),
        (_TWO, 10, 20, Verdict.DUPLICATE),
        (_TWO, 5, 10, Verdict.LATE),
        (_TWO, 15, 20, Verdict.LATE),
        (_TWO, 5, 20, Verdict.LATE),
        (_TWO, 20, 40, Verdict.OVERLAP),
        (_TWO, 25, 40, Verdict.OVERLAP),
        (_TWO, 20, 25, Verdict.OVERLAP),
        (_TWO, 10, 30, Verdict.OVERLAP),
        (_TWO, 20, 31, Verdict.OVERLAP),
        (_HOLE, 20, 30, Verdict.OVERLAP),
        (Clock(20, 30, 30, 30), 30, 30, Verdict.DUPLICATE),
        # without a start only the end tells
        (_TWO, 0, 40, Verdict.ADVANCE),
        (_TWO, 0, 30, Verdict.DUPLICATE),
        (_TWO, 0, 20, Verdict.DUPLICATE),
        (_TWO, 0, 25, Verdict.LATE),
        (_TWO, 0, 10, Verdict.LATE),
    ],
)
def test_delta(clock: Clock, start: int, time: int, verdict: Verdict) -> None:
    """A delta point is counted twice, or not at all."""
    assert verdict == temporality.judge_delta(clock, start, time)


@pytest.mark.parametrize(
    ("clock", "start", "time", "after"),
    [
        (_NEW, 10, 20, Clock(0, 0, 10, 20)),
        (Clock(0, 0, 10, 20), 20, 30, _TWO),
        (_TWO, 30, 40, Clock(20, 30, 30, 40)),
        (_TWO, 0, 40, Clock(20, 30, 30, 40)),
        (_HOLE, 20, 30, Clock(20, 30, 30, 40)),
        (_TWO, 20, 40, Clock(20, 30, 20, 40)),
        (_TWO, 30, 30, Clock(20, 30, 30, 30)),
    ],
)
def test_clock_after_a_delta_point(clock: Clock, start: int, time: int, after: Clock) -> None:
    """The two latest intervals are forgotten or exchanged, so that the next duplicate is counted."""
    assert after == temporality.advance_delta(clock, start, time)


def test_every_delta_point_counts_once_in_any_order_of_neighbours() -> None:
    """Of three intervals that arrive out of order and twice each, one is lost, or counted twice."""
    intervals = ((10, 20), (20, 30), (30, 40))
    for first, second in itertools.permutations(intervals[1:], 2):
        clock, counted = _NEW, []
        for start, time in (intervals[0], first, first, second, second, first):
            if temporality.judge_delta(clock, start, time) in (Verdict.ADVANCE, Verdict.OVERLAP):
                counted.append((start, time))
                clock = temporality.advance_delta(clock, start, time)
        assert sorted(counted) == sorted(intervals)
