"""Labels back out of the text that `naming.render_labels` makes of them."""

import re
from typing import Final

_PAIR: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"[,\0]?', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def parse(text: str) -> dict[str, str]:
    """The labels of a series, by name."""
    return {name: _ESCAPE.sub(_unescaped, value) for name, value in _PAIR.findall(text)}


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]
