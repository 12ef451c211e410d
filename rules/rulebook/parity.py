"""Which of our series has the number of which meter of SkyWalking, and of the two that its SWIP-10 has announced."""

from collections.abc import Iterator, Sequence
from typing import Final

from rulebook import meters
from rulebook.model import Meter

_LLM: Final = "meter_envoy_ai_gw"
_MCP: Final = "meter_envoy_ai_gw_mcp"

REQUESTS, CALLS, TOKENS, SECONDS, COST = "requests/min", "messages/min", "tokens/min", "s", "USD/min"


def _rate(pod: bool, metric: str, *dimensions: str) -> str:
    return meters.name(metric, meters.PER_MINUTE, pod, dimensions)


def _mean(pod: bool, metric: str, *dimensions: str) -> str:
    return meters.name(metric, meters.MEAN, pod, dimensions)


def _quantile(pod: bool, metric: str) -> str:
    return f"{meters.level(pod, ['quantile'])}:{metric}:{meters.QUANTILE}"


def _llm(pod: bool) -> Sequence[tuple[str, str, str, str]]:
    count = f"{meters.REQUEST}_count"
    by_type = _rate(pod, meters.TOKENS, "token_type")
    return (
        ("request_cpm", _rate(pod, count), "", REQUESTS),
        ("request_latency_avg", _mean(pod, meters.REQUEST), "", SECONDS),
        ("request_latency_percentile", _quantile(pod, meters.REQUEST), "", SECONDS),
        ("input_token_rate", by_type, '{gen_ai_token_type="input"}', TOKENS),
        ("output_token_rate", by_type, '{gen_ai_token_type="output"}', TOKENS),
        ("total_token_rate", _rate(pod, meters.TOKENS), "", TOKENS),
        ("ttft_avg", _mean(pod, meters.FIRST_TOKEN), "", SECONDS),
        ("ttft_percentile", _quantile(pod, meters.FIRST_TOKEN), "", SECONDS),
        ("tpot_avg", _mean(pod, meters.OUTPUT_TOKEN), "", SECONDS),
        ("tpot_percentile", _quantile(pod, meters.OUTPUT_TOKEN), "", SECONDS),
        ("estimated_cost", _rate(pod, meters.COST), "", COST),
        ("provider_request_cpm", _rate(pod, count, "provider"), "", REQUESTS),
        ("provider_token_rate", _rate(pod, meters.TOKENS, "provider", "token_type"), "", TOKENS),
        ("provider_latency_avg", _mean(pod, meters.REQUEST, "provider"), "", SECONDS),
        ("model_request_cpm", _rate(pod, count, "model"), "", REQUESTS),
        ("model_token_rate", _rate(pod, meters.TOKENS, "model", "token_type"), "", TOKENS),
        ("model_latency_avg", _mean(pod, meters.REQUEST, "model"), "", SECONDS),
        ("model_ttft_avg", _mean(pod, meters.FIRST_TOKEN, "model"), "", SECONDS),
        ("model_tpot_avg", _mean(pod, meters.OUTPUT_TOKEN, "model"), "", SECONDS),
    )


def _mcp(pod: bool) -> Sequence[tuple[str, str, str, str]]:
    count = f"{meters.MCP_REQUEST}_count"
    return (
        ("request_cpm", _rate(pod, count), "", REQUESTS),
        ("request_latency_avg", _mean(pod, meters.MCP_REQUEST), "", SECONDS),
        ("request_latency_percentile", _quantile(pod, meters.MCP_REQUEST), "", SECONDS),
        ("method_cpm", _rate(pod, meters.METHODS, "method"), "", CALLS),
        ("error_cpm", _rate(pod, meters.METHOD_ERRORS), "", CALLS),
        ("initialization_latency_avg", _mean(pod, meters.MCP_INITIALIZATION), "", SECONDS),
        ("initialization_latency_percentile", _quantile(pod, meters.MCP_INITIALIZATION), "", SECONDS),
        ("capabilities_cpm", _rate(pod, meters.CAPABILITIES, "capability"), "", "capabilities/min"),
        ("backend_request_cpm", _rate(pod, count, "backend"), "", REQUESTS),
        ("backend_request_latency_avg", _mean(pod, meters.MCP_REQUEST, "backend"), "", SECONDS),
        ("backend_method_cpm", _rate(pod, meters.METHODS, "backend", "method"), "", CALLS),
        ("backend_error_cpm", _rate(pod, meters.METHOD_ERRORS, "backend"), "", CALLS),
        ("backend_initialization_latency_avg", _mean(pod, meters.MCP_INITIALIZATION, "backend"), "", SECONDS),
    )


def table() -> Iterator[Meter]:
    """Every meter, by gateway and then by pod."""
    for pod in (False, True):
        scope = "_instance" if pod else ""
        for prefix, rows in ((_LLM, _llm(pod)), (_MCP, _mcp(pod))):
            for suffix, series, selector, unit in rows:
                yield Meter(f"{prefix}{scope}_{suffix}", series, selector, unit)
