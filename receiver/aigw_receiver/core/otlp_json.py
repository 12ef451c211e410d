"""OTLP/JSON to the protobuf encoding, so that one decoder serves both. It judges no data point.

Source: opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding": ProtoJSON with integers for enums, unknown fields
ignored, and trace and span ids in hexadecimal. Of metrics those occur in exemplars only, which no series shows; of logs
nothing is made of them. So they are taken out instead of translated.
"""

import json
from typing import Any, Final

from google.protobuf import json_format, message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

from aigw_receiver.core import status

_TAKEN_OUT: Final = frozenset({"exemplars", "traceId", "spanId"})

# The fields that hold one message: ProtoJSON's parser takes an empty list there for an empty message.
_MESSAGES: Final = frozenset(
    {
        *("resource", "scope", "gauge", "sum", "histogram", "exponentialHistogram", "summary", "positive", "negative"),
        "body",
    }
)


def to_protobuf(body: bytes) -> bytes:
    """The ExportMetricsServiceRequest in `body`, encoded as protobuf; an empty body is an empty request.

    Raises status.RefusedError (BAD_DATA) that says what is wrong, and where.
    """
    return _translate(body, metrics_service_pb2.ExportMetricsServiceRequest())


def logs_to_protobuf(body: bytes) -> bytes:
    """The same of an ExportLogsServiceRequest."""
    return _translate(body, logs_service_pb2.ExportLogsServiceRequest())


def _translate(body: bytes, request: message.Message) -> bytes:
    if not body.strip():
        return b""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise status.RefusedError(status.BAD_DATA, f"the request is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise status.RefusedError(status.BAD_DATA, "the request is not a JSON object")
    _normalise(document)
    try:
        json_format.ParseDict(document, request, ignore_unknown_fields=True, max_recursion_depth=64)
        return request.SerializeToString()
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise status.RefusedError(status.BAD_DATA, f"the request is not OTLP: {error}") from None


def _normalise(document: Any) -> None:
    """Take out what OTLP/JSON does not know, and refuse lists that stand where a message belongs, however deep.

    A key with an underscore is the original name of a field, which ProtoJSON takes but OTLP does not: it is unknown.
    No text of the user's is a key in OTLP/JSON.
    """
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            for key in [key for key in node if key in _TAKEN_OUT or "_" in key]:
                del node[key]
            if any(isinstance(node[key], list) for key in _MESSAGES & node.keys()):
                raise status.RefusedError(status.BAD_DATA, "the request is not OTLP: a list stands for a message")
            pending.extend(node.values())
        elif isinstance(node, list):
            if any(isinstance(item, list) for item in node):
                raise status.RefusedError(status.BAD_DATA, "the request is not OTLP: a list stands for a message")
            pending.extend(node)
