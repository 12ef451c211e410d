"""Labels back out of the text that `naming.render_labels` makes of them."""

import re
from typing import Final

_PAIR: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"[,\0]?', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def parse(text: str) -> dict[str, str]:
    """The labels of a series, by name."""
    return {name: _ESCAPE.sub(_unescaped, value) for name, value in _PAIR.findall(text)}


def split(text: str, name: str) -> tuple[str, str]:
    """The value of one label, "" where the series has none of this name; and the text of all others.

    Two texts of others are equal if, and only if, the series have the same other labels.
    """
    start = _find(text, name)
    if start < 0:
        return "", text
    begin = start + len(name) + 2
    end = text.index('"', begin)
    while text[end - 1] == "\\" and _is_escaped(text, begin, end):
        end = text.index('"', end + 1)
    value = text[begin:end]
    if "\\" in value:
        value = _ESCAPE.sub(_unescaped, value)
    return value, text[:start] + text[end + 1 :]


def value(text: str, name: str) -> str:
    """The value of one label, "" where the series has none of this name."""
    return split(text, name)[0]


def _find(text: str, name: str) -> int:
    """Where a label stands. In a value no quote stands without a backslash, so what ends in `="` is a name."""
    sought = f'{name}="'
    start = text.find(sought)
    while start > 0 and text[start - 1] not in ",\0":
        start = text.find(sought, start + 1)
    return start


def _is_escaped(text: str, begin: int, quote: int) -> bool:
    """Whether an odd number of backslashes stands before a quote."""
    value = text[begin:quote]
    return (len(value) - len(value.rstrip("\\"))) % 2 == 1


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]
