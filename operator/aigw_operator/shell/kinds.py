"""The kinds of objects that the operator looks at: how each is watched or listed, and where its URL is. No requests."""

from typing import Final, NamedTuple

from aigw_operator.core import model
from aigw_operator.core.model import Capabilities, Kind, ObjectKey

OURS: Final = "app.kubernetes.io/managed-by=aigw-telemetry"
"""The label selector of objects that we made."""

# Envoy Gateway's label contract for what it makes for a Gateway.
_ENVOY: Final = "app.kubernetes.io/managed-by=envoy-gateway"


class Scope(NamedTuple):
    """A kind, and the label selector (server-side) of those of its objects that are looked at; "" is all."""

    kind: Kind
    labels: str = ""


WATCHED: Final = (
    Scope(model.NAMESPACE),
    Scope(model.GATEWAY_CLASS),
    Scope(model.GATEWAY),
    Scope(model.GATEWAY_CONFIG),
    Scope(model.ENVOY_PROXY),
    Scope(model.BACKEND, OURS),
    Scope(model.RECEIVER),
    Scope(model.POLICY),
    Scope(model.DEPLOYMENT, _ENVOY),
    Scope(model.POD, _ENVOY),
    Scope(model.STATEFUL_SET, OURS),
)
"""Watched, and listed at each resync; CustomResourceDefinitions are watched beside them."""

CHILDREN: Final = frozenset(model.CHILDREN.values())
"""The kinds of a receiver's objects."""

LISTED: Final = tuple(Scope(kind, OURS) for kind in model.CHILDREN.values() if kind != model.STATEFUL_SET)
"""Only listed at each resync: nobody else writes into them, so a watch would say nothing that we do not know."""


def api_version(kind: Kind, capabilities: Capabilities) -> str:
    """The apiVersion by which a kind is read and written here, "" where the cluster does not serve it."""
    versions = {
        model.GATEWAY: capabilities.gateway_api,
        model.GATEWAY_CLASS: capabilities.gateway_api,
        model.GATEWAY_CONFIG: capabilities.gateway_config,
        model.ENVOY_PROXY: capabilities.envoy_proxy,
        model.BACKEND: capabilities.backend,
        model.SERVICE_MONITOR: capabilities.service_monitor,
        model.POLICY: "v1alpha1",
        model.RECEIVER: "v1alpha1",
    }
    version = versions.get(kind, "v1")
    return f"{kind.group}/{version}" if kind.group and version else version


def path(kind: Kind, api_version: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The path of a collection (no name), an object or its subresource at an API server."""
    parts = ["apis" if "/" in api_version else "api", api_version]
    if kind.namespaced and namespace:
        parts += ["namespaces", namespace]
    return "/" + "/".join([*parts, kind.plural, *filter(None, (name, subresource))])


def object_path(key: ObjectKey, api_version: str, subresource: str = "") -> str:
    """The path of one object."""
    return path(key.kind, api_version, key.name.namespace, key.name.name, subresource)
