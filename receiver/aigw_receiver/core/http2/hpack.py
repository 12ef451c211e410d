"""HPACK (RFC 7541): header blocks of HTTP/2 to fields, and the blocks of our answers. It does no I/O.

A field is judged when it is first spelled out; a repeated one is a look-up in the table, which is what keeps the block
of an ordinary gRPC request cheap. Our own blocks use no dynamic table, so that they are constants.
"""

import enum
import functools
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from aigw_receiver.core.http2 import huffman

# RFC 9113, section 6.5.2: the size of the table, and how a list of fields is measured.
_TABLE_SIZE: Final = 4096
_FIELD_OVERHEAD: Final = 32

# No number in a block that we accept needs more than this (RFC 7541, section 5.1: limits are the decoder's).
_MAX_INTEGER: Final = 1 << 24

# Fields up to this size are remembered when they are spelled out.
_SHORT: Final = 64

# RFC 9113, section 8.2.1, with the tokens of RFC 9110, in lower case.
_NAME: Final = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE: Final = re.compile(rb"(?:[^\0\r\n\t ](?:[^\0\r\n]*[^\0\r\n\t ])?)?")

# RFC 9113, section 8.3.1.
_PSEUDO: Final = {b":method", b":scheme", b":path", b":authority"}

# RFC 9113, section 8.2.2: they speak of a connection, and HTTP/2 has no place for them.
_OF_CONNECTIONS: Final = {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}


class Kind(enum.Enum):
    """What a field is to the check of a request."""

    REGULAR = enum.auto()
    PSEUDO = enum.auto()
    MALFORMED = enum.auto()


class Field(NamedTuple):
    """One header field."""

    name: bytes
    value: bytes
    kind: Kind
    size: int


class HpackError(Exception):
    """A block that cannot be decoded: the connection's table is lost with it."""


class ListTooLargeError(Exception):
    """A block was decoded, but its fields are more than the limit."""


# Appendix A.
_STATIC: Final = """
:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204
:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate
accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control
content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|cookie
date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified
link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie
strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate
"""


def _field(name: bytes, value: bytes) -> Field:
    return Field(name, value, _kind(name, value), len(name) + len(value) + _FIELD_OVERHEAD)


def _kind(name: bytes, value: bytes) -> Kind:
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name in _OF_CONNECTIONS:
        return Kind.MALFORMED
    if name.startswith(b":"):
        return Kind.PSEUDO if name in _PSEUDO else Kind.MALFORMED
    if name == b"te" and value != b"trailers":
        return Kind.MALFORMED
    return Kind.REGULAR


def _static_table() -> tuple[Field, ...]:
    entries = [entry.partition(" ") for entry in _STATIC.strip().replace("\n", "|").split("|")]
    return tuple(_field(name.encode(), value.encode()) for name, _, value in entries)


# Section 2.3.3: indices begin at 1, and the dynamic table, its newest entry first, follows the static one.
_STATIC_TABLE: Final = (_field(b"", b""), *_static_table())
_FIRST_DYNAMIC: Final = len(_STATIC_TABLE)


class Decoder:
    """Decodes the blocks of one connection, in their order."""

    def __init__(self, max_list: int) -> None:
        self._max_list = max_list
        self._table = list(_STATIC_TABLE)
        self._size = 0
        self._max_size = _TABLE_SIZE

    def decode(self, block: bytes) -> list[Field]:
        """The fields of a block. Raises HpackError, or ListTooLargeError when the block is read to its end."""
        fields: list[Field] = []
        table = self._table
        position, end, left = 0, len(block), self._max_list
        try:
            while position < end:
                first = block[position]
                if first & 0x80:
                    index, position = (first & 0x7F, position + 1) if first < 0xFF else _integer(block, position, 0x7F)
                    if not index:
                        raise HpackError
                    field = table[index]
                elif first & 0xE0 == 0x20:
                    if fields:
                        raise HpackError
                    size, position = _integer(block, position, 0x1F)
                    self._resize(size)
                    continue
                else:
                    field, position = self._literal(block, position)
                left -= field.size
                if left >= 0:
                    fields.append(field)
        except (IndexError, huffman.HuffmanError):
            raise HpackError from None
        if left < 0:
            raise ListTooLargeError
        return fields

    def _literal(self, block: bytes, position: int) -> tuple[Field, int]:
        """Section 6.2: with incremental indexing, without, or never to be indexed."""
        indexed = block[position] & 0x40
        index, position = _integer(block, position, 0x3F if indexed else 0x0F)
        if index:
            name = self._table[index].name
        else:
            name, position = _string(block, position)
        coded = block[position] >= 0x80
        value, position = _raw_string(block, position)
        make = _short_field if len(name) + len(value) <= _SHORT else _literal_field
        field = make(name, value, coded)
        if indexed:
            self._insert(field)
        return field, position

    def _insert(self, field: Field) -> None:
        """Section 4.4: room is made first; an entry that is larger than the table empties it."""
        self._evict(self._max_size - field.size)
        if field.size <= self._max_size:
            self._table.insert(_FIRST_DYNAMIC, field)
            self._size += field.size

    def _resize(self, size: int) -> None:
        if size > _TABLE_SIZE:
            raise HpackError
        self._max_size = size
        self._evict(size)

    def _evict(self, room: int) -> None:
        while self._size > room and self._size:
            self._size -= self._table.pop().size


def _integer(block: bytes, position: int, mask: int) -> tuple[int, int]:
    """Section 5.1: the number at a position, and the position behind it."""
    value = block[position] & mask
    position += 1
    if value < mask:
        return value, position
    shift = 0
    while True:
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if value > _MAX_INTEGER or shift > 28:
            raise HpackError
        if byte < 0x80:
            return value, position
        shift += 7


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    """Section 5.2: a string, in Huffman code or plain."""
    coded = block[position] >= 0x80
    data, position = _raw_string(block, position)
    return huffman.decode(data) if coded else data, position


def _raw_string(block: bytes, position: int) -> tuple[bytes, int]:
    length, position = _integer(block, position, 0x7F)
    end = position + length
    if end > len(block):
        raise HpackError
    return block[position:end], end


def _literal_field(name: bytes, value: bytes, coded: bool) -> Field:
    return _field(name, huffman.decode(value) if coded else value)


# Deadlines are spelled out with every call, and few of them differ.
_short_field: Final = functools.lru_cache(1024)(_literal_field)


def encode(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A block of literals without indexing, which changes no table."""
    block = bytearray()
    for name, value in fields:
        block.append(0)
        block += _encoded_string(name) + _encoded_string(value)
    return bytes(block)


def _encoded_string(text: bytes) -> bytes:
    length = len(text)
    if length < 0x7F:
        return bytes((length,)) + text
    head = bytearray((0x7F,))
    length -= 0x7F
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + text
