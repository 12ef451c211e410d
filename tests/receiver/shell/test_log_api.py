"""`GET /api/logs` and `GET /api/logs/{id}` over real connections, on a real store."""

import asyncio
import threading
from typing import Any

import aiohttp
import pytest

from aigw_receiver.core.access_logs.search import Position, Search
from aigw_receiver.shell.sinks import store_file
from aigw_receiver.shell.sinks.store import StoreSink
from aigw_receiver.shell.sinks.store_reading import Page
from kept_logs import Store, line, record
from log_listener import NOW, PATIENCE, get, numbered, serve


async def test_pages() -> None:
    """An answer has other records than were kept, or the next page is elsewhere."""
    store = Store()
    records = numbered(1, 2, 3, path="/é", status=404)
    store.write([*records, record(NOW, status=200)])
    async with serve(store) as server:
        status, first, _ = await get(server, "/api/logs?status=4xx&limit=2")
        tag = store.sink.position().tag
        assert (200, ["logs", "ids", "newest", "next"]) == (status, list(first))
        expected = ([records[2], records[1]], [f"{tag}-3", f"{tag}-2"], f"{tag}-4")
        assert expected == (first["logs"], first["ids"], first["newest"])
        store.write(numbered(0, status=404))
        _, second, _ = await get(server, f"/api/logs?status=4xx&limit=2&cursor={first['next']}")
        assert {"logs": [records[0]], "ids": [f"{tag}-1"], "newest": f"{tag}-4", "next": None} == second
        nothing: dict[str, Any] = {"logs": [], "ids": [], "newest": f"{tag}-5", "next": None}
        assert (200, nothing, None) == await get(server, "/api/logs?text=nowhere")
        async with (
            aiohttp.ClientSession() as session,
            session.get(server.make_url("/api/logs?text=%C3%89")) as response,
        ):
            assert "application/json; charset=utf-8" == response.headers["Content-Type"]
            assert "no-store" == response.headers["Cache-Control"]
            lines = b",".join(line(one).strip() for one in reversed(records))
            more = f'"ids":["{tag}-3","{tag}-2","{tag}-1"],"newest":"{tag}-5","next":null'
            assert b'{"logs":[' + lines + b"]," + more.encode() + b"}" == await response.read()


async def test_one_record() -> None:
    """A link to a record leads to another one, or one that has gone looks like a fault of ours."""
    store = Store()
    kept = numbered(1, 2, path="/é")
    store.write(kept)
    gone = {"error": "no record of this id is here: it was removed since, or another receiver has it"}
    async with serve(store) as server:
        _, page, _ = await get(server, "/api/logs")
        for name, one in zip(page["ids"], page["logs"], strict=True):
            assert (200, {"id": name, "log": one}, None) == await get(server, f"/api/logs/{name}")
        for name in (page["ids"][0].replace("-2", "-3"), "00000000-1"):
            assert (404, gone, None) == await get(server, f"/api/logs/{name}")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("/api/logs?modle=x", "modle: unknown parameter; expected one of gateway, "),
        ("/api/logs?limit=0", "limit: expected a number from 1 to 1000, got '0'"),
        (
            "/api/logs?from=%00",
            "from: expected a time such as 2026-01-31T12:00:00Z, seconds since 1970, or a time ago such as -1h, got ",
        ),
        ("/api/logs?gateway=%FF", "gateway: expected NAMESPACE/NAME, got "),
        ("/api/logs/stream?limit=1", "limit: unknown parameter; expected one of gateway, "),
        ("/api/logs/stream?after=1", "after: expected the id of a record, got '1'"),
        ("/api/logs?after=0123abcd-1", "after: unknown parameter; expected one of gateway, "),
        ("/api/logs/17", "id: expected the id of a record, got '17'"),
        ("/api/logs/0123abcd-1?from=-1h", "from: unknown parameter; expected none"),
        ("/api/logs/stream?status=x", "status: expected a list of 404, 4xx, 500-503 or none, got 'x'"),
    ],
)
async def test_wrong_parameters(query: str, message: str) -> None:
    """Somebody who asks wrongly is not told what was wrong, or is answered as if nothing was."""
    async with serve(Store()) as server:
        status, body, retry = await get(server, query)
        assert (400, ["error"], None) == (status, list(body), retry)
        assert message == body["error"][: len(message)]


async def test_wrong_position() -> None:
    """A follower that comes with an id that is none gets records from somewhere."""
    async with serve(Store()) as server, aiohttp.ClientSession() as session:
        url = server.make_url("/api/logs/stream")
        async with session.get(url, headers={"Last-Event-ID": "17"}) as response:
            expected = {"error": "Last-Event-ID: expected the id of a record, got '17'"}
            assert (400, expected) == (response.status, await response.json())


@pytest.mark.parametrize("path", ["/api/logs", "/api/logs/stream", "/api/logs/0123abcd-1"])
async def test_methods_and_a_store_that_is_off(path: str) -> None:
    """A method that the API does not have is answered, or nobody is told that nothing is stored."""
    async with serve(Store()) as server, aiohttp.ClientSession() as session:
        for method in ("POST", "HEAD"):
            async with session.request(method, server.make_url(path)) as response:
                assert 405 == response.status
    async with serve(None) as server:
        expected = {"error": "kept access logs are not stored here: access_logs.store.enabled is false"}
        assert (404, expected, None) == await get(server, path)


async def test_a_search_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search runs for as long as it likes, or its end looks like a fault of ours."""
    monkeypatch.setattr(store_file, "LOOK", 1000)
    store = Store(patience=0)
    store.write([record(NOW)] * 1000)
    async with serve(store) as server:
        message = "the search took longer than 0 s; narrow it with from, to or gateway"
        assert (503, {"error": message}, "1") == await get(server, "/api/logs?text=nowhere")


async def test_too_many_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches wait without end for others, or those that are answered again are refused."""
    begun, released = threading.Semaphore(0), threading.Event()

    def search(_: StoreSink, __: Search) -> Page:
        begun.release()
        assert released.wait(PATIENCE)
        return Page((), None, Position("00000000", 0))

    monkeypatch.setattr(StoreSink, "search", search)
    async with serve(Store()) as server:
        waiting = [asyncio.create_task(get(server, "/api/logs")) for _ in range(18)]
        for _ in range(2):
            assert await asyncio.to_thread(begun.acquire, timeout=PATIENCE)
        late = [asyncio.create_task(get(server, "/api/logs")) for _ in range(18)]
        # Which of them came first is the network's choice.
        done, _ = await asyncio.wait([*waiting, *late], return_when=asyncio.FIRST_COMPLETED)
        assert (503, {"error": "too many searches at a time"}, "1") == done.pop().result()
        released.set()
        answers = await asyncio.gather(*waiting, *late)
        assert {200, 503} == {status for status, _, _ in answers}
        assert 200 == (await get(server, "/api/logs"))[0]
