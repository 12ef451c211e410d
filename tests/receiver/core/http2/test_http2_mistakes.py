"""What a connection of HTTP/2 makes of mistakes and of floods (RFC 9113, sections 5.4 and 10.5)."""

from typing import Final

import pytest

from aigw_receiver.core.http2 import connection as http2
from aigw_receiver.core.http2 import frames, hpack
from aigw_receiver.core.http2.frames import Error, frame
from http2_client import BLOCK, HEAD, PADDED, SETTINGS, data, error, greeted, headers, setting, split

DONE: Final = headers(1, ends=True)
LARGE_BLOCK: Final = hpack.encode([*HEAD, (b"x", b"y" * (15 << 10))])
CONNECTION: Final = frames.GOAWAY


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (frame(frames.DATA, 0, 0, b"x"), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (data(1), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (headers(2), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (headers(0), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (headers(5) + headers(3), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (DONE + data(1), (frames.RST_STREAM, 1, Error.STREAM_CLOSED)),
        (DONE + DONE, (frames.RST_STREAM, 1, Error.STREAM_CLOSED)),
        (headers(1) + headers(1), (frames.RST_STREAM, 1, Error.PROTOCOL_ERROR)),
        (headers(1) + frames.rst_stream(1, Error.CANCEL) + headers(1), (CONNECTION, 0, Error.STREAM_CLOSED)),
        (headers(1) + frames.rst_stream(1, Error.CANCEL) + data(1), (frames.RST_STREAM, 1, Error.STREAM_CLOSED)),
        (headers(1, block=b"\xff"), (CONNECTION, 0, Error.COMPRESSION_ERROR)),
        (headers(1, block=b"\x82"), (frames.RST_STREAM, 1, Error.PROTOCOL_ERROR)),
        (headers(1, block=BLOCK + hpack.encode([(b":authority", b"a")])), None),
        (headers(1, block=BLOCK + b"\x82"), (frames.RST_STREAM, 1, Error.PROTOCOL_ERROR)),
        (
            headers(1, block=BLOCK + hpack.encode([(b"x", b""), (b":authority", b"a")])),
            (frames.RST_STREAM, 1, Error.PROTOCOL_ERROR),
        ),
        (
            headers(1, block=hpack.encode([*HEAD, (b"content-length", b"3")])) + data(1, b"abcd", ends=True),
            (frames.RST_STREAM, 1, Error.PROTOCOL_ERROR),
        ),
        (frame(frames.HEADERS, 0, 1, BLOCK) + SETTINGS, (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frame(frames.HEADERS, 0, 1, BLOCK) + data(1), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frame(frames.HEADERS, 0, 1) + frame(frames.CONTINUATION, 4, 3), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frame(frames.CONTINUATION, 4, 1), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (headers(1) + frame(frames.DATA, PADDED, 1, b"\3ab"), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frame(frames.SETTINGS, 0, 1), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frame(frames.SETTINGS, 0, 0, b"12345"), (CONNECTION, 0, Error.FRAME_SIZE_ERROR)),
        (frame(frames.SETTINGS, 1, 0, bytes(6)), (CONNECTION, 0, Error.FRAME_SIZE_ERROR)),
        (setting(frames.SETTINGS_ENABLE_PUSH, 2), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (setting(frames.SETTINGS_INITIAL_WINDOW_SIZE, 1 << 31), (CONNECTION, 0, Error.FLOW_CONTROL_ERROR)),
        (setting(frames.SETTINGS_MAX_FRAME_SIZE, 16_383), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (setting(frames.SETTINGS_MAX_FRAME_SIZE, 1 << 24), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frame(frames.PING, 0, 1, bytes(8)), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frame(frames.PING, 0, 0, bytes(7)), (CONNECTION, 0, Error.FRAME_SIZE_ERROR)),
        (frame(frames.GOAWAY, 0, 1, bytes(8)), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frame(frames.PUSH_PROMISE, 4, 1, bytes(4)), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frame(frames.PRIORITY, 0, 0, bytes(5)), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frame(frames.PRIORITY, 0, 1, bytes(4)), (frames.RST_STREAM, 1, Error.FRAME_SIZE_ERROR)),
        (frames.rst_stream(1, Error.CANCEL), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (headers(1) + frame(frames.RST_STREAM, 0, 1, bytes(3)), (CONNECTION, 0, Error.FRAME_SIZE_ERROR)),
        (frames.window_update(0, 0), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (frames.window_update(0, (1 << 31) - 1), (CONNECTION, 0, Error.FLOW_CONTROL_ERROR)),
        (frames.window_update(1, 1), (CONNECTION, 0, Error.PROTOCOL_ERROR)),
        (headers(1) + frames.window_update(1, 0), (frames.RST_STREAM, 1, Error.PROTOCOL_ERROR)),
        (headers(1) + frames.window_update(1, (1 << 31) - 1), (frames.RST_STREAM, 1, Error.FLOW_CONTROL_ERROR)),
        (b"\x10\0\1\0\0\0\0\0\1", (CONNECTION, 0, Error.FRAME_SIZE_ERROR)),
        (headers(1, block=LARGE_BLOCK), None),
        (headers(1, block=LARGE_BLOCK * 2), (frames.RST_STREAM, 1, Error.ENHANCE_YOUR_CALM)),
        (
            headers(1, block=hpack.encode([*HEAD, *[(b"x", b"y" * 90)] * 150])),
            (frames.RST_STREAM, 1, Error.ENHANCE_YOUR_CALM),
        ),
        (headers(1, block=LARGE_BLOCK * 5), (CONNECTION, 0, Error.ENHANCE_YOUR_CALM)),
    ],
)
def test_mistakes(sent: bytes, expected: tuple[int, int, Error] | None) -> None:
    """A mistake of the client goes unnoticed, or costs more than the RFC says; None: it was no mistake."""
    connection = greeted()
    connection.receive(sent)
    output = connection.take_output()

    if expected is None:
        assert (b"", False) == (output, connection.failed)
    else:
        assert expected == error(output)
        assert (expected[0] == CONNECTION) == connection.failed


@pytest.mark.parametrize(
    ("first", "code"),
    [(frame(frames.PING, 0, 0, bytes(8)), Error.PROTOCOL_ERROR), (headers(1), Error.PROTOCOL_ERROR)],
)
def test_settings_come_first(first: bytes, code: Error) -> None:
    """A client that skips its settings is none (section 3.4)."""
    connection = http2.Connection()
    connection.receive(frames.PREFACE + first)

    assert (CONNECTION, 0, code) == error(connection.take_output())


RESET: Final = b"".join(headers(2 * n + 1) + frames.rst_stream(2 * n + 1, Error.CANCEL) for n in range(1001))
FLOODS: Final = {
    "ping": frame(frames.PING, 0, 0, bytes(8)) * 1001,
    "settings": SETTINGS * 1001,
    "empty data": headers(1) + data(1) * 1001,
    "rapid reset": RESET,
    "priority": frame(frames.PRIORITY, 0, 1, bytes(5)) * 1001,
    "window update": frames.window_update(0, 1) * 1001,
    "unknown": frame(77, 0, 0) * 1001,
    "our resets": b"".join(headers(2 * n + 1, block=b"\x82") for n in range(1001)),
    "continuation": frame(frames.HEADERS, 0, 1) + frame(frames.CONTINUATION, 0, 1) * 17,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods(flood: str) -> None:
    """Cheap frames keep the receiver busy for nothing (CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-27316)."""
    connection = greeted()
    connection.receive(FLOODS[flood])

    *_, (kind, _, _, payload) = split(connection.take_output())
    assert (CONNECTION, Error.ENHANCE_YOUR_CALM) == (kind, int.from_bytes(payload[4:8], "big"))
