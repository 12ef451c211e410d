"""Writes docs/kinds.md from the CRDs' own descriptions; with --check it only compares."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

TREE = Path(__file__).parents[2]
PAGE = TREE / "docs" / "kinds.md"

KINDS = {
    "TelemetryPolicy": ("telemetry.aigw.dev_telemetrypolicies.yaml", "telemetrypolicy.yaml"),
    "TelemetryReceiver": ("telemetry.aigw.dev_telemetryreceivers.yaml", "telemetryreceiver.yaml"),
}
"""Of each kind its file in crds/ and the one in examples/."""

HEAD = """# TelemetryPolicy and TelemetryReceiver

This page is generated from `crds/` by `make docs`; edit it there. `kubectl explain` shows the same in a cluster with
the CRDs:

```sh
kubectl apply -f crds/
kubectl explain telemetrypolicy.spec
kubectl get aigw-telemetry --all-namespaces      # both kinds; short names are tpol and trecv
```

A required field is marked by `*`; `[]` stands for the entries of a list. An API server refuses what breaks a rule, and
so does `aigw-operator render` for files.
"""

WORDS = {"object": "object", "array": "list", "string": "text", "boolean": "true or false", "integer": "whole number"}


def shown(value: Any) -> str:
    """A default as one would write it."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def form(schema: Any) -> str:
    """What a value looks like."""
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    if "additionalProperties" in schema:
        return f"map of {WORDS[schema['additionalProperties']['type']]}"
    if schema["type"] == "array":
        return f"list of {WORDS[schema['items']['type']]}"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    return WORDS[schema["type"]]


def rows(schema: Any, path: str) -> Iterator[str]:
    """The table rows of one object's fields, and of the fields below them."""
    for name, below in schema.get("properties", {}).items():
        place = f"{path}.{name}" if path else name
        star = "*" if name in schema.get("required", ()) else ""
        default = below.get("default")
        preset = "" if default is None or isinstance(default, dict) else f"`{shown(default)}`"
        yield f"| `{place}`{star} | {form(below)} | {preset} | {below['description']} |"
        yield from rows(below, place)
        if "items" in below:
            yield from rows(below["items"], f"{place}[]")


def rules(schema: Any, path: str) -> Iterator[str]:
    """The rules of a schema and of what is below it, as a list."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield f"- `{path}{rule.get('fieldPath', '')}`: {rule['message']}"
    for name, below in schema.get("properties", {}).items():
        yield from rules(below, f"{path}.{name}" if path else name)
    if "items" in schema:
        yield from rules(schema["items"], f"{path}[]")


def section(kind: str) -> Iterator[str]:
    """All of one kind."""
    definition, example = KINDS[kind]
    spec = yaml.safe_load((TREE / "crds" / definition).read_text())["spec"]
    schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
    head = ["| field | form | default | meaning |", "| --- | --- | --- | --- |"]
    own = [f"- `metadata.name`: {rule['message']}" for rule in schema.get("x-kubernetes-validations", ())]
    yield from (f"## {kind}", "", schema["description"], "")
    yield from ("```yaml", (TREE / "examples" / example).read_text().rstrip(), "```", "")
    yield from ("### Spec", "", *head, *rows(schema["properties"]["spec"], ""), "")
    yield from ("### Rules", "", *own, *rules(schema["properties"]["spec"], "spec"), "")
    yield from ("### Status", "", *head, *rows(schema["properties"]["status"], ""), "")


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for kind in KINDS:
        lines += section(kind)
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the page, or with --check tell whether it is current."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page())
        return 0
    if PAGE.exists() and PAGE.read_text() == page():
        return 0
    sys.stderr.write("docs/kinds.md is not current: run `make docs`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
