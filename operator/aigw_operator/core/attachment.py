"""Which TelemetryPolicy governs which Gateway: direct policy attachment, as Gateway API has it (GEP-713).

Of several policies that select one Gateway the oldest governs, then the first by name. A policy that cannot be used
takes no part unless it is alone: then what it once asked for is held.
"""

import dataclasses

from aigw_operator.core import selectors
from aigw_operator.core.model import Gateway, NamespacedName, Policy
from aigw_operator.core.snapshot import Snapshot


@dataclasses.dataclass(frozen=True, slots=True)
class Targets:
    """What one policy selects: Gateways that exist, in order, and names that it refers to in vain."""

    gateways: tuple[NamespacedName, ...]
    missing: tuple[NamespacedName, ...]


def targets(snapshot: Snapshot, policy: Policy) -> Targets:
    """The Gateways of the policy's own namespace that its references and selectors name."""
    namespace = policy.meta.name.namespace
    named = {NamespacedName(namespace, name) for name in policy.target_names}
    selected = {
        gateway.meta.name for gateway in snapshot.gateways_by_namespace.get(namespace, ()) if _selects(policy, gateway)
    }
    return Targets(
        tuple(sorted(selected | (named & snapshot.gateways.keys()))), tuple(sorted(named - snapshot.gateways.keys()))
    )


def _selects(policy: Policy, gateway: Gateway) -> bool:
    return any(selectors.matches(selector, gateway.meta.labels) for selector in policy.target_selectors)


def _attached(policy: Policy, gateway: Gateway) -> bool:
    return not policy.meta.deleting and (gateway.meta.name.name in policy.target_names or _selects(policy, gateway))


def _rank(policy: Policy) -> tuple[bool, bool, str, NamespacedName]:
    """The order of precedence: usable ones first, those that only preview after those that apply, then by age."""
    return bool(policy.errors), policy.preview, policy.meta.created, policy.meta.name


def governing(snapshot: Snapshot, gateway: Gateway) -> Policy | None:
    """The one policy whose word counts for a Gateway, None if no policy selects it."""
    neighbours = snapshot.policies_by_namespace.get(gateway.meta.name.namespace, ())
    candidates = [policy for policy in neighbours if _attached(policy, gateway)]
    return min(candidates, key=_rank, default=None)
