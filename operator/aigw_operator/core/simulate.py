"""What would be written, played out on copies: plans are applied to a snapshot until there is nothing left to do.

It serves `render`, and policies in mode Preview. It waits for nobody: time passes as fast as the plans ask for it, and
what only a live cluster does (pods, conditions) does not happen.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from aigw_operator.core import conditions, gateway_plan, moments, parse, patch
from aigw_operator.core.actions import Action, Apply, Create, Delete, Patch
from aigw_operator.core.effective import Verdict
from aigw_operator.core.model import (
    BACKEND,
    ENVOY_PROXY,
    GATEWAY,
    GATEWAY_CONFIG,
    Installation,
    Moment,
    NamespacedName,
    ObjectKey,
    Raw,
)
from aigw_operator.core.snapshot import Snapshot

# A wiring takes at most eight writes and four waits; anything beyond that would be a plan that never ends.
_ROUNDS: Final = 64

# Where the objects of each kind stand in a snapshot, and how they are parsed.
_TABLES: Final[Mapping[str, tuple[str, Callable[[Raw], Any]]]] = {
    GATEWAY.kind: ("gateways", parse.parse_gateway),
    GATEWAY_CONFIG.kind: ("configs", parse.parse_document),
    ENVOY_PROXY.kind: ("proxies", parse.parse_document),
    BACKEND.kind: ("backends", parse.parse_document),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """The snapshot as it would stand, and the writes that lead there, in order."""

    snapshot: Snapshot
    actions: tuple[Action, ...]
    problems: tuple[str, ...] = ()
    """what keeps a Gateway from being wired wholly"""
    notes: tuple[str, ...] = ()
    """what a user had set otherwise, and stays"""


def play(snapshot: Snapshot, names: tuple[NamespacedName, ...], installation: Installation, now: Moment) -> Outcome:
    """Wire these Gateways on paper. There are no pods: rolling them is nothing that shows on paper."""
    snapshot = dataclasses.replace(snapshot, pods={}, deployments={})
    done: list[Action] = []
    for name in names:
        for _ in range(_ROUNDS):
            step = gateway_plan.plan_gateway(snapshot, name, installation, now)
            for action in step.actions:
                snapshot = perform(snapshot, action, now)
            done += step.actions
            if not step.actions and step.recheck_after is None:
                break
            now = _later(now, step.recheck_after or 0.0)
    problems, notes = _remarks(snapshot, names, installation, now)
    return Outcome(snapshot, tuple(done), problems, notes)


def _remarks(
    snapshot: Snapshot, names: tuple[NamespacedName, ...], installation: Installation, now: Moment
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Problems and notes of the parts of each Gateway's wiring where they are to be wired."""
    decide = gateway_plan.decider(snapshot, installation)
    problems: list[str] = []
    notes: list[str] = []
    for name in names:
        gateway = snapshot.gateways[name]
        if decide(gateway).verdict is not Verdict.APPLY:
            continue
        progress = conditions.look(snapshot, gateway, decide, now)
        for step in (progress.config, progress.access_logs):
            if step.problem is not None and step.problem.reason != "Disabled":
                problems.append(f"Gateway {name}: {step.problem.message}")
            notes += [f"Gateway {name}: {note.message}" for note in step.notes]
    return tuple(problems), tuple(notes)


def _later(now: Moment, wait: float) -> Moment:
    moment = now.seconds + wait
    return Moment(moment, moments.text(moment))


def perform(snapshot: Snapshot, action: Action, now: Moment) -> Snapshot:
    """The snapshot after one write, as an API server would have taken it."""
    table = _TABLES.get(action.key.kind.kind)
    if table is None:
        return snapshot
    field, parser = table
    objects = dict(getattr(snapshot, field))
    live = objects.get(action.key.name)
    match action:
        case Delete():
            objects.pop(action.key.name, None)
        case Patch():
            body = {name: part for name, part in action.body.items() if name != "metadata"}
            metadata = {
                name: part for name, part in action.body.get("metadata", {}).items() if name != "resourceVersion"
            }
            raw = patch.apply_merge_patch(live.raw if live else {}, {**body, "metadata": metadata})
            objects[action.key.name] = parser(raw)
        case Create() | Apply():
            raw = patch.apply_merge_patch(live.raw if live else {}, action.body)
            created = raw["metadata"].get("creationTimestamp") or now.text
            objects[action.key.name] = parser({**raw, "metadata": {**raw["metadata"], "creationTimestamp": created}})
    tables: dict[str, Any] = {field: objects}
    return dataclasses.replace(snapshot, **tables)


def changed(before: Snapshot, after: Snapshot) -> list[tuple[str, ObjectKey, Raw]]:
    """The objects that differ, in order, as (Create, Patch or Delete, key, content as it would stand)."""
    found: list[tuple[str, ObjectKey, Raw]] = []
    for kind in (GATEWAY_CONFIG, BACKEND, ENVOY_PROXY, GATEWAY):
        field, _ = _TABLES[kind.kind]
        old, new = getattr(before, field), getattr(after, field)
        for name in sorted({*old, *new}):
            key = ObjectKey(kind, name)
            if name not in new:
                found.append(("Delete", key, old[name].raw))
            elif name not in old:
                found.append(("Create", key, bare(new[name].raw)))
            elif new[name].raw != old[name].raw:
                found.append(("Patch", key, bare(new[name].raw)))
    return found


def bare(raw: Raw) -> dict[str, Any]:
    """A manifest: the object without what a server puts into it."""
    metadata = {
        name: part
        for name, part in raw.get("metadata", {}).items()
        if name not in ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
    }
    return {name: part for name, part in {**raw, "metadata": metadata}.items() if name != "status"}
