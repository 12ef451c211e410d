"""Lists at the start and now and then: in which order, of what, and what the probes make of their failure."""

import asyncio
from typing import Any

import pytest

from aigw_operator.core import capabilities, model
from aigw_operator.core.model import Kind, NamespacedName
from aigw_operator.shell import errors, workqueue
from aigw_operator.shell.kube import Listing
from aigw_operator.shell.resync import Resync
from aigw_operator.shell.store import Store
from aigw_operator.shell.telemetry import Telemetry
from aigw_operator.shell.watchdog import Watchdog

_DEFINITION = {
    "metadata": {"name": "gateways.gateway.networking.k8s.io", "resourceVersion": "1"},
    "spec": {"group": "gateway.networking.k8s.io", "versions": [{"name": "v1", "served": True}]},
    "status": {"conditions": [{"type": "Established", "status": "True"}]},
}


class _Cluster:
    """Answers lists with what a test has put in, and nothing else."""

    def __init__(self) -> None:
        self.objects: dict[Kind, list[dict[str, Any]]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.failures: list[errors.KubeError] = []

    async def list(
        self, kind: Kind, api_version: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> Listing:
        self.asked.append((f"{api_version}/{kind.plural}", namespace, labels or fields))
        if kind == model.POD and self.failures:
            raise self.failures.pop()
        if kind == model.POLICY and kind not in self.objects:
            message = "404: no such resource"
            raise errors.NotFoundError(message)
        found = self.objects.get(kind, [])
        if fields:
            found = [raw for raw in found if fields == f"metadata.name={raw['metadata']['name']}"]
        return Listing(tuple(raw for raw in found if namespace in ("", raw["metadata"].get("namespace"))))

    async def _unused(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    get = create = merge_patch = apply = delete = post_event = get_path = _unused


class _Setup:
    """A resync with a clock that a test moves."""

    def __init__(self, *namespaces: str) -> None:
        self.cluster = _Cluster()
        self.store = Store()
        self.now = 0.0
        self.telemetry = Telemetry()
        self.watchdog = Watchdog(lambda: self.now)
        self.resync = Resync(
            self.store,
            self.cluster,
            period=300.0,
            telemetry=self.telemetry,
            watchdog=self.watchdog,
            namespaces=namespaces,
            clock=lambda: self.now,
        )

    def sync(self) -> None:
        asyncio.run(self.resync.sync())


def _gateway(name: str, version: int = 1, namespace: str = "ns") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name, "resourceVersion": str(version)}, "spec": {}}


def test_what_is_listed() -> None:
    """A kind is listed that is not installed, one that is served is not, or before it is known in which version."""
    setup = _Setup()
    setup.cluster.objects = {model.DEFINITION: [_DEFINITION], model.GATEWAY: [_gateway("a")]}
    setup.sync()

    definitions = [
        ("apiextensions.k8s.io/v1/customresourcedefinitions", "", f"metadata.name={name}")
        for name in capabilities.DEFINITIONS
    ]
    envoy, ours = "app.kubernetes.io/managed-by=envoy-gateway", "app.kubernetes.io/managed-by=aigw-telemetry"
    watched = [
        ("v1/namespaces", "", ""),
        ("gateway.networking.k8s.io/v1/gatewayclasses", "", ""),
        ("gateway.networking.k8s.io/v1/gateways", "", ""),
        ("telemetry.aigw.dev/v1alpha1/telemetryreceivers", "", ""),
        ("telemetry.aigw.dev/v1alpha1/telemetrypolicies", "", ""),
        ("apps/v1/deployments", "", envoy),
        ("v1/pods", "", envoy),
        ("apps/v1/statefulsets", "", ours),
    ]
    children = {
        ("v1/serviceaccounts", "", ours),
        ("v1/configmaps", "", ours),
        ("v1/services", "", ours),
        ("policy/v1/poddisruptionbudgets", "", ours),
        ("networking.k8s.io/v1/networkpolicies", "", ours),
    }
    found = setup.cluster.asked
    assert [*definitions, *watched] == found[: len(definitions) + len(watched)]
    assert children == set(found[len(definitions) + len(watched) :])
    assert [NamespacedName("ns", "a")] == list(setup.store.snapshot().gateways)


def test_some_namespaces() -> None:
    """A list of all namespaces is asked for where the rules allow two, or one of the two replaces the other."""
    setup = _Setup("x", "y")
    setup.cluster.objects = {
        model.DEFINITION: [_DEFINITION],
        model.GATEWAY: [_gateway("a", namespace="x"), _gateway("b", namespace="y"), _gateway("c", namespace="z")],
    }
    setup.sync()

    asked = {(path.rpartition("/")[2], namespace) for path, namespace, _ in setup.cluster.asked}
    assert {("gateways", "x"), ("gateways", "y"), ("namespaces", ""), ("gatewayclasses", "")} <= asked
    assert ("gateways", "") not in asked
    assert [NamespacedName("x", "a"), NamespacedName("y", "b")] == list(setup.store.snapshot().gateways)


def test_repairs() -> None:
    """The first list counts as a repair, a later one does not, or the watch is not held to show what it missed."""
    setup = _Setup()
    setup.cluster.objects = {model.DEFINITION: [_DEFINITION], model.GATEWAY: [_gateway("a"), _gateway("b")]}
    setup.sync()
    setup.cluster.objects[model.GATEWAY] = [_gateway("a", 2)]
    setup.sync()
    setup.now = 181.0

    repairs = setup.telemetry.registry.get_sample_value("aigw_operator_resync_repairs_total", {"kind": "Gateway"})
    assert 2.0 == repairs
    assert "the watch of gateways is dead: it has not shown ns/a" == setup.watchdog.dead()


def test_a_kind_that_goes_away() -> None:
    """What was of a kind that is no longer installed stays."""
    setup = _Setup()
    setup.cluster.objects = {model.DEFINITION: [_DEFINITION], model.GATEWAY: [_gateway("a")]}
    setup.sync()
    setup.cluster.objects = {}
    setup.sync()

    assert {} == setup.store.snapshot().gateways


def test_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe fails for one list that failed, never, or after one that succeeded."""
    monkeypatch.setattr(workqueue, "_FIRST", 0.0)
    setup = _Setup()
    setup.now = 900.0
    assert ("", False) == (setup.resync.dead(), setup.resync.complete)
    setup.now = 901.0
    assert "the last resync is 901 s old" == setup.resync.dead()

    setup.cluster.failures = [errors.UnavailableError("500: oh"), errors.ThrottledError("429: slow", retry_after=0.01)]
    asyncio.run(setup.resync.sync_until_done())
    assert ("", True, []) == (setup.resync.dead(), setup.resync.complete, setup.cluster.failures)


async def test_a_new_watch_asks_for_a_list_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was deleted between the first list and the first watch would stay known for minutes."""
    monkeypatch.setattr("aigw_operator.shell.resync._AFTER_NEW_WATCH", 0.0)
    setup = _Setup()
    setup.cluster.objects = {model.DEFINITION: [_DEFINITION]}
    listed = asyncio.Event()
    task = asyncio.create_task(setup.resync.run(listed.set))
    await asyncio.sleep(0)
    assert [] == setup.cluster.asked

    setup.resync.ask()
    await asyncio.wait_for(listed.wait(), 10)
    task.cancel()
    assert setup.resync.complete
