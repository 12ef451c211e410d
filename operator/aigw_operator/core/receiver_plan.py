"""The plan of a TelemetryReceiver: its objects applied and pruned, then its status."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from aigw_operator.core import actions, conditions, effective, manifests, patch, record, transitions
from aigw_operator.core.actions import Action, Apply, Event, Failures, Patch, Plan
from aigw_operator.core.manifests import Templates
from aigw_operator.core.model import (
    CHILDREN,
    RECEIVER,
    STATEFUL_SET,
    Condition,
    Document,
    Installation,
    Moment,
    NamespacedName,
    ObjectKey,
    Raw,
    Receiver,
)
from aigw_operator.core.snapshot import Snapshot

AVAILABLE: Final = "Available"

Load = Callable[[str], Any]
"""Parses YAML, which a template renders."""


def plan_receiver(
    snapshot: Snapshot,
    name: NamespacedName,
    installation: Installation,
    failures: Failures,
    now: Moment,
    *,
    templates: Templates,
    load: Load,
) -> Plan:
    """Apply what a receiver needs, delete what it needs no more, and say how it is; garbage collection ends it."""
    receiver = snapshot.receivers.get(name)
    if receiver is None or receiver.meta.deleting:
        return Plan()
    errors, writes = list(receiver.errors), tuple[Action, ...]()
    if not manifests.image(receiver, installation):
        errors.append("spec.image: expected an image, since the operator was installed without one for receivers")
    if not errors:
        desired = manifests.build_receiver(receiver, templates, installation, snapshot.capabilities, load=load)
        errors += _taken(snapshot, receiver, desired)
        writes = () if errors else (*_applied(snapshot, desired), *_pruned(snapshot, receiver, desired))
    failure = failures.get(ObjectKey(RECEIVER, name), "")
    status, events = _status(snapshot, receiver, installation, tuple(errors), failure, now)
    # A refused write must not keep the status from saying so.
    return Plan((*status, *writes) if failure else (*writes, *status), events=events)


def _applied(snapshot: Snapshot, desired: tuple[Raw, ...]) -> list[Action]:
    """Those that are missing, or that differ from what is wanted."""
    found: list[Action] = []
    for manifest in desired:
        marked = record.annotate(manifest, {record.HASH: record.digest(manifest)})
        key = key_of(marked)
        live = snapshot.children.get(key)
        if live is not None and manifests.must_be_replaced(live.raw, marked):
            found.append(actions.removal(key, live, why="its volume claims have changed, which no update can do"))
        elif live is None or not patch.covers(live.raw, marked):
            found.append(
                Apply(key, marked, "the receiver needs it" if live is None else "it differs from what is wanted")
            )
    return found


def _taken(snapshot: Snapshot, receiver: Receiver, desired: tuple[Raw, ...]) -> list[str]:
    """Names that an object of another receiver bears: "r" with a shard 0 and "r-0" both want a Service "r-0"."""
    return [
        f"metadata.name: expected another name, since {key} belongs to another receiver"
        for key in map(key_of, desired)
        if (live := snapshot.children.get(key)) is not None and not _belongs(live, receiver)
    ]


def _pruned(snapshot: Snapshot, receiver: Receiver, desired: tuple[Raw, ...]) -> list[Action]:
    """Those that belong to the receiver and are not wanted any more, such as the Service of a shard too many."""
    wanted = {key_of(manifest) for manifest in desired}
    return [
        actions.removal(key, live, why="the receiver needs it no more")
        for key, live in sorted(snapshot.children.items())
        if key not in wanted and _belongs(live, receiver) and not live.meta.deleting
    ]


def _belongs(live: Document, receiver: Receiver) -> bool:
    owners = live.raw.get("metadata", {}).get("ownerReferences") or ()
    return record.is_ours(live.meta) and any(owner.get("uid") == receiver.meta.uid for owner in owners)


def key_of(manifest: Raw) -> ObjectKey:
    """The key of an object of a receiver."""
    metadata = manifest["metadata"]
    return ObjectKey(CHILDREN[manifest["kind"]], NamespacedName(metadata["namespace"], metadata["name"]))


def _status(
    snapshot: Snapshot,
    receiver: Receiver,
    installation: Installation,
    errors: tuple[str, ...],
    failure: str,
    now: Moment,
) -> tuple[tuple[Action, ...], tuple[Event, ...]]:
    live = receiver.raw.get("status") or {}
    before: Mapping[str, Raw] = {item["type"]: item for item in live.get("conditions") or ()}
    ready = ready_shards(snapshot.children.get(ObjectKey(STATEFUL_SET, receiver.meta.name)))
    found = (_accepted(errors, failure), _available(receiver, ready))
    status = {
        "observedGeneration": receiver.meta.generation,
        "endpoint": effective.receiver_endpoint(receiver, 0, installation).url,
        "shards": receiver.shards,
        "readyShards": ready,
        "conditions": [transitions.render(item, before, receiver.meta.generation, now) for item in found],
    }
    body = patch.merge_patch(live, status)
    if not body:
        return (), ()
    key = ObjectKey(RECEIVER, receiver.meta.name)
    whole = {"metadata": {"resourceVersion": receiver.meta.resource_version}, "status": body}
    write = Patch(key, receiver.raw["apiVersion"], whole, "the status has changed", "status")
    return (write,), _events(receiver, found, before)


def ready_shards(live: Document | None) -> int:
    """How many pods of a receiver's StatefulSet are ready."""
    status: Raw = (live.raw.get("status") or {}) if live is not None else {}
    return int(status.get("readyReplicas") or 0)


def _accepted(errors: tuple[str, ...], failure: str) -> Condition:
    if errors:
        return Condition(conditions.ACCEPTED, "False", "Invalid", "; ".join(errors))
    if failure:
        return Condition(conditions.ACCEPTED, "False", "WriteFailed", f"{failure}; it is tried again")
    return Condition(conditions.ACCEPTED, "True", "Accepted", "the spec can be used")


def _available(receiver: Receiver, ready: int) -> Condition:
    message = f"{ready} of {receiver.shards} shards are ready"
    if ready >= receiver.shards:
        return Condition(AVAILABLE, "True", "Available", message)
    return Condition(
        AVAILABLE, "False", "ShardsNotReady", f"{message}; see StatefulSet {receiver.meta.name.name} and its pods"
    )


def _events(receiver: Receiver, found: tuple[Condition, ...], before: Mapping[str, Raw]) -> tuple[Event, ...]:
    """One event for each condition whose status has turned."""
    key = ObjectKey(RECEIVER, receiver.meta.name)
    return tuple(
        transitions.event(key, receiver, item, item.reason, f"{item.type} is {item.status}: {item.message}")
        for item in found
        if transitions.is_news(item, before.get(item.type, {}).get("status"))
    )
