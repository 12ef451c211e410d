"""A listener with the API of kept access logs on a real store, and a follower of it, event by event."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
from aiohttp import web

from aigw_receiver.shell import log_api
from kept_logs import SECOND, Record, Store, record

NOW: Final = 1_795_000_000 * SECOND
PATIENCE: Final = 30.0
QUIET: Final = 1000.0
"""seconds without a heartbeat"""


class Server:
    """A listener as the receiver opens it, which does not end a request by itself when its client goes away."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2 * PATIENCE)
        self.port = 0

    async def open(self) -> None:
        """Begin."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """End."""
        await self._runner.cleanup()

    def make_url(self, path: str) -> str:
        """Where a path is."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextlib.asynccontextmanager
async def serve(store: Store | None, **options: Any) -> AsyncIterator[Server]:
    """The API on this store, which is closed with it; None: the store is off."""
    app = web.Application()
    log_api.add_routes(app, None if store is None else store.sink, **options)
    server = Server(app)
    await server.open()
    try:
        yield server
    finally:
        await server.close()
        if store is not None:
            await asyncio.to_thread(store.sink.close)


async def get(server: Server, path: str) -> tuple[int, Any, str | None]:
    """Status, JSON, and when to come again."""
    async with aiohttp.ClientSession() as session, session.get(server.make_url(path)) as response:
        return response.status, await response.json(), response.headers.get("Retry-After")


class Events:
    """What a follower hears, event by event."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.last = ""
        """the id that it would come again with"""

    async def next(self) -> tuple[str, Any]:
        """The name and the data of the next event; of a heartbeat the comment."""
        fields = {"event": "message"}
        async with asyncio.timeout(PATIENCE):
            while text := (await self._response.content.readline()).decode().rstrip("\n"):
                name, _, value = text.partition(": ")
                fields[name] = value
        self.last = fields.get("id", self.last)
        if "data" in fields:
            return fields["event"], json.loads(fields["data"])
        return "comment", fields.get("")

    async def rest(self) -> bytes:
        """All that comes before the answer ends in order."""
        async with asyncio.timeout(PATIENCE):
            return await self._response.content.read()

    async def numbers(self, count: int) -> list[int]:
        """The numbers of the next records, whatever heartbeats come between."""
        found: list[int] = []
        while len(found) < count:
            name, data = await self.next()
            if name != "comment":
                assert "message" == name
                found.append(int(data["request_id"]))
        return found


@contextlib.asynccontextmanager
async def follow(server: Server, query: str = "", last: str = "") -> AsyncIterator[Events]:
    """What one hears who follows; `last` is the id that it comes again with."""
    headers = {"Last-Event-ID": last} if last else {}
    # A line of a large record is longer than what the client expects.
    async with (
        aiohttp.ClientSession(read_bufsize=1 << 20) as session,
        session.get(server.make_url(f"/api/logs/stream{query}"), headers=headers) as response,
    ):
        assert (200, "text/event-stream") == (response.status, response.headers["Content-Type"])
        assert "no-store" == response.headers["Cache-Control"]
        events = Events(response)
        assert ("comment", "heartbeat") == await events.next()
        yield events


def numbered(*numbers: int, **values: Any) -> list[Record]:
    """Records with these numbers as their ids and times."""
    return [record(NOW + number, request_id=str(number), **values) for number in numbers]
