"""The effective policy of one Gateway: what shall become of it, with everything resolved, or why nothing shall.

It looks at policies, receivers and classes only, never at what has been written already.
"""

import dataclasses
import enum
import re

from aigw_operator.core import attachment, env, manifests, receiver_config, selectors, sharding
from aigw_operator.core.model import Gateway, Installation, NamespacedName, Policy, Receiver
from aigw_operator.core.note import Note
from aigw_operator.core.snapshot import Snapshot


class Verdict(enum.Enum):
    """What shall be done with a Gateway."""

    APPLY = enum.auto()
    """wire it, and keep it wired"""
    HOLD = enum.auto()
    """leave it as it is: something is missing or broken that may come back"""
    REMOVE = enum.auto()
    """undo whatever we did"""


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """Where telemetry goes. `shard` is set where it is a receiver of ours."""

    host: str
    port: int
    protocol: str = "grpc"
    receiver: NamespacedName | None = None
    shard: int = 0

    @property
    def url(self) -> str:
        """The endpoint as OTEL_EXPORTER_OTLP_ENDPOINT has it."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True)
class Effective:
    """The effective policy. `accepted` is the condition Accepted of it: a reason, a message, and whether it is true."""

    verdict: Verdict
    accepted: bool
    note: Note
    policy: Policy | None = None
    endpoint: Endpoint | None = None

    @property
    def env(self) -> env.EnvSettings | None:
        """What goes into the GatewayConfig; equal for two Gateways that may share one."""
        if self.policy is None or self.endpoint is None:
            return None
        return env.EnvSettings(
            endpoint=self.endpoint.url,
            protocol=self.endpoint.protocol,
            interval_ms=self.policy.interval_ms,
            temporality=self.policy.temporality,
            naming=self.policy.naming,
            traces=self.policy.traces,
            attributes=self.policy.attributes,
        )

    @property
    def access_logs(self) -> Endpoint | None:
        """Where access logs go; None where none are asked for."""
        return self.endpoint if self.policy is not None and self.policy.access_logs else None


def decide(snapshot: Snapshot, gateway: Gateway, installation: Installation) -> Effective:
    """The effective policy of a Gateway: the policy that governs it, its class, its receiver, in this order."""
    policy = attachment.governing(snapshot, gateway)
    if policy is None:
        return _without_policy(snapshot, gateway)
    if policy.errors:
        return Effective(Verdict.HOLD, accepted=False, note=Note("Invalid", "; ".join(policy.errors)), policy=policy)
    if refusal := _unsupported_class(snapshot, gateway, installation):
        return dataclasses.replace(refusal, policy=policy)
    if policy.receiver is None:
        endpoint = _external(policy)
        return _resolved(policy, endpoint, f"telemetry goes to {endpoint.url}")
    return _with_receiver(snapshot, gateway, policy, policy.receiver, installation)


def _without_policy(snapshot: Snapshot, gateway: Gateway) -> Effective:
    """No policy names it. Where one of its namespace cannot be read, nobody knows whether it would have: hold then."""
    namespace = gateway.meta.name.namespace
    broken = any(policy.errors for policy in snapshot.policies_by_namespace.get(namespace, ()))
    verdict = Verdict.HOLD if broken else Verdict.REMOVE
    return Effective(verdict, accepted=False, note=Note("NotSelected", "no TelemetryPolicy selects this Gateway"))


def _unsupported_class(snapshot: Snapshot, gateway: Gateway, installation: Installation) -> Effective | None:
    gateway_class = snapshot.classes.get(gateway.class_name)
    if gateway_class is None:
        message = f"its GatewayClass {gateway.class_name} does not exist; create it, or correct gatewayClassName"
        return Effective(Verdict.HOLD, accepted=False, note=Note("GatewayClassNotFound", message))
    if gateway_class.controller != installation.gateway_controller:
        message = (
            f"its GatewayClass {gateway_class.name} belongs to {gateway_class.controller}; only Gateways of Envoy "
            f"Gateway ({installation.gateway_controller}) carry AI Gateway's traffic"
        )
        return Effective(Verdict.REMOVE, accepted=False, note=Note("UnsupportedGatewayClass", message))
    proxy = snapshot.class_proxy(gateway)
    if proxy is not None and proxy.spec.get("mergeGateways"):
        message = (
            f"EnvoyProxy {proxy.meta.name} of its class merges Gateways, which AI Gateway does not support: "
            "its pods belong to no Gateway. Give this Gateway a class without mergeGateways"
        )
        return Effective(Verdict.REMOVE, accepted=False, note=Note("UnsupportedMergeGateways", message))
    return None


def _external(policy: Policy) -> Endpoint:
    """The policy's own endpoint, which was checked when it was parsed."""
    host, _, port = re.sub(r"^http://", "", policy.endpoint or "").rstrip("/").rpartition(":")
    return Endpoint(host.strip("[]"), int(port), policy.protocol)


def _with_receiver(
    snapshot: Snapshot, gateway: Gateway, policy: Policy, name: NamespacedName, installation: Installation
) -> Effective:
    receiver = snapshot.receivers.get(name)
    if receiver is None or receiver.meta.deleting:
        message = f"TelemetryReceiver {name} does not exist; create it, or correct receiverRef"
        return Effective(Verdict.HOLD, accepted=False, note=Note("ReceiverNotFound", message), policy=policy)
    if not _permits(snapshot, receiver, policy.meta.name.namespace):
        message = (
            f"TelemetryReceiver {name} does not admit policies of namespace {policy.meta.name.namespace}; "
            "its allowedNamespaces would have to"
        )
        return Effective(Verdict.REMOVE, accepted=False, note=Note("RefNotPermitted", message), policy=policy)
    shard = sharding.shard_of(sharding.group_of(snapshot, gateway), name, receiver.shards)
    endpoint = receiver_endpoint(receiver, shard, installation)
    return _resolved(policy, endpoint, f"telemetry goes to TelemetryReceiver {name}, shard {shard}")


def receiver_endpoint(receiver: Receiver, shard: int, installation: Installation) -> Endpoint:
    """Where one shard of a receiver takes OTLP/gRPC."""
    name = receiver.meta.name
    host = manifests.shard_endpoint(name, shard, installation)
    return Endpoint(host, receiver_config.OTLP_GRPC_PORT, receiver=name, shard=shard)


def _permits(snapshot: Snapshot, receiver: Receiver, namespace: str) -> bool:
    """Whether policies of a namespace may refer to a receiver: as a Gateway's listeners admit routes."""
    match receiver.allowed_from:
        case "All":
            return True
        case "Selector":
            return selectors.matches(receiver.allowed_selector, snapshot.namespaces.get(namespace, {}))
        case _:
            return namespace == receiver.meta.name.namespace


def _resolved(policy: Policy, endpoint: Endpoint, message: str) -> Effective:
    verdict = Verdict.HOLD if policy.preview else Verdict.APPLY
    return Effective(verdict, accepted=True, note=Note("Accepted", message), policy=policy, endpoint=endpoint)
