"""How the bytes of a data point are laid out, proven by hand. It counts nothing.

A stream's points differ only in their numbers. Where their bytes are laid out as below, everything in them that is no
number (the *key*) can be kept with the stream's row, and a later point with fixed fields at their places and a known
key in between needs no parsing: protobuf reads from left to right, so equal bytes at equal places mean the same.

    HistogramDataPoint   11 start 19 time 21 count 29 sum 32 L buckets 3a L bounds    (the header, of fixed length)
                         (42 exemplar)* (4a attribute)* [59 min 61 max]               (the key: attributes, and 59)
    NumberDataPoint      11 start 19 time (2a exemplar)* (3a attribute)* 21|31 value  (as Go writes it: oneofs last)
                         11 start 19 time 21|31 value (3a attribute)*                 (ascending, as C++ and Python do)

Numbers are little-endian; L is a varint; the tags are those of opentelemetry/proto/metrics/v1/metrics.proto.
"""

import dataclasses
import functools
import struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt

START_TAG, TIME_TAG, COUNT_TAG, SUM_TAG = 0x11, 0x19, 0x21, 0x29
BUCKETS_TAG, BOUNDS_TAG, EXEMPLAR_TAG, ATTRIBUTE_TAG, MIN_TAG, MAX_TAG = 0x32, 0x3A, 0x42, 0x4A, 0x59, 0x61
NUMBER_EXEMPLAR_TAG, NUMBER_ATTRIBUTE_TAG, AS_DOUBLE_TAG, AS_INT_TAG = 0x2A, 0x3A, 0x21, 0x31

FIXED: Final = 9
"""bytes of a field of eight bytes with its tag"""
NUMBER_HEADER: Final = 3 * FIXED
EXTREMES: Final = 2 * FIXED
"""bytes of min and max with their tags; the first of these tags is part of the key"""


def _varint(value: int) -> bytes:
    """A length as protobuf writes it."""
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


# The bytes that stand in one column of headers joined together, by the column.
Columns = tuple[tuple[int, int], ...]


def columns_hold(joined: bytes, length: int, size: int, columns: Columns) -> bool:
    """Whether `size` headers of `length` bytes, joined, all have these bytes in these columns."""
    for column, byte in columns:  # noqa: SIM110 - a generator would cost more than all of the counting
        if joined[column::length].count(byte) != size:
            return False
    return True


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Where the numbers of a histogram point with given bounds lie, and which bytes between them never change."""

    length: int
    buckets: int
    first_count: int
    columns: Columns
    """the tags and lengths from the sum to the buckets"""
    bounds: bytes
    """the bounds as they are written, with their tag and length, at the end of the header"""
    bounds_dtype: np.dtype[Any]

    def holds_for(self, joined: bytes, size: int) -> bool:
        """Whether `size` headers, joined, have the unchanging bytes at their places."""
        place = self.length - len(self.bounds)
        bounds: npt.NDArray[Any] = np.ndarray((size,), self.bounds_dtype, joined, place, (self.length,))
        if bounds.tobytes() != self.bounds * size or not columns_hold(joined, self.length, size, self.columns):
            return False
        first: npt.NDArray[Any] = np.ndarray((size,), _FIRST, joined, 0, (self.length,))
        if first.tobytes() == joined[:_FIRST_LENGTH] * size:
            # All points have one interval, as a rule: then the tags of the first one are those of all.
            return columns_hold(joined[:_FIRST_LENGTH], _FIRST_LENGTH, 1, _FIRST_COLUMNS)
        return columns_hold(joined, self.length, size, _FIRST_COLUMNS)

    def fixed_fields(self, joined: bytes, size: int) -> npt.NDArray[np.uint64]:
        """Start, time, count and the bits of the sum of `size` headers, joined."""
        return np.ndarray((size, 4), _U64, joined, 1, (self.length, FIXED))

    def counts(self, joined: bytes, size: int) -> npt.NDArray[np.uint64]:
        """The counts of the buckets of `size` headers, joined."""
        return np.ndarray((size, self.buckets), _U64, joined, self.first_count, (self.length, 8))


_U64: Final = np.dtype("<u8")

# Start, time and the tag behind them.
_FIRST_LENGTH: Final = 2 * FIXED + 1
_FIRST: Final = np.dtype(f"V{_FIRST_LENGTH}")
_FIRST_COLUMNS: Final[Columns] = ((0, START_TAG), (FIXED, TIME_TAG), (2 * FIXED, COUNT_TAG))


@functools.lru_cache(maxsize=256)
def layout_of(bounds: tuple[float, ...]) -> Layout:
    """The layout of points with these bounds, of which there is at least one."""
    size = 8 * (len(bounds) + 1)
    before = bytes([BUCKETS_TAG]) + _varint(size)
    packed = bytes([BOUNDS_TAG]) + _varint(size - 8) + struct.pack(f"<{len(bounds)}d", *bounds)
    first = 4 * FIXED + len(before)
    columns = ((3 * FIXED, SUM_TAG), *enumerate(before, start=4 * FIXED))
    buckets, length = len(bounds) + 1, first + size + len(packed)
    bounds_dtype = np.dtype(f"V{len(packed)}")
    return Layout(length, buckets, first, columns, packed, bounds_dtype)


NUMBER_TAGS: Final = {tag: ((0, START_TAG), (FIXED, TIME_TAG), (2 * FIXED, tag)) for tag in (AS_DOUBLE_TAG, AS_INT_TAG)}


@dataclasses.dataclass(frozen=True, slots=True)
class Spelling:
    """What all points of one metric of one pod have in common in their layout, beside the header."""

    has_extremes: bool = False
    """a histogram point ends with min and max"""
    value_last: bool = False
    """a number point has its value behind its attributes"""


def histogram_key(point: bytes, bounds: tuple[float, ...]) -> tuple[bytes, Spelling] | None:
    """The key of a histogram point and how it is spelled, or None where its layout is another."""
    layout = layout_of(bounds)
    if len(point) < layout.length or not layout.holds_for(point[: layout.length], 1):
        return None
    start = skip_fields(point, layout.length, EXEMPLAR_TAG)
    end = skip_fields(point, start, ATTRIBUTE_TAG)
    if end == len(point) and end > start:
        return point[start:], Spelling()
    if end + EXTREMES == len(point) and point[end] == MIN_TAG and point[end + FIXED] == MAX_TAG:
        return point[start : end + 1], Spelling(has_extremes=True)
    return None


def number_key(point: bytes) -> tuple[bytes, Spelling] | None:
    """The key of a number point and how it is spelled, or None where its layout is another.

    A point without attributes has none: an empty key would be found in any point that is too short.
    """
    if len(point) <= NUMBER_HEADER or point[0] != START_TAG or point[FIXED] != TIME_TAG:
        return None
    value_last = point[2 * FIXED] in (NUMBER_ATTRIBUTE_TAG, NUMBER_EXEMPLAR_TAG)
    start = skip_fields(point, 2 * FIXED, NUMBER_EXEMPLAR_TAG) if value_last else NUMBER_HEADER
    end = skip_fields(point, start, NUMBER_ATTRIBUTE_TAG)
    value = end if value_last else 2 * FIXED
    if end <= start or end + FIXED * value_last != len(point) or point[value] not in NUMBER_TAGS:
        return None
    return point[start:end], Spelling(value_last=value_last)


def key_behind_exemplars(point: bytes, start: int, spelling: Spelling) -> bytes | None:
    """The key of a point whose exemplars stand at `start`, or None where there are none."""
    number = start < 4 * FIXED
    begin = skip_fields(point, start, NUMBER_EXEMPLAR_TAG if number else EXEMPLAR_TAG)
    if begin == start:
        return None
    if number:
        return point[begin:-FIXED] if spelling.value_last else point[begin:]
    if not spelling.has_extremes:
        return point[begin:]
    return point[begin:-17] if point[-FIXED] == MAX_TAG else None


def skip_fields(data: bytes, position: int, tag: int) -> int:
    """The position behind all length-delimited fields with this tag that follow each other from `position`.

    Lengths of up to two bytes; where a field is longer, or runs over the end, the position before it.
    """
    while position + 1 < len(data) and data[position] == tag:
        length, body = data[position + 1], position + 2
        if length & 0x80:
            if body >= len(data) or data[body] & 0x80:
                return position
            length, body = (length & 0x7F) | data[body] << 7, body + 1
        if body + length > len(data):
            return position
        position = body + length
    return position
