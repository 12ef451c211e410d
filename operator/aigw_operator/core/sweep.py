"""What is left over in a namespace: objects of ours, and notes of ours, that no Gateway refers to any more.

A Gateway that is gone cannot be asked, so this looks from the other side: at what bears our label or our note. What
Envoy Gateway may still be looking at is marked first and deleted some seconds later.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from aigw_operator.core import actions, backend, gateway_config, moments, record, unwiring, wiring
from aigw_operator.core.actions import Step
from aigw_operator.core.effective import Effective, Verdict
from aigw_operator.core.model import (
    BACKEND,
    ENVOY_PROXY,
    GATEWAY_CONFIG,
    Document,
    Gateway,
    Kind,
    Moment,
    NamespacedName,
    ObjectKey,
)
from aigw_operator.core.snapshot import Snapshot


def plan(snapshot: Snapshot, namespace: str, decide: Callable[[Gateway], Effective], now: Moment) -> Step:
    """What is to be undone or deleted next in a namespace, apart from what its Gateways refer to."""
    gateways = snapshot.gateways_by_namespace.get(namespace, ())
    steps = [
        *_configs(snapshot, namespace, gateways, decide),
        *_proxies(snapshot, namespace, gateways, decide, now),
        *_backends(snapshot, namespace, gateways, decide, now),
    ]
    waits = [step.recheck_after for step in steps if step.recheck_after is not None]
    return Step(tuple(action for step in steps for action in step.actions), recheck_after=min(waits, default=None))


def _touched(
    documents: Mapping[NamespacedName, Document], namespace: str, referred: Iterable[NamespacedName | None]
) -> list[Document]:
    """Documents of a namespace that bear our label or our note, and that nothing refers to."""
    used = set(referred)
    found = [
        live
        for name, live in documents.items()
        if name.namespace == namespace
        and name not in used
        and not live.meta.deleting
        and (record.is_ours(live.meta) or record.read(live.meta))
    ]
    return sorted(found, key=lambda live: live.meta.name)


def _configs(
    snapshot: Snapshot, namespace: str, gateways: Sequence[Gateway], decide: Callable[[Gateway], Effective]
) -> Iterable[Step]:
    referred = (NamespacedName(namespace, gateway.config) for gateway in gateways if gateway.config)
    candidates = _touched(snapshot.configs, namespace, referred)
    if not candidates:
        return
    needed = {
        record.own_name(gateway.meta.name) for gateway in gateways if decide(gateway).verdict is not Verdict.REMOVE
    }
    for live in candidates:
        key = ObjectKey(GATEWAY_CONFIG, live.meta.name)
        if live.meta.name in needed:
            continue
        users_own = gateway_config.without_ours(live.spec, record.read(live.meta))
        if users_own or not record.is_ours(live.meta):
            bare = {**live.raw, "spec": users_own}
            yield Step(actions.change(key, live, record.disown(bare), why="no Gateway refers to it any more"))
        else:
            yield Step((actions.removal(key, live, why="we made it, and no Gateway refers to it any more"),))


def _proxies(
    snapshot: Snapshot, namespace: str, gateways: Sequence[Gateway], decide: Callable[[Gateway], Effective], now: Moment
) -> Iterable[Step]:
    by_gateways = [gateway.parameters.name for gateway in snapshot.gateways.values() if gateway.parameters]
    by_classes = [item.parameters.name for item in snapshot.classes.values() if item.parameters]
    candidates = _touched(snapshot.proxies, namespace, [*by_gateways, *by_classes])
    if not candidates:
        return
    needed = {
        record.own_name(gateway.meta.name)
        for gateway in gateways
        if gateway.parameters is None and _wires(decide(gateway))
    }
    for live in candidates:
        if live.meta.name in needed:
            continue
        if record.is_ours(live.meta):
            yield _retire(ENVOY_PROXY, live, now)
        else:
            yield Step(unwiring.undo(live))


def _backends(
    snapshot: Snapshot, namespace: str, gateways: Sequence[Gateway], decide: Callable[[Gateway], Effective], now: Moment
) -> Iterable[Step]:
    proxies = [live for name, live in snapshot.proxies.items() if name.namespace == namespace]
    candidates = [
        live
        for live in _touched(snapshot.backends, namespace, ())
        # One at a time: the first that names it is enough, and mostly the first does.
        if not any(f'"{live.meta.name.name}"' in json.dumps(proxy.spec) for proxy in proxies)
    ]
    if not candidates:
        return
    needed = {
        backend.backend_name(logs.host, logs.port)
        for gateway in gateways
        if _wires(effective := decide(gateway)) and (logs := effective.access_logs) is not None
    }
    for live in candidates:
        if live.meta.name.name not in needed:
            yield _retire(BACKEND, live, now)


def _wires(effective: Effective) -> bool:
    return effective.verdict is not Verdict.REMOVE and effective.access_logs is not None


def _retire(kind: Kind, live: Document, now: Moment) -> Step:
    """Mark an object that nothing refers to, and delete it when everyone has seen that."""
    key = ObjectKey(kind, live.meta.name)
    since = live.meta.annotations.get(record.UNUSED_SINCE)
    if since is None:
        marked = record.annotate(live.raw, {record.UNUSED_SINCE: now.text})
        return Step(actions.change(key, live, marked, why="nothing refers to it any more"), recheck_after=wiring.SETTLE)
    if moments.age(since, now.seconds) <= wiring.SETTLE:
        return Step(recheck_after=wiring.SETTLE)
    return Step((actions.removal(key, live, why="we made it, and nothing refers to it any more"),))
