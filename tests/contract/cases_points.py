"""The table of bad data points: each beside a good one, which must be kept, or kept but changed.

The OTLP specification says how a refusal is told; which points a receiver refuses is mostly its own choice, and so
most of these cases bind our receiver only.
"""

from collections.abc import Callable
from dataclasses import replace

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, Summary, SummaryDataPoint

from contract.build import (
    GOOD,
    INTERVAL,
    REQUESTS,
    TOKENS,
    UNSPECIFIED,
    buckets,
    counter,
    delimited,
    gauge,
    good,
    histogram,
    interval,
    number,
    raw_request,
    sent,
)
from contract.model import BINARY, Case, Labels, Partial, Payload, Rule, Sample, Source, data_model, on, otlp

TOLD = f"partial_success counts what was refused, and says why: {otlp('partial-success')}"
WARNED = f"a warning rejects 0 points and has a message: {otlp('partial-success')}"

Metrics = Callable[[Source], tuple[Metric, ...]]


def _beside(word: str, rejected: int, metrics: Metrics, reason: str = TOLD, name: str = "") -> Case:
    """Return a case in which all points of `metrics` are refused for the reason `word`, and the good one is kept."""
    return Case(
        name or word,
        reason,
        Rule.OURS,
        lambda source: (sent(source, *metrics(source), good(source)),),
        on(Partial(rejected, (f"{word}: {rejected}",))),
        (GOOD,),
    )


def _no_time(source: Source) -> tuple[Metric, ...]:
    point, value = buckets(source), number(source, 1.0)
    point.time_unix_nano = value.time_unix_nano = 0
    return histogram(point), counter(value, name="mcp.progress.notifications")


def _summary(source: Source) -> tuple[Metric, ...]:
    start, end = interval(source)
    point = SummaryDataPoint(count=2, sum=3.0, start_time_unix_nano=start, time_unix_nano=end)
    return (Metric(name="gen_ai.contract.summary", summary=Summary(data_points=[point, point])),)


def _unspecified(source: Source) -> tuple[Metric, ...]:
    return (
        histogram(buckets(source), temporality=UNSPECIFIED),
        counter(number(source, 1.0), name="mcp.progress.notifications", temporality=UNSPECIFIED),
    )


def _type_conflict(source: Source) -> tuple[Payload, ...]:
    """Return a gauge of one gateway, and a histogram of the same name of another."""
    name = f"gen_ai.contract.{source.suffix}"
    other = replace(source, gateway=f"{source.gateway}-first")
    return sent(other, gauge(number(other, 3.0), name=name)), sent(
        source, histogram(buckets(source), name=name), good(source)
    )


def _inconsistent_buckets(source: Source) -> tuple[Metric, ...]:
    counted, short = buckets(source), buckets(source, labels={"gen_ai.token.type": "output"})
    counted.count = 4
    del short.bucket_counts[2:]
    return (histogram(counted, short),)


def _invalid_bounds(source: Source) -> tuple[Metric, ...]:
    falling = buckets(source, bounds=(4.0, 1.0))
    equal = buckets(source, bounds=(1.0, 1.0), labels={"gen_ai.token.type": "input"})
    not_a_number = buckets(source, bounds=(1.0, float("nan")), labels={"gen_ai.token.type": "output"})
    return (histogram(falling, equal, not_a_number),)


def _not_finite(source: Source) -> tuple[Metric, ...]:
    sums = [buckets(source, total=float(text), labels={"gen_ai.token.type": text}) for text in ("nan", "inf", "-inf")]
    return histogram(*sums), counter(number(source, float("nan")), name="mcp.progress.notifications")


def _out_of_range(source: Source) -> tuple[Metric, ...]:
    return (histogram(buckets(source, counts=(0, 1 << 53, 0)), buckets(source, counts=(0, 0, 1 << 63))),)


def _negative_increment(source: Source) -> tuple[Metric, ...]:
    return (counter(number(source, -1.0), number(source, -2, {"status": "error"})),)


def _late(source: Source) -> tuple[Payload, ...]:
    """Return three deltas of a stream, then one that lies across the first two, which nobody can take apart."""
    points = [number(source, value, {"status": "success"}, back) for back, value in ((2, 1.0), (1, 2.0), (0, 2.0))]
    across = number(source, 1.0, {"status": "success"}, back=1)
    across.start_time_unix_nano -= INTERVAL // 2
    across.time_unix_nano -= INTERVAL // 2
    return (*(sent(source, counter(point)) for point in points), sent(source, counter(across)))


def _many_labels(source: Source) -> tuple[Metric, ...]:
    labels = {f"label.{index}": "x" for index in range(1000)}
    return (counter(number(source, 1.0, labels)),)


def _malformed(source: Source) -> tuple[Payload, ...]:
    """Return points that end inside a fixed64, in messages whose lengths all agree."""
    cut = delimited(1, b"\x19\x00\x01")
    bad = [
        delimited(1, TOKENS.encode()) + delimited(9, cut + b"\x10\x01"),
        delimited(1, REQUESTS.encode()) + delimited(7, cut + b"\x10\x01\x18\x01"),
    ]
    return (Payload(raw_request(source, *bad, good(source).SerializeToString()), b""),)


def _deep_attribute(source: Source) -> tuple[Payload, ...]:
    """Return a point with an attribute of lists in lists, deeper than any protobuf library reads."""
    value = b""
    for _ in range(1000):
        value = delimited(5, delimited(1, value))
    attribute = delimited(1, b"status") + delimited(2, value)
    point = number(source, 1.0).SerializeToString() + delimited(7, attribute)
    metric = delimited(1, REQUESTS.encode()) + delimited(7, delimited(1, point) + b"\x10\x01\x18\x01")
    return (Payload(raw_request(source, metric, good(source).SerializeToString()), b""),)


def _invalid_utf8(source: Source) -> tuple[Payload, ...]:
    metric = counter(number(source, 5.0, {"status": "caf?"})).SerializeToString()
    return (Payload(raw_request(source, metric.replace(b"caf?", b"caf\xe9")), b""),)


def _long_value(source: Source) -> tuple[Payload, ...]:
    return (sent(source, counter(number(source, 5.0, {"status": "x" * 100_000}))),)


def _five(status: str) -> tuple[Sample, ...]:
    labels: Labels = (("status", status),)
    return (Sample("mcp_method_count_total", 5, labels),)


POINT_CASES: tuple[Case, ...] = (
    _beside("no_time", 2, _no_time, "time_unix_nano is required: metrics.proto, NumberDataPoint"),
    _beside(
        "metric_not_admitted",
        1,
        lambda s: (histogram(buckets(s), name="http.server.duration"),),
    ),
    _beside("unsupported_type", 2, _summary),
    _beside(
        "unspecified_temporality",
        2,
        _unspecified,
        "UNSPECIFIED must not be used: metrics.proto, AggregationTemporality",
    ),
    _beside(
        "inconsistent_buckets", 2, _inconsistent_buckets, f"buckets add up to the count: {data_model('histogram')}"
    ),
    _beside("invalid_bounds", 3, _invalid_bounds, f"bounds strictly rise: {data_model('histogram')}"),
    _beside("not_finite", 4, _not_finite),
    _beside("out_of_range", 2, _out_of_range),
    _beside("negative_increment", 2, _negative_increment, f"a monotonic sum never falls: {data_model('sums')}"),
    _beside("too_many_labels", 1, _many_labels),
    Case(
        "several_reasons",
        TOLD,
        Rule.OURS,
        lambda s: (sent(s, *_no_time(s), *_summary(s), good(s), *_negative_increment(s)),),
        on(Partial(6, ("no_time: 2", "unsupported_type: 2", "negative_increment: 2"))),
        (GOOD,),
    ),
    Case(
        "type_conflict",
        TOLD,
        Rule.OURS,
        _type_conflict,
        on(Partial(1, ("type_conflict: 1",))),
        (GOOD,),
    ),
    Case("late", TOLD, Rule.OURS, _late, on(Partial(1, ("late: 1",))), (GOOD,)),
    Case("malformed_point", TOLD, Rule.OURS, _malformed, on(Partial(2, ("malformed_point: 2",)), *BINARY), (GOOD,)),
    Case(
        "deep_attribute",
        TOLD,
        Rule.OURS,
        _deep_attribute,
        on(Partial(1, ("malformed_point: 1",)), *BINARY),
        (GOOD,),
    ),
    Case(
        "invalid_utf8", WARNED, Rule.OURS, _invalid_utf8, on(Partial(0, ("invalid_utf8",)), *BINARY), _five("caf\ufffd")
    ),
    Case(
        "label_value_too_long",
        WARNED,
        Rule.OURS,
        _long_value,
        on(Partial(0, ("label_value_too_long",))),
        _five("other"),
    ),
)
