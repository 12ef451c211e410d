"""Calls are read, and answered, as gRPC over HTTP/2 says."""

import base64
import functools
import gzip
import zlib
from typing import Final

import pytest
from google.rpc import code_pb2, status_pb2

from aigw_receiver.core import grpc_protocol, status
from aigw_receiver.core.grpc_protocol import Call, NotGrpcError
from aigw_receiver.core.http2 import hpack
from aigw_receiver.core.http2.requests import Head
from aigw_receiver.core.http2.sending import Answer

# Without a time in it, so that the tests have the same names each time.
_zip = functools.partial(gzip.compress, mtime=0)

LIMIT: Final = 100
HEAD: Final[Head] = {
    b":method": b"POST",
    b":scheme": b"http",
    b":path": b"/service/method",
    b"te": b"trailers",
    b"content-type": b"application/grpc",
}
GZIP: Final = {b"grpc-encoding": b"gzip"}


def _prefixed(message: bytes, flag: int = 0) -> bytes:
    return bytes((flag,)) + len(message).to_bytes(4, "big") + message


def _fields(block: bytes) -> dict[bytes, bytes]:
    return {field.name: field.value for field in hpack.Decoder(1 << 20).decode(block)}


def _read(head: Head, body: bytes, size: int) -> bytes:
    call = Call(HEAD | head, LIMIT)
    for start in range(0, len(body), size):
        call.feed(body[start : start + size])
    return call.message()


@pytest.mark.parametrize("size", [1, 4, 6, 1000])
@pytest.mark.parametrize(
    ("head", "body", "message"),
    [
        ({}, _prefixed(b"hello"), b"hello"),
        ({}, _prefixed(b""), b""),
        ({}, _prefixed(b"x" * LIMIT), b"x" * LIMIT),
        ({b"grpc-encoding": b"identity"}, _prefixed(b"hello"), b"hello"),
        (GZIP, _prefixed(b"hello"), b"hello"),
        (GZIP, _prefixed(_zip(b"hello"), 1), b"hello"),
        (GZIP, _prefixed(_zip(b"x" * LIMIT), 1), b"x" * LIMIT),
        (GZIP, _prefixed(b"", 1), b""),
        ({b"content-type": b"application/grpc+proto"}, _prefixed(b"hello"), b"hello"),
        ({b"content-type": b"application/grpc; charset=x"}, _prefixed(b"hello"), b"hello"),
    ],
)
def test_messages(head: Head, body: bytes, message: bytes, size: int) -> None:
    """A message loses bytes, or is not recognised, where frames cut it."""
    assert message == _read(head, body, size)


def test_large_and_small_pieces() -> None:
    """Pieces are put together in another order where small ones come between large ones."""
    pieces = [b"a" * 2000, b"b", b"c", b"d" * 3000, b"e" * 1024, b"f"]
    body = b"".join(pieces)
    call = Call(HEAD, 10_000)
    call.feed(_prefixed(body)[:5])
    for piece in pieces:
        call.feed(piece)

    assert body == call.message()


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    ("head", "body", "code"),
    [
        ({}, b"", code_pb2.UNIMPLEMENTED),
        ({}, _prefixed(b"a") + _prefixed(b"b"), code_pb2.UNIMPLEMENTED),
        ({}, _prefixed(b"a") + b"\0", code_pb2.UNIMPLEMENTED),
        ({}, _prefixed(b"abc")[:-1], code_pb2.INTERNAL),
        ({}, b"\0\0", code_pb2.INTERNAL),
        ({}, _prefixed(_zip(b"a"), 1), code_pb2.INTERNAL),
        (GZIP, _prefixed(_zip(b"a"), 2), code_pb2.INTERNAL),
        ({}, b"\0\0\0\0" + bytes((LIMIT + 1,)), code_pb2.RESOURCE_EXHAUSTED),
        (GZIP, _prefixed(_zip(b"x" * (LIMIT + 1)), 1), code_pb2.RESOURCE_EXHAUSTED),
        (GZIP, _prefixed(zlib.compress(b"x"), 1), code_pb2.INVALID_ARGUMENT),
        (GZIP, _prefixed(_zip(b"x")[:-1], 1), code_pb2.INVALID_ARGUMENT),
        ({b"grpc-encoding": b"snappy"}, b"", code_pb2.UNIMPLEMENTED),
        ({b"grpc-timeout": b"123456789S"}, b"", code_pb2.INTERNAL),
        ({b"grpc-timeout": b"1h"}, b"", code_pb2.INTERNAL),
    ],
)
def test_refusals(head: Head, body: bytes, code: int, size: int) -> None:
    """A broken call is taken, or refused with a code that makes its client repeat it."""
    with pytest.raises(status.RefusedError) as error:
        _read(head, body, size)
    assert code == error.value.failure.code


def test_too_large_is_known_from_the_prefix() -> None:
    """A message that is too large is received in whole before it is refused."""
    call = Call(HEAD, LIMIT)
    with pytest.raises(status.RefusedError):
        call.feed(b"\0\x7f\xff\xff\xff")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"2H", 7200.0),
        (b"3M", 180.0),
        (b"10S", 10.0),
        (b"250m", 0.25),
        (b"500000u", 0.5),
        (b"99999999n", 0.099999999),
        (b"0S", 0.0),
        (None, None),
    ],
)
def test_timeouts(text: bytes | None, seconds: float | None) -> None:
    """A unit is mistaken for another, and calls are given up too early."""
    timeout = Call(HEAD if text is None else HEAD | {b"grpc-timeout": text}, LIMIT).timeout

    assert pytest.approx(seconds) == timeout


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        ({b":method": b"GET"}, {b":status": b"405", b"allow": b"POST"}),
        ({b"content-type": b"application/json"}, {b":status": b"415"}),
        ({b"content-type": b"application/grpc-web"}, {b":status": b"415"}),
        ({b"content-type": b""}, {b":status": b"415"}),
    ],
)
def test_what_is_no_call(head: Head, fields: dict[bytes, bytes]) -> None:
    """A browser or an OTLP/HTTP client at this port is not told in its own terms."""
    with pytest.raises(NotGrpcError) as error:
        Call(HEAD | head, LIMIT)
    answer = error.value.answer
    assert {b"content-type": b"text/plain"} | fields == _fields(answer.head)
    assert (True, b"") == (answer.body.endswith(b"\n"), answer.trailers)


def test_success() -> None:
    """Clients find no message, or no status behind it."""
    answer = grpc_protocol.success(b"hello")

    assert {b":status": b"200", b"content-type": b"application/grpc"} == _fields(answer.head)
    assert b"\0\0\0\0\5hello" == answer.body
    assert {b"grpc-status": b"0"} == _fields(answer.trailers)


def test_refusal() -> None:
    """Clients find no reason, or no RetryInfo."""
    answer = grpc_protocol.refusal(status.UNAVAILABLE)

    fields = _fields(answer.head)
    details = fields.pop(b"grpc-status-details-bin")
    assert {
        b":status": b"200",
        b"content-type": b"application/grpc",
        b"grpc-status": b"14",
        b"grpc-message": b"the receiver is shutting down",
    } == fields
    assert Answer(answer.head) == answer
    padded = details + b"=" * (-len(details) % 4)
    message = status_pb2.Status.FromString(base64.b64decode(padded))
    assert (14, 1) == (message.code, len(message.details))


def test_known_encodings_are_named() -> None:
    """A client with another encoding is not told which to use."""
    with pytest.raises(status.RefusedError) as error:
        Call(HEAD | {b"grpc-encoding": b"snappy"}, LIMIT)

    assert b"identity,gzip" == _fields(grpc_protocol.refusal(error.value.failure).head)[b"grpc-accept-encoding"]


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("plain text", b"plain text"), ("100%", b"100%25"), ("a\nb", b"a%0Ab"), ("é", b"%C3%A9"), ("~ ", b"~ ")],
)
def test_messages_for_people(text: str, encoded: bytes) -> None:
    """One character that HTTP/2 does not allow costs the client the whole answer."""
    assert encoded == grpc_protocol.percent_encoded(text)
