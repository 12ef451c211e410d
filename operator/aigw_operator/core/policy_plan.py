"""The plan of a TelemetryPolicy: its status, where that differs from what is true, and events of what has turned."""

from aigw_operator.core import (
    attachment,
    conditions,
    gateway_plan,
    patch,
    policy_status,
    preview,
)
from aigw_operator.core.actions import Failures, Patch, Plan
from aigw_operator.core.model import GATEWAY, POLICY, Condition, Installation, Moment, NamespacedName, ObjectKey, Policy
from aigw_operator.core.snapshot import Snapshot


def plan_policy(
    snapshot: Snapshot, name: NamespacedName, installation: Installation, failures: Failures, now: Moment
) -> Plan:
    """Write the status of a policy where it differs from what is true, and say what has turned."""
    policy = snapshot.policies.get(name)
    if policy is None or policy.meta.deleting:
        return Plan()
    entries = _entries(snapshot, policy, installation, failures, now)
    shown = preview.build(snapshot, policy, installation, now) if policy.preview and not policy.errors else ()
    status = policy_status.build(policy, _overall(policy, entries), entries, shown, now)
    body = patch.merge_patch(policy.raw.get("status") or {}, status)
    if not body:
        return Plan()
    metadata = {"resourceVersion": policy.meta.resource_version}
    key = ObjectKey(POLICY, name)
    write = Patch(key, policy.raw["apiVersion"], {"metadata": metadata, "status": body}, "status", "status")
    return Plan((write,), events=policy_status.events(policy, entries))


def _entries(
    snapshot: Snapshot, policy: Policy, installation: Installation, failures: Failures, now: Moment
) -> policy_status.Entries:
    """The conditions of every Gateway that a policy selects, and of those that it names in vain."""
    found = attachment.targets(snapshot, policy)
    decide = gateway_plan.decider(snapshot, installation)
    before = policy_status.live_conditions(policy)
    entries: dict[NamespacedName, tuple[Condition, ...]] = {}
    for name in found.missing:
        message = f"Gateway {name.name} does not exist in namespace {name.namespace}; create it"
        entries[name] = (Condition(conditions.ACCEPTED, "False", "TargetNotFound", message),)
    for name in found.gateways:
        gateway = snapshot.gateways[name]
        governing = attachment.governing(snapshot, gateway)
        if governing is not None and governing.meta.name != policy.meta.name:
            message = (
                f"TelemetryPolicy {governing.meta.name.name} governs this Gateway: it is older; delete one of the two"
            )
            entries[name] = (Condition(conditions.ACCEPTED, "False", "Conflicted", message),)
            continue
        failure = failures.get(ObjectKey(GATEWAY, name), "")
        progress = conditions.look(snapshot, gateway, decide, now, failure=failure, before=before.get(name))
        entries[name] = conditions.describe(snapshot, gateway, progress, now.seconds)
    return entries


def _overall(policy: Policy, entries: policy_status.Entries) -> Condition:
    """The policy's own condition: whether it can be used, and selects anything."""
    if policy.errors:
        return Condition(conditions.ACCEPTED, "False", "Invalid", "; ".join(policy.errors))
    if not entries:
        return Condition(conditions.ACCEPTED, "False", "TargetNotFound", "it selects no Gateway of its namespace")
    accepted = sum(
        item.type == conditions.ACCEPTED and item.status == "True" for found in entries.values() for item in found
    )
    status = "True" if accepted == len(entries) else "False"
    reason = "Accepted" if accepted == len(entries) else "PartlyAccepted" if accepted else "NotAccepted"
    return Condition(conditions.ACCEPTED, status, reason, f"accepted for {accepted} of {len(entries)} Gateways")
