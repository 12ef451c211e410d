"""How the API about gateways takes requests: parameters, methods, names, compression, and what it does under load."""

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from aiohttp.web import Application

from aigw_receiver.core.gateways import state
from aigw_receiver.core.rollup.model import Cell, View
from aigw_receiver.core.store import Store
from aigw_receiver.shell import gateway_api
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.reconcile import Reconcile
from aigw_receiver.shell.rollup_store import RollupStore
from api_traffic import Call, Pod, Traffic
from gateway_scene import ONE, Client, Scene, two_pods
from otlp_messages import SECOND


@pytest.mark.parametrize(
    ("path", "described", "message"),
    [
        ("/api/gateways?name=a", "/api/gateways", "name: unknown parameter; expected one of from, to"),
        ("/api/gateways/default/gateway?step=10", ONE, "step: unknown parameter; expected one of from, to"),
        (
            "/api/gateways/default/gateway/series?filter=a",
            f"{ONE}/series",
            "filter: unknown parameter; expected one of view, values, from, to, step, top",
        ),
        ("/api/gateways?from=-1h&from=-2h", "/api/gateways", "from: given more than once"),
        (
            "/api/gateways/default/gateway/series?top=many",
            f"{ONE}/series",
            "top: expected a number from 1 to 50, got 'many'",
        ),
        ("/api/openapi.json?pretty", "/api/openapi.json", "pretty: unknown parameter; none is expected"),
    ],
    ids=range(6),
)
async def test_refused(path: str, described: str, message: str) -> None:
    """A parameter that has no effect is taken, and whoever gave it believes in the answer."""
    async with two_pods().serve() as client:
        assert {"error": message} == await client.get(path, 400, described=described)


@pytest.mark.parametrize("path", ["/api/gateways/default/none", "/api/gateways/default/none/series"])
async def test_unknown_gateway(path: str) -> None:
    """A gateway whose name is misspelt looks like one that is idle."""
    async with two_pods().serve() as client:
        found = await client.get(path, 404, described=ONE)
    assert {"error": "no gateway default/none was ever heard here"} == found


async def test_no_gateway() -> None:
    """Whoever opens the page of a receiver that nobody sends to is not told what to do."""
    async with Scene().serve() as client:
        found = await client.get("/api/gateways")
    assert ([], state.NO_GATEWAY) == (found["gateways"], found["hint"])


async def test_heard_before_it_is_observed() -> None:
    """A gateway that has just sent its first export is not there for ten seconds."""
    scene = Scene()
    scene.ingest.store.export(Pod().export(Traffic([Call()]), time.time_ns()), time.time_ns())
    async with scene.serve() as client:
        (gateway,) = (await client.get("/api/gateways"))["gateways"]
        one = await client.get("/api/gateways/default/gateway", described=ONE)
    assert ("idle", 0, {"live": 1, "ended": 0}) == (
        gateway["state"],
        gateway["totals"]["requests"],
        gateway["pods"],
    )
    assert [("pod-1", "idle", 60.0)] == [(pod["pod"], pod["state"], pod["interval"]) for pod in one["pods"]]


async def test_not_begun() -> None:
    """A receiver that has not observed anything yet fails, or says that it can speak of 1970."""
    store = RollupStore(None, size=1 << 20, retention=SECOND, telemetry=Telemetry())
    ingest = Ingest(Store(time.time_ns()), Telemetry(), None)
    ingest.store.export(Pod().export(Traffic([Call()]), time.time_ns()), time.time_ns())
    app = Application()
    gateway_api.add_routes(app, ingest, Reconcile(ingest), store)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        client = Client(server, session)
        found = await client.get("/api/gateways")
        series = await client.get("/api/gateways/default/gateway/series", described=f"{ONE}/series")
    assert (None, ["idle"]) == (found["since"], [gateway["state"] for gateway in found["gateways"]])
    assert [] == series["series"]


@pytest.mark.parametrize("name", ["a b", "ü", 'q"uote', "50%", "a/b", "..%2e"])
async def test_names(name: str) -> None:
    """A gateway with a name that Kubernetes would not allow cannot be asked for."""
    scene = Scene()
    scene.step(1, (Pod(gateway=name), Traffic([Call()])))
    quoted = "".join(f"%{byte:02x}" for byte in name.encode())
    async with scene.serve() as client:
        document = await client.get(f"/api/gateways/default/{quoted}", described=ONE)
    assert (name, 1) == (document["gateway"]["name"], document["gateway"]["totals"]["requests"])


async def test_compressed() -> None:
    """A large answer is sent as it is, or says something else when it is compressed; a small one is compressed."""
    path = f"/api/gateways?{(scene := two_pods()).window(2, 4)}"
    async with scene.serve() as client:
        plain = await client.request("GET", path, Accept_Encoding="identity")
        packed = await client.request("GET", path, Accept_Encoding="gzip")
        small = await client.request("GET", "/api/gateways?x=1", Accept_Encoding="gzip")
    assert ("gzip", None, None) == (
        packed[1].get("Content-Encoding"),
        plain[1].get("Content-Encoding"),
        small[1].get("Content-Encoding"),
    )
    assert len(packed[2]) < len(plain[2]) // 3
    one, other = json.loads(plain[2]), json.loads(gzip.decompress(packed[2]))
    assert one | {"now": 0, "gateways": []} == other | {"now": 0, "gateways": []}
    names = ("Content-Type", "Cache-Control", "X-Content-Type-Options", "Vary")
    expected_headers = ("application/json; charset=utf-8", "no-store", "nosniff", "Accept-Encoding")
    assert expected_headers == tuple(packed[1][name] for name in names)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/gateways/", 404),
        ("GET", "/api/gateways/default", 404),
        ("GET", "/api/gateways/default/gateway/", 404),
        ("HEAD", "/api/gateways", 405),
        ("POST", "/api/gateways", 405),
        ("OPTIONS", "/api/gateways/default/gateway", 405),
        ("DELETE", "/api/gateways/default/gateway/series", 405),
        ("HEAD", "/api/openapi.json", 405),
    ],
)
async def test_paths_and_methods(method: str, path: str, status: int) -> None:
    """A path or a method that the API does not have is answered, or another site may read it."""
    async with two_pods().serve() as client:
        found, headers, _ = await client.request(method, path, Origin="http://elsewhere.example")
    assert status == found
    assert not [name for name in headers if name.lower().startswith("access-control-")]


async def test_description() -> None:
    """Clients get no description, or another one than that in the documentation."""
    async with two_pods().serve() as client:
        found = await client.get("/api/openapi.json", described="/api/openapi.json")
    assert ("3.1.0", 9) == (found["openapi"], len(found["paths"]))


class _Held(RollupStore):
    """A store that is slow to read."""

    let_go = threading.Event()

    def cells(self, view: View, gateway: tuple[str, str] | None = None) -> list[Cell]:
        """As ever, once it may."""
        self.let_go.wait()
        return super().cells(view, gateway)


async def test_too_many() -> None:
    """Requests pile up in memory while the disk is slow, or one that waits holds up all others."""
    scene = Scene(store=_Held)
    async with scene.serve() as client:
        waiting = [asyncio.ensure_future(client.get("/api/gateways")) for _ in range(32)]
        try:
            while (answer := await client.request("GET", "/api/openapi.json?x"))[0] != 503:
                await asyncio.sleep(0)
            assert ("1", {"error": "too many requests at a time"}) == (answer[1]["Retry-After"], json.loads(answer[2]))
        finally:
            _Held.let_go.set()
        answers: Sequence[Any] = await asyncio.gather(*waiting)
    assert [[]] * 32 == [answer["gateways"] for answer in answers]


@pytest.mark.parametrize(
    ("path", "described"),
    [
        ("/api/gateways", "/api/gateways"),
        ("/api/gateways/default/gateway", ONE),
        ("/api/gateways/default/gateway/series", f"{ONE}/series"),
    ],
)
async def test_broken_store(path: str, described: str) -> None:
    """A rollup that cannot be read is answered with no numbers, as if there had been none."""
    scene = two_pods()
    scene.store.close()
    async with scene.serve() as client:
        assert {"error": "the rollup is not open"} == await client.get(path, 503, described=described)
        _, headers, _ = await client.request("GET", path)
    assert "1" == headers["Retry-After"]
