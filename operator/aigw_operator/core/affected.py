"""Whose plan may change with an object: the keys of the queue that an event on it concerns. It reads no event."""

from collections.abc import Iterable

from aigw_operator.core import record
from aigw_operator.core.model import (
    BACKEND,
    CHILDREN,
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
    Gateway,
    NamespacedName,
    ObjectKey,
)
from aigw_operator.core.snapshot import Snapshot

Keys = frozenset[ObjectKey]


def affected(snapshot: Snapshot, key: ObjectKey) -> Keys:
    """The Gateways, namespaces, policies and receivers whose plan looks at this object.

    An object that is gone is asked for in a snapshot that still has it, as well as in one that has it no more.
    """
    name = key.name
    match key.kind.kind:
        case GATEWAY.kind:
            return _gateway(snapshot, name)
        case GATEWAY_CLASS.kind:
            return _of(snapshot, (item for item in snapshot.gateways.values() if item.class_name == name.name))
        case GATEWAY_CONFIG.kind | ENVOY_PROXY.kind | BACKEND.kind:
            return _document(snapshot, key)
        case POLICY.kind:
            return _in_namespace(snapshot, name.namespace) | {key}
        case RECEIVER.kind:
            return _receiver(snapshot, name) | {key}
        case NAMESPACE.kind:
            return _in_namespace(snapshot, name.name)
        case POD.kind | DEPLOYMENT.kind:
            live = (snapshot.pods if key.kind == POD else snapshot.deployments).get(name)
            return _gateway(snapshot, live.gateway) if live is not None else frozenset()
        case DEFINITION.kind:
            return everything(snapshot)
        case kind if kind in CHILDREN:
            return _child(snapshot, key)
    return frozenset()


def everything(snapshot: Snapshot) -> Keys:
    """All keys: what a resync puts into the queue."""
    namespaces = {
        name.namespace for name in (*snapshot.gateways, *snapshot.configs, *snapshot.proxies, *snapshot.backends)
    }
    return frozenset(
        [ObjectKey(GATEWAY, name) for name in snapshot.gateways]
        + [ObjectKey(POLICY, name) for name in snapshot.policies]
        + [ObjectKey(RECEIVER, name) for name in snapshot.receivers]
        + [ObjectKey(NAMESPACE, NamespacedName("", name)) for name in namespaces]
    )


def policies_of(snapshot: Snapshot, namespace: str) -> Keys:
    """The policies of a namespace: theirs is the status that tells of its Gateways."""
    return frozenset(
        ObjectKey(POLICY, policy.meta.name) for policy in snapshot.policies_by_namespace.get(namespace, ())
    )


def _sweep(namespace: str) -> ObjectKey:
    return ObjectKey(NAMESPACE, NamespacedName("", namespace))


def _of(snapshot: Snapshot, gateways: Iterable[Gateway]) -> Keys:
    names = [gateway.meta.name for gateway in gateways]
    found = {ObjectKey(GATEWAY, name) for name in names}
    for namespace in {name.namespace for name in names}:
        found |= policies_of(snapshot, namespace) | {_sweep(namespace)}
    return frozenset(found)


def _in_namespace(snapshot: Snapshot, namespace: str) -> Keys:
    mine = snapshot.gateways_by_namespace.get(namespace, ())
    return _of(snapshot, mine) | policies_of(snapshot, namespace) | {_sweep(namespace)}


def _gateway(snapshot: Snapshot, name: NamespacedName) -> Keys:
    """A Gateway, and those that share a GatewayConfig or an EnvoyProxy with it: they must agree."""
    found = {ObjectKey(GATEWAY, name), _sweep(name.namespace)} | policies_of(snapshot, name.namespace)
    gateway = snapshot.gateways.get(name)
    if gateway is None:
        return frozenset(found)
    peers: list[Gateway] = []
    if gateway.config:
        peers += snapshot.gateways_by_config[NamespacedName(name.namespace, gateway.config)]
    if gateway.parameters:
        alike = snapshot.gateways_by_parameters[gateway.parameters.name]
        peers += [peer for peer in alike if peer.parameters == gateway.parameters]
    return frozenset(found | {ObjectKey(GATEWAY, peer.meta.name) for peer in peers})


def _document(snapshot: Snapshot, key: ObjectKey) -> Keys:
    """A GatewayConfig, EnvoyProxy or Backend: what refers to it, or would."""
    namespace = key.name.namespace
    if key.kind == BACKEND:
        return _in_namespace(snapshot, namespace)
    found = _would_refer(snapshot, key)
    if key.kind == GATEWAY_CONFIG:
        found += snapshot.gateways_by_config.get(key.name, ())
        return _of(snapshot, found) | {_sweep(namespace)}
    found += snapshot.gateways_by_parameters.get(key.name, ())
    if classes := snapshot.classes_of(key.name):
        found += [gateway for gateway in snapshot.gateways.values() if gateway.class_name in classes]
    return _of(snapshot, found) | {_sweep(namespace)}


def _would_refer(snapshot: Snapshot, key: ObjectKey) -> list[Gateway]:
    """The Gateway for which we would make an object of this name."""
    namespace, name = key.name
    maker = snapshot.gateways.get(NamespacedName(namespace, name.removesuffix(f"-{record.OWNER}")))
    return [maker] if maker is not None and record.own_name(maker.meta.name) == key.name else []


def _receiver(snapshot: Snapshot, name: NamespacedName) -> Keys:
    namespaces = {policy.meta.name.namespace for policy in snapshot.policies.values() if policy.receiver == name}
    return frozenset[ObjectKey]().union(*(_in_namespace(snapshot, namespace) for namespace in namespaces))


def _child(snapshot: Snapshot, key: ObjectKey) -> Keys:
    """An object of a receiver, which bears the receiver's name in a label."""
    live = snapshot.children.get(key)
    owner = live.meta.labels.get("app.kubernetes.io/instance") if live is not None else None
    name = NamespacedName(key.name.namespace, owner or key.name.name)
    return frozenset({ObjectKey(RECEIVER, name)}) if name in snapshot.receivers else frozenset()
