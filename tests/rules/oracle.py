"""What the meters of the scenario are, by counting what happened: no PromQL, no counters, no rates.

A meter is a number for each group of labels: of all that happened in the five minutes before a moment, how much in a
minute, or how much each, or up to where a share of it lies.
"""

import collections
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from rules import scenario
from rules.scenario import Llm, Mcp

WINDOW: Final = 5.0

Labels = tuple[tuple[str, str], ...]
Numbers = dict[Labels, float]
Parts = Iterator[tuple[Labels, list[float]]]

_PROVIDER: Final = "gen_ai_provider_name"
_MODEL: Final = "gen_ai_response_model"
_TYPE: Final = "gen_ai_token_type"
_BACKEND: Final = "mcp_backend"
_QUANTILES: Final = (0.5, 0.75, 0.9, 0.95, 0.99)


class Window:
    """What happened in the five minutes before a moment, seen by gateway, or by pod."""

    def __init__(self, end: float, *, pods: bool) -> None:
        self.end = end
        self.pods = pods

    def _labels(self, one: Llm | Mcp, more: Mapping[str, str]) -> Labels:
        found = {"gateway_namespace": one.namespace, "gateway_name": "chat", **more}
        if self.pods:
            found["gateway_pod"] = one.pod
        return tuple(sorted(found.items()))

    def _sees(self, one: Llm | Mcp) -> bool:
        # A pod that has ended is there as long as the window has two samples of it.
        return one.pod != "c" or self.end - WINDOW < scenario.minutes("c", 0, 99) - 1

    def _minutes(self, one: Llm | Mcp) -> int:
        return scenario.minutes(one.pod, self.end - WINDOW, self.end)

    def _grouped(
        self, rows: Iterable[tuple[Llm | Mcp, Mapping[str, str], Sequence[float]]]
    ) -> dict[Labels, list[float]]:
        found: dict[Labels, list[float]] = collections.defaultdict(list)
        for one, more, values in rows:
            if self._sees(one):
                found[self._labels(one, more)] += list(values) * self._minutes(one)
        return found

    def llm(self, values: Callable[[Llm], Sequence[float]], *by: str) -> dict[Labels, list[float]]:
        """Numbers of LLM requests by group."""
        kinds: dict[str, Callable[[Llm], str]] = {_PROVIDER: lambda one: one.provider, _MODEL: lambda one: one.model}
        return self._grouped((one, {key: kinds[key](one) for key in by}, values(one)) for one in scenario.LLM)

    def tokens(self, of: Callable[[Llm], Mapping[str, float]], *by: str) -> dict[Labels, list[float]]:
        """What each type of token adds, by group and type."""
        kinds: dict[str, Callable[[Llm], str]] = {_PROVIDER: lambda one: one.provider, _MODEL: lambda one: one.model}
        return self._grouped(
            (one, {_TYPE: kind, **{key: kinds[key](one) for key in by}}, [count])
            for one in scenario.LLM
            for kind, count in of(one).items()
        )

    def mcp(self, values: Callable[[Mcp], Sequence[float]], *by: str) -> dict[Labels, list[float]]:
        """Numbers of MCP requests by group."""
        return self._grouped((one, dict.fromkeys(by, one.backend), values(one)) for one in scenario.MCP)

    def messages(self, *by: str, failed: bool = False) -> dict[Labels, list[float]]:
        """A 1 for each MCP message, by group; with `failed` a 0 for each that succeeded."""
        return self._grouped(
            (
                one,
                {key: one.backend if key == _BACKEND else method for key in by},
                [0.0 if failed and status == "success" else 1.0] * count,
            )
            for one in scenario.MCP
            for (method, status), count in one.methods.items()
        )

    def capabilities(self, *by: str) -> dict[Labels, list[float]]:
        """A 1 for each capability, by group."""
        return self._grouped(
            (one, dict.fromkeys(by, kind), [1.0] * count)
            for one in scenario.MCP
            for kind, count in one.capabilities.items()
        )

    def progress(self) -> dict[Labels, list[float]]:
        """Notifications of progress, where there are any."""
        return self._grouped((one, {}, [one.progress]) for one in scenario.MCP if one.progress)


def per_minute(groups: dict[Labels, list[float]]) -> Numbers:
    """How much there was in a minute."""
    return {labels: math.fsum(values) / WINDOW for labels, values in groups.items()}


def count(groups: dict[Labels, list[float]]) -> Numbers:
    """How many there were in a minute."""
    return {labels: len(values) / WINDOW for labels, values in groups.items()}


def mean(groups: dict[Labels, list[float]]) -> Numbers:
    """How much each was; nothing where there was none."""
    return {labels: math.fsum(values) / len(values) for labels, values in groups.items() if values}


def above(groups: dict[Labels, list[float]], bounds: Sequence[float]) -> Numbers:
    """The share above the last bound; nothing where there was none."""
    return mean({labels: [float(value > bounds[-1]) for value in values] for labels, values in groups.items()})


def percentiles(groups: dict[Labels, list[float]], bounds: Sequence[float]) -> Numbers:
    """All five of each group; nothing where there was nothing."""
    return {
        tuple(sorted((*labels, ("quantile", f"{quantile:g}")))): percentile(values, quantile, bounds)
        for labels, values in groups.items()
        if values
        for quantile in _QUANTILES
    }


def percentile(values: Sequence[float], quantile: float, bounds: Sequence[float]) -> float:
    """Where the rank lies in its bucket, were the bucket's values spread evenly; at most the last bound."""
    rank = quantile * len(values)
    below = 0
    lower = 0.0
    for upper in bounds:
        inside = sum(lower < value <= upper for value in values)
        # On the edge the smallest error of a float would choose another bucket.
        assert abs(below + inside - rank) > 1e-6, f"the scenario has rank {rank} on the edge {upper} of a bucket"
        if below + inside >= rank:
            return lower + (upper - lower) * (rank - below) / inside
        below, lower = below + inside, upper
    return bounds[-1]


def all_durations(one: Llm) -> Sequence[float]:
    """Requests that succeeded, and that failed."""
    return (*one.durations, *one.failed)


def failures(one: Llm) -> Sequence[float]:
    """A 0 for each request that succeeded, a 1 for each that failed."""
    return [0.0] * len(one.durations) + [1.0] * len(one.failed)


def total_tokens(one: Llm) -> Sequence[float]:
    """Input and output; the other types are contained in these."""
    return (one.tokens["input"], one.tokens["output"])


def meters(window: Window) -> dict[str, Numbers]:
    """The meters, by what their names in SkyWalking end with; those of MCP begin with mcp_."""
    requests, by_provider, by_model = (window.llm(all_durations, *by) for by in ((), (_PROVIDER,), (_MODEL,)))
    calls, by_backend = (window.mcp(lambda one: one.durations, *by) for by in ((), (_BACKEND,)))
    begun, begun_by_backend = (window.mcp(lambda one: one.initializations, *by) for by in ((), (_BACKEND,)))
    first, per_token = window.llm(lambda one: one.first_tokens), window.llm(lambda one: one.output_tokens)
    by_type = per_minute(window.tokens(lambda one: one.tokens))
    return {
        "request_cpm": count(requests),
        "request_latency_avg": mean(requests),
        "request_latency_percentile": percentiles(requests, scenario.REQUEST_BOUNDS),
        "input_token_rate": {labels: value for labels, value in by_type.items() if (_TYPE, "input") in labels},
        "output_token_rate": {labels: value for labels, value in by_type.items() if (_TYPE, "output") in labels},
        "total_token_rate": per_minute(window.llm(total_tokens)),
        "ttft_avg": mean(first),
        "ttft_percentile": percentiles(first, scenario.FIRST_TOKEN_BOUNDS),
        "tpot_avg": mean(per_token),
        "tpot_percentile": percentiles(per_token, scenario.OUTPUT_TOKEN_BOUNDS),
        "estimated_cost": per_minute(window.llm(lambda one: tuple(one.cost.values()))),
        "provider_request_cpm": count(by_provider),
        "provider_token_rate": per_minute(window.tokens(lambda one: one.tokens, _PROVIDER)),
        "provider_latency_avg": mean(by_provider),
        "model_request_cpm": count(by_model),
        "model_token_rate": per_minute(window.tokens(lambda one: one.tokens, _MODEL)),
        "model_latency_avg": mean(by_model),
        "model_ttft_avg": mean(window.llm(lambda one: one.first_tokens, _MODEL)),
        "model_tpot_avg": mean(window.llm(lambda one: one.output_tokens, _MODEL)),
        "mcp_request_cpm": count(calls),
        "mcp_request_latency_avg": mean(calls),
        "mcp_request_latency_percentile": percentiles(calls, scenario.MCP_BOUNDS),
        "mcp_method_cpm": per_minute(window.messages("mcp_method_name")),
        "mcp_error_cpm": per_minute(window.messages(failed=True)),
        "mcp_initialization_latency_avg": mean(begun),
        "mcp_initialization_latency_percentile": percentiles(begun, scenario.MCP_BOUNDS),
        "mcp_capabilities_cpm": per_minute(window.capabilities("capability_type")),
        "mcp_backend_request_cpm": count(by_backend),
        "mcp_backend_request_latency_avg": mean(by_backend),
        "mcp_backend_method_cpm": per_minute(window.messages(_BACKEND, "mcp_method_name")),
        "mcp_backend_error_cpm": per_minute(window.messages(_BACKEND, failed=True)),
        "mcp_backend_initialization_latency_avg": mean(begun_by_backend),
    }


def beyond(window: Window) -> dict[str, Numbers]:
    """What is recorded beside the meters, by the name of the series without the part of its level for pods."""
    errors = "gen_ai_server_request_errors"
    cost = "gen_ai_estimated_cost_usd:per_minute_rate5m"
    found: dict[str, Numbers] = {
        ":gen_ai_server_request_duration_seconds:overflow_ratio_rate5m": above(
            window.llm(all_durations), scenario.REQUEST_BOUNDS
        ),
        ":gen_ai_server_time_to_first_token_seconds:overflow_ratio_rate5m": above(
            window.llm(lambda one: one.first_tokens), scenario.FIRST_TOKEN_BOUNDS
        ),
        ":gen_ai_server_time_per_output_token_seconds:overflow_ratio_rate5m": above(
            window.llm(lambda one: one.output_tokens), scenario.OUTPUT_TOKEN_BOUNDS
        ),
        ":mcp_request_duration_seconds:overflow_ratio_rate5m": above(
            window.mcp(lambda one: one.durations), scenario.MCP_BOUNDS
        ),
        ":mcp_initialization_duration_seconds:overflow_ratio_rate5m": above(
            window.mcp(lambda one: one.initializations), scenario.MCP_BOUNDS
        ),
        ":mcp_method_count:per_minute_rate5m": per_minute(window.messages()),
        "_backend:mcp_method_count:per_minute_rate5m": per_minute(window.messages(_BACKEND)),
        ":mcp_method_errors:ratio_rate5m": mean(window.messages(failed=True)),
        "_backend:mcp_method_errors:ratio_rate5m": mean(window.messages(_BACKEND, failed=True)),
        ":mcp_capabilities_negotiated:per_minute_rate5m": per_minute(window.capabilities()),
        ":mcp_progress_notifications:per_minute_rate5m": per_minute(window.progress()),
    }
    for level, by in (("", ()), ("_provider", (_PROVIDER,)), ("_model", (_MODEL,))):
        requests = window.llm(failures, *by)
        found[f"{level}:{errors}:per_minute_rate5m"] = per_minute(requests)
        found[f"{level}:{errors}:ratio_rate5m"] = mean(requests)
        if level:
            found[f"{level}:{cost}"] = per_minute(window.llm(lambda one: tuple(one.cost.values()), *by))
    return found
