"""Kept records as OTLP. It reads and writes bytes, and sends nothing.

A line of flat JSON (core/access_logs/flat.py) becomes one LogRecord:

- *resource*: one for each gateway pod, with the names by which a SkyWalking OAP sorts logs (`service.name`, which it
  insists on, `service.layer`, `job_name`, `aigw.service`; its releases read the pod from `service.instance` or from
  `service.instance.id`), those of OpenTelemetry, and ours, so that a second receiver knows the gateway again. There is
  no `k8s.namespace.name`: the namespace of a Gateway need not be that of its pods. What is configured wins. Every
  name is there once, since an OAP refuses a resource that has one twice.
- *attributes*: the flat names but for `time`, numbers as numbers; and once more, under the names that SWIP-10's rules
  look at, what those need. Without `gen_ai.request.model` and `response_code` an OAP drops every record. (It samples
  again by rules of its own: of ours it keeps those of status 400 and above, and upstream failures.)
- *body*: one readable line. It is what Loki and the OAP show first; both keep the attributes beside it, and search by
  them, so the whole object as text would be there twice. An OAP reads nothing but a text there.
- *severity*: by the ending. The observed time is left out: nobody remembers it.

Sources: opentelemetry/proto/logs/v1/logs.proto and collector/logs/v1/logs_service.proto, v1.x.
"""

import calendar
import dataclasses
import functools
import json
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry.proto.logs.v1 import logs_pb2

from aigw_receiver.core.access_logs.flat import Json
from aigw_receiver.core.access_logs.model import Ending, RouteType

_SCOPE: Final = "aigw-telemetry"

# The fixed words of SkyWalking's recipe for this gateway (SWIP-10).
_LAYER: Final = "ENVOY_AI_GATEWAY"
_JOB: Final = "envoy-ai-gateway"

_INFO: Final = logs_pb2.SEVERITY_NUMBER_INFO, "INFO"
_WARN: Final = logs_pb2.SEVERITY_NUMBER_WARN, "WARN"
_ERROR: Final = logs_pb2.SEVERITY_NUMBER_ERROR, "ERROR"
_SEVERITIES: Final = {
    Ending.OK.value: _INFO,
    Ending.CLIENT_ERROR.value: _WARN,
    Ending.ABORTED.value: _WARN,
    Ending.UPSTREAM_ERROR.value: _ERROR,
    Ending.GATEWAY_ERROR.value: _ERROR,
    Ending.TIMEOUT.value: _ERROR,
    Ending.TOOL_ERROR.value: _ERROR,
}

# SWIP-10's name, and the flat names that its value is taken from, the best first.
_COMMON_ALIASES: Final = (
    ("response_code", ("status",)),
    ("duration", ("duration_ms",)),
    ("request.path", ("path",)),
    ("connection_termination_details", ("connection_termination",)),
    ("upstream_transport_failure_reason", ("upstream_failure_reason",)),
)
_ALIASES: Final = {
    RouteType.LLM.value: (
        ("gen_ai.request.model", ("requested_model",)),
        ("gen_ai.response.model", ("answered_model",)),
        ("gen_ai.provider.name", ("provider", "backend")),
        ("gen_ai.usage.input_tokens", ("input_tokens",)),
        ("gen_ai.usage.output_tokens", ("output_tokens",)),
        ("session.id", ("session_id",)),
        *_COMMON_ALIASES,
    ),
    RouteType.MCP.value: (
        ("mcp.method.name", ("mcp_method",)),
        ("mcp.provider.name", ("mcp_backend",)),
        ("mcp.session.id", ("session_id",)),
        *_COMMON_ALIASES,
    ),
}

_SMALL: Final = [bytes((number,)) for number in range(0x80)]
_SCOPE_FIELD: Final = b"\x0a" + bytes((len(_SCOPE) + 2,)) + b"\x0a" + bytes((len(_SCOPE),)) + _SCOPE.encode()
_UINT64: Final = (1 << 64) - 1

_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{9})Z")
_NANOSECONDS: Final = 1_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """An ExportLogsServiceRequest: its bytes, and how many of the lines are in it, and how many were none."""

    body: bytes
    records: int
    malformed: int


# Written by hand, at a third of the cost of message objects. A byte with number and wire type stands before each field.
#   ExportLogsServiceRequest { repeated ResourceLogs resource_logs = 1 }
#   ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2 }
#   Resource { repeated KeyValue attributes = 1 }
#   ScopeLogs { InstrumentationScope scope = 1; repeated LogRecord log_records = 2 }
#   InstrumentationScope { string name = 1 }
#   LogRecord { fixed64 time_unix_nano = 1; SeverityNumber severity_number = 2; string severity_text = 3;
#               AnyValue body = 5; repeated KeyValue attributes = 6 }
#   KeyValue { string key = 1; AnyValue value = 2 }
#   AnyValue { oneof value { string string_value = 1; int64 int_value = 3; double double_value = 4 } }
def build_request(lines: Iterable[bytes], attributes: Mapping[str, str]) -> Request:
    """All lines in one request, in their order within each gateway pod; `attributes` are those of every resource."""
    pods: dict[tuple[str, str, str], list[bytes]] = {}
    records = malformed = 0
    for line in lines:
        try:
            flat = json.loads(line)
            record = build_record(flat)
            pod = _text(flat["gateway_namespace"]), _text(flat["gateway_name"]), _text(flat["gateway_pod"])
        except (ValueError, KeyError, TypeError, OverflowError):
            malformed += 1
            continue
        pods.setdefault(pod, [_SCOPE_FIELD]).append(_field(b"\x12", record))
        records += 1
    body = b"".join(_build_resource(_resource(*pod, attributes), logs) for pod, logs in pods.items())
    return Request(body, records, malformed)


def _build_resource(resource: Mapping[str, str], logs: Iterable[bytes]) -> bytes:
    attributes = _field(b"\x0a", _key_values(b"\x0a", resource))
    return _field(b"\x0a", attributes + _field(b"\x12", b"".join(logs)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _resource(namespace: str, name: str, pod: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """What is said of a gateway pod; a part that is not known is left out."""
    known = {
        "service.name": name,
        "service.namespace": namespace,
        "service.instance.id": pod,
        "service.instance": pod,
        "service.layer": _LAYER,
        "job_name": _JOB,
        "aigw.service": name,
        "aigw.gateway.namespace": namespace,
        "aigw.gateway.name": name,
        "k8s.pod.name": pod,
    }
    return {key: value for key, value in (known | dict(attributes)).items() if value}


def build_record(flat: Mapping[str, Json]) -> bytes:
    """One LogRecord. Raises ValueError, KeyError, TypeError or OverflowError where it is none."""
    number, severity = _SEVERITIES.get(str(flat["ending"]), _INFO)
    attributes = {name: value for name, value in flat.items() if name != "time"}
    for alias, names in _ALIASES.get(str(flat["ai_route_type"]), ()):
        for name in names:
            if name in flat:
                attributes[alias] = flat[name]
                break
    time = min(nanoseconds(str(flat["time"])), _UINT64)
    return b"".join(
        (
            b"\x09",
            time.to_bytes(8, "little"),
            b"\x10",
            _varint(number),
            _field(b"\x1a", severity.encode()),
            _field(b"\x2a", _field(b"\x0a", summary(flat).encode())),
            _key_values(b"\x32", attributes),
        )
    )


def _key_values(tag: bytes, values: Mapping[str, Json]) -> bytes:
    return b"".join([tag + _key_value(name, value) for name, value in values.items()])


# Most of what records say they say alike. By type as well, since 1 and 1.0 are equal.
@functools.lru_cache(maxsize=2048, typed=True)
def _key_value(name: str, value: Json) -> bytes:
    """With its length."""
    content = _field(b"\x0a", name.encode()) + _field(b"\x12", _any_value(value))
    return _varint(len(content)) + content


def _any_value(value: Json) -> bytes:
    if isinstance(value, str):
        return _field(b"\x0a", value.encode())
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return b"\x18" + _varint(value & _UINT64)
    if isinstance(value, int | float):
        return b"\x21" + struct.pack("<d", float(value))
    raise TypeError


def _field(tag: bytes, content: bytes) -> bytes:
    """A field with a length."""
    return tag + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """A number that is not negative in groups of seven bits, the lowest first."""
    if number < 0x80:
        return _SMALL[number]
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def summary(flat: Mapping[str, Json]) -> str:
    """One line that tells what was asked, how it ended, how long it took and what it cost."""
    parts: list[Any] = [flat.get("method"), flat.get("path"), flat.get("status"), flat["ending"]]
    parts += [flat.get("mcp_method"), flat.get("mcp_tool"), flat.get("answered_model") or flat.get("requested_model")]
    parts.append(flat.get("backend") or flat.get("mcp_backend"))
    if "duration_ms" in flat:
        parts.append(f"{flat['duration_ms']:g} ms")
    if "input_tokens" in flat or "output_tokens" in flat:
        parts.append(f"{flat.get('input_tokens', 0)}+{flat.get('output_tokens', 0)} tokens")
    if "cost_usd" in flat:
        parts.append(f"{flat['cost_usd']:.6g} USD")
    return " ".join(str(part) for part in parts if part is not None)


def nanoseconds(text: str) -> int:
    """The nanoseconds since 1970 that `flat.rfc3339` has written as this text. Raises ValueError for any other."""
    match = _TIME.fullmatch(text)
    if match is None:
        message = f"not a time: {text!r}"
        raise ValueError(message)
    *fields, fraction = map(int, match.groups())
    return calendar.timegm((*fields[:6], 0, 0, 0)) * _NANOSECONDS + fraction
