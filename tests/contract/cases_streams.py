"""The table of what the points of one stream mean together: deltas, resets, duplicates, and points without a value.

Each case sends several requests, or several points of one stream in one, and tells what is counted in the end.
"""

from contract.build import (
    CUMULATIVE,
    DELTA,
    DURATION,
    GOOD,
    TOKEN_SAMPLES,
    Temporality,
    buckets,
    counter,
    good,
    histogram,
    interval,
    number,
    payload,
    request,
    sent,
    tokens,
)
from contract.model import Accepted, Case, Payload, Rule, Sample, Source, data_model, on, otlp

RESENT = f"after a lost answer the client sends the same data again: {otlp('duplicate-data')}"
NO_VALUE = f"the flag says that the stream has no value, whatever the fields hold: {data_model('no-recorded-value')}"


def _without_start(source: Source) -> Payload:
    point = number(source, 5.0, {"status": "success"})
    point.start_time_unix_nano = 0
    return sent(source, counter(point, temporality=CUMULATIVE))


def _steps(source: Source, temporality: Temporality, *values: float) -> tuple[Payload, ...]:
    """Return one request a value; cumulative ones all begin with the first."""
    begin, _ = interval(source, len(values) - 1)
    payloads = []
    for back, value in zip(reversed(range(len(values))), values, strict=True):
        point = number(source, value, {"status": "success"}, back)
        if temporality == CUMULATIVE:
            point.start_time_unix_nano = begin
        payloads.append(sent(source, counter(point, temporality=temporality)))
    return tuple(payloads)


def _reset(source: Source) -> tuple[Payload, ...]:
    before = number(source, 10.0, {"status": "success"}, back=1)
    after = number(source, 4.0, {"status": "success"})
    # A run that began before a receiver did may only be a baseline to it.
    after.start_time_unix_nano, after.time_unix_nano = source.now, source.now + 1_000_000
    return tuple(sent(source, counter(point, temporality=CUMULATIVE)) for point in (before, after))


def _total(value: float) -> tuple[Sample, ...]:
    return (Sample("mcp_method_count_total", value, (("status", "success"),)),)


def _no_value(source: Source, back: int = 0) -> Payload:
    """Return a point of the stream of `tokens` that has no value, and hence no buckets."""
    metric = tokens(source, CUMULATIVE, back)
    point = metric.histogram.data_points[0]
    del point.bucket_counts[:], point.explicit_bounds[:]
    point.ClearField("sum")
    point.count, point.flags = 0, 1
    return sent(source, metric)


def _no_value_beside(source: Source) -> Payload:
    point = buckets(source, counts=(0, 0, 0), total=0.0)
    point.flags = 1
    return sent(source, histogram(point, name=DURATION, temporality=CUMULATIVE), good(source))


def _no_value_after(source: Source) -> tuple[Payload, ...]:
    return sent(source, tokens(source, CUMULATIVE, 1)), _no_value(source)


def _no_value_before(source: Source) -> tuple[Payload, ...]:
    return _no_value(source, 1), sent(source, tokens(source, CUMULATIVE))


def _other_order(source: Source) -> tuple[Payload, ...]:
    before = number(source, 2.0, {"mcp.method.name": "ping", "status": "success"}, back=1)
    after = number(source, 3.0, {"status": "success", "mcp.method.name": "ping"})
    return sent(source, counter(before)), sent(source, counter(after))


def _two_in_one(source: Source) -> Payload:
    points = [number(source, value, {"status": "success"}, back) for value, back in ((2.0, 1), (3.0, 0))]
    return sent(source, counter(*points))


def _one_series_of_two_scopes(source: Source) -> Payload:
    message = request(source)
    for name, value in (("one", 2.0), ("two", 3.0)):
        metric = counter(number(source, value, {"status": "success"}), temporality=CUMULATIVE)
        message.resource_metrics[0].scope_metrics.add(metrics=[metric]).scope.name = name
    return payload(message)


STREAM_CASES: tuple[Case, ...] = (
    Case(
        "deltas_add_up",
        f"delta points of a stream are added: {data_model('sums-delta-to-cumulative')}",
        Rule.MUST,
        lambda s: _steps(s, DELTA, 1.0, 2.0, 2.0),
        on(Accepted()),
        (GOOD,),
    ),
    Case(
        "cumulative_replaces",
        f"a cumulative point holds everything since its start: {data_model('temporality')}",
        Rule.MUST,
        lambda s: _steps(s, CUMULATIVE, 1.0, 4.0, 5.0),
        on(Accepted()),
        (GOOD,),
    ),
    Case(
        "cumulative_reset",
        f"a new start time is a reset, after which the exposed counter goes on: {data_model('resets-and-gaps')}",
        Rule.MUST,
        _reset,
        on(Accepted()),
        _total(14),
    ),
    Case(
        "cumulative_without_start",
        f"the start time is optional: {data_model('cumulative-streams-handling-unknown-start-time')}",
        Rule.MUST,
        lambda s: (_without_start(s),),
        on(Accepted()),
        (GOOD,),
    ),
    Case(
        "duplicate_delta",
        RESENT,
        Rule.MUST,
        lambda s: (sent(s, good(s)), sent(s, good(s))),
        on(Accepted()),
        (GOOD,),
    ),
    Case(
        "duplicate_cumulative",
        RESENT,
        Rule.MUST,
        lambda s: _steps(s, CUMULATIVE, 5.0) * 2,
        on(Accepted()),
        (GOOD,),
    ),
    Case(
        "two_points_in_one_request",
        f"delta points of a stream are added: {data_model('sums-delta-to-cumulative')}",
        Rule.MUST,
        lambda s: (_two_in_one(s),),
        on(Accepted()),
        (GOOD,),
    ),
    Case(
        "attributes_in_other_order",
        f"the attributes of a stream are a set: {data_model('opentelemetry-protocol-data-model')}",
        Rule.MUST,
        _other_order,
        on(Accepted()),
        (Sample("mcp_method_count_total", 5, (("mcp_method_name", "ping"), ("status", "success"))),),
    ),
    Case(
        "two_scopes_of_one_series",
        f"streams of two scopes are two streams, here of one series: {data_model('opentelemetry-protocol-data-model')}",
        Rule.OURS,
        lambda s: (_one_series_of_two_scopes(s),),
        on(Accepted()),
        (GOOD,),
    ),
    Case("no_value", NO_VALUE, Rule.SHOULD, lambda s: (_no_value_beside(s),), on(Accepted()), (GOOD,)),
    Case("no_value_after_a_value", NO_VALUE, Rule.SHOULD, _no_value_after, on(Accepted())),
    Case("no_value_before_a_value", NO_VALUE, Rule.SHOULD, _no_value_before, on(Accepted()), TOKEN_SAMPLES),
)
