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
# At most two journals and two snapshots lie in the data directory at one time (docs/adr/0004-journal.md).
_JOURNALS: Final = 4


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
    if "$ref" in schema:
        expected = receiver_schema.SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        if not _matches(expected, value):
            yield f"{path}: expected {expected['title']}, got {value!r}"
    elif not isinstance(value, Mapping):
        if value is not None:
            yield f"{path}: expected {schema['title']}, got {value!r}"
        elif "required" in schema:
            yield from _errors(schema, {}, path)
    elif "properties" in schema:
        yield from _errors_of_section(schema, value, path)
    else:
        names = schema["propertyNames"]
        for name, section in value.items():
            if _is_text(names, name):
                yield from _errors(schema["additionalProperties"], section, f"{path}.{name}")
            else:
                yield f"{path}: expected {names['title']}, got {name!r}"


def _errors_of_section(schema: Raw, section: Raw, path: str) -> Iterator[str]:
    known = schema["properties"]
    for key, item in section.items():
        if key in known:
            yield from _errors(known[key], item, f"{path}.{key}")
        else:
            yield f"{path}.{key}: unknown key; expected one of {', '.join(known)}"
    yield from (f"{path}.{key}: required" for key in schema.get("required", ()) if key not in section)
    # Each option leaves one key a value: those that it takes it from are known by the others.
    options = [option["properties"] for option in schema.get("anyOf", ())]
    if options and all(any(section.get(key) is not None for key in option) for option in options):
        either = {key: section[key] for key in known if any(key in option for option in options) and key in section}
        yield f"{path}: expected either {' or '.join(either)}, got {either!r}"


def _is_text(schema: Raw, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(schema["pattern"], value) is not None


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
            return _is_text(schema, value)
        case "object":
            return isinstance(value, Mapping) and all(
                _is_text(schema["propertyNames"], name) and _matches(schema["additionalProperties"], item)
                for name, item in value.items()
            )
        case "array":
            return (
                isinstance(value, list)
                and len(value) >= schema.get("minItems", 0)
                and all(_matches(schema["items"], item) for item in value)
            )
    message = f"a schema that nobody reads: {schema}"
    raise ValueError(message)


def data_size(spec: Raw) -> int:
    """The bytes that the receiver's data directory may come to hold by this configuration."""
    written = spec.get("configuration")
    size = _JOURNALS * _size(written, "journal", "size")
    if _at(written, "access_logs", "store", "enabled") is not False:
        size += _size(written, "access_logs", "store", "size")
    forward = _at(written, "access_logs", "forward")
    names = forward if isinstance(forward, Mapping) else ()
    return size + sum(_size(written, "access_logs", "forward", name, "queue") for name in names)


def _size(document: Any, *path: str) -> int:
    """The bytes that a key says; by its default where it is not there, or not right."""
    schema: Raw = receiver_schema.SCHEMA
    for key in path:
        schema = schema["properties"][key] if "properties" in schema else schema["additionalProperties"]
    written = _at(document, *path)
    good = _matches(receiver_schema.SCHEMA["$defs"]["size"], written)
    match = re.fullmatch(r"(\d+) ?(\w*)", str(written if good else schema["default"]))
    return int(match[1]) * _SIZES[match[2]] if match else 0


def _at(document: Any, *path: str) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
