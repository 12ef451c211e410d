"""The API of the page: `GET /api/gateways`, one gateway, its series, and `GET /api/openapi.json`.

What answers say is decided in the core. Reading and counting is done in threads of its own, so that no request holds up
exports or scrapes.
"""

import asyncio
import bisect
import dataclasses
import functools
import json
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias, TypeVar

from aiohttp import web

from aigw_receiver.core import negotiate
from aigw_receiver.core.access_logs.search import SearchError
from aigw_receiver.core.gateways import documents, gains, openapi, prometheus_answers, promql, state, values, window
from aigw_receiver.core.gateways.documents import Gateway, Scene
from aigw_receiver.core.gateways.window import Chart, Steps, Window
from aigw_receiver.core.rollup.model import Cell, Totals, View
from aigw_receiver.shell import json_answer
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.prometheus_query import PrometheusError, PrometheusQuery
from aigw_receiver.shell.reconcile import Reconcile
from aigw_receiver.shell.rollup_store import RollupStore, RollupUnavailable

# Of which each keeps a processor busy as long as an answer takes.
_THREADS: Final = 2

# Requests that are under way; who comes later is told to come again.
_MOST: Final = 32

_RETRY: Final = "1"  # seconds

# Smaller ones fit into one packet as they are. Level 1 costs a third of level 6; 16 + 15 is the format of gzip.
_LARGE: Final = 1400  # bytes
_GZIP_LEVEL: Final = 1
_GZIP: Final = 31

_HEADERS: Final = {**json_answer.HEADERS, "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
_error: Final = functools.partial(json_answer.error, headers=_HEADERS)

_Result = TypeVar("_Result")
_Document: TypeAlias = dict[str, Any]
_Handler: TypeAlias = Callable[[web.Request], Awaitable[_Document]]
_Maker: TypeAlias = Callable[[Scene, PrometheusQuery | None], Awaitable[_Document]]


class _UnknownGatewayError(Exception):
    """Nobody has ever heard of it; the message names it."""


class _Api:
    """Answers the requests of one listener."""

    def __init__(
        self, ingest: Ingest, reconcile: Reconcile, store: RollupStore, prometheus: PrometheusQuery | None
    ) -> None:
        self._ingest = ingest
        self._reconcile = reconcile
        self._store = store
        self._prometheus = prometheus
        self._under_way = 0
        self._pool = ThreadPoolExecutor(_THREADS, "gateway-api")

    async def close(self, _: web.Application) -> None:
        """End the threads, once all requests have ended."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def gateways(self, request: web.Request) -> _Document:
        """The list."""
        asked = window.parse_window(request.query.items(), time.time_ns())
        return await self._answer(asked, self._list)

    async def _list(self, scene: Scene, prometheus: PrometheusQuery | None) -> _Document:
        gained = await self._gained(scene.window, prometheus, [View.GATEWAY], None)
        known = len(await self._run(lambda: self._store.cells(View.GATEWAY)))
        return await self._run(lambda: documents.list_gateways(scene, gained, known))

    async def gateway(self, request: web.Request) -> _Document:
        """One gateway."""
        asked = window.parse_window(request.query.items(), time.time_ns())
        gateway = _gateway(request)
        return await self._answer(asked, functools.partial(self._show, gateway), gateway)

    async def _show(self, gateway: Gateway, scene: Scene, prometheus: PrometheusQuery | None) -> _Document:
        gained = await self._gained(scene.window, prometheus, list(View), gateway)
        await self._require(gateway, scene, gained)
        return await self._run(lambda: documents.show_gateway(scene, gateway, gained))

    async def series(self, request: web.Request) -> _Document:
        """What one gateway did, step by step."""
        chart = window.parse_chart(request.query.items(), time.time_ns())
        gateway = _gateway(request)
        return await self._answer(chart.window, functools.partial(self._chart, gateway, chart), gateway)

    async def _chart(
        self, gateway: Gateway, chart: Chart, scene: Scene, prometheus: PrometheusQuery | None
    ) -> _Document:
        steps = window.cut(chart, from_prometheus=prometheus is not None)
        span = Window(steps.edges[0], steps.edges[-1], chart.window.now)
        gained = await self._gained(span, prometheus, [chart.view], gateway, rank=True)
        await self._require(gateway, scene, gained)
        cells, other = documents.choose(gained, chart.top)
        if prometheus is None:
            by_step = await self._run(lambda: self._read_steps(chart, cells, steps, scene))
        else:
            by_step = await self._ask_steps(prometheus, chart, cells, steps)
        return await self._run(lambda: documents.show_series(scene, chart, steps, by_step, other))

    async def openapi(self, request: web.Request) -> _Document:
        """The description of this API."""
        window.parse_nothing(request.query.items())
        return openapi.DOCUMENT

    async def _answer(self, asked: Window, make: _Maker, gateway: Gateway | None = None) -> _Document:
        """An answer out of the store, or out of the Prometheus where that has something of the time before."""
        scene, prometheus = await self._look(asked, gateway), self._prometheus
        since = scene.since or asked.now
        if prometheus is not None and asked.start < since:
            is_before = asked.end < since
            try:
                if is_before or await prometheus.has(asked.start, since):
                    return await make(dataclasses.replace(scene, source=documents.PROMETHEUS), prometheus)
            except PrometheusError as error:
                if is_before:
                    raise
                scene = dataclasses.replace(scene, warning=str(error))
        return await make(scene, None)

    async def _look(self, asked: Window, gateway: Gateway | None) -> Scene:
        """What answers out of the store are made of, beside the numbers; of one gateway, or of all."""
        store = self._store
        since, latest, pods = await self._run(lambda: (store.since(), store.latest(), self._pods(asked.now, gateway)))
        return Scene(asked, since, latest, documents.STORE, pods, self._reconcile.measured())

    def _pods(self, now: int, gateway: Gateway | None) -> dict[Gateway, list[state.Heard]]:
        with self._ingest.lock:
            store, logs = self._ingest.store, self._ingest.logs
            logs.settle(now)
            return state.collect(store.sources.values(), store.expiry, logs.heard, now, gateway)

    async def _gained(
        self,
        asked: Window,
        prometheus: PrometheusQuery | None,
        views: Sequence[View],
        gateway: Gateway | None,
        *,
        rank: bool = False,
    ) -> dict[Cell, Totals]:
        """What cells gained in a window; with `rank` no more of it than tells which are the busiest."""
        if prometheus is None:
            return await self._run(lambda: self._read_window(asked, views, gateway))
        queries = [
            promql.window_query(family, view, gateway, asked.start, asked.end)
            for view in views
            for family in promql.families_of(view, values.BUSY if rank else None)
        ]
        answers = await prometheus.ask(queries)
        return await self._run(lambda: prometheus_answers.gains(answers))

    def _read_window(self, asked: Window, views: Sequence[View], gateway: Gateway | None) -> dict[Cell, Totals]:
        cells = [cell for view in views for cell in self._store.cells(view, gateway)]
        return gains.of_window(cells, self._store.read(cells, (asked.start, asked.end)))

    def _read_steps(
        self, chart: Chart, cells: Sequence[Cell], steps: Steps, scene: Scene
    ) -> dict[Cell, list[Totals | None]]:
        readings = self._store.read(cells, steps.edges)
        known = Window(scene.since, scene.latest, scene.window.now)
        return gains.of_steps(cells, readings, steps, known, values.sources_of(chart.values))

    async def _ask_steps(
        self, prometheus: PrometheusQuery, chart: Chart, cells: Sequence[Cell], steps: Steps
    ) -> dict[Cell, list[Totals | None]]:
        # A step that is not over would look like one with less in it.
        over = steps.edges[: bisect.bisect_right(steps.edges, chart.window.now)]
        families = promql.families_of(chart.view, values.sources_of(chart.values))
        queries = [promql.step_query(family, cells, over) for family in families] if cells and len(over) > 1 else []
        answers = await prometheus.ask(queries)
        return await self._run(lambda: prometheus_answers.gains_by_step(answers, cells, steps.edges))

    async def _require(self, gateway: Gateway, scene: Scene, gained: dict[Cell, Totals]) -> None:
        """Raise _UnknownGatewayError for a gateway that nobody has ever heard."""
        if gateway in scene.pods or gained:
            return
        if not await self._run(lambda: self._store.cells(View.GATEWAY, gateway)):
            message = f"no gateway {'/'.join(gateway)} was ever heard here"
            raise _UnknownGatewayError(message)

    async def _run(self, read: Callable[[], _Result]) -> _Result:
        """What is read or counted, by one of few threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, read)

    def answering(self, answer: _Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The same, with what goes wrong as an answer."""

        async def answered(request: web.Request) -> web.Response:
            if self._under_way >= _MOST:
                return _error(503, "too many requests at a time", _RETRY)
            self._under_way += 1
            try:
                document = await answer(request)
                compress = negotiate.accepts_gzip(request.headers.get("Accept-Encoding", ""))
                return await self._run(lambda: _response(document, compress=compress))
            except SearchError as error:
                return _error(400, str(error))
            except _UnknownGatewayError as error:
                return _error(404, str(error))
            except PrometheusError as error:
                return _error(502, str(error))
            except RollupUnavailable as error:
                return _error(503, str(error), _RETRY)
            finally:
                self._under_way -= 1

        return answered


def add_routes(
    app: web.Application,
    ingest: Ingest,
    reconcile: Reconcile,
    store: RollupStore,
    prometheus: PrometheusQuery | None = None,
) -> None:
    """Add the paths to the application of a listener; a Prometheus is opened and closed with it."""
    api = _Api(ingest, reconcile, store, prometheus)
    app.on_cleanup.append(api.close)
    if prometheus is not None:
        app.cleanup_ctx.append(prometheus.follow)
    one = "/api/gateways/{namespace}/{name}"
    for path, handler in (
        ("/api/gateways", api.gateways),
        (one, api.gateway),
        (f"{one}/series", api.series),
        ("/api/openapi.json", api.openapi),
    ):
        app.router.add_get(path, api.answering(handler), allow_head=False)


def _gateway(request: web.Request) -> Gateway:
    return documents.read_gateway(request.match_info["namespace"], request.match_info["name"])


def _response(document: _Document, *, compress: bool) -> web.Response:
    body, headers = json.dumps(document, separators=(",", ":")).encode(), dict(_HEADERS)
    if compress and len(body) > _LARGE:
        body = zlib.compress(body, _GZIP_LEVEL, _GZIP)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, content_type="application/json", charset="utf-8", headers=headers)
