"""What the official schema reads from a request, as plain values. It shares no code with the receiver.

The official messages refuse invalid UTF-8 in text, so the reading is done by a copy of them with bytes for text; where
the official ones take the request, the test compares both.
"""

import base64
import itertools
import json
import math
import struct
from typing import Any, Final, NamedTuple, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

Plain: TypeAlias = "str | bool | int | float | bytes | list[Plain] | dict[str, Plain] | None"

_STRING: Final = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_BYTES: Final = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES


def _request_class() -> Any:
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, metrics_pb2, metrics_service_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        pending = list(file.message_type)
        for schema in pending:
            pending.extend(schema.nested_type)
            for field in schema.field:
                field.type = _BYTES if field.type == _STRING else field.type
        pool.AddSerializedFile(file.SerializeToString())
    name = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest"
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


_Request: Final = _request_class()


class Reading(NamedTuple):
    """One data point of a request."""

    metric: tuple[str, str, str, int, bool]
    """scope, name, kind, temporality, whether it only rises"""
    start: int
    time: int
    no_value: bool
    is_sound: bool
    """whether a receiver can take it"""
    value: float
    counts: tuple[int, ...]
    bounds: tuple[float, ...]
    attributes: tuple[tuple[bytes, str], ...]
    """sorted; the values as text that tells types apart"""
    labels: tuple[tuple[str, str], ...]


def read(body: bytes) -> list[Reading]:
    """All data points, in the order of the request."""
    request = _Request.FromString(body)
    _compare_with_official(body, request)
    return [
        _reading(scope_metrics.scope.name.decode(), metric, point)
        for resource_metrics in request.resource_metrics
        for scope_metrics in resource_metrics.scope_metrics
        for metric in scope_metrics.metrics
        for point in (getattr(metric, metric.WhichOneof("data")).data_points if metric.WhichOneof("data") else ())
    ]


def _compare_with_official(body: bytes, request: Any) -> None:
    try:
        official = metrics_service_pb2.ExportMetricsServiceRequest.FromString(body)
    except message.DecodeError:
        return
    assert official.SerializeToString(deterministic=True) == request.SerializeToString(deterministic=True)


def _reading(scope: str, metric: Any, point: Any) -> Reading:
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    temporality = 0 if kind == "gauge" else data.aggregation_temporality
    monotonic = kind == "sum" and data.is_monotonic
    no_value = bool(point.flags & 1)
    which = None
    if kind == "histogram":
        value, counts, bounds = point.sum, tuple(point.bucket_counts), tuple(point.explicit_bounds)
        counts = counts or ((point.count,) if not bounds else ())
        is_sound = (
            len(counts) == len(bounds) + 1
            and sum(counts) == point.count < 2**53
            and all(a < b for a, b in itertools.pairwise(bounds))
            and math.isfinite(value)
        )
    else:
        which = point.WhichOneof("value")
        value, counts, bounds = float(getattr(point, which)) if which else 0.0, (), ()
        is_sound = which is not None and math.isfinite(value) and (which == "as_double" or abs(value) < 2**53)
        is_sound = is_sound and not (monotonic and value < 0)
    attributes = {item.key: _plain(item.value) for item in point.attributes}
    return Reading(
        metric=(scope, metric.name.decode(), kind, temporality, monotonic),
        start=point.start_time_unix_nano,
        time=point.time_unix_nano,
        no_value=no_value,
        is_sound=bool(point.time_unix_nano) and (is_sound or no_value),
        value=value,
        counts=counts,
        bounds=bounds,
        attributes=tuple(sorted((key, _told_apart(item)) for key, item in attributes.items())),
        labels=_labels(attributes),
    )


def _plain(value: Any) -> Plain:
    which = value.WhichOneof("value")
    match which:
        case None:
            return None
        case "string_value":
            text: str = value.string_value.decode(errors="surrogateescape")
            return text
        case "array_value":
            return [_plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return {item.key.decode(): _plain(item.value) for item in value.kvlist_value.values}
    plain: Plain = getattr(value, which)
    return plain


def _told_apart(value: Plain) -> str:
    """Text that differs for values that differ; a map has no order."""
    if isinstance(value, dict):
        return repr(sorted((key, _told_apart(item)) for key, item in value.items()))
    if isinstance(value, list):
        return repr([_told_apart(item) for item in value])
    if isinstance(value, float):
        return f"double {struct.pack('<d', value)!r}"
    return repr(value)


def _labels(attributes: dict[bytes, Plain]) -> tuple[tuple[str, str], ...]:
    """The labels of a point: here all keys are names already, but for dots."""
    return tuple(sorted((key.decode().replace(".", "_"), _text(value)) for key, value in attributes.items()))


def _text(value: Plain) -> str:
    """Text of a value as the specification's rule for protocols other than OTLP has it; no NUL, which is our own."""
    match value:
        case None:
            return ""
        case str():
            return value.encode(errors="surrogateescape").decode(errors="replace").replace("\0", "\ufffd")
        case bool() | list() | dict():
            return json.dumps(value, separators=(",", ":"), sort_keys=True)
        case bytes():
            return base64.b64encode(value).decode()
    return str(value)
