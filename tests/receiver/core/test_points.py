"""One data point of any kind becomes one `Point`, or is refused for the right reason."""

import math
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    NumberDataPoint,
    SummaryDataPoint,
)

import otlp_messages as otlp
from aigw_receiver.core import wire
from aigw_receiver.core.model import AttributeValue, DropReason, Kind, Point, PointError
from aigw_receiver.core.points import read_attributes, read_point
from otlp_messages import INTERVAL, NOW

_START = NOW - INTERVAL
_TIMES: dict[str, Any] = {"start_time_unix_nano": _START, "time_unix_nano": NOW}
_NO_VALUE = 1


def _number(**fields: Any) -> bytes:
    return NumberDataPoint(**(_TIMES | fields)).SerializeToString()


def _histogram(**fields: Any) -> bytes:
    defaults = {"count": 6, "sum": 7.5, "bucket_counts": (1, 2, 3), "explicit_bounds": (1.0, 4.0)}
    return HistogramDataPoint(**(_TIMES | defaults | fields)).SerializeToString()


def _exponential(**fields: Any) -> bytes:
    defaults = {"count": 3, "sum": 7.5, "scale": 0, "zero_count": 3}
    return ExponentialHistogramDataPoint(**(_TIMES | defaults | fields)).SerializeToString()


@pytest.mark.parametrize("kind", [Kind.SUM, Kind.GAUGE])
@pytest.mark.parametrize(
    ("data", "value"),
    [
        (_number(as_int=5), 5.0),
        (_number(as_int=-5), -5.0),
        (_number(as_int=0), 0.0),
        (_number(as_int=2**53 - 1), 9007199254740991.0),
        (_number(as_int=1 - 2**53), -9007199254740991.0),
        (_number(as_double=2.5), 2.5),
        (_number(as_double=0.0), 0.0),
        (_number(as_double=1e300), 1e300),
        (_number(as_double=2.0**53), 2.0**53),
        # of two values the last one on the wire counts
        (_number(as_double=2.5) + NumberDataPoint(as_int=7).SerializeToString(), 7.0),
        (_number(as_int=5) + NumberDataPoint(as_double=0.5).SerializeToString(), 0.5),
    ],
)
def test_number(kind: Kind, data: bytes, value: float) -> None:
    """A number is read as another."""
    assert Point(_START, NOW, value, (), (), ()) == read_point(kind, data)


@pytest.mark.parametrize(
    ("data", "value", "counts", "bounds"),
    [
        (_histogram(), 7.5, (1, 2, 3), (1.0, 4.0)),
        (_histogram(bucket_counts=(), explicit_bounds=()), 7.5, (6,), ()),
        (_histogram(bucket_counts=(6,), explicit_bounds=()), 7.5, (6,), ()),
        (_histogram(explicit_bounds=(1.0, math.inf)), 7.5, (1, 5), (1.0,)),
        (_histogram(explicit_bounds=(-math.inf, 4.0)), 7.5, (1, 2, 3), (-math.inf, 4.0)),
        (_histogram(sum=None), 0.0, (1, 2, 3), (1.0, 4.0)),
        (_histogram(sum=-7.5), -7.5, (1, 2, 3), (1.0, 4.0)),
        (_histogram(min=0.5, max=9.0), 7.5, (1, 2, 3), (1.0, 4.0)),
        (_histogram(count=0, sum=0, bucket_counts=(0, 0, 0)), 0.0, (0, 0, 0), (1.0, 4.0)),
    ],
)
def test_histogram(data: bytes, value: float, counts: tuple[int, ...], bounds: tuple[float, ...]) -> None:
    """A histogram is read as another."""
    assert Point(_START, NOW, value, counts, bounds, ()) == read_point(Kind.HISTOGRAM, data)


def test_exponential_histogram() -> None:
    """An exponential histogram loses a count or its sum."""
    positive = ExponentialHistogramDataPoint.Buckets(offset=0, bucket_counts=(1, 2))
    negative = ExponentialHistogramDataPoint.Buckets(offset=5, bucket_counts=(4,))
    point = read_point(Kind.EXPONENTIAL_HISTOGRAM, _exponential(count=10, positive=positive, negative=negative))
    assert (7.5, 10, 7, 1, 2) == (point.value, sum(point.counts), point.counts[0], point.counts[11], point.counts[12])


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (Kind.SUM, b"\xff", DropReason.MALFORMED_POINT),
        (Kind.GAUGE, _number(as_int=5)[:-1], DropReason.MALFORMED_POINT),
        (Kind.HISTOGRAM, _histogram()[:-1], DropReason.MALFORMED_POINT),
        (Kind.EXPONENTIAL_HISTOGRAM, b"\x0a\x05", DropReason.MALFORMED_POINT),
        (Kind.SUM, _number(), DropReason.MALFORMED_POINT),
        (Kind.SUM, _number(as_int=5, time_unix_nano=0), DropReason.NO_TIME),
        (Kind.HISTOGRAM, _histogram(time_unix_nano=0), DropReason.NO_TIME),
        (Kind.EXPONENTIAL_HISTOGRAM, _exponential(time_unix_nano=0), DropReason.NO_TIME),
        (Kind.SUMMARY, SummaryDataPoint(**_TIMES).SerializeToString(), DropReason.UNSUPPORTED_TYPE),
        (Kind.SUM, _number(as_double=math.nan), DropReason.NOT_FINITE),
        (Kind.GAUGE, _number(as_double=math.inf), DropReason.NOT_FINITE),
        (Kind.HISTOGRAM, _histogram(sum=-math.inf), DropReason.NOT_FINITE),
        (Kind.EXPONENTIAL_HISTOGRAM, _exponential(sum=math.nan), DropReason.NOT_FINITE),
        (Kind.SUM, _number(as_int=2**53), DropReason.OUT_OF_RANGE),
        (Kind.SUM, _number(as_int=-(2**63)), DropReason.OUT_OF_RANGE),
        (Kind.HISTOGRAM, _histogram(count=2**53, bucket_counts=(0, 0, 2**53)), DropReason.OUT_OF_RANGE),
        (Kind.EXPONENTIAL_HISTOGRAM, _exponential(count=2**63, zero_count=2**63), DropReason.OUT_OF_RANGE),
        (Kind.HISTOGRAM, _histogram(bucket_counts=(1, 2)), DropReason.INCONSISTENT_BUCKETS),
        (Kind.HISTOGRAM, _histogram(bucket_counts=()), DropReason.INCONSISTENT_BUCKETS),
        (Kind.HISTOGRAM, _histogram(explicit_bounds=()), DropReason.INCONSISTENT_BUCKETS),
        (Kind.HISTOGRAM, _histogram(count=7), DropReason.INCONSISTENT_BUCKETS),
        (Kind.EXPONENTIAL_HISTOGRAM, _exponential(count=7), DropReason.INCONSISTENT_BUCKETS),
        (
            Kind.HISTOGRAM,
            _histogram(count=5, bucket_counts=(5,), explicit_bounds=(math.inf,)),
            DropReason.INCONSISTENT_BUCKETS,
        ),
        (Kind.HISTOGRAM, _histogram(explicit_bounds=(4.0, 1.0)), DropReason.INVALID_BOUNDS),
        (Kind.HISTOGRAM, _histogram(explicit_bounds=(math.inf, math.inf)), DropReason.INVALID_BOUNDS),
        (Kind.HISTOGRAM, _histogram(explicit_bounds=(math.nan, 1.0)), DropReason.INVALID_BOUNDS),
        (Kind.EXPONENTIAL_HISTOGRAM, _exponential(scale=21), DropReason.INVALID_BOUNDS),
    ],
)
def test_refused(kind: Kind, data: bytes, reason: DropReason) -> None:
    """A data point that cannot be right is taken, or refused for a reason that leads the reader astray."""
    with pytest.raises(PointError) as error:
        read_point(kind, data)
    assert reason is error.value.reason


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Kind.SUM, _number(flags=_NO_VALUE)),
        (Kind.SUM, _number(flags=_NO_VALUE, as_double=math.nan)),
        (Kind.HISTOGRAM, _histogram(flags=_NO_VALUE)),
        (Kind.HISTOGRAM, HistogramDataPoint(**_TIMES, flags=_NO_VALUE).SerializeToString()),
        (Kind.EXPONENTIAL_HISTOGRAM, _exponential(flags=_NO_VALUE)),
    ],
)
def test_no_recorded_value(kind: Kind, data: bytes) -> None:
    """A point that says that there is no value is refused, or has one."""
    point = read_point(kind, data)
    assert (True, 0) == (point.no_value, sum(point.counts))


def test_other_flags_say_nothing() -> None:
    """A flag that will be invented later hides a stream."""
    assert not read_point(Kind.SUM, _number(as_int=1, flags=0xFFFE)).no_value


def _nested(depth: int) -> AnyValue:
    value = AnyValue(string_value="x")
    for _ in range(depth):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (AnyValue(string_value="ü"), "ü"),
        (AnyValue(string_value=""), ""),
        (AnyValue(string_value="a\0b"), "a\0b"),
        (AnyValue(bool_value=False), False),
        (AnyValue(int_value=-(2**63)), -(2**63)),
        (AnyValue(double_value=0.5), 0.5),
        (AnyValue(bytes_value=b"\xff"), b"\xff"),
        (AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()])), [1, None]),
        (
            AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(bool_value=True))])),
            {"k": True},
        ),
        (AnyValue(), None),
    ],
)
def test_attribute_values(value: AnyValue, expected: AttributeValue) -> None:
    """An attribute's value is read as another."""
    assert ((("key", expected),), False) == read_attributes([_bytes_view(KeyValue(key="key", value=value))])


def _bytes_view(attribute: KeyValue) -> Any:
    """The same attribute as the receiver's own messages have it, with bytes for strings."""
    point = NumberDataPoint(as_int=1, time_unix_nano=1)
    point.attributes.append(attribute)
    return wire.NumberDataPoint.FromString(point.SerializeToString()).attributes[0]


def test_deeply_nested_attribute_is_cut_off() -> None:
    """An attribute that is nested very deep costs more than its point."""
    point = NumberDataPoint(as_int=1, **_TIMES)
    point.attributes.append(KeyValue(key="k", value=_nested(30)))
    ((_, value),) = read_point(Kind.SUM, point.SerializeToString()).attributes
    depth = 0
    while isinstance(value, list):
        (value,) = value
        depth += 1
    assert (16, None) == (depth, value)


def test_last_attribute_of_a_key_wins() -> None:
    """Of two attributes of one key both are shown."""
    point = otlp.number(1, {"a": "first", "b": "x"})
    point.attributes.extend(otlp.attributes({"a": "last"}))
    assert (("a", "last"), ("b", "x")) == read_point(Kind.SUM, point.SerializeToString()).attributes


def test_invalid_utf8() -> None:
    """One byte of a model's name that is no UTF-8 costs the point, or is not told."""
    data = otlp.number(1, {"model": "abc"}).SerializeToString().replace(b"abc", b"a\xffc")
    point = read_point(Kind.SUM, data)
    assert (True, (("model", "a\udcffc"),)) == (point.invalid_utf8, point.attributes)
