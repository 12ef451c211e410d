"""How the bytes of a data point are laid out, proven by hand. It counts nothing.

A stream's points differ only in their numbers. Where their bytes are laid out as below, everything in them that is no
number (the *key*) can be kept with the stream's row, and a later point with fixed fields at their places and a known
key in between needs no parsing: protobuf reads from left to right, so equal bytes at equal places mean the same.

    HistogramDataPoint   11 start 19 time 21 count 29 sum 32 L buckets 3a L bounds    (the header, of fixed length)
                         (42 exemplar)* (4a attribute)* [59 min 61 max]               (the key: attributes, and 59)
    NumberDataPoint      11 start 19 time (2a exemplar)* (3a attribute)* 21|31 value  (as Go writes it: oneofs last)
                         11 start 19 time 21|31 value (3a attribute)*                 (ascending, as C++ and Python do)

The header of a number is its start, time and value, wherever the value stands. Numbers are little-endian; L is a
varint; the tags are those of opentelemetry/proto/metrics/v1/metrics.proto.
"""

import dataclasses
import functools
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

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


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the numbers of a header lie, and which bytes between them never change."""

    length: int
    fields: int
    """fields of eight bytes that stand first: start, time, then count and sum, or the value of a number"""
    buckets: int
    first_count: int
    """where the counts of the buckets begin"""
    constant: bytes
    """a header with all numbers zero"""
    mask: bytes
    """a header with all bits set in the bytes that never change, and none in the numbers"""

    @property
    def stride(self) -> int:
        """Bytes from one header to the next where they are joined: whole words, so that they are proven by the word."""
        return -(-self.length // _WORD) * _WORD

    def join(self, points: list[bytes]) -> bytes | None:
        """The headers that points begin with, joined; None where one lacks a byte that never changes, at its place."""
        size = len(points)
        proof = _proof(self, size) if size <= _FEW else _make_proof(self, size)
        headers = proof.pack(*points)
        return headers if (np.frombuffer(headers, _U64) & proof.mask).tobytes() == proof.constant else None

    def read(self, headers: bytes, numbers: npt.NDArray[np.uint64]) -> None:
        """Write the numbers of headers, joined, into rows of start, time, count, value as the bits of a float, counts.

        A number has no count.
        """
        size = len(numbers)
        stride = len(headers) // size
        fields: npt.NDArray[np.uint64] = np.ndarray((size, self.fields), _U64, headers, 1, (stride, FIXED))
        if self.buckets:
            numbers[:, :4] = fields
            counts = np.ndarray((size, self.buckets), _U64, headers, self.first_count, (stride, 8))
            numbers[:, 4 : 4 + self.buckets] = counts
            return
        numbers[:, :2] = fields[:, :2]
        value = fields[:, 2]
        numbers[:, 3] = value.view(np.int64).astype(np.float64).view(np.uint64) if self is WHOLE_NUMBERS else value


_U64: Final = np.dtype("<u8")
_WORD: Final = 8

# Points of a metric in one request up to which what proves their headers is kept: some kilobytes for each number.
_FEW: Final = 128


class _Proof(NamedTuple):
    """What joins some headers of one layout and shows that they have it."""

    pack: Callable[..., bytes]
    mask: npt.NDArray[np.uint64]
    constant: bytes


def _make_proof(layout: Layout, size: int) -> _Proof:
    padding = layout.stride - layout.length
    mask = np.frombuffer((layout.mask + bytes(padding)) * size, _U64)
    constant = (layout.constant + bytes(padding)) * size
    return _Proof(struct.Struct(f"{layout.length}s{padding}x" * size).pack, mask, constant)


_proof: Final = functools.lru_cache(maxsize=256)(_make_proof)


def _layout(tags: tuple[int, ...], buckets: int = 0, before: bytes = b"", behind: bytes = b"") -> Layout:
    """The layout of fixed fields with these tags, and of buckets between bytes that never change."""
    numbers = bytes(8 * buckets)
    constant = b"".join([bytes([tag]) + bytes(8) for tag in tags]) + before + numbers + behind
    mask = (b"\xff" + bytes(8)) * len(tags) + b"\xff" * len(before) + numbers + b"\xff" * len(behind)
    return Layout(
        length=len(constant),
        fields=len(tags),
        buckets=buckets,
        first_count=len(tags) * FIXED + len(before),
        constant=constant,
        mask=mask,
    )


@functools.lru_cache(maxsize=256)
def histogram_layout(bounds: tuple[float, ...]) -> Layout:
    """The layout of points with these bounds, of which there is at least one."""
    size = 8 * (len(bounds) + 1)
    packed = bytes([BOUNDS_TAG]) + _varint(size - 8) + struct.pack(f"<{len(bounds)}d", *bounds)
    tags = (START_TAG, TIME_TAG, COUNT_TAG, SUM_TAG)
    return _layout(tags, len(bounds) + 1, bytes([BUCKETS_TAG]) + _varint(size), packed)


NUMBERS: Final = _layout((START_TAG, TIME_TAG, AS_DOUBLE_TAG))
WHOLE_NUMBERS: Final = _layout((START_TAG, TIME_TAG, AS_INT_TAG))
_BY_TAG: Final = {AS_DOUBLE_TAG: NUMBERS, AS_INT_TAG: WHOLE_NUMBERS}


@dataclasses.dataclass(frozen=True, slots=True)
class Spelling:
    """What all points of one metric of one pod have in common in their layout."""

    key: slice
    """where the key stands, if there are no exemplars"""
    histogram: Layout | None = None
    """the layout of a histogram; that of a number is seen from its value"""
    has_extremes: bool = False
    """a histogram point ends with min and max"""


_PLAIN_NUMBER: Final = Spelling(slice(NUMBER_HEADER, None))
_VALUE_LAST: Final = Spelling(slice(2 * FIXED, -FIXED))


def histogram_key(point: bytes, bounds: tuple[float, ...]) -> tuple[bytes, Spelling] | None:
    """The key of a histogram point and how it is spelled, or None where its layout is another."""
    layout = histogram_layout(bounds)
    if len(point) < layout.length or layout.join([point]) is None:
        return None
    start = skip_fields(point, layout.length, EXEMPLAR_TAG)
    end = skip_fields(point, start, ATTRIBUTE_TAG)
    if end == len(point) and end > start:
        return point[start:], Spelling(slice(layout.length, None), layout)
    if end + EXTREMES == len(point) and point[end] == MIN_TAG and point[end + FIXED] == MAX_TAG:
        return point[start : end + 1], Spelling(slice(layout.length, 1 - EXTREMES), layout, has_extremes=True)
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
    if end <= start or end + FIXED * value_last != len(point) or point[value] not in _BY_TAG:
        return None
    return point[start:end], _VALUE_LAST if value_last else _PLAIN_NUMBER


def key_behind_exemplars(point: bytes, spelling: Spelling) -> bytes | None:
    """The key of a point that exemplars stand in, or None where there are none."""
    start: int = spelling.key.start
    begin = skip_fields(point, start, EXEMPLAR_TAG if spelling.histogram else NUMBER_EXEMPLAR_TAG)
    if begin == start or (spelling.has_extremes and point[-FIXED] != MAX_TAG):
        return None
    return point[begin : spelling.key.stop]


def headers(points: list[bytes], spelling: Spelling) -> tuple[bytes, Layout] | None:
    """The headers of points that have a key, joined, and their layout; None where it does not hold for all of them."""
    layout = spelling.histogram
    if layout is None:
        if spelling.key.stop is not None:
            points = [point[: 2 * FIXED] + point[-FIXED:] for point in points]
        layout = _BY_TAG.get(points[0][2 * FIXED])
        if layout is None:
            return None
    joined = layout.join(points)
    return None if joined is None else (joined, layout)


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
