"""What the driver sends: one minute of the scenario of tests/rules, as exports and access logs of its gateways.

It computes no number that a panel shows.
"""

import bisect
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

import otlp_messages as otlp
from rules import scenario
from rules.scenario import Llm, Mcp

PRICES: Final[Mapping[str, Mapping[str, float]]] = {
    "gpt-4.1": {"input": 2.0, "cached": 0.5, "output": 8.0},
    "claude": {"input": 3.0, "cached": 0.3, "creation": 3.75, "output": 15.0},
}
"""USD for a million tokens. gpt-4.1-mini has none."""

PRICE_BOOK: Final = {
    "date": "2026-11-22",
    "entries": [{"models": [model], **prices} for model, prices in PRICES.items()],
}

CONFIG: Final = {"access_logs": {"rules": {"mcp_errors": {"budget": 1}}}}
"""Of the receiver: of two MCP errors one is over the budget."""

CHECKS: Final = ("access_logs", "metrics", "tokens", "access_log_tokens")

REFUSED: Final = 200
"""So many data points and so many log records are refused, twice."""

LIVES: Final = {("prod", "b"): 2, ("prod", "c"): 2}
"""Pods that are restarted, and do everything once more."""

ASKED: Final = {"gpt-4.1": "smart", "claude": "smart", "gpt-4.1-mini": "small"}
"""The model that clients have asked for, by the one that answers."""

PODS: Final = sorted({(one.namespace, one.pod) for one in scenario.LLM})


@dataclasses.dataclass(frozen=True, slots=True)
class Log:
    """So many equal access logs of a gateway."""

    count: int
    ending: str
    status: str
    model: str = ""
    tool: str = ""
    namespace: str = "prod"
    backend: str = "default/openai"


LOGS: Final = (
    Log(18, "ok", "200", model="smart"),
    Log(3, "client_error", "429", model="smart"),
    Log(2, "aborted", "200", model="smart"),
    Log(14, "ok", "200", model="small", backend="default/local"),
    Log(3, "ok", "200", model="smart", namespace="dev"),
    Log(9, "ok", "200", tool="read_file", backend="files"),
    Log(2, "tool_error", "200", tool="read_file", backend="files"),
)
"""prod has 21 answered requests for "smart" in its logs, and 41 in its metrics: some logs were lost."""


def resource(namespace: str, pod: str, gateway: str = "chat") -> dict[str, str]:
    """Who sends."""
    return {"aigw.gateway.namespace": namespace, "aigw.gateway.name": gateway, "k8s.pod.name": pod}


def metrics(namespace: str, pod: str, start: int, end: int) -> bytes:
    """All that a pod has counted since its start, which is the same each time."""
    points: dict[str, list[Any]] = {}
    times = otlp.Interval(start=start, time=end)

    def observe(name: str, values: Sequence[float], bounds: Sequence[float], labels: Mapping[str, str]) -> None:
        counts = [0] * (len(bounds) + 1)
        for value in values:
            counts[bisect.bisect_left(bounds, value)] += 1
        point = otlp.buckets(counts, sum(values), labels, bounds=bounds, **times)
        points.setdefault(name, []).append(point)

    def count(name: str, value: int, labels: Mapping[str, str]) -> None:
        points.setdefault(name, []).append(otlp.number(value, labels, **times))

    for one in scenario.LLM:
        if (one.namespace, one.pod) == (namespace, pod):
            _observe_llm(one, observe)
    for call in scenario.MCP:
        if (call.namespace, call.pod) == (namespace, pod):
            _observe_mcp(call, observe, count)
    made = []
    for name, found in points.items():
        maker = otlp.counter if name in _COUNTERS else otlp.histogram
        made.append(maker(*found, name=name, temporality=otlp.CUMULATIVE, unit=_UNITS.get(name, "")))
    return otlp.export(*made, resource=resource(namespace, pod))


_COUNTERS: Final = {"mcp.method.count", "mcp.capabilities.negotiated", "mcp.progress.notifications"}
_UNITS: Final = {
    "gen_ai.client.token.usage": "token",
    "gen_ai.server.request.duration": "s",
    "gen_ai.server.time_to_first_token": "s",
    "gen_ai.server.time_per_output_token": "s",
}
_TOKEN_BOUNDS: Final = tuple(float(4**power) for power in range(14))


def _observe_llm(one: Llm, observe: Any) -> None:
    labels = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": one.provider,
        "gen_ai.original.model": ASKED[one.model],
        "gen_ai.request.model": one.model,
        "gen_ai.response.model": one.model,
    }
    observe("gen_ai.server.request.duration", one.durations, scenario.REQUEST_BOUNDS, labels)
    if one.failed:
        failed = {**labels, "error.type": "_OTHER"}
        observe("gen_ai.server.request.duration", one.failed, scenario.REQUEST_BOUNDS, failed)
    observe("gen_ai.server.time_to_first_token", one.first_tokens, scenario.FIRST_TOKEN_BOUNDS, labels)
    observe("gen_ai.server.time_per_output_token", one.output_tokens, scenario.OUTPUT_TOKEN_BOUNDS, labels)
    for kind, tokens in one.tokens.items():
        typed = {**labels, "gen_ai.token.type": kind}
        each = [float(tokens), *[0.0] * (len(one.durations) - 1)]
        observe("gen_ai.client.token.usage", each, _TOKEN_BOUNDS, typed)


def _observe_mcp(one: Mcp, observe: Any, count: Any) -> None:
    if one.progress:
        count("mcp.progress.notifications", one.progress, {})
    labels = {"mcp.backend": one.backend}
    observe("mcp.request.duration", one.durations, scenario.MCP_BOUNDS, labels)
    observe("mcp.initialization.duration", one.initializations, scenario.MCP_BOUNDS, labels)
    for (method, status), messages in one.methods.items():
        count("mcp.method.count", messages, {**labels, "mcp.method.name": method, "status": status})
    for kind, number in one.capabilities.items():
        typed = {**labels, "capability.type": kind, "capability.side": "server"}
        count("mcp.capabilities.negotiated", number, typed)


def access_logs() -> Iterator[bytes]:
    """An export of Envoy for each kind of record."""
    yield from (_export(log) for log in LOGS)


def _export(log: Log) -> bytes:
    request = logs_service_pb2.ExportLogsServiceRequest()
    sent = request.resource_logs.add()
    sent.resource.attributes.extend(otlp.attributes(resource(log.namespace, "a")))
    scope = sent.scope_logs.add()
    for _ in range(log.count):
        scope.log_records.add().attributes.extend(otlp.attributes(dict(_attributes(log))))
    return request.SerializeToString()


def _attributes(log: Log) -> Iterable[tuple[str, str]]:
    yield "response_code", log.status
    yield "response_flags", "DC" if log.ending == "aborted" else "-"
    if log.model:
        yield from (("ai_route_type", "llm"), ("gen_ai.request.model", log.model))
        yield from (("ai_service_backend_name", log.backend), ("upstream_host", "10.0.0.1:443"))
        if log.ending == "ok":
            yield from (("gen_ai.usage.input_tokens", "26"), ("gen_ai.usage.output_tokens", "4"))
    else:
        yield from (("ai_route_type", "mcp"), ("mcp.method.name", "tools/call"), ("mcp.backend", log.backend))
        yield "mcp.tool.name", log.tool
        if log.ending == "tool_error":
            yield "error.type", "tool_error"


def refused_points() -> bytes:
    """Points of a metric that is not admitted."""
    point = otlp.number(1, {}, start=otlp.NOW, time=otlp.NOW + 1)
    return otlp.export(otlp.counter(*[point] * REFUSED, name="other"), resource=resource("prod", "a"))


def refused_records() -> bytes:
    """Records of some program."""
    request = logs_service_pb2.ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for _ in range(REFUSED):
        scope.log_records.add().body.string_value = "started"
    return request.SerializeToString()


def records() -> int:
    """How many access logs there are."""
    requests = map(logs_service_pb2.ExportLogsServiceRequest.FromString, access_logs())
    return sum(len(request.resource_logs[0].scope_logs[0].log_records) for request in requests)


def streams() -> int:
    """How many different streams all pods have."""
    sent = [ExportMetricsServiceRequest.FromString(metrics(*pod, otlp.NOW, otlp.NOW + 1)) for pod in PODS]
    found = (one for request in sent for one in request.resource_metrics[0].scope_metrics[0].metrics)
    return sum(len(one.sum.data_points) + len(one.histogram.data_points) for one in found)
