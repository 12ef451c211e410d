"""Quantiles of buckets are those that Prometheus' histogram_quantile gives, and of any bounds together."""

import pytest

from aigw_receiver.core.rollup.model import Distribution
from aigw_receiver.core.rollup.quantiles import overflow_ratio, quantile, quantiles


def _of(*counts: int, bounds: tuple[float, ...] = (1.0, 2.0, 4.0)) -> Distribution:
    return Distribution(bounds, counts, 0.0)


@pytest.mark.parametrize(
    ("counts", "q", "expected"),
    [
        pytest.param((4, 0, 0, 0), 0.5, 0.5, id="the first bucket begins at 0"),
        pytest.param((0, 4, 0, 0), 0.5, 1.5, id="within a bucket"),
        pytest.param((2, 2, 4, 0), 0.5, 2.0, id="at a bound"),
        pytest.param((2, 2, 4, 0), 0.75, 3.0, id="in the third"),
        pytest.param((1, 0, 0, 9), 0.5, 4.0, id="above the last bound"),
        pytest.param((1, 0, 0, 9), 0.1, 1.0, id="just below it"),
        pytest.param((0, 0, 0, 3), 0.99, 4.0, id="all above the last bound"),
        pytest.param((1, 0, 1, 0), 1.0, 4.0, id="the largest"),
        pytest.param((1, 0, 1, 0), 0.0, 0.0, id="the smallest"),
        pytest.param((0, 1, 0, 0), 0.0, None, id="the smallest, where the first bucket is empty"),
        pytest.param((0, 0, 0, 0), 0.5, None, id="no observations"),
    ],
)
def test_one_distribution(counts: tuple[int, ...], q: float, expected: float | None) -> None:
    """A percentile on the page is another one than that of Prometheus."""
    assert expected == quantile([_of(*counts)], q)


@pytest.mark.parametrize(
    ("distributions", "q", "expected"),
    [
        pytest.param([_of(2, 0, 0, 0), _of(0, 0, 2, 0)], 0.5, 1.0, id="the same bounds"),
        pytest.param([_of(2, 0, 0, 0), _of(0, 2, bounds=(1.0,))], 0.5, 1.0, id="overflow of the shorter one"),
        pytest.param([_of(2, 0, 0, 0), _of(0, 2, bounds=(1.0,))], 0.75, 4.0, id="in the overflow of the shorter one"),
        pytest.param(
            [_of(0, 0, 4, 0), _of(0, 4, 0, bounds=(2.0, 3.0))], 0.5, 2 + 2 / 3, id="split by a bound of another"
        ),
        pytest.param([_of(4, 0, bounds=(-1.0,)), _of(0, 4, 0, 0)], 0.25, -1.0, id="a bound below 0"),
        pytest.param([_of(4, 0, bounds=(0.0,)), _of(4, 0, 0, 0)], 0.75, 0.5, id="a bound at 0"),
        pytest.param([_of(3, bounds=())], 0.5, None, id="no bounds"),
        pytest.param([_of(3, bounds=()), _of(1, 0, 0, 0)], 0.25, 1.0, id="no bounds beside some"),
        pytest.param([], 0.5, None, id="nothing"),
    ],
)
def test_distributions_together(distributions: list[Distribution], q: float, expected: float | None) -> None:
    """Streams with other bounds move a percentile, or what lies above their last bound is taken for less."""
    assert expected == quantile(distributions, q)


def test_several() -> None:
    """A percentile that is asked for beside others is another one."""
    one, other = _of(2, 2, 4, 2), _of(5, 5, bounds=(3.0,))
    shares = (0.0, 0.5, 0.75, 0.99, 1.0)
    for distributions in ([one], [one, other], []):
        assert [quantile(distributions, q) for q in shares] == quantiles(distributions, shares)
    assert [1.0, 2.0, 3.5] == quantiles([one], (0.2, 0.4, 0.7))


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_no_share(q: float) -> None:
    """A percentile of more than a hundred is answered."""
    with pytest.raises(ValueError, match="is no share"):
        quantile([_of(1, 0, 0, 0)], q)


@pytest.mark.parametrize(
    ("distributions", "expected"),
    [
        pytest.param([_of(1, 1, 1, 1)], 0.25, id="one"),
        pytest.param([_of(0, 0, 0, 3), _of(1, 0, bounds=(9.0,))], 0.75, id="two layouts"),
        pytest.param([_of(0, 0, 0, 0)], None, id="empty"),
        pytest.param([], None, id="nothing"),
    ],
)
def test_overflow_ratio(distributions: list[Distribution], expected: float | None) -> None:
    """A percentile that lies above the last bound looks as if it were known."""
    assert expected == overflow_ratio(distributions)
