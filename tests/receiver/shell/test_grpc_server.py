"""Calls of a real gRPC client to the listeners."""

import contextlib
import os
import queue
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2

from grpc_listeners import EXPORT, LIMIT, PATIENCE, Running, open_channel, serving


def _refused(call: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value


@pytest.fixture
def running() -> Iterator[Running]:
    """A server on one port."""
    with serving() as server:
        yield server


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
@pytest.mark.parametrize("size", [0, 5, 16_379, 45_000, 227_000, LIMIT])
def test_bodies(running: Running, size: int, compression: grpc.Compression) -> None:
    """A message is changed on its way in."""
    body = os.urandom(size // 2) + bytes(size - size // 2)

    assert b"" == running.call(body, compression=compression)
    assert [body] == running.ingest.bodies


def test_concurrent_calls(running: Running) -> None:
    """Calls of one connection, or of several, take each other's bodies."""
    bodies = [bytes((number,)) * 1000 * number for number in range(200)]
    with contextlib.ExitStack() as stack:
        channels = [stack.enter_context(open_channel(running.port)) for _ in range(3)]
        for channel in channels:
            calls = [channel.unary_unary(EXPORT).future(body, timeout=PATIENCE) for body in bodies]
            assert [b""] * 200 == [call.result() for call in calls]

    assert sorted(bodies * 3) == sorted(running.ingest.bodies)


def test_metadata(running: Running) -> None:
    """Senders that carry a token of some kilobytes are turned away."""
    with open_channel(running.port) as channel:
        export = channel.unary_unary(EXPORT)
        for _ in range(3):
            assert b"" == export(b"x", metadata=(("authorization", "t" * 8192),), timeout=PATIENCE)
        error = _refused(lambda: export(b"x", metadata=(("authorization", "t" * 20_000),), timeout=PATIENCE))
        assert grpc.StatusCode.RESOURCE_EXHAUSTED == error.code()


def test_refusals(running: Running) -> None:
    """A refused call costs the connection, or says too little."""
    with open_channel(running.port) as channel:
        export = channel.unary_unary(EXPORT)
        unknown = _refused(lambda: channel.unary_unary("/other.Service/Export")(b"x" * 100_000, timeout=PATIENCE))
        large = _refused(lambda: export(bytes(LIMIT + 1), timeout=PATIENCE))
        failed = _refused(lambda: export(b"fail", timeout=PATIENCE))
        running.ingest.draining = True
        draining = _refused(lambda: export(b"x", timeout=PATIENCE))
        running.ingest.draining = False
        assert b"" == export(b"x", timeout=PATIENCE)

    assert ["UNIMPLEMENTED", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "UNAVAILABLE"] == [
        error.code().name for error in (unknown, large, failed, draining)
    ]
    trailers = dict(draining.trailing_metadata())
    details = status_pb2.Status.FromString(trailers["grpc-status-details-bin"]).details
    assert ["type.googleapis.com/google.rpc.RetryInfo"] == [detail.type_url for detail in details]


def test_cancelled_calls(running: Running) -> None:
    """What a cancelled call has sent is counted, or its connection is lost."""
    gate: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with open_channel(running.port) as channel:
        calls = [channel.stream_unary(EXPORT).future(iter(gate.get, b""), timeout=PATIENCE) for _ in range(20)]
        assert b"" == channel.unary_unary(EXPORT)(b"one", timeout=PATIENCE)
        for call in calls:
            call.cancel()
        assert b"" == channel.unary_unary(EXPORT)(b"two", timeout=PATIENCE)
        for _ in calls:
            gate.put(b"")

    assert [b"one", b"two"] == running.ingest.bodies


def test_number_of_messages(running: Running) -> None:
    """A call of two messages is counted, and its sender told that it failed."""
    for messages in ([], [b"a", b"b"]):
        with open_channel(running.port) as channel:
            export = channel.stream_unary(EXPORT)
            error = _refused(lambda export=export, messages=messages: export(iter(messages), timeout=PATIENCE))
            assert grpc.StatusCode.UNIMPLEMENTED == error.code()

    assert [] == running.ingest.bodies
