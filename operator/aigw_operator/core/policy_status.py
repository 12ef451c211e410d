"""The status of a TelemetryPolicy: one ancestor entry a Gateway, sums for kubectl, and the events of what has turned.

Entries of other controllers are kept as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aigw_operator.core import conditions, transitions
from aigw_operator.core.actions import Event
from aigw_operator.core.model import DOMAIN, GATEWAY, POLICY, Condition, Moment, NamespacedName, ObjectKey, Policy, Raw

CONTROLLER: Final = f"{DOMAIN}/operator"

# maxItems of status.ancestors in the CRD: an entry is up to 3 KiB, and etcd takes no object over 1.5 MiB.
_MOST: Final = 512

# An event is a request; a policy for hundreds of Gateways shall not post one for each.
_MOST_EVENTS: Final = 20

# status:
#   ancestors: [{ancestorRef: {group, kind, namespace, name}, controllerName, conditions: [{type, status, …}]}]
#   gateways: "3"    injected: "2/3"    receiving: "2/3"    preview: […]    observedGeneration    conditions
Entries = Mapping[NamespacedName, tuple[Condition, ...]]


def build(policy: Policy, overall: Condition, entries: Entries, preview: Sequence[Raw], now: Moment) -> dict[str, Any]:
    """The whole status as it shall be, given the conditions of each Gateway."""
    live = policy.raw.get("status") or {}
    before = live_conditions(policy)
    ancestors = [entry for entry in live.get("ancestors") or () if entry.get("controllerName") != CONTROLLER]
    for name, found in sorted(entries.items())[: _MOST - len(ancestors)]:
        rendered = [transitions.render(item, before.get(name, {}), policy.meta.generation, now) for item in found]
        ancestors.append({"ancestorRef": _reference(name), "controllerName": CONTROLLER, "conditions": rendered})
    known = {item["type"]: item for item in live.get("conditions") or ()}
    status: dict[str, Any] = {
        "observedGeneration": policy.meta.generation,
        "conditions": [transitions.render(overall, known, policy.meta.generation, now)],
        "ancestors": ancestors,
        "gateways": str(len(entries)),
        "injected": _count(entries, conditions.INJECTED),
        "receiving": _count(entries, conditions.RECEIVED),
    }
    return status | ({"preview": list(preview)} if policy.preview else {})


def live_conditions(policy: Policy) -> dict[NamespacedName, dict[str, Raw]]:
    """The conditions that stand in our ancestor entries, by Gateway and type."""
    status = policy.raw.get("status") or {}
    return {
        NamespacedName(entry["ancestorRef"].get("namespace", ""), entry["ancestorRef"]["name"]): {
            item["type"]: item for item in entry.get("conditions") or ()
        }
        for entry in status.get("ancestors") or ()
        if entry.get("controllerName") == CONTROLLER
    }


def events(policy: Policy, entries: Entries) -> tuple[Event, ...]:
    """One event for each condition whose status has turned since the status that stands.

    Of very many the rest becomes one event for each condition, with the number of Gateways.
    """
    key = ObjectKey(POLICY, policy.meta.name)
    before = live_conditions(policy)
    turned = [
        (name, item)
        for name, items in sorted(entries.items())
        for item in items
        if transitions.is_news(item, before.get(name, {}).get(item.type, {}).get("status"))
    ]
    found = [
        transitions.event(
            key, policy, item, item.reason, f"Gateway {name.name}: {item.type} is {item.status}: {item.message}"
        )
        for name, item in turned[:_MOST_EVENTS]
    ]
    rest = [item for _, item in turned[_MOST_EVENTS:]]
    for kind, status in sorted({(item.type, item.status) for item in rest}):
        alike = [item for item in rest if (item.type, item.status) == (kind, status)]
        found.append(transitions.event(key, policy, alike[0], kind, f"{len(alike)} more Gateways: {kind} is {status}"))
    return tuple(found)


def _reference(name: NamespacedName) -> dict[str, str]:
    return {"group": GATEWAY.group, "kind": GATEWAY.kind, "namespace": name.namespace, "name": name.name}


def _count(entries: Entries, kind: str) -> str:
    true = sum(any(item.type == kind and item.status == "True" for item in found) for found in entries.values())
    return f"{true}/{len(entries)}"
