"""What comes in by a watch: the store follows, the keys that it concerns are put into the queue, and nothing else."""

from typing import Any

import kopf
import pytest

from aigw_operator.core import model
from aigw_operator.core.model import Kind, NamespacedName, ObjectKey
from aigw_operator.core.snapshot import Snapshot
from aigw_operator.shell import handlers, kinds
from aigw_operator.shell.handlers import Intake
from aigw_operator.shell.store import Changed, Store
from aigw_operator.shell.telemetry import Telemetry
from aigw_operator.shell.watchdog import Watchdog


class _Affected:
    """An object concerns the Gateway that its label names; all that were asked for are kept."""

    def affected(self, snapshot: Snapshot, key: ObjectKey) -> frozenset[ObjectKey]:
        gateway = snapshot.gateways.get(key.name)
        target = gateway.meta.labels.get("target") if gateway is not None else None
        return frozenset({ObjectKey(model.GATEWAY, NamespacedName("ns", target))}) if target else frozenset()

    def everything(self, snapshot: Snapshot) -> frozenset[ObjectKey]:
        return frozenset({ObjectKey(model.POLICY, NamespacedName("ns", snapshot.capabilities.gateway_api or "none"))})


class _Setup:
    """An intake and what it is connected to."""

    def __init__(self) -> None:
        self.store = Store()
        self.keys: list[tuple[str, float]] = []
        self.telemetry = Telemetry()
        self.now = 0.0
        self.watchdog = Watchdog(lambda: self.now)
        self.intake = Intake(
            self.store,
            affected=_Affected(),
            enqueue=lambda key, after: self.keys.append((key.name.name, after)),
            telemetry=self.telemetry,
            watchdog=self.watchdog,
            relisted=self._relist,
        )
        self.relisted = 0

    def _relist(self) -> None:
        self.relisted += 1

    def take(self) -> list[tuple[str, float]]:
        keys, self.keys = self.keys, []
        return keys


def _raw(version: int, target: str) -> dict[str, Any]:
    metadata = {"namespace": "ns", "name": "a", "uid": "u", "resourceVersion": str(version)}
    return {"metadata": {**metadata, "labels": {"target": target}}, "spec": {}}


def test_events() -> None:
    """An event concerns only what it was about before or only what it is about now, or what is known counts as news."""
    setup = _Setup()
    taken = []
    for event, raw in (
        (None, _raw(5, "x")),
        ("ADDED", _raw(5, "x")),
        ("MODIFIED", _raw(6, "y")),
        ("MODIFIED", _raw(4, "z")),
        ("DELETED", _raw(7, "y")),
        ("DELETED", _raw(7, "y")),
    ):
        setup.intake.observe(model.GATEWAY, event, raw)
        taken.append([name for name, _ in setup.take()])

    assert [["x"], [], ["x", "y"], [], ["y"], []] == taken
    assert 1 == setup.relisted
    assert 6.0 == setup.telemetry.registry.get_sample_value("aigw_operator_watch_events_total", {"kind": "Gateway"})


def test_definitions() -> None:
    """Not everything is looked at when the capabilities change, or it is at each change of any definition."""
    setup = _Setup()
    raw = {
        "metadata": {"name": "gateways.gateway.networking.k8s.io", "resourceVersion": "5"},
        "spec": {"group": "gateway.networking.k8s.io", "versions": [{"name": "v1", "served": True}]},
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }
    other = {"metadata": {"name": "others.example.com", "resourceVersion": "6"}, "spec": {}}
    taken = []
    for event, definition in ((None, raw), ("MODIFIED", raw), ("ADDED", other), ("DELETED", raw)):
        setup.intake.observe(model.DEFINITION, event, definition)
        taken.append(setup.take())

    assert [[("v1", 1.0)], [], [], [("none", 1.0)]] == taken


def test_the_watchdog_sees_every_event() -> None:
    """A watch is called dead although it works, since its news were known already."""
    setup = _Setup()
    setup.store.upsert(model.GATEWAY, _raw(5, "x"))
    setup.watchdog.expect(model.GATEWAY, [Changed(NamespacedName("ns", "a"), "5")])
    setup.intake.observe(model.GATEWAY, "MODIFIED", _raw(5, "x"))
    setup.now = 999.0

    assert "" == setup.watchdog.dead()


def test_settings_of_kopf() -> None:
    """kopf posts events, awaits peers, gives up on a watch, or asks for all the pods of a cluster."""
    settings = handlers.build_settings()

    assert (False, True, None) == (
        settings.posting.enabled,
        settings.peering.standalone,
        settings.queueing.worker_limit,
    )
    assert (300, 310, 500) == (
        settings.watching.server_timeout,
        settings.watching.client_timeout,
        settings.watching.chunk_size,
    )
    backoffs = settings.networking.error_backoffs
    assert not isinstance(backoffs, float)
    assert (
        [1, 1, 2, 3, 5, 8, 13, 21, 30, 30]
        == [wait for _, wait in zip(range(10), backoffs, strict=False)]
        == [wait for _, wait in zip(range(10), backoffs, strict=False)]
    )


@pytest.mark.parametrize("kind", [model.GATEWAY, model.POD])
def test_selector_of_a_kind(kind: Kind) -> None:
    """A label selector is sent with another kind of the same name, or not with another version."""

    class _Resource:
        def __init__(self, group: str, plural: str) -> None:
            self.group = group
            self.plural = plural

    selector = handlers.kopf_selector(kind)
    assert (True, False, False) == (
        selector(_Resource(kind.group, kind.plural)),
        selector(_Resource("metrics.k8s.io", kind.plural)),
        selector(_Resource(kind.group, "others")),
    )


def test_handlers_write_nothing() -> None:
    """kopf is given a handler that has it annotate or finalize objects, or a kind has none."""

    async def nothing() -> None:
        return None

    async def login() -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server="http://127.0.0.1:1")

    registry = handlers.build_registry(_Setup().intake, login=login, start=nothing, stop=nothing)
    watching = registry._watching.get_all_handlers()  # noqa: SLF001  kopf offers no other look at it
    others = (registry._changing, registry._spawning, registry._indexing, registry._webhooks)  # noqa: SLF001

    expected = {"customresourcedefinitions", *(scope.kind.plural for scope in kinds.WATCHED)}
    assert expected == {handler.id for handler in watching}
    assert [[]] * 4 == [list(other.get_all_handlers()) for other in others]
