"""What the shell asks of the core, as protocols: so that it is tested without any real plan."""

from collections.abc import Callable
from typing import Any, Protocol

from aigw_operator.core.actions import Failures, Plan
from aigw_operator.core.manifests import Templates
from aigw_operator.core.model import Installation, Moment, NamespacedName, ObjectKey
from aigw_operator.core.snapshot import Snapshot


class Planner(Protocol):
    """The decisions: pure functions of a snapshot. Each plan is the next writes only; one without writes is the end."""

    def plan_gateway(self, snapshot: Snapshot, name: NamespacedName, installation: Installation, now: Moment) -> Plan:
        """What a Gateway needs."""

    def plan_namespace(self, snapshot: Snapshot, namespace: str, installation: Installation, now: Moment) -> Plan:
        """What is left over in a namespace."""

    def plan_receiver(
        self,
        snapshot: Snapshot,
        name: NamespacedName,
        installation: Installation,
        failures: Failures,
        now: Moment,
        *,
        templates: Templates,
        load: Callable[[str], Any],
    ) -> Plan:
        """What a TelemetryReceiver needs. `load` parses YAML."""

    def plan_policy(
        self,
        snapshot: Snapshot,
        name: NamespacedName,
        installation: Installation,
        failures: Failures,
        now: Moment,
    ) -> Plan:
        """What the status of a TelemetryPolicy needs."""

    def plan_undo(self, snapshot: Snapshot, installation: Installation, now: Moment) -> Plan:
        """The next steps back to a cluster without us."""


class Affected(Protocol):
    """Which keys must be looked at again: of Gateways, Namespaces, TelemetryPolicies and TelemetryReceivers."""

    def affected(self, snapshot: Snapshot, key: ObjectKey) -> frozenset[ObjectKey]:
        """Those that a change of an object concerns."""

    def everything(self, snapshot: Snapshot) -> frozenset[ObjectKey]:
        """All of them."""
