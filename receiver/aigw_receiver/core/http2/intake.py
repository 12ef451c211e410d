"""The requests of one HTTP/2 connection, from their header blocks to the end of their bodies (RFC 9113). No I/O.

It keeps the states of the streams and the windows towards us. Every request is an event, every piece of a body another.
"""

import collections
from typing import Final, NamedTuple

from aigw_receiver.core.http2 import frames, hpack, requests
from aigw_receiver.core.http2.frames import ConnectionFailure, Error, StreamFailure
from aigw_receiver.core.http2.sending import Sender

MAX_STREAMS: Final = 256
STREAM_WINDOW: Final = 1 << 20
CONNECTION_WINDOW: Final = 16 << 20
# The fields of one request. A larger list costs its call; a block that is larger still, or comes in many frames, is not
# decoded any more, which costs the connection.
MAX_HEADER_LIST: Final = 16 << 10
_MAX_BLOCK: Final = 32 << 10
_MAX_BLOCK_FRAMES: Final = 16

# Frames that cost us work and move no export: pings, settings, resets, empty data and their like. So many are free
# until `calm`, and each answered call brings some more: clients probe the path with every piece of data.
FREE_FRAMES: Final = 1000
_FRAMES_OF_A_CALL: Final = 10

# Streams that are remembered when they are closed, to tell a late frame from a wrong one.
_REMEMBERED: Final = 1024
_PRIORITY_SIZE: Final = 5


class Opened(NamedTuple):
    """A request has begun."""

    stream_id: int
    head: requests.Head
    ended: bool


class Body(NamedTuple):
    """A piece of a request's body, not yet copied from what came with one read."""

    stream_id: int
    piece: memoryview | bytes
    ended: bool


class Aborted(NamedTuple):
    """A request will not be completed, and is not to be answered."""

    stream_id: int


Event = Opened | Body | Aborted


class _Request:
    """What is open of a stream towards us."""

    __slots__ = ("ended", "promised", "received", "window")

    def __init__(self, promised: int | None, *, ended: bool) -> None:
        self.window = STREAM_WINDOW
        self.promised = promised
        self.received = 0
        self.ended = ended


class _Block(NamedTuple):
    """A header block of which CONTINUATION frames are still to come."""

    stream_id: int
    flags: int
    pieces: list[bytes]


class Intake:
    """The open requests of one connection."""

    def __init__(self, out: list[bytes]) -> None:
        self.events: list[Event] = []
        self.refusing = False
        self.last_stream = 0
        self.requests: dict[int, _Request] = {}
        self.sender = Sender(out, self._answered)
        self.free_frames = FREE_FRAMES
        self._out = out
        self._decoder = hpack.Decoder(MAX_HEADER_LIST)
        self._done: collections.deque[int] = collections.deque(maxlen=_REMEMBERED)
        self._cut_off: collections.deque[int] = collections.deque(maxlen=_REMEMBERED)
        self._window = CONNECTION_WINDOW
        self._block: _Block | None = None
        # Of the DATA frame that is being received: its stream, None where nobody wants it, and whether it is the last.
        self._data_stream: int | None = None
        self._data_ends = False

    def spend(self) -> None:
        """RFC 9113, section 10.5: what a peer may do, but not without end."""
        self.free_frames -= 1
        if self.free_frames < 0:
            raise ConnectionFailure(Error.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def check_order(self, kind: int, stream_id: int) -> None:
        """Section 6.10: nothing comes between the frames of a header block."""
        expected = None if self._block is None else self._block.stream_id
        if (kind == frames.CONTINUATION) != (expected is not None) or expected not in (None, stream_id):
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "a header block must be continued, and nothing else")

    def check_not_idle(self, stream_id: int) -> None:
        """Section 5.1: before its HEADERS, a stream has no other frames."""
        if stream_id == 0 or stream_id > self.last_stream or not stream_id & 1:
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "the stream is idle")

    def cut(self, failure: StreamFailure) -> None:
        """A stream error (section 5.4.2)."""
        self.spend()
        self._out.append(frames.rst_stream(failure.stream_id, failure.code))
        self._cut_off.append(failure.stream_id)
        self.abort(failure.stream_id)

    def abort(self, stream_id: int) -> None:
        """The stream ends without an answer."""
        if stream_id in self.requests:
            self._close(stream_id)
            self.events.append(Aborted(stream_id))

    def _close(self, stream_id: int) -> None:
        del self.requests[stream_id]
        self.sender.close(stream_id)
        self._done.append(stream_id)

    def _answered(self, stream_id: int) -> None:
        """An answer is complete. Section 8.1: NO_ERROR stops the rest of a request."""
        self.free_frames = min(self.free_frames + _FRAMES_OF_A_CALL, FREE_FRAMES)
        if not self.requests[stream_id].ended:
            self._out.append(frames.rst_stream(stream_id, Error.NO_ERROR))
            self._cut_off.append(stream_id)
        self._close(stream_id)

    def on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        """HEADERS: a new request, or the trailers of one."""
        if not stream_id & 1:
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "a client opens streams with odd numbers")
        block = frames.unpadded(flags, payload)
        depends_on = -1
        if flags & frames.PRIORITISED:
            if len(block) < _PRIORITY_SIZE:
                raise ConnectionFailure(Error.FRAME_SIZE_ERROR, "HEADERS is too short for its priority")
            depends_on = frames.WORD.unpack_from(block)[0] & frames.STREAM_MASK
            block = block[_PRIORITY_SIZE:]
        if flags & frames.END_HEADERS:
            self._on_block(flags, stream_id, block)
        else:
            self._block = _Block(stream_id, flags, [block])
        if depends_on == stream_id:
            raise StreamFailure(stream_id, Error.PROTOCOL_ERROR)

    def on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        """CONTINUATION: the next piece of a header block."""
        if self._block is None:
            return
        pieces = self._block.pieces
        pieces.append(payload)
        if len(pieces) > _MAX_BLOCK_FRAMES or sum(map(len, pieces)) > _MAX_BLOCK:
            raise ConnectionFailure(Error.ENHANCE_YOUR_CALM, "the header block is too large")
        if flags & frames.END_HEADERS:
            flags, self._block = self._block.flags, None
            self._on_block(flags, stream_id, b"".join(pieces))

    def _on_block(self, flags: int, stream_id: int, block: bytes) -> None:
        """A whole header block. It is always decoded: the next one builds on it."""
        if len(block) > _MAX_BLOCK:
            raise ConnectionFailure(Error.ENHANCE_YOUR_CALM, "the header block is too large")
        ended = bool(flags & frames.END_STREAM)
        fields: list[hpack.Field] | None = None
        try:
            fields = self._decoder.decode(block)
        except hpack.HpackError:
            raise ConnectionFailure(Error.COMPRESSION_ERROR, "the header block cannot be decoded") from None
        except hpack.ListTooLargeError:
            pass
        try:
            if stream_id > self.last_stream:
                self.last_stream = stream_id
                self._open(stream_id, fields, ended=ended)
            else:
                self._end_with_trailers(stream_id, fields, ended=ended)
        except requests.MalformedError:
            raise StreamFailure(stream_id, Error.PROTOCOL_ERROR) from None

    def _open(self, stream_id: int, fields: list[hpack.Field] | None, *, ended: bool) -> None:
        if self.refusing or len(self.requests) >= MAX_STREAMS:
            raise StreamFailure(stream_id, Error.REFUSED_STREAM)
        if fields is None:
            raise StreamFailure(stream_id, Error.ENHANCE_YOUR_CALM)
        head = requests.request_head(fields)
        promised = requests.content_length(head)
        if ended and promised:
            raise StreamFailure(stream_id, Error.PROTOCOL_ERROR)
        self.requests[stream_id] = _Request(promised, ended=ended)
        self.sender.open(stream_id)
        self.events.append(Opened(stream_id, head, ended))

    def _end_with_trailers(self, stream_id: int, fields: list[hpack.Field] | None, *, ended: bool) -> None:
        request = self.requests.get(stream_id)
        if request is None:
            if stream_id in self._cut_off:
                return
            if stream_id in self._done:
                raise ConnectionFailure(Error.STREAM_CLOSED, "the stream is closed")
            raise ConnectionFailure(Error.PROTOCOL_ERROR, "streams are opened in the order of their numbers")
        if request.ended:
            raise StreamFailure(stream_id, Error.STREAM_CLOSED)
        if not ended or fields is None:
            raise StreamFailure(stream_id, Error.PROTOCOL_ERROR)
        requests.check_trailers(fields)
        self._end(stream_id, request)
        self.events.append(Body(stream_id, b"", True))

    def on_data_head(self, flags: int, stream_id: int, length: int) -> None:
        """A DATA frame begins: it is accounted for in full, whatever becomes of it."""
        if self._block is not None:
            self.check_order(frames.DATA, stream_id)
        self._data_stream = None
        self._data_ends = ends = bool(flags & frames.END_STREAM)
        if not length and not ends:
            self.spend()
        self._window -= length
        if self._window < CONNECTION_WINDOW // 2:
            self._widen()
        request = self.requests.get(stream_id)
        if request is None or request.ended:
            self._on_late_data(stream_id)
            return
        request.window -= length
        if request.window < STREAM_WINDOW // 2:
            if request.window < 0:
                self.cut(StreamFailure(stream_id, Error.FLOW_CONTROL_ERROR))
                return
            if not ends:
                self._out.append(frames.window_update(stream_id, STREAM_WINDOW - request.window))
                request.window = STREAM_WINDOW
        self._data_stream = stream_id

    def _widen(self) -> None:
        if self._window < 0:
            raise ConnectionFailure(Error.FLOW_CONTROL_ERROR, "more data than the window allows")
        self._out.append(frames.window_update(0, CONNECTION_WINDOW - self._window))
        self._window = CONNECTION_WINDOW

    def _on_late_data(self, stream_id: int) -> None:
        """Section 5.1: a mistake, but where we have cut the stream off and the client did not know yet."""
        self.check_not_idle(stream_id)
        if stream_id in self.requests or stream_id not in self._cut_off:
            self.cut(StreamFailure(stream_id, Error.STREAM_CLOSED))

    def on_data(self, piece: memoryview, last: bool) -> None:
        """A piece of the payload of that frame; its request may have been answered meanwhile."""
        stream_id = self._data_stream
        request = None if stream_id is None else self.requests.get(stream_id)
        if stream_id is None or request is None:
            return
        request.received += len(piece)
        ended = last and self._data_ends
        if ended:
            try:
                self._end(stream_id, request)
            except StreamFailure as failure:
                self.cut(failure)
                return
        self.events.append(Body(stream_id, piece, ended))

    def _end(self, stream_id: int, request: _Request) -> None:
        """Section 8.1.1: a body is as long as its request said."""
        request.ended = True
        if request.promised is not None and request.promised != request.received:
            raise StreamFailure(stream_id, Error.PROTOCOL_ERROR)
