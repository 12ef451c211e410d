"""OTLP/JSON says the same as protobuf, or is refused with a word on what is wrong."""

import json
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

import otlp_messages as otlp
from aigw_receiver.core import otlp_json, status
from aigw_receiver.core.store import Store
from otlp_messages import NOW

_REQUEST = ExportMetricsServiceRequest.FromString(
    otlp.export(
        otlp.histogram(otlp.buckets((1, 2, 3), 7.5, {"text": "ü\n", "count": 3, "share": 0.5, "flag": True})),
        otlp.counter(otlp.number(5), otlp.number(2.5, {"a": "b"})),
        otlp.exponential_histogram(otlp.exponential(0, -3, (1, 2), 1.5, zero=1), name=otlp.DURATION),
    )
)


def _document(**changes: Any) -> dict[str, Any]:
    """One data point of one metric, with changed fields."""
    point: dict[str, Any] = {"startTimeUnixNano": str(NOW - 1), "timeUnixNano": str(NOW), "asInt": "5"} | changes
    data = {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "mcp.method.count", "sum": data}]}]}]}


def _only_point(document: dict[str, Any]) -> Any:
    request = ExportMetricsServiceRequest.FromString(otlp_json.to_protobuf(json.dumps(document).encode()))
    return request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0]


def test_same_as_protobuf() -> None:
    """A field is lost on the way from JSON."""
    body = json_format.MessageToJson(_REQUEST, use_integers_for_enums=True).encode()
    assert _REQUEST == ExportMetricsServiceRequest.FromString(otlp_json.to_protobuf(body))


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}", b'{"resourceMetrics":[]}', b'{"resourceMetrics":null}'])
def test_empty_request(body: bytes) -> None:
    """A request without telemetry is an error."""
    assert b"" == otlp_json.to_protobuf(body)


@pytest.mark.parametrize(
    "changes",
    [
        {"asInt": 5},
        {"asInt": "5"},
        {"timeUnixNano": NOW},
        {"unknownField": {"deep": [1, {"x": None}]}},
        {"attributes": None},
        {"exemplars": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "asInt": "1"}]},
        {"exemplars": "nonsense"},
    ],
    ids=str,
)
def test_lenient_where_the_specification_asks_for_it(changes: dict[str, Any]) -> None:
    """Integers as numbers, unknown fields or hexadecimal ids make a request an error."""
    point = _only_point(_document(**changes))
    assert (5, NOW - 1, NOW, 0) == (
        point.as_int,
        point.start_time_unix_nano,
        point.time_unix_nano,
        len(point.exemplars),
    )


def test_original_names_of_fields_are_unknown() -> None:
    """A field by its name in the schema, which OTLP/JSON does not know, is taken or is an error."""
    point = _only_point(_document(time_unix_nano="7", as_double="x"))
    assert (NOW, 5) == (point.time_unix_nano, point.as_int)


def test_attribute_called_exemplars() -> None:
    """An attribute that is called as the field of exemplars is taken out."""
    point = _only_point(_document(attributes=[{"key": "exemplars", "value": {"stringValue": "x"}}]))
    assert ["exemplars"] == [attribute.key for attribute in point.attributes]


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (b"{", "the request is not valid JSON: "),
        (b"\xff\xfe\xff", "the request is not valid JSON: "),
        (b'{"a":"\xff"}', "the request is not valid JSON: "),
        (b"[" * 100_000, "the request is not valid JSON: "),
        (b"1" * 5000, "the request is not valid JSON: "),
        (b"[]", "the request is not a JSON object"),
        (b"null", "the request is not a JSON object"),
        (b'"x"', "the request is not a JSON object"),
        (b'{"resourceMetrics":[{"resource":[]}]}', "the request is not OTLP: "),
        (b'{"resourceMetrics":[[]]}', "the request is not OTLP: "),
        (b'{"resourceMetrics":{}}', "the request is not OTLP: "),
        (b'{"resourceMetrics":[1]}', "the request is not OTLP: "),
        (json.dumps(_document(asInt="five")).encode(), "the request is not OTLP: "),
        (json.dumps(_document(asInt=2**63)).encode(), "the request is not OTLP: "),
        (json.dumps(_document(timeUnixNano=-1)).encode(), "the request is not OTLP: "),
        (json.dumps(_document(attributes=[{"key": 1}])).encode(), "the request is not OTLP: "),
        (
            json.dumps(_document(attributes=[{"key": "k", "value": {"bytesValue": 5}}])).encode(),
            "the request is not OTLP: ",
        ),
        (b'{"resourceMetrics":[{"schemaUrl":"\\ud800"}]}', "the request is not OTLP: "),
    ],
)
def test_refused(body: bytes, start: str) -> None:
    """What cannot be decoded ends in a defect of ours, which senders would repeat, instead of an error."""
    with pytest.raises(status.RefusedError) as error:
        otlp_json.to_protobuf(body)
    assert status.BAD_DATA.code == error.value.failure.code
    assert error.value.failure.message.startswith(start)


def test_deeply_nested_attribute() -> None:
    """An attribute that is nested a thousand times ends in a defect of ours."""
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(300):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(status.RefusedError):
        otlp_json.to_protobuf(json.dumps(_document(attributes=[{"key": "k", "value": value}])).encode())


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_not_finite(value: str) -> None:
    """A number that is not finite fails the whole request instead of its point."""
    document = _document()
    points = document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["sum"]["dataPoints"]
    points.append({"timeUnixNano": str(NOW), "asDouble": value})
    outcome = Store(NOW).export(otlp_json.to_protobuf(json.dumps(document).encode()), NOW)
    assert (1, {"not_finite": 1}) == (outcome.accepted, outcome.rejected)
