"""A whole operator against an API server that has faults: it converges, and writes what its plans say and no more."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import kmock
import pytest

from aigw_operator.core import model
from aigw_operator.core.model import Kind
from aigw_operator.settings import Address, Settings
from aigw_operator.shell import kinds, reconciler, sources, workqueue
from aigw_operator.shell.kube import KubeClient
from aigw_operator.shell.operator import ListenError, Operator, WatchError
from api_server import KINDS, ApiServer, Fault, Request, write_kubeconfig
from fake_planner import TEMPLATES, FakeAffected, FakePlanner

Result = TypeVar("Result")
Scenario = Callable[[ApiServer, Operator], Awaitable[Result]]

_LIMIT = 20.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are there for the sake of a real API server only."""
    monkeypatch.setattr(workqueue, "_FIRST", 0.01)
    monkeypatch.setattr(reconciler, "_POLICY_DELAY", 0.1)


def _seed(server: ApiServer) -> None:
    definition = {"group": "gateway.networking.k8s.io", "versions": [{"name": "v1", "served": True}]}
    _define(server, model.GATEWAY, definition)
    definition = {"group": "aigateway.envoyproxy.io", "versions": [{"name": "v1beta1", "served": True}]}
    _define(server, model.GATEWAY_CONFIG, definition)
    server.have(model.NAMESPACE, {"metadata": {"name": "ns"}})
    server.have(model.GATEWAY, _raw("g1"))
    server.have(model.POLICY, _raw("p1"))


def _define(server: ApiServer, kind: Kind, spec: dict[str, Any]) -> None:
    raw = {
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": spec,
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }
    server.have(model.DEFINITION, raw)


def _raw(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "ns", "name": name}, "spec": {}}


@contextlib.asynccontextmanager
async def _operating(server: ApiServer, folder: Path, **more: Any) -> AsyncIterator[Operator]:
    settings = Settings(
        kubeconfig=write_kubeconfig(folder / "config", str(server.url)), http=Address("127.0.0.1", 0), **more
    )
    started: concurrent.futures.Future[Operator] = concurrent.futures.Future()
    stop = threading.Event()

    async def operate() -> None:
        async with KubeClient(settings) as client:
            operator = Operator(settings, client, planner=FakePlanner(), affected=FakeAffected(), templates=TEMPLATES)
            started.set_result(operator)
            await operator.run(stop)

    # In a loop of its own: kopf takes every task of its loop for its own at the end, those of the server too.
    running = asyncio.create_task(asyncio.to_thread(asyncio.run, operate()))
    try:
        yield await asyncio.wrap_future(started)
    finally:
        stop.set()
        await asyncio.wait_for(running, _LIMIT)


def _operate(
    folder: Path,
    scenario: Scenario[Result],
    *,
    prepare: Callable[[ApiServer], None] = lambda _: None,
    **more: Any,
) -> Result:
    async def run() -> Result:
        async with ApiServer() as server, kmock.Server(server):
            _seed(server)
            prepare(server)
            async with _operating(server, folder, **more) as operator:
                result = await asyncio.wait_for(scenario(server, operator), _LIMIT)
                # kopf does not like to be stopped while it looks for what there is.
                await asyncio.wait_for(_watched(server), _LIMIT)
                return result

    return asyncio.run(run())


async def _until(condition: Callable[[], object]) -> None:
    """Wait for a state of the server; it has no event of its own for that."""
    while not condition():
        await asyncio.sleep(0.01)


def _policies(server: ApiServer, name: str = "g1") -> list[str] | None:
    config = server.find(model.GATEWAY_CONFIG, "ns", f"{name}-config")
    return None if config is None else config["spec"].get("policies")


def _writes(server: ApiServer, *plurals: str) -> list[str]:
    return [
        f"{request.method} {request.path.rpartition('/namespaces/')[2]}"
        for request in server.asked
        if request.method in ("POST", "PATCH", "DELETE") and request.plural not in plurals
    ]


async def _settled(server: ApiServer, operator: Operator) -> None:
    """Everything that was seeded is wired, and nothing is left to do."""
    await _until(lambda: _policies(server) == ["p1"])
    await _until(lambda: (server.find(model.POLICY, "ns", "p1") or {}).get("status", {}).get("gateways") == "1")
    await _until(lambda: len(operator.queue) == 0)


async def _watched(server: ApiServer) -> None:
    """kopf has listed everything, and watches."""
    plurals = {
        scope.kind.plural for scope in kinds.WATCHED if f"{KINDS[scope.kind]}/{scope.kind.plural}" in server.resources
    }
    await _until(lambda: plurals <= {request.plural for request in server.asked if request.watches})


def test_from_nothing_to_wired(tmp_path: Path) -> None:
    """A write is missing, comes twice or in another order, or kopf itself writes to somebody's object."""

    async def scenario(server: ApiServer, operator: Operator) -> list[str]:
        await _settled(server, operator)
        assert not server.seen("PATCH", "gateways")
        # One before the Gateway was done or none, and one after it.
        statuses = [request.path.rpartition("/")[2] for request in server.seen("PATCH", "telemetrypolicies")]
        assert statuses in (["status"], ["status"] * 2)
        await _until(lambda: len(statuses) <= len(server.seen("POST", "events")))
        return _writes(server, "telemetrypolicies", "events")

    assert ["POST ns/gatewayconfigs", "PATCH ns/gatewayconfigs/g1-config"] == _operate(tmp_path, scenario)


def test_restart_with_nothing_changed(tmp_path: Path) -> None:
    """A restart writes something although nothing has changed."""

    async def run() -> list[str]:
        async with ApiServer() as server, kmock.Server(server):
            _seed(server)
            async with _operating(server, tmp_path) as operator:
                await asyncio.wait_for(_settled(server, operator), _LIMIT)
                await asyncio.wait_for(_watched(server), _LIMIT)
            server.asked.clear()
            async with _operating(server, tmp_path) as operator:
                await asyncio.wait_for(_watched(server), _LIMIT)
                assert "" == operator.unready()
                await asyncio.wait_for(_until(lambda: len(operator.queue) == 0), _LIMIT)
            return _writes(server)

    assert [] == asyncio.run(run())


def test_news_by_watch(tmp_path: Path) -> None:
    """A new, a changed or a deleted object is not noticed."""

    async def scenario(server: ApiServer, operator: Operator) -> None:
        await _settled(server, operator)
        server.have(model.GATEWAY, _raw("g2"))
        await _until(lambda: _policies(server, "g2") == ["p1"])
        server.have(model.POLICY, _raw("p2"))
        await _until(lambda: _policies(server) == _policies(server, "g2") == ["p1", "p2"])
        server.remove(model.POLICY, "ns", "p1")
        await _until(lambda: _policies(server) == _policies(server, "g2") == ["p2"])
        server.remove(model.GATEWAY, "ns", "g2")
        await _until(lambda: _policies(server, "g2") is None)

    _operate(tmp_path, scenario)


@pytest.mark.parametrize("status", [409, 429, 500, 503])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_write_that_fails(tmp_path: Path, method: str, status: int) -> None:
    """A write that the server refuses is lost, or tried again and again without need."""

    def prepare(server: ApiServer) -> None:
        def fits(request: Request) -> bool:
            return request.method == method and request.plural == "gatewayconfigs"

        server.faults.append(Fault(fits, status, times=2, retry_after="0" if status == 429 else ""))

    async def scenario(server: ApiServer, operator: Operator) -> list[str]:
        await _settled(server, operator)
        return _writes(server, "telemetrypolicies", "events")

    create, patch = "POST ns/gatewayconfigs", "PATCH ns/gatewayconfigs/g1-config"
    expected = [create, create, create, patch] if method == "POST" else [create, patch, patch, patch]
    assert expected == _operate(tmp_path, scenario, prepare=prepare)


def test_somebody_else_wrote_first(tmp_path: Path) -> None:
    """A write over a version that we have not seen goes through, or is never tried again with the new one."""

    async def scenario(server: ApiServer, operator: Operator) -> list[Any]:
        await _settled(server, operator)
        await _watched(server)
        # The watch says nothing of this change, so only the refusal (409) can tell.
        changed = {**_raw("g1-config"), "spec": {"theirs": True}}
        server.have(model.GATEWAY_CONFIG, changed, told=False)
        server.have(model.POLICY, _raw("p2"))
        await _until(lambda: _policies(server) == ["p1", "p2"])
        one = {"fieldSelector": "metadata.name=g1-config", "limit": "500"}
        return [request.method for request in server.asked if request.name == "g1-config" or request.params == one]

    assert ["PATCH", "PATCH", "GET", "PATCH"] == _operate(tmp_path, scenario)


def test_failure_in_the_status(tmp_path: Path) -> None:
    """The status does not say what the API server refuses, or says it for ever."""

    def prepare(server: ApiServer) -> None:
        server.faults.append(Fault(lambda request: request.method == "POST", 403, times=5))

    async def scenario(server: ApiServer, operator: Operator) -> list[Any]:
        def failures() -> Any:
            return (server.find(model.POLICY, "ns", "p1") or {}).get("status", {}).get("failures")

        await _until(lambda: failures() == ["Gateway ns/g1"])
        await _until(lambda: failures() == [])
        await _settled(server, operator)
        return [failures()]

    assert [[]] == _operate(tmp_path, scenario, prepare=prepare)


@pytest.mark.parametrize("gone", [False, True])
def test_cut_watches(tmp_path: Path, gone: bool) -> None:
    """After streams that end, or whose past the server has forgotten (410), an object is missed."""

    async def scenario(server: ApiServer, operator: Operator) -> None:
        await _settled(server, operator)
        await _watched(server)
        server.forget_history = gone
        server.cut_watches()
        server.have(model.GATEWAY, _raw("g2"))
        await _until(lambda: _policies(server, "g2") == ["p1"])

    _operate(tmp_path, scenario)


def test_resync_repairs(tmp_path: Path) -> None:
    """What no watch has told is never noticed, or not counted."""

    async def scenario(server: ApiServer, operator: Operator) -> float | None:
        await _settled(server, operator)
        await _watched(server)
        server.have(model.GATEWAY, _raw("g2"), told=False)
        server.remove(model.GATEWAY_CONFIG, "ns", "g1-config", told=False)
        await _until(lambda: _policies(server, "g2") == _policies(server, "g1") == ["p1"])
        return operator.telemetry.registry.get_sample_value(
            "aigw_operator_resync_repairs_total", {"kind": "GatewayConfig"}
        )

    assert 1.0 == _operate(tmp_path, scenario, resync=1.0)


def test_kind_that_is_installed_later(tmp_path: Path) -> None:
    """Gateway API that is installed after the operator is not noticed without a restart."""

    def prepare(server: ApiServer) -> None:
        server.remove(model.DEFINITION, "", "gateways.gateway.networking.k8s.io")
        server.remove(model.GATEWAY, "ns", "g1")
        server.withdraw(model.GATEWAY)

    async def scenario(server: ApiServer, operator: Operator) -> str:
        await _until(lambda: (server.find(model.POLICY, "ns", "p1") or {}).get("status"))
        # By then kopf watches, and looks for kinds only when it is told of a definition.
        await _watched(server)
        server.serve(model.GATEWAY, "gateway.networking.k8s.io/v1")
        spec = {"group": "gateway.networking.k8s.io", "versions": [{"name": "v1", "served": True}]}
        _define(server, model.GATEWAY, spec)
        server.have(model.GATEWAY, _raw("g1"))
        await _settled(server, operator)
        return operator.store.capabilities.gateway_api

    assert "v1" == _operate(tmp_path, scenario, prepare=prepare)


def test_kind_that_is_uninstalled(tmp_path: Path) -> None:
    """An operator without one of its watches goes on as if nothing were, instead of starting anew."""

    async def scenario(server: ApiServer, operator: Operator) -> None:
        await _settled(server, operator)
        await _watched(server)
        server.withdraw(model.BACKEND)
        server.cut_watches()
        # It ends by itself; the flag is set only after that, since a thread of kopf waits for it.
        await _until(operator.dead)

    with pytest.raises(WatchError, match=r"a watch has ended: .*no such resource"):
        _operate(tmp_path, scenario)


def test_server_that_is_away_at_the_start(tmp_path: Path) -> None:
    """An operator that starts before its API server ends, or says that it is ready."""

    def prepare(server: ApiServer) -> None:
        server.faults.append(Fault(lambda request: "gatewayclasses" in request.path, 503, times=3))
        _define(server, model.GATEWAY_CLASS, {})

    _operate(tmp_path, _settled, prepare=prepare)


def test_what_is_watched(tmp_path: Path) -> None:
    """All pods of a cluster are asked for, or a kind is not watched."""

    async def scenario(server: ApiServer, operator: Operator) -> dict[str, set[str]]:
        await _settled(server, operator)
        await _watched(server)
        found: dict[str, set[str]] = {}
        for request in server.seen("GET"):
            if request.plural in ("pods", "deployments", "statefulsets"):
                kind = "watch" if request.watches else "list"
                found.setdefault(f"{kind} {request.plural}", set()).add(request.params["labelSelector"])
        return found

    envoy = {"app.kubernetes.io/managed-by=envoy-gateway"}
    ours = {"app.kubernetes.io/managed-by=aigw-telemetry"}
    expected = {
        f"{verb} {plural}": labels
        for verb in ("list", "watch")
        for plural, labels in (("pods", envoy), ("deployments", envoy), ("statefulsets", ours))
    }
    assert expected == _operate(tmp_path, scenario)


def test_some_namespaces_only(tmp_path: Path) -> None:
    """An operator for one namespace asks for objects of all, which its rules do not allow, or serves others."""

    def prepare(server: ApiServer) -> None:
        server.have(model.NAMESPACE, {"metadata": {"name": "other"}})
        server.have(model.GATEWAY, {"metadata": {"namespace": "other", "name": "g9"}, "spec": {}})

    async def scenario(server: ApiServer, operator: Operator) -> set[str]:
        await _settled(server, operator)
        await _watched(server)
        namespaced = {"gateways", "gatewayconfigs", "telemetrypolicies", "pods", "services"}
        return {str(request.namespace) for request in server.asked if request.plural in namespaced}

    assert {"ns"} == _operate(tmp_path, scenario, prepare=prepare, namespaces=("ns",))


def test_sources_reach_the_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a receiver has heard does not reach the policy that sends to it."""
    monkeypatch.setattr(sources, "PERIOD", 0.02)

    def prepare(server: ApiServer) -> None:
        server.have(model.RECEIVER, {"metadata": {"namespace": "ns", "name": "r"}, "spec": {}})
        targets = [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g1"}]
        spec = {"targetRefs": targets, "receiverRef": {"name": "r"}}
        server.have(model.POLICY, {"metadata": {"namespace": "ns", "name": "p1"}, "spec": spec})

    async def scenario(server: ApiServer, _: Operator) -> None:
        def heard() -> Any:
            return (server.find(model.POLICY, "ns", "p1") or {}).get("status", {}).get("heard")

        await _until(lambda: heard() == ["127.0.0.1:1 cannot be reached"])

    _operate(tmp_path, scenario, prepare=prepare, receiver_address=Address("127.0.0.1", 1))


def test_probes(tmp_path: Path) -> None:
    """A probe answers something else than the truth."""

    async def run() -> list[tuple[int, str]]:
        async with ApiServer() as server, kmock.Server(server), aiohttp.ClientSession() as session:
            _seed(server)
            async with _operating(server, tmp_path) as operator:
                await asyncio.wait_for(_settled(server, operator), _LIMIT)
                await asyncio.wait_for(_watched(server), _LIMIT)
                base = f"http://{operator.address}"
                answers = []
                for path in ("/readyz", "/livez"):
                    async with session.get(base + path) as response:
                        answers.append((response.status, await response.text()))
                return answers

    assert [(200, "ok\n")] * 2 == asyncio.run(run())


def test_port_in_use(tmp_path: Path) -> None:
    """A port that is taken is a stack trace, or found out only after the first writes."""

    async def run() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = Settings(
            kubeconfig=write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1"), http=Address("127.0.0.1", port)
        )
        async with server, KubeClient(settings) as client:
            operator = Operator(settings, client, planner=FakePlanner(), affected=FakeAffected(), templates=TEMPLATES)
            await operator.run()

    with pytest.raises(ListenError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*in use"):
        asyncio.run(run())
