"""`GET /api/logs` and `GET /api/logs/stream` over real connections, on a real store."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aigw_receiver.core.access_logs.search import Search
from aigw_receiver.shell import log_api
from aigw_receiver.shell.sinks import store_file
from aigw_receiver.shell.sinks.store import StoreSink
from aigw_receiver.shell.sinks.store_reading import Page
from kept_logs import HOUR, SECOND, Record, Store, line, record

_NOW = 1_795_000_000 * SECOND
_PATIENCE = 30.0
_QUIET = 1000.0  # seconds without a heartbeat


class _Server:
    """A listener as the receiver opens it, which does not end a request by itself when its client goes away."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2 * _PATIENCE)
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
async def _serve(store: Store | None, **options: Any) -> AsyncIterator[_Server]:
    app = web.Application()
    log_api.add_routes(app, None if store is None else store.sink, **options)
    server = _Server(app)
    await server.open()
    try:
        yield server
    finally:
        await server.close()
        if store is not None:
            await asyncio.to_thread(store.sink.close)


async def _get(server: _Server, path: str) -> tuple[int, Any, str | None]:
    """Status, JSON, and when to come again."""
    async with aiohttp.ClientSession() as session, session.get(server.make_url(path)) as response:
        return response.status, await response.json(), response.headers.get("Retry-After")


class _Events:
    """What a follower hears, event by event."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.last = ""
        """the id that it would come again with"""

    async def next(self) -> tuple[str, Any]:
        """The name and the data of the next event; of a heartbeat the comment."""
        fields = {"event": "message"}
        async with asyncio.timeout(_PATIENCE):
            while text := (await self._response.content.readline()).decode().rstrip("\n"):
                name, _, value = text.partition(": ")
                fields[name] = value
        self.last = fields.get("id", self.last)
        if "data" in fields:
            return fields["event"], json.loads(fields["data"])
        return "comment", fields.get("")

    async def rest(self) -> bytes:
        """All that comes before the answer ends in order."""
        async with asyncio.timeout(_PATIENCE):
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
async def _follow(server: _Server, query: str = "", last: str = "") -> AsyncIterator[_Events]:
    headers = {"Last-Event-ID": last} if last else {}
    # A line of a large record is longer than what the client expects.
    async with (
        aiohttp.ClientSession(read_bufsize=1 << 20) as session,
        session.get(server.make_url(f"/api/logs/stream{query}"), headers=headers) as response,
    ):
        assert (200, "text/event-stream") == (response.status, response.headers["Content-Type"])
        assert "no-store" == response.headers["Cache-Control"]
        events = _Events(response)
        assert ("comment", "heartbeat") == await events.next()
        yield events


def _numbered(*numbers: int, **values: Any) -> list[Record]:
    return [record(_NOW + number, request_id=str(number), **values) for number in numbers]


async def test_pages() -> None:
    """An answer has other records than were kept, or the next page is elsewhere."""
    store = Store()
    records = _numbered(1, 2, 3, path="/é", status=404)
    store.write([*records, record(_NOW, status=200)])
    async with _serve(store) as server:
        status, first, _ = await _get(server, "/api/logs?status=4xx&limit=2")
        assert (200, {"logs", "next"}) == (status, set(first))
        assert [records[2], records[1]] == first["logs"]
        _, second, _ = await _get(server, f"/api/logs?status=4xx&limit=2&cursor={first['next']}")
        assert {"logs": [records[0]], "next": None} == second
        assert (200, {"logs": [], "next": None}, None) == await _get(server, "/api/logs?text=nowhere")
        async with (
            aiohttp.ClientSession() as session,
            session.get(server.make_url("/api/logs?text=%C3%89")) as response,
        ):
            assert "application/json; charset=utf-8" == response.headers["Content-Type"]
            assert "no-store" == response.headers["Cache-Control"]
            lines = b",".join(line(one).strip() for one in reversed(records))
            assert b'{"logs":[' + lines + b'],"next":null}' == await response.read()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("/api/logs?modle=x", "modle: unknown parameter; expected one of gateway, "),
        ("/api/logs?limit=0", "limit: expected a number from 1 to 1000, got '0'"),
        (
            "/api/logs?from=%00",
            "from: expected a time such as 2026-01-31T12:00:00Z, or one ago such as -1h, got '\\x00'",
        ),
        ("/api/logs?gateway=%FF", "gateway: expected NAMESPACE/NAME, got "),
        ("/api/logs/stream?limit=1", "limit: unknown parameter; expected one of gateway, "),
        ("/api/logs/stream?status=x", "status: expected a list of 404, 4xx, 500-503 or none, got 'x'"),
    ],
)
async def test_wrong_parameters(query: str, message: str) -> None:
    """Somebody who asks wrongly is not told what was wrong, or is answered as if nothing was."""
    async with _serve(Store()) as server:
        status, body, retry = await _get(server, query)
        assert (400, ["error"], None) == (status, list(body), retry)
        assert message == body["error"][: len(message)]


async def test_wrong_position() -> None:
    """A follower that comes with an id that is none gets records from somewhere."""
    async with _serve(Store()) as server, aiohttp.ClientSession() as session:
        url = server.make_url("/api/logs/stream")
        async with session.get(url, headers={"Last-Event-ID": "17"}) as response:
            expected = {"error": "Last-Event-ID: expected the id of an event, got '17'"}
            assert (400, expected) == (response.status, await response.json())


@pytest.mark.parametrize("path", ["/api/logs", "/api/logs/stream"])
async def test_methods_and_a_store_that_is_off(path: str) -> None:
    """A method that the API does not have is answered, or nobody is told that nothing is stored."""
    async with _serve(Store()) as server, aiohttp.ClientSession() as session:
        for method in ("POST", "HEAD"):
            async with session.request(method, server.make_url(path)) as response:
                assert 405 == response.status
    async with _serve(None) as server:
        expected = {"error": "kept access logs are not stored here: access_logs.store.enabled is false"}
        assert (404, expected, None) == await _get(server, path)


async def test_a_search_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search runs for as long as it likes, or its end looks like a fault of ours."""
    monkeypatch.setattr(store_file, "LOOK", 1000)
    store = Store(patience=0)
    store.write([record(_NOW)] * 1000)
    async with _serve(store) as server:
        message = "the search took longer than 0 s; narrow it with from, to or gateway"
        assert (503, {"error": message}, "1") == await _get(server, "/api/logs?text=nowhere")


async def test_too_many_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches wait without end for others, or those that are answered again are refused."""
    begun, released = threading.Semaphore(0), threading.Event()

    def search(_: StoreSink, __: Search) -> Page:
        begun.release()
        assert released.wait(_PATIENCE)
        return Page((), None)

    monkeypatch.setattr(StoreSink, "search", search)
    async with _serve(Store()) as server:
        waiting = [asyncio.create_task(_get(server, "/api/logs")) for _ in range(18)]
        for _ in range(2):
            assert await asyncio.to_thread(begun.acquire, timeout=_PATIENCE)
        late = [asyncio.create_task(_get(server, "/api/logs")) for _ in range(18)]
        # Which of them came first is the network's choice.
        done, _ = await asyncio.wait([*waiting, *late], return_when=asyncio.FIRST_COMPLETED)
        assert (503, {"error": "too many searches at a time"}, "1") == done.pop().result()
        released.set()
        answers = await asyncio.gather(*waiting, *late)
        assert {200, 503} == {status for status, _, _ in answers}
        assert 200 == (await _get(server, "/api/logs"))[0]


async def test_following() -> None:
    """A follower misses a record, gets one that it did not ask for, or those of before it came."""
    store = Store()
    store.write(_numbered(1, status=500))
    async with _serve(store, heartbeat=_QUIET) as server, _follow(server, "?status=5xx") as events:
        for kept in (_numbered(2, status=500), _numbered(3, status=404), _numbered(4, 5, status=503, path="/é\n")):
            await asyncio.to_thread(store.write, kept)
        assert [("message", one) for one in _numbered(2, status=500)] == [await events.next()]
        expected = [("message", one) for one in _numbered(4, 5, status=503, path="/é\n")]
        assert expected == [await events.next(), await events.next()]


async def test_continuing() -> None:
    """A follower whose connection breaks misses what came meanwhile, or gets something twice."""
    store = Store()
    shown: list[int] = []
    last = ""
    async with _serve(store, heartbeat=_QUIET) as server:
        for first in range(0, 9000, 3000):
            async with _follow(server, "?gateway=default/gateway", last) as events:
                await asyncio.to_thread(store.write, _numbered(*range(first, first + 1500)))
                shown += await events.numbers(1000)
                last = events.last
            # More than is held in memory, so that the rest comes from the database.
            await asyncio.to_thread(store.write, _numbered(*range(first + 1500, first + 3000)))
        async with _follow(server, last=last) as events:
            shown += await events.numbers(9000 - len(shown))
            await asyncio.to_thread(store.write, _numbered(9000))
            shown += await events.numbers(1)
    assert list(range(9001)) == shown


async def test_writes_all_the_time() -> None:
    """Records that are written while a follower comes, or goes from the database to the newest, get lost."""
    store = Store()
    count = 4000

    def write() -> None:
        for first in range(0, count, 40):
            store.write(_numbered(*range(first, first + 40)))

    async with _serve(store, heartbeat=_QUIET) as server:
        store.write(_numbered(-1))
        begin = f"{store.sink.position().tag}-1"
        writing = asyncio.create_task(asyncio.to_thread(write))
        shown: list[int] = []
        while len(shown) < count:
            async with _follow(server, last=begin) as events:
                shown += await events.numbers(min(700, count - len(shown)))
                begin = events.last
        await writing
    assert list(range(count)) == shown


async def test_slow_follower() -> None:
    """A follower that does not read for a while holds up others or the sink, or loses what it did not read."""
    store = Store()
    async with _serve(store, heartbeat=_QUIET) as server, _follow(server) as slow, _follow(server) as quick:
        for first in range(0, 5000, 500):
            kept = _numbered(*range(first, first + 500), user_agent="x" * 5000)
            assert 500 == await asyncio.to_thread(store.write, kept)
            assert list(range(first, first + 500)) == await quick.numbers(500)
        assert list(range(5000)) == await slow.numbers(5000)


async def test_what_was_removed() -> None:
    """A follower that comes too late is not told that it has missed something, or how much."""
    now = [_NOW]
    store = Store(clock=lambda: now[0], retention=HOUR)
    store.write(_numbered(1, 2, 3))
    last = f"{store.sink.position().tag}-1"
    now[0] += HOUR + 1
    store.write(_numbered(4))
    store.sink.retain()
    async with _serve(store, heartbeat=_QUIET) as server:
        async with _follow(server, last=last) as events:
            assert ("lost", {"records": 2}) == await events.next()
            assert [4] == await events.numbers(1)
        async with _follow(server, "?status=404", last) as events:
            assert ("lost", {"records": 2}) == await events.next()
            assert last.replace("-1", "-4") == events.last
        async with _follow(server, last="00000000-1") as events:
            assert ("lost", {"records": None}) == await events.next()
            await asyncio.to_thread(store.write, _numbered(5))
            assert [5] == await events.numbers(1)


async def test_heartbeat() -> None:
    """A quiet stream is taken for a dead one, or who comes again looks at everything again."""
    store = Store()
    async with _serve(store, heartbeat=0.01) as server, _follow(server, "?status=404") as events:
        tag = store.sink.position().tag
        assert f"{tag}-0" == events.last
        await asyncio.to_thread(store.write, _numbered(1, 2))
        async with asyncio.timeout(_PATIENCE):
            while events.last == f"{tag}-0":
                assert ("comment", "heartbeat") == await events.next()
        assert f"{tag}-2" == events.last


async def test_bounded_followers() -> None:
    """Followers take as many connections as they like, or a place stays taken when its follower has gone."""
    async with _serve(Store(), followers=2, heartbeat=_QUIET) as server, _follow(server):
        async with _follow(server):
            assert (503, {"error": "2 follow already"}, "10") == await _get(server, "/api/logs/stream")
        async with asyncio.timeout(_PATIENCE):
            while (await _get_status(server)) != 200:
                await asyncio.sleep(0)


async def _get_status(server: _Server) -> int:
    async with aiohttp.ClientSession() as session, session.get(server.make_url("/api/logs/stream")) as response:
        return response.status


async def test_shutdown() -> None:
    """A follower, or one that takes nothing, keeps the receiver from ending."""
    store = Store()
    async with _serve(store, heartbeat=_QUIET) as server:
        async with _follow(server) as events:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
            writer.write(b"GET /api/logs/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            await writer.drain()
            # The second takes nothing, however much there is.
            for first in range(0, 2000, 500):
                kept = _numbered(*range(first, first + 500), user_agent="x" * 20_000)
                await asyncio.to_thread(store.write, kept)
                assert list(range(first, first + 500)) == await events.numbers(500)
            async with asyncio.timeout(_PATIENCE):
                await server.close()
            assert b"" == await events.rest()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
