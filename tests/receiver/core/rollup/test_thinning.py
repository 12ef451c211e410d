"""Which readings are kept at a moment."""

from typing import Final

import pytest

from aigw_receiver.core.rollup import thinning
from aigw_receiver.core.rollup.thinning import Plan, Tier
from aigw_receiver.core.sources import SECOND

_MINUTE: Final = 60 * SECOND
_HOUR: Final = 60 * _MINUTE
_NOW: Final = 1_800_000_000 * SECOND


@pytest.mark.parametrize(
    ("later", "share", "expected"),
    [
        pytest.param(0, 1.0, ((_HOUR, _MINUTE), (12 * _HOUR, 10 * _MINUTE), 168 * _HOUR), id="as is set"),
        pytest.param(59, 1.0, ((_HOUR, _MINUTE), (12 * _HOUR, 10 * _MINUTE), 168 * _HOUR), id="within a minute"),
        pytest.param(0, 0.5, ((_HOUR // 2, _MINUTE), (6 * _HOUR, 10 * _MINUTE), 84 * _HOUR), id="with half the room"),
    ],
)
def test_plan(later: int, share: float, expected: tuple[tuple[int, int], tuple[int, int], int]) -> None:
    """Readings are thinned out too soon or too late, or within a step that is not over."""
    *tiers, retention = expected
    plan = thinning.plan(_NOW + later * SECOND, 168 * _HOUR, share)
    assert Plan(tuple(Tier(_NOW - age, step) for age, step in tiers), _NOW + later * SECOND - retention) == plan
