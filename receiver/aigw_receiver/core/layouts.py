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


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Where the numbers of a histogram point with given bounds lie, and which bytes between them never change."""

    length: int
    dtype: np.dtype[Any]
    before: bytes
    after: bytes

    def holds_for(self, grid: npt.NDArray[np.uint8]) -> bool:
        """Whether all headers in `grid`, one a row, have the unchanging bytes at their places."""
        first, size = 4 * FIXED, len(grid)
        before = np.frombuffer(self.before, np.uint8)
        after = np.frombuffer(self.after, np.uint8)
        return bool(
            np.count_nonzero(grid[:, :first:FIXED] == _TAGS) == 4 * size
            and np.count_nonzero(grid[:, first : first + len(before)] == before) == len(before) * size
            and np.count_nonzero(grid[:, self.length - len(after) :] == after) == len(after) * size
        )


_TAGS: Final = np.array([START_TAG, TIME_TAG, COUNT_TAG, SUM_TAG], np.uint8)


@functools.lru_cache(maxsize=256)
def layout_of(bounds: tuple[float, ...]) -> Layout:
    """The layout of points with these bounds, of which there is at least one."""
    size = 8 * (len(bounds) + 1)
    before = bytes([BUCKETS_TAG]) + _varint(size)
    after = bytes([BOUNDS_TAG]) + _varint(size - 8) + struct.pack(f"<{len(bounds)}d", *bounds)
    first = 4 * FIXED + len(before)
    fields = {
        "start": ("<u8", 1),
        "time": ("<u8", FIXED + 1),
        "count": ("<u8", 2 * FIXED + 1),
        "value": ("<f8", 3 * FIXED + 1),
        "counts": (("<u8", (len(bounds) + 1,)), first),
    }
    return Layout(first + size + len(after), _dtype(fields, first + size + len(after)), before, after)


def _dtype(fields: dict[str, tuple[Any, int]], size: int) -> np.dtype[Any]:
    return np.dtype(
        {
            "names": list(fields),
            "formats": [form for form, _ in fields.values()],
            "offsets": [offset for _, offset in fields.values()],
            "itemsize": size,
        }
    )


NUMBER_DTYPES: Final = {
    tag: _dtype({"start": ("<u8", 1), "time": ("<u8", FIXED + 1), "value": (form, 2 * FIXED + 1)}, NUMBER_HEADER)
    for tag, form in ((AS_DOUBLE_TAG, "<f8"), (AS_INT_TAG, "<i8"))
}


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
    if len(point) < layout.length or not layout.holds_for(np.frombuffer(point[: layout.length], np.uint8)[None, :]):
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
    if end <= start or end + FIXED * value_last != len(point) or point[value] not in NUMBER_DTYPES:
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
