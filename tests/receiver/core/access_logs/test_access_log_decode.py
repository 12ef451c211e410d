"""Bytes of a request to its records: the official parser is the oracle, and other senders' values are understood."""

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from aigw_receiver.core import wire
from aigw_receiver.core.access_logs import decode

_CAPTURES = Path(__file__).parents[3] / "captures"
# The official parser refuses these: a header with invalid UTF-8 is in them.
_INVALID = ("envoy-attrsonly-logs-010", "envoy-llm-logs-010")
_FILES = sorted(file for file in _CAPTURES.glob("*-logs-*.pb") if file.stem not in _INVALID)


@pytest.mark.parametrize("file", _FILES, ids=[file.stem for file in _FILES])
def test_official_parser_agrees(file: Path) -> None:
    """An attribute, a body or a time of a real record is read otherwise than the official parser reads it."""
    official = ExportLogsServiceRequest.FromString(file.read_bytes())
    expected = [
        (
            {item.key: item.value.string_value for item in logs.resource.attributes},
            [
                (
                    record.time_unix_nano,
                    ({item.key: item.value.string_value for item in record.attributes}, record.body.string_value),
                )
                for scope in logs.scope_logs
                for record in scope.log_records
            ],
        )
        for logs in official.resource_logs
    ]
    assert expected == [
        (
            decode.read_resource(resource),
            [(decode.time_of(record), decode.read_record(record)) for record in records],
        )
        for resource, records in decode.read_request(file.read_bytes())
    ]


@pytest.mark.parametrize("name", _INVALID)
def test_invalid_utf8_costs_nothing(name: str) -> None:
    """One header with invalid UTF-8 costs its record, or the batch."""
    ((_, (record,)),) = list(decode.read_request((_CAPTURES / f"{name}.pb").read_bytes()))
    attributes, _ = decode.read_record(record)
    assert ("caf\ufffd", "modèle-π") == (attributes["session.id"], attributes["gen_ai.request.model"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (AnyValue(string_value="a"), "a"),
        (AnyValue(string_value=""), ""),
        (AnyValue(string_value="x" * 200), "x" * 200),
        (AnyValue(int_value=-3), "-3"),
        (AnyValue(int_value=200), "200"),
        (AnyValue(double_value=0.25), "0.25"),
        (AnyValue(double_value=1e5), "100000.0"),
        (AnyValue(bool_value=True), "true"),
        (AnyValue(bytes_value=b"a\xff"), "a\ufffd"),
        (AnyValue(), ""),
        (AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="ü")])), '[1,"ü"]'),
        (
            AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(bool_value=False))])),
            '{"k":false}',
        ),
    ],
)
def test_values_of_other_senders(value: Any, text: str) -> None:
    """A number or a map, which senders other than Envoy write, is not understood."""
    assert ("key", text) == decode.read_attribute(KeyValue(key="key", value=value).SerializeToString())


def test_fields_in_the_body() -> None:
    """The fields of a structured line are lost, or overrule the attributes."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(observed_time_unix_nano=9)
    record.attributes.add(key="a").value.string_value = "attribute"
    for key in ("a", "b"):
        record.body.kvlist_value.values.add(key=key).value.string_value = "body"
    ((_, (read,)),) = list(decode.read_request(request.SerializeToString()))
    assert ({"a": "attribute", "b": "body"}, "") == decode.read_record(read)
    assert 9 == decode.time_of(read)


@pytest.mark.parametrize("body", [b"\x0a\x7f", b"\x0a\x02\x12\x05", b"\xff"])
def test_malformed(body: bytes) -> None:
    """A request that is no protobuf is taken as one without records."""
    with pytest.raises(wire.DecodeError):
        decode.read_request(body)
