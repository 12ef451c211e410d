"""The checks of kind/verify, on numbers made by hand: each must fail where its own number is wrong."""

import dataclasses
from collections.abc import Sequence

import pytest

from aigw_kind import checks, series
from aigw_kind.ledger import Called, Ledger, Sent

_GATEWAY = {"gateway_namespace": "a", "gateway_name": "gw", "gateway_pod": "p0"}
_LEDGER = Ledger(
    "r/r",
    pods={"a/gw": ["p0"]},
    delta=["a/gw"],
    sent=[
        Sent("a/gw", "p0", "m", 200, input=9_990, output=20, cached=7, reasoning=4, seconds=2.0),
        Sent("a/gw", "p0", "m", 200, stream=True, input=3, output=5, seconds=2.0),
        Sent("a/gw", "p0", "nonexistent-model", 404, seconds=1.0),
        Sent("a/gw", "p0", "longstream", 200, stream=True, aborted=True, seconds=1.0),
        Sent("a/gw", "p0", "unreachable", 503, seconds=1.0),
    ],
    called=[
        Called("a/gw", "p0", "tools/call", "everything__echo", seconds=1.0),
        Called("a/gw", "p0", "tools/call", "everything__nothing", failed=True, seconds=1.0),
        Called("a/gw", "p0", "notifications/initialized", status=202, seconds=1.0),
    ],
)


def _sample(name: str, value: float, **labels: str) -> series.Sample:
    return series.Sample(name, {**_GATEWAY, **labels}, value)


def _asked(name: str, value: float, model: str, **labels: str) -> series.Sample:
    return _sample(name, value, gen_ai_original_model=model, gen_ai_provider_name="openai", **labels)


_AFTER = [
    _asked("gen_ai_server_request_duration_seconds_count", 2, "m"),
    _asked("gen_ai_server_request_duration_seconds_sum", 1.5, "m"),
    _asked("gen_ai_server_request_duration_seconds_bucket", 2, "m", le="+Inf"),
    _asked("gen_ai_server_request_duration_seconds_count", 1, "nonexistent-model", error_type="_OTHER"),
    _asked("gen_ai_server_request_duration_seconds_sum", 0.5, "nonexistent-model", error_type="_OTHER"),
    _asked("gen_ai_server_request_duration_seconds_bucket", 1, "nonexistent-model", error_type="_OTHER", le="+Inf"),
    _asked("gen_ai_server_time_to_first_token_seconds_count", 1, "m"),
    _asked("gen_ai_server_time_to_first_token_seconds_sum", 0.5, "m"),
    _asked("gen_ai_server_time_per_output_token_seconds_count", 1, "m"),
    _asked("gen_ai_server_time_per_output_token_seconds_sum", 0.5, "m"),
    _asked("gen_ai_client_token_usage_sum", 9_993, "m", gen_ai_token_type="input"),
    _asked("gen_ai_client_token_usage_sum", 25, "m", gen_ai_token_type="output"),
    _asked("gen_ai_client_token_usage_sum", 7, "m", gen_ai_token_type="cached_input"),
    _asked("gen_ai_client_token_usage_sum", 4, "m", gen_ai_token_type="reasoning"),
    _sample("mcp_request_duration_seconds_count", 2, mcp_backend="everything"),
    _sample("mcp_request_duration_seconds_sum", 1, mcp_backend="everything"),
    _sample("mcp_request_duration_seconds_bucket", 2, mcp_backend="everything", le="+Inf"),
    _sample("mcp_method_count_total", 1, mcp_method_name="tools/call", status="success"),
    _sample("mcp_method_count_total", 1, mcp_method_name="tools/call", status="failed"),
    _sample("mcp_method_count_total", 1, mcp_method_name="notifications/initialized", status="success"),
    _sample("aigw_requests_total", 3, ai_route_type="llm", status_code="200"),
    _sample("aigw_requests_total", 1, ai_route_type="llm", status_code="404"),
    _sample("aigw_requests_total", 1, ai_route_type="llm", status_code="503"),
    _sample("aigw_access_logs_total", 5, ai_route_type="llm", decision="kept"),
    _sample("aigw_aborted_requests_total", 1, ai_route_type="llm"),
]


def _log(route: str, ending: str, **fields: str | int) -> checks.Log:
    return {**_GATEWAY, "ai_route_type": route, "ending": ending, **fields}


_LOGS = [
    _log("llm", "ok", requested_model="m", input_tokens=9_990, output_tokens=20, total_tokens=10_010, rules="tokens"),
    _log("llm", "ok", requested_model="m", input_tokens=3, output_tokens=5, total_tokens=8, rules="sample"),
    _log("llm", "client_error", requested_model="nonexistent-model", status=404, rules="errors"),
    _log("llm", "aborted", requested_model="longstream", rules="aborted"),
    _log("llm", "upstream_error", requested_model="unreachable", rules="errors,upstream_failure"),
    _log("mcp", "ok", mcp_method="tools/call", mcp_tool="echo"),
    _log("mcp", "ok", mcp_method="tools/call", mcp_tool="nothing"),
]
_SEEN = checks.Seen([], _AFTER, [{**_GATEWAY, "ended": False, "signals": {"metrics": {}}}], _LOGS)


def _failed(seen: checks.Seen, *, outage: bool = False) -> list[str]:
    return [str(check) for check in checks.run(_LEDGER, seen, outage=outage) if not check.passed]


def test_all_right() -> None:
    """A check fails although every number is right."""
    assert [] == _failed(_SEEN)


@pytest.mark.parametrize("place", range(len(_AFTER)))
def test_each_sample_counts(place: int) -> None:
    """A series that is missing, or too large, is not noticed."""
    without = [sample for number, sample in enumerate(_AFTER) if number != place]
    larger = [*without, dataclasses.replace(_AFTER[place], value=_AFTER[place].value + 1e6)]
    assert [] != _failed(dataclasses.replace(_SEEN, after=without))
    assert [] != _failed(dataclasses.replace(_SEEN, after=larger))


@pytest.mark.parametrize("place", range(len(_LOGS)))
def test_each_log_counts(place: int) -> None:
    """A record that is missing is not noticed."""
    assert [] != _failed(dataclasses.replace(_SEEN, logs=[log for each, log in enumerate(_LOGS) if each != place]))


def test_what_was_there_before() -> None:
    """Numbers from before the traffic are taken for numbers of it."""
    doubled = [dataclasses.replace(sample, value=2 * sample.value) for sample in _AFTER]
    assert [] == _failed(dataclasses.replace(_SEEN, before=_AFTER, after=doubled))
    assert [] != _failed(dataclasses.replace(_SEEN, before=_AFTER))


def test_ended_pod() -> None:
    """A pod that has ended before the traffic began, and is remembered, is taken for one that is not known."""
    (source,) = _SEEN.sources
    ended = {**source, "gateway_pod": "p9", "ended": True}
    assert [] == _failed(dataclasses.replace(_SEEN, sources=[ended, source]))
    assert ["FAIL  a/gw is known, with its pods: expected p0, got none"] == _failed(
        dataclasses.replace(_SEEN, sources=[{**source, "ended": True}])
    )


def test_unknown_pod() -> None:
    """A pod that the receiver has not heard is not noticed."""
    assert ["FAIL  a/gw is known, with its pods: expected p0, got none"] == _failed(
        dataclasses.replace(_SEEN, sources=[])
    )


@pytest.mark.parametrize(
    ("share", "failures"), [(0.5, 0), (1.0, 0), (0.0, 4), (2.0, 4)], ids=["half", "all", "none", "twice"]
)
def test_outage(share: float, failures: int) -> None:
    """An outage excuses what came twice, or that nothing came at all; or what it may cost is held against it."""
    after: Sequence[series.Sample] = [dataclasses.replace(each, value=each.value * share) for each in _AFTER]
    assert failures == len(_failed(dataclasses.replace(_SEEN, after=after, logs=[]), outage=True))


def test_parse() -> None:
    """A line of an exposition is read wrongly."""
    text = '# TYPE x counter\nx{a="1",b="q\\"}"} 2.5 1700000000\nx 3\ny{a="1"} +Inf\n'
    samples = series.parse(text)
    expected = [
        series.Sample("x", {"a": "1", "b": 'q\\"}'}, 2.5),
        series.Sample("x", {}, 3.0),
        series.Sample("y", {"a": "1"}, float("inf")),
    ]
    assert expected == samples
    assert 2.5 == series.total(samples, "x", a=("1", "2"))
    assert 5.5 == series.total(samples, "x")
