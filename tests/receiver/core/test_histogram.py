"""Bucket arithmetic: what is valid, and that no count is lost or counted too early."""

import math
from collections.abc import Sequence

import pytest

from aigw_receiver.core import histogram
from aigw_receiver.core.histogram import EXPONENTIAL_BOUNDS
from aigw_receiver.core.model import DropReason, PointError

_INF, _NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("counts", "bounds", "count", "total"),
    [
        ((5,), (), 5, 1.0),
        ((0,), (), 0, 0.0),
        ((1, 2, 3), (1.0, 4.0), 6, -7.5),
        ((1, 2), (-_INF,), 3, 0.0),
        ((0, 2**53 - 1), (0.0,), 2**53 - 1, 1e300),
        ((1, 1, 1), (0.1, 0.1000000001), 3, 0.3),
    ],
)
def test_valid(counts: Sequence[int], bounds: Sequence[float], count: int, total: float) -> None:
    """A valid histogram is refused."""
    histogram.check(counts, bounds, count, total)


@pytest.mark.parametrize(
    ("counts", "bounds", "count", "total", "reason"),
    [
        ((), (), 0, 0.0, DropReason.INCONSISTENT_BUCKETS),
        ((1, 2), (), 3, 0.0, DropReason.INCONSISTENT_BUCKETS),
        ((1,), (1.0,), 1, 0.0, DropReason.INCONSISTENT_BUCKETS),
        ((1, 2, 3), (1.0,), 6, 0.0, DropReason.INCONSISTENT_BUCKETS),
        ((1, 2), (1.0,), 4, 0.0, DropReason.INCONSISTENT_BUCKETS),
        ((1, 2), (1.0,), 0, 0.0, DropReason.INCONSISTENT_BUCKETS),
        ((1, 2, 3), (4.0, 1.0), 6, 0.0, DropReason.INVALID_BOUNDS),
        ((1, 2, 3), (1.0, 1.0), 6, 0.0, DropReason.INVALID_BOUNDS),
        ((1, 2), (_NAN,), 3, 0.0, DropReason.INVALID_BOUNDS),
        ((1, 2, 3), (1.0, _NAN), 6, 0.0, DropReason.INVALID_BOUNDS),
        ((0, 2**53), (1.0,), 2**53, 0.0, DropReason.OUT_OF_RANGE),
        ((2**63, 2**63), (1.0,), 0, 0.0, DropReason.OUT_OF_RANGE),
        ((1, 2), (1.0,), 3, _INF, DropReason.NOT_FINITE),
        ((1, 2), (1.0,), 3, _NAN, DropReason.NOT_FINITE),
    ],
)
def test_invalid(counts: Sequence[int], bounds: Sequence[float], count: int, total: float, reason: DropReason) -> None:
    """A histogram that contradicts itself is taken, or refused for another reason."""
    with pytest.raises(PointError) as error:
        histogram.check(counts, bounds, count, total)
    assert reason is error.value.reason


def _non_zero(counts: Sequence[int]) -> dict[float, int]:
    return {bound: count for bound, count in zip((*EXPONENTIAL_BOUNDS, _INF), counts, strict=True) if count}


@pytest.mark.parametrize(
    ("scale", "zero", "offset", "positive", "negative", "expected"),
    [
        (0, 0, 0, (), (), {}),
        (0, 3, 0, (), (), {2.0**-10: 3}),
        (0, 3, 0, (), (1, 2), {2.0**-10: 6}),
        # scale 0: bucket i holds (2^i, 2^(i+1)]
        (0, 0, 0, (1,), (), {2.0: 1}),
        (0, 0, -1, (1, 2, 3), (), {1.0: 1, 2.0: 2, 4.0: 3}),
        (0, 0, 9, (7,), (), {1024.0: 7}),
        (0, 0, -10, (1, 1), (), {2.0**-9: 1, 2.0**-8: 1}),
        (0, 0, -11, (1,), (), {2.0**-10: 1}),
        (0, 0, -12, (1,), (), {2.0**-10: 1}),
        (0, 0, 29, (1, 2, 3), (), {2.0**30: 1, _INF: 5}),
        (0, 0, -(2**31), (1,), (), {2.0**-10: 1}),
        (0, 0, 2**31 - 1, (1,), (), {_INF: 1}),
        # scale 1: two buckets a power of two, (1, √2], (√2, 2]
        (1, 0, 0, (1, 2, 4, 8), (), {2.0: 3, 4.0: 12}),
        (1, 0, -1, (1, 2), (), {1.0: 1, 2.0: 2}),
        # scale 20
        (20, 0, 2**20 - 1, (1, 2), (), {2.0: 1, 4.0: 2}),
        # scale -1: bucket i holds (4^i, 4^(i+1)], counted at its upper bound
        (-1, 0, 0, (1, 2), (), {4.0: 1, 16.0: 2}),
        (-1, 0, -1, (1,), (), {1.0: 1}),
        # scale -10: (1, 2^1024]
        (-10, 0, 0, (5,), (), {_INF: 5}),
        (-10, 0, -1, (5,), (), {1.0: 5}),
    ],
)
def test_exponential(
    scale: int, zero: int, offset: int, positive: Sequence[int], negative: Sequence[int], expected: dict[float, int]
) -> None:
    """A value of an exponential histogram lands in a bucket that does not hold it."""
    counts = histogram.explicit_counts(scale, zero, (offset, positive), negative)
    assert expected == _non_zero(counts)
    assert zero + sum(positive) + sum(negative) == sum(counts)


@pytest.mark.parametrize("scale", [-11, 21, 2**31 - 1, -(2**31)])
def test_scale_out_of_range(scale: int) -> None:
    """A scale that no SDK can have is computed with, which can take forever."""
    with pytest.raises(PointError) as error:
        histogram.explicit_counts(scale, 0, (0, (1,)), ())
    assert DropReason.INVALID_BOUNDS is error.value.reason


@pytest.mark.parametrize(
    ("counts", "bounds", "target", "expected"),
    [
        ((1, 2, 3), (1.0, 4.0), (1.0, 4.0), (1, 2, 3)),
        ((1, 2, 3), (1.0, 4.0), (4.0,), (3, 3)),
        ((1, 2, 3), (1.0, 4.0), (2.0, 4.0), (1, 2, 3)),
        ((1, 2, 3), (1.0, 4.0), (1.0, 2.0, 4.0), (1, 0, 2, 3)),
        ((1, 2, 3), (1.0, 4.0), (), (6,)),
        ((6,), (), (1.0, 4.0), (0, 0, 6)),
        ((1, 2), (5.0,), (1.0, 4.0), (0, 0, 3)),
        ((1, 2), (0.5,), (1.0, 4.0), (1, 0, 2)),
    ],
)
def test_rebucket(
    counts: Sequence[int], bounds: Sequence[float], target: Sequence[float], expected: Sequence[int]
) -> None:
    """A count is lost where a sender changes its bounds, or is shown below a bound that its value may exceed."""
    assert expected == histogram.rebucket(counts, bounds, target)
