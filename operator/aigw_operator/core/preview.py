"""What a TelemetryPolicy in mode Preview would write, as its status shows it."""

import dataclasses
from typing import Any, Final

from aigw_operator.core import attachment, simulate
from aigw_operator.core.model import Installation, Moment, Policy
from aigw_operator.core.snapshot import Snapshot

# An object takes some kilobytes, and an API server takes no object of more than 1.5 MiB.
_MOST: Final = 128


def build(snapshot: Snapshot, policy: Policy, installation: Installation, now: Moment) -> tuple[dict[str, Any], ...]:
    """The objects that would be created, patched or deleted, each as it would stand, for the Gateways it governs."""
    applied = dataclasses.replace(policy, preview=False)
    paper = dataclasses.replace(snapshot, policies={**snapshot.policies, policy.meta.name: applied})
    names = tuple(
        name
        for name in attachment.targets(snapshot, policy).gateways
        if (governing := attachment.governing(snapshot, snapshot.gateways[name])) is not None
        and governing.meta.name == policy.meta.name
    )
    outcome = simulate.play(paper, names, installation, now)
    whys = {action.key: action.why for action in outcome.actions}
    return tuple(
        {
            "action": action,
            "kind": key.kind.kind,
            "namespace": key.name.namespace,
            "name": key.name.name,
            "why": whys.get(key, ""),
            "manifest": content,
        }
        for action, key, content in simulate.changed(snapshot, outcome.snapshot)[:_MOST]
    )
