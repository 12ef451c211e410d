"""What is learned of durations: the percentile within its error, when it is trusted, how it fades, what it costs."""

import random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aigw_receiver.core.access_logs import adaptive
from aigw_receiver.core.access_logs.adaptive import Learned

NOW: Final = 1_700_000_000_000_000_000
_HOUR: Final = 3600 * 1_000_000_000


def _learned(observations: int = 100, models: int = 10) -> Learned:
    return Learned(observations=observations, half_life=_HOUR, models=models)


def _exact(durations: list[float]) -> float:
    """The smallest duration with no more than one of a hundred above it."""
    ordered = sorted(durations)
    return ordered[len(ordered) - 1 - len(ordered) // 100]


_GROUPS: Final = st.lists(
    st.tuples(st.floats(1, 3_000_000), st.integers(1, 128), st.sampled_from([1.0, 1.1, 3.0])), min_size=1, max_size=12
)


@given(_GROUPS, st.integers(0, 1 << 32))
@settings(max_examples=60)
def test_error_is_bounded(groups: list[tuple[float, int, float]], seed: int) -> None:
    """The percentile is too low, or more than 4 % too high, for some distribution."""
    shuffle = random.Random(seed)
    durations = [
        min(center * spread ** shuffle.random(), 3_500_000) for center, count, spread in groups for _ in range(count)
    ]
    while len(durations) < 256 or len(durations) % 128:
        durations.append(durations[len(durations) // 2])
    shuffle.shuffle(durations)
    # Of a model that is known eight times as well as this, one of eight would be learned from, and count for all.
    learned = _learned(observations=200)
    for duration in durations:
        learned.exceeds("m", duration, NOW, 0.0)
    percentile, exact = learned.percentile("m"), _exact(durations)
    assert percentile is not None
    assert exact <= percentile <= exact * adaptive.RATIO * (1 + 1e-6)
    assert sum(duration > percentile for duration in durations) <= len(durations) / 100


def test_bucket_bounds() -> None:
    """A duration lies outside of the bounds of its bucket, or has none."""
    for duration in (1.0, 1.5, 999.0, 30_000.0, 3_599_999.0):
        index = adaptive.bucket(duration)
        assert adaptive.RATIO**index <= duration * (1 + 1e-9)
        assert duration <= adaptive.RATIO ** (index + 1) * (1 + 1e-9)
    assert [0, 0, adaptive.LAST, adaptive.LAST] == [adaptive.bucket(value) for value in (0.0, 0.9, 1e12, 1.7e308)]


def test_trust() -> None:
    """A percentile is used that too few observations stand behind."""
    learned = _learned(observations=1000)
    for _ in range(999):
        assert not learned.exceeds("m", 100.0, NOW, 0.0)
    assert learned.percentile("m") is None
    assert not learned.exceeds("m", 1e9, NOW, 0.0)
    for _ in range(24):
        learned.exceeds("m", 100.0, NOW, 0.0)
    assert learned.exceeds("m", 200.0, NOW, 0.0)
    assert learned.is_above("m", 200.0)
    assert not learned.is_above("m", 100.0)
    assert not learned.is_above("unknown", 1e9)


def test_equal_durations_are_not_slow() -> None:
    """All requests of a model that always takes the same time are kept."""
    learned = _learned()
    assert not any(learned.exceeds("m", 1234.5, NOW, 0.0) for _ in range(5000))


def test_share_that_exceeds() -> None:
    """Much more than one of a hundred steady requests exceeds the percentile."""
    learned, generator = _learned(observations=1000), random.Random(7)
    durations = [generator.lognormvariate(8, 1) for _ in range(20_000)]
    exceeding = sum(learned.exceeds("m", duration, NOW, generator.random()) for duration in durations[:10_000])
    later = sum(learned.exceeds("m", duration, NOW, generator.random()) for duration in durations[10_000:])
    assert 50 < exceeding < 125
    assert 50 < later < 125


def test_learning_in_bulk() -> None:
    """What is learned by the list is not what would be learned one by one."""
    generator = random.Random(3)
    durations = [generator.lognormvariate(8, 1) for _ in range(20_000)]
    single, bulk = _learned(observations=1000), _learned(observations=1000)
    for start in range(0, len(durations), 20):
        for duration in durations[start : start + 20]:
            single.exceeds("m", duration, NOW, generator.random())
        bulk.learn("m", durations[start : start + 20], NOW, generator.random())
    bulk.learn("n", [], NOW, 0.0)
    assert 1 == len(bulk)
    exact = _exact(durations)
    assert exact == pytest.approx(single.percentile("m"), rel=0.15)
    assert exact == pytest.approx(bulk.percentile("m"), rel=0.15)


def test_fading() -> None:
    """A model that has become slower stays slow for good, or what was learned long ago is still used."""
    learned = _learned()
    for _ in range(640):
        learned.exceeds("m", 100.0, NOW, 0.0)
    assert 100.0 <= (learned.percentile("m") or 0.0) < 104.1
    for _ in range(128):
        learned.exceeds("m", 1000.0, NOW + 3 * _HOUR, 0.0)
    assert 1000.0 <= (learned.percentile("m") or 0.0) < 1040.1
    for _ in range(128):
        learned.exceeds("m", 100.0, NOW + 20 * _HOUR, 0.0)
    assert 100.0 <= (learned.percentile("m") or 0.0) < 104.1


def test_little_traffic_is_not_trusted() -> None:
    """A model whose requests have faded away is judged by the few that are left."""
    learned = _learned()
    for _ in range(128):
        learned.exceeds("m", 100.0, NOW, 0.0)
    assert learned.percentile("m") is not None
    for number in range(128):
        learned.exceeds("m", 100.0, NOW + number * _HOUR, 0.0)
    assert learned.percentile("m") is None


def test_time_that_goes_back() -> None:
    """A clock that was set back makes counts grow, or fails."""
    learned = _learned()
    for _ in range(256):
        learned.exceeds("m", 100.0, NOW, 0.0)
    for _ in range(256):
        learned.exceeds("m", 100.0, NOW - 100 * _HOUR, 0.0)
    assert not learned.exceeds("m", 100.0, NOW, 0.0)
    assert learned.exceeds("m", 105.0, NOW, 0.0)


def test_models_are_bounded() -> None:
    """A client that makes up models fills the memory, or pushes out a model that is in use."""
    learned = _learned(models=3)
    for number in range(128):
        learned.exceeds("m", 100.0, NOW, 0.0)
        learned.exceeds(f"made-up-{number}", 100.0, NOW, 0.0)
    assert 3 == len(learned)
    assert learned.percentile("m") is not None
