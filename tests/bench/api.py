"""How long the API of the page takes for a fleet: 200 gateways with 2,000 pods, each gateway with 100 models.

In one process, over a real connection. Every number that is asked for was sent; the totals are compared.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from aigw_receiver.core.store import Store
from aigw_receiver.shell import gateway_api
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.price_book import PriceBook
from aigw_receiver.shell.reconcile import Reconcile
from aigw_receiver.shell.rollup import Rollup
from aigw_receiver.shell.rollup_store import RollupStore
from api_traffic import Call, Message, Pod, Traffic
from bench import report

NAME: Final = "api"
GATEWAYS: Final = 200
PODS: Final = 10
MODELS: Final = 10
"""of each pod: of the gateway there are ten times as many"""
BUSY: Final = 2
"""gateways that go on through all steps, for charts"""
STEPS: Final = 90
BAR: Final = 100.0
"""milliseconds"""

_SECOND: Final = 1_000_000_000
_STEP: Final = 10 * _SECOND

_DETAIL: Final = "/api/gateways/default/gateway-0"
PATHS: Final = {
    "/api/gateways": "/api/gateways",
    "/api/gateways/x/y": _DETAIL,
    "series of a gateway": f"{_DETAIL}/series?values=requests,errors,duration_p50,duration_p95,duration_p99",
    "series by model": f"{_DETAIL}/series?view=model&values=requests,errors,tokens_total,duration_p95,ttft_p95",
    "series by pod": f"{_DETAIL}/series?view=pod&values=requests,duration_p95",
}


class Fleet:
    """All gateways, in a receiver without listeners that has observed them for fifteen minutes."""

    def __init__(self, directory: Path) -> None:
        began = time.time_ns() // _STEP * _STEP - STEPS * _STEP
        telemetry = Telemetry()
        self.ingest = Ingest(Store(began), telemetry, None)
        costs = Costs(self.ingest, PriceBook(), None)
        self.store = RollupStore(directory, size=1 << 30, retention=86_400 * _SECOND, telemetry=telemetry)
        self._rollup = Rollup(self.ingest, costs, self.store)
        self.requests = [0] * GATEWAYS
        self._pods = [
            (gateway, number, Pod(f"pod-{gateway}-{number}", f"gateway-{gateway}"))
            for gateway in range(GATEWAYS)
            for number in range(PODS)
        ]
        self._rollup.observe(began)
        for step in range(1, STEPS + 1):
            self._step(began + step * _STEP, GATEWAYS if step in (1, STEPS) else BUSY)

    def _step(self, now: int, gateways: int) -> None:
        for gateway, number, pod in self._pods[: gateways * PODS]:
            calls = [*self._calls(number)]
            self.requests[gateway] += len(calls)
            self.ingest.store.export(pod.export(Traffic(calls, [Message()]), now - 1), now - 1)
        self._rollup.observe(now)

    def _calls(self, pod: int) -> Iterator[Call]:
        for model in range(MODELS):
            name = f"model-{pod}-{model}"
            yield Call(0.25, 1000, 100, first_token=0.125, model=name, provider=f"provider-{model % 4}")
            yield Call(2.5, 50, 700, first_token=0.5, model=name, provider=f"provider-{model % 4}")

    def wrong(self, listed: Any) -> list[str]:
        """What the list of gateways says that was not sent."""
        found = {row["name"]: row["totals"]["requests"] for row in listed["gateways"]}
        sent = {f"gateway-{at}": requests for at, requests in enumerate(self.requests)}
        return [] if found == sent else ["/api/gateways: other requests than were sent"]


async def _ask(fleet: Fleet, rounds: int) -> tuple[list[report.Row], list[str]]:
    app = web.Application()
    gateway_api.add_routes(app, fleet.ingest, Reconcile(fleet.ingest), fleet.store)
    rows, wrong = [], []
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        for name, path in PATHS.items():
            taken, worked = [], []
            for _ in range(rounds + 1):
                began, worked_before = time.perf_counter(), time.process_time()
                async with session.get(server.make_url(path)) as response:
                    body = await response.json(loads=lambda text: text)
                    taken.append((time.perf_counter() - began) * 1000)
                    worked.append((time.process_time() - worked_before) * 1000)
                    assert response.status == 200, body
            median = statistics.median(taken[1:])
            spread = f"{median:.0f} ms ({min(taken[1:]):.0f}-{max(taken[1:]):.0f})"
            work = f"processor {statistics.median(worked[1:]):.0f} ms"
            ours = f"{spread}, {work}, {len(body) / 1024:.0f} KiB"
            rows.append(report.Row(f"API: {name}", ours, bar=f"<= {BAR:g} ms", met=median <= BAR))
        async with session.get(server.make_url("/api/gateways?from=-30m")) as response:
            wrong += fleet.wrong(await response.json())
    return rows, wrong


def measure(rounds: int) -> tuple[list[report.Row], list[str]]:
    """The rows of the table, and what was wrong."""
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder))
        try:
            return asyncio.run(_ask(fleet, rounds))
        finally:
            fleet.store.close()
