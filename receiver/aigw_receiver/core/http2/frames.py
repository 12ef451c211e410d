"""The frames of HTTP/2 (RFC 9113, sections 4, 6 and 7): their numbers, and the bytes of those that a server sends."""

import enum
import struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# Section 4.1: a length of 24 bits, type, flags, and a stream of 31 bits behind a reserved one.
HEAD: Final = struct.Struct(">HBBBI")
HEAD_SIZE: Final = 9
STREAM_MASK: Final = 0x7FFF_FFFF
SETTING: Final = struct.Struct(">HI")
WORD: Final = struct.Struct(">I")

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITISED: Final = 0x20

SETTINGS_ENABLE_PUSH: Final = 2
SETTINGS_MAX_CONCURRENT_STREAMS: Final = 3
SETTINGS_INITIAL_WINDOW_SIZE: Final = 4
SETTINGS_MAX_FRAME_SIZE: Final = 5
SETTINGS_MAX_HEADER_LIST_SIZE: Final = 6

# Sections 6.5.2 and 6.9: what holds before the peer says otherwise, and the bounds of what it may say.
DEFAULT_WINDOW: Final = 65_535
MAX_WINDOW: Final = (1 << 31) - 1
DEFAULT_FRAME_SIZE: Final = 1 << 14
MAX_FRAME_SIZE: Final = (1 << 24) - 1


class Error(enum.IntEnum):
    """Section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB


class ConnectionFailure(Exception):  # noqa: N818 - section 5.4.1 has the name "connection error", Python has it too
    """The connection must end, with GOAWAY."""

    def __init__(self, code: Error, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class StreamFailure(Exception):  # noqa: N818 - section 5.4.2
    """One stream must end, with RST_STREAM."""

    def __init__(self, stream_id: int, code: Error) -> None:
        super().__init__(code.name)
        self.stream_id = stream_id
        self.code = code


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Any frame."""
    length = len(payload)
    return HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream_id) + payload


def settings(pairs: dict[int, int]) -> bytes:
    """SETTINGS."""
    return frame(SETTINGS, 0, 0, b"".join(SETTING.pack(key, value) for key, value in pairs.items()))


def window_update(stream_id: int, size: int) -> bytes:
    """WINDOW_UPDATE of a stream, or of the connection, which is stream 0."""
    return frame(WINDOW_UPDATE, 0, stream_id, WORD.pack(size))


def rst_stream(stream_id: int, code: Error) -> bytes:
    """RST_STREAM."""
    return frame(RST_STREAM, 0, stream_id, WORD.pack(code))


def goaway(last_stream: int, code: Error, reason: str = "") -> bytes:
    """GOAWAY, with a reason for people."""
    return frame(GOAWAY, 0, 0, WORD.pack(last_stream) + WORD.pack(code) + reason.encode())


def unpadded(flags: int, payload: bytes) -> bytes:
    """Section 6.1: the payload without its padding."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionFailure(Error.PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]
