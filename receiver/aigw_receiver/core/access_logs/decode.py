"""From the bytes of an ExportLogsServiceRequest to its records. It reads what is sent and judges nothing.

The envelope is parsed down to the attributes, which stay bytes: most records are dropped, and only few attributes of
them are looked at. What is read becomes str here, with U+FFFD for bytes that are no UTF-8; so one odd header that Envoy
copied into an attribute costs neither its record nor the batch.

    ExportLogsServiceRequest { repeated ResourceLogs resource_logs = 1 }
    ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; string schema_url = 3 }
    ScopeLogs { InstrumentationScope scope = 1; repeated LogRecord log_records = 2; string schema_url = 3 }
    LogRecord { fixed64 time_unix_nano = 1; SeverityNumber severity_number = 2; string severity_text = 3;
                AnyValue body = 5; repeated KeyValue attributes = 6; fixed64 observed_time_unix_nano = 11; … }
    KeyValue { string key = 1; AnyValue value = 2 }

Source: opentelemetry/proto/logs/v1/logs.proto and collector/logs/v1/logs_service.proto, v1.x.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from aigw_receiver.core import wire

DecodeError = wire.DecodeError

_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKAGE: Final = "aigw.logs"


def _envelope_schema() -> descriptor_pb2.FileDescriptorProto:
    """The request down to attributes and bodies, which stay bytes.

    `resource` is repeated bytes: a message field that occurs twice means the merge of both, and the merge of two
    messages is the parse of their bytes joined. A body occurs once; of two, the last is taken.
    """
    file = descriptor_pb2.FileDescriptorProto(name="aigw/logs.proto", package=_PACKAGE, syntax="proto3")

    def add(name: str, *fields: tuple[str, int, int, str]) -> None:
        schema = file.message_type.add(name=name)
        for field_name, number, kind, type_name in fields:
            one = kind == _FIELD.TYPE_FIXED64 or field_name == "body"
            label = _FIELD.LABEL_OPTIONAL if one else _FIELD.LABEL_REPEATED
            field = schema.field.add(name=field_name, number=number, label=label, type=kind)
            if type_name:
                field.type_name = f".{_PACKAGE}.{type_name}"

    add(
        "LogRecord",
        ("time_unix_nano", 1, _FIELD.TYPE_FIXED64, ""),
        ("body", 5, _FIELD.TYPE_BYTES, ""),
        ("attributes", 6, _FIELD.TYPE_BYTES, ""),
        ("observed_time_unix_nano", 11, _FIELD.TYPE_FIXED64, ""),
    )
    add("ScopeLogs", ("log_records", 2, _FIELD.TYPE_MESSAGE, "LogRecord"))
    add(
        "ResourceLogs",
        ("resource", 1, _FIELD.TYPE_BYTES, ""),
        ("scope_logs", 2, _FIELD.TYPE_MESSAGE, "ScopeLogs"),
    )
    add("Request", ("resource_logs", 1, _FIELD.TYPE_MESSAGE, "ResourceLogs"))
    return file


def _request_class() -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_envelope_schema())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Request"))


_Request: Final = _request_class()
_KEY_VALUE: Final = wire.Resource.DESCRIPTOR.fields_by_name["attributes"].message_type
_KeyValue: Final[Any] = message_factory.GetMessageClass(_KEY_VALUE)
_AnyValue: Final[Any] = message_factory.GetMessageClass(_KEY_VALUE.fields_by_name["value"].message_type)


# Below this, a length takes one byte.
ONE_BYTE: Final = 0x80
# Tags: KeyValue.key and AnyValue.string_value are field 1, KeyValue.value is field 2; each is followed by a length.
FIELD_1: Final = 0x0A
FIELD_2: Final = 0x12
# What stands between a key and a text, by the length of the AnyValue: its tag and length, and those of the text in it.
TEXT_HEADS: Final = tuple(bytes((FIELD_2, size, FIELD_1, max(size - 2, 0))) for size in range(ONE_BYTE))
# An empty key, and an empty text as its value.
_SHORTEST: Final = 6


class ResourceLogs(NamedTuple):
    """One resource of a request, as bytes, with its records as they lie in the envelope.

    A record has `time_unix_nano`, `observed_time_unix_nano`, `attributes` (a list of KeyValue as bytes) and `body` (an
    AnyValue as bytes; empty where there is none).
    """

    resource: bytes
    records: list[Any]


def read_request(body: bytes) -> Iterator[ResourceLogs]:
    """The resources of an ExportLogsServiceRequest, each with its records.

    Raises `wire.DecodeError`, before anything is given, where the envelope cannot be parsed.
    """
    request = _Request.FromString(body)
    return (
        ResourceLogs(
            b"".join(item.resource),
            [record for scope_logs in item.scope_logs[:] for record in scope_logs.log_records[:]],
        )
        for item in request.resource_logs[:]
    )


def read_resource(resource: bytes) -> dict[str, str]:
    """The attributes of a resource as texts. Raises `wire.DecodeError` where its bytes cannot be parsed."""
    return {_decoded(item.key): _text(item.value) for item in wire.Resource.FromString(resource).attributes}


def read_attribute(attribute: bytes) -> tuple[str, str]:
    """A KeyValue: its key, and its value as text. Raises `wire.DecodeError` where its bytes cannot be parsed."""
    # As Envoy writes them, they are read by hand, in half the time.
    if len(attribute) >= _SHORTEST and attribute[1] < ONE_BYTE:
        end = attribute[1] + 2
        rest = len(attribute) - end - 2
        if attribute[0] == FIELD_1 and 0 < rest < ONE_BYTE and attribute[end : end + 4] == TEXT_HEADS[rest]:
            return attribute[2:end].decode(errors="replace"), attribute[end + 4 :].decode(errors="replace")
    item = _KeyValue.FromString(attribute)
    return _decoded(item.key), _text(item.value)


def read_record(record: Any) -> tuple[dict[str, str], str]:
    """The attributes of a record as texts, the last of a key, and its body; fields in the body are attributes as well.

    Raises `wire.DecodeError` where something of the record cannot be parsed.
    """
    body, fields = read_body(record)
    return fields | dict(map(read_attribute, record.attributes[:])), body


def read_body(record: Any) -> tuple[str, dict[str, str]]:
    """The body of a record: a text; or else, where it is a map, its fields, as loggers of structured lines write them.

    An attribute of the same name comes before such a field. Raises `wire.DecodeError` where it cannot be parsed.
    """
    raw: bytes = record.body
    if not raw:
        return "", {}
    body = _AnyValue.FromString(raw)
    if body.WhichOneof("value") != "kvlist_value":
        return _text(body), {}
    return "", {_decoded(item.key): _text(item.value) for item in body.kvlist_value.values}


def time_of(record: Any) -> int:
    """When the request began; else when the record was observed; 0 where the sender gave neither. Nanoseconds."""
    time: int = record.time_unix_nano or record.observed_time_unix_nano
    return time


def _decoded(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _text(value: Any) -> str:
    """An AnyValue as text: a number in its shortest form, lists and maps as JSON, nothing as ''."""
    if value.WhichOneof("value") == "string_value":
        return _decoded(value.string_value)
    plain = _plain(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """An AnyValue as plain data. Protobuf bounds how deep it is nested."""
    match value.WhichOneof("value"):
        case "string_value" | "bytes_value" as kind:
            return _decoded(getattr(value, kind))
        case "array_value":
            return [_plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return {_decoded(item.key): _plain(item.value) for item in value.kvlist_value.values}
        case None:
            return None
        case kind:
            return getattr(value, kind)
