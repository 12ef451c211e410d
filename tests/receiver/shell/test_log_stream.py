"""`GET /api/logs/stream` over real connections, on a real store: what who follows hears, however it comes and goes."""

import asyncio
import contextlib

import aiohttp

from kept_logs import HOUR, Store
from log_listener import NOW, PATIENCE, QUIET, Server, follow, get, numbered, serve


async def test_following() -> None:
    """A follower misses a record, gets one that it did not ask for, or those of before it came."""
    store = Store()
    store.write(numbered(1, status=500))
    async with serve(store, heartbeat=QUIET) as server, follow(server, "?status=5xx") as events:
        for kept in (numbered(2, status=500), numbered(3, status=404), numbered(4, 5, status=503, path="/é\n")):
            await asyncio.to_thread(store.write, kept)
        assert [("message", one) for one in numbered(2, status=500)] == [await events.next()]
        expected = [("message", one) for one in numbered(4, 5, status=503, path="/é\n")]
        assert expected == [await events.next(), await events.next()]


async def test_continuing() -> None:
    """A follower whose connection breaks misses what came meanwhile, or gets something twice."""
    store = Store()
    shown: list[int] = []
    last = ""
    async with serve(store, heartbeat=QUIET) as server:
        for first in range(0, 9000, 3000):
            async with follow(server, "?gateway=default/gateway", last) as events:
                await asyncio.to_thread(store.write, numbered(*range(first, first + 1500)))
                shown += await events.numbers(1000)
                last = events.last
            # More than is held in memory, so that the rest comes from the database.
            await asyncio.to_thread(store.write, numbered(*range(first + 1500, first + 3000)))
        async with follow(server, last=last) as events:
            shown += await events.numbers(9000 - len(shown))
            await asyncio.to_thread(store.write, numbered(9000))
            shown += await events.numbers(1)
    assert list(range(9001)) == shown


async def test_following_after_a_page() -> None:
    """Between a page and the stream behind it, or after a broken connection, a record gets lost or comes twice."""
    store = Store()
    count = 3000

    def write() -> None:
        for first in range(0, count, 20):
            store.write(numbered(*range(first, first + 20)))

    async with serve(store, heartbeat=QUIET) as server:
        writing = asyncio.create_task(asyncio.to_thread(write))
        pages = 0
        while not writing.done():
            _, page, _ = await get(server, "/api/logs?limit=1000")
            shown = [int(one["request_id"]) for one in page["logs"]][::-1]
            last = ""
            while shown[-1:] != [count - 1]:
                # As a browser comes again: to the same address, with what it has seen last.
                async with follow(server, f"?after={page['newest']}", last) as events:
                    shown += await events.numbers(min(700, count - 1 - (shown or [-1])[-1]))
                    last = events.last
            assert list(range(shown[0], count)) == shown
            pages += 1
        await writing
        assert pages > 0


async def test_too_far_behind() -> None:
    """One who was away for a week is sent all of it, is not told that it was too much, or gets there again."""
    store = Store()
    store.write(numbered(*range(1, 21)))
    tag = store.sink.position().tag
    async with serve(store, heartbeat=QUIET, behind=5) as server:
        for query, last in ((f"?after={tag}-3", ""), ("", f"{tag}-3"), (f"?after={tag}-19", f"{tag}-3")):
            async with follow(server, query, last) as events:
                assert ("skipped", {"records": 12}) == await events.next()
                assert f"{tag}-15" == events.last
                assert [16, 17, 18, 19, 20] == await events.numbers(5)
        async with follow(server, f"?after={tag}-15") as events:
            assert [16, 17, 18, 19, 20] == await events.numbers(5)


async def test_writes_all_the_time() -> None:
    """Records that are written while a follower comes, or goes from the database to the newest, get lost."""
    store = Store()
    count = 4000

    def write() -> None:
        for first in range(0, count, 40):
            store.write(numbered(*range(first, first + 40)))

    async with serve(store, heartbeat=QUIET) as server:
        store.write(numbered(-1))
        begin = f"{store.sink.position().tag}-1"
        writing = asyncio.create_task(asyncio.to_thread(write))
        shown: list[int] = []
        while len(shown) < count:
            async with follow(server, last=begin) as events:
                shown += await events.numbers(min(700, count - len(shown)))
                begin = events.last
        await writing
    assert list(range(count)) == shown


async def test_slow_follower() -> None:
    """A follower that does not read for a while holds up others or the sink, or loses what it did not read."""
    store = Store()
    async with serve(store, heartbeat=QUIET) as server, follow(server) as slow, follow(server) as quick:
        for first in range(0, 5000, 500):
            kept = numbered(*range(first, first + 500), user_agent="x" * 5000)
            assert 500 == await asyncio.to_thread(store.write, kept)
            assert list(range(first, first + 500)) == await quick.numbers(500)
        assert list(range(5000)) == await slow.numbers(5000)


async def test_what_was_removed() -> None:
    """A follower that comes too late is not told that it has missed something, or how much."""
    now = [NOW]
    store = Store(clock=lambda: now[0], retention=HOUR)
    store.write(numbered(1, 2, 3))
    last = f"{store.sink.position().tag}-1"
    now[0] += HOUR + 1
    store.write(numbered(4))
    store.sink.retain()
    async with serve(store, heartbeat=QUIET) as server:
        async with follow(server, last=last) as events:
            assert ("lost", {"records": 2}) == await events.next()
            assert [4] == await events.numbers(1)
        async with follow(server, "?status=404", last) as events:
            assert ("lost", {"records": 2}) == await events.next()
            assert last.replace("-1", "-4") == events.last
        async with follow(server, last="00000000-1") as events:
            assert ("lost", {"records": None}) == await events.next()
            await asyncio.to_thread(store.write, numbered(5))
            assert [5] == await events.numbers(1)


async def test_heartbeat() -> None:
    """A quiet stream is taken for a dead one, or who comes again looks at everything again."""
    store = Store()
    async with serve(store, heartbeat=0.01) as server, follow(server, "?status=404") as events:
        tag = store.sink.position().tag
        assert f"{tag}-0" == events.last
        await asyncio.to_thread(store.write, numbered(1, 2))
        async with asyncio.timeout(PATIENCE):
            while events.last == f"{tag}-0":
                assert ("comment", "heartbeat") == await events.next()
        assert f"{tag}-2" == events.last


async def test_bounded_followers() -> None:
    """Followers take as many connections as they like, or a place stays taken when its follower has gone."""
    async with serve(Store(), followers=2, heartbeat=QUIET) as server, follow(server):
        async with follow(server):
            assert (503, {"error": "2 follow already"}, "10") == await get(server, "/api/logs/stream")
        async with asyncio.timeout(PATIENCE):
            while (await _get_status(server)) != 200:
                await asyncio.sleep(0)


async def _get_status(server: Server) -> int:
    async with aiohttp.ClientSession() as session, session.get(server.make_url("/api/logs/stream")) as response:
        return response.status


async def test_shutdown() -> None:
    """A follower, or one that takes nothing, keeps the receiver from ending."""
    store = Store()
    async with serve(store, heartbeat=QUIET) as server:
        async with follow(server) as events:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
            writer.write(b"GET /api/logs/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            await writer.drain()
            # The second takes nothing, however much there is.
            for first in range(0, 2000, 500):
                kept = numbered(*range(first, first + 500), user_agent="x" * 20_000)
                await asyncio.to_thread(store.write, kept)
                assert list(range(first, first + 500)) == await events.numbers(500)
            async with asyncio.timeout(PATIENCE):
                await server.close()
            assert b"" == await events.rest()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
