"""What a verdict does to the numbers of a row. It finds no rows and reads no labels.

`batches` does the same to many rows at once where every point is in its normal course.
"""

import collections
from typing import Final, NamedTuple

import numpy as np

from aigw_receiver.core import temporality
from aigw_receiver.core.model import EXACT_LIMIT, DropReason, Outcome, Point, PointError
from aigw_receiver.core.series import TIME, Rows
from aigw_receiver.core.temporality import Clock, Verdict

# How many runs of streams that have reset are remembered for one metric of one pod: their late points still count.
_EARLIER_RUNS: Final = 1024


class Run(NamedTuple):
    """The last point of one run of a cumulative stream."""

    time: int
    counts: tuple[int, ...]
    value: float

    def increase_to(self, point: Point) -> tuple[list[int], float]:
        """What `point`, of the same run, has counted since."""
        return [new - old for new, old in zip(point.counts, self.counts, strict=True)], point.value - self.value


class EarlierRuns:
    """Runs of cumulative streams that have reset since, by row and start time; the oldest is forgotten first.

    Two pods that give themselves the same identity look like one stream that resets with every point. Since each
    run is followed on its own, their sum is right all the same.
    """

    __slots__ = ("runs",)

    def __init__(self) -> None:
        self.runs: collections.OrderedDict[tuple[int, int], Run] = collections.OrderedDict()

    def remember(self, row: int, start: int, run: Run) -> None:
        """Keep a run's last point."""
        self.runs[row, start] = run
        self.runs.move_to_end((row, start))
        if len(self.runs) > _EARLIER_RUNS:
            self.runs.popitem(last=False)

    def last(self, row: int, start: int) -> Run | None:
        """The last point of the run that began at `start`."""
        return self.runs.get((row, start))


def observe_last(rows: Rows, row: int, point: Point, outcome: Outcome) -> None:
    """A gauge, or a cumulative sum that may fall: the newest point is what is shown."""
    if point.time < int(rows.clock[row, TIME]):
        outcome.outdated += 1
        return
    rows.clock[row, :2] = point.start, point.time
    parent = int(rows.parent[row])
    rows.values[parent if parent >= 0 else row] = point.value


def observe_delta(rows: Rows, row: int, point: Point, outcome: Outcome) -> None:
    """A delta point: its counts are added to the stream's totals, once."""
    clock = Clock(*rows.clock[row].tolist())
    verdict = temporality.judge_delta(clock, point.start, point.time)
    if verdict is Verdict.DUPLICATE:
        outcome.duplicates += 1
        return
    if verdict is Verdict.LATE:
        raise PointError(DropReason.LATE)
    if rows.parent[row] >= 0:
        _raise_base(rows, int(rows.parent[row]), list(point.counts), point.value)
    else:
        _raise_total(rows, row, point)
    rows.clock[row] = temporality.advance_delta(clock, point.start, point.time)
    outcome.overlaps += verdict is Verdict.OVERLAP


def observe_cumulative(
    rows: Rows, row: int, point: Point, outcome: Outcome, *, earlier: EarlierRuns, known_since: int
) -> None:
    """A cumulative point: it replaces the last one; what was counted before a reset goes into the base."""
    clock = Clock(*rows.clock[row].tolist())
    last = Run(clock.time, tuple(rows.counts[row].tolist()), float(rows.values[row]))
    now, before = (point.counts, last.counts) if point.counts else ((point.value,), (last.value,))
    fell = any(a < b for a, b in zip(now, before, strict=True))
    rose = any(a > b for a, b in zip(now, before, strict=True))
    match temporality.judge_cumulative(clock, point.start, point.time, fell=fell, rose=rose):
        case Verdict.ADVANCE:
            _replace(rows, row, point, *last.increase_to(point))
        case Verdict.RESET:
            _reset(rows, row, point, last)
            if point.start != clock.start:
                earlier.remember(row, clock.start, last)
            outcome.resets += 1
        case Verdict.SUPERSEDED:
            _count_earlier_run(rows, row, point, earlier.last(row, point.start), known_since)
            earlier.remember(row, point.start, Run(point.time, point.counts, point.value))
        case Verdict.DUPLICATE:
            outcome.duplicates += 1
        case _:
            outcome.outdated += 1


def _replace(rows: Rows, row: int, point: Point, counts: list[int], value: float) -> None:
    if rows.parent[row] >= 0:
        _raise_base(rows, int(rows.parent[row]), counts, value)
    rows.counts[row] = point.counts
    rows.values[row] = point.value
    rows.clock[row, :2] = point.start or rows.clock[row, 0], point.time


def _reset(rows: Rows, row: int, point: Point, last: Run) -> None:
    """The exposed counter must not fall: a series keeps its last run in its own base, a child adds its new one."""
    if rows.parent[row] < 0:
        _raise_base(rows, row, list(last.counts), last.value)
    _replace(rows, row, point, list(point.counts), point.value)


def _count_earlier_run(rows: Rows, row: int, point: Point, last: Run | None, known_since: int) -> None:
    """A point of a run before the present one: what it adds to its own last point counts.

    A run that we see for the first time, and that began before we did, is only a baseline.
    """
    if last is None:
        if point.start <= known_since:
            return
        last = Run(0, (0,) * len(point.counts), 0.0)
    counts, value = last.increase_to(point)
    newer = value > 0 if not counts else min(counts) >= 0 and max(counts) > 0
    if newer:
        parent = int(rows.parent[row])
        _raise_base(rows, parent if parent >= 0 else row, counts, value)


def _raise_base(rows: Rows, row: int, counts: list[int], value: float) -> None:
    base_counts, base_values = rows.base()
    if counts:
        base_counts[row] += np.array(counts, np.int64).astype(np.uint64)
    base_values[row] += value


def _raise_total(rows: Rows, row: int, point: Point) -> None:
    totals = [a + b for a, b in zip(rows.counts[row].tolist(), point.counts, strict=True)]
    if totals and max(totals) >= EXACT_LIMIT:
        raise PointError(DropReason.OUT_OF_RANGE)
    rows.counts[row] = totals
    rows.values[row] += point.value
