"""What an API server makes of an object by a structural schema, as far as our CRDs use it. CEL is left out.

Source: the Kubernetes documentation on custom resource definitions (structural schemas, defaulting, list types).
"""

import re
from collections.abc import Iterator
from typing import Any, Final

UNIQUE: Final = "x-kubernetes-list-type"
"""The keyword that refuses a duplicate."""

UNKNOWN: Final = "properties"
"""The keyword that refuses an unknown field (an API server does so where the client asks for strict validation)."""

_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}


def nodes(schema: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every schema in a schema, with its path; [] stands for an entry."""
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from nodes(below, f"{path}.{name}" if path else name)
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield from nodes(schema[keyword], f"{path}[]")


def violations(schema: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """What a structural schema refuses in a value: path and keyword. CEL is left out."""
    kind = schema["type"]
    if not _is(kind, value):
        yield path, "type"
        return
    for keyword, fault in _bounds(schema, value):
        if fault:
            yield path, keyword
    if kind == "object":
        yield from _below(schema, value, path)
    elif kind == "array":
        yield from _duplicates(schema, value, path)
        for index, item in enumerate(value):
            yield from violations(schema["items"], item, f"{path}[{index}]")


def _is(kind: str, value: Any) -> bool:
    return isinstance(value, _TYPES[kind]) and not (kind == "integer" and isinstance(value, bool))


def _bounds(schema: Any, value: Any) -> Iterator[tuple[str, bool]]:
    size = len(value) if isinstance(value, (str, list, dict)) else value
    for keyword in ("minLength", "minimum"):
        yield keyword, keyword in schema and size < schema[keyword]
    for keyword in ("maxLength", "maxItems", "maxProperties", "maximum"):
        yield keyword, keyword in schema and size > schema[keyword]
    yield "enum", "enum" in schema and value not in schema["enum"]
    yield "pattern", "pattern" in schema and re.search(schema["pattern"], value) is None


def _below(schema: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name}" if path else name, "required"
    for name, item in value.items():
        place = f"{path}.{name}" if path else name
        if name in properties:
            yield from violations(properties[name], item, place)
        elif "additionalProperties" in schema:
            yield from violations(schema["additionalProperties"], item, place)
        elif properties and "x-kubernetes-preserve-unknown-fields" not in schema:
            yield place, UNKNOWN


def _duplicates(schema: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    seen: list[Any] = []
    keys = schema.get("x-kubernetes-list-map-keys", ())
    for index, item in enumerate(value):
        key = [item.get(name) for name in keys] if keys and isinstance(item, dict) else item
        if schema.get(UNIQUE) in ("map", "set") and key in seen:
            yield f"{path}[{index}]", UNIQUE
        seen.append(key)


def with_defaults(schema: Any, value: Any) -> Any:
    """What an API server makes of a value: defaults where a property is missing, at each level that is there."""
    if isinstance(value, dict):
        defaults = {
            name: below["default"] for name, below in schema.get("properties", {}).items() if "default" in below
        }
        merged = defaults | value
        return {name: with_defaults(schema.get("properties", {}).get(name, {}), item) for name, item in merged.items()}
    if isinstance(value, list):
        return [with_defaults(schema.get("items", {}), item) for item in value]
    return value
