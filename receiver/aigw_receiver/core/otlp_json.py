"""OTLP/JSON to the protobuf encoding, so that one decoder serves both. It judges no data point.

Source: opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding": ProtoJSON with integers for enums, unknown fields
ignored, and trace and span ids in hexadecimal. Those occur in exemplars only, which no series shows, so they are
taken out instead of translated.
"""

import json
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

from aigw_receiver.core import status

# ProtoJSON takes both spellings of a field; exemplars has but one.
_EXEMPLARS = "exemplars"


def to_protobuf(body: bytes) -> bytes:
    """The ExportMetricsServiceRequest in `body`, encoded as protobuf; an empty body is an empty request.

    Raises status.RefusedError (BAD_DATA) that says what is wrong, and where.
    """
    if not body.strip():
        return b""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise status.RefusedError(status.BAD_DATA, f"the request is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise status.RefusedError(status.BAD_DATA, "the request is not a JSON object")
    _drop_exemplars(document)
    request = metrics_service_pb2.ExportMetricsServiceRequest()
    try:
        json_format.ParseDict(document, request, ignore_unknown_fields=True, max_recursion_depth=64)
        return request.SerializeToString()
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise status.RefusedError(status.BAD_DATA, f"the request is not OTLP: {error}") from None


def _drop_exemplars(document: Any) -> None:
    """Remove the exemplars of all data points below `document`, however deep it is."""
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            node.pop(_EXEMPLARS, None)
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
