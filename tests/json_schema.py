"""What a JSON Schema refuses in a flat object, as far as docs/access-log.schema.json uses the language."""

import re
from collections.abc import Iterator
from typing import Any, Final

_TYPES: Final[dict[str, tuple[type, ...]]] = {"string": (str,), "integer": (int,), "number": (int, float)}


def violations(schema: dict[str, Any], value: dict[str, Any]) -> list[str]:
    """Each as "name: keyword"."""
    found = [f"{name}: required" for name in schema["required"] if name not in value]
    for name, item in value.items():
        below = schema["properties"].get(name)
        if below is None:
            patterns = schema["patternProperties"].items()
            below = next((each for pattern, each in patterns if re.search(pattern, name)), None)
        if below is None:
            found.append(f"{name}: additionalProperties")
        else:
            found += [f"{name}: {keyword}" for keyword in _broken(below, item)]
    return found


def _broken(schema: dict[str, Any], value: Any) -> Iterator[str]:
    kinds: Any = _TYPES[schema["type"]]
    if not isinstance(value, kinds) or isinstance(value, bool):
        yield "type"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield "enum"
    if "minimum" in schema and value < schema["minimum"]:
        yield "minimum"
    if "maximum" in schema and value > schema["maximum"]:
        yield "maximum"
    if "minLength" in schema and len(value) < schema["minLength"]:
        yield "minLength"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield "pattern"
