"""SIGTERM while exports are in flight: they are answered and counted, new ones are told when to come back.

Each test starts a receiver of its own, and learns from `/readyz` and the connections, never from the clock, how far
the drain has come.
"""

import os
import queue
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.build import GOOD, good, sent
from contract.model import Sample, Source
from contract.target import Target, new_source
from contract.transports import (
    METRICS_PATH,
    PROTOBUF,
    GrpcReply,
    HttpConnection,
    HttpReply,
    Observed,
    grpc_call,
    grpc_channel,
    grpc_export,
    grpc_reply,
    http_export,
)
from receiver_program import Receiver, start_receiver

MAX_DELAY = 5  # seconds; a longer one makes Go's exporter give up: it retries for 60 s in all
PATIENCE = 25.0  # seconds; more than the receiver's own grace
SOON = 5.0  # seconds from the last answer to the end
PROBE = 2.0  # seconds; a receiver that lets a probe wait so long is not ready

pytestmark = pytest.mark.skipif("OTLP_GRPC" in os.environ, reason="needs a receiver that the test may end")


@contextmanager
def _stopping(program: Receiver) -> Iterator[Future[int]]:
    """Ask the program to end, and go on once it has begun to; gives its exit status, later."""
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(program.stop)
        deadline = time.monotonic() + PATIENCE
        while _ready(program):
            assert deadline > time.monotonic(), "still ready after SIGTERM"
        yield status


def _ready(program: Receiver) -> bool:
    try:
        with urllib.request.urlopen(f"{program.telemetry}/readyz", timeout=PROBE) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


class _SlowExport:
    """An export over HTTP of which the receiver has the head and half of the body."""

    def __init__(self, connection: HttpConnection, source: Source) -> None:
        self.connection = connection
        body = sent(source, good(source)).protobuf
        self.rest = body[20:]
        headers = {"Content-Type": PROTOBUF, "Transfer-Encoding": "chunked", "Expect": "100-continue"}
        connection.send_head("POST", METRICS_PATH, headers)
        if connection.read_interim() != 100:  # the receiver's word that the request is in flight
            raise ConnectionError
        connection.send_chunk(body[:20])

    def finish(self) -> HttpReply:
        """Send the rest, and read the answer."""
        self.connection.send_chunk(self.rest)
        self.connection.send_chunk(b"")
        return self.connection.read_reply()


def _attempt(export: Callable[[], HttpReply]) -> HttpReply | None:
    """Return the answer, or None where the connection was refused or closed instead."""
    try:
        return export()
    except ConnectionError:
        return None


def _told_to_come_back(reply: HttpReply | None) -> bool:
    """Tell whether the answer is retryable and soon: 503 with Retry-After, or no connection at all."""
    return reply is None or (reply.status == 503 and 0 < int(reply.headers["Retry-After"]) <= MAX_DELAY)


def _told_to_come_back_grpc(reply: GrpcReply) -> bool:
    """Tell whether the answer is retryable, and soon.

    A call that meets the end of its connection is UNAVAILABLE, or CANCELLED, which is retryable as well (#failures).
    """
    delay = reply.retry_delay()
    return reply.code in ("UNAVAILABLE", "CANCELLED") and (delay is None or 0 < delay <= MAX_DELAY)


def _kept_by_the_next(data_dir: Path, *sources: Source) -> list[tuple[Sample, ...]]:
    """Return what a receiver that goes on with the same data shows of each source."""
    with start_receiver(data_dir=data_dir) as program:
        target = Target(program.grpc, program.otlp_http, program)
        return [target.shown(source, (GOOD,)) for source in sources]


def test_http(tmp_path: Path) -> None:
    """An export whose body was on its way would be lost, or counted and not acknowledged (#otlphttp-throttling)."""
    source, new = new_source("drain-http"), new_source("drain-http-new")
    new_body = sent(new, good(new)).protobuf

    with start_receiver(data_dir=tmp_path) as program, HttpConnection(program.otlp_http) as connection:
        slow = _SlowExport(connection, source)
        with _stopping(program) as status:
            refused = _attempt(lambda: http_export(program.otlp_http, new_body, PROTOBUF))
            answer = slow.finish()
            exit_status = status.result(SOON)

    assert _told_to_come_back(refused), refused
    assert (Observed("200"), 0) == (answer.observed(), exit_status)
    assert _kept_by_the_next(tmp_path, source, new) == [(GOOD,), ()]


def test_http_connection_that_is_kept() -> None:
    """A client with an open connection must be told to come back, or see it closed, and never be left waiting."""
    source, new = new_source("drain-kept-slow"), new_source("drain-kept-new")
    body = sent(new, good(new)).protobuf

    with (
        start_receiver() as program,
        HttpConnection(program.otlp_http) as slow,
        HttpConnection(program.otlp_http) as idle,
    ):
        before = idle.export(b"", PROTOBUF).status
        export = _SlowExport(slow, source)
        with _stopping(program) as status:
            refused = _attempt(lambda: idle.export(body, PROTOBUF))
            answer = export.finish()
            exit_status = status.result(SOON)

    assert (before, answer.status, exit_status) == (200, 200, 0)
    assert _told_to_come_back(refused), refused


def test_grpc(tmp_path: Path) -> None:
    """A call that had begun would be cut off; a new one must get a retryable answer (#otlpgrpc-throttling)."""
    source, new = new_source("drain-grpc"), new_source("drain-grpc-new")
    gate: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    with start_receiver(data_dir=tmp_path) as program, grpc_channel(program.grpc) as channel:
        call = grpc_call(channel, iter(gate.get, b""))
        # HTTP/2 keeps the order of a connection: once this call is answered, the head of the one before has arrived.
        warm = grpc_reply(grpc_call(channel, b"")).code
        with _stopping(program) as status:
            on_kept_connection = grpc_reply(grpc_call(channel, sent(new, good(new)).protobuf))
            on_new_connection = grpc_export(program.grpc, sent(new, good(new)).protobuf)
            gate.put(sent(source, good(source)).protobuf)
            gate.put(b"")
            answer = grpc_reply(call)
            exit_status = status.result(SOON)

    assert ("OK", Observed("OK"), 0) == (warm, answer.observed(), exit_status)
    assert _told_to_come_back_grpc(on_kept_connection), on_kept_connection
    assert _told_to_come_back_grpc(on_new_connection), on_new_connection
    assert _kept_by_the_next(tmp_path, source, new) == [(GOOD,), ()]


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_idle(transport: str) -> None:
    """With nothing in flight, but connections open, the end must not wait for a timeout."""
    source = new_source(f"drain-idle-{transport}")
    body = sent(source, good(source)).protobuf

    with start_receiver() as program, grpc_channel(program.grpc) as channel, HttpConnection(program.otlp_http) as http:
        if transport == "grpc":
            code = grpc_reply(grpc_call(channel, body)).code
        else:
            code = http.export(body, PROTOBUF).observed().code
        started = time.monotonic()
        exit_status = program.stop()
        seconds = time.monotonic() - started

    assert ("OK" if transport == "grpc" else "200", 0) == (code, exit_status)
    assert seconds < MAX_DELAY
