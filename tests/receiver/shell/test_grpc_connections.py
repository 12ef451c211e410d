"""Connections of the gRPC listeners, from their ports to their end, with a socket where a client would not do."""

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent import futures

import pytest

from aigw_receiver.core.http2 import connection as http2
from aigw_receiver.core.http2 import frames, hpack
from aigw_receiver.shell import grpc_connection
from aigw_receiver.shell.start_error import StartError
from grpc_listeners import EXPORT, HEAD, PATIENCE, Running, fields, open_channel, read_until, request, serving
from http2_client import HELLO, data, headers


@pytest.fixture
def running() -> Iterator[Running]:
    """A server on one port."""
    with serving() as server:
        yield server


def test_deadline(running: Running) -> None:
    """A sender that gave its call up leaves it open for ever."""
    with running.connect() as connection:
        block = hpack.encode([*HEAD, (b"grpc-timeout", b"50m")])
        connection.sendall(HELLO + headers(1, block=block) + data(1, b"\0\0\0\0\5abc"))
        answer = read_until(connection, frames.HEADERS, frames.END_STREAM)

    assert b"4" == fields(answer)[b"grpc-status"]
    assert [] == running.ingest.bodies


def test_byte_by_byte(running: Running) -> None:
    """A request is read in another way where the network cuts it."""
    with running.connect() as connection:
        for byte in HELLO + request(b"hello"):
            connection.sendall(bytes((byte,)))
        answer = read_until(connection, frames.HEADERS, frames.END_STREAM)

    assert {b"grpc-status": b"0"} == fields(answer)
    assert [b"hello"] == running.ingest.bodies


def test_slow_senders(running: Running) -> None:
    """Senders that stop in the midst of a request stop all others."""
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(running.connect())
            connection.sendall(HELLO + request(b"x" * 1000)[:-10])
        assert b"" == running.call(b"quick")

    assert [b"quick"] == running.ingest.bodies


class _FullTransport(asyncio.Transport):
    """A transport that notes what it is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def pause_reading(self) -> None:
        """Noted."""
        self.asked.append("pause")

    def resume_reading(self) -> None:
        """Noted."""
        self.asked.append("resume")


def test_reader_that_does_not_read(running: Running) -> None:
    """Answers that nobody reads fill the memory: the connection must not be read either."""
    transport = _FullTransport()

    async def fill() -> None:
        connection = running.server._connect()  # noqa: SLF001 - asyncio alone has it otherwise
        connection.connection_made(transport)
        connection.pause_writing()
        connection.resume_writing()
        connection.connection_lost(None)

    running.run(fill())
    assert ["pause", "resume"] == transport.asked


def test_http1(running: Running) -> None:
    """Who comes to the wrong port gets a connection that ends without a word."""
    with running.connect() as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert http2.HTTP1_ANSWER == connection.recv(1 << 16)
        assert b"" == connection.recv(1)


def test_dead_peers(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections of nodes that are gone stay open for ever."""
    monkeypatch.setattr(grpc_connection, "_KEEPALIVE", 0.05)
    monkeypatch.setattr(grpc_connection, "_KEEPALIVE_ANSWER", 0.05)
    with running.connect() as connection:
        connection.sendall(HELLO)
        ping = read_until(connection, frames.PING)
        connection.sendall(frames.frame(frames.PING, frames.ACK, 0, ping))
        assert ping == read_until(connection, frames.PING)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1 << 16):
                pass


def test_port_in_use(running: Running) -> None:
    """Two receivers share a port, and each has half of the counts."""
    with pytest.raises(StartError, match=rf"cannot listen on 127\.0\.0\.1:{running.port}: it is in use, or is no"):
        running.listen(port=running.port)


@pytest.mark.parametrize(
    ("host", "message"),
    [("192.0.2.1", "it is in use, or is no address of this machine"), ("no.such.host.invalid", "")],
)
def test_address_of_another(running: Running, host: str, message: str) -> None:
    """A wrong address ends in a traceback."""
    with pytest.raises(StartError, match=f"cannot listen on {host}:1: {message}"):
        running.listen(host, 1)


def test_several_ports(running: Running) -> None:
    """A second port, or one of IPv6, is not served."""
    ports = [running.listen(), running.listen("::1")]
    for port, host in zip(ports, ("127.0.0.1", "[::1]"), strict=True):
        with open_channel(port, host) as channel:
            assert b"" == channel.unary_unary(EXPORT)(host.encode(), timeout=PATIENCE)

    assert [b"127.0.0.1", b"[::1]"] == running.ingest.bodies


def test_drain(running: Running) -> None:
    """A call in flight is cut off, or the end waits for connections without any."""
    with running.connect() as busy, running.connect() as idle, futures.ThreadPoolExecutor(1) as pool:
        idle.sendall(HELLO)
        head, last = headers(1, block=hpack.encode(HEAD)), data(1, b"\0\0\0\0\1x", ends=True)
        busy.sendall(HELLO + head)
        read_until(busy, frames.SETTINGS, frames.ACK)
        read_until(idle, frames.SETTINGS, frames.ACK)
        stopped = pool.submit(running.run, running.server.stop(PATIENCE))
        for connection in (busy, idle):
            ping = read_until(connection, frames.PING)
            connection.sendall(frames.frame(frames.PING, frames.ACK, 0, ping))
        assert (1).to_bytes(4, "big") + bytes(4) == read_until(busy, frames.GOAWAY)
        while idle.recv(1 << 16):
            pass
        assert not stopped.done()
        busy.sendall(request(b"late", 3) + last)
        assert {b"grpc-status": b"0"} == fields(read_until(busy, frames.HEADERS, frames.END_STREAM))
        stopped.result(PATIENCE)

    assert [b"x"] == running.ingest.bodies


def test_drain_ends(running: Running) -> None:
    """A client that answers nothing keeps the program from its end."""
    with running.connect() as connection:
        connection.sendall(HELLO + headers(1, block=hpack.encode(HEAD)))
        read_until(connection, frames.SETTINGS, frames.ACK)
        running.run(running.server.stop(0.1))
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1 << 16):
                pass
