"""JSON data as YAML text that every YAML parser reads back as the very same data. It parses nothing.

A string is always quoted, so that no value of a user can become another type, another key, or another document. JSON is
YAML but for two things, which are put right here: YAML 1.1 reads a float without a point as text, and refuses or folds
some characters that JSON leaves as they are.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

# YAML 1.1, sections 5.1 and 5.4: neither printable nor a line break of JSON, or a line break of YAML's own.
_SPECIAL: Final = re.compile("[\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def flow(value: Any) -> str:
    """A value on one line, in flow style. Raises TypeError where it is no JSON."""
    match value:
        case None | bool() | int():
            return json.dumps(value)
        case float():
            text = repr(value)
            return text.replace("e", ".0e", 1) if "e" in text and "." not in text else text
        case str():
            return _SPECIAL.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
        case Mapping():
            return "{" + ", ".join(f"{flow(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
        case Sequence():
            return "[" + ", ".join(flow(item) for item in value) + "]"
    message = f"not JSON: {value!r}"
    raise TypeError(message)


def block(value: Mapping[str, Any], indent: str = "") -> str:
    """A mapping as lines, in block style; what is no mapping stands in flow style behind its key.

    Keys must be plain words (letters, digits and "_"), as those of a checked configuration are.
    """
    text = ""
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            text += f"{indent}{key}:\n{block(item, indent + '  ')}"
        else:
            text += f"{indent}{key}: {flow(item)}\n"
    return text
