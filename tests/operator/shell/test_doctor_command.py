"""`aigw-operator doctor`: the cluster is listed, the receivers are asked through it, and scripts get a status."""

import asyncio
import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp.web
import kmock
import pytest

import paper_cluster as paper
from aigw_operator.core import model
from aigw_operator.core.doctor import Link, State
from aigw_operator.core.model import Kind, Moment, NamespacedName, ObjectKey
from aigw_operator.settings import Settings
from aigw_operator.shell import doctor_command, errors
from aigw_operator.shell.doctor_command import Report
from aigw_operator.shell.kube import KubeClient
from api_server import ApiServer, Fault, write_kubeconfig

NOW = 1_800_000_000.0
POD = "envoy-default-gw-0"
KINDS: tuple[Kind, ...] = (
    *(model.GATEWAY, model.GATEWAY_CLASS, model.GATEWAY_CONFIG, model.ENVOY_PROXY, model.BACKEND),
    *(model.POLICY, model.RECEIVER),
)


class Server(ApiServer):
    """An API server that also is the proxy of the receiver's Services."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.proxied: list[str] = []
        self.answers: dict[str, Any] = {}

    async def __call__(self, raw_request: aiohttp.web.BaseRequest) -> aiohttp.web.StreamResponse:
        """A request to a Service, or any other."""
        match = re.fullmatch(r"/api/v1/namespaces/aigw-telemetry/services/(.*)/proxy/api/sources", raw_request.path)
        if match is None:
            return await super().__call__(raw_request)
        self.proxied.append(match[1])
        if match[1] not in self.answers:
            body = {"kind": "Status", "message": f'no endpoints available for service "{match[1]}"'}
            return aiohttp.web.json_response(body, status=503)
        return aiohttp.web.json_response(self.answers[match[1]])


def _definition(kind: Kind, version: str) -> dict[str, Any]:
    properties = {"spec": {"properties": {"globalLLMRequestCosts": {"type": "array"}}}}
    schema = {"openAPIV3Schema": {"properties": properties}}
    return {
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {"group": kind.group, "versions": [{"name": version, "served": True, "schema": schema}]},
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }


def _paper(shards: int) -> paper.PaperCluster:
    """A Gateway that is wired, and another one that no policy selects."""
    cluster = paper.PaperCluster()
    cluster.capabilities = dataclasses.replace(cluster.capabilities, merge_type=False, resource_attributes=False)
    cluster.put(paper.gateway_class(), paper.receiver(shards=shards), paper.policy())
    cluster.put(paper.gateway("gw"), paper.gateway("free", namespace="other"))
    accepted = [{"type": kind, "status": "True", "reason": kind, "message": ""} for kind in ("Accepted", "Programmed")]
    cluster.edit(ObjectKey(model.GATEWAY, NamespacedName("default", "gw")), {"status": {"conditions": accepted}})
    cluster.settle()
    return cluster


def _fill(server: ApiServer, cluster: paper.PaperCluster, shards: int) -> None:
    """Put all of it into the server, with the pod that Envoy Gateway would have made."""
    versions = {
        model.GATEWAY: "v1",
        model.GATEWAY_CONFIG: "v1beta1",
        model.ENVOY_PROXY: "v1alpha1",
        model.BACKEND: "v1alpha1",
    }
    for kind, version in versions.items():
        server.have(model.DEFINITION, _definition(kind, version))
    for key, raw in cluster.objects.items():
        server.have(key.kind, dict(raw))
    config = cluster.objects[ObjectKey(model.GATEWAY_CONFIG, NamespacedName("default", "gw-aigw-telemetry"))]
    labels = {
        "app.kubernetes.io/name": "envoy",
        "app.kubernetes.io/component": "proxy",
        "app.kubernetes.io/managed-by": "envoy-gateway",
        "gateway.envoyproxy.io/owning-gateway-name": "gw",
        "gateway.envoyproxy.io/owning-gateway-namespace": "default",
    }
    containers = [{"name": "ai-gateway-extproc", "env": config["spec"]["extProc"]["kubernetes"]["env"]}]
    metadata = {"namespace": "envoy-gateway-system", "name": POD, "labels": labels}
    server.have(model.POD, {"metadata": metadata, "spec": {"initContainers": containers}})
    ours = {"app.kubernetes.io/managed-by": "aigw-telemetry"}
    live = {"metadata": {"namespace": "aigw-telemetry", "name": "default", "labels": ours}, "spec": {}}
    server.have(model.STATEFUL_SET, {**live, "status": {"readyReplicas": shards}})


def _heard(*pods: str) -> dict[str, Any]:
    """What a shard answers that has heard these pods a moment ago."""
    signals = {"metrics": {"last": 999.0, "interval": 10.0}, "logs": {"last": 999.0}}
    entries = [
        {"gateway_namespace": "default", "gateway_name": "gw", "gateway_pod": pod, "streams": 1, "signals": signals}
        for pod in pods
    ]
    return {"now": 1000.0, "sources": entries}


def _examine(
    folder: Path, change: Callable[[Server], None], *, shards: int = 1, namespace: str = "", gateway: str = ""
) -> tuple[Report, Server]:
    """What doctor says of that cluster."""

    async def run() -> tuple[Report, Server]:
        async with Server() as server, kmock.Server(server):
            _fill(server, _paper(shards), shards)
            server.answers["default-0:8080"] = _heard(POD)
            change(server)
            settings = Settings(kubeconfig=write_kubeconfig(folder / "config", str(server.url)))
            async with KubeClient(settings) as client:
                found = await doctor_command.examine(
                    settings, client, namespace=namespace, gateway=gateway, clock=lambda: Moment(NOW, "")
                )
            return found, server

    return asyncio.run(run())


def _nothing(_: Server) -> None:
    """The cluster as it is."""


def test_every_link_holds(tmp_path: Path) -> None:
    """A whole chain would not be read as one, or the cluster be written to."""
    found, server = _examine(tmp_path, _nothing)

    lines = found.text.splitlines()
    assert found.whole, found.text
    assert ("Gateway default/gw", "1 Gateway, every link holds") == (lines[0], lines[-1])
    assert "  ok      TelemetryReceived  Receiving: metrics from 1 of 1 pods, access logs from 1 of 1" in lines
    assert ["default-0:8080"] == server.proxied
    assert {"GET"} == {request.method for request in server.asked}


def test_every_shard_is_asked(tmp_path: Path) -> None:
    """A Gateway that another shard than the first serves would look silent."""

    def change(server: Server) -> None:
        server.answers = {"default-0:8080": _heard(), "default-1:8080": _heard(POD)}

    found, server = _examine(tmp_path, change, shards=2)
    assert (True, ["default-0:8080", "default-1:8080"]) == (found.whole, sorted(server.proxied)), found.text


def test_a_broken_link(tmp_path: Path) -> None:
    """A script would not learn of it, or a person not why."""
    found, _ = _examine(tmp_path, lambda server: server.answers.clear())

    expected = (
        "  broken  TelemetryReceived  ReceiverUnreachable: the sources of TelemetryReceiver aigw-telemetry/default are "
        "not known: Service aigw-telemetry/default-0, asked through the API server: 503: no endpoints available for "
        'service "default-0:8080"; see the receiver\'s pods'
    )
    assert (False, expected, "", "1 Gateway, 1 with a broken link") == (found.whole, *found.text.splitlines()[-3:])


def test_an_answer_that_is_no_list_of_sources(tmp_path: Path) -> None:
    """Something else behind the Service would end in a traceback."""
    found, _ = _examine(tmp_path, lambda server: server.answers.update({"default-0:8080": {"now": 1}}))

    assert "asked through the API server: not a list of sources: 'sources'" in found.text


@pytest.mark.parametrize(
    ("namespace", "gateway", "expected"),
    [
        ("", "", ["Gateway default/gw"]),
        ("default", "", ["Gateway default/gw"]),
        ("", "free", ["Gateway other/free"]),
        ("default", "free", ["Gateway default/free"]),
        ("other", "", []),
    ],
)
def test_which_gateways(tmp_path: Path, namespace: str, gateway: str, expected: list[str]) -> None:
    """A person would be told of other Gateways than those that they asked for."""
    found, _ = _examine(tmp_path, _nothing, namespace=namespace, gateway=gateway)

    assert expected == [line for line in found.text.splitlines() if line.startswith("Gateway ")]


def test_no_policy_at_all(tmp_path: Path) -> None:
    """A script would take a cluster where nothing is wired for one where all is well."""
    found, _ = _examine(tmp_path, lambda server: server.remove(model.POLICY, "default", "all"))

    text = "  broken  TelemetryPolicy    no TelemetryPolicy selects a Gateway; write one, as in examples/\n"
    assert Report(text, whole=False) == found


def test_a_cluster_that_refuses(tmp_path: Path) -> None:
    """What may not be looked at would count as missing."""
    fault = Fault(lambda request: request.plural == "gateways", 403)
    with pytest.raises(errors.ForbiddenError, match="403: a fault of the test"):
        _examine(tmp_path, lambda server: server.faults.append(fault))


def test_the_count_at_the_end() -> None:
    """With many Gateways nobody would see how many there are to mend."""
    good, bad = (Link("CRDs", State.HOLDS, "a"),), (Link("CRDs", State.BROKEN, "b"), Link("Gateway", State.NOTED, "c"))
    text = (
        "Gateway n/a\n  ok      CRDs               a\n\n"
        "Gateway n/b\n  broken  CRDs               b\n  note    Gateway            c\n\n"
        "2 Gateways, 1 with a broken link\n"
    )
    assert Report(text, whole=False) == doctor_command.report([("n/a", good), ("n/b", bad)])


def _program(folder: Path, *arguments: str, kubeconfig: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "aigw_operator.main", "doctor", "--kubeconfig", kubeconfig, *arguments]
    environment = {"HOME": str(folder), "PATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_program_without_a_cluster(tmp_path: Path) -> None:
    """A script would take a cluster that cannot be asked for one that is whole, or one that is broken."""
    server = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    status, output, error = _program(tmp_path, "-n", "default", "gw", kubeconfig=server)
    assert (2, "") == (status, output)
    assert error.startswith("aigw-operator: GET /apis/apiextensions.k8s.io/v1/customresourcedefinitions?")

    status, output, error = _program(tmp_path, kubeconfig=str(tmp_path / "none"))
    assert (2, "") == (status, output)
    assert "aigw-operator: no way to the API server: " in error


@pytest.mark.parametrize(("answers", "status"), [({"default-0:8080": _heard(POD)}, 0), ({}, 1)])
async def test_the_program(tmp_path: Path, answers: dict[str, Any], status: int) -> None:
    """The exit status would not be what scripts are promised."""
    async with Server() as server, kmock.Server(server):
        _fill(server, _paper(1), 1)
        server.answers = answers
        kubeconfig = write_kubeconfig(tmp_path / "config", str(server.url))
        found = await asyncio.to_thread(_program, tmp_path, kubeconfig=kubeconfig)

    assert (status, "") == (found[0], found[2])
    assert found[1].startswith("Gateway default/gw\n  ok      CRDs ")
