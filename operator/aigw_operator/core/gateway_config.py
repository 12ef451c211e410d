"""The GatewayConfig of a Gateway: created and annotated where there is none, its env and costs merged, and undone.

Order matters. The object is created empty, then the Gateway is annotated, and only then the spec is filled: no
reference ever dangles, and the change of the spec, which AI Gateway v1.1 answers to, finds the Gateway annotated.
Undo goes the other way round. See docs/adr/0008-order-of-writes.md.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from aigw_operator.core import actions, consensus, costs, env, moments, parse, record, rollout
from aigw_operator.core.actions import Create, Step
from aigw_operator.core.effective import Effective, Verdict
from aigw_operator.core.model import GATEWAY, GATEWAY_CONFIG, Document, Gateway, Moment, NamespacedName, ObjectKey, Raw
from aigw_operator.core.note import Note
from aigw_operator.core.snapshot import Snapshot

# spec:
#   extProc: {kubernetes: {env: [{name, value | valueFrom}], image, resources, …}}
#   globalLLMRequestCosts: [{metadataKey, type, cel}]       AI Gateway ≥ v0.6
_ENV: Final = ("extProc", "kubernetes", "env")
_COSTS: Final = ("globalLLMRequestCosts",)

# How long an undo waits for pods to lose our env before it lets go of the GatewayConfig (seconds): twice what AI
# Gateway and, after it, our own roll were given.
_PATIENCE: Final = 2 * rollout.GRACE


def live_config(snapshot: Snapshot, gateway: Gateway) -> Document | None:
    """The GatewayConfig that a Gateway refers to, if it is there."""
    return snapshot.configs.get(NamespacedName(gateway.meta.name.namespace, gateway.config)) if gateway.config else None


def env_of(config: Document) -> tuple[Raw, ...]:
    """The environment that a GatewayConfig gives the external processor."""
    return tuple(_get(config.spec, _ENV) or ())


def plan(snapshot: Snapshot, gateway: Gateway, decide: Callable[[Gateway], Effective], now: Moment) -> Step:
    """What the GatewayConfig of this Gateway needs next."""
    if not snapshot.capabilities.gateway_config:
        message = "the CRD gatewayconfigs.aigateway.envoyproxy.io is not installed; install Envoy AI Gateway"
        return Step(problem=Note("AIGatewayMissing", message))
    users = _users(snapshot, gateway)
    agreed = consensus.agree(gateway, users, decide, lambda effective: effective.env)
    match agreed.verdict:
        case Verdict.HOLD:
            return Step(held=True)
        case Verdict.REMOVE:
            undone = _remove(snapshot, gateway, users, now)
            return dataclasses.replace(undone, problem=_shared(gateway, agreed.against)) if agreed.against else undone
        case Verdict.APPLY:
            return _apply(snapshot, gateway, decide(gateway), now)


def _users(snapshot: Snapshot, gateway: Gateway) -> list[Gateway]:
    """All Gateways that refer to the same GatewayConfig, this one included."""
    if not gateway.config:
        return [gateway]
    users = snapshot.gateways_by_config.get(NamespacedName(gateway.meta.name.namespace, gateway.config), ())
    return [gateway, *(peer for peer in users if peer.meta.name != gateway.meta.name)]


def _shared(gateway: Gateway, against: tuple[NamespacedName, ...]) -> Note:
    message = consensus.explain(f"GatewayConfig {gateway.config}", against, own="a GatewayConfig")
    return Note("SharedGatewayConfig", message)


def _apply(snapshot: Snapshot, gateway: Gateway, effective: Effective, now: Moment) -> Step:
    if gateway.config is None:
        return _introduce(snapshot, gateway)
    live = live_config(snapshot, gateway)
    if live is None:
        if record.own_name(gateway.meta.name).name == gateway.config:
            return Step((_create(snapshot, gateway),))
        message = (
            f"its annotation {parse.CONFIG_ANNOTATION} names {gateway.config}, which does not exist; "
            "create it, or remove it"
        )
        return Step(problem=Note("GatewayConfigNotFound", message))
    return _fill(snapshot, live, effective, now)


def _introduce(snapshot: Snapshot, gateway: Gateway) -> Step:
    """A Gateway without a GatewayConfig: make one, then refer to it."""
    name = record.own_name(gateway.meta.name)
    live = snapshot.configs.get(name)
    if live is None:
        return Step((_create(snapshot, gateway),))
    if not record.is_ours(live.meta):
        message = f"GatewayConfig {name.name} exists, is not ours, and nothing refers to it; rename or annotate it"
        return Step(problem=Note("NameTaken", message))
    desired = record.annotate(gateway.raw, {parse.CONFIG_ANNOTATION: name.name})
    noted = record.write(desired, {**record.read(gateway.meta), "config": name.name})
    key = ObjectKey(GATEWAY, gateway.meta.name)
    return Step(actions.change(key, gateway, noted, why=f"refer to GatewayConfig {name.name}"))


def _create(snapshot: Snapshot, gateway: Gateway) -> Create:
    name = record.own_name(gateway.meta.name)
    body = {
        "apiVersion": f"{GATEWAY_CONFIG.group}/{snapshot.capabilities.gateway_config}",
        "kind": GATEWAY_CONFIG.kind,
        "metadata": {"namespace": name.namespace, "name": name.name, "labels": dict(record.LABELS)},
        "spec": {},
    }
    return Create(ObjectKey(GATEWAY_CONFIG, name), body, "the Gateway has none")


def _fill(snapshot: Snapshot, live: Document, effective: Effective, now: Moment) -> Step:
    """Merge env and costs into a GatewayConfig that is referred to."""
    noted = record.read(live.meta)
    settings = effective.env
    if settings is None:
        return Step(held=True)
    merged = env.merge_env(env_of(live), settings, noted.get("env"))
    if merged.error is not None:
        return Step(problem=merged.error, notes=merged.notes)
    wants_costs = snapshot.capabilities.global_costs and effective.access_logs is not None
    live_costs = tuple(_get(live.spec, _COSTS) or ())
    if wants_costs:
        priced = costs.merge_costs(live_costs, noted.get("costs"))
        new_costs, costs_note, cost_notes = priced.costs, priced.record, priced.notes
    else:
        new_costs, costs_note, cost_notes = costs.undo_costs(live_costs, noted.get("costs") or {}), {}, ()
    users_own = _without(live.spec, noted, merged.users)
    spec = _set(_set(live.spec, _ENV, merged.env), _COSTS, new_costs)
    if not new_costs and _get(users_own, _COSTS) is None:
        spec = _drop(spec, _COSTS)
    created = [".".join(path) for path in (*_prefixes(_ENV), _COSTS) if _get(users_own, path) is None]
    since = noted.get("since") if merged.env == env_of(live) else None
    note = {"env": merged.record, "costs": costs_note, "paths": created, "since": since or now.text}
    desired = record.write({**live.raw, "spec": spec}, {name: part for name, part in note.items() if part})
    key = ObjectKey(GATEWAY_CONFIG, live.meta.name)
    changes = actions.change(key, live, desired, why="the environment and the token costs of the policy")
    return Step(changes, notes=(*merged.notes, *cost_notes))


def _remove(snapshot: Snapshot, gateway: Gateway, users: list[Gateway], now: Moment) -> Step:
    """Undo: first the spec, then, when the pods have lost our env, the reference; core/sweep.py deletes the rest."""
    live = live_config(snapshot, gateway)
    if live is None:
        return Step(_unreference(gateway, keep=False))
    noted = record.read(live.meta)
    if noted.keys() & {"env", "costs", "paths"}:
        return Step(undo(live, now))
    since = noted.get("since", "")
    if since and moments.age(since, now.seconds) < _PATIENCE and rollout.lingers(snapshot, gateway, env_of(live)):
        return Step(recheck_after=2.0)
    ours, annotated = record.is_ours(live.meta), "config" in record.read(gateway.meta)
    if not ours or live.spec or len(users) > 1 or not annotated:
        key = ObjectKey(GATEWAY_CONFIG, live.meta.name)
        disowned = actions.change(key, live, record.disown(live.raw), why="what is left of it is somebody else's")
        return Step(disowned or _unreference(gateway, keep=True))
    return Step(_unreference(gateway, keep=False))


def undo(live: Document, now: Moment) -> tuple[actions.Patch, ...]:
    """Take what is ours out of a GatewayConfig; its note keeps the time, until the pods have followed."""
    spec = without_ours(live.spec, record.read(live.meta))
    desired = record.write({**live.raw, "spec": spec}, {"since": now.text})
    key = ObjectKey(GATEWAY_CONFIG, live.meta.name)
    return actions.change(key, live, desired, why="undo the environment and the token costs")


def _unreference(gateway: Gateway, *, keep: bool) -> tuple[actions.Patch, ...]:
    """Forget that we annotated the Gateway; with `keep` its annotation stays."""
    noted = record.read(gateway.meta)
    if "config" not in noted:
        return ()
    del noted["config"]
    bare = gateway.raw if keep else record.annotate(gateway.raw, {parse.CONFIG_ANNOTATION: None})
    key = ObjectKey(GATEWAY, gateway.meta.name)
    return actions.change(key, gateway, record.write(bare, noted), why="undo the reference to our GatewayConfig")


def without_ours(spec: Raw, noted: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as it would be had we never touched it, with what the user changed meanwhile."""
    return _without(spec, noted, env.undo_env(tuple(_get(spec, _ENV) or ()), noted.get("env") or {}))


def _without(spec: Raw, noted: Mapping[str, Any], users_env: tuple[Raw, ...]) -> dict[str, Any]:
    """The same, where it is known already what remains of the environment."""
    undone = dict(spec)
    for path, remaining in (
        (_ENV, users_env),
        (_COSTS, costs.undo_costs(tuple(_get(spec, _COSTS) or ()), noted.get("costs") or {})),
    ):
        if _get(spec, path) is not None:
            undone = _set(undone, path, remaining)
        for prefix in reversed(_prefixes(path)):
            if ".".join(prefix) in noted.get("paths", ()) and not _get(undone, prefix):
                undone = _drop(undone, prefix)
    return undone


def _prefixes(path: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [path[: length + 1] for length in range(len(path))]


def _get(content: Raw, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(content, Mapping) or name not in content:
            return None
        content = content[name]
    return content


def _set(content: Raw, path: tuple[str, ...], items: tuple[Raw, ...]) -> dict[str, Any]:
    """The content with a list at a path; an empty list makes no path that was not there."""
    if not items and _get(content, path) is None:
        return dict(content)
    if len(path) == 1:
        return {**content, path[0]: list(items)}
    return {**content, path[0]: _set(content.get(path[0]) or {}, path[1:], items)}


def _drop(content: Raw, path: tuple[str, ...]) -> dict[str, Any]:
    if len(path) == 1:
        return {name: part for name, part in content.items() if name != path[0]}
    if not isinstance(content.get(path[0]), Mapping):
        return dict(content)
    return {**content, path[0]: _drop(content[path[0]], path[1:])}
