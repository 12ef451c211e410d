"""Alerts about what is used up: tokens and money, too fast or over a budget, and models without a price."""

from collections.abc import Iterator
from typing import Final

from rulebook import meters
from rulebook.alerts_traffic import within
from rulebook.model import Alert, Group, Record

_AT: Final = "{{ $labels.gateway_namespace }}/{{ $labels.gateway_name }}"
_TOKENS: Final = meters.name(meters.TOKENS, meters.PER_MINUTE, False)
_COST: Final = meters.name(meters.COST, meters.PER_MINUTE, False)
_TOKENS_HOUR: Final = meters.name(meters.TOKENS, "per_minute_avg1h", False)
_COST_HOUR: Final = meters.name(meters.COST, "per_hour_avg1h", False)

_PAST: Final = "[7d:10m] offset 1h"
# Six hours: with less to compare with, each new gateway would be faster than ever.
_ENOUGH: Final = 36


def _hours() -> Iterator[Record]:
    yield Record(_TOKENS_HOUR, f"{within(_TOKENS, '1h')} / 60")
    yield Record(_COST_HOUR, within(_COST, "1h"))


def _velocity(name: str, series: str, floor: str, what: str, value: str) -> Alert:
    return Alert(
        name=name,
        expr=(
            f"{series} > @{{velocityFactor}} * max_over_time({series}{_PAST})\n"
            f"and {series} > @{{{floor}}}\n"
            f"and count_over_time({series}{_PAST}) >= {_ENOUGH}"
        ),
        severity="warning",
        summary=f"Gateway {_AT} {what} faster than ever in a week",
        description=(
            f"In the last hour it was {value}: more than @{{velocityFactor}} times the busiest hour of the week before."
        ),
        wait="10m",
    )


def _budget(name: str, series: str, budget: str, what: str, value: str) -> Iterator[Alert]:
    for severity, limit, verb in (
        ("warning", f"@{{budgetWarning}} * @{{{budget}}}", "nears"),
        ("critical", f"@{{{budget}}}", "is over"),
    ):
        yield Alert(
            name=name,
            # A budget of 0 is none.
            expr=f"{within(series, '1d')} > {limit}\nand on () vector(@{{{budget}}}) > 0",
            severity=severity,
            summary=f"Gateway {_AT} {verb} its {what} budget",
            description=f"In the last 24 hours it was {value}; the budget is @{{{budget}}}.",
            wait="5m",
        )


def _unpriced() -> Alert:
    labels = f"{meters.labels(False, ['model'])}, gen_ai_provider_name"
    return Alert(
        name="AigwUnpricedModel",
        expr=f"sum by ({labels}) (increase(gen_ai_unpriced_tokens_total[1h])) > 0",
        severity="warning",
        summary=f"The price book has no price for {{{{ $labels.gen_ai_response_model }}}}, which gateway {_AT} uses",
        description=(
            'In the last hour {{ $value | printf "%.0f" }} tokens of {{ $labels.gen_ai_provider_name }} had no price, '
            "so the cost that is shown is too low."
        ),
        wait="5m",
    )


def groups() -> tuple[Group, ...]:
    """All of them, with the series that only they need."""
    return (
        Group(
            "aigw-alerts-usage",
            (
                *_hours(),
                _velocity(
                    "AigwTokenVelocity",
                    _TOKENS_HOUR,
                    "tokenVelocityFloor",
                    "uses tokens",
                    '{{ $value | printf "%.0f" }} tokens per minute',
                ),
                _velocity(
                    "AigwCostVelocity",
                    _COST_HOUR,
                    "costVelocityFloor",
                    "spends",
                    '{{ $value | printf "%.2f" }} USD',
                ),
                *_budget("AigwTokenBudget", _TOKENS, "tokenBudget", "token", '{{ $value | printf "%.0f" }} tokens'),
                *_budget("AigwCostBudget", _COST, "costBudget", "cost", '{{ $value | printf "%.2f" }} USD'),
                _unpriced(),
            ),
        ),
    )
