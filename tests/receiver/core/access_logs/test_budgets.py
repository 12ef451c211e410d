"""Budgets and rates by the minute, with made-up time."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from aigw_receiver.core.access_logs.budgets import MINUTE, Budget, Rate

NOW: Final = 28_333_333 * MINUTE
_SECOND: Final = MINUTE // 60


def test_refill() -> None:
    """A budget is not full at first, does not come back evenly, or grows beyond a minute's worth."""
    budget = Budget(3)
    assert [True, True, True, False] == [budget.spend("g", NOW) for _ in range(4)]
    assert not budget.spend("g", NOW + 20 * _SECOND - 1)
    assert budget.spend("g", NOW + 20 * _SECOND)
    assert not budget.spend("g", NOW + 20 * _SECOND)
    later = NOW + 60 * MINUTE
    assert [True, True, True, False] == [budget.spend("g", later) for _ in range(4)]


def test_gateways_have_budgets_of_their_own() -> None:
    """A gateway in trouble uses up the budget of the others."""
    budget = Budget(1)
    assert [True, False, True] == [budget.spend(gateway, NOW) for gateway in ("a", "a", "b")]


def test_clock_that_goes_back() -> None:
    """A clock that was set back refills a budget, or blocks it until it has caught up with what was spent."""
    budget = Budget(1)
    assert budget.spend("g", NOW)
    assert not budget.spend("g", NOW - 10 * MINUTE)
    assert budget.spend("g", NOW + MINUTE)


def test_debt() -> None:
    """What was dropped is paid twice, or not at all, or long after it was dropped."""
    budget = Budget(1)
    budget.owe("g", 1.0, NOW)
    budget.owe("g", 2.5, NOW + _SECOND)
    assert 3.5 == budget.debt("g")
    assert 3.5 == budget.pay("g", NOW + MINUTE)
    assert 0.0 == budget.pay("g", NOW + MINUTE)
    budget.owe("g", 1.0, NOW)
    assert 0.0 == budget.pay("g", NOW + MINUTE + 1)
    budget.owe("g", 1.0, NOW)
    budget.owe("g", 5.0, NOW + 2 * MINUTE)
    assert 5.0 == budget.debt("g")
    assert 0.0 == budget.debt("unknown")


@given(st.lists(st.integers(0, 90), max_size=300), st.integers(1, 30))
def test_never_more_than_two_minutes_worth_in_a_minute(gaps: list[int], per_minute: int) -> None:
    """A budget lets through more than it says."""
    budget, now, taken = Budget(per_minute), NOW, []
    for gap in gaps:
        now += gap * _SECOND // 10
        if budget.spend("g", now):
            taken.append(now)
    for start in taken:
        assert sum(start <= time < start + MINUTE for time in taken) <= 2 * per_minute
    assert len(taken) <= per_minute + (now - NOW) * per_minute // MINUTE


def test_gateways_are_bounded() -> None:
    """A sender that makes up gateways fills the memory."""
    budget, rate = Budget(1), Rate(1)
    for number in range(5_001):
        budget.spend(number, NOW)
        rate.probability(number, NOW)
    assert budget.spend(0, NOW), "the oldest one begins anew"
    assert not budget.spend(5_000, NOW)
    assert 1.0 == rate.probability(0, NOW)
    assert 0.5 == rate.probability(5_000, NOW)


def test_rate() -> None:
    """The probability is not N over what came in this minute or the last one, whichever is more."""
    rate = Rate(2)
    assert [1.0, 1.0, 2 / 3, 0.5] == [rate.probability("g", NOW + MINUTE - 1) for _ in range(4)]
    assert [0.5, 0.5, 0.5, 0.5, 0.4] == [rate.probability("g", NOW + MINUTE) for _ in range(5)]
    assert 0.4 == rate.probability("g", NOW + 2 * MINUTE)
    assert 1.0 == rate.probability("g", NOW + 4 * MINUTE), "the minute before was quiet"
    assert 1.0 == rate.probability("g", NOW), "a clock that was set back stays in its minute"
    assert 2 / 3 == rate.probability("g", NOW)
