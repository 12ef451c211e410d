"""How a key of the configuration is declared, and how a parsed document becomes values by these declarations.

A section is a dataclass whose fields are keys (`key`), other sections, or sections by name (`named`); of the
keys in its class variable EITHER only one may have a value. A reader
(`read_…`) raises ValueError with one line that names the path of the key and what was expected there; these words and
the reader's name are known to the generator of the operator's JSON Schema. This module opens nothing.
"""

import dataclasses
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

SECOND: Final = 1_000_000_000

_UNITS: Final = {"ms": SECOND // 1000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_SIZES: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

# A name that a user gives: it becomes a label's value and a directory, so it is what Kubernetes calls a label.
NAME: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"

Default: TypeAlias = "bool | int | float | str | tuple[str, ...] | dict[str, str] | None"


def fail(path: str, expected: str, value: object) -> typing.NoReturn:
    """Refuse a value."""
    message = f"{path}: expected {expected}, got {value!r}"
    raise ValueError(message)


def key(read: Callable[[str, Any], Any], default: Default, text: str, *, required: bool = False) -> Any:
    """A key: how its value is read, its default as one would write it, and what it means."""
    metadata = {"read": read, "default": default, "text": text, "required": required}
    value = None if default is None else read("", list(default) if isinstance(default, tuple) else default)
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: read("", default), metadata=metadata)
    return dataclasses.field(default=value, metadata=metadata)


def named(kind: type[Any]) -> Any:
    """A key that holds any number of sections of one kind, each under a name."""
    return dataclasses.field(default_factory=dict, metadata={"each": kind})


def read_section(kind: Any, path: str, document: object) -> Any:
    """A section and the sections in it, with the defaults of what is left out."""
    if not isinstance(document, Mapping):
        fail(path or "the file", "a mapping", document)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    values = {}
    for name, value in document.items():
        place = f"{path}.{name}" if path else str(name)
        if name not in fields:
            message = f"{place}: unknown key; expected one of {', '.join(fields)}"
            raise ValueError(message)
        field = fields[name]
        if "read" in field.metadata:
            values[name] = field.metadata["read"](place, value)
        elif "each" in field.metadata:
            values[name] = _read_each(field.metadata["each"], place, {} if value is None else value)
        else:
            values[name] = read_section(field.default_factory, place, {} if value is None else value)
    for name, field in fields.items():
        if field.metadata.get("required") and name not in values:
            message = f"{path}.{name}: required"
            raise ValueError(message)
    either = {name: values[name] for name in getattr(kind, "EITHER", ()) if values.get(name) is not None}
    if len(either) > 1:
        fail(path, f"either {' or '.join(either)}", either)
    return kind(**values)


def _read_each(kind: type[Any], path: str, document: object) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        fail(path, "a mapping", document)
    sections = {}
    for name, section in document.items():
        if not isinstance(name, str) or not re.fullmatch(NAME, name):
            fail(path, "names of lower case letters, digits and dashes", name)
        sections[name] = read_section(kind, f"{path}.{name}", {} if section is None else section)
    return sections


def read_switch(path: str, value: object) -> bool:
    """Whether something is on."""
    if not isinstance(value, bool):
        fail(path, "true or false", value)
    return value


def read_count(path: str, value: object) -> int:
    """A number of things."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        fail(path, "a whole number of at least 1", value)
    return value


def read_optional_count(path: str, value: object) -> int | None:
    """A number of things, or none: a budget is records a minute of each gateway, and without one there is no bound."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        fail(path, "a whole number of at least 1, or null", value)
    return value


def read_rate(path: str, value: object) -> float | None:
    """A share of all, above 0 and up to 1; or none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        fail(path, "a number above 0 and up to 1, or null", value)
    return float(value)


def read_duration(path: str, value: object) -> int:
    """A time, in nanoseconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value) if isinstance(value, str) else None
    if match is None or not float(match[1]):
        fail(path, "a duration such as 500ms, 60s, 5m or 1h", value)
    return int(float(match[1]) * _UNITS[match[2]])


def read_size(path: str, value: object) -> int:
    """A number of bytes."""
    match = re.fullmatch(r"(\d+) ?(|KiB|MiB|GiB)", str(value)) if not isinstance(value, bool) else None
    if match is None or not int(match[1]):
        fail(path, "a size such as 4MiB, or a number of bytes", value)
    return int(match[1]) * _SIZES[match[2]]


def read_names(path: str, value: object) -> tuple[str, ...]:
    """Names of metrics."""
    return _texts(path, "a list of metric names, or of prefixes that end in *", value)


def read_attributes(path: str, value: object) -> tuple[str, ...]:
    """Names of attributes."""
    return _texts(path, "a list of names of attributes", value)


def _texts(path: str, expected: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        fail(path, expected, value)
    return tuple(value)


def read_pairs(path: str, value: object) -> dict[str, str]:
    """Texts by name."""
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and name and isinstance(text, str) for name, text in value.items()
    ):
        fail(path, "a mapping of names to texts", value)
    return dict(value)


def read_endpoint(path: str, value: object) -> str:
    """Where something is sent."""
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^/\s]+:\d{1,5}(/\S*)?", value):
        fail(path, "http://HOST:PORT or https://HOST:PORT", value)
    return value
