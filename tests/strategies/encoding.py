"""A protobuf writer that may spell a message in every way that protobuf allows. It writes OTLP metrics, and reads none.

A `Speller` writes as the Go SDK does. Where it is told to be hostile, fields change places, arrays come unpacked or in
pieces, scalars come twice of which the last counts, and unknown fields stand anywhere.
"""

import dataclasses
import random
import struct
from collections.abc import Sequence
from typing import Final, TypeAlias

Value: TypeAlias = "str | bool | int | float | bytes | list[Value] | dict[str, Value] | None"
Attributes: TypeAlias = Sequence[tuple[bytes, Value]]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# A number that no message of the metrics schema uses.
_UNKNOWN: Final = 1000


def varint(value: int, padding: int = 0) -> bytes:
    """A number in groups of seven bits, with `padding` groups that say nothing."""
    value &= (1 << 64) - 1
    groups = []
    while True:
        groups.append(value & 0x7F)
        value >>= 7
        if not value:
            break
    groups += [0] * min(padding, 10 - len(groups))
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def number(field: int, value: int) -> bytes:
    """A varint field."""
    return varint(field << 3 | _VARINT) + varint(value)


def fixed(field: int, value: int) -> bytes:
    """A fixed64 field."""
    return varint(field << 3 | _FIXED64) + struct.pack("<Q", value)


def double(field: int, value: float) -> bytes:
    """A double field."""
    return varint(field << 3 | _FIXED64) + struct.pack("<d", value)


def block(field: int, content: bytes, padding: int = 0) -> bytes:
    """A string, bytes or message field."""
    return varint(field << 3 | _BYTES) + varint(len(content), padding) + content


def any_value(value: Value) -> bytes:
    """An `AnyValue`; text may hold bytes that are no UTF-8, as surrogates."""
    match value:
        case None:
            return b""
        case str():
            return block(1, value.encode(errors="surrogateescape"))
        case bool():
            return number(2, int(value))
        case int():
            return number(3, value)
        case float():
            return double(4, value)
        case list():
            return block(5, b"".join(block(1, any_value(item)) for item in value))
        case dict():
            return block(6, b"".join(block(1, key_value(key.encode(), item)) for key, item in value.items()))
        case bytes():
            return block(7, value)


def key_value(key: bytes, value: Value) -> bytes:
    """A `KeyValue`."""
    return block(1, key) + block(2, any_value(value))


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    """A NumberDataPoint; None leaves a field out."""

    start: int
    time: int
    value: int | float | None
    attributes: Attributes
    flags: int = 0
    exemplars: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Histogram:
    """A HistogramDataPoint; None leaves a field out."""

    start: int
    time: int
    count: int | None
    total: float | None
    counts: Sequence[int]
    bounds: Sequence[float]
    attributes: Attributes
    extremes: tuple[float, float] | None = None
    flags: int = 0
    exemplars: int = 0


class Speller:
    """Writes messages, each in a way that is drawn."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def point(self, point: Number | Histogram, *, hostile: bool, ascending: bool = False) -> bytes:
        """A data point: as Go writes it, in ascending order of its fields, or in any way at all."""
        fields = self._number(point, ascending) if isinstance(point, Number) else self._histogram(point, hostile)
        if hostile:
            for change in (self._permute, self._repeat, self._add_unknown):
                if self.rng.randrange(2):
                    fields = change(fields)
        return b"".join(fields)

    def message(self, fields: list[bytes], *, hostile: bool) -> bytes:
        """A message whose fields have no order of their own; repeated ones stay in theirs."""
        if not hostile or self.rng.randrange(2):
            return b"".join(fields)
        first = self.rng.randrange(len(fields) + 1)
        unknown = self._unknown() if self.rng.randrange(2) else b""
        return b"".join([*fields[:first], unknown, *fields[first:]])

    def _number(self, point: Number, ascending: bool) -> list[bytes]:
        times = [fixed(2, point.start)] if point.start else []
        times += [fixed(3, point.time)] if point.time else []
        value = []
        if point.value is not None:
            whole = isinstance(point.value, int)
            value = [fixed(6, int(point.value) & (1 << 64) - 1) if whole else double(4, point.value)]
        exemplars = [block(5, self._exemplar()) for _ in range(point.exemplars)]
        attributes = [block(7, key_value(*pair)) for pair in point.attributes]
        flags = [number(8, point.flags)] if point.flags else []
        if ascending:
            return times + value + exemplars + attributes + flags
        return times + exemplars + attributes + flags + value

    def _histogram(self, point: Histogram, hostile: bool) -> list[bytes]:
        fields = [fixed(2, point.start)] if point.start else []
        fields += [fixed(3, point.time)] if point.time else []
        fields += [fixed(4, point.count)] if point.count is not None else []
        fields += [double(5, point.total)] if point.total is not None else []
        fields += self._array(6, [struct.pack("<Q", count) for count in point.counts], hostile)
        fields += self._array(7, [struct.pack("<d", bound) for bound in point.bounds], hostile)
        fields += [block(8, self._exemplar()) for _ in range(point.exemplars)]
        fields += [block(9, key_value(*pair)) for pair in point.attributes]
        fields += [number(10, point.flags)] if point.flags else []
        fields += [double(11, point.extremes[0]), double(12, point.extremes[1])] if point.extremes else []
        return fields

    def _array(self, field: int, items: list[bytes], hostile: bool) -> list[bytes]:
        """An array of fixed64: packed, unpacked, or in several pieces."""
        if not items:
            return []
        how = self.rng.randrange(4) if hostile else 0
        cut = self.rng.randrange(len(items) + 1)
        match how:
            case 1:
                return [varint(field << 3 | _FIXED64) + item for item in items]
            case 2:
                return [block(field, b"".join(items[:cut])), block(field, b"".join(items[cut:]))]
            case 3:
                return [block(field, b"".join(items), padding=self.rng.randrange(3))]
        return [block(field, b"".join(items))]

    def _exemplar(self) -> bytes:
        """An `Exemplar`: a value, a time, ids, and at times an attribute that was filtered out."""
        body = fixed(2, 1_800_000_000_000_000_000) + double(3, 0.5) + block(4, bytes(8)) + block(5, bytes(16))
        return body + (block(7, key_value(b"user", "u" * 120)) if self.rng.randrange(2) else b"")

    def _permute(self, fields: list[bytes]) -> list[bytes]:
        """The same fields elsewhere; those with the same tag stay in their order."""
        order = list(range(len(fields)))
        self.rng.shuffle(order)
        first_bytes = [fields[index][:1] for index in order]
        queues: dict[bytes, list[bytes]] = {}
        for field in fields:
            queues.setdefault(field[:1], []).append(field)
        return [queues[tag].pop(0) for tag in first_bytes]

    def _repeat(self, fields: list[bytes]) -> list[bytes]:
        """A scalar field comes twice: before its value with another one, or behind it, where it changes the point."""
        scalars = [index for index, field in enumerate(fields) if field[0] & 7 == _FIXED64]
        if not scalars:
            return fields
        index = self.rng.choice(scalars)
        other = fields[index][:-8] + struct.pack("<d", 3.0)
        if self.rng.randrange(4):
            return [*fields[:index], other, *fields[index:]]
        if fields[index][0] >> 3 in (2, 3):  # start and time stay, so that the stream goes on in order
            other = fields[index]
        return [*fields, self.rng.choice((fields[index], other))]

    def _add_unknown(self, fields: list[bytes]) -> list[bytes]:
        at = self.rng.randrange(len(fields) + 1)
        return [*fields[:at], self._unknown(), *fields[at:]]

    def _unknown(self) -> bytes:
        """A field that no schema knows, of any wire type."""
        match self.rng.randrange(5):
            case 0:
                return number(_UNKNOWN, 7)
            case 1:
                return fixed(15, 7)
            case 2:
                return block(_UNKNOWN, b"unknown")
            case 3:
                return varint(_UNKNOWN << 3 | _FIXED32) + bytes(4)
            case _:
                return varint(14 << 3 | 3) + number(1, 7) + varint(14 << 3 | 4)  # a group
