"""Three writers and one store: answers to our writes, watch events and lists, in any order."""

from typing import Any

import pytest

from aigw_operator.core import model
from aigw_operator.core.model import NamespacedName, ObjectKey, Receiver, Source, Sources
from aigw_operator.shell.store import Changed, Store

_NAME = NamespacedName("ns", "a")
_KEY = ObjectKey(model.GATEWAY_CONFIG, _NAME)


def _config(version: int | str, *, uid: str = "u1", name: str = "a", mark: str = "") -> dict[str, Any]:
    metadata = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "GatewayConfig", "metadata": metadata, "spec": {"mark": mark or str(version)}}


def _marks(store: Store) -> dict[str, str]:
    return {name.name: document.spec["mark"] for name, document in store.snapshot().configs.items()}


def test_newer_event() -> None:
    """News are not taken in, or what is known already counts as news."""
    store = Store()

    seen = [store.upsert(model.GATEWAY_CONFIG, _config(version)) for version in (5, 5, 6)]
    assert ([True, False, True], {"a": "6"}) == (seen, _marks(store))


@pytest.mark.parametrize("late", [99, 5])
def test_event_older_than_our_write(late: int) -> None:
    """A watch that is behind brings back what we have just overwritten (as text, 99 would be greater than 100)."""
    store = Store()
    store.upsert(model.GATEWAY_CONFIG, _config(100))

    assert (False, {"a": "100"}) == (store.upsert(model.GATEWAY_CONFIG, _config(late)), _marks(store))


def test_versions_that_are_no_numbers() -> None:
    """An API server whose versions cannot be compared is not believed any more."""
    store = Store()
    store.upsert(model.GATEWAY_CONFIG, _config("b"))

    assert (True, {"a": "a"}) == (store.upsert(model.GATEWAY_CONFIG, _config("a")), _marks(store))


def test_late_event_of_what_we_deleted() -> None:
    """An object that we have deleted comes back by a late event, or its successor of the same name does not come."""
    store = Store()
    store.upsert(model.GATEWAY_CONFIG, _config(5))
    store.forget(_KEY, "u1")

    assert (False, {}) == (store.upsert(model.GATEWAY_CONFIG, _config(6)), _marks(store))
    assert (True, {"a": "9"}) == (store.upsert(model.GATEWAY_CONFIG, _config(9, uid="u2")), _marks(store))


def test_late_answer_after_a_deletion() -> None:
    """The answer to our patch brings back an object whose deletion was seen before the answer came."""
    store = Store()
    store.upsert(model.GATEWAY_CONFIG, _config(5))

    assert store.remove(model.GATEWAY_CONFIG, _config(7))
    assert not store.upsert(model.GATEWAY_CONFIG, _config(6))
    assert {} == _marks(store)


def test_late_deletion_of_a_predecessor() -> None:
    """The deletion of an object takes away its successor, which we have created before the event came."""
    store = Store()
    store.upsert(model.GATEWAY_CONFIG, _config(9, uid="u2"))

    assert (False, {"a": "9"}) == (store.remove(model.GATEWAY_CONFIG, _config(7)), _marks(store))


def test_forget_what_was_not_found() -> None:
    """What a GET has not found stays, or cannot come back."""
    store = Store()
    store.upsert(model.GATEWAY_CONFIG, _config(5))
    store.forget(_KEY, "")
    assert {} == _marks(store)

    store.upsert(model.GATEWAY_CONFIG, _config(6))
    assert {"a": "6"} == _marks(store)


def test_list_replaces() -> None:
    """A list does not repair what the watch missed, or does not say what it repaired."""
    store = Store()
    for raw in (_config(5), _config(6, name="b"), _config(7, name="c")):
        store.upsert(model.GATEWAY_CONFIG, raw)

    changed = store.replace(model.GATEWAY_CONFIG, [_config(5), _config(8, name="b")], store.mark())
    assert [Changed(NamespacedName("ns", "b"), "8"), Changed(NamespacedName("ns", "c"), "")] == changed
    assert {"a": "5", "b": "8"} == _marks(store)


def test_list_after_a_restored_backup() -> None:
    """resourceVersions that have fallen keep a list from repairing."""
    store = Store()
    store.upsert(model.GATEWAY_CONFIG, _config(100))
    store.replace(model.GATEWAY_CONFIG, [_config(50)], store.mark())

    assert {"a": "50"} == _marks(store)


def test_writes_during_a_list() -> None:
    """A list brings back what has changed while it was on its way: a write, a creation, a deletion."""
    store = Store()
    store.upsert(model.GATEWAY_CONFIG, _config(5))
    store.upsert(model.GATEWAY_CONFIG, _config(6, name="b", uid="u2"))
    mark = store.mark()
    store.upsert(model.GATEWAY_CONFIG, _config(10))
    store.forget(ObjectKey(model.GATEWAY_CONFIG, NamespacedName("ns", "b")), "u2")
    store.upsert(model.GATEWAY_CONFIG, _config(11, name="c", uid="u3"))

    assert [] == store.replace(model.GATEWAY_CONFIG, [_config(5), _config(6, name="b", uid="u2")], mark)
    assert {"a": "10", "c": "11"} == _marks(store)


def test_a_deletion_is_remembered_until_the_next_list() -> None:
    """The store grows for ever with what is gone."""
    store = Store()
    store.upsert(model.GATEWAY_CONFIG, _config(5))
    store.forget(_KEY, "u1")
    store.replace(model.GATEWAY_CONFIG, [], store.mark())
    store.upsert(model.GATEWAY_CONFIG, _config(6))

    assert {"a": "6"} == _marks(store)


def test_snapshot_stays() -> None:
    """A plan sees the store change below it."""
    store = Store()
    store.upsert(model.GATEWAY_CONFIG, _config(5))
    before = store.snapshot()
    store.upsert(model.GATEWAY_CONFIG, _config(6))

    assert "5" == before.configs[_NAME].spec["mark"]
    assert store.snapshot().configs is store.snapshot().configs


def _gateway(version: int, config: str) -> dict[str, Any]:
    annotations = {"aigateway.envoyproxy.io/gateway-config": config}
    metadata = {"namespace": "ns", "name": "gw", "uid": "g", "resourceVersion": str(version)}
    return {"metadata": {**metadata, "annotations": annotations}, "spec": {"gatewayClassName": "eg"}}


def test_snapshots_share_what_has_not_changed() -> None:
    """Each event costs as much as all objects together; or a plan finds Gateways by what they referred to before."""
    store = Store()
    store.upsert(model.GATEWAY, _gateway(1, "a"))
    first = store.snapshot()
    assert [_NAME] == list(first.gateways_by_config)
    assert first is store.snapshot()

    store.upsert(model.GATEWAY_CONFIG, _config(2))
    second = store.snapshot()
    assert first.gateways_by_config is second.gateways_by_config
    assert [_NAME] == list(second.configs)

    store.upsert(model.GATEWAY, _gateway(3, "b"))
    assert [NamespacedName("ns", "b")] == list(store.snapshot().gateways_by_config)


def test_news_of_a_receiver_are_in_the_next_snapshot() -> None:
    """TelemetryReceived stays as it was when the operator began to look."""
    store, name = Store(), NamespacedName("ns", "r")
    store.upsert(model.RECEIVER, {"metadata": {"namespace": "ns", "name": "r", "uid": "r"}, "spec": {}})
    for pod in ("one", "two"):
        heard = Source(NamespacedName("ns", "gw"), pod)
        store.hear(name, Sources((heard,)))
        assert {(name, heard.gateway): (heard,)} == store.snapshot().heard_by_gateway


def test_what_is_of_no_interest() -> None:
    """A pod of nobody's Gateway is kept, or one that was relabelled stays."""
    store = Store()
    labels = {
        "app.kubernetes.io/name": "envoy",
        "app.kubernetes.io/component": "proxy",
        "app.kubernetes.io/managed-by": "envoy-gateway",
        "gateway.envoyproxy.io/owning-gateway-name": "g",
        "gateway.envoyproxy.io/owning-gateway-namespace": "ns",
    }
    pod = {"metadata": {"namespace": "eg", "name": "p", "uid": "u", "resourceVersion": "5", "labels": labels}}
    bare = {"metadata": {"namespace": "eg", "name": "p", "uid": "u", "resourceVersion": "6"}}

    assert (True, True, False) == (
        store.upsert(model.POD, pod),
        store.upsert(model.POD, bare),
        store.upsert(model.POD, bare),
    )
    assert {} == store.snapshot().pods


def test_every_kind_is_in_the_snapshot() -> None:
    """A kind is parsed into another part of the snapshot, or into none."""
    store = Store()
    ours = {"app.kubernetes.io/managed-by": "aigw-telemetry"}
    for kind in (model.GATEWAY, model.ENVOY_PROXY, model.BACKEND, model.POLICY, model.RECEIVER, model.STATEFUL_SET):
        store.upsert(kind, {"metadata": {"namespace": "ns", "name": kind.kind, "labels": ours}, "spec": {}})
    store.upsert(model.NAMESPACE, {"metadata": {"name": "ns", "labels": {"team": "a"}}})
    store.upsert(model.GATEWAY_CLASS, {"metadata": {"name": "eg"}, "spec": {"controllerName": "c"}})
    snapshot = store.snapshot()

    parts = (snapshot.gateways, snapshot.proxies, snapshot.backends, snapshot.policies, snapshot.receivers)
    names = [name.name for part in parts for name in part]
    assert ["Gateway", "EnvoyProxy", "Backend", "TelemetryPolicy", "TelemetryReceiver"] == names
    assert {"ns": {"team": "a"}} == snapshot.namespaces
    assert {"eg": "c"} == {name: value.controller for name, value in snapshot.classes.items()}
    assert [ObjectKey(model.STATEFUL_SET, NamespacedName("ns", "StatefulSet"))] == list(snapshot.children)


def test_sources_of_a_receiver_that_is_gone() -> None:
    """What a receiver has heard outlives it."""
    store = Store()
    name = NamespacedName("ns", "r")
    sources = Sources((Source(NamespacedName("ns", "g"), "p"),))
    store.hear(name, sources)
    assert {} == store.snapshot().sources

    raw = {"metadata": {"namespace": "ns", "name": "r"}, "spec": {}}
    store.upsert(model.RECEIVER, raw)
    assert isinstance(store.snapshot().receivers[name], Receiver)
    assert {name: sources} == store.snapshot().sources


def test_managed_fields_are_dropped() -> None:
    """The store keeps what is as large as all the rest and read by nobody."""
    store = Store()
    raw = _config(5)
    raw["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    store.upsert(model.GATEWAY_CONFIG, raw)

    assert "managedFields" not in store.snapshot().configs[_NAME].raw["metadata"]
    assert "managedFields" in raw["metadata"]


def _definition(version: int, *, established: str = "True") -> dict[str, Any]:
    schema = {"description": "long", "properties": {"description": {"type": "string", "description": "longer"}}}
    return {
        "metadata": {"name": "gateways.gateway.networking.k8s.io", "resourceVersion": str(version)},
        "spec": {
            "group": "gateway.networking.k8s.io",
            "versions": [{"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}}],
        },
        "status": {"conditions": [{"type": "Established", "status": established}]},
    }


def test_capabilities_follow_the_definitions() -> None:
    """A kind that is installed later is not noticed, an old event un-installs it, or another's definition counts."""
    store = Store()
    name = "gateways.gateway.networking.k8s.io"

    assert (False, "") == (store.define(name, _definition(4, established="False")), store.capabilities.gateway_api)
    assert (True, "v1") == (store.define(name, _definition(5)), store.capabilities.gateway_api)
    assert not store.define(name, _definition(4, established="False"))
    assert not store.define("others.example.com", _definition(9))
    assert (True, "") == (store.define(name, None), store.capabilities.gateway_api)
