"""The table of answers: codes, statuses and bodies, in both encodings."""

import json

import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from aigw_receiver.core import status
from aigw_receiver.core.model import DropReason, FoldReason, Outcome
from aigw_receiver.core.status import Encoding, Failure

_FAILURES = [
    (status.BAD_DATA, code_pb2.INVALID_ARGUMENT, 400, False),
    (status.NOT_SERVED, code_pb2.UNIMPLEMENTED, 404, False),
    (status.WRONG_METHOD, code_pb2.UNIMPLEMENTED, 405, False),
    (status.TOO_LARGE, code_pb2.RESOURCE_EXHAUSTED, 413, False),
    (status.UNSUPPORTED_MEDIA_TYPE, code_pb2.INVALID_ARGUMENT, 415, False),
    (status.UNSUPPORTED_CODING, code_pb2.INVALID_ARGUMENT, 415, False),
    (status.UNAVAILABLE, code_pb2.UNAVAILABLE, 503, True),
    (status.INTERNAL, code_pb2.UNAVAILABLE, 503, True),
]


def test_table_is_whole() -> None:
    """A failure was added that no test looks at."""
    assert {failure for failure, *_ in _FAILURES} == {
        value for value in vars(status).values() if isinstance(value, Failure)
    }


@pytest.mark.parametrize(("failure", "code", "http_status", "retry"), _FAILURES)
def test_failure_in_protobuf(failure: Failure, code: int, http_status: int, *, retry: bool) -> None:
    """A sender gives up where it should try again, or tries again forever."""
    assert (code, http_status, retry) == (failure.code, failure.http_status, failure.retry)
    body = status_pb2.Status.FromString(status.failure_body(failure, Encoding.PROTOBUF))
    assert (code, failure.message) == (body.code, body.message)
    info, bad = error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
    if retry:
        (detail,) = body.details
        assert detail.Unpack(info)
        assert (1, 0) == (info.retry_delay.seconds, info.retry_delay.nanos)
    elif http_status == 400:
        (detail,) = body.details
        assert detail.Unpack(bad)
        assert [failure.message] == [violation.description for violation in bad.field_violations]
    else:
        assert [] == list(body.details)


@pytest.mark.parametrize(("failure", "code", "http_status", "retry"), _FAILURES)
def test_failure_in_json(failure: Failure, code: int, http_status: int, *, retry: bool) -> None:
    """The body of an error is not JSON where the request was, or says something else than in protobuf."""
    assert http_status == failure.http_status
    expected: dict[str, object] = {"code": code, "message": failure.message}
    if retry:
        expected["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}]
    elif http_status == 400:
        violations = [{"description": failure.message}]
        expected["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}]
    assert expected == json.loads(status.failure_body(failure, Encoding.JSON))


def test_headers() -> None:
    """An answer does not name what would have been understood."""
    headers = {failure: failure.headers for failure, *_ in _FAILURES if failure.headers}
    assert {
        status.WRONG_METHOD: (("Allow", "POST"),),
        status.UNSUPPORTED_CODING: (("Accept-Encoding", "gzip"),),
    } == headers


def test_delay_is_short() -> None:
    """A sender is asked to wait longer than it keeps its data."""
    assert 0 < status.RETRY_SECONDS <= 5


def test_refused_error_keeps_the_table() -> None:
    """A message of its own changes the code of a failure, or the table."""
    error = status.RefusedError(status.TOO_LARGE, "too much")
    assert ("too much", 413, "too much") == (error.failure.message, error.failure.http_status, str(error))
    assert (
        "the request is too large" == status.TOO_LARGE.message == status.RefusedError(status.TOO_LARGE).failure.message
    )


def _partial() -> Outcome:
    outcome = Outcome(accepted=3)
    outcome.reject(DropReason.METRIC_NOT_ADMITTED, 2, "http.server.duration")
    outcome.reject(DropReason.LATE, 1, "mcp.method.count")
    outcome.reject(DropReason.LATE, 1, "another")
    outcome.fold(FoldReason.INVALID_UTF8, "mcp.method.count")
    return outcome


_PARTIAL_MESSAGE = (
    "metric_not_admitted: 2 (http.server.duration); late: 2 (mcp.method.count); invalid_utf8: 1 (mcp.method.count)"
)


@pytest.mark.parametrize("encoding", Encoding)
def test_full_success(encoding: Encoding) -> None:
    """A full success, or one with duplicates, looks like a partial one, and senders log a warning each time."""
    outcome = Outcome(accepted=5, duplicates=5, outdated=1, overlaps=1, resets=1)
    expected = {Encoding.PROTOBUF: b"", Encoding.JSON: b"{}"}[encoding]
    assert expected == status.success_body(outcome, encoding)


def test_partial_success_in_protobuf() -> None:
    """A sender does not learn how many of its points were refused, and why."""
    response = ExportMetricsServiceResponse.FromString(status.success_body(_partial(), Encoding.PROTOBUF))
    assert (4, _PARTIAL_MESSAGE) == (
        response.partial_success.rejected_data_points,
        response.partial_success.error_message,
    )


def test_partial_success_in_json() -> None:
    """OTLP/JSON asks for 64-bit integers as strings and lowerCamelCase names."""
    expected = {"partialSuccess": {"rejectedDataPoints": "4", "errorMessage": _PARTIAL_MESSAGE}}
    assert expected == json.loads(status.success_body(_partial(), Encoding.JSON))


def test_warning() -> None:
    """A label that was changed is not told, or is told as a refusal."""
    outcome = Outcome(accepted=1)
    outcome.fold(FoldReason.LABEL_VALUE_TOO_LONG, "mcp.method.count: a")
    response = ExportMetricsServiceResponse.FromString(status.success_body(outcome, Encoding.PROTOBUF))
    assert response.HasField("partial_success")
    assert 0 == response.partial_success.rejected_data_points
    assert "label_value_too_long: 1 (mcp.method.count: a)" == response.partial_success.error_message


def test_message_is_bounded() -> None:
    """A metric name of a megabyte comes back to the sender, who logs it."""
    outcome = Outcome()
    outcome.reject(DropReason.METRIC_NOT_ADMITTED, 1, "x" * 1_000_000)
    assert f"metric_not_admitted: 1 ({'x' * 200})" == status.partial_success_message(outcome)


def test_message_names_every_reason() -> None:
    """A reason is left out of the message although it would have had room."""
    outcome = Outcome()
    for number, reason in enumerate(DropReason, start=1):
        outcome.reject(reason, number, "m")
    assert "; ".join(f"{reason.value}: {number} (m)" for number, reason in enumerate(DropReason, start=1)) == (
        status.partial_success_message(outcome)
    )
    assert sum(range(1, len(DropReason) + 1)) == outcome.rejected_points


def test_nothing_is_rejected_by_zero_points() -> None:
    """A reason without a point makes a full success a partial one."""
    outcome = Outcome()
    outcome.reject(DropReason.LATE, 0, "m")
    assert ({}, {}) == (outcome.rejected, outcome.examples)
