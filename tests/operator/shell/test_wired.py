"""The shell with the core's own plans: wired from nothing, a restart that writes nothing, and rules that suffice."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kmock
import yaml

from aigw_operator.core import affected, model, plan
from aigw_operator.settings import Address, Settings
from aigw_operator.shell import kinds, templates
from aigw_operator.shell.kube import KubeClient
from aigw_operator.shell.operator import Operator
from api_server import ApiServer, Request, write_kubeconfig

_LIMIT = 30.0
_RULES = Path(__file__).parents[3] / "manifests" / "operator.yaml"
_VERSIONS = {
    model.GATEWAY: "v1",
    model.GATEWAY_CONFIG: "v1beta1",
    model.ENVOY_PROXY: "v1alpha1",
    model.BACKEND: "v1alpha1",
}


def _seed(server: ApiServer) -> None:
    for kind, version in _VERSIONS.items():
        definition = {
            "metadata": {"name": f"{kind.plural}.{kind.group}"},
            "spec": {"group": kind.group, "versions": [{"name": version, "served": True}]},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        }
        server.have(model.DEFINITION, definition)
    server.have(model.NAMESPACE, {"metadata": {"name": "ns"}})
    controller = "gateway.envoyproxy.io/gatewayclass-controller"
    server.have(model.GATEWAY_CLASS, {"metadata": {"name": "eg"}, "spec": {"controllerName": controller}})
    accepted = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
    for name in ("g1", "g2"):
        gateway = {"metadata": {"namespace": "ns", "name": name}, "spec": {"gatewayClassName": "eg"}}
        server.have(model.GATEWAY, {**gateway, "status": {"conditions": [accepted]}})
    server.have(model.RECEIVER, {"metadata": {"namespace": "ns", "name": "r"}, "spec": {}})
    selector = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    spec = {"targetSelectors": [selector], "receiverRef": {"name": "r"}}
    server.have(model.POLICY, {"metadata": {"namespace": "ns", "name": "p"}, "spec": spec})


async def _operate(server: ApiServer, folder: Path, done: Callable[[Operator], bool]) -> None:
    """Run an operator until it watches and that is so, then stop it."""
    settings = Settings(
        kubeconfig=write_kubeconfig(folder / "config", str(server.url)),
        http=Address("127.0.0.1", 0),
        receiver_address=Address("127.0.0.1", 1),
        receiver_image="receiver:1",
    )
    started: concurrent.futures.Future[Operator] = concurrent.futures.Future()
    stop = threading.Event()

    async def operate() -> None:
        async with KubeClient(settings) as client:
            operator = Operator(settings, client, planner=plan, affected=affected, templates=templates.load_templates())
            started.set_result(operator)
            await operator.run(stop)

    running = asyncio.create_task(asyncio.to_thread(asyncio.run, operate()))
    operator = await asyncio.wrap_future(started)
    watched = {scope.kind.plural for scope in kinds.WATCHED}
    async with asyncio.timeout(_LIMIT):
        while not (watched <= {request.plural for request in server.asked if request.watches} and done(operator)):
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(running, _LIMIT)


def _wired(server: ApiServer) -> list[str]:
    """The Gateways whose access logs the policy's status says to be wired."""
    policy = server.find(model.POLICY, "ns", "p") or {}
    return [
        entry["ancestorRef"]["name"]
        for entry in policy.get("status", {}).get("ancestors", ())
        for item in entry["conditions"]
        if (item["type"], item["status"]) == ("AccessLogsWired", "True")
    ]


def _planned(operator: Operator, kind: str) -> float:
    count = operator.telemetry.registry.get_sample_value(
        "aigw_operator_reconciles_total", {"kind": kind, "result": "ok"}
    )
    return count or 0.0


def _verbs(request: Request) -> set[str]:
    """What a request needs to be granted."""
    if request.method == "PATCH":
        return {"patch", "create"} if "apply" in request.headers["Content-Type"] else {"patch"}
    if request.method == "GET":
        return {"watch" if request.watches else "get" if request.name else "list"}
    return {{"POST": "create", "DELETE": "delete"}[request.method]}


def _granted() -> set[tuple[str, str, str]]:
    rules: list[Any] = [
        rule
        for document in yaml.safe_load_all(_RULES.read_text())
        if document["kind"] == "ClusterRole"
        for rule in document["rules"]
    ]
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_from_nothing_to_wired(tmp_path: Path) -> None:
    """A Gateway is not wired, a restart writes again, or a request is made that the shipped rules do not grant."""

    async def run() -> tuple[list[Request], list[Request]]:
        async with ApiServer() as server, kmock.Server(server):
            _seed(server)
            await _operate(server, tmp_path, lambda _: _wired(server) == ["g1", "g2"])
            first = list(server.asked)
            server.asked.clear()
            await _operate(
                server,
                tmp_path,
                lambda operator: _planned(operator, "Gateway") >= 2 and _planned(operator, "TelemetryPolicy") >= 1,
            )
            return first, list(server.asked)

    first, second = asyncio.run(run())
    needed = {
        ("/".join(request.collection.split("/")[:-2]), f"{request.plural}/{request.subresource}".rstrip("/"), verb)
        for request in first
        if request.collection
        for verb in _verbs(request)
    }
    assert needed <= _granted()
    assert {"gatewayconfigs", "envoyproxies", "backends", "statefulsets"} <= {name for _, name, _ in needed}
    assert [] == [(request.method, request.path) for request in second if request.method != "GET"]
