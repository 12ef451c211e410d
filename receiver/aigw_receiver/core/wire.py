"""Parsers of the OTLP metrics wire format, made from the official schema. They read bytes and judge nothing.

Two views of one schema, both by the protobuf package's own C parser:

- *full*: the official messages with every `string` re-typed to `bytes`, which has the same encoding. Protobuf refuses
  a whole request for one invalid UTF-8 byte in one attribute; senders copy such bytes from request headers. Exemplars
  stay bytes too: no series shows them, and a point is not to be lost for a bad one.
- *envelope*: the same messages down to the list of data points, which stay bytes, so that a point whose bytes are
  known by heart need not be parsed at all.

    ExportMetricsServiceRequest { repeated ResourceMetrics resource_metrics = 1 }
    ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; string schema_url = 3 }
    ScopeMetrics { InstrumentationScope scope = 1; repeated Metric metrics = 2; string schema_url = 3 }
    Metric { string name = 1; string description = 2; string unit = 3;
             oneof data { Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9;
                          ExponentialHistogram exponential_histogram = 10; Summary summary = 11 } }
    Gauge | Sum | Histogram | ExponentialHistogram | Summary { repeated …DataPoint data_points = 1;
             AggregationTemporality aggregation_temporality = 2; bool is_monotonic = 3 }

Source: opentelemetry/proto/metrics/v1/metrics.proto and collector/metrics/v1/metrics_service.proto, v1.x.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

DecodeError = message.DecodeError

_FIELD = descriptor_pb2.FieldDescriptorProto
_METRICS: Final = "opentelemetry.proto.metrics.v1."
_ENVELOPE: Final = "aigw.envelope."


def _with_bytes(file: Any) -> descriptor_pb2.FileDescriptorProto:
    """A copy of a schema file in which every string, and every exemplar, has type bytes."""
    copy = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(copy)
    pending = list(copy.message_type)
    while pending:
        schema = pending.pop()
        pending.extend(schema.nested_type)
        for field in schema.field:
            if field.type == _FIELD.TYPE_STRING:
                field.type = _FIELD.TYPE_BYTES
            if field.type_name.endswith(".Exemplar"):
                field.type = _FIELD.TYPE_BYTES
                field.ClearField("type_name")
    return copy


def _envelope_schema() -> descriptor_pb2.FileDescriptorProto:
    """The request down to the list of data points, each of which stays bytes; the loose one, down to the metrics.

    `resource` and `scope` are repeated bytes: a message field that occurs twice means the merge of both, and the
    merge of two messages is the parse of their bytes joined.
    """
    file = descriptor_pb2.FileDescriptorProto(name="aigw/envelope.proto", package="aigw.envelope", syntax="proto3")

    def add(name: str, *fields: tuple[str, int, int, bool, str], oneof: str = "") -> None:
        schema = file.message_type.add(name=name)
        if oneof:
            schema.oneof_decl.add(name=oneof)
        for field_name, number, kind, repeated, type_name in fields:
            label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            field = schema.field.add(name=field_name, number=number, label=label, type=kind)
            if type_name:
                field.type_name = f".{_ENVELOPE}{type_name}"
            if oneof and kind == _FIELD.TYPE_MESSAGE:
                field.oneof_index = 0

    one, many = False, True
    data = ("data_points", 1, _FIELD.TYPE_BYTES, many, "")
    temporality = ("aggregation_temporality", 2, _FIELD.TYPE_INT32, one, "")
    add("Data", data, temporality, ("is_monotonic", 3, _FIELD.TYPE_BOOL, one, ""))
    kinds = (("gauge", 5), ("sum", 7), ("histogram", 9), ("exponential_histogram", 10), ("summary", 11))
    add(
        "Metric",
        ("name", 1, _FIELD.TYPE_BYTES, one, ""),
        ("description", 2, _FIELD.TYPE_BYTES, one, ""),
        ("unit", 3, _FIELD.TYPE_BYTES, one, ""),
        *((name, number, _FIELD.TYPE_MESSAGE, one, "Data") for name, number in kinds),
        oneof="data",
    )
    scope = ("scope", 1, _FIELD.TYPE_BYTES, many, "")
    resource = ("resource", 1, _FIELD.TYPE_BYTES, many, "")
    for prefix, metrics in (
        ("", ("metrics", 2, _FIELD.TYPE_MESSAGE, many, "Metric")),
        ("Loose", ("metrics", 2, _FIELD.TYPE_BYTES, many, "")),
    ):
        add(f"{prefix}ScopeMetrics", scope, metrics)
        scopes = ("scope_metrics", 2, _FIELD.TYPE_MESSAGE, many, f"{prefix}ScopeMetrics")
        add(f"{prefix}ResourceMetrics", resource, scopes)
        resources = ("resource_metrics", 1, _FIELD.TYPE_MESSAGE, many, f"{prefix}ResourceMetrics")
        add(f"{prefix}Request", resources)
    return file


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, metrics_pb2, metrics_service_pb2):
        pool.Add(_with_bytes(module.DESCRIPTOR))
    pool.Add(_envelope_schema())
    return pool


_POOL: Final = _pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


EnvelopeRequest: Final = _message(_ENVELOPE + "Request")
LooseEnvelopeRequest: Final = _message(_ENVELOPE + "LooseRequest")
EnvelopeMetric: Final = _message(_ENVELOPE + "Metric")
NumberDataPoint: Final = _message(_METRICS + "NumberDataPoint")
HistogramDataPoint: Final = _message(_METRICS + "HistogramDataPoint")
ExponentialHistogramDataPoint: Final = _message(_METRICS + "ExponentialHistogramDataPoint")
Resource: Final = _message("opentelemetry.proto.resource.v1.Resource")
InstrumentationScope: Final = _message("opentelemetry.proto.common.v1.InstrumentationScope")
