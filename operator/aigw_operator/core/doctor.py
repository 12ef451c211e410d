"""The chain from a Gateway to its last export, link by link: the core of `aigw-operator doctor`.

Each link tells whether it holds, and if not, what is wrong and how to mend it. It looks at the cluster with its own
eyes, not at what stands in a status: that is as old as the operator's last look. What comes after a broken link is not
looked at where it could only be a consequence.
"""

import dataclasses
import enum
from collections.abc import Iterator
from typing import Final

from aigw_operator.core import attachment, conditions, effective, gateway_plan, policy_status, receiver_plan
from aigw_operator.core.model import (
    STATEFUL_SET,
    Condition,
    Gateway,
    Installation,
    Moment,
    NamespacedName,
    ObjectKey,
    Policy,
    Raw,
)
from aigw_operator.core.snapshot import Snapshot

# Reasons with which a condition is not True and telemetry still flows as far as it can be seen from here.
_CARRYING: Final = frozenset({"Disabled", "Unsupported", "KeyConflict", "ExternalEndpoint"})

# Reasons of conditions that are True and have nothing to add; any other one is about what a user had set.
_PLAIN: Final = frozenset({"Injected", "Wired", "Configured", "Receiving"})

# Metrics do not depend on these.
_BRANCHES: Final = frozenset({conditions.WIRED, conditions.PRICED})

# What to do about reasons whose message only tells what is awaited.
_MENDING: Final = {
    "Pending": "it takes seconds; if it stays so, see the log of the operator's pod",
    "RollingOut": "it takes a rollout; if it stays so, see kubectl describe of the Deployment of its Envoy pods",
    "NoPods": "see why Envoy Gateway makes none: kubectl describe the Gateway",
    "ReceiverUnreachable": "see the receiver's pods",
}


class State(enum.Enum):
    """How a link is. NOTED is worth a look, but carries."""

    HOLDS = "ok"
    NOTED = "note"
    BROKEN = "broken"


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain."""

    title: str
    state: State
    message: str


def targets(snapshot: Snapshot, namespace: str) -> tuple[NamespacedName, ...]:
    """The Gateways that policies select, or name in vain; in all namespaces where none is given."""
    found: set[NamespacedName] = set()
    for name, policy in snapshot.policies.items():
        if namespace in ("", name.namespace):
            selected = attachment.targets(snapshot, policy)
            found |= {*selected.gateways, *selected.missing}
    return tuple(sorted(found))


def named(snapshot: Snapshot, namespace: str, name: str) -> tuple[NamespacedName, ...]:
    """The Gateways of a name; without a namespace those of all, or the bare name where there is none."""
    if namespace:
        return (NamespacedName(namespace, name),)
    found = sorted(each for each in snapshot.gateways if each.name == name)
    return tuple(found) or (NamespacedName("", name),)


def receivers(snapshot: Snapshot, names: tuple[NamespacedName, ...]) -> tuple[NamespacedName, ...]:
    """The receivers that these Gateways send to, so that those can be asked whom they hear."""
    gateways = [snapshot.gateways[name] for name in names if name in snapshot.gateways]
    policies = [attachment.governing(snapshot, gateway) for gateway in gateways]
    wanted = {policy.receiver for policy in policies if policy is not None and policy.receiver is not None}
    return tuple(sorted(wanted & snapshot.receivers.keys()))


def examine(snapshot: Snapshot, name: NamespacedName, installation: Installation, now: Moment) -> tuple[Link, ...]:
    """The links up to the first broken one that others depend on."""
    found: list[Link] = []
    for link in _chain(snapshot, name, installation, now):
        found.append(link)
        if link.state is State.BROKEN and link.title not in _BRANCHES:
            break
    return tuple(found)


def _chain(snapshot: Snapshot, name: NamespacedName, installation: Installation, now: Moment) -> Iterator[Link]:
    yield _installed(snapshot)
    gateway = snapshot.gateways.get(name)
    if gateway is None:
        yield Link("Gateway", State.BROKEN, f"{name} does not exist; look with kubectl get gateways -A")
        return
    yield _accepted(gateway)
    policy = attachment.governing(snapshot, gateway)
    if policy is None:
        message = "no TelemetryPolicy of its namespace selects it; write one, or correct targetRefs or targetSelectors"
        yield Link("TelemetryPolicy", State.BROKEN, message)
        return
    decided = effective.decide(snapshot, gateway, installation)
    yield Link(
        "TelemetryPolicy",
        State.HOLDS if decided.accepted else State.BROKEN,
        f"{policy.meta.name}: {decided.note.message}",
    )
    yield _operator(policy, name)
    yield _receiver(snapshot, decided)
    yield from _conditions(snapshot, gateway, decided, installation, now)


def _installed(snapshot: Snapshot) -> Link:
    missing = [
        title
        for title, version in (
            ("Gateway API", snapshot.capabilities.gateway_api),
            ("Envoy Gateway", snapshot.capabilities.envoy_proxy),
            ("Envoy AI Gateway", snapshot.capabilities.gateway_config),
        )
        if not version
    ]
    if missing:
        return Link("CRDs", State.BROKEN, f"not installed: {', '.join(missing)}; install it, with its CRDs")
    return Link("CRDs", State.HOLDS, f"GatewayConfig {snapshot.capabilities.gateway_config} and EnvoyProxy are served")


def _accepted(gateway: Gateway) -> Link:
    """What Envoy Gateway says of the Gateway."""
    status = {item.type: item for item in gateway.conditions}
    for kind in ("Accepted", "Programmed"):
        item = status.get(kind)
        if item is None or item.status == "Unknown":
            message = f"Envoy Gateway has not said whether it is {kind}; does its controller run?"
            return Link("Gateway", State.NOTED, message)
        if item.status == "False":
            state = State.BROKEN if kind == "Accepted" else State.NOTED
            return Link("Gateway", state, f"{kind} is False, {item.reason}: {item.message}")
    return Link("Gateway", State.HOLDS, "accepted and programmed by Envoy Gateway")


def _receiver(snapshot: Snapshot, decided: effective.Effective) -> Link:
    """Whether the receiver that the Gateway sends to was made, and runs."""
    endpoint = decided.endpoint
    if endpoint is None or endpoint.receiver is None:
        where = endpoint.url if endpoint else "nowhere"
        return Link("Receiver", State.NOTED, f"an endpoint of your own, {where}; what arrives there is not seen here")
    name = endpoint.receiver
    receiver = snapshot.receivers[name]
    if receiver.errors:
        return Link("Receiver", State.BROKEN, f"TelemetryReceiver {name} cannot be used: {'; '.join(receiver.errors)}")
    said: Raw = {item.get("type"): item for item in (receiver.raw.get("status") or {}).get("conditions") or ()}
    refused = said.get("Accepted") or {}
    if refused.get("status") == "False":
        return Link("Receiver", State.BROKEN, f"TelemetryReceiver {name} cannot be used: {refused.get('message')}")
    live = snapshot.children.get(ObjectKey(STATEFUL_SET, name))
    if live is None:
        message = f"TelemetryReceiver {name} has no StatefulSet; does the operator run, and for namespace"
        return Link("Receiver", State.BROKEN, f"{message} {name.namespace}?")
    ready = receiver_plan.ready_shards(live)
    message = f"{ready} of {receiver.shards} shards of TelemetryReceiver {name} are ready"
    if ready < receiver.shards:
        mending = f"see kubectl -n {name.namespace} describe statefulset {name.name}, and its pods"
        return Link("Receiver", State.BROKEN, f"{message}; {mending}")
    return Link("Receiver", State.HOLDS, f"{message}; this Gateway sends to {endpoint.url}")


def _operator(policy: Policy, name: NamespacedName) -> Link:
    """Whether the operator has seen what stands there now."""
    seen = (policy.raw.get("status") or {}).get("observedGeneration", 0)
    if name not in policy_status.live_conditions(policy) or seen < policy.meta.generation:
        message = (
            "the operator has not looked at the policy as it stands now; does its pod run, and for this namespace?"
        )
        return Link("Operator", State.BROKEN, message)
    return Link("Operator", State.HOLDS, "has seen the policy as it stands now")


def _conditions(
    snapshot: Snapshot, gateway: Gateway, decided: effective.Effective, installation: Installation, now: Moment
) -> Iterator[Link]:
    """The rest of the chain is what the policy's conditions say, seen with our own eyes."""
    decide = gateway_plan.decider(snapshot, installation)
    failure = _failure(decided.policy, gateway.meta.name)
    progress = conditions.look(snapshot, gateway, decide, now, failure=failure)
    found = {item.type: item for item in conditions.describe(snapshot, gateway, progress, now.seconds)}
    for kind in (conditions.INJECTED, conditions.WIRED, conditions.PRICED, conditions.RECEIVED):
        if kind in found:
            yield _link(found[kind])


def _failure(policy: Policy | None, name: NamespacedName) -> str:
    """What the API server refused last: that is known to the operator only, and stands in the status."""
    stood = policy_status.live_conditions(policy).get(name, {}) if policy is not None else {}
    messages = (str(item.get("message")) for item in stood.values() if item.get("reason") == "WriteFailed")
    return next(messages, "").removesuffix("; it is tried again")


def _link(item: Condition) -> Link:
    message = f"{item.reason}: {item.message}"
    if item.status == "True":
        return Link(item.type, State.HOLDS if item.reason in _PLAIN else State.NOTED, message)
    if item.reason in _CARRYING:
        return Link(item.type, State.NOTED, message)
    mending = _MENDING.get(item.reason)
    return Link(item.type, State.BROKEN, f"{message}; {mending}" if mending else message)
