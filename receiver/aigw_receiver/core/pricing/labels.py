"""Labels back out of the text that `naming.render_labels` makes of them."""

import re
from typing import Final

_PAIR: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"[,\0]?', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def parse(text: str) -> dict[str, str]:
    """The labels of a series, by name."""
    if "\\" not in text:
        # At a start there can be 100,000 at once. Where nothing is escaped, each second quotation mark ends a value.
        parts = text.split('"')
        return {name.strip(",\0="): value for name, value in zip(parts[::2], parts[1::2], strict=False)}
    return {name: _ESCAPE.sub(_unescaped, value) for name, value in _PAIR.findall(text)}


def split(text: str, name: str) -> tuple[str, str]:
    """The value of one label, "" where the series has none of this name; and the text of all others.

    Two texts of others are equal if, and only if, the series have the same other labels. The labels are read one after
    the other: what looks like one may stand in a value, which a client can choose.
    """
    for match in _PAIR.finditer(text):
        if match[1] == name:
            return _ESCAPE.sub(_unescaped, match[2]), text[: match.start()] + text[match.end() :]
    return "", text


def value(text: str, name: str) -> str:
    """The value of one label, "" where the series has none of this name."""
    return split(text, name)[0]


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]
