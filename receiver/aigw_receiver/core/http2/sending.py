"""Answers on their way to an HTTP/2 client, as far as its flow-control windows let them. It does no I/O."""

from collections.abc import Callable
from typing import Final, NamedTuple

from aigw_receiver.core.http2 import frames
from aigw_receiver.core.http2.frames import ConnectionFailure, Error, StreamFailure

_HEADERS_END: Final = frames.END_HEADERS | frames.END_STREAM


class Answer(NamedTuple):
    """One answer: header block, body and, behind it, a block of trailers; the body and the trailers may be empty."""

    head: bytes
    body: bytes = b""
    trailers: bytes = b""


class Sender:
    """Writes the answers of one connection; `sent` is told when one is complete."""

    def __init__(self, out: list[bytes], sent: Callable[[int], None]) -> None:
        self._out = out
        self._sent = sent
        self._frame_size = frames.DEFAULT_FRAME_SIZE
        self._first_window = frames.DEFAULT_WINDOW
        self._window = frames.DEFAULT_WINDOW
        self._windows: dict[int, int] = {}
        self._waiting: dict[int, Answer] = {}

    def open(self, stream_id: int) -> None:
        """A stream has begun, and the client may widen its window."""
        self._windows[stream_id] = self._first_window

    def close(self, stream_id: int) -> None:
        """The stream has ended, with an answer or without."""
        del self._windows[stream_id]
        self._waiting.pop(stream_id, None)

    def send(self, stream_id: int, answer: Answer) -> None:
        """Send an answer, now as far as that is possible."""
        size = len(answer.body)
        if answer.trailers and size <= self._window and size <= min(self._windows[stream_id], self._frame_size):
            self._send_whole(stream_id, answer, size)
            return
        flags = frames.END_HEADERS if answer.body or answer.trailers else _HEADERS_END
        self._out.append(frames.frame(frames.HEADERS, flags, stream_id, answer.head))
        if flags == _HEADERS_END:
            self._sent(stream_id)
            return
        self._waiting[stream_id] = answer
        self._send_body(stream_id)

    def _send_whole(self, stream_id: int, answer: Answer, size: int) -> None:
        """The ordinary case: nothing has to wait."""
        self._window -= size
        pack = frames.HEAD.pack
        head, body, trailers = answer
        self._out += (
            pack(len(head) >> 8, len(head) & 0xFF, frames.HEADERS, frames.END_HEADERS, stream_id),
            head,
            pack(size >> 8, size & 0xFF, frames.DATA, 0, stream_id),
            body,
            pack(len(trailers) >> 8, len(trailers) & 0xFF, frames.HEADERS, _HEADERS_END, stream_id),
            trailers,
        )
        self._sent(stream_id)

    def _send_body(self, stream_id: int) -> None:
        answer = self._waiting[stream_id]
        body = answer.body
        while body:
            size = min(len(body), self._window, self._windows[stream_id], self._frame_size)
            if size <= 0:
                self._waiting[stream_id] = answer._replace(body=body)
                return
            self._window -= size
            self._windows[stream_id] -= size
            last = size == len(body) and not answer.trailers
            flags = frames.END_STREAM if last else 0
            self._out.append(frames.frame(frames.DATA, flags, stream_id, body[:size]))
            body = body[size:]
        if answer.trailers:
            self._out.append(frames.frame(frames.HEADERS, _HEADERS_END, stream_id, answer.trailers))
        self._sent(stream_id)

    def widen(self, stream_id: int, increment: int) -> None:
        """WINDOW_UPDATE: go on with what waits for it. Of a stream that has ended it means nothing."""
        if stream_id == 0:
            self._window += increment
            if self._window > frames.MAX_WINDOW:
                raise ConnectionFailure(Error.FLOW_CONTROL_ERROR, "the window is too large")
            for waiting in list(self._waiting):
                self._send_body(waiting)
        elif stream_id in self._windows:
            self._windows[stream_id] += increment
            if self._windows[stream_id] > frames.MAX_WINDOW:
                raise StreamFailure(stream_id, Error.FLOW_CONTROL_ERROR)
            if stream_id in self._waiting:
                self._send_body(stream_id)

    def apply(self, key: int, value: int) -> None:
        """One of the client's settings (RFC 9113, section 6.5.2); most are about what we never send."""
        if key == frames.SETTINGS_ENABLE_PUSH and value > 1:
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH is 0 or 1")
        if key == frames.SETTINGS_MAX_FRAME_SIZE:
            if not frames.DEFAULT_FRAME_SIZE <= value <= frames.MAX_FRAME_SIZE:
                raise ConnectionFailure(Error.PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE is out of range")
            self._frame_size = value
        if key == frames.SETTINGS_INITIAL_WINDOW_SIZE:
            self._resize_windows(value)

    def _resize_windows(self, size: int) -> None:
        """Section 6.9.2: the windows of open streams change by the difference, and may become negative."""
        if size > frames.MAX_WINDOW:
            raise ConnectionFailure(Error.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE is out of range")
        change = size - self._first_window
        self._first_window = size
        for stream_id in self._windows:
            self._windows[stream_id] += change
            if self._windows[stream_id] > frames.MAX_WINDOW:
                raise ConnectionFailure(Error.FLOW_CONTROL_ERROR, "the window of a stream is too large")
        for waiting in list(self._waiting):
            self._send_body(waiting)
