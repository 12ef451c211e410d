"""The configuration that a receiver runs with: what the operator sets, under what the user wrote; and what is refused.

The receiver ends its start at a bad configuration, so whatever it would refuse must be found here, and said. What it
takes is one JSON Schema (`receiver_schema.py`, generated from the receiver's settings).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aigw_operator.core import receiver_schema
from aigw_operator.core.model import Raw

# The listeners' ports: those of OTLP are OpenTelemetry's own, the other two are the receiver's defaults.
OTLP_GRPC_PORT: Final = 4317
OTLP_HTTP_PORT: Final = 4318
HTTP_PORT: Final = 8080
TELEMETRY_PORT: Final = 8081
PORTS: Final = (OTLP_GRPC_PORT, OTLP_HTTP_PORT, HTTP_PORT, TELEMETRY_PORT)

# Keys that the operator owns, since Services, probes and volumes follow them; and where the user says it instead.
_OWNED: Final[Mapping[str, str]] = {
    "listen": "the operator owns it; further ports for OTLP/gRPC stand in spec.extraOtlpGrpcPorts",
    "data_dir": "the operator owns it; spec.storage says where it lies",
}

_SIZES: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_DEFAULT_JOURNAL: Final[int | str] = receiver_schema.SCHEMA["properties"]["journal"]["properties"]["size"]["default"]


def build(spec: Raw) -> dict[str, Any]:
    """The whole configuration, from the spec of a TelemetryReceiver: what the user wrote, and the listeners."""
    grpc_ports = (OTLP_GRPC_PORT, *(spec.get("extraOtlpGrpcPorts") or ()))
    listen = {
        "otlp_grpc": [f"0.0.0.0:{port}" for port in grpc_ports],
        "otlp_http": f"0.0.0.0:{OTLP_HTTP_PORT}",
        "http": f"0.0.0.0:{HTTP_PORT}",
        "telemetry": f"0.0.0.0:{TELEMETRY_PORT}",
    }
    written = spec.get("configuration") or {}
    return {"listen": listen, **{key: value for key, value in written.items() if key not in _OWNED}}


def errors(configuration: object, path: str) -> tuple[str, ...]:
    """What is wrong with a configuration that a user wrote, each with its path below `path`, and what was expected."""
    if not isinstance(configuration, Mapping):
        return (f"{path}: expected a mapping, got {configuration!r}",)
    owned = tuple(f"{path}.{key}: {why}" for key, why in _OWNED.items() if key in configuration)
    rest = {key: value for key, value in configuration.items() if key not in _OWNED}
    return owned + tuple(_errors(receiver_schema.SCHEMA, rest, path))


def _errors(schema: Raw, value: Any, path: str) -> Iterator[str]:
    if "properties" not in schema:
        expected = receiver_schema.SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        if not _matches(expected, value):
            yield f"{path}: expected {expected['title']}, got {value!r}"
    elif isinstance(value, Mapping):
        known = schema["properties"]
        for key, item in value.items():
            if key in known:
                yield from _errors(known[key], item, f"{path}.{key}")
            else:
                yield f"{path}.{key}: unknown key; expected one of {', '.join(known)}"
    elif value is not None:
        yield f"{path}: expected {schema['title']}, got {value!r}"


def _matches(schema: Raw, value: Any) -> bool:
    """Whether a value is what a definition describes, by the keywords that the generated schema uses."""
    if "anyOf" in schema:
        return any(_matches(option, value) for option in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    match schema["type"]:
        case "integer":
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and schema["minimum"] <= value <= schema.get("maximum", value)
        case "number":
            real = isinstance(value, int | float) and not isinstance(value, bool)
            return real and schema["exclusiveMinimum"] < value <= schema["maximum"]
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "string":
            return isinstance(value, str) and re.fullmatch(schema["pattern"], value) is not None
        case "array":
            return (
                isinstance(value, list)
                and len(value) >= schema.get("minItems", 0)
                and all(_matches(schema["items"], item) for item in value)
            )
    message = f"a schema that nobody reads: {schema}"
    raise ValueError(message)


def journal_size(spec: Raw) -> int:
    """The bytes at which the receiver replaces its journal by a snapshot; the default where the key is not right."""
    written = ((spec.get("configuration") or {}).get("journal") or {}).get("size", _DEFAULT_JOURNAL)
    size = receiver_schema.SCHEMA["$defs"]["size"]
    match = re.fullmatch(r"(\d+) ?(\w*)", str(written if _matches(size, written) else _DEFAULT_JOURNAL))
    return int(match[1]) * _SIZES[match[2]] if match else 0
