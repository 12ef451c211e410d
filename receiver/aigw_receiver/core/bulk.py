"""The fast path's arithmetic: all proven points of a request at once, where their course is normal. It finds no rows.

What `temporality` and `accumulate` do with one point is done here with the points of all metrics: their numbers are
read into one array with a row a point, checked, and written to the rows of their streams. Where any point of a metric
is out of the normal course of its stream (a reset, a duplicate, a late one), all of that metric are left to them.

A request holds a few points of each of a few metrics, so what counts is the number of calls into numpy, not their size
(measured). Hence the bits of many numbers are joined by `or` where one would compare each: if that has no bit above a
limit, no number has. A difference below zero has wrapped around, and is above any limit.
"""

import functools
import struct
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core.batches import Batch
from aigw_receiver.core.model import EXACT_LIMIT, Outcome, Temporality
from aigw_receiver.core.series import COUNT, COUNTS, START, TIME, VALUE

_State = npt.NDArray[np.uint64]

# The fast path takes no bucket that grew by as much as this in one export. Below it no sum of the buckets of a message
# wraps around, and no total of ten thousand delta exports leaves the range in which a float is exact; no cumulative
# point is let out of that.
_BUCKET_LIMIT: Final = 1 << 39

_ROW: Final = np.dtype(np.int64)
_DELTA: Final = int(Temporality.DELTA)


def count(pending: Sequence[Batch], now: int, outcome: Outcome) -> list[Batch]:
    """Count batches of different tables; answers those in which a point is unsound or out of its normal course.

    All of one temporality are counted together; only where that fails, each on its own.
    """
    left: list[Batch] = []
    alike: dict[int, list[Batch]] = {}
    for batch in pending:
        alike.setdefault(batch.table.header.temporality, []).append(batch)
    for batches in alike.values():
        if not _count_together(batches, now, outcome):
            single = len(batches) == 1
            left += [batch for batch in batches if single or not _count_together([batch], now, outcome)]
    return left


def _count_together(batches: list[Batch], now: int, outcome: Outcome) -> bool:
    """Count batches of one temporality if all their points are sound and in their normal course; else count nothing."""
    found: list[int] = []
    for batch in batches:
        found += batch.found
    rows_of_all = np.frombuffer(struct.pack(f"{len(found)}q", *found), _ROW)
    width = COUNTS + max([batch.layout.buckets for batch in batches])
    both = np.zeros((2, len(found), width), np.uint64)
    new, old = both[0], both[1]
    places, numbers, begin = [], [], 0
    for batch in batches:
        end = begin + len(batch.found)
        rows, state = rows_of_all[begin:end], batch.rows.state
        # The mode spares numpy a copy; no row is out of range.
        state.take(rows, 0, old[begin:end, : state.shape[1]], "clip")
        batch.layout.read(batch.headers, new[begin:end, START:])
        places.append((state, rows, new[begin:end, : state.shape[1]]))
        if not batch.layout.buckets:
            numbers.append(slice(begin, end))
        begin = end
    advance = _advance_deltas if batches[0].table.header.temporality == _DELTA else _advance_cumulatives
    if not _are_sound(new, numbers) or not advance(new, old, numbers):
        return False
    for state, rows, changed in places:
        state[rows] = changed
    for batch in batches:
        batch.table.source.last_change = now
    outcome.fast += len(found)
    outcome.accepted += len(found)
    return True


def _are_sound(new: _State, numbers: list[slice]) -> bool:
    """Whether the numbers are such as the full parser would take, if no sum of buckets has wrapped around."""
    values = new.view(np.float64)[:, VALUE]
    if np.count_nonzero(np.isfinite(values)) != len(new) or np.count_nonzero(new @ _difference(new.shape[1])):
        return False
    return all(bool((values[some] >= 0).all() and (values[some] < EXACT_LIMIT).all()) for some in numbers)


@functools.lru_cache(maxsize=64)
def _difference(width: int) -> _State:
    """What a row is multiplied with to get the sum of its buckets less its count; the arithmetic is modulo 2^64."""
    factors = np.zeros(width, np.uint64)
    factors[COUNTS:] = 1
    factors[COUNT] = (1 << 64) - 1
    return factors


def _advance_deltas(new: _State, old: _State, _numbers: list[slice]) -> bool:
    """Make of delta points what the rows of their streams will hold; False where one does not continue its stream."""
    starts, times = new[:, START], new[:, TIME]
    if np.count_nonzero((starts >= old[:, TIME]) & (times > starts)) != len(new):
        return False
    if max(np.bitwise_or.reduce(new, 0).tolist()[COUNTS:], default=0) >= _BUCKET_LIMIT:
        return False
    new[:, :START] = old[:, START:COUNT]
    new[:, COUNTS:] += old[:, COUNTS:]
    values = new.view(np.float64)[:, VALUE]
    values += old.view(np.float64)[:, VALUE]
    return True


def _advance_cumulatives(new: _State, old: _State, numbers: list[slice]) -> bool:
    """The same for cumulative points, which are already what the rows will hold."""
    if np.count_nonzero(new[:, TIME] > old[:, TIME]) != len(new):
        return False
    risen = new - old
    risen[:, VALUE] = new[:, COUNT]
    bits = np.bitwise_or.reduce(risen, 0).tolist()
    if bits[START] or bits[VALUE] >= EXACT_LIMIT or max(bits[COUNTS:], default=0) >= _BUCKET_LIMIT:
        return False
    values, before = new.view(np.float64), old.view(np.float64)
    return all(bool((values[some, VALUE] >= before[some, VALUE]).all()) for some in numbers)
