"""What the page must show: numbers out of what the gateways recorded, by the names of the page's fields.

The other side of the comparison, so it must not use the receiver's code, nor anything that the receiver says.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from aigw_demo import instruments, rollup
from aigw_demo.account import MILLION, open_account
from aigw_demo.fleet import PODS
from aigw_demo.instruments import Instrument
from aigw_demo.series import HistogramValue, SeriesKey, SeriesMap, merge_histograms

Numbers = dict[str, float | None]

GATEWAYS: Final = tuple(dict.fromkeys((pod.namespace, pod.gateway) for pod in PODS))
QUANTILES: Final = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
# By the page's field, the instrument; the API has them under another name.
_DURATIONS: Final = {
    "duration": (instruments.REQUEST_DURATION, ("duration",)),
    "ttft": (instruments.TIME_TO_FIRST_TOKEN, ("time_to_first_token",)),
    "tpot": (instruments.TIME_PER_OUTPUT_TOKEN, ("time_per_output_token",)),
    "mcp_duration": (instruments.MCP_REQUEST_DURATION, ("mcp", "duration")),
    "mcp_initialization": (instruments.MCP_INITIALIZATION_DURATION, ("mcp", "initialization")),
}
_TOKENS: Final = ("input", "output", "cached_input", "cache_creation_input", "reasoning")
# Sums of floats that were added in another order, and money that is counted in units of 1e-12 USD.
_TOLERANCE: Final = 1e-9


def equal(recorded: float | None, shown: float | None) -> bool:
    """Whether two numbers are the same; whole ones have no tolerance."""
    if recorded is None or shown is None:
        return recorded is shown
    if float(recorded).is_integer():
        return recorded == shown
    return math.isclose(recorded, shown, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def select(series: SeriesMap, labels: Mapping[str, str]) -> SeriesMap:
    """The series that have these labels."""
    return {key: value for key, value in series.items() if all(key.label(name) == labels[name] for name in labels)}


def label_values(series: SeriesMap, *names: str) -> list[tuple[str, ...]]:
    """The combinations of the values of some labels, sorted; without those where the first is empty."""
    found = {tuple(key.label(name) for name in names) for key in series}
    return sorted(each for each in found if each[0])


def totals(series: SeriesMap, namespace: str, gateway: str, **labels: str) -> Numbers:
    """All numbers of a gateway, or of the part of it that has these labels."""
    chosen = select(series, {"gateway_namespace": namespace, "gateway_name": gateway, **labels})
    requests = _histogram(chosen, instruments.REQUEST_DURATION)
    errors = sum(rollup.count_failures(chosen).values())
    tokens = {kind: float(sum(rollup.sum_tokens(chosen, kind).values())) for kind in _TOKENS}
    calls = _calls(chosen)
    wrong = {
        status: sum(number for key, number in calls.items() if key.label("status") == status)
        for status in ("failed", "error")
    }
    numbers: Numbers = {
        "requests": requests.count,
        "errors": errors,
        "error_ratio": errors / requests.count if requests.count else None,
        **{f"tokens_{kind}": number for kind, number in tokens.items()},
        "tokens_total": tokens["input"] + tokens["output"],
        "cost_usd": float(cost(chosen)),
        "unpriced_tokens": 0,
        "mcp_messages": sum(calls.values()),
        "mcp_requests": _histogram(chosen, instruments.MCP_REQUEST_DURATION).count,
        "mcp_errors": sum(wrong.values()),
        "mcp_failed": wrong["failed"],
        "mcp_protocol_errors": wrong["error"],
        "mcp_error_ratio": sum(wrong.values()) / sum(calls.values()) if calls else None,
    }
    for field, (instrument, _) in _DURATIONS.items():
        numbers |= _durations(field, _histogram(chosen, instrument))
    return numbers


def cost(series: SeriesMap) -> Decimal:
    """What the tokens of these series cost, by the prices of the demo."""
    prices = open_account().prices
    tokens: defaultdict[tuple[str, str], int] = defaultdict(int)
    for key, value in rollup.select_histograms(series, instruments.TOKEN_USAGE.family):
        tokens[key.label("gen_ai_request_model"), key.label("gen_ai_token_type")] += int(value.sum)
    total = Decimal(0)
    for model in {model for model, _ in tokens}:
        price, plain = prices[model], tokens[model, "input"] - tokens[model, "cached_input"]
        total += plain * price.prompt + tokens[model, "cached_input"] * price.cached
        total += tokens[model, "output"] * price.completion
    return total / MILLION


def capabilities(series: SeriesMap, namespace: str, gateway: str) -> dict[tuple[str, str, str], float]:
    """How often each capability was negotiated, by backend, side and type."""
    counts: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for key, value in select(series, {"gateway_namespace": namespace, "gateway_name": gateway}).items():
        if key.family == instruments.MCP_CAPABILITIES.family and not isinstance(value, HistogramValue):
            backend, side, kind = (key.label(name) for name in ("mcp_backend", "capability_side", "capability_type"))
            counts[backend, side, kind] += value
    return dict(counts)


def flatten(answer: Mapping[str, Any]) -> Numbers:
    """The same numbers out of TOTALS of the API."""
    mcp = answer["mcp"]
    numbers: Numbers = {name: answer[name] for name in ("requests", "errors", "error_ratio", "cost_usd")}
    numbers |= {f"tokens_{kind}": answer["tokens"][kind] for kind in (*_TOKENS, "total")}
    numbers |= {f"mcp_{name}": mcp[name] for name in ("messages", "requests", "errors", "failed", "error_ratio")}
    numbers["mcp_protocol_errors"] = mcp["errors"] - mcp["failed"]
    numbers["unpriced_tokens"] = answer["unpriced_tokens"]
    for field, (_, path) in _DURATIONS.items():
        durations: Any = answer
        for step in path:
            durations = durations[step]
        numbers |= {f"{field}_{name}": durations[name] for name in ("avg", *QUANTILES)}
    return numbers


def _calls(series: SeriesMap) -> dict[SeriesKey, float]:
    return {
        key: value
        for key, value in series.items()
        if key.family == instruments.MCP_METHOD_COUNT.family and not isinstance(value, HistogramValue)
    }


def _histogram(series: SeriesMap, instrument: Instrument) -> HistogramValue:
    """All observations of an instrument."""
    found: Iterable[HistogramValue] = (value for _, value in rollup.select_histograms(series, instrument.family))
    return merge_histograms(found)


def _durations(field: str, histogram: HistogramValue) -> Numbers:
    numbers: Numbers = {f"{field}_avg": histogram.sum / histogram.count if histogram.count else None}
    for name, quantile in QUANTILES.items():
        percentile = rollup.interpolate_percentile(histogram, quantile)
        numbers[f"{field}_{name}"] = percentile.value if percentile else None
    return numbers
