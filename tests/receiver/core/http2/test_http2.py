"""One connection of HTTP/2, frame by frame: what the client sends, and what it gets (RFC 9113)."""

import struct
from typing import Final

import pytest

from aigw_receiver.core.http2 import connection as http2
from aigw_receiver.core.http2 import frames, hpack
from aigw_receiver.core.http2.frames import Error, frame
from aigw_receiver.core.http2.intake import Aborted, Body, Event, Opened
from aigw_receiver.core.http2.sending import Answer
from http2_client import BLOCK, END, HEAD, HELLO, PADDED, data, error, greeted, headers, setting, split

ANSWER: Final = Answer(b"\x88", b"body", b"\x89")


def test_greeting() -> None:
    """Without our settings first, and theirs acknowledged, clients wait or give up (section 3.4)."""
    connection = http2.Connection()

    assert [] == connection.receive(HELLO)

    output = split(connection.take_output())
    assert [frames.SETTINGS, frames.WINDOW_UPDATE, frames.SETTINGS] == [found[0] for found in output]
    assert {3: 256, 4: 1 << 20, 5: 1 << 20, 6: 16 << 10} == dict(struct.iter_unpack(">HI", output[0][3]))
    assert (16 << 20) - 65_535 == int.from_bytes(output[1][3], "big")


def test_http1_is_answered() -> None:
    """Who sends OTLP/HTTP to this port sees a connection that ends without a word."""
    connection = http2.Connection()
    for byte in b"POST /v1/metrics HTTP/1.1\r\n":
        assert not connection.failed
        connection.receive(bytes((byte,)))

    assert connection.failed
    assert http2.HTTP1_ANSWER == connection.take_output()
    head, _, body = http2.HTTP1_ANSWER.partition(b"\r\n\r\n")
    assert head.endswith(b"Content-Length: %d" % len(body))


REQUEST: Final = headers(1) + data(1, b"ab") + data(1, b"c", ends=True)
OPENED: Final = Opened(1, dict(HEAD), ended=False)
WHOLE: Final = [OPENED, Body(1, b"ab", ended=False), Body(1, b"c", ended=True)]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (REQUEST, WHOLE),
        (headers(1, ends=True), [Opened(1, dict(HEAD), ended=True)]),
        (headers(1) + data(1, ends=True), [OPENED, Body(1, b"", ended=True)]),
        (headers(1) + frame(frames.DATA, PADDED, 1, b"\2xy\0\0"), [OPENED, Body(1, b"xy", ended=True)]),
        (frame(frames.HEADERS, END | 0x28, 1, b"\1" + bytes(5) + BLOCK + b"\0"), [OPENED._replace(ended=True)]),
        (
            frame(frames.HEADERS, 0, 1, BLOCK[:5])
            + frame(frames.CONTINUATION, 0, 1, BLOCK[5:9])
            + frame(frames.CONTINUATION, frames.END_HEADERS, 1, BLOCK[9:]),
            [OPENED],
        ),
        (headers(1) + headers(1, ends=True, block=b""), [OPENED, Body(1, b"", ended=True)]),
        (headers(1) + frames.rst_stream(1, Error.CANCEL), [OPENED, Aborted(1)]),
        (frame(99, 255, 7, b"unknown") + frame(frames.PRIORITY, 0, 9, bytes(5)) + REQUEST, WHOLE),
        (headers(1, block=hpack.encode([*HEAD, (b"content-length", b"3")])) + data(1, b"abc", ends=True), None),
    ],
    ids=[
        "request",
        "no body",
        "empty last frame",
        "padded data",
        "padded headers with priority",
        "continuation",
        "trailers",
        "cancelled",
        "ignored frames",
        "content-length",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_requests(sent: bytes, expected: list[Event] | None, size: int) -> None:
    """A request is misread, or read in another way where the network cuts it into pieces."""
    connection = http2.Connection()
    stream = HELLO + sent
    events = [event for start in range(0, len(stream), size) for event in connection.receive(stream[start:][:size])]

    assert not connection.failed
    if expected is not None:
        assert _joined(expected) == _joined(events)


def _joined(events: list[Event]) -> list[object]:
    """The events with the pieces of a body joined: how it was cut does not matter."""
    bodies = [event for event in events if isinstance(event, Body)]
    others: list[object] = [event for event in events if not isinstance(event, Body)]
    return [*others, b"".join(event.piece for event in bodies), [event.ended for event in bodies if event.ended]]


def test_ping() -> None:
    """Without an answer clients take the connection for dead."""
    connection = greeted()
    connection.receive(frame(frames.PING, 0, 0, b"12345678"))

    assert frame(frames.PING, frames.ACK, 0, b"12345678") == connection.take_output()


FULL: Final = (
    frame(frames.HEADERS, frames.END_HEADERS, 1, b"\x88"),
    data(1, b"body"),
    frame(frames.HEADERS, END, 1, b"\x89"),
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ANSWER, b"".join(FULL)),
        (Answer(b"\x88"), frame(frames.HEADERS, END, 1, b"\x88")),
        (Answer(b"\x88", b"body"), FULL[0] + data(1, b"body", ends=True)),
        (
            Answer(b"\x88", b"x" * 20_000, b"\x89"),
            FULL[0] + data(1, b"x" * 16_384) + data(1, b"x" * 3_616) + FULL[2],
        ),
    ],
    ids=["whole", "head", "no trailers", "two frames"],
)
def test_answers(answer: Answer, expected: bytes) -> None:
    """An answer is cut wrongly, or its last frame does not end the stream."""
    connection = greeted()
    connection.receive(headers(1, ends=True))
    connection.answer(1, answer)

    assert expected == connection.take_output()


def test_answer_before_the_end_of_the_request() -> None:
    """The client goes on to send a body that nobody reads, or late frames are taken for a mistake (section 8.1)."""
    connection = greeted()
    connection.receive(headers(1) + data(1, b"ab"))
    connection.answer(1, ANSWER)

    assert b"".join(FULL) + frames.rst_stream(1, Error.NO_ERROR) == connection.take_output()
    assert [] == connection.receive(data(1, b"c", ends=True))
    assert b"" == connection.take_output()


def test_windows_of_the_client() -> None:
    """More is sent than the client has room for, or what waits is never sent (section 6.9)."""
    connection = greeted()
    connection.receive(setting(frames.SETTINGS_INITIAL_WINDOW_SIZE, 3) + headers(1, ends=True))
    connection.take_output()
    connection.answer(1, ANSWER)

    assert FULL[0] + data(1, b"bod") == connection.take_output()
    connection.receive(setting(frames.SETTINGS_INITIAL_WINDOW_SIZE, 0) + frames.window_update(1, 3))
    assert frame(frames.SETTINGS, frames.ACK, 0) == connection.take_output()
    connection.receive(frames.window_update(1, 1))
    assert data(1, b"y") + FULL[2] == connection.take_output()


def test_window_of_the_connection() -> None:
    """All streams share one window; an answer that it stops goes on when it is widened."""
    connection = greeted()
    connection.receive(setting(frames.SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20) + headers(1, ends=True))
    connection.take_output()
    connection.answer(1, Answer(b"\x88", b"x" * 65_536, b"\x89"))

    assert 65_535 == sum(len(found[3]) for found in split(connection.take_output()) if found[0] == frames.DATA)
    connection.receive(frames.window_update(0, 10))
    assert data(1, b"x") + FULL[2] == connection.take_output()


def test_our_windows() -> None:
    """A client that keeps to our windows comes to a stop, or one that does not fills the memory."""
    connection = greeted()
    connection.receive(headers(1) + data(1, bytes(1 << 19)))
    assert b"" == connection.take_output()
    connection.receive(data(1, b"x"))
    assert frames.window_update(1, (1 << 19) + 1) == connection.take_output()
    connection.receive(data(1, bytes(1 << 19)) + b"\x08\0\1\0\0\0\0\0\1")
    assert (frames.RST_STREAM, 1, Error.FLOW_CONTROL_ERROR) == error(connection.take_output())


def test_window_of_all_streams() -> None:
    """Data that nobody wants any more uses up the connection's window, and all streams stop."""
    connection = greeted()
    connection.receive(headers(1))
    connection.answer(1, ANSWER)
    connection.take_output()
    received = 0
    while not (output := connection.take_output()):
        connection.receive(data(1, bytes(1 << 20)))
        received += 1 << 20

    assert frames.window_update(0, received) == output
    assert 9 << 20 == received


def test_too_many_streams() -> None:
    """A client opens streams without end, each of which takes memory (section 5.1.2)."""
    connection = greeted()
    opened = connection.receive(b"".join(headers(2 * number + 1) for number in range(257)))

    assert 256 == len(opened)
    assert (frames.RST_STREAM, 513, Error.REFUSED_STREAM) == error(connection.take_output())


def test_long_life() -> None:
    """A connection of months is closed for a flood, though each of its calls came with a few pings."""
    connection = greeted()
    for number in range(1000):
        connection.receive(frame(frames.PING, 0, 0, bytes(8)) * 5 + headers(2 * number + 1, ends=True))
        connection.answer(2 * number + 1, ANSWER)
    connection.receive(frame(frames.PING, 0, 0, bytes(8)) * 900)
    connection.calm()
    connection.receive(frame(frames.PING, 0, 0, bytes(8)) * 1000)

    assert not connection.failed


def test_drain() -> None:
    """Calls on their way are lost, or the connection never comes to an end (section 6.8)."""
    connection = greeted()
    connection.receive(headers(1))
    connection.begin_drain()
    ping = frame(frames.PING, 0, 0, b"draining")
    assert frames.goaway((1 << 31) - 1, Error.NO_ERROR) + ping == connection.take_output()

    assert [3] == [event.stream_id for event in connection.receive(headers(3, ends=True))]
    connection.answer(3, Answer(b"\x88"))
    connection.take_output()
    connection.receive(frame(frames.PING, frames.ACK, 0, b"draining") + headers(5))
    refused = frames.rst_stream(5, Error.REFUSED_STREAM)
    assert frames.goaway(3, Error.NO_ERROR) + refused == connection.take_output()

    assert not connection.finished
    connection.receive(data(1, b"x", ends=True))
    connection.answer(1, Answer(b"\x88"))
    assert connection.finished
