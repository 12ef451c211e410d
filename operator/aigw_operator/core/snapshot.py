"""The cluster as one decision sees it: every object that is known, by name, with indexes. It decides nothing."""

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from aigw_operator.core.model import (
    Capabilities,
    Deployment,
    Document,
    Gateway,
    GatewayClass,
    NamespacedName,
    ObjectKey,
    Pod,
    Policy,
    Receiver,
    Source,
    Sources,
)

Item = TypeVar("Item")
Key = TypeVar("Key")


def _grouped(items: Iterable[Item], key: Callable[[Item], Key | None]) -> Mapping[Key, tuple[Item, ...]]:
    """Items by key, in their order; those whose key is None are left out."""
    found: defaultdict[Key, list[Item]] = defaultdict(list)
    for item in items:
        if (mine := key(item)) is not None:
            found[mine].append(item)
    return {mine: tuple(alike) for mine, alike in found.items()}


_INDEXES: Final[Mapping[str, str]] = {
    "gateways_by_namespace": "gateways",
    "gateways_by_config": "gateways",
    "gateways_by_parameters": "gateways",
    "policies_by_namespace": "policies",
    "pods_by_gateway": "pods",
    "deployments_by_gateway": "deployments",
    "heard_by_gateway": "sources",
}
"""The indexes of a snapshot, and the field that each is over."""


# Without slots: an index is built when it is first asked for, and kept with the snapshot, which does not change.
@dataclasses.dataclass(frozen=True)
class Snapshot:
    """Everything that one decision looks at, with indexes over it. Missing objects are missing keys."""

    capabilities: Capabilities = Capabilities()
    gateways: Mapping[NamespacedName, Gateway] = dataclasses.field(default_factory=dict)
    classes: Mapping[str, GatewayClass] = dataclasses.field(default_factory=dict)
    configs: Mapping[NamespacedName, Document] = dataclasses.field(default_factory=dict)
    proxies: Mapping[NamespacedName, Document] = dataclasses.field(default_factory=dict)
    backends: Mapping[NamespacedName, Document] = dataclasses.field(default_factory=dict)
    policies: Mapping[NamespacedName, Policy] = dataclasses.field(default_factory=dict)
    receivers: Mapping[NamespacedName, Receiver] = dataclasses.field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    """the labels of each namespace"""
    pods: Mapping[NamespacedName, Pod] = dataclasses.field(default_factory=dict)
    deployments: Mapping[NamespacedName, Deployment] = dataclasses.field(default_factory=dict)
    children: Mapping[ObjectKey, Document] = dataclasses.field(default_factory=dict)
    """the objects of receivers: what bears our label managed-by and is no object of a Gateway"""
    sources: Mapping[NamespacedName, Sources] = dataclasses.field(default_factory=dict)
    """by TelemetryReceiver"""

    def with_indexes_of(self, before: "Snapshot") -> "Snapshot":
        """This snapshot, with what an earlier one has built already over mappings that are still the same objects."""
        for name, field in _INDEXES.items():
            if name in before.__dict__ and getattr(before, field) is getattr(self, field):
                self.__dict__[name] = before.__dict__[name]
        return self

    def class_proxy(self, gateway: Gateway) -> Document | None:
        """The EnvoyProxy of the Gateway's class, which a Gateway-level one replaces."""
        gateway_class = self.classes.get(gateway.class_name)
        parameters = gateway_class.parameters if gateway_class is not None else None
        return self.proxies.get(parameters.name) if parameters is not None else None

    def classes_of(self, proxy: NamespacedName) -> frozenset[str]:
        """The classes whose EnvoyProxy has this name."""
        return frozenset(
            item.name for item in self.classes.values() if item.parameters and item.parameters.name == proxy
        )

    @functools.cached_property
    def gateways_by_namespace(self) -> Mapping[str, tuple[Gateway, ...]]:
        """The Gateways of each namespace."""
        return _grouped(self.gateways.values(), lambda item: item.meta.name.namespace)

    @functools.cached_property
    def gateways_by_config(self) -> Mapping[NamespacedName, tuple[Gateway, ...]]:
        """The Gateways that refer to a GatewayConfig of this name, whether or not it exists."""
        return _grouped(
            self.gateways.values(),
            lambda item: NamespacedName(item.meta.name.namespace, item.config) if item.config else None,
        )

    @functools.cached_property
    def gateways_by_parameters(self) -> Mapping[NamespacedName, tuple[Gateway, ...]]:
        """The Gateways whose own parametersRef has this name, of whatever kind."""
        return _grouped(self.gateways.values(), lambda item: item.parameters.name if item.parameters else None)

    @functools.cached_property
    def policies_by_namespace(self) -> Mapping[str, tuple[Policy, ...]]:
        """The policies of each namespace."""
        return _grouped(self.policies.values(), lambda item: item.meta.name.namespace)

    @functools.cached_property
    def pods_by_gateway(self) -> Mapping[NamespacedName, tuple[Pod, ...]]:
        """The Envoy pods of each Gateway."""
        return _grouped(self.pods.values(), lambda item: item.gateway)

    @functools.cached_property
    def deployments_by_gateway(self) -> Mapping[NamespacedName, tuple[Deployment, ...]]:
        """The Deployments of each Gateway."""
        return _grouped(self.deployments.values(), lambda item: item.gateway)

    @functools.cached_property
    def heard_by_gateway(self) -> Mapping[tuple[NamespacedName, NamespacedName], tuple[Source, ...]]:
        """What each TelemetryReceiver has heard of each Gateway: by receiver and Gateway."""
        return {
            (receiver, gateway): entries
            for receiver, sources in self.sources.items()
            for gateway, entries in _grouped(sources.entries, lambda item: item.gateway).items()
        }
