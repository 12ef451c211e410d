"""The listener of the gateways' series: `GET /metrics`, streamed. What is shown to whom is decided in the core.

The JSON API that the same listener offers is in `api.py`.
"""

import asyncio
import itertools
import time
import zlib
from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web

from aigw_receiver.core import exposition, negotiate, scrapers
from aigw_receiver.core.scrapers import Scraper
from aigw_receiver.shell import api
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.journal import Journal
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.reconcile import Reconcile

# Level 1 costs a third of level 6 and saves nearly as much of this text; 16 + 15 is the format of gzip.
_GZIP_LEVEL: Final = 1
_GZIP: Final = 31


class _Connections:
    """Numbers the connections of scrapers, and tells which of them have closed."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._last = 0

    def number(self, request: web.Request) -> int:
        """The number of the connection that a request came by."""
        number = self._numbers.get(request.protocol)
        if number is None:
            self._last += 1
            number = self._numbers[request.protocol] = self._last
        return number

    def take_closed(self) -> list[int]:
        """The connections that have closed since this was last asked."""
        closed = {protocol: number for protocol, number in self._numbers.items() if _is_closed(protocol)}
        for protocol in closed:
            del self._numbers[protocol]
        return list(closed.values())


def _is_closed(protocol: Any) -> bool:
    return protocol.transport is None or bool(protocol.transport.is_closing())


class _Exposition:
    """Answers scrapes."""

    def __init__(
        self, ingest: Ingest, telemetry: Telemetry, journal: Journal | None, costs: Costs, reconcile: Reconcile
    ) -> None:
        self._ingest = ingest
        self._costs = costs
        self._reconcile = reconcile
        self._telemetry = telemetry
        self._journal = journal
        self._connections = _Connections()

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """One scrape: choose the format, open the answer, send it piece by piece, note that it arrived."""
        began, now = time.perf_counter(), time.time_ns()
        text_format = negotiate.choose_format(request.headers.get("Accept", ""))
        compress = negotiate.accepts_gzip(request.headers.get("Accept-Encoding", ""))
        scraper, mark, newest = self._begin(request, now)
        response = web.StreamResponse(
            headers={"Content-Type": text_format.content_type, "Vary": "Accept, Accept-Encoding"}
        )
        if compress:
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        logs = self._ingest.logs.render(text_format, mark)
        costs = self._costs.render(text_format, to_scraper=mark is not None)
        more = itertools.chain(logs, costs, self._reconcile.render(text_format))
        pieces = self._pieces(exposition.render(self._ingest.store, text_format, mark, more))
        for piece in _gzip(pieces) if compress else pieces:
            await response.write(piece)
            await asyncio.sleep(0)  # a scrape of many series must not keep exports waiting
        await response.write_eof()
        if scraper is not None and mark is not None:
            self._complete(scraper, mark, newest, now)
        self._telemetry.count_scrape(time.perf_counter() - began)
        return response

    def _begin(self, request: web.Request, now: int) -> tuple[Scraper | None, int | None, int]:
        """Who asks; up to which birth streams are shown at their value (None: all of them); the newest birth."""
        name = scrapers.scraper_name(request.headers, request.query, request.remote or "")
        with self._ingest.lock:
            store = self._ingest.store
            self._costs.observe(now)
            self._ingest.logs.settle(now)
            self._ingest.logs.publish(now)
            if name is None:
                return None, None, store.census.newest
            for connection in self._connections.take_closed():
                store.scrapers.close(connection, now)
            scraper = store.scrapers.begin(name, self._connections.number(request), now)
            if store.scrapers.open(now) and self._journal is not None:
                self._journal.append_opening(store.scrapers.opened, now)
            self._costs.open(now)
            return scraper, store.scrapers.opened, store.census.newest

    def _complete(self, scraper: Scraper, mark: int, newest: int, now: int) -> None:
        with self._ingest.lock:
            self._ingest.store.scrapers.complete(scraper, mark, newest, now)
            if self._journal is not None:
                self._journal.append_scrape(scraper, mark, newest, now)

    def _pieces(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The same pieces, each made under the lock, which exports get in between."""
        while True:
            with self._ingest.lock:
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP)
    for piece in pieces:
        if compressed := compressor.compress(piece):
            yield compressed
    yield compressor.flush()


def build_app(
    ingest: Ingest, telemetry: Telemetry, journal: Journal | None, costs: Costs, reconcile: Reconcile | None = None
) -> web.Application:
    """The application of the listener for the gateways' series and the API.

    `reconcile` is told to observe by whoever made it; without one nothing is compared.
    """
    reconcile = reconcile or Reconcile(ingest)
    app = web.Application()
    exposition = _Exposition(ingest, telemetry, journal, costs, reconcile)
    app.router.add_get("/metrics", exposition.metrics, allow_head=False)
    api.add_routes(app, ingest, reconcile)
    return app
