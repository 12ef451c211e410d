"""The access logs of a Gateway: its Backend and EnvoyProxy created or extended, referred to, checked, and undone.

Envoy Gateway empties a Gateway whose EnvoyProxy it cannot find, and drops all access logs where a Backend is missing.
So an object is there for some seconds before anything refers to it, and stays for some seconds after the last reference
is gone: its informers are not ordered among each other. See docs/adr/0008-order-of-writes.md.
"""

import dataclasses
import json
from collections.abc import Callable
from typing import Any, Final

from aigw_operator.core import access_log, actions, backend, consensus, envoy_proxy, moments, patch, record, unwiring
from aigw_operator.core.actions import Apply, Step
from aigw_operator.core.effective import Effective, Endpoint, Verdict
from aigw_operator.core.model import (
    BACKEND,
    ENVOY_PROXY,
    GATEWAY,
    Condition,
    Document,
    Gateway,
    Moment,
    NamespacedName,
    ObjectKey,
    Raw,
)
from aigw_operator.core.note import Note
from aigw_operator.core.snapshot import Snapshot

# How long an object of ours exists before anything refers to it, and after nothing does any more (seconds). Informers
# lag by milliseconds; Envoy Gateway collects changes for less than a second.
SETTLE: Final = 2.0

# How long a Gateway may be un-accepted before we take our wiring back (seconds): it may be so for a moment while Envoy
# Gateway catches up with two objects that refer to each other.
_PATIENCE: Final = 10.0


def plan(snapshot: Snapshot, gateway: Gateway, decide: Callable[[Gateway], Effective], now: Moment) -> Step:
    """What the access logs of this Gateway need next."""
    users = unwiring.users_of_proxy(snapshot, gateway)
    agreed = consensus.agree(gateway, users, decide, _wanted)
    if agreed.verdict is Verdict.HOLD:
        return Step(held=True)
    if agreed.verdict is Verdict.REMOVE:
        problem = _shared(gateway, agreed.against) if agreed.against else None
        return _undo(snapshot, gateway, problem)
    effective = decide(gateway)
    problem = _obstacle(snapshot, effective)
    if problem is not None or effective.access_logs is None:
        return _undo(snapshot, gateway, problem)
    return _apply(snapshot, gateway, effective.access_logs, _attributes(gateway, effective, alone=len(users) == 1), now)


def _undo(snapshot: Snapshot, gateway: Gateway, problem: Note | None) -> Step:
    """Undo, and forget what was rejected."""
    undone = unwiring.plan(snapshot, gateway)
    if not undone.actions and record.REJECTED in gateway.meta.annotations:
        cleared = record.annotate(gateway.raw, {record.REJECTED: None})
        undone = Step(actions.change(ObjectKey(GATEWAY, gateway.meta.name), gateway, cleared, why="undo our mark"))
    return dataclasses.replace(undone, problem=problem)


def _wanted(effective: Effective) -> object:
    policy = effective.policy
    return effective.access_logs, policy and (policy.naming, policy.attributes)


def _shared(gateway: Gateway, against: tuple[NamespacedName, ...]) -> Note:
    proxy = gateway.parameters.name if gateway.parameters else ""
    message = consensus.explain(f"EnvoyProxy {proxy}", against, own="an EnvoyProxy")
    return Note("SharedEnvoyProxy", message)


def _obstacle(snapshot: Snapshot, effective: Effective) -> Note | None:
    """Why no access log can be wired here, whatever the Gateway looks like."""
    if effective.access_logs is None:
        return Note("Disabled", "the policy asks for no access logs")
    if effective.access_logs.protocol != "grpc":
        return Note("EndpointNotGrpc", "Envoy sends access logs by OTLP/gRPC only; give the policy a gRPC endpoint")
    if unfit := backend.check_host(effective.access_logs.host):
        return unfit
    capabilities = snapshot.capabilities
    if not capabilities.gateway_config:
        return Note("AIGatewayMissing", "without AI Gateway no request carries the headers that are matched")
    if not capabilities.envoy_proxy or not capabilities.backend:
        return Note("EnvoyGatewayMissing", "the CRDs of Envoy Gateway (EnvoyProxy, Backend) are not installed")
    return None


def _attributes(gateway: Gateway, effective: Effective, *, alone: bool) -> tuple[tuple[str, str], ...]:
    """The sink's resource attributes. They are static, so one that names the Gateway needs an EnvoyProxy of its own."""
    name = gateway.meta.name
    policy = effective.policy
    fixed = "envoy-ai-gateway"  # the service of SkyWalking's recipe, which discards logs that name none
    identity = (
        (("aigw.gateway.namespace", name.namespace), ("aigw.gateway.name", name.name), ("aigw.service", name.name))
        if alone
        else ()
    )
    by_name = alone and policy is not None and policy.naming == "Gateway"
    common = (
        ("job_name", "envoy-ai-gateway"),
        ("service.layer", "ENVOY_AI_GATEWAY"),
        ("service.name", name.name if by_name else fixed),
    )
    return identity + common + (policy.attributes if policy else ())


def _apply(
    snapshot: Snapshot, gateway: Gateway, endpoint: Endpoint, attributes: tuple[tuple[str, str], ...], now: Moment
) -> Step:
    """Backend, then EnvoyProxy, then the reference; then see whether the Gateway likes it."""
    settings = access_log.build_settings(
        backend.backend_name(endpoint.host, endpoint.port),
        endpoint.port,
        capabilities=snapshot.capabilities,
        service_attributes=attributes,
    )
    target = _target(snapshot, gateway, settings)
    if isinstance(target, Note):
        return _undo(snapshot, gateway, target)
    rejected = record.read(gateway.meta, record.REJECTED)
    if rejected.get("wiring") == target.wiring:
        message = f"Envoy Gateway did not accept the Gateway with it: {rejected.get('message')}; it was taken back"
        return dataclasses.replace(unwiring.plan(snapshot, gateway), problem=Note("RejectedByGateway", message))
    key = ObjectKey(GATEWAY, gateway.meta.name)
    if record.REJECTED in gateway.meta.annotations:
        cleared = record.annotate(gateway.raw, {record.REJECTED: None})
        return Step(actions.change(key, gateway, cleared, why="what was rejected has changed"))
    refusal = _refusal(gateway)
    if target.complete:
        if refusal is None:
            return Step()
        if moments.age(refusal.since, now.seconds) < _PATIENCE:
            return Step(recheck_after=_PATIENCE)
        noted = json.dumps({"wiring": target.wiring, "message": refusal.message}, sort_keys=True)
        marked = record.annotate(gateway.raw, {record.REJECTED: noted})
        return Step(actions.change(key, gateway, marked, why="the Gateway is not accepted with our access logs"))
    if refusal is not None and not target.begun:
        message = f"Envoy Gateway does not accept this Gateway now ({refusal.message}); nothing is added to it"
        return Step(problem=Note("GatewayNotAccepted", message), held=True)
    return _backend(snapshot, gateway, endpoint, now) or target.step(now)


def _backend(snapshot: Snapshot, gateway: Gateway, endpoint: Endpoint, now: Moment) -> Step | None:
    """The Backend that the sink will refer to, and the time for everyone to see it."""
    namespace = gateway.meta.name.namespace
    desired = backend.build_backend(namespace, endpoint.host, endpoint.port, snapshot.capabilities.backend)
    name = NamespacedName(namespace, desired["metadata"]["name"])
    key = ObjectKey(BACKEND, name)
    live = snapshot.backends.get(name)
    if live is None or not patch.covers(live.raw, desired):
        return Step((Apply(key, desired, f"the address of access logs, {endpoint.host}:{endpoint.port}"),))
    if record.UNUSED_SINCE in live.meta.annotations:
        used = record.annotate(live.raw, {record.UNUSED_SINCE: None})
        return Step(actions.change(key, live, used, why="it is used again"))
    if moments.age(live.meta.created, now.seconds) < SETTLE:
        return Step(recheck_after=SETTLE)
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class _Target:
    """The EnvoyProxy that is to carry the settings: the next step towards it, and how far it is.

    `wiring` is a hash of what the Gateway will have; `begun` tells that something of ours is in force already.
    """

    step: Callable[[Moment], Step]
    wiring: str
    begun: bool
    complete: bool


def _target(snapshot: Snapshot, gateway: Gateway, settings: tuple[Raw, ...]) -> _Target | Note:
    own = record.own_name(gateway.meta.name)
    if gateway.parameters is not None and gateway.parameters.name != own:
        return _users_proxy(snapshot, gateway, settings)
    return _own_proxy(snapshot, gateway, own, settings)


def _users_proxy(snapshot: Snapshot, gateway: Gateway, settings: tuple[Raw, ...]) -> _Target | Note:
    """Extend the EnvoyProxy that the Gateway refers to."""
    parameters = gateway.parameters
    assert parameters is not None
    if parameters.kind != ENVOY_PROXY.kind:
        return Note("UnsupportedParameters", f"its parametersRef names a {parameters.kind}, not an EnvoyProxy")
    live = snapshot.proxies.get(parameters.name)
    if live is None:
        return Note("EnvoyProxyNotFound", f"its EnvoyProxy {parameters.name} does not exist; create it")
    noted = record.read(live.meta)
    merged = envoy_proxy.extend(live.spec, settings, noted.get("proxy"))
    if merged.error is not None:
        return merged.error
    desired = record.write({**live.raw, "spec": merged.spec}, {"proxy": merged.record})
    change = actions.change(ObjectKey(ENVOY_PROXY, live.meta.name), live, desired, why="add the access-log sink")
    return _Target(
        step=lambda _: Step(change),
        wiring=record.digest(envoy_proxy.undo(live.spec, noted.get("proxy") or {}), settings),
        begun="proxy" in noted,
        complete=not change,
    )


def _own_proxy(snapshot: Snapshot, gateway: Gateway, name: NamespacedName, settings: tuple[Raw, ...]) -> _Target | Note:
    """Make an EnvoyProxy with the class's settings and ours, and refer to it."""
    desired = unwiring.build(snapshot, gateway, settings)
    if isinstance(desired, Note):
        return desired
    wiring = record.digest(desired["spec"])
    desired = record.annotate(desired, {record.HASH: wiring})
    live = snapshot.proxies.get(name)
    if live is not None and not record.is_ours(live.meta):
        return Note(
            "NameTaken", f"EnvoyProxy {name.name} exists and is not ours; rename it, or let the Gateway refer to it"
        )
    referred = gateway.parameters is not None
    current = live is not None and patch.covers(live.raw, desired)
    key = ObjectKey(ENVOY_PROXY, name)

    def step(now: Moment) -> Step:
        if live is None or not current:
            return Step((Apply(key, desired, "carry the access-log sink"),))
        if moments.age(live.meta.created, now.seconds) < SETTLE:
            return Step(recheck_after=SETTLE)
        return Step(_refer(gateway, live))

    return _Target(step=step, wiring=wiring, begun=referred and live is not None, complete=referred and current)


def _refer(gateway: Gateway, live: Document) -> tuple[actions.Action, ...]:
    """Let the Gateway refer to our EnvoyProxy, which has been there for a while."""
    spec: dict[str, Any] = dict(gateway.raw.get("spec") or {})
    infrastructure = spec.get("infrastructure")
    reference = {"group": ENVOY_PROXY.group, "kind": ENVOY_PROXY.kind, "name": live.meta.name.name}
    spec["infrastructure"] = {**(infrastructure or {}), "parametersRef": reference}
    noted = {
        **record.read(gateway.meta),
        "parametersRef": True,
        **({} if infrastructure is not None else {"infrastructure": True}),
    }
    desired = record.write({**gateway.raw, "spec": spec}, noted)
    key = ObjectKey(GATEWAY, gateway.meta.name)
    return actions.change(key, gateway, desired, why=f"refer to EnvoyProxy {live.meta.name.name}")


def _refusal(gateway: Gateway) -> Condition | None:
    """The condition by which Envoy Gateway says that it cannot use the Gateway's parameters."""
    for condition in gateway.conditions:
        if condition.type == "Accepted" and condition.status == "False":
            return condition
    return None
