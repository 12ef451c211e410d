"""Frames of an HTTP/2 client for the tests of our server's side. It asserts nothing but its own start."""

import struct
from typing import Final

from aigw_receiver.core.http2 import connection as http2
from aigw_receiver.core.http2 import frames, hpack
from aigw_receiver.core.http2.frames import Error, frame

Frames = list[tuple[int, int, int, bytes]]
HEAD: Final = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/x")]
BLOCK: Final = hpack.encode(HEAD)
SETTINGS: Final = frame(frames.SETTINGS, 0, 0)
HELLO: Final = frames.PREFACE + SETTINGS
GREETING: Final = http2.GREETING + frame(frames.SETTINGS, frames.ACK, 0)
END: Final = frames.END_STREAM | frames.END_HEADERS
PADDED: Final = frames.PADDED | frames.END_STREAM


def headers(stream_id: int, *, ends: bool = False, block: bytes = BLOCK) -> bytes:
    """A request, or the trailers of one."""
    return frame(frames.HEADERS, END if ends else frames.END_HEADERS, stream_id, block)


def data(stream_id: int, payload: bytes = b"", *, ends: bool = False) -> bytes:
    """A piece of its body."""
    return frame(frames.DATA, int(ends), stream_id, payload)


def setting(key: int, value: int) -> bytes:
    """SETTINGS with one setting."""
    return frames.settings({key: value})


def split(data: bytes) -> Frames:
    """The frames in an output: kind, flags, stream, payload."""
    found: Frames = []
    while data:
        high, low, kind, flags, stream_id = frames.HEAD.unpack_from(data)
        end = frames.HEAD_SIZE + (high << 8 | low)
        found.append((kind, flags, stream_id, data[frames.HEAD_SIZE : end]))
        data = data[end:]
    return found


def greeted() -> http2.Connection:
    """A connection that has seen the client's preface and settings."""
    connection = http2.Connection()
    connection.receive(HELLO)
    assert connection.take_output() == GREETING
    return connection


def error(output: bytes) -> tuple[int, int, Error]:
    """The one error in the output: its frame, its stream, its code."""
    ((kind, _, stream_id, payload),) = (
        found for found in split(output) if found[0] in (frames.GOAWAY, frames.RST_STREAM)
    )
    return kind, stream_id, Error(struct.unpack(">I", payload[4:8] if kind == frames.GOAWAY else payload)[0])
