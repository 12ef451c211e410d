"""The table of what OTLP says about its JSON mapping and about fields that a receiver does not know.

Where the binary encoding has a counterpart, the case runs over all transports.
"""

import json
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from contract.build import (
    GOOD,
    buckets,
    delimited,
    document,
    good,
    histogram,
    payload,
    request,
    to_json,
    varint,
)
from contract.model import UNDECODABLE, Accepted, Case, Payload, Rule, Sample, Source, Transport, on, otlp, rfc

MAPPING = otlp("json-protobuf-encoding")
TOKENS = (Sample("gen_ai_client_token_usage_count", 3), Sample("gen_ai_client_token_usage_sum", 7))
JSON_ONLY = on(Accepted(), Transport.JSON)


def _with_exemplar(source: Source) -> ExportMetricsServiceRequest:
    point = buckets(source)
    point.exemplars.add(
        time_unix_nano=source.now,
        as_double=4.0,
        trace_id=bytes.fromhex("5b8efff7" * 4),
        span_id=bytes.fromhex("eee19b7e" * 2),
    )
    return request(source, histogram(point))


def _upper_case_ids(source: Source) -> Payload:
    text = to_json(_with_exemplar(source))
    return Payload(b"", text.replace(b"5b8efff7" * 4, b"5B8EFFF7" * 4).replace(b"eee19b7e" * 2, b"EEE19B7E" * 2))


def _unknown_fields(source: Source) -> Payload:
    known = request(source, good(source))
    unknown = delimited(2000, b"later") + varint(2001 << 3) + varint(7)
    tree = document(known)
    envelope = tree["resourceMetrics"][0]
    for node in (tree, envelope, envelope["resource"], envelope["scopeMetrics"][0], _metric(tree), _point(tree)):
        node["addedLater"] = {"list": [1, None, {"deep": True}]}
    message = ExportMetricsServiceRequest()
    for node_message in (known.resource_metrics[0], known.resource_metrics[0].resource):
        node_message.MergeFromString(unknown)
    point = known.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0]
    point.MergeFromString(unknown)
    message.MergeFrom(known)
    return Payload(message.SerializeToString() + unknown, json.dumps(tree).encode())


def _metric(tree: dict[str, Any]) -> dict[str, Any]:
    metric: dict[str, Any] = tree["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    return metric


def _point(tree: dict[str, Any]) -> dict[str, Any]:
    data = next(value for value in _metric(tree).values() if isinstance(value, dict))
    point: dict[str, Any] = data["dataPoints"][0]
    return point


def _tokens(source: Source, **fields: object) -> Payload:
    """Return one histogram in JSON with fields of its point set as given."""
    tree = document(request(source, histogram(buckets(source))))
    _point(tree).update(fields)
    return Payload(b"", json.dumps(tree).encode())


def _integers_as_numbers(source: Source) -> Payload:
    return _tokens(
        source,
        count=3,
        bucketCounts=[1, 2, 0],
        timeUnixNano=source.now,
        startTimeUnixNano=source.now - 1_000_000_000,
        attributes=[],
    )


def _snake_case(source: Source) -> Payload:
    text = to_json(request(source, good(source)))
    return Payload(b"", text.replace(b'"resourceMetrics"', b'"resource_metrics"'))


def _original_names(source: Source) -> Payload:
    """Return a point whose only `count` that could be read twice carries the original name of `bucketCounts`."""
    return _tokens(source, bucket_counts=["9", "9", "9"], explicit_bounds=[8.0, 9.0])


JSON_CASES: tuple[Case, ...] = (
    Case(
        "exemplar",
        f"ids are bytes in protobuf and hexadecimal in JSON, never base64: {MAPPING}",
        Rule.MUST,
        lambda s: (payload(_with_exemplar(s)),),
        on(Accepted()),
        TOKENS,
    ),
    Case(
        "exemplar_upper_case",
        f"hexadecimal ids are case-insensitive: {MAPPING}",
        Rule.MUST,
        lambda s: (_upper_case_ids(s),),
        JSON_ONLY,
        TOKENS,
    ),
    Case(
        "unknown_fields",
        f"unknown fields are ignored at every level: {MAPPING}, {otlp('future-versions-and-interoperability')}",
        Rule.MUST,
        lambda s: (_unknown_fields(s),),
        on(Accepted()),
        (GOOD,),
    ),
    Case(
        "integers_as_strings",
        f"64-bit integers are decimal strings: {MAPPING}",
        Rule.MUST,
        lambda s: (_tokens(s, count="3", bucketCounts=["1", "2", "0"], timeUnixNano=str(s.now)),),
        JSON_ONLY,
        TOKENS,
    ),
    Case(
        "integers_as_numbers",
        f"64-bit integers may be numbers: {MAPPING}",
        Rule.MUST,
        lambda s: (_integers_as_numbers(s),),
        JSON_ONLY,
        TOKENS,
    ),
    Case(
        "doubles_as_strings",
        "a double may be a string: https://protobuf.dev/programming-guides/json/#field-representation",
        Rule.MUST,
        lambda s: (_tokens(s, sum="7.0", explicitBounds=["1", "4e0"]),),
        JSON_ONLY,
        TOKENS,
    ),
    Case(
        "null_fields",
        "null stands for an unset field: https://protobuf.dev/programming-guides/json/#null-values",
        Rule.MUST,
        lambda s: (_tokens(s, min=None, max=None, exemplars=None, flags=None, attributes=None),),
        JSON_ONLY,
        TOKENS,
    ),
    Case(
        "snake_case_envelope",
        f"original field names are not valid keys, hence unknown ones, hence an empty request: {MAPPING}",
        Rule.MUST,
        lambda s: (_snake_case(s),),
        JSON_ONLY,
    ),
    Case(
        "snake_case_fields",
        f"original field names beside the valid ones are unknown fields: {MAPPING}",
        Rule.MUST,
        lambda s: (_original_names(s),),
        JSON_ONLY,
        TOKENS,
    ),
    Case(
        "escaped_characters",
        "JSON may escape any character: https://www.rfc-editor.org/rfc/rfc8259#section-7",
        Rule.MUST,
        lambda s: (Payload(b"", to_json(request(s, good(s))).replace(b"success", rb"\u0073uccess")),),
        JSON_ONLY,
        (GOOD,),
    ),
    Case(
        "wrong_shape",
        f"a list where the schema has a message cannot be decoded: {otlp('bad-data')}",
        Rule.MUST,
        lambda _: (Payload(b"", b'{"resourceMetrics": [[]]}'),),
        on(UNDECODABLE, Transport.JSON),
    ),
    Case(
        "wrong_type",
        f"a number where the schema has a list cannot be decoded: {otlp('bad-data')}",
        Rule.MUST,
        lambda _: (Payload(b"", b'{"resourceMetrics": 5}'),),
        on(UNDECODABLE, Transport.JSON),
    ),
    Case(
        "no_object",
        f"a JSON list is no message: {otlp('bad-data')}",
        Rule.MUST,
        lambda _: (Payload(b"", b"[]"),),
        on(UNDECODABLE, Transport.JSON),
    ),
    Case(
        "deep_nesting",
        f"a parser may limit the depth, and must not fall over it: {otlp('bad-data')}, {rfc(8259, '9')}",
        Rule.OURS,
        lambda _: (Payload(b"", b'{"addedLater":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),),
        on(UNDECODABLE, Transport.JSON),
    ),
    Case(
        "long_integer",
        f"a number that does not fit its field cannot be decoded: {otlp('bad-data')}",
        Rule.MUST,
        lambda s: (
            Payload(b"", to_json(request(s, good(s))).replace(b'"asDouble": 5.0', b'"asInt": 1' + b"0" * 9999)),
        ),
        on(UNDECODABLE, Transport.JSON),
    ),
    Case(
        "lone_surrogate",
        f"half of a pair is no character, and has no UTF-8: {otlp('bad-data')}, {rfc(8259, '8.2')}",
        Rule.OURS,
        lambda s: (Payload(b"", to_json(request(s, good(s))).replace(b"success", rb"\ud83d")),),
        on(UNDECODABLE, Transport.JSON),
    ),
    Case(
        "no_unicode",
        "JSON is UTF-8: https://www.rfc-editor.org/rfc/rfc8259#section-8.1",
        Rule.MUST,
        lambda s: (Payload(b"", to_json(request(s, good(s))).replace(b"success", b"succ\xe9ss")),),
        on(UNDECODABLE, Transport.JSON),
    ),
)
