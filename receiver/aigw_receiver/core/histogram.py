"""Arithmetic of buckets: validity, exponential to explicit, and one set of bounds to another. It keeps no state."""

import bisect
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Final

from aigw_receiver.core.model import EXACT_LIMIT, DropReason, PointError

# The bounds of an exponential histogram in a text format: powers of two from a millisecond to a billion tokens.
# They are the same for every scale, so that a stream whose scale changes keeps its series.
EXPONENTIAL_BOUNDS: Final = tuple(2.0**exponent for exponent in range(-10, 31))

# ExponentialHistogramDataPoint.scale of metrics.proto: the range that the SDK specification allows.
_SCALES: Final = range(-10, 21)


def check(counts: Sequence[int], bounds: Sequence[float], count: int, total: float) -> None:
    """Refuse buckets that contradict their bounds or their count.

    Source: metrics.proto, HistogramDataPoint: `bucket_counts` has one element more than `explicit_bounds`, or both
    are empty; its sum is `count`; the bounds are strictly increasing.
    """
    if len(counts) != len(bounds) + 1:
        raise PointError(DropReason.INCONSISTENT_BUCKETS)
    if not _are_increasing(tuple(bounds)):
        raise PointError(DropReason.INVALID_BOUNDS)
    if count >= EXACT_LIMIT or max(counts) >= EXACT_LIMIT:
        raise PointError(DropReason.OUT_OF_RANGE)
    if sum(counts) != count:
        raise PointError(DropReason.INCONSISTENT_BUCKETS)
    if not math.isfinite(total):
        raise PointError(DropReason.NOT_FINITE)


@functools.lru_cache(maxsize=256)
def _are_increasing(bounds: tuple[float, ...]) -> bool:
    return not any(map(math.isnan, bounds)) and all(a < b for a, b in itertools.pairwise(bounds))


def explicit_counts(
    scale: int,
    zero_count: int,
    positive: tuple[int, Sequence[int]],
    negative: Sequence[int],
) -> tuple[int, ...]:
    """The buckets of an exponential histogram over EXPONENTIAL_BOUNDS; no count is lost.

    `positive` is (offset, counts): bucket `offset + i` holds (base^(offset+i), base^(offset+i+1)] with
    base = 2^(2^-scale), see metrics.proto. At a scale of 0 or more every bucket lies within one power of two, so
    this is exact; at a negative scale a bucket is counted at its upper bound. Zero and negative values lie in the
    first bucket, whose lower bound is minus infinity.
    """
    if scale not in _SCALES:
        raise PointError(DropReason.INVALID_BOUNDS)
    counts = [0] * (len(EXPONENTIAL_BOUNDS) + 1)
    counts[0] = zero_count + sum(negative)
    offset, buckets = positive
    for index, count in enumerate(buckets, start=offset):
        upper = (index >> scale) + 1 if scale >= 0 else (index + 1) << -scale
        counts[min(max(upper + 10, 0), len(counts) - 1)] += count
    return tuple(counts)


def rebucket(counts: Sequence[int], bounds: Sequence[float], target: Sequence[float]) -> tuple[int, ...]:
    """Counts over other bounds: each bucket goes to the first one whose bound is not below its own.

    Where a bound stands in both, the number of values up to it stays exact; elsewhere a value is counted late,
    never early.
    """
    moved = [0] * (len(target) + 1)
    for bound, count in zip((*bounds, math.inf), counts, strict=True):
        moved[bisect.bisect_left(target, bound)] += count
    return tuple(moved)
