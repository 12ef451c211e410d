"""What a Prometheus is asked, and what its answers come to. A real one is asked in tests/truth."""

import json
from typing import Any

import pytest

from aigw_receiver.core.gateways import prometheus_answers, promql
from aigw_receiver.core.gateways.prometheus_answers import AnswerError, Sample
from aigw_receiver.core.gateways.promql import Family, Query
from aigw_receiver.core.rollup.model import NOTHING, Cell, Distribution, Measure, Number, Totals, View
from otlp_messages import SECOND

_GATEWAY = {"gateway_namespace": "ns", "gateway_name": "gw"}
_CELL = Cell(View.GATEWAY, "ns", "gw", ())


def _family(of: object, *, is_sum: bool = False) -> Family:
    return next(family for family in promql.FAMILIES if family.of == of and family.is_sum == is_sum)


_BUCKETS, _SUM = _family(Measure.DURATION), _family(Measure.DURATION, is_sum=True)
_ERRORS, _COST = _family(Number.ERRORS), _family(Number.COST)
_TOKENS = next(family for family in promql.FAMILIES if not isinstance(family.of, (Number, Measure)))


def test_window_query() -> None:
    """A window is counted from another moment, or with the numbers of another gateway."""
    query = promql.window_query(_ERRORS, View.MODEL, ("", 'a"b'), 100 * SECOND, 160 * SECOND)
    selector = 'gen_ai_server_request_duration_seconds_count{gateway_namespace="",gateway_name="a\\"b",error_type!=""}'
    expected = (
        "sum by (gateway_namespace, gateway_name, gen_ai_provider_name, gen_ai_response_model) (\n"
        f"  last_over_time({selector}[60000ms])"
        f" - (last_over_time({selector}[1h] offset 60000ms) or min_over_time({selector}[60000ms])) >= 0"
        f" and resets({selector}[60000ms]) == 0\n"
        f"  or increase({selector}[60000ms])\n"
        ")"
    )
    assert ("/api/v1/query", {"query": expected, "time": "160.000000000"}) == (query.path, query.parameters)


def test_step_query() -> None:
    """Steps are those of other cells, or begin at another moment."""
    cells = [Cell(View.MODEL, "ns", "gw", ("b", "gpt-4.1")), Cell(View.MODEL, "ns", "gw", ("a", "x|y"))]
    edges = [at * 60 * SECOND for at in range(10, 14)]
    query = promql.step_query(_TOKENS, cells, edges)
    assert {"start": "660.000000000", "end": "780.000000000", "step": "60.000000000"} == {
        name: text for name, text in query.parameters.items() if name != "query"
    }
    assert "/api/v1/query_range" == query.path
    selector = (
        'gen_ai_client_token_usage_sum{gateway_namespace="ns",gateway_name="gw",gen_ai_provider_name=~"a|b",'
        'gen_ai_response_model=~"gpt\\\\-4\\\\.1|x\\\\|y"}[60000ms]'
    )
    assert selector in query.expression
    assert "gen_ai_response_model, gen_ai_token_type) (" in query.expression


def test_all_gateways() -> None:
    """The list of gateways has those of something else that uses the names of OpenTelemetry."""
    assert '{gateway_name!=""}' in promql.window_query(_COST, View.GATEWAY, None, 0, SECOND).expression


def test_presence_question() -> None:
    """A Prometheus that knows of an earlier time is taken for one that does not, or asked about another time."""
    question = promql.presence_question(10 * SECOND, 70 * SECOND)
    names = ("gen_ai_server_request_duration_seconds", "gen_ai_server_time_to_first_token_seconds")
    counters = [f"{name}_count" for name in (*names, "mcp_request_duration_seconds")] + ["mcp_method_count_total"]
    expected = " or ".join(f'count(last_over_time({name}{{gateway_name!=""}}[60000ms]))' for name in counters)
    assert ("/api/v1/query", {"query": expected, "time": "70.000000000"}) == (question.path, question.parameters)
    assert "[1ms]" in promql.presence_question(SECOND - 1, SECOND).expression


@pytest.mark.parametrize("view", View)
def test_families(view: View) -> None:
    """A view is asked for numbers that it does not have, or not for all that it has."""
    counts = {
        View.GATEWAY: 18,
        View.POD: 18,
        View.PROVIDER: 10,
        View.MODEL: 10,
        View.MCP_BACKEND: 8,
        View.MCP_METHOD: 3,
        View.MCP_CAPABILITY: 1,
    }
    assert counts[view] == len([*promql.families_of(view)])


def test_families_of_numbers() -> None:
    """More is asked for than what is wanted."""
    assert [_BUCKETS, _SUM, _TOKENS] == [*promql.families_of(View.MODEL, [Measure.DURATION, Number.INPUT])]


def _query(family: Family, view: View = View.GATEWAY) -> Query:
    return promql.window_query(family, view, None, 0, SECOND)


def _sample(value: float, time: int = SECOND, **labels: str) -> Sample:
    return Sample({**_GATEWAY, **labels}, time, value)


def test_gains() -> None:
    """A bucket, a sum, a count or a kind of tokens is taken for another."""
    buckets = [_sample(5.0, le="1.0"), _sample(9.0, le="+Inf"), _sample(8.0, le="2.5")]
    buckets += [_sample(1.0), _sample(1.0, le="x")]
    tokens = [_sample(12.0, gen_ai_token_type="input"), _sample(3.0, gen_ai_token_type="video")]
    answers = [
        (_query(_BUCKETS), buckets),
        (_query(_SUM), [_sample(7.5)]),
        (_query(_ERRORS), [_sample(2.0), Sample({"gateway_name": "b"}, SECOND, 1.0)]),
        (_query(_TOKENS), tokens),
        (_query(_COST), [_sample(0.0)]),
    ]
    expected = {
        _CELL: Totals(
            {Number.ERRORS: 2.0, Number.INPUT: 12.0}, {Measure.DURATION: (Distribution((1.0, 2.5), (5, 3, 1), 7.5),)}
        ),
        Cell(View.GATEWAY, "", "b", ()): Totals({Number.ERRORS: 1.0}, {}),
    }
    assert expected == prometheus_answers.gains(answers)


def test_buckets_that_fall() -> None:
    """Series with other bounds make a bucket with fewer than no observations."""
    buckets = [_sample(5.0, le="1"), _sample(4.0, le="2"), _sample(9.0, le="4"), _sample(9.0, le="+Inf")]
    gained = prometheus_answers.gains([(_query(_BUCKETS), buckets)])
    assert (Distribution((1.0, 2.0, 4.0), (5, 0, 4, 0), 0.0),) == gained[_CELL].measures[Measure.DURATION]


def test_gains_by_step() -> None:
    """A step in which nothing was scraped has zeros, or one in which nothing happened has none."""
    other = Cell(View.MODEL, "ns", "gw", ("p", "b"))
    cell = Cell(View.MODEL, "ns", "gw", ("p", "a"))
    labels = {"gen_ai_provider_name": "p", "gen_ai_response_model": "a"}
    samples = [_sample(3.0, 20 * SECOND, **labels), _sample(0.0, 40 * SECOND, **labels)]
    edges = [10 * SECOND, 20 * SECOND, 30 * SECOND, 40 * SECOND]
    found = prometheus_answers.gains_by_step([(_query(_ERRORS, View.MODEL), samples)], [cell, other], edges)
    assert {cell: [Totals({Number.ERRORS: 3.0}, {}), None, NOTHING], other: [NOTHING, None, NOTHING]} == found


def _body(*result: Any, kind: str = "vector") -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def test_answers() -> None:
    """A value is taken for that of another series or moment; NaN becomes a number."""
    vector = _body({"metric": {"a": "b"}, "value": [1.5, "2"]}, {"metric": {}, "value": [1.5, "NaN"]})
    assert [Sample({"a": "b"}, 1_500_000_000, 2.0)] == prometheus_answers.parse(vector)
    matrix = _body({"metric": {}, "values": [[10, "1"], [20.001, "1e3"], [30, "+Inf"]]}, kind="matrix")
    assert [Sample({}, 10 * SECOND, 1.0), Sample({}, 20_001_000_000, 1000.0)] == prometheus_answers.parse(matrix)
    assert [] == prometheus_answers.parse(_body())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"status":"error","errorType":"timeout","error":"query timed out"}', "timeout: query timed out"),
        (b'{"status":"error"}', "the answer is not that of a Prometheus"),
        (b"{}", "the answer is not that of a Prometheus"),
        (b"[]", "the answer is not that of a Prometheus"),
        (b"<html>", "the answer is not that of a Prometheus"),
        (b"\xff", "the answer is not that of a Prometheus"),
        (b"[" * 100_000, "the answer is not that of a Prometheus"),
        (_body({"metric": {}}), "the answer is not that of a Prometheus"),
        (_body({"metric": {}, "value": [1]}), "the answer is not that of a Prometheus"),
        (_body({"metric": {}, "value": [1, "many"]}), "the answer is not that of a Prometheus"),
        (_body({"metric": [], "value": [1, "1"]}), "the answer is not that of a Prometheus"),
        (_body({"metric": {}, "value": [1e999, "1"]}), "the answer is not that of a Prometheus"),
    ],
    ids=range(12),
)
def test_bad_answers(body: bytes, message: str) -> None:
    """What some proxy says ends the page with an error of the program, or is shown as numbers."""
    with pytest.raises(AnswerError) as error:
        prometheus_answers.parse(body)
    assert message == str(error.value)
