"""The gRPC listeners in an event loop of their own, for tests with real clients and with bare sockets."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any, Final

import grpc

from aigw_receiver.core.address import Address
from aigw_receiver.core.http2 import hpack
from aigw_receiver.core.model import Outcome
from aigw_receiver.core.store import Store
from aigw_receiver.shell.grpc_server import GrpcServer
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from http2_client import data, headers, split

EXPORT: Final = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LIMIT: Final = 4 << 20
PATIENCE: Final = 20.0
HEAD: Final = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", EXPORT.encode()),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
]


class Recorder(Ingest):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__(Store(0), Telemetry(), None)
        self.bodies: list[bytes] = []

    def export_metrics(self, body: bytes, transport: str) -> Outcome:
        """Take anything but the word `fail`."""
        if body == b"fail":
            raise ZeroDivisionError
        self.bodies.append(body)
        assert transport == "grpc"
        return Outcome()


class Running:
    """A server in an event loop of its own thread."""

    def __init__(self) -> None:
        self.ingest = Recorder()
        self.loop = asyncio.new_event_loop()
        self.server = GrpcServer(self.ingest, Telemetry(), max_message=LIMIT)
        self.port = 0

    def run(self, coroutine: Any) -> Any:
        """Run something in the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def listen(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; answers the port."""
        number: int = self.run(self.server.listen(Address(host, port)))
        return number

    def connect(self) -> socket.socket:
        """A connection without a client."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def call(self, body: bytes, **options: Any) -> bytes:
        """One call on a channel of its own."""
        with open_channel(self.port) as channel:
            answer: bytes = channel.unary_unary(EXPORT)(body, timeout=PATIENCE, **options)
            return answer


@contextlib.contextmanager
def serving() -> Iterator[Running]:
    """A server on one port."""
    server = Running()
    thread = threading.Thread(target=server.loop.run_forever)
    thread.start()
    try:
        server.port = server.listen()
        yield server
        server.run(server.server.stop(0))
    finally:
        server.loop.call_soon_threadsafe(server.loop.stop)
        thread.join()
        server.loop.run_until_complete(server.loop.shutdown_asyncgens())
        server.loop.close()


def open_channel(port: int, host: str = "127.0.0.1") -> Any:
    """A channel with a connection of its own."""
    return grpc.insecure_channel(f"{host}:{port}", options=(("grpc.use_local_subchannel_pool", 1),))


def request(body: bytes = b"", stream_id: int = 1, *extra: tuple[bytes, bytes]) -> bytes:
    """A whole call, in frames."""
    message = struct.pack(">BI", 0, len(body)) + body
    return headers(stream_id, block=hpack.encode([*HEAD, *extra])) + data(stream_id, message, ends=True)


def read_until(connection: socket.socket, kind: int, flags: int = 0) -> bytes:
    """The payload of the first such frame."""
    received = b""
    while True:
        piece = connection.recv(1 << 16)
        assert piece, f"the connection ended with {received!r}"
        received += piece
        # Every answer of ours is small, and written at once.
        for found in split(received):
            if found[0] == kind and found[1] & flags == flags:
                return found[3]


def fields(block: bytes) -> dict[bytes, bytes]:
    """The fields of a header block."""
    return {field.name: field.value for field in hpack.Decoder(1 << 16).decode(block)}
