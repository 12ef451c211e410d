"""What the operator knows: the objects of a cluster, parsed. Values only; nothing here decides.

Objects that we write into (GatewayConfig, EnvoyProxy, Gateway) keep their raw content beside what was parsed, since
what we do not know must survive what we write.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

Raw = Mapping[str, Any]
"""A Kubernetes object, or a part of one, as JSON; never changed in place."""

DOMAIN: Final = "telemetry.aigw.dev"
"""Our API group, the prefix of our annotations and labels, and our field manager."""


class NamespacedName(NamedTuple):
    """Namespace and name of an object; the namespace is "" for what has none."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Kind(NamedTuple):
    """A kind of objects, without its version. `plural` is the resource's name in a URL."""

    group: str
    kind: str
    plural: str
    namespaced: bool = True


class ObjectKey(NamedTuple):
    """One object in the cluster."""

    kind: Kind
    name: NamespacedName

    def __str__(self) -> str:
        return f"{self.kind.kind} {self.name}"


GATEWAY: Final = Kind("gateway.networking.k8s.io", "Gateway", "gateways")
GATEWAY_CLASS: Final = Kind("gateway.networking.k8s.io", "GatewayClass", "gatewayclasses", namespaced=False)
ENVOY_PROXY: Final = Kind("gateway.envoyproxy.io", "EnvoyProxy", "envoyproxies")
BACKEND: Final = Kind("gateway.envoyproxy.io", "Backend", "backends")
GATEWAY_CONFIG: Final = Kind("aigateway.envoyproxy.io", "GatewayConfig", "gatewayconfigs")
POLICY: Final = Kind(DOMAIN, "TelemetryPolicy", "telemetrypolicies")
RECEIVER: Final = Kind(DOMAIN, "TelemetryReceiver", "telemetryreceivers")
NAMESPACE: Final = Kind("", "Namespace", "namespaces", namespaced=False)
POD: Final = Kind("", "Pod", "pods")
DEPLOYMENT: Final = Kind("apps", "Deployment", "deployments")
STATEFUL_SET: Final = Kind("apps", "StatefulSet", "statefulsets")
SERVICE: Final = Kind("", "Service", "services")
SERVICE_ACCOUNT: Final = Kind("", "ServiceAccount", "serviceaccounts")
CONFIG_MAP: Final = Kind("", "ConfigMap", "configmaps")
DISRUPTION_BUDGET: Final = Kind("policy", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY: Final = Kind("networking.k8s.io", "NetworkPolicy", "networkpolicies")
SERVICE_MONITOR: Final = Kind("monitoring.coreos.com", "ServiceMonitor", "servicemonitors")
CHILDREN: Final[Mapping[str, Kind]] = {
    kind.kind: kind
    for kind in (SERVICE_ACCOUNT, CONFIG_MAP, SERVICE, STATEFUL_SET, DISRUPTION_BUDGET, NETWORK_POLICY, SERVICE_MONITOR)
}
"""The kinds of a receiver's objects, by name."""
DEFINITION: Final = Kind(
    "apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)


@dataclasses.dataclass(frozen=True, slots=True)
class Meta:
    """What every object has. `created` is the creationTimestamp (RFC 3339, sorts as text)."""

    name: NamespacedName
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    created: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    deleting: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a status. `status` is "True", "False" or "Unknown"; `since` its lastTransitionTime."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int = 0
    since: str = ""


class ParametersRef(NamedTuple):
    """What a Gateway or a GatewayClass names as its parameters; `namespace` is the Gateway's own for a Gateway."""

    group: str
    kind: str
    name: NamespacedName


@dataclasses.dataclass(frozen=True, slots=True)
class Gateway:
    """A Gateway. `config` is the name in the annotation aigateway.envoyproxy.io/gateway-config, or None."""

    meta: Meta
    raw: Raw
    class_name: str
    config: str | None = None
    parameters: ParametersRef | None = None
    conditions: tuple[Condition, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class GatewayClass:
    """A GatewayClass: which controller serves it, and its class-level EnvoyProxy."""

    name: str
    controller: str
    parameters: ParametersRef | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """An object whose content stays raw: a GatewayConfig, EnvoyProxy, Backend, or an object of a receiver."""

    meta: Meta
    raw: Raw

    @property
    def spec(self) -> Raw:
        """The object's spec, {} where it has none."""
        spec: Raw = self.raw.get("spec") or {}
        return spec


@dataclasses.dataclass(frozen=True, slots=True)
class Pod:
    """An Envoy pod of a Gateway. `env` is that of the container ai-gateway-extproc, None where there is none."""

    name: NamespacedName
    gateway: NamespacedName
    env: tuple[Raw, ...] | None
    ready: bool = False
    deleting: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Deployment:
    """The Deployment of a Gateway's Envoy pods, with the annotations of its pod template."""

    meta: Meta
    gateway: NamespacedName
    template_annotations: Mapping[str, str]
    rolling: bool = False
    """its controller has not seen the newest template yet, or not all replicas are of it"""


@dataclasses.dataclass(frozen=True, slots=True)
class Capabilities:
    """What the installed versions can do, as their CRDs say (facts by release stand in core/capabilities.py)."""

    gateway_config: str = ""
    """the served version of GatewayConfig that is used, "" where there is no AI Gateway"""
    global_costs: bool = False
    """GatewayConfig has globalLLMRequestCosts (AI Gateway ≥ v0.6)"""
    gateway_api: str = ""
    """the served version of Gateway that is used, "" where there is no Gateway API"""
    envoy_proxy: str = ""
    """the served version of EnvoyProxy, "" where there is no Envoy Gateway"""
    backend: str = ""
    """the served version of Backend, "" where there is none"""
    resource_attributes: bool = False
    """the OpenTelemetry sink has resourceAttributes (Envoy Gateway ≥ v1.7), else resources"""
    merge_type: bool = False
    """EnvoyProxy has mergeType (Envoy Gateway ≥ v1.8)"""
    service_monitor: str = ""
    """the served version of ServiceMonitor, "" where there is no Prometheus operator"""


class Selector(NamedTuple):
    """A label selector, as `matchLabels` and `matchExpressions` (key, operator, values)."""

    match_labels: tuple[tuple[str, str], ...] = ()
    match_expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """A TelemetryPolicy. `errors` names what in its spec cannot be used; then nothing of the rest counts."""

    meta: Meta
    raw: Raw
    target_names: tuple[str, ...] = ()
    target_selectors: tuple[Selector, ...] = ()
    receiver: NamespacedName | None = None
    endpoint: str | None = None
    """an OTLP address, http://HOST:PORT (https is not offered: neither sender could be given a trust anchor)"""
    protocol: str = "grpc"
    """OTEL_EXPORTER_OTLP_PROTOCOL: grpc or http/protobuf; access logs are always gRPC"""
    interval_ms: int = 10_000
    temporality: str = "cumulative"
    naming: str = "Gateway"
    """Gateway: the service is called as the Gateway is; SkyWalking: it is always envoy-ai-gateway"""
    access_logs: bool = True
    traces: bool = False
    attributes: tuple[tuple[str, str], ...] = ()
    preview: bool = False
    errors: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Receiver:
    """A TelemetryReceiver. Its spec stays raw beside what attachment and sharding need."""

    meta: Meta
    raw: Raw
    shards: int = 1
    allowed_from: str = "All"
    """allowedNamespaces.from: Same, All or Selector"""
    allowed_selector: Selector = Selector()
    errors: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A pod that a receiver has heard, by its own list. Times are seconds since 1970, None for a signal never heard."""

    gateway: NamespacedName
    pod: str
    metrics_at: float | None = None
    logs_at: float | None = None
    interval: float = 60.0
    """seconds between two exports of metrics, as the receiver has learned it"""


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """What one receiver's shards answered; `error` is set where one could not be asked."""

    entries: tuple[Source, ...] = ()
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Installation:
    """What the operator's own settings tell the core about this cluster."""

    gateway_controller: str = "gateway.envoyproxy.io/gatewayclass-controller"
    """the controllerName of the GatewayClasses that Envoy Gateway serves (its own default)"""
    cluster_domain: str = "cluster.local"
    receiver_image: str = ""
    """the image of receivers that name none"""


class Moment(NamedTuple):
    """One instant: seconds since 1970, and the same as RFC 3339 text in whole seconds, UTC."""

    seconds: float
    text: str
