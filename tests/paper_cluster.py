"""A cluster on paper: it takes the writes of plans as an API server would, and sees whether a reference ever dangles.

It stands in for an API server in tests of the pure core only: optimistic locking, server-side apply of what is ours,
merge patches, defaults of the EnvoyProxy CRD, uids and times. tests/cluster holds the same plans against a real one.
"""

import copy
import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aigw_operator.core import moments, parse, parse_ours, patch
from aigw_operator.core.actions import Action, Apply, Create, Delete, Patch, Plan
from aigw_operator.core.gateway_plan import plan_gateway, plan_namespace
from aigw_operator.core.model import (
    BACKEND,
    ENVOY_PROXY,
    GATEWAY,
    GATEWAY_CLASS,
    GATEWAY_CONFIG,
    NAMESPACE,
    POLICY,
    RECEIVER,
    Capabilities,
    Deployment,
    Installation,
    Kind,
    Moment,
    NamespacedName,
    ObjectKey,
    Pod,
    Raw,
    Sources,
)
from aigw_operator.core.policy_plan import plan_policy
from aigw_operator.core.rendering import NEWEST
from aigw_operator.core.snapshot import Snapshot

_KINDS: Mapping[str, Kind] = {
    kind.kind: kind
    for kind in (GATEWAY, GATEWAY_CLASS, GATEWAY_CONFIG, ENVOY_PROXY, BACKEND, POLICY, RECEIVER, NAMESPACE)
}
NOON = 1_795_000_000.0
"""When every paper cluster begins: seconds since 1970."""


class ConflictError(Exception):
    """A write was refused: the object has changed, exists already, or is gone (409 or 404)."""


class DanglingError(AssertionError):
    """A Gateway or an EnvoyProxy refers to something that does not exist."""


def gateway(name: str, *, namespace: str = "default", **changes: Any) -> dict[str, Any]:
    """A Gateway as a user writes it."""
    raw: dict[str, Any] = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"gatewayClassName": "eg", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
    }
    return merged(raw, changes)


def policy(name: str = "all", *, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A TelemetryPolicy that selects every Gateway of its namespace and refers to the receiver of `receiver()`."""
    base = {
        "targetSelectors": [{"group": "gateway.networking.k8s.io", "kind": "Gateway"}],
        "receiverRef": {"name": "default", "namespace": "aigw-telemetry"},
    }
    content = {key: value for key, value in {**base, **spec}.items() if value is not None}
    return {
        "apiVersion": "telemetry.aigw.dev/v1alpha1",
        "kind": "TelemetryPolicy",
        "metadata": {"namespace": namespace, "name": name},
        "spec": content,
    }


def receiver(**spec: Any) -> dict[str, Any]:
    """A TelemetryReceiver that admits policies of all namespaces."""
    return {
        "apiVersion": "telemetry.aigw.dev/v1alpha1",
        "kind": "TelemetryReceiver",
        "metadata": {"namespace": "aigw-telemetry", "name": "default"},
        "spec": {"allowedNamespaces": {"from": "All"}, **spec},
    }


def gateway_class(name: str = "eg", controller: str = Installation().gateway_controller, **spec: Any) -> dict[str, Any]:
    """A GatewayClass of Envoy Gateway."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": name},
        "spec": {"controllerName": controller, **spec},
    }


def config(name: str, *, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A user's GatewayConfig."""
    return {
        "apiVersion": "aigateway.envoyproxy.io/v1beta1",
        "kind": "GatewayConfig",
        "metadata": {"namespace": namespace, "name": name},
        "spec": spec,
    }


def proxy(name: str, *, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A user's EnvoyProxy, as a server returns it: with the default log level."""
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"logging": {"level": {"default": "warn"}}, **spec},
    }


def merged(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The object with nested changes (RFC 7386)."""
    return patch.apply_merge_patch(raw, changes)


@dataclasses.dataclass
class PaperCluster:
    """Objects by key, and a clock that moves when it is told to."""

    objects: dict[ObjectKey, dict[str, Any]] = dataclasses.field(default_factory=dict)
    capabilities: Capabilities = NEWEST
    installation: Installation = Installation(receiver_image="receiver:1")
    clock: float = NOON
    pods: dict[NamespacedName, Pod] = dataclasses.field(default_factory=dict)
    deployments: dict[NamespacedName, Deployment] = dataclasses.field(default_factory=dict)
    sources: dict[NamespacedName, Sources] = dataclasses.field(default_factory=dict)
    log: list[Action] = dataclasses.field(default_factory=list)
    _version: int = 0

    def put(self, *raws: Mapping[str, Any]) -> None:
        """Create or replace objects as a user does; the status and the server's own fields of an old one stay."""
        for raw in raws:
            key = key_of(raw)
            old = self.objects.get(key, {"metadata": {}})
            kept = {name: old["metadata"][name] for name in ("uid", "creationTimestamp") if name in old["metadata"]}
            self._store(key, {**copy.deepcopy(dict(raw)), "metadata": {**raw["metadata"], **kept}}, old)

    def edit(self, key: ObjectKey, changes: Mapping[str, Any]) -> None:
        """Change an object by a merge patch, as a user does."""
        self._store(key, patch.apply_merge_patch(self.objects[key], changes), self.objects[key])

    def remove(self, key: ObjectKey) -> None:
        """Delete an object, as a user does."""
        del self.objects[key]

    @property
    def now(self) -> Moment:
        """The clock."""
        return Moment(self.clock, moments.text(self.clock))

    def snapshot(self) -> Snapshot:
        """What the operator would know."""
        by_kind: dict[Kind, list[Raw]] = {kind: [] for kind in _KINDS.values()}
        for key, raw in self.objects.items():
            by_kind[key.kind].append(copy.deepcopy(raw))
        return Snapshot(
            capabilities=self.capabilities,
            gateways={item.meta.name: item for item in map(parse.parse_gateway, by_kind[GATEWAY])},
            classes={item.name: item for item in map(parse.parse_gateway_class, by_kind[GATEWAY_CLASS])},
            configs={item.meta.name: item for item in map(parse.parse_document, by_kind[GATEWAY_CONFIG])},
            proxies={item.meta.name: item for item in map(parse.parse_document, by_kind[ENVOY_PROXY])},
            backends={item.meta.name: item for item in map(parse.parse_document, by_kind[BACKEND])},
            policies={item.meta.name: item for item in map(parse_ours.parse_policy, by_kind[POLICY])},
            receivers={item.meta.name: item for item in map(parse_ours.parse_receiver, by_kind[RECEIVER])},
            namespaces=dict(map(parse.parse_namespace, by_kind[NAMESPACE])),
            pods=self.pods,
            deployments=self.deployments,
            sources=self.sources,
        )

    def perform(self, action: Action) -> None:
        """Take one write, or refuse it; afterwards no reference may dangle."""
        live = self.objects.get(action.key)
        match action:
            case Create():
                if live is not None:
                    raise ConflictError(action.key)
                self._store(action.key, copy.deepcopy(dict(action.body)), {"metadata": {}})
            case Apply():
                self._store(action.key, patch.apply_merge_patch(live or {}, action.body), live or {"metadata": {}})
            case Patch():
                self._patch(action, live)
            case Delete():
                if live is None or live["metadata"]["resourceVersion"] != action.resource_version:
                    raise ConflictError(action.key)
                del self.objects[action.key]
        self.log.append(action)
        self.check()

    def _patch(self, action: Patch, live: dict[str, Any] | None) -> None:
        if action.key.kind.kind == "Deployment":
            deployment = self.deployments[action.key.name]
            template = action.body["spec"]["template"]["metadata"]["annotations"]
            annotations = patch.apply_merge_patch(deployment.template_annotations, template)
            self.deployments[action.key.name] = dataclasses.replace(deployment, template_annotations=annotations)
            return
        if live is None or live["metadata"]["resourceVersion"] != action.body["metadata"]["resourceVersion"]:
            raise ConflictError(action.key)
        self._store(action.key, patch.apply_merge_patch(live, action.body), live)

    def _store(self, key: ObjectKey, raw: dict[str, Any], old: Mapping[str, Any]) -> None:
        self._version += 1
        metadata = dict(raw["metadata"])
        metadata.setdefault("uid", f"uid-{self._version}")
        metadata.setdefault("creationTimestamp", moments.text(self.clock))
        generation = old["metadata"].get("generation", 0)
        changed = raw.get("spec") != old.get("spec") or generation == 0
        metadata |= {"resourceVersion": str(self._version), "generation": generation + changed}
        if key.kind == ENVOY_PROXY:
            raw = {**raw, "spec": merged({"logging": {"level": {"default": "warn"}}}, raw.get("spec") or {})}
        self.objects[key] = {**raw, "metadata": metadata}

    def check(self) -> None:
        """No Gateway refers to a missing GatewayConfig or EnvoyProxy, and no sink of ours to a missing Backend."""
        for key, raw in self.objects.items():
            namespace = key.name.namespace
            if key.kind == GATEWAY:
                name = raw["metadata"].get("annotations", {}).get("aigateway.envoyproxy.io/gateway-config")
                self._exists(key, GATEWAY_CONFIG, namespace, name)
                parameters = (raw["spec"].get("infrastructure") or {}).get("parametersRef") or {}
                self._exists(key, ENVOY_PROXY, namespace, parameters.get("name"))
            if key.kind == ENVOY_PROXY:
                for name in backends_of(raw):
                    self._exists(key, BACKEND, namespace, name)

    def _exists(self, key: ObjectKey, kind: Kind, namespace: str, name: str | None) -> None:
        if name is not None and ObjectKey(kind, NamespacedName(namespace, name)) not in self.objects:
            message = f"{key} refers to {kind.kind} {name}, which does not exist"
            raise DanglingError(message)

    def plans(self) -> list[Callable[[], Plan]]:
        """The plans of every key there is, each to be made of the snapshot of its moment."""
        namespaces = sorted({key.name.namespace for key in self.objects if key.name.namespace})
        found: list[Callable[[], Plan]] = [
            functools.partial(self._plan_gateway, key.name) for key in self.objects if key.kind == GATEWAY
        ]
        found += [functools.partial(self._plan_namespace, namespace) for namespace in namespaces]
        found += [functools.partial(self._plan_policy, key.name) for key in self.objects if key.kind == POLICY]
        return found

    def _plan_gateway(self, name: NamespacedName) -> Plan:
        return plan_gateway(self.snapshot(), name, self.installation, self.now)

    def _plan_namespace(self, namespace: str) -> Plan:
        return plan_namespace(self.snapshot(), namespace, self.installation, self.now)

    def _plan_policy(self, name: NamespacedName) -> Plan:
        return plan_policy(self.snapshot(), name, self.installation, {}, self.now)

    def settle(self, *, rounds: int = 200, order: Callable[[list[Any]], Iterable[Any]] = lambda plans: plans) -> int:
        """Carry out plans until none writes or waits; how many writes it took. The clock jumps over waits."""
        before = len(self.log)
        for _ in range(rounds):
            written, waits = False, []
            for make in order(self.plans()):
                plan = make()
                for action in plan.actions:
                    self.perform(action)
                written = written or bool(plan.actions)
                waits += [plan.recheck_after] if plan.recheck_after is not None else []
            if not written and not waits:
                return len(self.log) - before
            if not written:
                self.clock += min(waits)
        message = f"no end after {rounds} rounds; last: {self.log[-3:]}"
        raise AssertionError(message)

    def written(self, kind: Kind) -> int:
        """How many writes there were to objects of a kind."""
        return sum(action.key.kind == kind for action in self.log)


def key_of(raw: Mapping[str, Any]) -> ObjectKey:
    """The key of a manifest."""
    metadata = raw["metadata"]
    return ObjectKey(_KINDS[raw["kind"]], NamespacedName(metadata.get("namespace", ""), metadata["name"]))


def backends_of(proxy_raw: Mapping[str, Any]) -> list[str]:
    """The Backends that the access-log sinks of an EnvoyProxy refer to."""
    logs = ((proxy_raw["spec"].get("telemetry") or {}).get("accessLog") or {}).get("settings") or []
    return [
        reference["name"]
        for setting in logs
        for sink in setting.get("sinks") or ()
        for reference in (sink.get("openTelemetry") or {}).get("backendRefs") or ()
        if reference.get("kind") == "Backend"
    ]


def users_view(raw: Mapping[str, Any]) -> dict[str, Any]:
    """An object as its user wrote it: without what a server puts in."""
    metadata = {
        name: part
        for name, part in raw["metadata"].items()
        if name not in ("uid", "resourceVersion", "generation", "creationTimestamp")
    }
    return {name: part for name, part in {**raw, "metadata": metadata}.items() if name != "status"}
