"""The API of kept access logs: `GET /api/logs` searches them, `GET /api/logs/stream` follows them live.

What parameters mean and what matches is decided in the core. Searches run in threads of their own, so that none of them
holds up exports or scrapes.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias

from aiohttp import web

from aigw_receiver.core.access_logs import search, search_parameters
from aigw_receiver.core.access_logs.search import SearchError
from aigw_receiver.shell.log_feed import Feed, Follower
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

# What was true a moment ago answers no question about now.
_HEADERS: Final = {"Cache-Control": "no-store"}

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_OFF: Final = "kept access logs are not stored here: access_logs.store.enabled is false"


class _Api:
    """Answers the requests of one listener."""

    def __init__(self, store: StoreSink, followers: int, heartbeat: float) -> None:
        self._store = store
        self._followers = followers
        self._heartbeat = heartbeat
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
        if self._waiting >= _THREADS + _WAITING:
            message = "too many searches at a time"
            raise Unavailable(message)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            page = await loop.run_in_executor(self._searches, self._store.search, wanted)
        finally:
            self._waiting -= 1
        return web.Response(body=_to_json(page), content_type="application/json", charset="utf-8", headers=_HEADERS)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Records as they come, as server-sent events, until somebody ends it."""
        names = search_parameters.FOLLOWED
        wanted = search_parameters.parse_search(request.query.items(), time.time_ns(), names)
        last = request.headers.get("Last-Event-ID", "")
        after = search.decode_position(last) if last else None
        if self._feed.followers >= self._followers:
            return _error(503, f"{self._followers} follow already", _RETRY_FOLLOWING)
        return await Follower(self._feed, request, wanted, self._heartbeat).answer(after)


def add_routes(
    app: web.Application, store: StoreSink | None, *, followers: int = MOST_FOLLOWERS, heartbeat: float = 15.0
) -> None:
    """Add the paths to the application of a listener; `heartbeat` is in seconds. Without a store they answer 404."""
    if store is None:

        async def off(_: web.Request) -> web.StreamResponse:
            return _error(404, _OFF)

        logs: _Handler = off
        stream: _Handler = off
    else:
        api = _Api(store, followers, heartbeat)
        app.on_startup.append(api.begin)
        app.on_shutdown.append(api.end)
        app.on_cleanup.append(api.close)
        logs, stream = _answering(api.logs), _answering(api.stream)
    app.router.add_get("/api/logs", logs, allow_head=False)
    app.router.add_get("/api/logs/stream", stream, allow_head=False)


def _answering(answer: _Handler) -> _Handler:
    """The same, with what goes wrong as an answer."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await answer(request)
        except SearchError as error:
            return _error(400, str(error))
        except TooLong as error:
            return _error(503, f"{error}; narrow it with from, to or gateway", _RETRY)
        except Unavailable as error:
            return _error(503, str(error), _RETRY)

    return answered


def _error(status: int, message: str, retry: str = "") -> web.Response:
    headers = {**_HEADERS, "Retry-After": retry} if retry else _HEADERS
    return web.json_response({"error": message}, status=status, headers=headers)


def _to_json(page: Page) -> bytes:
    """The page as an object. The lines are JSON already."""
    cursor = None if page.next is None else search.encode_cursor(page.next)
    return b'{"logs":[' + b",".join(page.lines) + b'],"next":' + json.dumps(cursor).encode() + b"}"
