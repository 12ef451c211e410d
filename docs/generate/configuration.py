"""Writes docs/configuration.md from the declarations in the receiver's settings; with --check it only compares."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aigw_receiver import configuration, settings

PAGE = Path(__file__).parents[1] / "configuration.md"

HEAD = """# Configuration of the receiver

This page is generated from `receiver/aigw_receiver/settings.py` by `make docs`; edit it there.

`aigw-receiver serve --config FILE` reads a YAML file. Every key has a default, so the file may be missing, empty, or
hold only what differs. An unknown key or a bad value ends the start with one line that names the key's path and what
was expected there, and exit status 2.

A duration is written as `500ms`, `60s`, `5m` or `1h`; a size as `4MiB` or as a number of bytes; an address as
`HOST:PORT`, with an IPv6 host in brackets. NAME in a key is a name of your choice, of lower case letters, digits and
dashes; there may be any number of them.
"""

OVERRIDES = """## Flags and environment variables

They override the file; a flag wins over the environment.

| flag | environment variable | key |
| --- | --- | --- |
| `--config FILE` | `AIGW_RECEIVER_CONFIG` | |
"""


def rows(kind: Any, path: str) -> Iterator[str]:
    """The table rows of one section and the sections in it."""
    for field in dataclasses.fields(kind):
        place = f"{path}.{field.name}" if path else field.name
        if "each" in field.metadata:
            yield from rows(field.metadata["each"], f"{place}.NAME")
            continue
        if "read" not in field.metadata:
            yield from rows(field.default_factory, place)
            continue
        default = field.metadata["default"]
        if isinstance(default, tuple):
            default = f"[{', '.join(default)}]"
        if isinstance(default, bool):
            default = str(default).lower()
        if isinstance(default, dict):
            default = str(default)
        shown = "required" if field.metadata["required"] else "" if default is None else f"`{default}`"
        yield f"| `{place}` | {shown} | {field.metadata['text']} |"


def page() -> str:
    """The whole page."""
    lines = [
        HEAD,
        "## Keys",
        "",
        "| key | default | meaning |",
        "| --- | --- | --- |",
        *rows(settings.Settings, ""),
        "",
    ]
    lines.append(OVERRIDES.rstrip())
    for path in configuration.OVERRIDES:
        name = path.rpartition(".")[2]
        value = "DIR" if name == "data_dir" else "HOST:PORT"
        more = " (may be repeated; commas in the variable)" if name == "otlp_grpc" else ""
        variable = configuration.ENVIRONMENT_PREFIX + name.upper()
        lines.append(f"| `--{name.replace('_', '-')} {value}`{more} | `{variable}` | `{path}` |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or with --check tell whether it is current."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page())
        return 0
    if PAGE.exists() and PAGE.read_text() == page():
        return 0
    sys.stderr.write("docs/configuration.md is not current: run `make docs`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
