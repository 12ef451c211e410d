"""Bucket arithmetic against values that are put into buckets one by one."""

import bisect
import itertools
import math
from typing import Final

import hypothesis
import hypothesis.strategies as st

from aigw_receiver.core import histogram
from strategies.profile import examples

# Powers of two from a millisecond's to beyond the last bound, and numbers between them that a float holds exactly.
_POSITIVE: Final = st.builds(math.ldexp, st.sampled_from((1.0, 1.0078125, 1.25, 1.5, 1.984375)), st.integers(-20, 40))
_BOUNDS: Final = st.lists(st.integers(-8, 24).map(lambda eighth: eighth / 8), unique=True, max_size=12).map(sorted)


def _bucket(value: float, scale: int) -> int:
    """The index of the exponential bucket that holds a value, by whole numbers only where it is a power of two."""
    fraction, exponent = math.frexp(value)
    if scale >= 0:
        within = 0 if fraction == 0.5 else math.floor(math.log2(fraction * 2) * (1 << scale)) + 1
        return ((exponent - 1) << scale) + within - 1
    highest = exponent - 1 if fraction == 0.5 else exponent
    return math.ceil(highest / (1 << -scale)) - 1


def _counts(values: list[float], bounds: list[float]) -> list[int]:
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[next((at for at, bound in enumerate(bounds) if value <= bound), len(bounds))] += 1
    return counts


@examples(300)
@hypothesis.given(
    values=st.lists(_POSITIVE, max_size=20),
    negatives=st.lists(st.integers(1, 5), max_size=4),
    zeros=st.integers(0, 3),
    scale=st.integers(0, 20),
)
def test_exponential_is_exact(values: list[float], negatives: list[int], zeros: int, scale: int) -> None:
    """A value would lie in a bucket whose bounds do not hold it."""
    expected = _counts([*values, *[0.0] * zeros, *[-1.0] * sum(negatives)], list(histogram.EXPONENTIAL_BOUNDS))
    summed = [0] * len(expected)
    for value in values or [1.0]:  # at a high scale all values together would need millions of buckets
        one = histogram.explicit_counts(scale, 0, (_bucket(value, scale), [int(bool(values))]), [])
        summed = [a + b for a, b in zip(summed, one, strict=True)]
    rest = histogram.explicit_counts(scale, zeros, (0, []), negatives)
    assert expected == [a + b for a, b in zip(summed, rest, strict=True)]


@examples(200)
@hypothesis.given(values=st.lists(_POSITIVE, min_size=1, max_size=20), scale=st.integers(0, 4))
def test_exponential_of_many_buckets(values: list[float], scale: int) -> None:
    """The offset of the buckets, or their order, would be read wrong."""
    indexes = [_bucket(value, scale) for value in values]
    offset = min(indexes)
    buckets = [indexes.count(index) for index in range(offset, max(indexes) + 1)]
    expected = _counts(values, list(histogram.EXPONENTIAL_BOUNDS))
    assert expected == list(histogram.explicit_counts(scale, 0, (offset, buckets), []))


@examples(200)
@hypothesis.given(values=st.lists(_POSITIVE, max_size=20), scale=st.integers(-10, -1))
def test_coarse_exponential_counts_late(values: list[float], scale: int) -> None:
    """At a negative scale a value would be lost, or be counted below a bound that it exceeds."""
    total = [0] * (len(histogram.EXPONENTIAL_BOUNDS) + 1)
    for value in values:
        one = histogram.explicit_counts(scale, 0, (_bucket(value, scale), [1]), [])
        total = [a + b for a, b in zip(total, one, strict=True)]
    fine = list(itertools.accumulate(_counts(values, list(histogram.EXPONENTIAL_BOUNDS))))
    coarse = list(itertools.accumulate(total))
    assert len(values) == coarse[-1]
    assert all(late <= exact for late, exact in zip(coarse, fine, strict=True))


@examples(400)
@hypothesis.given(
    values=st.lists(st.integers(-16, 32).map(lambda eighth: eighth / 8), max_size=40), bounds=_BOUNDS, target=_BOUNDS
)
def test_rebucket(values: list[float], bounds: list[float], target: list[float]) -> None:
    """A count would be lost, counted early, or wrong at a bound that both sides have."""
    moved = histogram.rebucket(_counts(values, bounds), bounds, target)

    upper = [next((bound for bound in bounds if value <= bound), math.inf) for value in values]
    assert _counts(upper, target) == list(moved)
    cumulated = list(itertools.accumulate(moved))
    assert len(values) == cumulated[-1]
    for bound, shown in zip(target, cumulated, strict=False):
        exact = sum(value <= bound for value in values)
        assert shown <= exact
        if bound in bounds:
            assert exact == shown


@examples(200)
@hypothesis.given(values=st.lists(st.integers(-16, 32).map(float), max_size=40), bounds=_BOUNDS)
def test_rebucket_to_the_same_bounds(values: list[float], bounds: list[float]) -> None:
    """Counts would change although the bounds do not."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect.bisect_left(bounds, value)] += 1
    assert counts == list(histogram.rebucket(counts, bounds, bounds))
