"""The chain from a Gateway to its last export, link by link: the core of `aigw-operator doctor`.

Each link tells whether it holds, and if not, what is wrong and how to mend it. What comes after the first broken link
is not looked at: it could only be a consequence.
"""

import dataclasses
import enum
from collections.abc import Callable, Iterator

from aigw_operator.core import attachment, conditions, effective, gateway_config, gateway_plan, policy_status, wiring
from aigw_operator.core.model import Condition, Gateway, Installation, Moment, NamespacedName, Policy, Snapshot


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


def examine(snapshot: Snapshot, name: NamespacedName, installation: Installation, now: Moment) -> tuple[Link, ...]:
    """The links up to the first broken one."""
    found: list[Link] = []
    for link in _chain(snapshot, name, installation, now):
        found.append(link)
        if link.state is State.BROKEN:
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
    yield _receiver(snapshot, decided)
    yield _operator(policy, name)
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
    endpoint = decided.endpoint
    if endpoint is None or endpoint.receiver is None:
        where = endpoint.url if endpoint else "nowhere"
        return Link("Receiver", State.NOTED, f"an endpoint of your own, {where}; what arrives there is not seen here")
    receiver = snapshot.receivers[endpoint.receiver]
    available = next(
        (item for item in (receiver.raw.get("status") or {}).get("conditions") or () if item["type"] == "Available"),
        None,
    )
    if available is None or available["status"] != "True":
        detail = available["message"] if available else "the operator has not looked at it"
        return Link("Receiver", State.BROKEN, f"TelemetryReceiver {endpoint.receiver} is not available: {detail}")
    return Link("Receiver", State.HOLDS, f"{endpoint.url}: {available['message']}")


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
    decide: Callable[[Gateway], effective.Effective] = gateway_plan.decider(snapshot, installation)
    progress = conditions.Progress(
        decided,
        gateway_config.plan(snapshot, gateway, decide, now),
        wiring.plan(snapshot, gateway, decide, now),
    )
    found = {item.type: item for item in conditions.describe(snapshot, gateway, progress, now.seconds)}
    for kind in (conditions.INJECTED, conditions.WIRED, conditions.PRICED, conditions.RECEIVED):
        if kind in found:
            yield _link(found[kind])


def _link(item: Condition) -> Link:
    message = f"{item.reason}: {item.message}"
    if item.status == "True":
        return Link(item.type, State.HOLDS, message)
    # Access logs may be switched off, or not be possible with this version, while the metrics flow.
    carries = item.status == "Unknown" or item.reason in ("Disabled", "Unsupported", "KeyConflict")
    return Link(item.type, State.NOTED if carries else State.BROKEN, message)
