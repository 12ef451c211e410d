"""Processes that record and export at random, each with a ledger of what it recorded. It knows nothing of a receiver.

All recorded values are multiples of 1/8 and small, so that their sums are exact in any order.
"""

import bisect
import collections
import dataclasses
import math
import random
from collections.abc import Sequence
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

SECOND: Final = 1_000_000_000
DELTA: Final = 1
CUMULATIVE: Final = 2

HISTOGRAM, EXPONENTIAL, SUM, UPDOWN, GAUGE = "histogram", "exponential", "sum", "updown", "gauge"
_NAMES: Final = {
    HISTOGRAM: ("gen_ai.client.token.usage", "gen_ai_client_token_usage"),
    EXPONENTIAL: ("gen_ai.server.request.duration", "gen_ai_server_request_duration_seconds"),
    SUM: ("mcp.method.count", "mcp_method_count_total"),
    UPDOWN: ("mcp.sessions", "mcp_sessions"),
    GAUGE: ("mcp.load", "mcp_load"),
}
BOUNDS: Final = (0.0, 1.0, 4.0, 16.0)
# What the receiver documents for exponential histograms: powers of two from 2^-10 to 2^30.
POWERS: Final = tuple(2.0**exponent for exponent in range(-10, 31))
_VALUES: Final = (0.0, 0.125, 0.5, 1.0, 1.5, 2.0, 4.0, 5.0, 24.0, 1024.0, 65537.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Stream:
    """One instrument with one set of attributes in one pod."""

    pod: str
    kind: str
    temporality: int
    model: str

    @property
    def family(self) -> str:
        """The name of its series."""
        return _NAMES[self.kind][1]

    @property
    def labels(self) -> dict[str, str]:
        """The labels of its series."""
        return {"gateway_namespace": "", "gateway_name": "g", "gateway_pod": self.pod, "m": self.model}

    @property
    def is_counted(self) -> bool:
        """Whether what it shows only rises."""
        return self.kind in (HISTOGRAM, EXPONENTIAL, SUM)


@dataclasses.dataclass(slots=True)
class State:
    """What a stream has recorded: how often each value, and for a gauge the last one."""

    values: collections.Counter[float] = dataclasses.field(default_factory=collections.Counter)
    last: float = 0.0

    @property
    def total(self) -> float:
        """The sum of all values."""
        return sum(value * count for value, count in self.values.items())

    def copy(self) -> "State":
        """The state as it is now."""
        return State(self.values.copy(), self.last)

    def minus(self, other: "State") -> "State":
        """What was recorded since `other`."""
        return State(self.values - other.values, self.last)

    def plus(self, other: "State") -> "State":
        """What both recorded; the last value is that of `other`."""
        return State(self.values + other.values, other.last)

    def counts(self, bounds: Sequence[float]) -> list[int]:
        """The values in buckets, each up to and including its bound."""
        counts = [0] * (len(bounds) + 1)
        for value, count in self.values.items():
            counts[bisect.bisect_left(bounds, value)] += count
        return counts


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One data point: the state of a stream over an interval."""

    stream: Stream
    run: int
    """a number that differs for every process, and for every reset of one"""
    start: int
    time: int
    state: State
    no_value: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One export request: its bytes, and what they say."""

    body: bytes
    entries: tuple[Entry, ...]


class Process:
    """A gateway process. Two of one pod have the same identity."""

    def __init__(self, rng: random.Random, pod: str, temporality: int, now: int, runs: "Runs") -> None:
        self.rng = rng
        self.pod = pod
        self.temporality = temporality
        self.runs = runs
        self.scale = 4
        self.restart(now)

    def restart(self, now: int) -> None:
        """Begin anew: all counts are gone, and the start time is a new one."""
        self.start = self.collected = now
        self.run = self.runs.next()
        self.states: dict[Stream, State] = {}
        self.sent: dict[Stream, State] = {}
        self.last: list[Request] = []

    def reset(self) -> None:
        """Lose all counts, but keep the start time: each stream shows less than before in at least one bucket."""
        self.run = self.runs.next()
        self.last = []
        for stream, before in self.sent.items():
            if stream.kind == GAUGE:
                continue
            self.states[stream] = State()
            if self.rng.randrange(2):
                self.record(stream)
            bounds = BOUNDS if stream.kind == HISTOGRAM else POWERS
            after = self.states[stream]
            fell = any(a < b for a, b in zip(after.counts(bounds), before.counts(bounds), strict=True))
            if stream.kind == SUM:
                fell = after.total < before.total
            if not fell:
                self.states[stream] = State()

    def work(self) -> None:
        """Record some values; now and then this begins a stream."""
        for _ in range(self.rng.randrange(6)):
            kind = self.rng.choice((HISTOGRAM, HISTOGRAM, EXPONENTIAL, SUM, UPDOWN, GAUGE))
            model = self.rng.choice("xyz")
            if kind == UPDOWN:  # what rises and falls has no meaning as the sum of two writers
                model += str(self.temporality)
            self.record(Stream(self.pod, kind, self.temporality if kind != GAUGE else 0, model))
        if self.rng.randrange(8) == 0:
            self.scale = self.rng.randrange(self.scale + 1)

    def record(self, stream: Stream) -> None:
        """Record one value up to three times."""
        state = self.states.setdefault(stream, State())
        value = self.rng.choice(_VALUES)
        if stream.kind == GAUGE:
            state.last = value
            return
        if stream.kind == UPDOWN and self.rng.randrange(2):
            value = -value
        state.values[value] += self.rng.randrange(1, 4)

    def collect(self, now: int) -> list[Request]:
        """One collection at `now`, in one request or several."""
        entries = []
        for stream, state in self.states.items():
            if self.temporality == CUMULATIVE or stream.kind == GAUGE:
                entries.append(Entry(stream, self.run, self.start, now, state.copy()))
            else:
                new = state.minus(self.sent.get(stream, State()))
                if new.values or self.rng.randrange(3) == 0:
                    entries.append(Entry(stream, self.run, self.collected, now, new))
        self.sent = {stream: state.copy() for stream, state in self.states.items()}
        self.collected = now
        return self._split(entries)

    def withdraw(self, stream: Stream, now: int) -> Request:
        """Say of one stream that it has no value now."""
        return self._request([Entry(stream, self.run, self.start, now, State(), no_value=True)])

    def _split(self, entries: list[Entry]) -> list[Request]:
        parts = self.rng.randrange(1, 4)
        self.rng.shuffle(entries)
        self.last = [self._request(entries[part::parts]) for part in range(parts)]
        return self.last

    def _request(self, entries: Sequence[Entry]) -> Request:
        message = ExportMetricsServiceRequest()
        resource = message.resource_metrics.add()
        resource.resource.attributes.extend(
            [_attribute("service.name", "g"), _attribute("service.instance.id", self.pod)]
        )
        metrics: dict[str, Metric] = {}
        scope = resource.scope_metrics.add()
        scope.scope.name = "gateway"
        for entry in entries:
            kind = entry.stream.kind
            if kind not in metrics:
                metrics[kind] = scope.metrics.add(name=_NAMES[kind][0])
            _add_point(metrics[kind], entry, self.scale)
        return Request(message.SerializeToString(), tuple(entries))


class Runs:
    """Numbers the runs of all processes."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """A number that was not given before."""
        self._last += 1
        return self._last


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _add_point(metric: Metric, entry: Entry, scale: int) -> None:
    stream, state = entry.stream, entry.state
    times = {"start_time_unix_nano": entry.start, "time_unix_nano": entry.time, "flags": int(entry.no_value)}
    attributes = [_attribute("m", stream.model)]
    match stream.kind:
        case "histogram":
            metric.histogram.aggregation_temporality = stream.temporality  # type: ignore[assignment]
            point = metric.histogram.data_points.add(**times, attributes=attributes)
            if not entry.no_value:
                point.bucket_counts.extend(state.counts(BOUNDS))
                point.explicit_bounds.extend(BOUNDS)
                point.count, point.sum = state.values.total(), state.total
        case "exponential":
            metric.exponential_histogram.aggregation_temporality = stream.temporality  # type: ignore[assignment]
            exponential = metric.exponential_histogram.data_points.add(**times, attributes=attributes, scale=scale)
            exponential.count, exponential.sum = state.values.total(), state.total
            exponential.zero_count = state.values[0.0]
            indexes = {_index(value, scale): count for value, count in state.values.items() if value > 0}
            if indexes:
                exponential.positive.offset = min(indexes)
                buckets = [0] * (max(indexes) - min(indexes) + 1)
                for value, count in state.values.items():
                    if value > 0:
                        buckets[_index(value, scale) - min(indexes)] += count
                exponential.positive.bucket_counts.extend(buckets)
        case "gauge":
            number = metric.gauge.data_points.add(**times, attributes=attributes)
            if not entry.no_value:
                number.as_double = state.last
        case _:
            metric.sum.aggregation_temporality = stream.temporality  # type: ignore[assignment]
            metric.sum.is_monotonic = stream.kind == SUM
            number = metric.sum.data_points.add(**times, attributes=attributes)
            if not entry.no_value:
                number.as_double = state.total


def _index(value: float, scale: int) -> int:
    """The bucket of an exponential histogram: (base^index, base^(index+1)] with base = 2^(2^-scale)."""
    fraction, exponent = math.frexp(value)
    if fraction == 0.5:
        return ((exponent - 1) << scale) - 1
    return math.floor(math.log2(value) * (1 << scale))
