"""Writes the operator's JSON Schema of the receiver's configuration from its settings; with --check it only compares.

The two programs know nothing of each other: this file is the only bridge, and what it writes is committed.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from aigw_receiver import settings
from aigw_receiver.core import keys

MODULE = Path(__file__).parents[2] / "operator" / "aigw_operator" / "core" / "receiver_schema.py"

HEAD = '''"""The JSON Schema of the receiver's configuration. Values only; it checks nothing.

Generated from `receiver/aigw_receiver/settings.py` by `make docs`; edit it there. The `title` of a definition says what
is expected. An integer is written without a fraction, and a pattern is for the whole text.
"""

import json
from typing import Final

from aigw_operator.core.model import Raw

SCHEMA: Final[Raw] = json.loads(r"""
'''

# That of the code, less the name before an object.
WIDTH = 100

ADDRESS = r"^(\[[0-9a-fA-F:.%]+\]|[^:\[\]]*):\d{1,5}$"
SIZE = r"^(?=.*[1-9])\d+ ?(|KiB|MiB|GiB)$"
NAMES = "names of lower case letters, digits and dashes"
DURATION = r"^(?=.*[1-9])\d+(\.\d+)?(ms|s|m|h)$"

# What each reader of settings.py takes, under the words that it asks for it with. tests/contract holds both together.
KINDS: dict[str, dict[str, Any]] = {
    "address": {"title": "HOST:PORT", "type": "string", "pattern": ADDRESS},
    "addresses": {
        "title": "a list of HOST:PORT",
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": ADDRESS},
    },
    "count": {"title": "a whole number of at least 1", "type": "integer", "minimum": 1},
    "size": {
        "title": "a size such as 4MiB, or a number of bytes",
        "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": SIZE}],
    },
    "duration": {"title": "a duration such as 500ms, 60s, 5m or 1h", "type": "string", "pattern": DURATION},
    "names": {
        "title": "a list of metric names, or of prefixes that end in *",
        "type": "array",
        "items": {"type": "string", "pattern": r"^[\s\S]+$"},
    },
    "attributes": {
        "title": "a list of names of attributes",
        "type": "array",
        "items": {"type": "string", "pattern": r"^[\s\S]+$"},
    },
    "switch": {"title": "true or false", "type": "boolean"},
    "status": {"title": "an HTTP status from 100 to 599", "type": "integer", "minimum": 100, "maximum": 599},
    "flags": {
        "title": "a list of response flags such as UF and NR",
        "type": "array",
        "items": {"type": "string", "pattern": r"^[A-Z]{2,8}$"},
    },
    "optional_count": {
        "title": "a whole number of at least 1, or null",
        "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}],
    },
    "rate": {
        "title": "a number above 0 and up to 1, or null",
        "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"type": "null"}],
    },
    "pairs": {
        "title": "a mapping of names to texts",
        "type": "object",
        "propertyNames": {"pattern": r"^[\s\S]+$"},
        "additionalProperties": {"type": "string", "pattern": r"^[\s\S]*$"},
    },
    "endpoint": {
        "title": "http://HOST:PORT or https://HOST:PORT",
        "type": "string",
        "pattern": r"^https?://[^/\s]+:\d{1,5}(/\S*)?$",
    },
    "protocol": {"title": "grpc or http", "enum": ["grpc", "http"]},
    "compression": {"title": "gzip or none", "enum": ["gzip", "none"]},
    "directory": {"title": "the path of a directory", "type": "string", "pattern": r"^[\s\S]+$"},
    "file": {"title": "the path of a file", "type": "string", "pattern": r"^[\s\S]+$"},
    "level": {"title": "debug, info, warning or error", "enum": ["debug", "info", "warning", "error"]},
}


def section(kind: Any) -> dict[str, Any]:
    """The schema of one section and the sections in it."""
    properties: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if "each" in field.metadata:
            properties[field.name] = {
                "title": "a mapping",
                "type": ["object", "null"],
                "propertyNames": {"title": NAMES, "pattern": f"^{keys.NAME}$"},
                "additionalProperties": section(field.metadata["each"]),
            }
            continue
        if "read" not in field.metadata:
            properties[field.name] = section(field.default_factory)
            continue
        name = field.metadata["read"].__name__.lstrip("_").removeprefix("read_")
        properties[field.name] = {"$ref": f"#/$defs/{name}", "description": field.metadata["text"]}
        if field.metadata["default"] is not None:
            properties[field.name]["default"] = field.metadata["default"]
    # A section that is left empty in YAML is null, and all of it has its defaults.
    schema = {"title": "a mapping", "type": ["object", "null"], "additionalProperties": False, "properties": properties}
    required = [field.name for field in dataclasses.fields(kind) if field.metadata.get("required")]
    if required:
        schema |= {"type": "object", "required": required}
    either = getattr(kind, "EITHER", ())
    if either:
        # Only one of these has a value: each but one is null, or not there.
        schema["anyOf"] = [{"properties": {name: {"type": "null"} for name in either if name != one}} for one in either]
    return schema


def rendered(value: Any, indent: str = "") -> str:
    """JSON whose objects and lists stand on one line each where they fit into it."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= WIDTH or not isinstance(value, (dict, list, tuple)):
        return line
    if not isinstance(value, dict):
        items = [f"{indent} {rendered(item, indent + ' ')}" for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    items = [f"{indent} {json.dumps(name)}: {rendered(item, indent + ' ')}" for name, item in value.items()]
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"


def module() -> str:
    """The whole module."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **section(settings.Settings),
        "$defs": KINDS,
    }
    return f'{HEAD}{rendered(schema)}\n""")\n'


def main() -> int:
    """Write the module, or with --check tell whether it is current."""
    if "--check" not in sys.argv[1:]:
        MODULE.write_text(module())
        return 0
    if MODULE.exists() and MODULE.read_text() == module():
        return 0
    sys.stderr.write("operator/aigw_operator/core/receiver_schema.py is not current: run `make docs`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
