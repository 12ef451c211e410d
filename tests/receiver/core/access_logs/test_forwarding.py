"""Kept records as OTLP: what a Collector, a Loki and a SkyWalking OAP find in them, and what their answers mean."""

import dataclasses
import json
from typing import Any

import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from aigw_receiver.core.access_logs import answers, flat, forwarding
from aigw_receiver.core.access_logs.answers import Backoff, Delayed, Delivered, Refused
from aigw_receiver.core.access_logs.model import AccessLog, Decision, Ending, Kept, RouteType, Tokens
from aigw_receiver.core.model import Identity
from otlp_targets import values

_POD = Identity("shop", "edge", "edge-0")
_TIME = 1_795_353_374_756_107_001
_LLM = AccessLog(
    _POD,
    RouteType.LLM,
    _TIME,
    Ending.UPSTREAM_ERROR,
    method="POST",
    path="/v1/chat/completions",
    status=503,
    duration=1835.0,
    requested_model="gpt-5",
    answered_model="gpt-5-nano",
    backend="shop/openai",
    tokens=Tokens(input=2006, output=300, total=2306),
    failure_reason="reset",
    request_id="r-1",
    session_id="s-1",
    rest=(("x", "y"),),
)
_MCP = AccessLog(
    _POD,
    RouteType.MCP,
    _TIME,
    Ending.OK,
    status=200,
    mcp_method="tools/call",
    mcp_tool="echo",
    mcp_backend="everything",
    session_id="m-1",
)


def _line(log: AccessLog, cost: float | None = None) -> bytes:
    return flat.to_json_line(Kept(log, Decision(("errors",), 2.0), cost))


def _request(*lines: bytes, **attributes: str) -> logs_service_pb2.ExportLogsServiceRequest:
    built = forwarding.build_request(lines, attributes)
    assert (len(lines), 0) == (built.records, built.malformed)
    return logs_service_pb2.ExportLogsServiceRequest.FromString(built.body)


def _only_record(request: logs_service_pb2.ExportLogsServiceRequest) -> Any:
    [resource] = request.resource_logs
    [scope] = resource.scope_logs
    [record] = scope.log_records
    return record


def test_an_llm_record() -> None:
    """A field is lost or has another type, or the names that an OAP decides by are missing, so that it drops all."""
    record = _only_record(_request(_line(_LLM, 0.0125)))
    assert (_TIME, 0, 17, "ERROR") == (
        record.time_unix_nano,
        record.observed_time_unix_nano,
        record.severity_number,
        record.severity_text,
    )
    body = "POST /v1/chat/completions 503 upstream_error gpt-5-nano shop/openai 1835 ms 2006+300 tokens 0.0125 USD"
    assert body == record.body.string_value
    assert values(record.attributes) == {
        "ai_route_type": "llm",
        "gateway_namespace": "shop",
        "gateway_name": "edge",
        "gateway_pod": "edge-0",
        "ending": "upstream_error",
        "rules": "errors",
        "weight": 2.0,
        "cost_usd": 0.0125,
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 503,
        "duration_ms": 1835.0,
        "requested_model": "gpt-5",
        "answered_model": "gpt-5-nano",
        "backend": "shop/openai",
        "input_tokens": 2006,
        "output_tokens": 300,
        "total_tokens": 2306,
        "upstream_failure_reason": "reset",
        "request_id": "r-1",
        "session_id": "s-1",
        "attributes.x": "y",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.response.model": "gpt-5-nano",
        "gen_ai.provider.name": "shop/openai",
        "gen_ai.usage.input_tokens": 2006,
        "gen_ai.usage.output_tokens": 300,
        "session.id": "s-1",
        "response_code": 503,
        "duration": 1835.0,
        "request.path": "/v1/chat/completions",
        "upstream_transport_failure_reason": "reset",
    }
    kinds = {item.key: item.value.WhichOneof("value") for item in record.attributes}
    assert {"int_value"} == {kinds[name] for name in ("status", "response_code", "total_tokens")}
    assert {"double_value"} == {kinds[name] for name in ("duration_ms", "cost_usd", "weight")}


def test_an_mcp_record() -> None:
    """An MCP request is told as an LLM one, or an OAP does not see its method and its status."""
    record = _only_record(_request(_line(_MCP)))
    assert "200 ok tools/call echo everything" == record.body.string_value
    assert (9, "INFO") == (record.severity_number, record.severity_text)
    assert values(record.attributes) == {
        "ai_route_type": "mcp",
        "gateway_namespace": "shop",
        "gateway_name": "edge",
        "gateway_pod": "edge-0",
        "ending": "ok",
        "rules": "errors",
        "weight": 2.0,
        "status": 200,
        "mcp_method": "tools/call",
        "mcp_tool": "echo",
        "mcp_backend": "everything",
        "session_id": "m-1",
        "mcp.method.name": "tools/call",
        "mcp.provider.name": "everything",
        "mcp.session.id": "m-1",
        "response_code": 200,
    }


def test_resources() -> None:
    """Records of two pods are mixed up, an OAP knows not whose they are, or what is configured does not win."""
    other = AccessLog(Identity("", "unknown", ""), RouteType.LLM, 1, Ending.OK, request_id="other")
    first, second = (AccessLog(_POD, RouteType.LLM, 1, Ending.OK, request_id=name) for name in ("first", "second"))
    request = _request(*map(_line, (first, other, second)), **{"service.layer": "MINE", "team": "a", "job_name": ""})
    assert [values(resource.resource.attributes) for resource in request.resource_logs] == [
        {
            "service.name": "edge",
            "service.namespace": "shop",
            "service.instance.id": "edge-0",
            "service.instance": "edge-0",
            "service.layer": "MINE",
            "aigw.service": "edge",
            "aigw.gateway.namespace": "shop",
            "aigw.gateway.name": "edge",
            "k8s.pod.name": "edge-0",
            "team": "a",
        },
        {
            "service.name": "unknown",
            "service.layer": "MINE",
            "aigw.service": "unknown",
            "aigw.gateway.name": "unknown",
            "team": "a",
        },
    ]
    scopes = [scope for resource in request.resource_logs for scope in resource.scope_logs]
    assert ["aigw-telemetry", "aigw-telemetry"] == [scope.scope.name for scope in scopes]
    names = [[values(record.attributes)["request_id"] for record in scope.log_records] for scope in scopes]
    assert [["first", "second"], ["other"]] == names


def test_what_skywalking_asks_for() -> None:
    """Without configuration an OAP finds no rules for our records."""
    attributes = values(_request(_line(_LLM)).resource_logs[0].resource.attributes)
    assert ("ENVOY_AI_GATEWAY", "envoy-ai-gateway") == (attributes["service.layer"], attributes["job_name"])


@pytest.mark.parametrize(
    ("ending", "severity"),
    [
        (Ending.OK, "INFO"),
        (Ending.CLIENT_ERROR, "WARN"),
        (Ending.ABORTED, "WARN"),
        (Ending.UPSTREAM_ERROR, "ERROR"),
        (Ending.GATEWAY_ERROR, "ERROR"),
        (Ending.TIMEOUT, "ERROR"),
        (Ending.TOOL_ERROR, "ERROR"),
    ],
)
def test_severities(ending: Ending, severity: str) -> None:
    """A failure is shown as an ordinary request."""
    record = _only_record(_request(_line(AccessLog(_POD, RouteType.LLM, 1, ending))))
    assert severity == record.severity_text


@pytest.mark.parametrize(
    "change",
    [
        {"time": "yesterday"},
        {"time": None},
        {"gateway_pod": None},
        {"gateway_name": ["edge"]},
        {"path": ["a"]},
        {"path": "\ud800"},
        {"duration_ms": "long"},
        {"bytes_sent": 10**400},
    ],
)
def test_lines_that_are_no_records(change: dict[str, Any]) -> None:
    """One bad line costs the good ones beside it, or the thread that reads it."""
    good = _line(_LLM)
    document = {name: value for name, value in {**json.loads(good), **change}.items() if value is not None}
    built = forwarding.build_request([json.dumps(document).encode(), b"{", b"[]", b"\xff", good], {})
    assert (1, 4) == (built.records, built.malformed)
    assert built.body == forwarding.build_request([good], {}).body


@given(st.integers(min_value=0, max_value=253_402_300_799_999_999_999))
def test_times(time: int) -> None:
    """A record arrives with another time than it was logged with."""
    assert time == forwarding.nanoseconds(flat.rfc3339(time))


_TEXTS = st.text() | st.integers(0, 20_000).map(lambda length: "x" * length)
_NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(max_size=200).map(lambda name: f"attributes.{name}"), _TEXTS | _NUMBERS))
def test_any_values(attributes: dict[str, str | int | float]) -> None:
    """What is written by hand is read as something else by the official parser."""
    line = json.dumps({**json.loads(_line(_LLM)), **attributes}).encode()
    found = values(_only_record(_request(line)).attributes)
    assert attributes.items() <= found.items()
    assert {name: type(value) for name, value in attributes.items()} == {name: type(found[name]) for name in attributes}


def test_a_time_that_otlp_does_not_have() -> None:
    """A time behind the year 2554 costs the record."""
    assert (1 << 64) - 1 == _only_record(_request(_line(dataclasses.replace(_LLM, time=1 << 66)))).time_unix_nano


def test_large_integers() -> None:
    """A number that OTLP has no integer for ends the sink."""
    line = json.dumps({**json.loads(_line(_LLM)), "bytes_sent": 1 << 63, "bytes_received": (1 << 63) - 1}).encode()
    attributes = values(_only_record(_request(line)).attributes)
    assert (float(1 << 63), (1 << 63) - 1) == (attributes["bytes_sent"], attributes["bytes_received"])


def _details(*details: Any) -> bytes:
    status = status_pb2.Status()
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return bytes(status.SerializeToString())


_RETRY = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=2, nanos=500_000_000))


@pytest.mark.parametrize(
    ("code", "details", "verdict"),
    [
        (code_pb2.CANCELLED, b"", Delayed("CANCELLED: why")),
        (code_pb2.UNKNOWN, b"", Refused("UNKNOWN: why")),
        (code_pb2.INVALID_ARGUMENT, b"", Refused("INVALID_ARGUMENT: why")),
        (code_pb2.DEADLINE_EXCEEDED, b"", Delayed("DEADLINE_EXCEEDED: why")),
        (code_pb2.NOT_FOUND, b"", Refused("NOT_FOUND: why")),
        (code_pb2.ALREADY_EXISTS, b"", Refused("ALREADY_EXISTS: why")),
        (code_pb2.PERMISSION_DENIED, b"", Refused("PERMISSION_DENIED: why")),
        (code_pb2.UNAUTHENTICATED, b"", Refused("UNAUTHENTICATED: why")),
        (code_pb2.RESOURCE_EXHAUSTED, b"", Refused("RESOURCE_EXHAUSTED: why")),
        (code_pb2.RESOURCE_EXHAUSTED, _details(_RETRY), Delayed("RESOURCE_EXHAUSTED: why", 2.5)),
        (code_pb2.RESOURCE_EXHAUSTED, b"\xff", Refused("RESOURCE_EXHAUSTED: why")),
        (code_pb2.FAILED_PRECONDITION, b"", Refused("FAILED_PRECONDITION: why")),
        (code_pb2.ABORTED, b"", Delayed("ABORTED: why")),
        (code_pb2.OUT_OF_RANGE, b"", Delayed("OUT_OF_RANGE: why")),
        (code_pb2.UNIMPLEMENTED, b"", Refused("UNIMPLEMENTED: why")),
        (code_pb2.INTERNAL, b"", Refused("INTERNAL: why")),
        (code_pb2.UNAVAILABLE, b"", Delayed("UNAVAILABLE: why")),
        (code_pb2.UNAVAILABLE, _details(error_details_pb2.BadRequest(), _RETRY), Delayed("UNAVAILABLE: why", 2.5)),
        (code_pb2.DATA_LOSS, b"", Delayed("DATA_LOSS: why")),
        (99, b"", Refused("99: why")),
    ],
)
def test_grpc_statuses(code: int, details: bytes, verdict: answers.Verdict) -> None:
    """A request is sent again that may not be, or is given up that may be sent again."""
    assert verdict == answers.read_grpc_failure(code, "why", details)


# 2026-11-22T13:16:14Z
_NOW = 1_795_353_374.0


@pytest.mark.parametrize(
    ("status", "retry_after", "verdict"),
    [
        (200, "", Delivered()),
        (204, "", Delivered()),
        (301, "", Refused("HTTP status 301")),
        (400, "5", Refused("HTTP status 400")),
        (401, "", Refused("HTTP status 401")),
        (404, "", Refused("HTTP status 404")),
        (413, "", Refused("HTTP status 413")),
        (429, "", Delayed("HTTP status 429")),
        (429, "7", Delayed("HTTP status 429", 7.0)),
        (429, "soon", Delayed("HTTP status 429")),
        (500, "", Refused("HTTP status 500")),
        (502, "", Delayed("HTTP status 502")),
        (503, "Sun, 22 Nov 2026 13:16:44 GMT", Delayed("HTTP status 503", 30.0)),
        (503, "Sun, 22 Nov 2026 13:16:04 GMT", Delayed("HTTP status 503", 0.0)),
        (503, "Sunday, 22-Nov-26 13:16:44 GMT", Delayed("HTTP status 503")),
        (504, "", Delayed("HTTP status 504")),
    ],
)
def test_http_statuses(status: int, retry_after: str, verdict: answers.Verdict) -> None:
    """A request is sent again that may not be, too soon, or not at all."""
    assert verdict == answers.read_http_answer(status, retry_after, b"", _NOW)


def test_partial_success() -> None:
    """Records that were rejected count as arrived, or a warning as a rejection."""

    def read(rejected: int, message: str) -> answers.Verdict:
        response = logs_service_pb2.ExportLogsServiceResponse()
        response.partial_success.rejected_log_records = rejected
        response.partial_success.error_message = message
        return answers.read_response(response.SerializeToString())

    assert Delivered(3, "too old") == read(3, "too old")
    assert Delivered(0, "slow down") == read(0, "slow down")
    assert Delivered(0, "x" * 200) == read(-1, "x" * 1000)
    assert Delivered() == answers.read_response(b"\xff")


@pytest.mark.parametrize(
    ("attempt", "random", "after", "wait"),
    [
        (0, 0.0, None, 0.5),
        (0, 1.0, None, 1.0),
        (1, 0.5, None, 1.5),
        (4, 1.0, None, 16.0),
        (5, 1.0, None, 30.0),
        (10_000, 0.0, None, 15.0),
        (0, 0.0, 10.0, 10.0),
        (5, 1.0, 10.0, 30.0),
        (0, 0.0, 1e9, 300.0),
        (0, 0.0, 0.0, 0.5),
    ],
)
def test_waits(attempt: int, random: float, after: float | None, wait: float) -> None:
    """A target that is away is asked all the time or hardly ever, and one that asks for time does not get it."""
    assert wait == Backoff().wait(attempt, random, after)
