"""What the installed versions of others can do, read from their CustomResourceDefinitions. It asks nobody else.

| release | CustomResourceDefinition | what it has |
| --- | --- | --- |
| AI Gateway v0.5 | gatewayconfigs | v1alpha1 only; no global costs |
| AI Gateway v0.6, v0.7, v1.0, v1.1 | gatewayconfigs | v1beta1, and v1alpha1 as deprecated; `globalLLMRequestCosts` |
| Envoy Gateway up to v1.6 | envoyproxies | v1alpha1; the OpenTelemetry sink has `resources` |
| Envoy Gateway from v1.7 | envoyproxies | v1alpha1; it has `resourceAttributes`, and `resources` as deprecated |
| Envoy Gateway from v1.8 | envoyproxies | `mergeType` as well |
| Envoy Gateway, all of these | backends | v1alpha1 |
| Gateway API from v1.0 | gateways | v1, and v1beta1 |
| Prometheus operator | servicemonitors | v1 |

Whether AI Gateway rolls pods by itself (v1.1) is in no definition: an annotation of the pods' Deployment tells it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aigw_operator.core.model import (
    BACKEND,
    ENVOY_PROXY,
    GATEWAY,
    GATEWAY_CONFIG,
    SERVICE_MONITOR,
    Capabilities,
    Kind,
    Raw,
)

# The versions that we know of each kind, best first. One that we do not know is not used, whatever it serves.
_VERSIONS: Final[Mapping[Kind, tuple[str, ...]]] = {
    GATEWAY: ("v1", "v1beta1"),
    GATEWAY_CONFIG: ("v1beta1", "v1alpha1"),
    ENVOY_PROXY: ("v1alpha1",),
    BACKEND: ("v1alpha1",),
    SERVICE_MONITOR: ("v1",),
}

# Below a version's openAPIV3Schema; "*" stands for the items of a list.
_GLOBAL_COSTS: Final = ("spec", "globalLLMRequestCosts")
_MERGE_TYPE: Final = ("spec", "mergeType")
_RESOURCE_ATTRIBUTES: Final = (
    *("spec", "telemetry", "accessLog", "settings", "*", "sinks", "*", "openTelemetry", "resourceAttributes"),
)


def _definition(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}"


DEFINITIONS: Final = tuple(map(_definition, _VERSIONS))
"""The names of the CustomResourceDefinitions that `read_capabilities` looks at."""


# apiextensions.k8s.io/v1 CustomResourceDefinition: metadata.name,
#   spec.versions[] {name, served, schema.openAPIV3Schema}, status.conditions[] (type Established)
def read_capabilities(definitions: Iterable[Raw]) -> Capabilities:
    """The capabilities of a cluster with these CustomResourceDefinitions, any number of which may be of others.

    A definition that is being deleted, or that is not established, counts as absent: its API cannot be relied on.
    """
    usable = {_name(definition): _served(definition) for definition in definitions if _usable(definition)}
    chosen = {kind: _choose(kind, usable.get(_definition(kind), {})) for kind in _VERSIONS}
    versions = {kind: version for kind, (version, _) in chosen.items()}
    return Capabilities(
        gateway_config=versions[GATEWAY_CONFIG],
        global_costs=_has(chosen[GATEWAY_CONFIG][1], _GLOBAL_COSTS),
        gateway_api=versions[GATEWAY],
        envoy_proxy=versions[ENVOY_PROXY],
        backend=versions[BACKEND],
        resource_attributes=_has(chosen[ENVOY_PROXY][1], _RESOURCE_ATTRIBUTES),
        merge_type=_has(chosen[ENVOY_PROXY][1], _MERGE_TYPE),
        service_monitor=versions[SERVICE_MONITOR],
    )


def _name(definition: Raw) -> str:
    return str(_map(definition, "metadata").get("name") or "")


def _usable(definition: Raw) -> bool:
    if _name(definition) not in DEFINITIONS or _map(definition, "metadata").get("deletionTimestamp"):
        return False
    established = [
        condition.get("status")
        for condition in _maps(_map(definition, "status"), "conditions")
        if condition.get("type") == "Established"
    ]
    # A definition from a file has no status.
    return established != ["False"]


def _served(definition: Raw) -> dict[str, Raw]:
    """The schema of each served version."""
    return {
        str(version.get("name")): _map(_map(version, "schema"), "openAPIV3Schema")
        for version in _maps(_map(definition, "spec"), "versions")
        if version.get("served") is True
    }


def _choose(kind: Kind, served: Mapping[str, Raw]) -> tuple[str, Raw]:
    """The best known version that is served, and its schema; "" and {} where there is none."""
    return next(((version, served[version]) for version in _VERSIONS[kind] if version in served), ("", {}))


def _has(schema: Raw, path: tuple[str, ...]) -> bool:
    """Whether a schema has a property at this path."""
    for step in path:
        schema = _map(schema, "items") if step == "*" else _map(_map(schema, "properties"), step)
    return bool(schema)


def _map(raw: Any, key: str) -> Raw:
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _maps(raw: Raw, key: str) -> list[Raw]:
    value = raw.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
