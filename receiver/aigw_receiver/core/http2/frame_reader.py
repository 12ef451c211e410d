"""Cuts the bytes of an HTTP/2 client into frames. What a frame means is decided by its sink.

The payload of DATA is handed on as it arrives, so that a body is not copied to make a frame whole; every other frame
is kept until it is complete.
"""

from typing import Final, Protocol

from aigw_receiver.core.http2.frames import (
    DATA,
    HEAD,
    HEAD_SIZE,
    PADDED,
    PREFACE,
    STREAM_MASK,
    ConnectionFailure,
    Error,
)

# What we announce as SETTINGS_MAX_FRAME_SIZE.
MAX_FRAME: Final = 1 << 20

# The first line of an HTTP/1.1 request, to which we say what is wrong.
_MAX_LINE: Final = 1024


class NotHttp2Error(Exception):
    """The client speaks HTTP/1.1."""


class FrameSink(Protocol):
    """What becomes of whole frames."""

    def on_preface(self) -> None:
        """The client speaks HTTP/2."""

    def on_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """A frame of any kind but DATA without padding."""


class DataSink(Protocol):
    """What becomes of DATA frames without padding."""

    def on_data_head(self, flags: int, stream_id: int, length: int) -> None:
        """A frame begins; its payload comes by `on_data`."""

    def on_data(self, piece: memoryview, last: bool) -> None:
        """A piece of that payload, the last one of the frame or not."""


class FrameReader:
    """Reads one connection."""

    def __init__(self, sink: FrameSink, data_sink: DataSink) -> None:
        self._sink = sink
        self._data_sink = data_sink
        self._greeted = False
        # Bytes that are no whole frame yet, and how many they must be to go on.
        self._rest = bytearray()
        self._needed = len(PREFACE)
        # What is still to come of a DATA frame.
        self._data_left = 0

    def feed(self, data: bytes) -> None:
        """Hand on what these bytes complete. Raises NotHttp2Error, and whatever the sink raises."""
        if self._rest or not self._greeted:
            self._rest += data
            if not self._greeted:
                self._check_preface()
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        position = 0
        if not self._greeted:
            self._greeted, position = True, len(PREFACE)
            self._sink.on_preface()
        view = memoryview(data)
        position = self._read(view, position)
        self._rest += view[position:]

    def _check_preface(self) -> None:
        """Refuse at the first byte that is wrong, but let a line of HTTP/1.1 come to its end."""
        if PREFACE.startswith(self._rest[: len(PREFACE)]):
            self._needed = len(PREFACE)
            return
        line, end, _ = self._rest.partition(b"\r\n")
        if end and line.endswith((b" HTTP/1.1", b" HTTP/1.0")):
            raise NotHttp2Error
        if end or len(self._rest) > _MAX_LINE:
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "the connection preface is not that of HTTP/2")
        self._needed = len(self._rest) + 1

    def _read(self, view: memoryview, position: int) -> int:
        """Hand on all frames from a position; answers where the first incomplete one begins."""
        end = len(view)
        on_data, on_data_head = self._data_sink.on_data, self._data_sink.on_data_head
        while True:
            if left := self._data_left:
                start, position = position, min(position + left, end)
                if start == position:
                    self._needed = 1
                    return position
                self._data_left = left = left - (position - start)
                on_data(view[start:position], not left)
                continue
            start = position + HEAD_SIZE
            if start > end:
                self._needed = HEAD_SIZE
                return position
            high, low, kind, flags, stream_id = HEAD.unpack_from(view, position)
            length = high << 8 | low
            if length > MAX_FRAME:
                raise ConnectionFailure(Error.FRAME_SIZE_ERROR, "the frame is larger than was announced")
            stream_id &= STREAM_MASK
            if kind == DATA and not flags & PADDED:
                position = start
                on_data_head(flags, stream_id, length)
                self._data_left = length
                if not length:
                    on_data(view[:0], True)
                continue
            if start + length > end:
                self._needed = HEAD_SIZE + length
                return position
            position = start + length
            self._sink.on_frame(kind, flags, stream_id, bytes(view[start:position]))
