"""One HTTP/2 connection as its server sees it (RFC 9113): bytes in, events and bytes out. It does no I/O.

Here are the frames that concern the connection; `http2_intake` has the requests, `sending` the answers.
"""

from collections.abc import Callable
from typing import Final

from aigw_receiver.core.http2 import frames
from aigw_receiver.core.http2.frame_reader import MAX_FRAME, FrameReader, NotHttp2Error
from aigw_receiver.core.http2.frames import ConnectionFailure, Error, StreamFailure
from aigw_receiver.core.http2.intake import (
    CONNECTION_WINDOW,
    FREE_FRAMES,
    MAX_HEADER_LIST,
    MAX_STREAMS,
    STREAM_WINDOW,
    Event,
    Intake,
)
from aigw_receiver.core.http2.sending import Answer

_DRAIN_PING: Final = b"draining"
_KEEPALIVE_PING: Final = b"stillyou"
_PING_SIZE: Final = 8
_WORD_SIZE: Final = 4
_PRIORITY_SIZE: Final = 5

_OURS: Final = {
    frames.SETTINGS_MAX_CONCURRENT_STREAMS: MAX_STREAMS,
    frames.SETTINGS_INITIAL_WINDOW_SIZE: STREAM_WINDOW,
    frames.SETTINGS_MAX_FRAME_SIZE: MAX_FRAME,
    frames.SETTINGS_MAX_HEADER_LIST_SIZE: MAX_HEADER_LIST,
}
GREETING: Final = frames.settings(_OURS) + frames.window_update(0, CONNECTION_WINDOW - frames.DEFAULT_WINDOW)
HTTP1_ANSWER: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 42\r\n\r\n"
    b"this port takes OTLP/gRPC, which is HTTP/2"
)


class Connection:
    """The state of one connection."""

    def __init__(self) -> None:
        self.failed = False
        self._out: list[bytes] = []
        self._intake = Intake(self._out)
        self._reader = FrameReader(self, self._intake)
        self._settings_seen = False
        self._take: dict[int, Callable[[int, int, bytes], None]] = {
            frames.DATA: self._on_padded_data,
            frames.HEADERS: self._intake.on_headers,
            frames.PRIORITY: self._on_priority,
            frames.RST_STREAM: self._on_rst_stream,
            frames.SETTINGS: self._on_settings,
            frames.PUSH_PROMISE: self._on_push_promise,
            frames.PING: self._on_ping,
            frames.GOAWAY: self._on_goaway,
            frames.WINDOW_UPDATE: self._on_window_update,
            frames.CONTINUATION: self._intake.on_continuation,
        }

    @property
    def finished(self) -> bool:
        """Whether nothing more will come of it: it failed, or it is drained and all streams have ended."""
        return self.failed or (self._intake.refusing and not self._intake.requests)

    def receive(self, data: bytes) -> list[Event]:
        """Take in bytes; answers what they mean. Requests that come with a fatal mistake are not answered any more."""
        if self.failed:
            return []
        try:
            self._reader.feed(data)
        except ConnectionFailure as failure:
            self._fail(frames.goaway(self._intake.last_stream, failure.code, failure.reason))
        except NotHttp2Error:
            self._fail(HTTP1_ANSWER)
        events, self._intake.events = self._intake.events, []
        return [] if self.failed else events

    def answer(self, stream_id: int, answer: Answer) -> None:
        """Answer a request; what is left of it will be thrown away."""
        if stream_id in self._intake.requests and not self.failed:
            self._intake.sender.send(stream_id, answer)

    def take_output(self) -> bytes:
        """The bytes to send."""
        output = b"".join(self._out)
        self._out.clear()
        return output

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._out.append(frames.frame(frames.PING, 0, 0, _KEEPALIVE_PING))

    def calm(self) -> None:
        """Some time has passed: allow again what only a flood exceeds."""
        self._intake.free_frames = FREE_FRAMES

    def begin_drain(self) -> None:
        """Ask the client to open no more streams; section 6.8: those that are on their way still come."""
        self._out.append(frames.goaway(frames.STREAM_MASK, Error.NO_ERROR))
        self._out.append(frames.frame(frames.PING, 0, 0, _DRAIN_PING))

    def end_drain(self) -> None:
        """Take no new streams from now on."""
        if not self._intake.refusing:
            self._intake.refusing = True
            self._out.append(frames.goaway(self._intake.last_stream, Error.NO_ERROR))

    def _fail(self, last_words: bytes) -> None:
        self.failed = True
        self._out.append(last_words)

    def on_preface(self) -> None:
        """The client speaks HTTP/2: our settings go first."""
        self._out.append(GREETING)

    def on_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """Every frame but DATA without padding; those of an unknown kind are ignored."""
        if not self._settings_seen and kind != frames.SETTINGS:
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "the first frame is SETTINGS")
        self._intake.check_order(kind, stream_id)
        if kind != frames.HEADERS and kind != frames.DATA:
            self._intake.spend()
        take = self._take.get(kind)
        if take is None:
            return
        try:
            take(flags, stream_id, payload)
        except StreamFailure as failure:
            self._intake.cut(failure)

    def _on_padded_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        data = frames.unpadded(flags, payload)
        self._intake.on_data_head(flags, stream_id, len(payload))
        self._intake.on_data(memoryview(data), True)

    def _on_priority(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Section 5.3.2: it is checked, and ignored."""
        if stream_id == 0:
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "PRIORITY is of a stream")
        if len(payload) != _PRIORITY_SIZE:
            raise StreamFailure(stream_id, Error.FRAME_SIZE_ERROR)
        if frames.WORD.unpack_from(payload)[0] & frames.STREAM_MASK == stream_id:
            raise StreamFailure(stream_id, Error.PROTOCOL_ERROR)

    def _on_rst_stream(self, _flags: int, stream_id: int, payload: bytes) -> None:
        if len(payload) != _WORD_SIZE:
            raise ConnectionFailure(Error.FRAME_SIZE_ERROR, "RST_STREAM has four bytes")
        self._intake.check_not_idle(stream_id)
        self._intake.abort(stream_id)

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._settings_seen = True
        if stream_id:
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "SETTINGS is of the connection")
        if len(payload) % frames.SETTING.size or (flags & frames.ACK and payload):
            raise ConnectionFailure(Error.FRAME_SIZE_ERROR, "SETTINGS has six bytes a setting")
        if flags & frames.ACK:
            return
        for key, value in frames.SETTING.iter_unpack(payload):
            self._intake.sender.apply(key, value)
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _on_push_promise(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        raise ConnectionFailure(Error.PROTOCOL_ERROR, "a client does not push")

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "PING is of the connection")
        if len(payload) != _PING_SIZE:
            raise ConnectionFailure(Error.FRAME_SIZE_ERROR, "PING has eight bytes")
        if not flags & frames.ACK:
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))
        elif payload == _DRAIN_PING:
            self.end_drain()

    def _on_goaway(self, _flags: int, stream_id: int, _payload: bytes) -> None:
        """The client opens no more streams; it still gets its answers, and closes the connection itself."""
        if stream_id:
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "GOAWAY is of the connection")

    def _on_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        if len(payload) != _WORD_SIZE:
            raise ConnectionFailure(Error.FRAME_SIZE_ERROR, "WINDOW_UPDATE has four bytes")
        increment = frames.WORD.unpack(payload)[0] & frames.STREAM_MASK
        if stream_id:
            self._intake.check_not_idle(stream_id)
        if not increment:
            if stream_id:
                raise StreamFailure(stream_id, Error.PROTOCOL_ERROR)
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "WINDOW_UPDATE adds at least one byte")
        self._intake.sender.widen(stream_id, increment)
