"""Traffic of gateways as OTLP exports, and what the API must say of it, counted one by one. It asserts nothing."""

import bisect
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Final

from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint

import otlp_messages as otlp
from truth import instruments
from truth.instruments import Instrument

# USD of a million tokens of what stands in the price book of the package; another model has no price.
PRICED: Final = "gpt-4.1"
UNPRICED: Final = "house-model"
_INPUT, _CACHED, _OUTPUT = 2.0, 0.5, 8.0


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One request to a model. Seconds that are multiples of 1/64 can be added up without an error."""

    seconds: float = 0.25
    input: int = 100
    output: int = 10
    cached: int = 0
    reasoning: int = 0
    failed: bool = False
    first_token: float | None = None
    model: str = PRICED
    provider: str = "openai"


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One MCP message."""

    method: str = "tools/call"
    status: str = "success"
    backend: str = "github"
    seconds: float | None = 0.125
    """of an MCP request, if it was one"""


@dataclasses.dataclass(frozen=True, slots=True)
class Traffic:
    """What a pod did between two exports."""

    calls: Sequence[Call] = ()
    messages: Sequence[Message] = ()

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic((*self.calls, *other.calls), (*self.messages, *other.messages))

    def of_calls(self, field: str, value: str) -> "Traffic":
        """The calls whose field has this value, and no messages."""
        return Traffic([call for call in self.calls if getattr(call, field) == value])

    def of_messages(self, field: str, value: str) -> "Traffic":
        """The messages whose field has this value, and no calls."""
        return Traffic((), [message for message in self.messages if getattr(message, field) == value])


@dataclasses.dataclass(slots=True)
class Pod:
    """A pod that exports deltas."""

    name: str = "pod-1"
    gateway: str = "gateway"
    namespace: str = "default"
    last: int = 0
    """when it last exported, in nanoseconds since 1970; its first interval begins then"""

    def export(self, traffic: Traffic, now: int) -> bytes:
        """An export of what it did since the last one."""
        interval = otlp.Interval(start=self.last or now - otlp.INTERVAL, time=now)
        self.last = now
        resource = {
            "aigw.gateway.namespace": self.namespace,
            "aigw.gateway.name": self.gateway,
            "k8s.pod.name": self.name,
        }
        return otlp.export(*_llm(traffic.calls, interval), *_mcp(traffic.messages, interval), resource=resource)


def _llm(calls: Sequence[Call], interval: otlp.Interval) -> Iterable[Metric]:
    durations = [(_labels(call) | ({"error.type": "_OTHER"} if call.failed else {}), call.seconds) for call in calls]
    yield from _histogram(instruments.REQUESTS, durations, interval)
    first = [(_labels(call), call.first_token) for call in calls if call.first_token is not None]
    yield from _histogram(instruments.FIRST_TOKEN, first, interval)
    tokens = [
        (_labels(call) | {"gen_ai.token.type": kind}, float(count))
        for call in calls
        for kind, count in (
            ("input", call.input),
            ("output", call.output),
            ("cached_input", call.cached),
            ("reasoning", call.reasoning),
        )
        if count and not call.failed
    ]
    yield from _histogram(instruments.TOKENS, tokens, interval)


def _labels(call: Call) -> dict[str, str]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.provider,
        "gen_ai.original.model": call.model,
        "gen_ai.request.model": call.model,
        "gen_ai.response.model": call.model,
    }


def _mcp(messages: Sequence[Message], interval: otlp.Interval) -> Iterable[Metric]:
    seconds = [({"mcp.backend": one.backend}, one.seconds) for one in messages if one.seconds is not None]
    yield from _histogram(instruments.MCP_REQUESTS, seconds, interval)
    counts: dict[tuple[str, str, str], int] = {}
    for one in messages:
        key = one.method, one.backend, one.status
        counts[key] = counts.get(key, 0) + 1
    if counts:
        points: list[NumberDataPoint] = [
            otlp.number(count, {"mcp.method.name": method, "mcp.backend": backend, "status": status}, **interval)
            for (method, backend, status), count in counts.items()
        ]
        yield otlp.counter(*points, name="mcp.method.count")


def _histogram(
    instrument: Instrument, observed: Sequence[tuple[dict[str, str], float]], interval: otlp.Interval
) -> Iterable[Metric]:
    streams: dict[tuple[tuple[str, str], ...], list[float]] = {}
    for labels, value in observed:
        streams.setdefault(tuple(labels.items()), []).append(value)
    points: list[HistogramDataPoint] = []
    for labels_of, values in streams.items():
        counts = [0] * (len(instrument.bounds) + 1)
        for value in values:
            counts[bisect.bisect_left(instrument.bounds, value)] += 1
        points.append(otlp.buckets(counts, sum(values), dict(labels_of), bounds=instrument.bounds, **interval))
    if points:
        yield otlp.histogram(*points, name=instrument.name, unit=instrument.unit)


def expected(traffic: Traffic) -> dict[str, Any]:
    """What the API must say of it: `shortened` totals."""
    good = [call for call in traffic.calls if not call.failed]
    priced = [call for call in good if call.model == PRICED]
    cost = sum((one.input - one.cached) * _INPUT + one.cached * _CACHED + one.output * _OUTPUT for one in priced)
    messages = traffic.messages
    return {
        "requests": len(traffic.calls),
        "errors": len(traffic.calls) - len(good),
        "tokens": {
            "input": sum(one.input for one in good),
            "output": sum(one.output for one in good),
            "cached_input": sum(one.cached for one in good),
            "cache_creation_input": 0,
            "reasoning": sum(one.reasoning for one in good),
            "total": sum(one.input + one.output for one in good),
        },
        "cost_usd": round(cost / 1e6, 12),
        "unpriced_tokens": sum(one.input + one.output for one in good if one.model != PRICED),
        "duration": _mean([one.seconds for one in traffic.calls]),
        "time_to_first_token": _mean([one.first_token for one in traffic.calls if one.first_token is not None]),
        "messages": len(messages),
        "mcp_requests": sum(one.seconds is not None for one in messages),
        "mcp_errors": sum(one.status in ("failed", "error") for one in messages),
        "mcp_failed": sum(one.status == "failed" for one in messages),
        "mcp_duration": _mean([one.seconds for one in messages if one.seconds is not None]),
    }


def _mean(seconds: Sequence[float]) -> tuple[int, float | None]:
    return len(seconds), sum(seconds) / len(seconds) if seconds else None


def shortened(totals: dict[str, Any]) -> dict[str, Any]:
    """TOTALS of the API without what follows from the rest, and without percentiles."""

    def mean(duration: dict[str, Any]) -> tuple[int, float | None]:
        return duration["count"], duration["avg"]

    mcp = totals["mcp"]
    return {
        **{name: totals[name] for name in ("requests", "errors", "tokens", "unpriced_tokens")},
        "cost_usd": round(totals["cost_usd"], 12),
        "duration": mean(totals["duration"]),
        "time_to_first_token": mean(totals["time_to_first_token"]),
        "messages": mcp["messages"],
        "mcp_requests": mcp["requests"],
        "mcp_errors": mcp["errors"],
        "mcp_failed": mcp["failed"],
        "mcp_duration": mean(mcp["duration"]),
    }
