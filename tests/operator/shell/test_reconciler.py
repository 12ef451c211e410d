"""One key: plans until one has no writes, each write seen by the next plan, and no write after one that failed."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aigw_operator.core import model
from aigw_operator.core.actions import Action, Create, Delete, Event, Failures, Patch, Plan
from aigw_operator.core.model import Installation, Kind, Moment, NamespacedName, ObjectKey, Raw
from aigw_operator.core.snapshot import Snapshot
from aigw_operator.shell import errors
from aigw_operator.shell.kube import Listing
from aigw_operator.shell.reconciler import Reconciler
from aigw_operator.shell.store import Store
from aigw_operator.shell.telemetry import Telemetry
from fake_planner import CONFIG_VERSION, TEMPLATES, FakeAffected, FakePlanner

_GATEWAY = ObjectKey(model.GATEWAY, NamespacedName("ns", "g"))
_POLICY = ObjectKey(model.POLICY, NamespacedName("ns", "p"))
_CONFIG = ObjectKey(model.GATEWAY_CONFIG, NamespacedName("ns", "g-config"))
_READ = f"list GatewayConfig {CONFIG_VERSION} ns metadata.name=g-config"
_NOW = Moment(0.0, "2026-01-01T00:00:00Z")


class _Cluster:
    """A cluster that answers with what it is given, one version higher, or with an error."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failing: dict[str, errors.KubeError] = {}
        self.live: dict[str, Any] | None = None
        self.posted: list[Raw] = []
        self._version = 100

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise self.failing[name]

    def _answer(self, key: ObjectKey, body: Raw) -> dict[str, Any]:
        self._version += 1
        metadata = {"namespace": key.name.namespace, "name": key.name.name, "uid": "u"}
        return {**body, "metadata": {**body["metadata"], **metadata, "resourceVersion": str(self._version)}}

    async def get(self, key: ObjectKey, api_version: str) -> dict[str, Any]:
        raise NotImplementedError

    async def list(
        self, kind: Kind, api_version: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> Listing:
        self._called(f"list {kind.kind} {api_version} {namespace} {labels}{fields}")
        key = ObjectKey(kind, NamespacedName(namespace, fields.removeprefix("metadata.name=")))
        return Listing((self._answer(key, self.live),) if self.live else ())

    async def create(self, key: ObjectKey, body: Raw) -> dict[str, Any]:
        self._called(f"create {key.kind.kind}")
        return self._answer(key, body)

    async def merge_patch(
        self, key: ObjectKey, api_version: str, body: Raw, *, subresource: str = ""
    ) -> dict[str, Any]:
        del api_version
        self._called(f"patch {key.kind.kind} {subresource}".strip())
        return self._answer(key, body)

    async def apply(self, key: ObjectKey, body: Raw) -> dict[str, Any]:
        self._called(f"apply {key.kind.kind}")
        return self._answer(key, body)

    async def delete(self, key: ObjectKey, api_version: str, *, uid: str, resource_version: str) -> None:
        del api_version
        self._called(f"delete {key.kind.kind} {uid} {resource_version}")

    async def post_event(self, namespace: str, body: Raw) -> None:
        self._called(f"event {namespace}")
        self.posted.append(body)

    async def get_path(self, path: str) -> dict[str, Any]:
        raise NotImplementedError


class _Planner(FakePlanner):
    """Plans for Gateways that a test gives one by one; what each has seen is kept."""

    def __init__(self, plans: Iterator[Plan]) -> None:
        self._plans = plans
        self.seen: list[Snapshot] = []
        self.failures: list[dict[ObjectKey, str]] = []

    def plan_gateway(self, snapshot: Snapshot, name: NamespacedName, installation: Installation, now: Moment) -> Plan:
        del name, installation
        assert _NOW == now
        self.seen.append(snapshot)
        return next(self._plans, Plan())

    def plan_policy(
        self,
        snapshot: Snapshot,
        name: NamespacedName,
        installation: Installation,
        failures: Failures,
        now: Moment,
    ) -> Plan:
        del snapshot, name, installation, now
        self.failures.append(dict(failures))
        return Plan()


class _Setup:
    """A reconciler and all that is around it."""

    def __init__(self, *plans: Plan, endless: Callable[[], Plan] | None = None) -> None:
        self.cluster = _Cluster()
        self.store = Store()
        for key in (_GATEWAY, _POLICY):
            metadata = {"namespace": "ns", "name": key.name.name, "uid": "u", "resourceVersion": "1"}
            self.store.upsert(key.kind, {"metadata": metadata, "spec": {}})
        self.planner = _Planner(iter(plans) if endless is None else iter(endless, None))
        self.telemetry = Telemetry()
        self.enqueued: list[tuple[ObjectKey, float]] = []
        self.reconciler = Reconciler(
            self.store,
            self.cluster,
            planner=self.planner,
            affected=FakeAffected(),
            installation=Installation(),
            templates=TEMPLATES,
            telemetry=self.telemetry,
            enqueue=lambda key, after: self.enqueued.append((key, after)),
            instance="pod",
            clock=lambda: _NOW,
        )

    def reconcile(self, key: ObjectKey = _GATEWAY) -> None:
        asyncio.run(self.reconciler.reconcile(key))

    def count(self, name: str, **labels: str) -> float | None:
        return self.telemetry.registry.get_sample_value(f"aigw_operator_{name}", labels)


def _create() -> Create:
    return Create(_CONFIG, {"apiVersion": CONFIG_VERSION, "metadata": {}, "spec": {"step": 1}}, "it is missing")


def _patch(step: int = 2) -> Patch:
    return Patch(_CONFIG, CONFIG_VERSION, {"metadata": {}, "spec": {"step": step}}, "it differs")


def _steps(setup: _Setup) -> list[Any]:
    configs = [snapshot.configs.get(_CONFIG.name) for snapshot in setup.planner.seen]
    return [None if config is None else config.spec["step"] for config in configs]


def test_plan_after_plan() -> None:
    """A plan does not see what the one before has written, or nobody plans after a write."""
    setup = _Setup(Plan((_create(),)), Plan((_patch(),)), Plan())
    setup.reconcile()

    assert ["create GatewayConfig", "patch GatewayConfig"] == setup.cluster.calls
    assert [None, 1, 2] == _steps(setup)
    assert 1.0 == setup.count("api_writes_total", kind="GatewayConfig", verb="create", result="ok")
    assert 1.0 == setup.count("reconciles_total", kind="Gateway", result="ok")


def test_nothing_to_do() -> None:
    """A key that is as it shall be causes a write, or its policy is not told."""
    setup = _Setup(Plan(recheck_after=20.0))
    setup.reconcile()

    assert ([], [(_GATEWAY, 20.0), (_POLICY, 1.0)]) == (setup.cluster.calls, setup.enqueued)


def test_others_get_their_turn() -> None:
    """Hundreds of Gateways with nothing to do, after a resync, keep the probes waiting until the operator is killed."""
    setup = _Setup()
    turns: list[str] = []

    async def run() -> None:
        asyncio.get_running_loop().call_soon(turns.append, "probe")
        await setup.reconciler.reconcile(_GATEWAY)
        turns.append("reconciled")

    asyncio.run(run())
    assert ["probe", "reconciled"] == turns


def test_others_are_told_of_a_write() -> None:
    """Who shares an object with a Gateway is not told of the write, since the watch has no news of it."""
    setup = _Setup(Plan((_create(),)))
    setup.reconcile()

    namespace = ObjectKey(model.NAMESPACE, NamespacedName("", "ns"))
    assert [(namespace, 0.0), (_POLICY, 1.0), (_POLICY, 1.0)] == setup.enqueued


def test_plans_without_end(caplog: pytest.LogCaptureFixture) -> None:
    """A plan that never has enough keeps a worker and the API server busy for ever."""
    setup = _Setup(endless=lambda: Plan((_patch(),)))
    setup.reconcile()

    assert 12 == len(setup.cluster.calls)
    assert (_GATEWAY, 5.0) in setup.enqueued
    assert ["Gateway ns/g needs more than 12 plans"] == [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("error", "calls", "told"),
    [
        (errors.ConflictError("409: changed"), [_READ], {}),
        (
            errors.NotFoundError("404: gone"),
            [_READ],
            {_GATEWAY: "404: gone"},
        ),
        (errors.ForbiddenError("403: no"), [], {_GATEWAY: "403: no"}),
        (errors.UnavailableError("500: oh"), [], {_GATEWAY: "500: oh"}),
    ],
)
def test_write_that_fails(error: errors.KubeError, calls: list[str], told: dict[ObjectKey, str]) -> None:
    """What follows a failed write is written, what is stale is not read again, or the status does not hear of it."""
    setup = _Setup(Plan((_create(), _patch())))
    setup.cluster.failing = {"create GatewayConfig": error}
    setup.cluster.live = {"metadata": {}, "spec": {"step": 9}}
    with pytest.raises(type(error)):
        setup.reconcile()

    assert ["create GatewayConfig", *calls] == setup.cluster.calls
    assert ([9] if calls else []) == [live.spec["step"] for live in setup.store.snapshot().configs.values()]
    assert ([(_POLICY, 1.0)] if told else []) == setup.enqueued
    result = errors.result_of(error)
    assert 1.0 == setup.count("api_writes_total", kind="GatewayConfig", verb="create", result=result)
    assert 1.0 == setup.count("reconciles_total", kind="Gateway", result=result)

    setup.reconcile(_POLICY)
    assert [told] == setup.planner.failures


def test_failure_is_forgotten() -> None:
    """A status tells for ever of a failure that is over."""
    setup = _Setup(Plan((_create(),)))
    setup.cluster.failing = {"create GatewayConfig": errors.ForbiddenError("403: no")}
    with pytest.raises(errors.ForbiddenError):
        setup.reconcile()
    setup.cluster.failing = {}
    setup.reconcile()
    setup.reconcile(_POLICY)

    assert [{}] == setup.planner.failures


@pytest.mark.parametrize("refused", [{}, {_READ: errors.NotFoundError("404: no such kind")}])
def test_refresh_of_what_is_gone(refused: dict[str, errors.KubeError]) -> None:
    """An object that is gone, or its whole kind, stays in the store, so that each try patches it again."""
    setup = _Setup(Plan((_create(),)), Plan((_patch(),)))
    setup.cluster.failing = {"patch GatewayConfig": errors.NotFoundError("404: gone"), **refused}
    with pytest.raises(errors.NotFoundError):
        setup.reconcile()

    assert {} == setup.store.snapshot().configs


def test_refresh_that_fails() -> None:
    """A refresh that fails hides the error that it was for, or takes away an object that is there."""
    setup = _Setup(Plan((_create(),)), Plan((_patch(),)))
    setup.cluster.failing = {
        "patch GatewayConfig": errors.ConflictError("409: changed"),
        _READ: errors.UnavailableError("500: oh"),
    }
    with pytest.raises(errors.ConflictError):
        setup.reconcile()

    assert [_CONFIG.name] == list(setup.store.snapshot().configs)


@pytest.mark.parametrize("error", [None, errors.NotFoundError("404: gone")])
def test_deletion(error: errors.NotFoundError | None) -> None:
    """A deletion has no preconditions, leaves the object in the store, or fails where somebody was faster."""
    removal: Action = Delete(_CONFIG, CONFIG_VERSION, "u", "101", "nobody uses it")
    setup = _Setup(Plan((_create(),)), Plan((removal,)))
    if error is not None:
        setup.cluster.failing = {"delete GatewayConfig u 101": error}
    setup.reconcile()

    assert ["create GatewayConfig", "delete GatewayConfig u 101"] == setup.cluster.calls
    assert [None, 1, None] == _steps(setup)


def _event() -> Event:
    return Event(_GATEWAY, "gateway.networking.k8s.io/v1", "u", "Warning", "Refused", "ü" * 600, "Inject")


def test_events() -> None:
    """A transition is told before it is true, in another shape than the API takes, or too long for it."""
    setup = _Setup(Plan((_create(),), events=(_event(),)))
    setup.reconcile()

    assert ["create GatewayConfig", "event ns"] == setup.cluster.calls
    expected = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": "g-", "namespace": "ns"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "telemetry.aigw.dev/operator",
        "reportingInstance": "pod",
        "type": "Warning",
        "reason": "Refused",
        "action": "Inject",
        "note": "ü" * 512,
        "regarding": {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "namespace": "ns",
            "name": "g",
            "uid": "u",
        },
    }
    assert [expected] == setup.cluster.posted


def test_lost_event(caplog: pytest.LogCaptureFixture) -> None:
    """An Event that cannot be posted fails the reconcile, and with it all that it has done."""
    setup = _Setup(Plan((_create(),), events=(_event(),)))
    setup.cluster.failing = {"event ns": errors.ForbiddenError("403: no")}
    setup.reconcile()

    assert ["an Event at Gateway ns/g is lost"] == [record.getMessage() for record in caplog.records]


def test_key_of_another_kind() -> None:
    """A key that nobody plans for is dropped in silence."""
    with pytest.raises(ValueError, match="Pod ns/p is no key of the queue"):
        _Setup().reconcile(ObjectKey(model.POD, NamespacedName("ns", "p")))
