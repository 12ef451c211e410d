"""`GET /api/sources` over a real connection: what the store knows, as JSON, beside `/metrics`."""

import asyncio
import time
from typing import Any

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
from otlp_messages import SECOND


def _request(store: Store, method: str, path: str) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON body of one request to the listener of a store."""

    async def run() -> tuple[int, dict[str, str], Any]:
        ingest = Ingest(store, Telemetry(), None)
        app = web.build_app(ingest, Telemetry(), None, Costs(ingest, PriceBook(), None))
        async with (
            TestServer(app) as server,
            aiohttp.ClientSession() as session,
            session.request(method, server.make_url(path)) as response,
        ):
            body = await response.json() if response.status == 200 else None
            return response.status, dict(response.headers), body

    return asyncio.run(run())


def test_sources() -> None:
    """A pod that exports is not listed, or not under its name, or at another time than the export's arrival."""
    arrival = time.time_ns() // SECOND * SECOND
    store = Store(arrival - 60 * SECOND)
    other = {**otlp.POD, "k8s.pod.name": "a pod “é”"}
    heartbeat = otlp.export(resource=other)
    store.export(otlp.export(otlp.counter(otlp.number(1, {"a": "1"}), otlp.number(1, {"a": "2"}))), arrival)
    store.export(heartbeat, arrival - 10 * SECOND)
    store.export(heartbeat, arrival)

    status, headers, body = _request(store, "GET", "/api/sources")

    assert (200, "application/json; charset=utf-8") == (status, headers["Content-Type"])
    assert "no-store" == headers["Cache-Control"]
    assert 0 <= body.pop("now") - arrival / SECOND < 60
    common = {"gateway_namespace": "default", "gateway_name": "gateway", "ended": False}
    signals = {"last": arrival / SECOND}
    expected = [
        {**common, "gateway_pod": "a pod “é”", "streams": 0, "signals": {"metrics": {**signals, "interval": 10.0}}},
        {**common, "gateway_pod": "pod-1", "streams": 2, "signals": {"metrics": {**signals, "interval": 60.0}}},
    ]
    assert {"sources": expected} == body


def test_sources_of_an_ended_pod() -> None:
    """A pod that has ended is listed as one that sends, and the operator takes silence for telemetry."""
    began = time.time_ns() - 3600 * SECOND
    store = Store(began)
    store.export(otlp.export(otlp.counter(otlp.number(1, {}))), began)
    store.expire(began + 600 * SECOND)
    body = _request(store, "GET", "/api/sources")[2]
    assert [("pod-1", True)] == [(entry["gateway_pod"], entry["ended"]) for entry in body["sources"]]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/sources/", 404),
        ("GET", "/api", 404),
        ("POST", "/api/sources", 405),
        ("HEAD", "/api/sources", 405),
        ("GET", "/api/reconciliation/", 404),
        ("POST", "/api/reconciliation", 405),
        ("HEAD", "/api/reconciliation", 405),
    ],
)
def test_paths_and_methods(method: str, path: str, code: int) -> None:
    """A path or a method that the API does not have is answered as if it had."""
    assert code == _request(Store(time.time_ns()), method, path)[0]


def test_asking_is_no_scrape() -> None:
    """Whoever reads the API counts as a scraper, and zeros wait for it."""
    store = Store(time.time_ns())
    _request(store, "GET", "/api/sources")
    assert [] == store.scrapers.known
