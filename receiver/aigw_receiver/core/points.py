"""The full parser: one data point of any kind, whatever its encoding, as a `Point`. It knows no stream.

The bytes are parsed by the messages of `wire`, the official schema with bytes for strings, so every encoding that
protobuf allows is understood: permuted, repeated, packed and unpacked, unknown fields. What it refuses, and why, is
a `PointError`.

    NumberDataPoint { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
                      oneof value { double as_double = 4; sfixed64 as_int = 6 }
                      repeated Exemplar exemplars = 5; repeated KeyValue attributes = 7; uint32 flags = 8 }
    HistogramDataPoint { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4;
                      optional double sum = 5; repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7;
                      repeated Exemplar exemplars = 8; repeated KeyValue attributes = 9; uint32 flags = 10;
                      optional double min = 11; optional double max = 12 }
    ExponentialHistogramDataPoint { attributes = 1; start = 2; time = 3; fixed64 count = 4; optional double sum = 5;
                      sint32 scale = 6; fixed64 zero_count = 7; Buckets positive = 8; Buckets negative = 9; flags = 10 …
                      message Buckets { sint32 offset = 1; repeated uint64 bucket_counts = 2 } }
"""

import math
from typing import Any, Final

from aigw_receiver.core import histogram, wire
from aigw_receiver.core.model import EXACT_LIMIT, AttributeValue, DropReason, Kind, Point, PointError

# DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK of metrics.proto.
_NO_RECORDED_VALUE: Final = 1

# How deep lists and maps in an attribute may be nested before they are cut off; protobuf's own limit is 100.
_MAX_DEPTH: Final = 16


class _Text:
    """Decodes bytes as UTF-8 and remembers whether any of them were not.

    Nothing is lost: bytes that are no UTF-8 become surrogates, so that texts that differ stay different.
    """

    __slots__ = ("invalid",)

    def __init__(self) -> None:
        self.invalid = False

    def decode(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.invalid = True
            return raw.decode(errors="surrogateescape")


def read_point(kind: Kind, data: bytes) -> Point:
    """The data point in `data`, checked; raises PointError with the reason where it cannot be taken."""
    try:
        match kind:
            case Kind.GAUGE | Kind.SUM:
                return _number(wire.NumberDataPoint.FromString(data))
            case Kind.HISTOGRAM:
                return _histogram(wire.HistogramDataPoint.FromString(data))
            case Kind.EXPONENTIAL_HISTOGRAM:
                return _exponential(wire.ExponentialHistogramDataPoint.FromString(data))
            case Kind.SUMMARY:
                raise PointError(DropReason.UNSUPPORTED_TYPE)
    except wire.DecodeError:
        raise PointError(DropReason.MALFORMED_POINT) from None


def read_attributes(attributes: Any) -> tuple[tuple[tuple[str, AttributeValue], ...], bool]:
    """Attributes of a point or resource, and whether any text in them was not UTF-8. The last of a key wins.

    Invalid bytes are surrogates in the texts (see `naming.clean`); the entries of a map are in order of their keys.
    """
    text = _Text()
    pairs = {text.decode(item.key): _any_value(item.value, text, _MAX_DEPTH) for item in attributes}
    return tuple(pairs.items()), text.invalid


def _any_value(value: Any, text: _Text, depth: int) -> AttributeValue:
    """An `AnyValue` of opentelemetry/proto/common/v1/common.proto as plain data."""
    which = value.WhichOneof("value")
    if which == "string_value":
        return text.decode(value.string_value)
    if which is None or depth == 0:
        return None
    if which == "array_value":
        return [_any_value(item, text, depth - 1) for item in value.array_value.values]
    if which == "kvlist_value":
        pairs = {text.decode(item.key): _any_value(item.value, text, depth - 1) for item in value.kvlist_value.values}
        return dict(sorted(pairs.items()))
    plain: AttributeValue = getattr(value, which)
    return plain


def _number(message: Any) -> Point:
    no_value = bool(message.flags & _NO_RECORDED_VALUE)
    which = message.WhichOneof("value")
    value = float(getattr(message, which)) if which else 0.0
    if not no_value:
        if which is None:
            raise PointError(DropReason.MALFORMED_POINT)
        if not math.isfinite(value):
            raise PointError(DropReason.NOT_FINITE)
        if abs(value) >= EXACT_LIMIT and which == "as_int":
            raise PointError(DropReason.OUT_OF_RANGE)
    return _point(message, value, (), (), no_value=no_value)


def _histogram(message: Any) -> Point:
    no_value = bool(message.flags & _NO_RECORDED_VALUE)
    bounds = tuple(message.explicit_bounds)
    counts = tuple(message.bucket_counts)
    if not counts and not bounds:
        counts = (message.count,)
    if no_value:
        counts = (0,) * (len(bounds) + 1)
    histogram.check(counts, bounds, 0 if no_value else message.count, message.sum)
    if bounds and bounds[-1] == math.inf:
        # The last bucket is above its own bound then: it must be empty, and the one before it has no upper bound.
        bounds, counts = bounds[:-1], (*counts[:-2], counts[-2] + counts[-1])
    return _point(message, message.sum, counts, bounds, no_value=no_value)


def _exponential(message: Any) -> Point:
    no_value = bool(message.flags & _NO_RECORDED_VALUE)
    positive = (message.positive.offset, tuple(message.positive.bucket_counts))
    counts = histogram.explicit_counts(
        message.scale, message.zero_count, positive, tuple(message.negative.bucket_counts)
    )
    if no_value:
        counts = (0,) * len(counts)
    histogram.check(counts, histogram.EXPONENTIAL_BOUNDS, 0 if no_value else message.count, message.sum)
    return _point(message, message.sum, counts, histogram.EXPONENTIAL_BOUNDS, no_value=no_value)


def _point(message: Any, value: float, counts: tuple[int, ...], bounds: tuple[float, ...], *, no_value: bool) -> Point:
    if not message.time_unix_nano:
        raise PointError(DropReason.NO_TIME)
    attributes, invalid = read_attributes(message.attributes)
    return Point(
        start=message.start_time_unix_nano,
        time=message.time_unix_nano,
        value=value,
        counts=counts,
        bounds=bounds,
        attributes=attributes,
        no_value=no_value,
        invalid_utf8=invalid,
    )
