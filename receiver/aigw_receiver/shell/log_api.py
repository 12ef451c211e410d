"""The API of kept access logs: `GET /api/logs` searches them, `GET /api/logs/ID` is one of them, and
`GET /api/logs/stream` follows them live.

What parameters mean and what matches is decided in the core. Searches run in threads of their own, so that none of them
holds up exports or scrapes.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias, TypeVar

from aiohttp import web

from aigw_receiver.core.access_logs import search, search_parameters
from aigw_receiver.core.access_logs.search import Position, SearchError
from aigw_receiver.shell import json_answer
from aigw_receiver.shell.log_feed import MOST_BEHIND, Feed, Follower
from aigw_receiver.shell.sinks.store import StoreSink, Unavailable
from aigw_receiver.shell.sinks.store_file import TooLong
from aigw_receiver.shell.sinks.store_reading import Page

# Of which each keeps a processor busy as long as a search takes.
_THREADS: Final = 2

# Searches that wait for them; who comes later is told to come again.
_WAITING: Final = 16

# Followers at a time; each has a connection.
MOST_FOLLOWERS: Final = 50

_RETRY: Final = "1"  # seconds
_RETRY_FOLLOWING: Final = "10"  # seconds

_Answer = TypeVar("_Answer")

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_OFF: Final = "kept access logs are not stored here: access_logs.store.enabled is false"
_GONE: Final = "no record of this id is here: it was removed since, or another receiver has it"


class _Api:
    """Answers the requests of one listener."""

    def __init__(self, store: StoreSink, followers: int, heartbeat: float, behind: int) -> None:
        self._store = store
        self._followers = followers
        self._heartbeat = heartbeat
        self._behind = behind
        self._waiting = 0
        self._searches = ThreadPoolExecutor(_THREADS, "log-search")
        # What followers have missed is read apart, so that searches do not hold it up.
        self._following = ThreadPoolExecutor(1, "log-following")
        self._feed = Feed(store, self._following)

    async def begin(self, _: web.Application) -> None:
        """Listen to the store."""
        self._feed.begin()

    async def end(self, _: web.Application) -> None:
        """Send followers away, who would stay for as long as they are let."""
        self._feed.end()

    async def close(self, _: web.Application) -> None:
        """End the threads, once all requests have ended."""
        for pool in (self._searches, self._following):
            pool.shutdown(wait=False, cancel_futures=True)

    async def logs(self, request: web.Request) -> web.Response:
        """One page."""
        wanted = search_parameters.parse_search(request.query.items(), time.time_ns())
        page = await self._read(lambda: self._store.search(wanted))
        return _answer(_to_json(page))

    async def log(self, request: web.Request) -> web.Response:
        """One record."""
        search_parameters.parse_search(request.query.items(), time.time_ns(), ())
        wanted = search.decode_position("id", request.match_info["id"])
        line = await self._read(lambda: self._store.find(wanted))
        if line is None:
            return json_answer.error(404, _GONE)
        return _answer(b'{"id":"%b","log":%b}' % (search.encode_position(wanted).encode(), line))

    async def _read(self, read: Callable[[], _Answer]) -> _Answer:
        """What is read of the store, by one of few threads. Raises Unavailable or TooLong."""
        if self._waiting >= _THREADS + _WAITING:
            message = "too many searches at a time"
            raise Unavailable(message)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._searches, read)
        finally:
            self._waiting -= 1

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Records as they come, as server-sent events, until somebody ends it."""
        names = search_parameters.FOLLOWED
        wanted = search_parameters.parse_search(request.query.items(), time.time_ns(), names)
        # Who comes again says so by the header, at the address that he came to at first.
        last = request.headers.get("Last-Event-ID", "")
        after = search.decode_position("Last-Event-ID", last) if last else wanted.after
        if self._feed.followers >= self._followers:
            return json_answer.error(503, f"{self._followers} follow already", _RETRY_FOLLOWING)
        return await Follower(self._feed, request, wanted, self._heartbeat, self._behind).answer(after)


def add_routes(
    app: web.Application,
    store: StoreSink | None,
    *,
    followers: int = MOST_FOLLOWERS,
    heartbeat: float = 15.0,
    behind: int = MOST_BEHIND,
) -> None:
    """Add the paths to the application of a listener. Without a store they answer 404.

    `heartbeat` is in seconds, `behind` is how many records one who follows may be behind.
    """
    if store is None:

        async def off(_: web.Request) -> web.StreamResponse:
            return json_answer.error(404, _OFF)

        logs: _Handler = off
        stream: _Handler = off
        log: _Handler = off
    else:
        api = _Api(store, followers, heartbeat, behind)
        app.on_startup.append(api.begin)
        app.on_shutdown.append(api.end)
        app.on_cleanup.append(api.close)
        logs, stream, log = _answering(api.logs), _answering(api.stream), _answering(api.log)
    app.router.add_get("/api/logs", logs, allow_head=False)
    app.router.add_get("/api/logs/stream", stream, allow_head=False)
    app.router.add_get("/api/logs/{id}", log, allow_head=False)


def _answering(answer: _Handler) -> _Handler:
    """The same, with what goes wrong as an answer."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await answer(request)
        except SearchError as error:
            return json_answer.error(400, str(error))
        except TooLong as error:
            return json_answer.error(503, f"{error}; narrow it with from, to or gateway", _RETRY)
        except Unavailable as error:
            return json_answer.error(503, str(error), _RETRY)

    return answered


def _answer(document: bytes) -> web.Response:
    return web.Response(body=document, content_type="application/json", charset="utf-8", headers=json_answer.HEADERS)


def _to_json(page: Page) -> bytes:
    """The page as an object. The lines are JSON already."""
    lines = b",".join(line for _, line in page.lines)
    more = {
        "ids": [search.encode_position(Position(page.newest.tag, number)) for number, _ in page.lines],
        "newest": search.encode_position(page.newest),
        "next": None if page.next is None else search.encode_cursor(page.next),
    }
    return b'{"logs":[' + lines + b"]," + json.dumps(more, separators=(",", ":")).encode()[1:]
