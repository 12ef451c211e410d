"""Attributes that are known by heart, by their bytes. They parse what is new, and hold no more than their bounds.

A memo that is full is emptied, and fills again with what is still being sent.
"""

from collections.abc import Callable, Hashable
from typing import Any, Final

from aigw_receiver.core.access_logs import decode, lines, reading, redaction

# Numbers of one attribute, and attributes of any kind with their length in bytes.
MAX_NUMBERS: Final = 16_384
MAX_TEXTS: Final = 8192
MAX_TEXT: Final = 256
# Templates of lines, of a few KB.
MAX_TEMPLATES: Final = 4096
# The longest number that is worth a place.
MAX_NUMBER: Final = 64

# Digits that int() reads faster than the check of a number; a float64 holds so many of them exactly.
_PLAIN_DIGITS: Final = 15


class SurpriseError(Exception):
    """A record is not what its layout says."""


class Numbers(dict[bytes, Any]):
    """The numbers that an attribute has had, by its bytes; what is new is parsed. One name, whatever its position."""

    __slots__ = ("_convert", "_end", "_name", "_plain", "_prefix")

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._prefix = prefix(name)
        self._end = len(self._prefix)
        is_float = name in reading.DURATION
        self._plain: Callable[[bytes], float] = float if is_float else int
        self._convert: Callable[[str], float | None] = reading.number if is_float else reading.count

    def __missing__(self, raw: bytes) -> float | None:
        """The number in an attribute; raises SurpriseError where it has another name or cannot be parsed."""
        end = self._end
        digits = raw[end + 4 :]
        plain = digits.isdigit() and len(digits) <= _PLAIN_DIGITS
        if plain and raw[: end + 4] == self._prefix + decode.TEXT_HEADS[len(digits) + 2]:
            value: float | None = self._plain(digits)
        else:
            value = self._parse(raw)
        if len(self) >= MAX_NUMBERS:
            self.clear()
        if len(raw) <= MAX_NUMBER:
            self[raw] = value
        return value

    def _parse(self, raw: bytes) -> float | None:
        try:
            name, text = decode.read_attribute(raw)
        except decode.DecodeError:
            raise SurpriseError from None
        if name != self._name:
            raise SurpriseError
        return self._convert(text)


class Texts(dict[bytes, tuple[str, str, str | None]]):
    """Attributes by their bytes: key, value, and the value as it may be kept, or None."""

    __slots__ = ("_redacted",)

    def __init__(self, redacted: redaction.Redaction) -> None:
        super().__init__()
        self._redacted = redacted

    def __missing__(self, raw: bytes) -> tuple[str, str, str | None]:
        """What is in an attribute; raises DecodeError where it cannot be parsed."""
        key, value = decode.read_attribute(raw)
        known = key, value, reading.clean_value(key, value, self._redacted)
        if len(self) >= MAX_TEXTS:
            self.clear()
        if len(raw) <= MAX_TEXT:
            self[raw] = known
        return known


class Templates(dict[Hashable, lines.Template]):
    """How the lines of records are written, by their layout and the attributes that repeat."""

    __slots__ = ()

    def remember(self, key: Hashable, template: lines.Template) -> None:
        """Keep a template for the next record with this key."""
        if len(self) >= MAX_TEMPLATES:
            self.clear()
        self[key] = template


def prefix(key: str) -> bytes:
    """What an attribute with this key begins with."""
    raw = key.encode()
    return bytes((decode.FIELD_1, len(raw))) + raw
