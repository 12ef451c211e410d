"""Followers of kept access logs, as server-sent events (the HTML standard, section 9.2).

A follower has a position, and gets what comes after it: the newest records from memory, where it is matched without the
database; what it has missed from the store. So a slow one holds up nobody, and loses nothing that the store still has;
of what the store has no longer, and of what is too much where it comes from far behind, it is told how much that was.
"""

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp import web

from aigw_receiver.core.access_logs import search as core
from aigw_receiver.core.access_logs.search import Position, Search
from aigw_receiver.shell.sinks.store import Batch, Stored, StoreSink, Unavailable
from aigw_receiver.shell.sinks.store_file import TooLong
from aigw_receiver.shell.sinks.store_reading import Piece

# The newest records that are in memory.
_RECENT: Final = 2000
_RECENT_BYTES: Final = 4 << 20

MOST_BEHIND: Final = 10_000
"""records of any kind that one who comes with a position may have missed; the older of them are left to a search"""

# A follower that takes nothing for this long is cut off; it can come again with its last position.
_STUCK: Final = 60.0  # seconds

# Before what failed is tried again.
_AGAIN: Final = 1.0  # seconds


class Feed:
    """The newest records, and whoever waits for more. All of it belongs to the event loop."""

    def __init__(self, store: StoreSink, threads: ThreadPoolExecutor) -> None:
        """`threads` read what followers have missed."""
        self._store = store
        self._threads = threads
        self._tag = ""
        self._recent: collections.deque[Stored] = collections.deque()
        self._bytes = 0
        self._followers: set[Follower] = set()
        self.is_ended = False
        self.changed = asyncio.Event()
        """set once there is more than there was when it was got"""

    @property
    def followers(self) -> int:
        """How many follow."""
        return sum(not follower.has_gone for follower in self._followers)

    def begin(self) -> None:
        """Listen to the store."""
        loop = asyncio.get_running_loop()

        def publish(batch: Batch) -> None:
            # The loop may have closed meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self.publish, batch)

        self._store.listen(publish)

    def publish(self, batch: Batch) -> None:
        """Take in what was written."""
        recent = self._recent
        if batch.tag != self._tag or (recent and recent[-1].id + 1 != batch.records[0].id):
            recent.clear()
            self._tag, self._bytes = batch.tag, 0
        recent.extend(batch.records)
        self._bytes += sum(len(record.line) for record in batch.records)
        while len(recent) > _RECENT or (self._bytes > _RECENT_BYTES and len(recent) > 1):
            self._bytes -= len(recent.popleft().line)
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    @contextlib.contextmanager
    def join(self, follower: "Follower") -> Iterator[None]:
        """Be one of the followers."""
        # Those who have gone away notice it when they are woken, and not before.
        self._wake()
        self._followers.add(follower)
        try:
            yield
        finally:
            self._followers.remove(follower)

    def end(self) -> None:
        """Send all followers away."""
        self._store.listen(None)
        self.is_ended = True
        self._wake()
        for follower in self._followers:
            follower.cut_off()

    async def position(self) -> Position:
        """Where the newest record is. Raises Unavailable or TooLong."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._store.position)

    async def read_after(self, wanted: Search, after: Position) -> Piece:
        """What comes next. Raises Unavailable or TooLong."""
        recent = self._recent
        if recent and after.tag == self._tag and recent[0].id - 1 <= after.id:
            news = itertools.islice(recent, after.id + 1 - recent[0].id, None)
            lines = tuple((record.id, record.line) for record in news if core.matches(wanted, record.fields))
            return Piece(lines, Position(after.tag, max(after.id, recent[-1].id)))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._store.read_after, wanted, after)


class Follower:
    """One that follows, from a position on."""

    def __init__(self, feed: Feed, request: web.Request, wanted: Search, heartbeat: float, behind: int) -> None:
        """`heartbeat` is how long it hears nothing, in seconds; `behind` how many records it may be behind at first."""
        self._feed = feed
        self._request = request
        self._wanted = wanted
        self._heartbeat = heartbeat
        self._behind = behind
        self._position = Position("", 0)
        self._is_sending = False
        self._due = 0.0

    @property
    def has_gone(self) -> bool:
        """Whether nobody is at the other end."""
        transport = self._request.transport
        return transport is None or transport.is_closing()

    def cut_off(self) -> None:
        """Do not wait any longer for it to take what is being sent."""
        if self._is_sending and self._request.transport is not None:
            self._request.transport.abort()

    async def answer(self, after: Position | None) -> web.StreamResponse:
        """Send what comes until the feed ends, or the follower goes away. Without a position, what comes from now on.

        Raises Unavailable or TooLong where there is nothing to follow; nothing was answered then.
        """
        # A proxy that buffers would hold events back.
        headers = {"Cache-Control": "no-store", "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        with self._feed.join(self):
            self._position = after or await self._feed.position()
            await response.prepare(self._request)
            with contextlib.suppress(ConnectionError):
                await self._follow(response)
        return response

    async def _follow(self, response: web.StreamResponse) -> None:
        loop = asyncio.get_running_loop()
        is_first = True
        while not self._feed.is_ended and not self.has_gone:
            if loop.time() >= self._due:
                await self._send(response, _beat(self._position))
            changed = self._feed.changed
            try:
                if is_first:
                    await self._skip_to_near(response)
                piece = await self._feed.read_after(self._wanted, self._position)
            except (Unavailable, TooLong):
                await self._wait(changed, loop.time() + _AGAIN)
                continue
            if piece.lost is None and not is_first:
                # The store was begun anew, and nothing of it was seen.
                piece = dataclasses.replace(piece, position=Position(piece.position.tag, 0))
            is_first = False
            if events := _events(piece):
                await self._send(response, events)
            is_end = piece.position == self._position
            self._position = piece.position
            if is_end:
                await self._wait(changed, self._due)

    async def _skip_to_near(self, response: web.StreamResponse) -> None:
        """Begin nearer to the newest record, and say so, where it is too far. Raises Unavailable or TooLong."""
        self._position, skipped = core.catch_up(self._position, await self._feed.position(), self._behind)
        if skipped:
            await self._send(response, _event("skipped", {"records": skipped}, self._position))

    async def _send(self, response: web.StreamResponse, data: bytes) -> None:
        """Send, which takes as long as the follower does. Raises ConnectionError where it takes nothing."""
        self._is_sending = True
        try:
            async with asyncio.timeout(_STUCK):
                await response.write(data)
        except TimeoutError:
            self.cut_off()
            raise ConnectionAbortedError from None
        finally:
            self._is_sending = False
        self._due = asyncio.get_running_loop().time() + self._heartbeat

    async def _wait(self, changed: asyncio.Event, until: float) -> None:
        """Wait for news, but not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await changed.wait()


def _beat(position: Position) -> bytes:
    """A comment, and how far was looked: whoever comes again need not look there again."""
    return f": heartbeat\nid: {core.encode_position(position)}\n\n".encode()


def _event(name: str, data: dict[str, int | None], position: Position | None) -> bytes:
    """An event that is no record, and from where on to come again after it."""
    place = "" if position is None else f"id: {core.encode_position(position)}\n"
    return f"{place}event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def _events(piece: Piece) -> bytes:
    """The events of a piece. JSON on one line has no line feed in it."""
    events = []
    if piece.lost != 0:
        # The id belongs to what comes last.
        events.append(_event("lost", {"records": piece.lost}, None if piece.lines else piece.position))
    for number, line in piece.lines:
        place = core.encode_position(Position(piece.position.tag, number))
        events.append(b"id: %b\ndata: %b\n\n" % (place.encode(), line))
    return b"".join(events)
