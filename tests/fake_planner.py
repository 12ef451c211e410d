"""A planner for tests of the operator's shell: small plans, whose effect is plain, in the place of the core's."""

from collections.abc import Callable, Mapping
from typing import Any

from aigw_operator.core import model
from aigw_operator.core.actions import Apply, Create, Delete, Event, Failures, Patch, Plan
from aigw_operator.core.manifests import Templates
from aigw_operator.core.model import Installation, Moment, NamespacedName, ObjectKey
from aigw_operator.core.snapshot import Snapshot

CONFIG_VERSION = "aigateway.envoyproxy.io/v1beta1"
OURS = {"app.kubernetes.io/managed-by": "aigw-telemetry"}


def config_key(gateway: NamespacedName) -> ObjectKey:
    """The key of the GatewayConfig that a Gateway gets."""
    return ObjectKey(model.GATEWAY_CONFIG, NamespacedName(gateway.namespace, f"{gateway.name}-config"))


class FakePlanner:
    """Gives every Gateway a GatewayConfig, in two plans: create it, then fill it with what the policies want.

    A receiver gets a Service; the status of a policy counts the GatewayConfigs, and says what failed.
    """

    def plan_gateway(self, snapshot: Snapshot, name: NamespacedName, installation: Installation, now: Moment) -> Plan:
        """Create the GatewayConfig, then patch it."""
        del installation, now
        gateway = snapshot.gateways.get(name)
        if gateway is None:
            return Plan()
        key = config_key(name)
        live = snapshot.configs.get(key.name)
        wanted = {"policies": sorted(policy.name for policy in snapshot.policies)}
        if live is None:
            metadata = {"namespace": key.name.namespace, "name": key.name.name, "labels": OURS}
            body = {"apiVersion": CONFIG_VERSION, "kind": "GatewayConfig", "metadata": metadata, "spec": {}}
            return Plan((Create(key, body, "it is missing"),))
        if live.spec.get("policies") != wanted["policies"]:
            patch = {"metadata": {"resourceVersion": live.meta.resource_version}, "spec": wanted}
            return Plan((Patch(key, CONFIG_VERSION, patch, "it differs"),))
        return Plan()

    def plan_namespace(self, snapshot: Snapshot, namespace: str, installation: Installation, now: Moment) -> Plan:
        """Delete the GatewayConfigs of Gateways that are gone."""
        del installation, now
        kept = {config_key(name).name for name in snapshot.gateways}
        return Plan(
            tuple(
                Delete(
                    ObjectKey(model.GATEWAY_CONFIG, name),
                    CONFIG_VERSION,
                    live.meta.uid,
                    live.meta.resource_version,
                    "nobody uses it",
                )
                for name, live in snapshot.configs.items()
                if name.namespace == namespace and name not in kept
            )
        )

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
        """Apply a Service."""
        del installation, failures, now, templates, load
        key = ObjectKey(model.SERVICE, name)
        if name not in snapshot.receivers or key in snapshot.children:
            return Plan()
        metadata = {"namespace": name.namespace, "name": name.name, "labels": OURS}
        return Plan((Apply(key, {"apiVersion": "v1", "kind": "Service", "metadata": metadata}, "it is missing"),))

    def plan_policy(
        self,
        snapshot: Snapshot,
        name: NamespacedName,
        installation: Installation,
        failures: Failures,
        now: Moment,
    ) -> Plan:
        """Write what is true into the status, and say so."""
        del installation, now
        policy = snapshot.policies.get(name)
        if policy is None:
            return Plan()
        heard = [str(sources.error or len(sources.entries)) for sources in snapshot.sources.values()]
        status = {
            "gateways": str(len(snapshot.configs)),
            "failures": sorted(str(key) for key in failures),
            "heard": heard,
        }
        if policy.raw.get("status") == status:
            return Plan()
        key = ObjectKey(model.POLICY, name)
        body = {"metadata": {"resourceVersion": policy.meta.resource_version}, "status": status}
        version = "telemetry.aigw.dev/v1alpha1"
        event = Event(key, version, policy.meta.uid, "Normal", "Counted", "Gateways were counted", "Count")
        return Plan((Patch(key, version, body, "status", "status"),), events=(event,))

    def plan_undo(self, snapshot: Snapshot, installation: Installation, now: Moment) -> Plan:
        """Delete all GatewayConfigs, one after the other."""
        del installation, now
        return Plan(
            tuple(
                Delete(
                    ObjectKey(model.GATEWAY_CONFIG, name),
                    CONFIG_VERSION,
                    live.meta.uid,
                    live.meta.resource_version,
                    "undo",
                )
                for name, live in sorted(snapshot.configs.items())[:1]
            )
        )


class FakeAffected:
    """Everything concerns everybody."""

    def affected(self, snapshot: Snapshot, key: ObjectKey) -> frozenset[ObjectKey]:
        """All keys, whatever has changed."""
        del key
        return self.everything(snapshot)

    def everything(self, snapshot: Snapshot) -> frozenset[ObjectKey]:
        """All keys."""
        objects: tuple[tuple[model.Kind, Mapping[NamespacedName, Any]], ...] = (
            (model.GATEWAY, snapshot.gateways),
            (model.RECEIVER, snapshot.receivers),
            (model.POLICY, snapshot.policies),
        )
        keys = {ObjectKey(kind, name) for kind, names in objects for name in names}
        namespaces = {name.namespace for name in (*snapshot.gateways, *snapshot.configs)}
        return frozenset(keys | {ObjectKey(model.NAMESPACE, NamespacedName("", name)) for name in namespaces})


TEMPLATES = Templates({})
