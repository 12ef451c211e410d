"""Objects of a cluster, from JSON into the model: what all have, and the kinds of others. It never raises.

An API server has validated these kinds, so odd content gets no message here: what is missing or has another type counts
as absent. Our own two kinds are read by parse_ours.
"""

from collections.abc import Mapping
from typing import Any, Final

from aigw_operator.core.model import (
    Condition,
    Deployment,
    Document,
    Gateway,
    GatewayClass,
    Meta,
    NamespacedName,
    ParametersRef,
    Pod,
    Raw,
)

CONFIG_ANNOTATION: Final = "aigateway.envoyproxy.io/gateway-config"
"""The annotation by which a Gateway names its GatewayConfig: a name in its own namespace."""

EXTPROC: Final = "ai-gateway-extproc"
"""The AI Gateway's container: an init container with restartPolicy Always from Kubernetes 1.33 on, else a plain one."""

OWNING_NAME: Final = "gateway.envoyproxy.io/owning-gateway-name"
OWNING_NAMESPACE: Final = "gateway.envoyproxy.io/owning-gateway-namespace"

# What Envoy Gateway puts on the Deployment and the pods of a Gateway, beside the two labels above. Pods of a merged
# GatewayClass have neither of those two.
_ENVOY: Final = {
    "app.kubernetes.io/name": "envoy",
    "app.kubernetes.io/component": "proxy",
    "app.kubernetes.io/managed-by": "envoy-gateway",
}


def meta(raw: Raw) -> Meta:
    """The metadata of any object."""
    data = _map(raw, "metadata")
    generation = data.get("generation")
    return Meta(
        name=NamespacedName(_text(data, "namespace"), _text(data, "name")),
        uid=_text(data, "uid"),
        generation=generation if isinstance(generation, int) else 0,
        resource_version=_text(data, "resourceVersion"),
        created=_text(data, "creationTimestamp"),
        labels=_texts(data, "labels"),
        annotations=_texts(data, "annotations"),
        deleting=bool(data.get("deletionTimestamp")),
    )


# gateway.networking.k8s.io/v1 Gateway: metadata.annotations, spec.gatewayClassName,
#   spec.infrastructure.parametersRef {group, kind, name}, status.conditions[]
def parse_gateway(raw: Raw) -> Gateway:
    """A Gateway. Its parametersRef is local, so the reference's namespace is the Gateway's own."""
    known = meta(raw)
    spec = _map(raw, "spec")
    return Gateway(
        meta=known,
        raw=raw,
        class_name=_text(spec, "gatewayClassName"),
        config=known.annotations.get(CONFIG_ANNOTATION) or None,
        parameters=_parameters(_map(spec, "infrastructure"), known.name.namespace),
        conditions=parse_conditions(_map(raw, "status")),
    )


# gateway.networking.k8s.io/v1 GatewayClass: spec.controllerName, spec.parametersRef {group, kind, name, namespace}
def parse_gateway_class(raw: Raw) -> GatewayClass:
    """A GatewayClass."""
    spec = _map(raw, "spec")
    return GatewayClass(meta(raw).name.name, _text(spec, "controllerName"), _parameters(spec, ""))


def _parameters(holder: Raw, namespace: str) -> ParametersRef | None:
    reference = _map(holder, "parametersRef")
    name = _text(reference, "name")
    if not name:
        return None
    place = NamespacedName(namespace or _text(reference, "namespace"), name)
    return ParametersRef(_text(reference, "group"), _text(reference, "kind"), place)


# meta/v1 Condition: type, status, reason, message, observedGeneration, lastTransitionTime
def parse_conditions(status: Raw) -> tuple[Condition, ...]:
    """The conditions of a status, in their order; an entry without a type is left out."""
    return tuple(
        Condition(
            type=_text(entry, "type"),
            status=_text(entry, "status"),
            reason=_text(entry, "reason"),
            message=_text(entry, "message"),
            observed_generation=_number(entry, "observedGeneration"),
            since=_text(entry, "lastTransitionTime"),
        )
        for entry in _maps(status, "conditions")
        if _text(entry, "type")
    )


def parse_document(raw: Raw) -> Document:
    """An object whose content stays raw: GatewayConfig, EnvoyProxy, Backend, an object of a receiver."""
    return Document(meta(raw), raw)


# v1 Namespace: metadata.name, metadata.labels
def parse_namespace(raw: Raw) -> tuple[str, Mapping[str, str]]:
    """A Namespace's name and labels."""
    known = meta(raw)
    return known.name.name, known.labels


# v1 Pod: metadata.labels, spec.{initContainers, containers}[] {name, env[] {name, value, valueFrom}},
#   status.conditions[] (type Ready)
def parse_pod(raw: Raw) -> Pod | None:
    """An Envoy pod of a Gateway; None for any other pod, and for those that serve a whole GatewayClass."""
    known = meta(raw)
    gateway = owner(known)
    if gateway is None:
        return None
    ready = any(
        condition.type == "Ready" and condition.status == "True" for condition in parse_conditions(_map(raw, "status"))
    )
    return Pod(known.name, gateway, _extproc_env(_map(raw, "spec")), ready=ready, deleting=known.deleting)


def _extproc_env(spec: Raw) -> tuple[Raw, ...] | None:
    for containers in ("initContainers", "containers"):
        for container in _maps(spec, containers):
            if container.get("name") == EXTPROC:
                return tuple(_maps(container, "env"))
    return None


# apps/v1 Deployment: metadata.labels, spec.template.metadata.annotations
def parse_deployment(raw: Raw) -> Deployment | None:
    """The Deployment of a Gateway's Envoy pods; None for any other."""
    known = meta(raw)
    gateway = owner(known)
    if gateway is None:
        return None
    template = _map(_map(raw, "spec"), "template")
    return Deployment(known, gateway, meta(template).annotations)


def owner(known: Meta) -> NamespacedName | None:
    """The Gateway whose Envoy an object is part of, by Envoy Gateway's labels."""
    if any(known.labels.get(key) != value for key, value in _ENVOY.items()):
        return None
    name, namespace = known.labels.get(OWNING_NAME), known.labels.get(OWNING_NAMESPACE)
    return NamespacedName(namespace, name) if name and namespace else None


def _map(raw: Any, key: str) -> Raw:
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _maps(raw: Raw, key: str) -> list[Raw]:
    value = raw.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(raw: Raw, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _number(raw: Raw, key: str) -> int:
    value = raw.get(key)
    return value if isinstance(value, int) else 0


def _texts(raw: Raw, key: str) -> Mapping[str, str]:
    return {str(name): value for name, value in _map(raw, key).items() if isinstance(value, str)}
