"""Numbers out of series: by gateway and model, by MCP backend and method, and percentiles of merged buckets.

Pure: series in, rows out. It must not know where the series came from.
"""

import math
from collections import defaultdict
from dataclasses import dataclass

from aigw_demo.instruments import MCP_METHOD_COUNT, REQUEST_DURATION, TIME_TO_FIRST_TOKEN, TOKEN_USAGE
from aigw_demo.series import COST, COST_MODEL_LABEL, HistogramValue, SeriesKey, SeriesMap, merge_histograms


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile; where it lies in the last bucket only a lower bound is known, and it says so."""

    value: float
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model of one gateway."""

    gateway: str
    model: str
    requests: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    """USD; None where there is no price"""
    duration_p95: Percentile | None
    first_token_p95: Percentile | None


@dataclass(frozen=True, slots=True)
class McpRow:
    """One method of one MCP backend, over all gateways."""

    backend: str
    method: str
    success: int
    failed: int
    error: int


def interpolate_percentile(histogram: HistogramValue, quantile: float) -> Percentile | None:
    """The quantile by linear interpolation inside of its bucket, as Prometheus' histogram_quantile does it."""
    if histogram.count == 0:
        return None
    rank = quantile * histogram.count
    lower, below = 0.0, 0
    for bound, cumulative in histogram.buckets:
        if cumulative >= rank:
            if math.isinf(bound):
                return Percentile(lower, beyond=True)
            return Percentile(lower + (bound - lower) * (rank - below) / (cumulative - below))
        lower, below = bound, cumulative
    return Percentile(lower, beyond=True)


def format_gateway(key: SeriesKey) -> str:
    """The gateway that a series belongs to, as namespace/name."""
    return f"{key.label('gateway_namespace')}/{key.label('gateway_name')}"


def select_histograms(series: SeriesMap, family: str) -> list[tuple[SeriesKey, HistogramValue]]:
    """All histograms of a family."""
    return [(key, value) for key, value in series.items() if key.family == family and isinstance(value, HistogramValue)]


def count_failures(series: SeriesMap) -> dict[tuple[str, str], int]:
    """Failed requests by gateway and model: those with an error.type."""
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for key, value in select_histograms(series, REQUEST_DURATION.family):
        if key.label("error_type"):
            counts[format_gateway(key), key.label("gen_ai_original_model")] += value.count
    return counts


def sum_tokens(series: SeriesMap, token_type: str) -> dict[tuple[str, str], int]:
    """Tokens of one type by gateway and model; types overlap, so no sum over types means anything."""
    tokens: defaultdict[tuple[str, str], int] = defaultdict(int)
    for key, value in select_histograms(series, TOKEN_USAGE.family):
        if key.label("gen_ai_token_type") == token_type:
            tokens[format_gateway(key), key.label("gen_ai_original_model")] += int(value.sum)
    return tokens


def sum_costs(series: SeriesMap) -> dict[tuple[str, str], float]:
    """What tokens cost by gateway and model; only models that have a price are in it."""
    costs: defaultdict[tuple[str, str], float] = defaultdict(float)
    for key, value in series.items():
        if key.family == COST and not isinstance(value, HistogramValue):
            costs[format_gateway(key), key.label(COST_MODEL_LABEL)] += value
    return costs


def group_by_model(series: SeriesMap, family: str) -> dict[tuple[str, str], list[HistogramValue]]:
    """The histograms of a family, over all pods, by gateway and model."""
    groups: defaultdict[tuple[str, str], list[HistogramValue]] = defaultdict(list)
    for key, value in select_histograms(series, family):
        groups[format_gateway(key), key.label("gen_ai_original_model")].append(value)
    return groups


def build_model_rows(series: SeriesMap) -> list[ModelRow]:
    """One row a gateway and model, sorted by both."""
    durations = group_by_model(series, REQUEST_DURATION.family)
    first_tokens = group_by_model(series, TIME_TO_FIRST_TOKEN.family)
    inputs, outputs = sum_tokens(series, "input"), sum_tokens(series, "output")
    failures, costs = count_failures(series), sum_costs(series)
    rows = []
    for gateway, model in sorted(durations.keys() | first_tokens.keys()):
        duration = merge_histograms(durations.get((gateway, model), []))
        first_token = merge_histograms(first_tokens.get((gateway, model), []))
        rows.append(
            ModelRow(
                gateway,
                model,
                duration.count,
                failures.get((gateway, model), 0),
                inputs.get((gateway, model), 0),
                outputs.get((gateway, model), 0),
                costs.get((gateway, model)),
                interpolate_percentile(duration, 0.95),
                interpolate_percentile(first_token, 0.95),
            )
        )
    return rows


def build_mcp_rows(series: SeriesMap) -> list[McpRow]:
    """One row an MCP backend and method; what the gateway answers by itself has no backend."""
    counts: defaultdict[tuple[str, str], defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for key, value in series.items():
        if key.family == MCP_METHOD_COUNT.family and not isinstance(value, HistogramValue):
            counts[key.label("mcp_backend"), key.label("mcp_method_name")][key.label("status")] += int(value)
    return [
        McpRow(backend, method, by_status["success"], by_status["failed"], by_status["error"])
        for (backend, method), by_status in sorted(counts.items())
    ]
