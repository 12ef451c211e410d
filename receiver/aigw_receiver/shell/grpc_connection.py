"""One connection of the gRPC listeners: a transport, timers, and the calls in flight. It does not know what they ask.

All answers to what came with one read leave with one write.
"""

import asyncio
import typing
from collections.abc import Callable
from typing import Final, Protocol

from aigw_receiver.core import grpc_protocol, status
from aigw_receiver.core.grpc_protocol import Call, NoCall
from aigw_receiver.core.http2 import connection as http2
from aigw_receiver.core.http2.intake import Body, Opened
from aigw_receiver.core.http2.requests import Head
from aigw_receiver.core.http2.sending import Answer

# A peer that is gone is noticed after half a minute of silence, or a little more, in seconds.
_KEEPALIVE: Final = 20.0
_KEEPALIVE_ANSWER: Final = 10.0

# A client that does not answer the ping of a drain is not waited for any longer.
_DRAIN_ANSWER: Final = 1.0


class Exporter(Protocol):
    """What answers the calls."""

    def begin(self, head: Head) -> Call | NoCall | Answer:
        """A call, or the answer to what is none that is taken."""

    def export(self, call: Call | NoCall) -> Answer:
        """The answer to a call that is complete."""

    def refuse(self, error: status.RefusedError) -> Answer:
        """The answer to a call that is refused."""


class GrpcConnection(asyncio.Protocol):
    """The protocol of one connection; `closed` is told when it has ended."""

    def __init__(self, exporter: Exporter, closed: Callable[["GrpcConnection"], None]) -> None:
        self._exporter = exporter
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._connection = http2.Connection()
        self._transport: asyncio.Transport
        self._calls: dict[int, Call | NoCall] = {}
        self._deadlines: dict[int, asyncio.TimerHandle] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._heard = self._asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there. The loop has set TCP_NODELAY."""
        self._transport = typing.cast("asyncio.Transport", transport)
        self._timer = self._loop.call_later(_KEEPALIVE, self._keep_alive)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it ended does not matter
        """The client is gone; its calls with it."""
        if self._timer is not None:
            self._timer.cancel()
        for handle in self._deadlines.values():
            handle.cancel()
        self._calls.clear()
        self._closed(self)

    def pause_writing(self) -> None:
        """Who does not read its answers gets no new ones: they would fill the memory."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The answers are on their way."""
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Take in what came, and answer what it completes."""
        self._heard = True
        opened = []
        for event in self._connection.receive(data):
            if type(event) is Body:
                self._feed(event)
            elif type(event) is Opened:
                opened.append(event.stream_id)
                self._begin(event)
            else:
                self._forget(event.stream_id)
        for stream_id in opened:
            if (call := self._calls.get(stream_id)) is not None and call.timeout is not None:
                self._deadlines[stream_id] = self._loop.call_later(call.timeout, self._expire, stream_id)
        self._flush()

    def _begin(self, event: Opened) -> None:
        call = self._exporter.begin(event.head)
        if isinstance(call, Answer):
            self._connection.answer(event.stream_id, call)
        elif event.ended:
            self._connection.answer(event.stream_id, self._exporter.export(call))
        else:
            self._calls[event.stream_id] = call

    def _feed(self, event: Body) -> None:
        stream_id, piece, ended = event
        call = self._calls.get(stream_id)
        if call is None:
            return
        try:
            call.feed(piece)
        except status.RefusedError as error:
            self._answer(stream_id, self._exporter.refuse(error))
            return
        if ended:
            self._answer(stream_id, self._exporter.export(call))

    def _answer(self, stream_id: int, answer: Answer) -> None:
        self._forget(stream_id)
        self._connection.answer(stream_id, answer)

    def _forget(self, stream_id: int) -> None:
        self._calls.pop(stream_id, None)
        if (deadline := self._deadlines.pop(stream_id, None)) is not None:
            deadline.cancel()

    def _expire(self, stream_id: int) -> None:
        self._answer(stream_id, self._exporter.refuse(grpc_protocol.deadline_exceeded()))
        self._flush()

    def _flush(self) -> None:
        if output := self._connection.take_output():
            self._transport.write(output)
        if self._connection.finished:
            self._transport.close()

    def _keep_alive(self) -> None:
        if self._asked and not self._heard:
            self.abort()
            return
        self._asked = not self._heard
        self._heard = False
        self._connection.calm()
        if self._asked:
            self._connection.ping()
        self._timer = self._loop.call_later(_KEEPALIVE_ANSWER if self._asked else _KEEPALIVE, self._keep_alive)
        self._flush()

    def drain(self) -> None:
        """Ask the client to open no more calls, and close when those in flight have ended."""
        self._connection.begin_drain()
        self._loop.call_later(_DRAIN_ANSWER, self._end_drain)
        self._flush()

    def _end_drain(self) -> None:
        if not self._transport.is_closing():
            self._connection.end_drain()
            self._flush()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()
