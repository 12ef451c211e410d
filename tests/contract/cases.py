"""The table of requests that every transport carries alike: what is accepted, and what cannot be decoded.

Points that are refused one by one are in `cases_points.py`, the ways of HTTP in `cases_http.py`.
"""

from contract.build import (
    CUMULATIVE,
    DELTA,
    GOOD,
    REQUESTS,
    TOKEN_SAMPLES,
    TOKENS,
    Temporality,
    buckets,
    counter,
    exponential,
    exponential_histogram,
    gauge,
    good,
    histogram,
    number,
    payload,
    request,
    sent,
    tokens,
)
from contract.cases_json import JSON_CASES
from contract.cases_points import POINT_CASES
from contract.cases_streams import STREAM_CASES
from contract.model import UNDECODABLE, Accepted, Case, Payload, Rule, Sample, Source, data_model, on, otlp

SUCCESS = f"an accepted request leaves partial_success unset: {otlp('full-success')}"
EMPTY = f"a request that carries no telemetry is a success: {otlp('full-success')}"
ENVELOPE = f"an envelope without points may be ignored, and is no error: {otlp('empty-telemetry-envelopes')}"
BAD_DATA = f"what cannot be decoded is a non-retryable error: {otlp('failures')}"


def _tokens(source: Source, temporality: Temporality) -> Payload:
    return sent(source, tokens(source, temporality))


def _cumulative_sum(source: Source) -> Payload:
    return sent(source, counter(number(source, 5, {"status": "success"}), temporality=CUMULATIVE))


def _non_monotonic(source: Source) -> Payload:
    metric = counter(number(source, -3), name="gen_ai.contract.open", temporality=CUMULATIVE)
    metric.sum.is_monotonic = False
    return sent(source, metric)


def _exponential(source: Source) -> Payload:
    return sent(source, exponential_histogram(exponential(source), name="gen_ai.contract.exponential"))


def _exponential_cumulative(source: Source) -> Payload:
    points = exponential(source)
    return sent(source, exponential_histogram(points, name="gen_ai.contract.exponential", temporality=CUMULATIVE))


def _heartbeat_scope(source: Source) -> Payload:
    message = request(source)
    message.resource_metrics[0].scope_metrics.add().scope.name = "contract"
    return payload(message)


def _two_scopes(source: Source) -> Payload:
    message = request(source, good(source))
    message.resource_metrics[0].scope_metrics.add(metrics=[histogram(buckets(source), name=TOKENS)])
    return payload(message)


def _min_max(source: Source) -> Payload:
    metric = tokens(source)
    point = metric.histogram.data_points[0]
    point.min, point.max = 1.0, 4.0
    return sent(source, metric)


_EXPONENTIAL_SAMPLES = (
    Sample("gen_ai_contract_exponential_count", 4),
    Sample("gen_ai_contract_exponential_sum", 7),
)
_LABELLED = (Sample("mcp_method_count_total", 2, (("attempt", "42"), ("cached", "true"))),)


CASES: tuple[Case, ...] = (
    Case("delta_histogram", SUCCESS, Rule.MUST, lambda s: (_tokens(s, DELTA),), on(Accepted()), TOKEN_SAMPLES),
    Case(
        "cumulative_histogram", SUCCESS, Rule.MUST, lambda s: (_tokens(s, CUMULATIVE),), on(Accepted()), TOKEN_SAMPLES
    ),
    Case("histogram_min_max", SUCCESS, Rule.MUST, lambda s: (_min_max(s),), on(Accepted()), TOKEN_SAMPLES),
    Case("delta_sum", SUCCESS, Rule.MUST, lambda s: (sent(s, good(s)),), on(Accepted()), (GOOD,)),
    Case("cumulative_sum", SUCCESS, Rule.MUST, lambda s: (_cumulative_sum(s),), on(Accepted()), (GOOD,)),
    Case(
        "non_monotonic_sum",
        f"a sum that may fall is a gauge to Prometheus: {data_model('sums')}",
        Rule.MUST,
        lambda s: (_non_monotonic(s),),
        on(Accepted()),
        (Sample("gen_ai_contract_open", -3),),
    ),
    Case(
        "gauge",
        SUCCESS,
        Rule.MUST,
        lambda s: (sent(s, gauge(number(s, 2.5), name="gen_ai.contract.level")),),
        on(Accepted()),
        (Sample("gen_ai_contract_level", 2.5),),
    ),
    Case("delta_exponential", SUCCESS, Rule.MUST, lambda s: (_exponential(s),), on(Accepted()), _EXPONENTIAL_SAMPLES),
    Case(
        "cumulative_exponential",
        SUCCESS,
        Rule.MUST,
        lambda s: (_exponential_cumulative(s),),
        on(Accepted()),
        _EXPONENTIAL_SAMPLES,
    ),
    Case(
        "attributes_of_other_types",
        f"an attribute's value may be an integer or a boolean: {SUCCESS}",
        Rule.MUST,
        lambda s: (sent(s, counter(number(s, 2, {"cached": True, "attempt": 42}), name=REQUESTS)),),
        on(Accepted()),
        _LABELLED,
    ),
    Case(
        "two_scopes",
        SUCCESS,
        Rule.MUST,
        lambda s: (_two_scopes(s),),
        on(Accepted()),
        (GOOD, Sample("gen_ai_client_token_usage_count", 3), Sample("gen_ai_client_token_usage_sum", 7)),
    ),
    Case("empty_request", EMPTY, Rule.SHOULD, lambda _: (Payload(b"", b"{}"),), on(Accepted())),
    Case(
        "empty_list",
        EMPTY,
        Rule.SHOULD,
        lambda _: (Payload(b"\x0a\x00", b'{"resourceMetrics":[]}'),),
        on(Accepted()),
    ),
    Case("heartbeat", ENVELOPE, Rule.SHOULD, lambda s: (sent(s),), on(Accepted())),
    Case("scope_without_metrics", ENVELOPE, Rule.SHOULD, lambda s: (_heartbeat_scope(s),), on(Accepted())),
    Case("metric_without_points", ENVELOPE, Rule.SHOULD, lambda s: (sent(s, histogram()),), on(Accepted())),
    Case(
        "truncated",
        BAD_DATA,
        Rule.MUST,
        lambda s: (Payload(sent(s, good(s)).protobuf[:-3], sent(s, good(s)).json[:-3]),),
        on(UNDECODABLE),
    ),
    Case(
        "no_message",
        BAD_DATA,
        Rule.MUST,
        lambda _: (Payload(b"\xff\xff\xff\xff", b"not JSON"),),
        on(UNDECODABLE),
    ),
    *STREAM_CASES,
    *JSON_CASES,
    *POINT_CASES,
)
