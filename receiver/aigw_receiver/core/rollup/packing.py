"""Totals as bytes, and back: small, and quick to read. It knows neither cells nor files.

    block    version (1 byte), the length of each of its cells (8 times 2 bytes; 0: there is none), the cells
    cell     length of the shape (2 bytes), shape, values
    shape    numbers that are there (2 bytes, a bit each by the order of Number), those of them that are floats (2);
             for each distribution: measure (1), number of its bounds (2), first bucket (2), buckets (2), their type (1)
    values   the numbers, as 4 or 8 bytes; for each distribution its sum (8) and the counts of these buckets

Buckets that are empty at either end are left out. Little endian; there is no padding. Few different shapes are met,
so that what a shape says is known by heart.
"""

import functools
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from aigw_receiver.core.rollup.model import Distribution, Measure, Number, Totals

# Raised with every change of what is written here, or of the order of Number or Measure.
VERSION: Final = 2

# Cells that are written together: one that changes costs little, and so do all.
BLOCK: Final = 8

_BLOCK: Final = struct.Struct(f"<B{BLOCK}H")
_LENGTH: Final = struct.Struct("<H")
_NUMBERS: Final = struct.Struct("<HH")
_SHAPE: Final = struct.Struct("<BHHHc")
_ALL_NUMBERS: Final = tuple(Number)
_ALL_MEASURES: Final = tuple(Measure)
_PLACES: Final = {measure: place for place, measure in enumerate(_ALL_MEASURES)}

# Types of counts, by the first number that each cannot hold.
_TYPES: Final = ((1 << 8, b"B"), (1 << 16, b"H"), (1 << 32, b"I"), (1 << 64, b"Q"))
_SMALL: Final = 1 << 32

# Shapes that are known by heart, for writing and for reading.
_WRITTEN: Final = 512
_READ: Final = 8_192


class Layouts:
    """The bounds that were met, by number; numbers never change, and are kept beside what was packed."""

    def __init__(self, known: Sequence[tuple[float, ...]] = ()) -> None:
        self.bounds = list(known)
        self._numbers = {bounds: number for number, bounds in enumerate(self.bounds)}

    def number(self, bounds: tuple[float, ...]) -> int:
        """The number of these bounds, a new one where they were not met."""
        number = self._numbers.setdefault(bounds, len(self.bounds))
        if number == len(self.bounds):
            self.bounds.append(bounds)
        return number


class _Part(NamedTuple):
    """A distribution of a shape: measure and bounds, where its sum stands and its values end, and the empty buckets."""

    measure: Measure
    bounds: tuple[float, ...]
    sum: int
    end: int
    before: tuple[int, ...]
    after: tuple[int, ...]


class _Shape(NamedTuple):
    values: struct.Struct
    numbers: tuple[Number, ...]
    parts: tuple[_Part, ...]


def pack(totals: Totals, layouts: Layouts) -> bytes:
    """The bytes of totals."""
    there = wide = 0
    types, values = ["<"], list[float]()
    for bit, number in enumerate(_ALL_NUMBERS):
        value = totals.numbers.get(number, 0)
        if value:
            there |= 1 << bit
            is_small = 0 <= value < _SMALL and value == int(value)
            wide |= 0 if is_small else 1 << bit
            types.append("I" if is_small else "d")
            values.append(int(value) if is_small else value)
    shape = [_NUMBERS.pack(there, wide)]
    for measure, distributions in totals.measures.items():
        for one in distributions:
            first, counts = _trim(one.counts)
            kind = next(kind for bound, kind in _TYPES if max(counts, default=0) < bound)
            shape.append(_SHAPE.pack(_PLACES[measure], layouts.number(one.bounds), first, len(counts), kind))
            types.append(f"d{len(counts)}{kind.decode()}")
            values.append(one.sum)
            values.extend(counts)
    head = b"".join(shape)
    return _LENGTH.pack(len(head)) + head + _struct("".join(types)).pack(*values)


@functools.lru_cache(maxsize=_WRITTEN)
def _struct(types: str) -> struct.Struct:
    return struct.Struct(types)


def _trim(counts: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Where the first bucket stands that is not empty, and all from there to the last one."""
    first, end = 0, len(counts)
    while end and not counts[end - 1]:
        end -= 1
    while first < end and not counts[first]:
        first += 1
    return first, counts[first:end]


def pack_block(cells: Sequence[Totals | None], layouts: Layouts) -> bytes:
    """The bytes of the totals of as many cells as a block has; None where there is no cell."""
    packed = [b"" if totals is None else pack(totals, layouts) for totals in cells]
    return _BLOCK.pack(VERSION, *map(len, packed)) + b"".join(packed)


class Unpacking:
    """Reads what was packed with these layouts."""

    def __init__(self, layouts: Layouts) -> None:
        self._layouts = layouts
        self._shapes: dict[bytes, _Shape] = {}

    def block(self, data: bytes) -> tuple[bytes, ...]:
        """The bytes of each cell of a block, empty where there is none. Raises ValueError at another version."""
        try:
            version, *lengths = _BLOCK.unpack_from(data)
        except struct.error as error:
            raise ValueError(str(error)) from None
        if version != VERSION:
            message = f"these are totals of version {version}, not {VERSION}"
            raise ValueError(message)
        cells, at = [], _BLOCK.size
        for length in lengths:
            cells.append(data[at : at + length])
            at += length
        return tuple(cells)

    def totals(self, data: bytes) -> Totals:
        """The totals of a cell. Raises ValueError where the bytes are damaged."""
        try:
            end = data[0] + (data[1] << 8) + _LENGTH.size
            head = data[_LENGTH.size : end]
            shape = self._shapes.get(head) or self._shape(head)
            values = shape.values.unpack_from(data, end)
            found: dict[Measure, tuple[Distribution, ...]] = {}
            for measure, bounds, place, last, before, after in shape.parts:
                one = Distribution(bounds, before + values[place + 1 : last] + after, values[place])
                found[measure] = (*found[measure], one) if measure in found else (one,)
        except (struct.error, IndexError, KeyError) as error:
            message = f"damaged totals: {error}"
            raise ValueError(message) from None
        return Totals(dict(zip(shape.numbers, values)), found)  # noqa: B905 - the other values are not numbers

    def _shape(self, head: bytes) -> _Shape:
        """What a shape says."""
        there, wide = _NUMBERS.unpack_from(head)
        bits = [bit for bit in range(len(_ALL_NUMBERS)) if there >> bit & 1]
        types = ["<", *("d" if wide >> bit & 1 else "I" for bit in bits)]
        parts, place = [], len(bits)
        for measure, layout, first, size, kind in _SHAPE.iter_unpack(head[_NUMBERS.size :]):
            types.append(f"d{size}{kind.decode()}")
            bounds = self._layouts.bounds[layout]
            after = (0,) * (len(bounds) + 1 - first - size)
            parts.append(_Part(_ALL_MEASURES[measure], bounds, place, place + 1 + size, (0,) * first, after))
            place += 1 + size
        shape = _Shape(struct.Struct("".join(types)), tuple(_ALL_NUMBERS[bit] for bit in bits), tuple(parts))
        if len(self._shapes) >= _READ:
            self._shapes.clear()
        self._shapes[bytes(head)] = shape
        return shape


def pack_bounds(bounds: tuple[float, ...]) -> bytes:
    """Bounds as floats of 8 bytes."""
    return struct.pack(f"<{len(bounds)}d", *bounds)


def unpack_bounds(data: bytes) -> tuple[float, ...]:
    """Bounds out of their bytes. Raises ValueError where these are no floats."""
    if len(data) % 8:
        message = "damaged bounds"
        raise ValueError(message)
    return struct.unpack(f"<{len(data) // 8}d", data)
