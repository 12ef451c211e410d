"""Quantiles out of buckets, as Prometheus' histogram_quantile finds them. It keeps no numbers.

Source: promql/quantile.go of Prometheus, `BucketQuantile`: observations are spread evenly over their bucket, the first
bucket begins at 0 unless its bound is not above that, and what lies above the last bound counts as that bound.
"""

import bisect
import itertools
import math
from collections.abc import Iterable, Sequence

from aigw_receiver.core.rollup.model import Distribution


def quantile(distributions: Iterable[Distribution], q: float) -> float | None:
    """The value below which the share `q` (0 to 1) of all observations lies, in the unit of the bounds.

    None where there are no observations, or no bounds. Raises ValueError for a `q` that is no share.
    """
    return quantiles(distributions, (q,))[0]


def quantiles(distributions: Iterable[Distribution], shares: Sequence[float]) -> list[float | None]:
    """The `quantile` of each of these shares."""
    for q in shares:
        if not 0 <= q <= 1:
            message = f"{q} is no share"
            raise ValueError(message)
    bounds, cumulative, count = _merge([one for one in distributions if any(one.counts)])
    if not bounds or not count:
        return [None] * len(shares)
    return [_at(bounds, cumulative, q * count) for q in shares]


def _at(bounds: Sequence[float], cumulative: Sequence[float], rank: float) -> float | None:
    """The value below which so many observations lie."""
    place = bisect.bisect_left(cumulative, rank)
    if place == len(bounds):
        return bounds[-1]
    if place == 0 and bounds[0] <= 0:
        return bounds[0]
    below, start = (cumulative[place - 1], bounds[place - 1]) if place else (0.0, 0.0)
    inside = cumulative[place] - below
    return start + (bounds[place] - start) * ((rank - below) / inside) if inside else None


def overflow_ratio(distributions: Iterable[Distribution]) -> float | None:
    """The share of the observations that lie above the last bound; None where there are none."""
    there = list(distributions)
    count = sum(one.count for one in there)
    return sum(one.counts[-1] for one in there) / count if count else None


def _merge(distributions: Sequence[Distribution]) -> tuple[Sequence[float], Sequence[float], int]:
    """The union of the bounds, how many observations lie up to each, and how many there are."""
    if len(distributions) == 1:
        up_to = list(itertools.accumulate(distributions[0].counts))
        return distributions[0].bounds, up_to[:-1], up_to[-1]
    count = sum(one.count for one in distributions)
    if len({one.bounds for one in distributions}) == 1:
        bounds = list(distributions[0].bounds)
        columns = zip(*(one.counts for one in distributions), strict=True)
        return bounds, [float(some) for some in itertools.accumulate(map(sum, columns))][: len(bounds)], count
    bounds = sorted({bound for one in distributions for bound in one.bounds})
    each = [_Cumulative(one) for one in distributions]
    return bounds, [math.fsum(one.up_to(bound) for one in each) for bound in bounds], count


class _Cumulative:
    """How many observations of a distribution lie up to a value, interpolated within its buckets."""

    def __init__(self, distribution: Distribution) -> None:
        self._bounds = distribution.bounds
        self._counts = list(itertools.accumulate(distribution.counts))

    def up_to(self, value: float) -> float:
        """How many; what lies above the last bound is never counted."""
        bounds, counts = self._bounds, self._counts
        place = bisect.bisect_left(bounds, value)
        if place == len(bounds):
            return float(counts[place - 1]) if place else 0.0
        if bounds[place] == value:
            return float(counts[place])
        below, start = (counts[place - 1], bounds[place - 1]) if place else (0, 0.0)
        # A first bucket without a positive bound has no width: all of it lies at its bound.
        if not place and (bounds[0] <= 0 or value <= 0):
            return 0.0
        return below + (counts[place] - below) * (value - start) / (bounds[place] - start)
