"""What a data point means for its stream, by its start and end time. It decides; it changes nothing.

Source: the OpenTelemetry metrics data model (specification/metrics/data-model.md: "Temporality", "Resets and gaps",
"Overlap"). Times are nanoseconds since 1970; a start of 0 is unknown.
"""

import enum
from typing import NamedTuple


class Verdict(enum.Enum):
    """What becomes of a data point."""

    ADVANCE = "advance"
    """It continues its stream."""
    RESET = "reset"
    """It begins a new run of a cumulative stream: what was counted so far stays, and it counts from zero."""
    SUPERSEDED = "superseded"
    """It belongs to an earlier run of a cumulative stream that has reset since."""
    OVERLAP = "overlap"
    """It covers a part of a time that was counted, but is not the point that was: a second writer, or one that is
    out of order."""
    DUPLICATE = "duplicate"
    """It was counted before."""
    OUTDATED = "outdated"
    """A newer point of a cumulative stream contains all that it says."""
    LATE = "late"
    """A delta point that is too old to be told from a duplicate."""


class Clock(NamedTuple):
    """The interval of a stream's last point but one, and of its last one."""

    previous_start: int
    previous_time: int
    start: int
    time: int


def judge_cumulative(clock: Clock, start: int, time: int, *, fell: bool, rose: bool) -> Verdict:
    """A cumulative point: `fell` where any of its counts is below the last point's, `rose` where any is above.

    A start that differs tells runs apart. Within a run the counts decide before the clock does, so that a sender
    whose clock was set back is not taken for a late one until it has caught up.
    """
    if start and clock.start and start != clock.start:
        return Verdict.RESET if start > clock.start else Verdict.SUPERSEDED
    if time > clock.time:
        return Verdict.RESET if fell else Verdict.ADVANCE
    if rose and not fell:
        return Verdict.ADVANCE
    return Verdict.DUPLICATE if time == clock.time else Verdict.OUTDATED


def judge_delta(clock: Clock, start: int, time: int) -> Verdict:
    """A delta point. Only the two latest intervals are remembered, so an older point is late and not counted."""
    if not start:
        if time > clock.time:
            return Verdict.ADVANCE
        return Verdict.DUPLICATE if time in (clock.time, clock.previous_time) else Verdict.LATE
    if start >= clock.time and (start, time) != (clock.start, clock.time):
        return Verdict.ADVANCE
    if (start, time) in ((clock.start, clock.time), (clock.previous_start, clock.previous_time)):
        return Verdict.DUPLICATE
    if time <= clock.previous_time:
        return Verdict.LATE
    return Verdict.OVERLAP


def advance_delta(clock: Clock, start: int, time: int) -> Clock:
    """The clock after a delta point was counted: the two latest intervals, the later one last."""
    latest, older = (clock.start, clock.time), (start or clock.time, time)
    if older[1] >= latest[1] or older[0] == latest[1]:
        latest, older = older, latest
    return Clock(*older, *latest)
