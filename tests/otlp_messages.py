"""Builds OTLP metrics requests and reads expositions. It asserts nothing and imports no receiver."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypedDict

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from prometheus_client import parser

Temporality: TypeAlias = AggregationTemporality.ValueType
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
UNSPECIFIED = AggregationTemporality.AGGREGATION_TEMPORALITY_UNSPECIFIED

SECOND = 1_000_000_000
# Some time in 2023, in whole seconds.
NOW = 1_700_000_000 * SECOND
INTERVAL = 10 * SECOND

TOKENS = "gen_ai.client.token.usage"
DURATION = "gen_ai.server.request.duration"
METHODS = "mcp.method.count"

POD: Mapping[str, str] = {
    "aigw.gateway.namespace": "default",
    "aigw.gateway.name": "gateway",
    "k8s.pod.name": "pod-1",
}
_IDENTITY_LABELS = ("gateway_namespace", "gateway_name", "gateway_pod")


class Interval(TypedDict):
    """Start and end of a data point, in nanoseconds since 1970."""

    start: int
    time: int


Value: TypeAlias = str | int | float | bool
Attributes: TypeAlias = Mapping[str, Value]


def any_value(value: Value) -> AnyValue:
    """The value of an attribute."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(double_value=value) if isinstance(value, float) else AnyValue(string_value=value)


def attributes(values: Attributes) -> list[KeyValue]:
    """Attributes in the order given."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def number(
    value: float,
    labels: Attributes | None = None,
    *,
    start: int = NOW - INTERVAL,
    time: int = NOW,
    flags: int = 0,
) -> NumberDataPoint:
    """A point of a sum or gauge; a whole number travels as an integer."""
    point = NumberDataPoint(
        attributes=attributes(labels or {}), start_time_unix_nano=start, time_unix_nano=time, flags=flags
    )
    if isinstance(value, int):
        point.as_int = value
    else:
        point.as_double = value
    return point


def buckets(
    counts: Sequence[int],
    total: float,
    labels: Attributes | None = None,
    *,
    bounds: Sequence[float] = (1.0, 4.0),
    start: int = NOW - INTERVAL,
    time: int = NOW,
    flags: int = 0,
) -> HistogramDataPoint:
    """A point of an explicit histogram whose count is that of its buckets."""
    return HistogramDataPoint(
        attributes=attributes(labels or {}),
        start_time_unix_nano=start,
        time_unix_nano=time,
        count=sum(counts),
        sum=total,
        bucket_counts=counts,
        explicit_bounds=bounds,
        flags=flags,
    )


def exponential(
    scale: int,
    offset: int,
    counts: Sequence[int],
    total: float,
    *,
    zero: int = 0,
    labels: Attributes | None = None,
    start: int = NOW - INTERVAL,
    time: int = NOW,
) -> ExponentialHistogramDataPoint:
    """A point of an exponential histogram of values that are not negative."""
    return ExponentialHistogramDataPoint(
        attributes=attributes(labels or {}),
        start_time_unix_nano=start,
        time_unix_nano=time,
        count=sum(counts) + zero,
        sum=total,
        scale=scale,
        zero_count=zero,
        positive=ExponentialHistogramDataPoint.Buckets(offset=offset, bucket_counts=counts),
    )


def histogram(
    *points: HistogramDataPoint,
    name: str = TOKENS,
    temporality: Temporality = DELTA,
    unit: str = "",
    description: str = "",
) -> Metric:
    """An explicit histogram."""
    data = Histogram(data_points=points, aggregation_temporality=temporality)
    return Metric(name=name, unit=unit, description=description, histogram=data)


def exponential_histogram(
    *points: ExponentialHistogramDataPoint, name: str = TOKENS, temporality: Temporality = DELTA
) -> Metric:
    """An exponential histogram."""
    data = ExponentialHistogram(data_points=points, aggregation_temporality=temporality)
    return Metric(name=name, exponential_histogram=data)


def counter(
    *points: NumberDataPoint,
    name: str = METHODS,
    temporality: Temporality = DELTA,
    unit: str = "",
    description: str = "",
    monotonic: bool = True,
) -> Metric:
    """A sum, monotonic unless told otherwise."""
    data = Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=monotonic)
    return Metric(name=name, unit=unit, description=description, sum=data)


def gauge(*points: NumberDataPoint, name: str, unit: str = "", description: str = "") -> Metric:
    """A gauge."""
    return Metric(name=name, unit=unit, description=description, gauge=Gauge(data_points=points))


def export(*metrics: Metric, resource: Attributes = POD, scope: str = "envoyproxy/ai-gateway") -> bytes:
    """A request of one resource and one scope; without metrics it is a heartbeat."""
    message = ResourceMetrics(resource=Resource(attributes=attributes(resource)))
    if metrics:
        message.scope_metrics.append(ScopeMetrics(scope=InstrumentationScope(name=scope), metrics=metrics))
    return ExportMetricsServiceRequest(resource_metrics=[message]).SerializeToString()


def pod(name: str, gateway: str = "gateway") -> dict[str, str]:
    """The resource of another pod."""
    return {**POD, "aigw.gateway.name": gateway, "k8s.pod.name": name}


def samples(text: str, *names: str, with_identity: bool = False) -> dict[str, float]:
    """The samples of an exposition in 0.0.4 that have one of these names, by `name{labels}`."""
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name not in names:
                continue
            labels = ",".join(
                f'{name}="{value}"'
                for name, value in sample.labels.items()
                if with_identity or name not in _IDENTITY_LABELS
            )
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            message = f"{key} occurs twice"
            if key in found:
                raise ValueError(message)
            found[key] = sample.value
    return found
