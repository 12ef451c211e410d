"""Requests for the contract, from the official protobuf messages and, where those refuse, from wire bytes.

It must not import the receiver: a mistake in our own encoder could hide the same mistake in our decoder.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from contract.model import Payload, Sample, Source

Temporality: TypeAlias = AggregationTemporality.ValueType
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
UNSPECIFIED = AggregationTemporality.AGGREGATION_TEMPORALITY_UNSPECIFIED

SECOND = 1_000_000_000
INTERVAL = 10 * SECOND

TOKENS = "gen_ai.client.token.usage"
REQUESTS = "mcp.method.count"
DURATION = "gen_ai.server.request.duration"

Value = str | int | bool
Attributes = Mapping[str, Value]


def attributes(values: Attributes) -> list[KeyValue]:
    """Return the attributes as messages, in the order given."""
    return [KeyValue(key=key, value=_any_value(value)) for key, value in values.items()]


def _any_value(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(string_value=value)


def interval(source: Source, back: int = 0) -> tuple[int, int]:
    """Return start and end of the interval that lies `back` intervals before the last one."""
    end = source.now - back * INTERVAL
    return end - INTERVAL, end


def number(source: Source, value: float, labels: Attributes | None = None, back: int = 0) -> NumberDataPoint:
    """Return a point of a sum or gauge: a whole number travels as an integer, any other as a double."""
    start, end = interval(source, back)
    point = NumberDataPoint(attributes=attributes(labels or {}), start_time_unix_nano=start, time_unix_nano=end)
    if isinstance(value, int):
        point.as_int = value
    else:
        point.as_double = value
    return point


def buckets(
    source: Source,
    counts: Sequence[int] = (1, 2, 0),
    total: float = 7.0,
    labels: Attributes | None = None,
    bounds: Sequence[float] = (1.0, 4.0),
    back: int = 0,
) -> HistogramDataPoint:
    """Return a point of an explicit histogram; its count is that of its buckets."""
    start, end = interval(source, back)
    return HistogramDataPoint(
        attributes=attributes(labels or {}),
        count=sum(counts),
        sum=total,
        bucket_counts=counts,
        explicit_bounds=bounds,
        start_time_unix_nano=start,
        time_unix_nano=end,
    )


def exponential(source: Source) -> ExponentialHistogramDataPoint:
    """Return a point at scale 0 with 3 values between 1 and 4 and one 0."""
    start, end = interval(source)
    return ExponentialHistogramDataPoint(
        count=4,
        sum=7.0,
        scale=0,
        zero_count=1,
        positive=ExponentialHistogramDataPoint.Buckets(offset=0, bucket_counts=[1, 2]),
        start_time_unix_nano=start,
        time_unix_nano=end,
    )


def histogram(*points: HistogramDataPoint, name: str = TOKENS, temporality: Temporality = DELTA) -> Metric:
    """Return an explicit histogram."""
    return Metric(name=name, histogram=Histogram(data_points=points, aggregation_temporality=temporality))


def exponential_histogram(
    *points: ExponentialHistogramDataPoint, name: str, temporality: Temporality = DELTA
) -> Metric:
    """Return an exponential histogram."""
    data = ExponentialHistogram(data_points=points, aggregation_temporality=temporality)
    return Metric(name=name, exponential_histogram=data)


def counter(*points: NumberDataPoint, name: str = REQUESTS, temporality: Temporality = DELTA) -> Metric:
    """Return a monotonic sum."""
    data = Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=True)
    return Metric(name=name, sum=data)


def gauge(*points: NumberDataPoint, name: str) -> Metric:
    """Return a gauge."""
    return Metric(name=name, gauge=Gauge(data_points=points))


def good(source: Source) -> Metric:
    """Return the good point that stands beside each bad one: a counter that went up by 5."""
    return counter(number(source, 5.0, {"status": "success"}), name=REQUESTS)


def tokens(source: Source, temporality: Temporality = DELTA, back: int = 0) -> Metric:
    """Return a histogram of the gateway's with 3 output tokens; it becomes TOKEN_SAMPLES."""
    return histogram(buckets(source, labels={"gen_ai.token.type": "output"}, back=back), temporality=temporality)


GOOD = Sample("mcp_method_count_total", 5, (("status", "success"),))
"""What `good` becomes."""

_OUTPUT = (("gen_ai_token_type", "output"),)
TOKEN_SAMPLES = (
    Sample("gen_ai_client_token_usage_bucket", 1, (*_OUTPUT, ("le", "1"))),
    Sample("gen_ai_client_token_usage_bucket", 3, (*_OUTPUT, ("le", "4"))),
    Sample("gen_ai_client_token_usage_bucket", 3, (*_OUTPUT, ("le", "+Inf"))),
    Sample("gen_ai_client_token_usage_count", 3, _OUTPUT),
    Sample("gen_ai_client_token_usage_sum", 7, _OUTPUT),
)
"""What `tokens` becomes."""


def resource(source: Source) -> Resource:
    """Return the sender's resource, by the names that the gateway's operator injects."""
    identity = {"service.name": "contract", "aigw.gateway.namespace": "contract", "aigw.gateway.name": source.gateway}
    return Resource(attributes=attributes(identity))


def request(source: Source, *metrics: Metric) -> ExportMetricsServiceRequest:
    """Return a request of one resource and one scope."""
    message = ExportMetricsServiceRequest()
    envelope = message.resource_metrics.add(resource=resource(source))
    if metrics:
        envelope.scope_metrics.append(ScopeMetrics(metrics=metrics))
    return message


def payload(message: ExportMetricsServiceRequest) -> Payload:
    """Return the message in both encodings."""
    return Payload(message.SerializeToString(), to_json(message))


def sent(source: Source, *metrics: Metric) -> Payload:
    """Return a request with these metrics in both encodings."""
    return payload(request(source, *metrics))


def document(message: ExportMetricsServiceRequest) -> dict[str, Any]:
    """Return the message as OTLP maps it to JSON: enums are integers, the ids of exemplars are hexadecimal."""
    tree: dict[str, Any] = json_format.MessageToDict(message, use_integers_for_enums=True)
    for node in _objects(tree):
        for key in ("traceId", "spanId"):
            if key in node:
                node[key] = base64.b64decode(node[key]).hex()
    return tree


def to_json(message: ExportMetricsServiceRequest) -> bytes:
    """Return the message as OTLP/JSON."""
    return json.dumps(document(message)).encode()


def _objects(node: object) -> Iterable[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _objects(child)


def delimited(field: int, content: bytes) -> bytes:
    """Return a length-delimited field of the wire format, for bytes that no protobuf library would write."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """Return a varint of the wire format."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def raw_request(source: Source, *metrics: bytes) -> bytes:
    """Return a request whose metrics are given as wire bytes."""
    scope_metrics = b"".join(delimited(2, metric) for metric in metrics)
    envelope = delimited(1, resource(source).SerializeToString()) + delimited(2, scope_metrics)
    return delimited(1, envelope)


def padded(source: Source, size: int) -> Payload:
    """Return a valid request of exactly `size` bytes: an unknown field, or white space, fills it up."""
    small = sent(source, good(source))
    length = size - len(small.protobuf) - len(varint(15 << 3 | 2))
    length -= len(varint(length - 4))  # the filling is megabytes long: the length of its length does not change
    filling = delimited(15, bytes(length))
    return Payload(small.protobuf + filling, small.json.ljust(size))
