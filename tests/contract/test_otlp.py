"""The table of OTLP requests against a running receiver, over gRPC, HTTP with protobuf and HTTP with JSON."""

import pytest

from contract.cases import CASES
from contract.model import Accepted, Answer, Case, Partial, Payload, Refused, Transport
from contract.target import Target, in_order, new_source
from contract.transports import JSON, PROTOBUF, Observed, grpc_export, http_export

RUNS = [
    pytest.param(case, transport, id=f"{case.name}-{transport.value}")
    for case in CASES
    for transport in Transport
    if transport in case.answers
]


def _send(target: Target, transport: Transport, payload: Payload) -> Observed:
    """Send one request; an answer over HTTP must also have the content type of the request."""
    if transport is Transport.GRPC:
        return grpc_export(target.grpc, payload.protobuf).observed()
    body, content_type = (payload.json, JSON) if transport is Transport.JSON else (payload.protobuf, PROTOBUF)
    reply = http_export(target.http, body, content_type)

    assert content_type == reply.content_type

    return reply.observed()


def _check_answer(answer: Answer, transport: Transport, observed: Observed) -> None:
    """Compare an answer with the table's; the words of a message are ours, that there is one is everybody's."""
    success = "OK" if transport is Transport.GRPC else "200"
    match answer:
        case Accepted():
            assert Observed(success) == observed
        case Partial(rejected, words):
            assert (success, rejected) == (observed.code, observed.rejected), observed
            assert [word for word in words if word not in observed.message] == [], observed.message
        case Refused(grpc, http):
            assert (grpc if transport is Transport.GRPC else str(http)) == observed.code, observed
            assert observed.message != ""


@pytest.mark.parametrize(("case", "transport"), RUNS)
def test_answer(target: Target, case: Case, transport: Transport) -> None:
    """A client would lose data, send it twice, or not learn that it was refused."""
    target.admit(case.rule)
    source = new_source(f"{case.name}-{transport.value}")
    *before, last = case.requests(source)

    for payload in before:
        _check_answer(Accepted(), transport, _send(target, transport, payload))
    _check_answer(case.answers[transport], transport, _send(target, transport, last))

    assert in_order(case.samples) == target.shown(source, case.samples)


@pytest.mark.parametrize("transport", Transport, ids=lambda transport: transport.value)
def test_partial_success_is_unset(target: Target, transport: Transport) -> None:
    """On full success partial_success must be unset, not empty (opentelemetry.io/docs/specs/otlp/#full-success)."""
    match transport:
        case Transport.GRPC:
            body = grpc_export(target.grpc, b"").body
        case Transport.PROTOBUF:
            body = http_export(target.http, b"", PROTOBUF).body
        case Transport.JSON:
            body = http_export(target.http, b"{}", JSON).body

    expected = b"{}" if transport is Transport.JSON else b""
    assert expected == body


def test_names_are_unique() -> None:
    """Two cases of one name could not be told apart in a report."""
    names = [case.name for case in CASES]

    assert sorted(set(names)) == sorted(names)
