"""Unary gRPC over HTTP/2: the head of a call, its message, its answers. It opens no connection and keeps no clock.

Source: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md and doc/compression.md.
"""

import base64
import re
import struct
from typing import Final

from google.rpc import code_pb2

from aigw_receiver.core import status
from aigw_receiver.core.http2 import hpack
from aigw_receiver.core.http2.requests import Head
from aigw_receiver.core.http2.sending import Answer
from aigw_receiver.core.inflate import Inflater
from aigw_receiver.core.status import Encoding, Failure, RefusedError

# "Length-Prefixed-Message": a compressed-flag, and four bytes of length.
_PREFIX: Final = struct.Struct(">BI")
_CONTENT_TYPE: Final = b"application/grpc"
_TIMEOUT: Final = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}

# Pieces below this size are joined as they come: each would cost more than it holds.
_SMALL: Final = 1024
# zlib copies what is left of its input with every member of it.
_INFLATE_PIECE: Final = 1 << 13
# A message is shown to people; RFC 9113 lets a client refuse a longer list of fields.
_MAX_MESSAGE: Final = 1024

_DEADLINE: Final = Failure(code_pb2.DEADLINE_EXCEEDED, 504, "the deadline passed before the request was complete")
_NOT_ONE: Final = Failure(code_pb2.UNIMPLEMENTED, 501, "a unary call has exactly one request message")
_CUT_OFF: Final = Failure(code_pb2.INTERNAL, 500, "the request message is incomplete")
_FLAG: Final = Failure(code_pb2.INTERNAL, 500, "the message is compressed, and grpc-encoding does not say how")
_BAD_TIMEOUT: Final = Failure(code_pb2.INTERNAL, 500, "grpc-timeout is not valid")


class NotGrpcError(Exception):
    """A request that is no gRPC call; `answer` is in terms of HTTP."""

    def __init__(self, http_status: int, text: str, *extra: tuple[bytes, bytes]) -> None:
        super().__init__(text)
        fields = ((b":status", b"%d" % http_status), (b"content-type", b"text/plain"), *extra)
        self.answer = Answer(hpack.encode(fields), text.encode())


class Call:
    """One unary call on its way in. Every method raises status.RefusedError where the call is to be refused."""

    __slots__ = ("_gzip", "_inflate", "_limit", "_missing", "_pieces", "_prefix", "path", "timeout")

    def __init__(self, head: Head, limit: int) -> None:
        if head[b":method"] != b"POST":
            raise NotGrpcError(405, "gRPC calls are sent with POST\n", (b"allow", b"POST"))
        if not is_grpc(head.get(b"content-type", b"")):
            raise NotGrpcError(415, "this port takes gRPC calls only\n")
        self.path = head[b":path"]
        self.timeout = _timeout(head.get(b"grpc-timeout"))
        self._gzip = _is_gzip(head.get(b"grpc-encoding", b"identity"))
        self._limit = limit
        self._prefix = b""
        self._inflate = False
        self._missing = -1
        self._pieces: list[bytes | bytearray] = []

    def feed(self, piece: memoryview | bytes) -> None:
        """The next piece of the body, which is copied. What cannot be taken is refused as soon as that is known."""
        if self._missing < 0:
            if self._prefix or len(piece) < _PREFIX.size:
                self._prefix = piece = self._prefix + piece
                if len(piece) < _PREFIX.size:
                    return
            self._begin(*_PREFIX.unpack_from(piece))
            piece = piece[_PREFIX.size :]
        size = len(piece)
        self._missing -= size
        if self._missing < 0:
            raise RefusedError(_NOT_ONE)
        if size >= _SMALL:
            self._pieces.append(bytes(piece))
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1] += piece
        elif piece:
            self._pieces.append(bytearray(piece))

    def _begin(self, flag: int, length: int) -> None:
        if flag and not (flag == 1 and self._gzip):
            raise RefusedError(_FLAG)
        if length > self._limit:
            raise RefusedError(status.TOO_LARGE, f"the message has {length} bytes, of at most {self._limit}")
        self._inflate = bool(flag)
        self._missing = length

    def message(self) -> bytes:
        """The message, once the request has ended."""
        if self._missing:
            raise RefusedError(_CUT_OFF if self._prefix or self._missing > 0 else _NOT_ONE)
        body = bytes(self._pieces[0]) if len(self._pieces) == 1 else b"".join(self._pieces)
        if not self._inflate:
            return body
        inflater = Inflater(self._limit)
        for start in range(0, len(body), _INFLATE_PIECE):
            inflater.feed(body[start : start + _INFLATE_PIECE])
        return inflater.finish()


class NoCall:
    """A request that is no gRPC call: it is read to its end, and then told so."""

    __slots__ = ("_error", "timeout")

    def __init__(self, error: NotGrpcError) -> None:
        self._error = error
        self.timeout: float | None = None

    def feed(self, piece: memoryview | bytes) -> None:
        """Throw a piece of the body away."""

    def message(self) -> bytes:
        """There is none."""
        raise self._error


def is_grpc(content_type: bytes) -> bool:
    """`application/grpc`, with a message format (+proto) or parameters behind it, and not gRPC-Web."""
    return content_type == _CONTENT_TYPE or content_type.startswith((_CONTENT_TYPE + b"+", _CONTENT_TYPE + b";"))


def deadline_exceeded() -> RefusedError:
    """The refusal of a call whose time is over."""
    return RefusedError(_DEADLINE)


def _timeout(text: bytes | None) -> float | None:
    """Seconds."""
    if text is None:
        return None
    match = _TIMEOUT.fullmatch(text)
    if match is None:
        raise RefusedError(_BAD_TIMEOUT)
    return int(match[1]) * _UNITS[match[2]]


def _is_gzip(coding: bytes) -> bool:
    if coding not in (b"identity", b"gzip"):
        name = coding.decode("ascii", "backslashreplace")
        raise RefusedError(
            Failure(code_pb2.UNIMPLEMENTED, 415, f"grpc-encoding {name!r} is not understood, only gzip and identity")
        )
    return coding == b"gzip"


_OK_HEAD: Final = hpack.encode(((b":status", b"200"), (b"content-type", _CONTENT_TYPE)))
_OK_TRAILERS: Final = hpack.encode(((b"grpc-status", b"0"),))


def success(message: bytes) -> Answer:
    """The answer that carries a message."""
    return Answer(_OK_HEAD, _PREFIX.pack(0, len(message)) + message, _OK_TRAILERS)


def refusal(failure: Failure) -> Answer:
    """The answer of a call that is refused: trailers alone, with google.rpc.Status for those who read it."""
    details = base64.b64encode(status.failure_body(failure, Encoding.PROTOBUF)).rstrip(b"=")
    fields = [
        (b":status", b"200"),
        (b"content-type", _CONTENT_TYPE),
        (b"grpc-status", b"%d" % failure.code),
        (b"grpc-message", percent_encoded(failure.message[:_MAX_MESSAGE])),
        (b"grpc-status-details-bin", details),
    ]
    if failure.code == code_pb2.UNIMPLEMENTED:
        # doc/compression.md asks for it where the encoding was the reason.
        fields.insert(2, (b"grpc-accept-encoding", b"identity,gzip"))
    return Answer(hpack.encode(fields))


def percent_encoded(text: str) -> bytes:
    """A Status-Message: what is not printable ASCII, and `%`, as %XX."""
    return b"".join(
        bytes((byte,)) if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte for byte in text.encode()
    )
