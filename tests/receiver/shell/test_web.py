"""`GET /metrics` over real connections: formats, compression, and zeros first for each scraper."""

import asyncio
import contextlib
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeVar

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

import otlp_messages as otlp
from aigw_receiver.core.store import Store
from aigw_receiver.shell import web
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.price_book import PriceBook
from otlp_messages import INTERVAL, NOW

_Result = TypeVar("_Result")
_TOTAL = "mcp_method_count_total"
_PROMETHEUS = {"User-Agent": "Prometheus/2.42.0", "X-Prometheus-Scrape-Timeout-Seconds": "10"}
_AGENT = {"User-Agent": "vm_promscrape", "X-Prometheus-Scrape-Timeout-Seconds": "10.000"}
_OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}


class _Listener:
    """A listener for the gateways' series, with its store."""

    def __init__(self, url: str, store: Store) -> None:
        self.url = url
        self.store = store
        self._intervals = 0

    def export(self, value: int, **labels: str) -> None:
        """Count `value` more in the stream of these labels."""
        self._intervals += 1
        start = NOW + self._intervals * INTERVAL
        point = otlp.number(value, labels, start=start, time=start + INTERVAL)
        self.store.export(otlp.export(otlp.counter(point)), time.time_ns())

    async def read(
        self, session: aiohttp.ClientSession, headers: Mapping[str, str] | None = None, query: str = ""
    ) -> dict[str, float]:
        """The counters that one request shows."""
        async with session.get(f"{self.url}{query}", headers=headers) as response:
            assert 200 == response.status
            return otlp.samples(await response.text(), _TOTAL)


@contextlib.asynccontextmanager
async def _client(*, keep: bool = True) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with connections of its own, like one Prometheus."""
    connector = aiohttp.TCPConnector(force_close=not keep)
    async with aiohttp.ClientSession(connector=connector, headers={"User-Agent": "curl/8.5.0"}) as session:
        yield session


def _serve(test: Callable[[_Listener], Awaitable[_Result]]) -> _Result:
    """Run a test against a listener on a free port."""

    async def run() -> _Result:
        store = Store(time.time_ns())
        ingest = Ingest(store, Telemetry(), None)
        app = web.build_app(ingest, Telemetry(), None, Costs(ingest, PriceBook(), None))
        async with TestServer(app) as server:
            return await test(_Listener(str(server.make_url("/metrics")), store))

    return asyncio.run(run())


def _total(*labels: str) -> str:
    text = ",".join(f'{label}="x"' for label in labels)
    return f"{_TOTAL}{{{text}}}" if text else _TOTAL


@pytest.mark.parametrize(
    ("headers", "content_type", "first", "last"),
    [
        ({}, "text/plain; version=0.0.4; charset=utf-8", "# HELP mcp_method_count_total ", "1.0"),
        ({"Accept": "*/*"}, "text/plain; version=0.0.4; charset=utf-8", "# HELP mcp_method_count_total ", "1.0"),
        (
            _OPENMETRICS,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "# HELP mcp_method_count ",
            "# EOF",
        ),
    ],
)
def test_content_type(headers: Mapping[str, str], content_type: str, first: str, last: str) -> None:
    """A reader gets another format than the content type says, or a part of one."""

    async def test(listener: _Listener) -> None:
        listener.export(5)
        async with _client() as session, session.get(listener.url, headers=headers) as response:
            text = await response.text()
            assert (200, content_type) == (response.status, response.headers["Content-Type"])
            assert "Accept, Accept-Encoding" == response.headers["Vary"]
            assert text.startswith(first)
            assert text.rstrip("\n").endswith(last)

    _serve(test)


@pytest.mark.parametrize(("accepted", "compressed"), [("gzip", True), ("identity", False), ("gzip;q=0", False)])
def test_gzip(accepted: str, *, compressed: bool) -> None:
    """A compressed answer says something else than a plain one."""

    async def test(listener: _Listener) -> None:
        for at in range(500):
            listener.export(at, a=str(at))
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            plain = await (await session.get(listener.url, headers={"Accept-Encoding": "identity"})).read()
            async with session.get(listener.url, headers={"Accept-Encoding": accepted}) as response:
                body = await response.read()
                assert ("gzip" if compressed else None) == response.headers.get("Content-Encoding")
        assert plain == (gzip.decompress(body) if compressed else body)
        assert compressed == (len(body) < len(plain) // 4)

    _serve(test)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/metrics", 200),
        ("GET", "/metrics/", 404),
        ("GET", "/", 404),
        ("HEAD", "/metrics", 405),
        ("POST", "/metrics", 405),
        ("GET", "/v1/metrics", 404),
    ],
)
def test_paths_and_methods(method: str, path: str, code: int) -> None:
    """A request that is no scrape is answered like one, and zeros count as shown."""

    async def test(listener: _Listener) -> None:
        url = listener.url.removesuffix("/metrics") + path
        async with _client() as session, session.request(method, url, headers=_PROMETHEUS) as response:
            assert code == response.status
        assert (1 if code == 200 else 0) == len(listener.store.scrapers.known)

    _serve(test)


def test_large_answer_is_streamed() -> None:
    """A scrape of many series is put together in memory before its first byte is sent."""

    async def test(listener: _Listener) -> None:
        points = [otlp.buckets((at, 1, 0), 1.0, {"at": str(at)}) for at in range(5000)]
        listener.store.export(otlp.export(otlp.histogram(*points)), time.time_ns())
        async with _client() as session, session.get(listener.url) as response:
            assert "chunked" == response.headers["Transfer-Encoding"]
            pieces = [piece async for piece, _ in response.content.iter_chunks()]
        assert len(pieces) > 5
        shown = otlp.samples(b"".join(pieces).decode(), "gen_ai_client_token_usage_count")
        assert {f'gen_ai_client_token_usage_count{{at="{at}"}}': at + 1.0 for at in range(5000)} == shown

    _serve(test)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (_PROMETHEUS, ""),
        (_AGENT, ""),
        ({"User-Agent": "Prometheus/3.5.0"}, ""),
        ({}, "?scraper=one"),
        ({**_PROMETHEUS, "Accept-Encoding": "gzip"}, ""),
    ],
    ids=["prometheus", "agent", "user agent", "query", "gzip"],
)
def test_zero_first(headers: Mapping[str, str], query: str) -> None:
    """A scraper sees a new stream at its value first, and Prometheus loses what it had counted by then."""

    async def test(listener: _Listener) -> None:
        async with _client() as scraper, _client() as reader:
            listener.export(5)
            assert {_TOTAL: 5.0} == await listener.read(reader)
            assert {_TOTAL: 0.0} == await listener.read(scraper, headers, query)
            assert {_TOTAL: 5.0} == await listener.read(scraper, headers, query)
            listener.export(2)
            listener.export(7, a="x")
            assert {_TOTAL: 7.0, _total("a"): 7.0} == await listener.read(reader)
            assert {_TOTAL: 7.0, _total("a"): 0.0} == await listener.read(scraper, headers, query)
            listener.export(1, a="x")
            assert {_TOTAL: 7.0, _total("a"): 8.0} == await listener.read(scraper, headers, query)

    _serve(test)


def test_two_scrapers_of_one_address() -> None:
    """The zeros of one Prometheus are taken for those of another on the same machine."""

    async def test(listener: _Listener) -> None:
        async with _client() as one, _client() as two:
            for session in (one, two):
                assert {} == await listener.read(session, _PROMETHEUS)
            listener.export(5)
            values = [await listener.read(session, _PROMETHEUS) for session in (one, one, two, two, one, two)]
            assert [0.0, 0.0, 0.0, 5.0, 5.0, 5.0] == [value[_TOTAL] for value in values]
        assert 2 == len(listener.store.scrapers.known)

    _serve(test)


def test_named_scraper_that_opens_a_connection_each_time() -> None:
    """A scraper without keep-alive that names itself is shown zeros again and again."""

    async def test(listener: _Listener) -> None:
        listener.export(5)
        async with _client(keep=False) as session:
            values = [await listener.read(session, _PROMETHEUS, "?scraper=one") for _ in range(4)]
        assert [{_TOTAL: 0.0}, {_TOTAL: 5.0}, {_TOTAL: 5.0}, {_TOTAL: 5.0}] == values
        assert 1 == len(listener.store.scrapers.known)

    _serve(test)


def test_scraper_that_opens_a_connection_each_time() -> None:
    """A Prometheus whose connection was closed is a new one, and is shown zeros for what it has seen at a value."""

    async def test(listener: _Listener) -> None:
        listener.export(5)
        async with _client(keep=False) as session:
            values = []
            for _ in range(4):
                values.append(await listener.read(session, _PROMETHEUS))
                await asyncio.sleep(0.05)  # until the server has seen the end of the connection
        assert [{_TOTAL: 0.0}, {_TOTAL: 5.0}, {_TOTAL: 5.0}, {_TOTAL: 5.0}] == values
        assert 1 == len(listener.store.scrapers.known)

    _serve(test)


def test_scrape_that_breaks_off_counts_for_nothing() -> None:
    """A scrape of which only the head arrived counts as seen, and the zeros were shown to nobody."""

    async def test(listener: _Listener) -> None:
        points = [otlp.buckets((1, 0, 0), 1.0, {"at": str(at), "long": "x" * 200}) for at in range(5000)]
        listener.export(5)
        listener.store.export(otlp.export(otlp.histogram(*points)), time.time_ns())
        host, port = listener.url.removeprefix("http://").removesuffix("/metrics").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nUser-Agent: Prometheus/2.42.0\r\n\r\n")
        assert b"HTTP/1.1 200 OK\r\n" == await reader.readline()
        writer.transport.abort()
        await asyncio.sleep(0.2)
        scraper = listener.store.scrapers.known[0]
        assert (0, 0) == (scraper.scrapes, scraper.seen)
        async with _client() as session:
            assert {_TOTAL: 0.0} == await listener.read(session, {"User-Agent": "Prometheus/2.42.0"})

    _serve(test)


def test_two_scrapes_at_one_time() -> None:
    """Two scrapes that overlap see each other's zeros as their own."""

    async def test(listener: _Listener) -> None:
        listener.export(5)
        async with _client() as one, _client() as two:
            values = await asyncio.gather(listener.read(one, _PROMETHEUS), listener.read(two, _PROMETHEUS))
            assert [{_TOTAL: 0.0}, {_TOTAL: 0.0}] == list(values)
            assert {_TOTAL: 5.0} == await listener.read(one, _PROMETHEUS)

    _serve(test)
