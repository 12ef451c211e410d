"""The API of a receiver with a Prometheus beside it: who answers, and what is said where that Prometheus fails. A real
Prometheus is asked in tests/truth.
"""

import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

import openapi_answers
from aigw_receiver.core.store import Store
from aigw_receiver.settings import Prometheus
from aigw_receiver.shell import gateway_api, prometheus_query
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.price_book import PriceBook
from aigw_receiver.shell.reconcile import Reconcile
from aigw_receiver.shell.rollup import Rollup
from aigw_receiver.shell.rollup_store import RollupStore
from otlp_messages import SECOND

_ONE: Final = "/api/gateways/{namespace}/{name}"
_PATHS: Final = pytest.mark.parametrize(
    ("path", "described"),
    [
        ("/api/gateways", "/api/gateways"),
        ("/api/gateways/ns/old", _ONE),
        ("/api/gateways/ns/old/series", f"{_ONE}/series"),
    ],
)


class _Prometheus:
    """One that knows four requests of a gateway `old`; what it was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.has_past = True
        self.refuses: set[str] = set()
        """of what it says no to: presence, query, query_range"""
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """An answer to a question of the API."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        kind = "presence" if form["query"].startswith("count(") else request.path.rpartition("/")[2]
        self.asked.append((kind, form))
        if kind in self.refuses:
            document = {"status": "error", "errorType": "execution", "error": f"no {kind}"}
            return web.json_response(document, status=422)
        result = self._presence() if kind == "presence" else self._requests(kind, form)
        return web.json_response({"status": "success", "data": {"resultType": "any", "result": result}})

    def _presence(self) -> list[dict[str, Any]]:
        return [{"metric": {}, "value": [60, "1"]}] if self.has_past else []

    def _requests(self, kind: str, form: dict[str, str]) -> list[dict[str, Any]]:
        if "request_duration_seconds_bucket" not in form["query"] or "mcp" in form["query"]:
            return []
        labels = {"gateway_namespace": "ns", "gateway_name": "old"}
        counts = {"1": "3", "+Inf": "4"}
        if kind == "query":
            return [{"metric": {**labels, "le": le}, "value": [60, count]} for le, count in counts.items()]
        times = range(int(float(form["start"])), int(float(form["end"])) + 1, int(float(form["step"])))
        return [
            {"metric": {**labels, "le": le}, "values": [[time, count] for time in times]}
            for le, count in counts.items()
        ]

    def kinds(self) -> list[str]:
        """What it was asked for, each kind once for those that came one after the other."""
        found = [kind for kind, _ in self.asked]
        return [kind for place, kind in enumerate(found) if found[place - 1 : place] != [kind]]


class _Page:
    """Asks the API."""

    def __init__(self, server: BaseTestServer, session: aiohttp.ClientSession) -> None:
        self._server = server
        self._session = session

    async def get(self, path: str, described: str = "/api/gateways") -> tuple[int, Any]:
        """Status and document, which is as described."""
        async with self._session.get(self._server.make_url(path)) as response:
            document = json.loads(await response.read())
        assert [] == openapi_answers.violations(described, response.status, document)
        return response.status, document


@contextlib.asynccontextmanager
async def _beside(prometheus: _Prometheus, ago: int) -> AsyncIterator[_Page]:
    """The API of a receiver that has observed for so many seconds, beside this Prometheus."""
    began = time.time_ns() - ago * SECOND
    store = RollupStore(None, size=1 << 20, retention=86_400 * SECOND, telemetry=Telemetry())
    ingest, app, other = Ingest(Store(began), Telemetry(), None), web.Application(), web.Application()
    Rollup(ingest, Costs(ingest, PriceBook(), None), store).observe(began)
    other.router.add_route("*", "/{path:.*}", prometheus.answer)
    async with TestServer(other) as asked:
        prometheus.url = str(asked.make_url("")).rstrip("/")
        query = prometheus_query.open_query(Prometheus(url=prometheus.url))
        gateway_api.add_routes(app, ingest, Reconcile(ingest), store, query)
        async with TestServer(app) as server, aiohttp.ClientSession() as session:
            yield _Page(server, session)


async def test_from_prometheus() -> None:
    """A gateway that only the Prometheus remembers is not listed, or not with what it says."""
    prometheus = _Prometheus()
    async with _beside(prometheus, 60) as page:
        status, document = await page.get("/api/gateways")
    (gateway,) = document["gateways"]
    totals = gateway["totals"]
    assert (200, "prometheus", None, "old", "ended", 4, 0.25) == (
        *(status, document["source"], document["warning"], gateway["name"], gateway["state"], totals["requests"]),
        totals["duration"]["overflow_ratio"],
    )
    ((kind, form), *_) = prometheus.asked
    length = round((document["since"] - document["from"]) * 1000)
    assert ("presence", document["since"]) == (kind, pytest.approx(float(form["time"]), abs=1e-6))
    assert f"[{length}ms]" in form["query"] or f"[{length - 1}ms]" in form["query"]


async def test_of_the_receivers_own_time() -> None:
    """A Prometheus is asked for what the receiver knows itself, and each page takes as long as that takes."""
    prometheus = _Prometheus()
    async with _beside(prometheus, 3600) as page:
        _, document = await page.get("/api/gateways?from=-30m")
    assert ("store", []) == (document["source"], prometheus.asked)


async def test_young_beside_a_young_one() -> None:
    """A receiver that was installed together with its Prometheus shows steps of a minute instead of ten seconds."""
    prometheus = _Prometheus()
    prometheus.has_past = False
    async with _beside(prometheus, 60) as page:
        documents = [(await page.get("/api/gateways"))[1] for _ in range(3)]
    assert [("store", None)] * 3 == [(document["source"], document["warning"]) for document in documents]
    # The windows begin and end a moment later each, so that a minute may turn in between.
    assert ["presence"] == prometheus.kinds()
    assert 1 <= len(prometheus.asked) <= 2


@_PATHS
async def test_bad_gateway(path: str, described: str) -> None:
    """The page shows nothing of a time that only the Prometheus knows, and not why, when that fails."""
    prometheus = _Prometheus()
    prometheus.refuses = {"query"}
    async with _beside(prometheus, 3600) as page:
        found = await page.get(f"{path}?from=-3h&to=-2h", described)
    assert (502, {"error": f"Prometheus at {prometheus.url}: execution: no query"}) == found
    assert ["query"] == prometheus.kinds()


async def test_failing_prometheus() -> None:
    """The page shows nothing at all while the Prometheus beside it is away, or waits for it again and again."""
    prometheus = _Prometheus()
    prometheus.refuses = {"presence"}
    async with _beside(prometheus, 60) as page:
        found = [await page.get("/api/gateways") for _ in range(3)]
    warning = f"Prometheus at {prometheus.url}: execution: no presence"
    assert [(200, "store", warning)] * 3 == [
        (status, document["source"], document["warning"]) for status, document in found
    ]
    assert ["presence"] == [kind for kind, _ in prometheus.asked]


async def test_failing_later() -> None:
    """A Prometheus that has begun to fail takes the page with it, or stays forgotten when it is well again."""
    prometheus = _Prometheus()
    async with _beside(prometheus, 60) as page:
        prometheus.refuses = {"query"}
        _, failed = await page.get("/api/gateways")
        prometheus.refuses = set()
        _, well = await page.get("/api/gateways")
    assert ("store", f"Prometheus at {prometheus.url}: execution: no query") == (failed["source"], failed["warning"])
    assert ("prometheus", None) == (well["source"], well["warning"])
    assert ["presence", "query"] * 2 == prometheus.kinds()


async def test_steps_that_are_over() -> None:
    """A chart out of a Prometheus ends with a step that has hardly begun: everybody believes in a fall."""
    prometheus = _Prometheus()
    async with _beside(prometheus, 60) as page:
        _, document = await page.get("/api/gateways/ns/old/series?from=-2h&step=1h", f"{_ONE}/series")
        _, short = await page.get("/api/gateways/ns/old/series?from=-5m&step=1d", f"{_ONE}/series")
    over = [end <= document["now"] for end in document["times"]]
    assert [4 if is_over else None for is_over in over] == document["series"][0]["values"]["requests"]
    assert (True, 3600.0) == (over[0], document["step"])
    assert None is short["series"][0]["values"]["requests"][-1]
    asked = [float(form["end"]) for kind, form in prometheus.asked if kind == "query_range"]
    assert all(end <= document["now"] for end in asked)
