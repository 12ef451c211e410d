"""What a verdict does to the numbers of a row. It finds no rows and reads no labels.

`batches` does the same to many rows at once where every point is in its normal course.
"""

import numpy as np

from aigw_receiver.core import temporality
from aigw_receiver.core.model import EXACT_LIMIT, DropReason, Outcome, Point, PointError
from aigw_receiver.core.series import COUNT, START, TIME, Rows, Run
from aigw_receiver.core.temporality import Clock, Verdict


def observe_last(rows: Rows, row: int, point: Point, outcome: Outcome) -> None:
    """A gauge, or a cumulative sum that may fall: the newest point is what is shown."""
    if point.time < int(rows.clock[row, TIME]):
        outcome.outdated += 1
        return
    rows.clock[row, START:COUNT] = point.start, point.time
    rows.values[_series_of(rows, row)] = point.value


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


def observe_cumulative(rows: Rows, row: int, point: Point, outcome: Outcome, *, known_since: int) -> None:
    """A cumulative point: it replaces the last one; what was counted before a reset goes into the base.

    A run that began before `known_since`, and that turns up beside one that is known already, is only a baseline.
    """
    clock = Clock(*rows.clock[row].tolist())
    last = Run(clock.time, tuple(rows.counts[row].tolist()), float(rows.values[row]))
    fell, rose = _compare(last, point)
    match temporality.judge_cumulative(clock, point.start, point.time, fell=fell, rose=rose):
        case Verdict.ADVANCE:
            _replace(rows, row, point, _increase(last, point))
        case Verdict.RESET:
            nothing = Run(0, (0,) * len(point.counts), 0.0)
            first = rows.earlier.get((row, point.start), nothing) if point.start != clock.start else nothing
            if point.start != clock.start:
                rows.remember(row, clock.start, last)
                if first is nothing and point.start <= known_since:
                    first = Run(point.time, point.counts, point.value)
            _reset(rows, row, point, last, _increase(first, point))
            outcome.resets += 1
        case Verdict.SUPERSEDED:
            _observe_earlier(rows, row, point, outcome, known_since)
        case Verdict.DUPLICATE:
            outcome.duplicates += 1
        case _:
            outcome.outdated += 1


def _compare(last: Run, point: Point) -> tuple[bool, bool]:
    """Whether any number of `point` is below the last one's, and whether any is above."""
    now, before = (point.counts, last.counts) if point.counts else ((point.value,), (last.value,))
    pairs = list(zip(now, before, strict=True))
    return any(new < old for new, old in pairs), any(new > old for new, old in pairs)


def _increase(last: Run, point: Point) -> tuple[list[int], float]:
    """What `point` has counted since the last point of its run."""
    return [new - old for new, old in zip(point.counts, last.counts, strict=True)], point.value - last.value


def _replace(rows: Rows, row: int, point: Point, increase: tuple[list[int], float]) -> None:
    """Make `point` the stream's last one; what it adds to a parent is `increase`."""
    if rows.parent[row] >= 0:
        _raise_base(rows, int(rows.parent[row]), *increase)
    rows.counts[row] = point.counts
    rows.values[row] = point.value
    rows.clock[row, START:COUNT] = point.start or rows.clock[row, START], point.time


def _reset(rows: Rows, row: int, point: Point, last: Run, increase: tuple[list[int], float]) -> None:
    """Begin a new run of which `increase` is new; what a series shows must not fall, so its base makes up for it."""
    if rows.parent[row] < 0:
        counts, value = increase
        made_up = [old + new - shown for old, new, shown in zip(last.counts, counts, point.counts, strict=True)]
        _raise_base(rows, row, made_up, last.value + value - point.value)
    _replace(rows, row, point, increase)


def _observe_earlier(rows: Rows, row: int, point: Point, outcome: Outcome, known_since: int) -> None:
    """A point of a run before the present one: what it adds to its own last point counts."""
    last = rows.earlier.get((row, point.start))
    if last is None and point.start <= known_since:
        rows.remember(row, point.start, Run(point.time, point.counts, point.value))
        return
    last = last or Run(0, (0,) * len(point.counts), 0.0)
    fell, rose = _compare(last, point)
    if fell or not rose:
        outcome.duplicates += point.time == last.time
        outcome.outdated += point.time != last.time
        return
    _raise_base(rows, _series_of(rows, row), *_increase(last, point))
    rows.remember(row, point.start, Run(point.time, point.counts, point.value))


def _series_of(rows: Rows, row: int) -> int:
    """The row of the series that shows a stream: its own, or its parent's."""
    parent = int(rows.parent[row])
    return parent if parent >= 0 else row


def _raise_base(rows: Rows, row: int, counts: list[int], value: float) -> None:
    """Add to what a series shows beside its stream's own numbers; the arithmetic is modulo 2^64, so it may fall."""
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
