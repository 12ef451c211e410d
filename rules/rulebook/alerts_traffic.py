"""Alerts about what goes through the gateways: providers that fail or are slow, and MCP servers that fail.

Objectives are judged by burn rate in two windows each (the SRE Workbook, chapter 5): the long one says that it matters,
the short one that it still goes on. 14.4 uses up 2 % of the budget of 30 days in an hour, 6 uses up 5 % in six hours.
"""

import dataclasses
from collections.abc import Iterator
from typing import Final

from rulebook import meters
from rulebook.model import Alert, Group, Record

_BY: Final = meters.labels(False, ["provider"])
_AT: Final = "{{ $labels.gateway_namespace }}/{{ $labels.gateway_name }}"
_PROVIDER: Final = "{{ $labels.gen_ai_provider_name }}"
_SHARE: Final = "{{ $value | humanizePercentage }}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Burn:
    """A pair of windows."""

    factor: float
    long: str
    short: str
    severity: str
    wait: str


_FAST: Final = _Burn(14.4, "1h", "5m", "critical", "2m")
_SLOW: Final = _Burn(6, "6h", "30m", "warning", "10m")


@dataclasses.dataclass(frozen=True, slots=True)
class _Objective:
    """Two recorded series, both per minute: what is bad (or good), and all of it."""

    part: str
    whole: str
    budget: str
    part_is_good: bool = False


def within(series: str, window: str) -> str:
    """What a series per minute has come to in a window; a minute in which it was not there adds nothing."""
    return f"sum_over_time({series}[{window}:1m])"


def _burns(objective: _Objective, burn: _Burn) -> str:
    def share(window: str) -> str:
        ratio = f"{within(objective.part, window)} / {within(objective.whole, window)}"
        return f"(1 - {ratio})" if objective.part_is_good else f"({ratio})"

    limit = f"({burn.factor:g} * {objective.budget})"
    return (
        f"{share(burn.long)} > {limit}\n"
        f"and {share(burn.short)} > {limit}\n"
        f"and {within(objective.whole, burn.long)} >= @{{minRequests}}"
    )


def _errors() -> Iterator[Alert]:
    part = meters.name(meters.ERRORS, meters.PER_MINUTE, False, ["provider"])
    whole = meters.name(f"{meters.REQUEST}_count", meters.PER_MINUTE, False, ["provider"])
    objective = _Objective(part, whole, "@{errorBudget}")
    yield Alert(
        name="AigwProviderOutage",
        expr=_burns(objective, _FAST),
        severity=_FAST.severity,
        summary=f"Requests of gateway {_AT} to {_PROVIDER} fail",
        description=f"In the last hour {_SHARE} failed, and they go on failing.",
        wait=_FAST.wait,
    )
    yield Alert(
        name="AigwProviderDegraded",
        expr=_burns(objective, _SLOW),
        severity=_SLOW.severity,
        summary=f"More requests of gateway {_AT} to {_PROVIDER} fail than may",
        description=f"In the last six hours {_SHARE} failed; @{{errorBudget}} of all may.",
        wait=_SLOW.wait,
    )


def _timely(short_name: str, metric: str, bound: str, matcher: str) -> tuple[Record, Record, str, str]:
    """Recorded: observations up to a bound, and all; by gateway and provider."""
    good = f"gateway_provider:{short_name}_objective_met:{meters.PER_MINUTE}"
    whole = f"gateway_provider:{short_name}_objective:{meters.PER_MINUTE}"
    # Whole numbers as bounds are written 5 in one format of exposition, and 5.0 in the other.
    buckets = f'{metric}_bucket{{le=~"@{{{bound}}}([.]0)?"{matcher}}}'
    counts = f"{metric}_count{{{matcher.removeprefix(', ')}}}" if matcher else f"{metric}_count"
    return (
        Record(good, f"60 * sum by ({_BY}) (rate({buckets}[{meters.WINDOW}]))"),
        Record(whole, f"60 * sum by ({_BY}) (rate({counts}[{meters.WINDOW}]))"),
        good,
        whole,
    )


# What fails fast is not fast: only requests that succeeded are judged by their duration.
_FIRST_TOKEN: Final = _timely("gen_ai_time_to_first_token", meters.FIRST_TOKEN, "firstTokenSeconds", "")
_DURATION: Final = _timely("gen_ai_request_duration", meters.REQUEST, "durationSeconds", ', error_type=""')


def _slowness() -> Iterator[Alert]:
    for alert, recorded, budget, what, bound in (
        ("AigwTimeToFirstTokenObjective", _FIRST_TOKEN, "firstTokenBudget", "First tokens", "firstTokenSeconds"),
        ("AigwRequestDurationObjective", _DURATION, "durationBudget", "Requests", "durationSeconds"),
    ):
        objective = _Objective(recorded[2], recorded[3], f"@{{{budget}}}", part_is_good=True)
        for burn, hours in ((_FAST, "hour"), (_SLOW, "six hours")):
            yield Alert(
                name=alert,
                expr=_burns(objective, burn),
                severity=burn.severity,
                summary=f"{what} of {_PROVIDER} at gateway {_AT} take too long",
                description=(f"In the last {hours} {_SHARE} took more than @{{{bound}}} s; @{{{budget}}} of all may."),
                wait=burn.wait,
            )


def _mcp() -> Iterator[Alert]:
    part = meters.name(meters.METHOD_ERRORS, meters.PER_MINUTE, False, ["backend"])
    whole = meters.name(meters.METHODS, meters.PER_MINUTE, False, ["backend"])
    shares = [f"({within(part, window)} / {within(whole, window)}) > @{{mcpFailureRatio}}" for window in ("1h", "5m")]
    yield Alert(
        name="AigwMcpServerFailing",
        expr=f"{shares[0]}\nand {shares[1]}\nand {within(whole, '1h')} >= @{{mcpMinMessages}}",
        severity="warning",
        summary=f"MCP server {{{{ $labels.mcp_backend }}}} fails at gateway {_AT}",
        description=f"In the last hour {_SHARE} of its messages failed, by protocol or by tool, and still do.",
        wait="5m",
    )


def groups() -> tuple[Group, ...]:
    """All of them, with the series that only they need."""
    return (Group("aigw-alerts-traffic", (*_FIRST_TOKEN[:2], *_DURATION[:2], *_errors(), *_slowness(), *_mcp())),)
