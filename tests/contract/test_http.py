"""The ways of HTTP against a running receiver: the table of `cases_http.py`, and what needs a conversation."""

import json
import socket

import pytest
from google.rpc import error_details_pb2

from contract.build import GOOD, good, padded, sent
from contract.cases_http import HTTP_CASES, HTTP_LIMIT
from contract.model import HttpCase, Rule
from contract.target import Target, in_order, new_source
from contract.transports import (
    JSON,
    METRICS_PATH,
    PROTOBUF,
    HttpConnection,
    HttpReply,
    Observed,
    http_export,
    in_chunks,
)


def _request(connection: HttpConnection, case: HttpCase, body: bytes) -> HttpReply:
    """Send a case as it stands; a receiver may stop reading as soon as it knows the answer."""
    headers = dict(case.headers)
    if case.content_type is not None:
        headers["Content-Type"] = case.content_type
    headers |= {"Transfer-Encoding": "chunked"} if case.chunks else {"Content-Length": str(len(body))}
    try:
        connection.send_head(case.method, case.path, headers)
        if case.chunks:
            for chunk in (*in_chunks(body, case.chunks), b""):
                connection.send_chunk(chunk)
        else:
            connection.send_body(body)
    except (BrokenPipeError, ConnectionResetError):
        pass  # its answer must be there all the same
    return connection.read_reply(case.method)


@pytest.mark.parametrize("case", HTTP_CASES, ids=lambda case: case.name)
def test_answer(target: Target, case: HttpCase) -> None:
    """A client would retry what can never succeed, or could not read why it was refused."""
    target.admit(case.rule)
    source = new_source(case.name)

    with HttpConnection(target.http) as connection:
        reply = _request(connection, case, case.body(source))

    assert (case.status, case.answer_type) == (reply.status, reply.content_type)
    for name, word in case.answer_headers:
        assert word in reply.headers.get(name, "")
    if case.status == 200:
        assert Observed("200") == reply.observed()
    else:
        assert reply.problem().message != ""
    assert in_order(case.samples) == target.shown(source, case.samples)


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_bad_data_is_described(target: Target, content_type: str) -> None:
    """The Status of a 400 should hold a BadRequest (opentelemetry.io/docs/specs/otlp/#bad-data)."""
    reply = http_export(target.http, b"\xff\xff\xff\xff", content_type)

    details = reply.problem().details

    assert [detail.Is(error_details_pb2.BadRequest.DESCRIPTOR) for detail in details] == [True]


def test_json_answer_has_integers_as_strings(target: Target) -> None:
    """64-bit integers in an answer are decimal strings, keys are lowerCamelCase (#json-protobuf-encoding)."""
    target.admit(Rule.OURS)  # only ours is known to refuse this metric
    source = new_source("json-answer")
    metric = good(source)
    metric.name = "http.server.requests"

    partial = json.loads(http_export(target.http, sent(source, metric).json, JSON).body)["partialSuccess"]

    assert (partial["rejectedDataPoints"], sorted(partial)) == ("1", ["errorMessage", "rejectedDataPoints"])


def test_connection_is_kept(target: Target) -> None:
    """Clients keep the connection; a refused request must not cost it (#otlphttp-connection)."""
    source = new_source("kept-connection")
    body = sent(source, good(source)).protobuf
    requests = ((body, PROTOBUF), (b"{", JSON), (b"\xff", PROTOBUF), (body, "text/plain"), (body, PROTOBUF))

    with HttpConnection(target.http) as connection:
        statuses = [connection.export(content, content_type).status for content, content_type in requests]

    assert statuses == [200, 400, 400, 415, 200]


def test_too_large_by_its_length(target: Target) -> None:
    """A body whose content-length is over the limit must be refused before a byte of it is sent."""
    with HttpConnection(target.http) as connection:
        connection.send_head("POST", METRICS_PATH, {"Content-Type": PROTOBUF, "Content-Length": str(HTTP_LIMIT + 1)})
        reply = connection.read_reply()

    assert (reply.status, reply.content_type) == (413, PROTOBUF)


def test_too_large_in_chunks(target: Target) -> None:
    """A chunked body must be refused as soon as it is over the limit, although it never ends."""
    source = new_source("too-large-in-chunks")
    body = padded(source, HTTP_LIMIT + 1).protobuf

    with HttpConnection(target.http) as connection:
        connection.send_head("POST", METRICS_PATH, {"Content-Type": PROTOBUF, "Transfer-Encoding": "chunked"})
        for chunk in in_chunks(body, 1 << 20):
            connection.send_chunk(chunk)
        reply = connection.read_reply()

    assert (reply.status, reply.content_type) == (413, PROTOBUF)


def test_expect_continue(target: Target) -> None:
    """A client that asks first must get 100 before it sends (rfc-editor.org/rfc/rfc9110#section-10.1.1)."""
    source = new_source("expect-continue")
    body = sent(source, good(source)).protobuf

    with HttpConnection(target.http) as connection:
        headers = {"Content-Type": PROTOBUF, "Content-Length": str(len(body)), "Expect": "100-continue"}
        connection.send_head("POST", METRICS_PATH, headers)
        interim = connection.read_interim()
        connection.send_body(body)
        reply = connection.read_reply()

    assert (100, Observed("200")) == (interim, reply.observed())
    assert target.shown(source, (GOOD,)) == (GOOD,)


def test_half_a_body(target: Target) -> None:
    """A sender that vanishes gets no answer, sends all again, and must not be counted twice (#all-other-responses)."""
    source = new_source("half-a-body")
    body = sent(source, good(source)).protobuf  # complete in itself: only the length says that more was to come

    with HttpConnection(target.http) as connection:
        connection.send_head("POST", METRICS_PATH, {"Content-Type": PROTOBUF, "Content-Length": str(len(body) + 1)})
        connection.send_body(body)
        connection.socket.shutdown(socket.SHUT_WR)
        head = connection.socket.recv(12)

    assert head in (b"", b"HTTP/1.1 400")
    assert target.shown(source, ()) == ()


def test_get_by_head(target: Target) -> None:
    """HEAD of the path must be 405 with no body (rfc-editor.org/rfc/rfc9110#section-9.3.2)."""
    with HttpConnection(target.http) as connection:
        connection.send_head("HEAD", METRICS_PATH, {})
        reply = connection.read_reply("HEAD")

    assert (reply.status, reply.body) == (405, b"")
    assert "POST" in reply.headers.get("Allow", "")
