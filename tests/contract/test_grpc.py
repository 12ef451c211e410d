"""What only gRPC has, against a running receiver: compression, message size, services that are not served."""

import os
import threading
import time
from collections.abc import Iterator

import grpc
import pytest

from contract.build import GOOD, good, padded, sent
from contract.model import Payload, Rule
from contract.target import Target, new_source
from contract.transports import METRICS_METHOD, TIMEOUT, Observed, grpc_call, grpc_channel, grpc_export, grpc_reply

GRPC_LIMIT = int(os.environ.get("OTLP_GRPC_LIMIT", "4194304"))
"""Bytes of the largest message, before and after inflating; for a receiver with another limit, set the variable."""

STALLED = 16

SERVICE = "/opentelemetry.proto.collector."
PLAIN, GZIP = grpc.Compression.NoCompression, grpc.Compression.Gzip

CODINGS = pytest.mark.parametrize("compression", [PLAIN, GZIP], ids=["identity", "gzip"])


@CODINGS
def test_compression(target: Target, compression: grpc.Compression) -> None:
    """A server must support none and gzip (opentelemetry.io/docs/specs/otlp/#protocol-details)."""
    source = new_source(f"grpc-{compression.name}")

    reply = grpc_export(target.grpc, sent(source, good(source)).protobuf, compression=compression)

    assert Observed("OK") == reply.observed()
    assert target.shown(source, (GOOD,)) == (GOOD,)


@CODINGS
def test_full_size(target: Target, compression: grpc.Compression) -> None:
    """A message of exactly the limit must pass (#otlpgrpc-request)."""
    source = new_source(f"grpc-full-{compression.name}")

    reply = grpc_export(target.grpc, padded(source, GRPC_LIMIT).protobuf, compression=compression)

    assert Observed("OK") == reply.observed()
    assert target.shown(source, (GOOD,)) == (GOOD,)


@CODINGS
def test_too_large(target: Target, compression: grpc.Compression) -> None:
    """One byte over the limit, also after inflating, is RESOURCE_EXHAUSTED, not to be retried (#otlpgrpc-request)."""
    source = new_source(f"grpc-large-{compression.name}")

    reply = grpc_export(target.grpc, padded(source, GRPC_LIMIT + 1).protobuf, compression=compression)

    assert (reply.code, reply.retry_delay()) == ("RESOURCE_EXHAUSTED", None)
    assert target.shown(source, ()) == ()


@pytest.mark.parametrize(
    "method",
    ["trace.v1.TraceService/Export", "profiles.v1development.ProfilesService/Export"],
)
def test_signal_that_is_not_served(target: Target, method: str) -> None:
    """A client must learn that it need not retry: UNIMPLEMENTED is not retryable (#failures)."""
    target.admit(Rule.OURS)

    reply = grpc_export(target.grpc, b"", SERVICE + method)

    assert reply.code == "UNIMPLEMENTED"


@CODINGS
def test_logs(target: Target, compression: grpc.Compression) -> None:
    """A gateway's access logs are refused, or what is none is taken."""
    target.admit(Rule.OURS)
    method = SERVICE + "logs.v1.LogsService/Export"

    taken, refused = (grpc_export(target.grpc, body, method, compression) for body in (b"", b"\xff"))

    assert (Observed("OK"), "INVALID_ARGUMENT") == (taken.observed(), refused.code)


def test_unknown_method(target: Target) -> None:
    """gRPC answers UNIMPLEMENTED for a method that the service does not have."""
    reply = grpc_export(target.grpc, b"", METRICS_METHOD.replace("Export", "Import"))

    assert reply.code == "UNIMPLEMENTED"


def test_concurrent_requests(target: Target) -> None:
    """Clients send on without waiting for the answers (#otlpgrpc-concurrent-requests)."""
    sources = [new_source(f"grpc-concurrent-{index}") for index in range(20)]
    payloads: list[Payload] = [sent(source, good(source)) for source in sources]

    with grpc_channel(target.grpc) as channel:
        calls = [grpc_call(channel, payload.protobuf) for payload in payloads]
        replies = [grpc_reply(call).observed() for call in calls]

    assert [Observed("OK")] * 20 == replies
    for source in sources:
        assert target.shown(source, (GOOD,)) == (GOOD,)


def test_stalled_senders(target: Target) -> None:
    """A few senders that vanish within a request must not keep the others waiting (#otlpgrpc-concurrent-requests)."""
    source = new_source("grpc-stalled")
    never = threading.Event()

    def stalled() -> Iterator[bytes]:
        never.wait(TIMEOUT)
        yield b""

    with grpc_channel(target.grpc) as channel, grpc_channel(target.grpc) as other:
        calls = [grpc_call(channel, stalled()) for _ in range(STALLED)]
        begun = time.monotonic()
        reply = grpc_reply(grpc_call(other, sent(source, good(source)).protobuf))
        seconds = time.monotonic() - begun
        never.set()
        codes = [grpc_reply(call).code for call in calls]

    assert (Observed("OK"), ["OK"] * STALLED) == (reply.observed(), codes)
    assert seconds < TIMEOUT / 2


def test_connection_survives_a_refusal(target: Target) -> None:
    """A refused message must not cost the requests beside it their connection (#failures)."""
    source = new_source("grpc-refusal")
    body = sent(source, good(source)).protobuf

    with grpc_channel(target.grpc) as channel:
        bodies = (b"\xff", padded(source, GRPC_LIMIT + 1).protobuf, body)
        codes = [grpc_reply(grpc_call(channel, content)).code for content in bodies]

    assert codes == ["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "OK"]
