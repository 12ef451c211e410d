"""Whose plan is looked at again when an object changes: too few keys are a Gateway that waits for a resync."""

import dataclasses
from typing import Any

import pytest

import paper_cluster as paper
from aigw_operator.core import affected
from aigw_operator.core.model import (
    BACKEND,
    CONFIG_MAP,
    DEFINITION,
    DEPLOYMENT,
    ENVOY_PROXY,
    GATEWAY,
    GATEWAY_CLASS,
    GATEWAY_CONFIG,
    NAMESPACE,
    POD,
    POLICY,
    RECEIVER,
    SERVICE,
    STATEFUL_SET,
    Deployment,
    Document,
    Kind,
    Meta,
    NamespacedName,
    ObjectKey,
    Pod,
)
from aigw_operator.core.snapshot import Snapshot

ENVOY = NamespacedName("envoy-gateway-system", "envoy-a")


def refers(name: str, namespace: str, *, config: str = "", proxy: str = "", **spec: Any) -> dict[str, Any]:
    """A Gateway that refers to these objects."""
    changes: dict[str, Any] = {"spec": spec}
    if config:
        changes["metadata"] = {"annotations": {"aigateway.envoyproxy.io/gateway-config": config}}
    if proxy:
        reference = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": proxy}
        spec["infrastructure"] = {"parametersRef": reference}
    return paper.gateway(name, namespace=namespace, **changes)


def snapshot() -> Snapshot:
    """Namespace one: a and b share a GatewayConfig, b and c an EnvoyProxy, d has none; namespace two: e, of a class."""
    found = paper.PaperCluster()
    parameters = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "of-class", "namespace": "system"}
    found.put(paper.gateway_class(), paper.gateway_class("special", parametersRef=parameters))
    found.put(paper.config("shared", namespace="one"), paper.proxy("both", namespace="one"))
    found.put(refers("a", "one", config="shared"), refers("b", "one", config="shared", proxy="both"))
    found.put(refers("c", "one", proxy="both"), refers("d", "one"))
    found.put(refers("e", "two", gatewayClassName="special"), paper.proxy("of-class", namespace="system"))
    found.put(paper.policy("p", namespace="one"), paper.policy("q", namespace="two", receiverRef={"name": "own"}))
    found.put(paper.receiver(), paper.merged(paper.receiver(), {"metadata": {"namespace": "two", "name": "own"}}))
    found.pods[ENVOY] = Pod(ENVOY, NamespacedName("one", "a"), ())
    found.deployments[ENVOY] = Deployment(Meta(ENVOY), NamespacedName("one", "d"), {})
    child = NamespacedName("aigw-telemetry", "default-0")
    labels = {"app.kubernetes.io/instance": "default"}
    children = {ObjectKey(SERVICE, child): Document(Meta(child, labels=labels), {})}
    taken = found.snapshot()
    return dataclasses.replace(taken, children=children)


def keys(*texts: str) -> set[str]:
    """Short names: a Gateway by its letter, policies p and q with the sweep of their namespace."""
    return set(texts)


def short(found: frozenset[ObjectKey]) -> set[str]:
    """Keys as short texts."""
    names = {GATEWAY: "{0.name}", POLICY: "{0.name}", RECEIVER: "receiver {0.name}", NAMESPACE: "sweep {0.name}"}
    return {names[key.kind].format(key.name) for key in found}


ONE = keys("a", "b", "c", "d", "p", "sweep one")
TWO = keys("e", "q", "sweep two")
CASES: dict[str, tuple[Kind, NamespacedName, set[str]]] = {
    "a Gateway alone": (GATEWAY, NamespacedName("one", "d"), keys("d", "p", "sweep one")),
    "a Gateway that shares its GatewayConfig": (GATEWAY, NamespacedName("one", "a"), keys("a", "b", "p", "sweep one")),
    "a Gateway that shares both": (GATEWAY, NamespacedName("one", "b"), keys("a", "b", "c", "p", "sweep one")),
    "a Gateway that is gone": (GATEWAY, NamespacedName("one", "x"), keys("x", "p", "sweep one")),
    "a class": (GATEWAY_CLASS, NamespacedName("", "special"), TWO),
    "a GatewayConfig": (GATEWAY_CONFIG, NamespacedName("one", "shared"), keys("a", "b", "p", "sweep one")),
    "a GatewayConfig of our name": (
        GATEWAY_CONFIG,
        NamespacedName("one", "d-aigw-telemetry"),
        keys("d", "p", "sweep one"),
    ),
    "a GatewayConfig of nobody": (GATEWAY_CONFIG, NamespacedName("one", "x"), keys("sweep one")),
    "an EnvoyProxy": (ENVOY_PROXY, NamespacedName("one", "both"), keys("b", "c", "p", "sweep one")),
    "an EnvoyProxy of a class": (ENVOY_PROXY, NamespacedName("system", "of-class"), TWO | keys("sweep system")),
    "an EnvoyProxy of our name": (ENVOY_PROXY, NamespacedName("one", "a-aigw-telemetry"), keys("a", "p", "sweep one")),
    "a Backend": (BACKEND, NamespacedName("one", "any"), ONE),
    "a policy": (POLICY, NamespacedName("one", "p"), ONE),
    "a policy that is gone": (POLICY, NamespacedName("three", "x"), keys("x", "sweep three")),
    "a receiver": (RECEIVER, NamespacedName("aigw-telemetry", "default"), ONE | keys("receiver default")),
    "a receiver of another namespace": (RECEIVER, NamespacedName("two", "own"), TWO | keys("receiver own")),
    "a namespace": (NAMESPACE, NamespacedName("", "two"), TWO),
    "a pod": (POD, ENVOY, keys("a", "b", "p", "sweep one")),
    "a pod of nobody": (POD, NamespacedName("x", "y"), set()),
    "a Deployment": (DEPLOYMENT, ENVOY, keys("d", "p", "sweep one")),
    "a Service of a receiver": (SERVICE, NamespacedName("aigw-telemetry", "default-0"), keys("receiver default")),
    "a StatefulSet that is not known": (
        STATEFUL_SET,
        NamespacedName("aigw-telemetry", "default"),
        keys("receiver default"),
    ),
    "a ConfigMap of nobody": (CONFIG_MAP, NamespacedName("aigw-telemetry", "x"), set()),
    "a definition": (
        DEFINITION,
        NamespacedName("", "gatewayconfigs.aigateway.envoyproxy.io"),
        ONE | TWO | keys("sweep system", "receiver default", "receiver own"),
    ),
}


@pytest.mark.parametrize("reason", CASES)
def test_affected(reason: str) -> None:
    """A change would be noticed at the next resync only, or make work for objects that it does not concern."""
    kind, name, expected = CASES[reason]
    assert expected == short(affected.affected(snapshot(), ObjectKey(kind, name)))


def test_everything() -> None:
    """A resync would pass over an object, or over what is left in a namespace without a Gateway."""
    expected = ONE | TWO | keys("sweep system", "receiver default", "receiver own")
    assert expected == short(affected.everything(snapshot()))
