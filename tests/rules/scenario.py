"""What happened at some gateways, minute by minute, and the series that their receiver showed. It computes no meter.

Traffic is the same in each minute from the first to the 20th, and then there is none. Pod b was restarted in the 12th
minute, so that its counters begin anew; pod c ended after the eighth. dev/chat has the name of prod/chat, and is
another gateway.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

LAST_MINUTE: Final = 32
_BUSY: Final = range(1, 21)
_RESTARTED: Final = {"b": 12}
_ENDED: Final = {"c": 8}

REQUEST_BOUNDS: Final = tuple(round(0.01 * 2**power, 2) for power in range(14))
FIRST_TOKEN_BOUNDS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
OUTPUT_TOKEN_BOUNDS: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
MCP_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Llm:
    """What a pod does in one minute with one model. Input tokens contain the cached ones, output those of reasoning."""

    namespace: str
    pod: str
    provider: str
    model: str
    durations: tuple[float, ...]
    failed: tuple[float, ...]
    first_tokens: tuple[float, ...]
    output_tokens: tuple[float, ...]
    tokens: Mapping[str, int]
    cost: Mapping[str, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Mcp:
    """What a pod does in one minute with one MCP server."""

    namespace: str
    pod: str
    backend: str
    durations: tuple[float, ...]
    initializations: tuple[float, ...]
    methods: Mapping[tuple[str, str], int]
    """messages by method and status"""
    capabilities: Mapping[str, int]
    progress: int = 0


LLM: Final = (
    Llm(
        *("prod", "a", "openai", "gpt-4.1"),
        durations=(0.3, 0.5, 0.9, 1.7, 3.0, 9.0, 100.0),
        failed=(0.02, 0.04, 0.04, 20.0),
        first_tokens=(0.2, 0.3, 0.3, 0.9, 1.4, 4.0, 75.0),
        output_tokens=(0.01, 0.02, 0.03, 0.03, 0.06, 0.2, 4.0),
        tokens={"input": 9000, "cached_input": 7000, "output": 1300, "reasoning": 500},
        cost={"input": 0.004, "cached_input": 0.0035, "output": 0.0064, "reasoning": 0.004},
    ),
    Llm(
        *("prod", "a", "aws.bedrock", "claude"),
        durations=(2.0, 4.0, 6.0, 7.0),
        failed=(),
        first_tokens=(0.7, 0.8, 1.9, 3.0),
        output_tokens=(0.04, 0.04, 0.08, 0.3),
        tokens={"input": 12000, "cache_creation_input": 4000, "output": 900},
        cost={"input": 0.024, "cache_creation_input": 0.015, "output": 0.0135},
    ),
    Llm(
        *("prod", "b", "openai", "gpt-4.1"),
        durations=(0.4, 0.6, 0.6, 1.1, 2.2, 2.4, 5.0, 5.0, 6.0, 11.0, 90.0),
        failed=(0.3, 0.3),
        first_tokens=(0.4, 0.6, 0.8, 0.8, 2.0, 3.0, 9.0),
        output_tokens=(0.02, 0.02, 0.055, 0.06, 0.07, 0.09, 0.11),
        tokens={"input": 21000, "output": 4100, "reasoning": 2000},
        cost={"input": 0.042, "output": 0.0168, "reasoning": 0.016},
    ),
    Llm(
        *("prod", "c", "openai", "gpt-4.1-mini"),
        durations=(0.1, 0.2, 0.3, 0.7, 1.3, 2.7, 3.3),
        failed=(),
        first_tokens=(0.1, 0.2, 0.3),
        output_tokens=(0.01, 0.01, 0.02),
        tokens={"input": 700, "output": 70},
        cost={"input": 0.0003, "output": 0.0001},
    ),
    Llm(
        *("dev", "a", "openai", "gpt-4.1"),
        durations=(1.0, 2.0, 3.0),
        failed=(),
        first_tokens=(0.5, 0.9, 1.3),
        output_tokens=(0.02, 0.04, 0.06),
        tokens={"input": 300, "output": 30},
        cost={"input": 0.0006, "output": 0.0002},
    ),
)

MCP: Final = (
    Mcp(
        *("prod", "a", "files"),
        durations=(0.004, 0.02, 0.03, 0.2, 0.7, 1.2, 30.0),
        initializations=(0.15, 0.2, 12.0),
        methods={
            ("initialize", "success"): 3,
            ("tools/list", "success"): 5,
            ("tools/call", "success"): 11,
            ("tools/call", "failed"): 2,
            ("tools/call", "error"): 1,
        },
        capabilities={"tools": 3, "resources": 1},
        progress=4,
    ),
    Mcp(
        *("prod", "a", "search"),
        durations=(0.3, 0.4, 0.6, 0.8),
        initializations=(0.02, 0.03, 0.04, 0.04),
        methods={("initialize", "success"): 4, ("tools/call", "success"): 7},
        capabilities={"tools": 3},
    ),
    Mcp(
        *("prod", "b", "files"),
        durations=(0.04, 0.06, 3.0),
        initializations=(0.3, 0.4, 0.4, 0.4, 0.9, 1.5),
        methods={("initialize", "success"): 6, ("tools/call", "failed"): 4, ("tools/list", "error"): 6},
        capabilities={"prompts": 2},
    ),
)


def minutes(pod: str, after: float, until: float) -> int:
    """In how many minutes of a window a pod had traffic."""
    return sum(after < minute <= until and minute <= _ENDED.get(pod, LAST_MINUTE) for minute in _BUSY)


def braces(labels: Iterable[tuple[str, str]]) -> str:
    """Labels as they stand behind the name of a series."""
    return "{" + ", ".join(f'{key}="{value}"' for key, value in labels) + "}"


def _name(metric: str, labels: Mapping[str, str]) -> str:
    return metric + braces(labels.items())


def _histogram(
    metric: str, labels: Mapping[str, str], values: Sequence[float], bounds: Sequence[float]
) -> Iterator[tuple[str, float]]:
    yield _name(f"{metric}_count", labels), len(values)
    yield _name(f"{metric}_sum", labels), sum(values)
    for bound in bounds:
        yield _name(f"{metric}_bucket", {**labels, "le": f"{bound:g}"}), sum(value <= bound for value in values)
    yield _name(f"{metric}_bucket", {**labels, "le": "+Inf"}), len(values)


def _llm_series(one: Llm) -> Iterator[tuple[str, float]]:
    labels = {"gateway_namespace": one.namespace, "gateway_name": "chat", "gateway_pod": one.pod}
    labels |= {
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": one.provider,
        "gen_ai_response_model": one.model,
    }
    request = "gen_ai_server_request_duration_seconds"
    yield from _histogram(request, labels, one.durations, REQUEST_BOUNDS)
    if one.failed:
        yield from _histogram(request, {**labels, "error_type": "_OTHER"}, one.failed, REQUEST_BOUNDS)
    yield from _histogram("gen_ai_server_time_to_first_token_seconds", labels, one.first_tokens, FIRST_TOKEN_BOUNDS)
    yield from _histogram("gen_ai_server_time_per_output_token_seconds", labels, one.output_tokens, OUTPUT_TOKEN_BOUNDS)
    for kind, count in one.tokens.items():
        yield _name("gen_ai_client_token_usage_sum", {**labels, "gen_ai_token_type": kind}), count
    for kind, usd in one.cost.items():
        yield _name("gen_ai_estimated_cost_usd_total", {**labels, "gen_ai_token_type": kind}), usd


def _mcp_series(one: Mcp) -> Iterator[tuple[str, float]]:
    labels = {"gateway_namespace": one.namespace, "gateway_name": "chat", "gateway_pod": one.pod}
    if one.progress:
        yield _name("mcp_progress_notifications_total", labels), one.progress
    labels["mcp_backend"] = one.backend
    yield from _histogram("mcp_request_duration_seconds", labels, one.durations, MCP_BOUNDS)
    yield from _histogram("mcp_initialization_duration_seconds", labels, one.initializations, MCP_BOUNDS)
    for (method, status), count in one.methods.items():
        yield _name("mcp_method_count_total", {**labels, "mcp_method_name": method, "status": status}), count
    for kind, count in one.capabilities.items():
        yield _name("mcp_capabilities_negotiated_total", {**labels, "capability_type": kind}), count


def _values(pod: str, step: float) -> str:
    """promtool's notation of a counter that rises by a step in each busy minute; its first sample is 0."""
    number = format(step, ".10g")
    if pod in _ENDED:
        return f"0+{number}x{_ENDED[pod]} stale"
    last = _BUSY[-1]
    restarted = _RESTARTED.get(pod)
    if restarted is None:
        rising, peak = [f"0+{number}x{last}"], last * step
    else:
        # The first sample after the restart has what the restarted pod has counted since.
        rising = [f"0+{number}x{restarted - 1}", f"{number}+{number}x{last - restarted}"]
        peak = (last - restarted + 1) * step
    return " ".join([*rising, f"{format(peak, '.10g')}+0x{LAST_MINUTE - last - 1}"])


def input_series() -> list[dict[str, str]]:
    """Every series, as promtool reads it; a sample each minute."""
    found: dict[str, str] = {}
    for pod, series in [
        *((one.pod, _llm_series(one)) for one in LLM),
        *((one.pod, _mcp_series(one)) for one in MCP),
    ]:
        for name, step in series:
            assert name not in found
            found[name] = _values(pod, step)
    return [{"series": name, "values": values} for name, values in found.items()]
