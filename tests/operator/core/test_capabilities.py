"""What each release of the others can do, as its CustomResourceDefinitions show it."""

from typing import Any, Final

import pytest

from aigw_operator.core import capabilities
from aigw_operator.core.model import Capabilities

_CONFIGS: Final = "gatewayconfigs.aigateway.envoyproxy.io"
_PROXIES: Final = "envoyproxies.gateway.envoyproxy.io"
_GATEWAYS: Final = "gateways.gateway.networking.k8s.io"


def _properties(*path: str, leaf: Any) -> dict[str, Any]:
    """A schema with one property at a path; "*" stands for the items of a list."""
    schema: dict[str, Any] = leaf
    for step in reversed(path):
        schema = {"type": "array", "items": schema} if step == "*" else {"type": "object", "properties": {step: schema}}
    return schema


_EXT_PROC: Final = _properties("spec", "extProc", leaf={"type": "object"})
_COSTS: Final = _properties("spec", "globalLLMRequestCosts", leaf={"type": "array", "items": {"type": "object"}})
_SINK: Final = ("spec", "telemetry", "accessLog", "settings", "*", "sinks", "*", "openTelemetry")
_RESOURCES: Final = _properties(*_SINK, "resources", leaf={"type": "object"})
_MERGE_TYPE: Final = _properties("spec", "mergeType", leaf={"type": "string"})
_ATTRIBUTES: Final = _properties(*_SINK, "resourceAttributes", leaf={"type": "object"})


def _definition(name: str, *versions: tuple[str, bool, Any], **more: Any) -> dict[str, Any]:
    listed = [
        {"name": version, "served": served, "schema": {"openAPIV3Schema": schema}}
        for version, served, schema in versions
    ]
    return {"metadata": {"name": name, **more}, "spec": {"versions": listed}}


@pytest.mark.parametrize(
    ("release", "definitions", "expected"),
    [
        ("nothing", [], Capabilities()),
        (
            "AI Gateway v0.5",
            [_definition(_CONFIGS, ("v1alpha1", True, _EXT_PROC))],
            Capabilities(gateway_config="v1alpha1"),
        ),
        (
            "AI Gateway v0.6 to v1.1",
            [_definition(_CONFIGS, ("v1alpha1", True, _COSTS), ("v1beta1", True, _COSTS))],
            Capabilities(gateway_config="v1beta1", global_costs=True),
        ),
        (
            "v1beta1 known but no longer served",
            [_definition(_CONFIGS, ("v1alpha1", True, _EXT_PROC), ("v1beta1", False, _COSTS))],
            Capabilities(gateway_config="v1alpha1"),
        ),
        (
            "a version that nobody knows yet",
            [_definition(_CONFIGS, ("v2", True, _COSTS))],
            Capabilities(),
        ),
        (
            "Envoy Gateway v1.6",
            [
                _definition(_PROXIES, ("v1alpha1", True, _RESOURCES)),
                _definition("backends.gateway.envoyproxy.io", ("v1alpha1", True, {})),
            ],
            Capabilities(envoy_proxy="v1alpha1", backend="v1alpha1"),
        ),
        (
            "Envoy Gateway v1.7",
            [_definition(_PROXIES, ("v1alpha1", True, _ATTRIBUTES))],
            Capabilities(envoy_proxy="v1alpha1", resource_attributes=True),
        ),
        (
            "Envoy Gateway v1.8",
            [_definition(_PROXIES, ("v1alpha1", True, _MERGE_TYPE))],
            Capabilities(envoy_proxy="v1alpha1", merge_type=True),
        ),
        (
            "Gateway API v1.0",
            [_definition(_GATEWAYS, ("v1", True, {}), ("v1beta1", True, {}))],
            Capabilities(gateway_api="v1"),
        ),
        (
            "Gateway API v0.8",
            [_definition(_GATEWAYS, ("v1alpha2", False, {}), ("v1beta1", True, {}))],
            Capabilities(gateway_api="v1beta1"),
        ),
        (
            "Prometheus operator",
            [_definition("servicemonitors.monitoring.coreos.com", ("v1", True, {}))],
            Capabilities(service_monitor="v1"),
        ),
        (
            "an uninstall under way",
            [_definition(_CONFIGS, ("v1beta1", True, _COSTS), deletionTimestamp="2026-11-22T10:00:00Z")],
            Capabilities(),
        ),
        (
            "somebody else's",
            [_definition("gatewayconfigs.example.com", ("v1beta1", True, _COSTS))],
            Capabilities(),
        ),
    ],
)
def test_releases(release: str, definitions: Any, expected: Capabilities) -> None:
    """The operator writes a field that the installed release refuses, or does not use what it has."""
    assert expected == capabilities.read_capabilities(definitions), release


@pytest.mark.parametrize(("established", "version"), [("True", "v1beta1"), ("Unknown", "v1beta1"), ("False", "")])
def test_established(established: str, version: str) -> None:
    """A definition whose names clash with another's, and which therefore serves nothing, is relied on."""
    definition = _definition(_CONFIGS, ("v1beta1", True, _COSTS))
    definition["status"] = {"conditions": [{"type": "Established", "status": established}]}
    assert version == capabilities.read_capabilities([definition]).gateway_config


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"metadata": {"name": _CONFIGS}},
        {"metadata": {"name": _CONFIGS}, "spec": {"versions": [None, "a", {"served": True}]}},
        {"metadata": {"name": _CONFIGS}, "spec": {"versions": [{"name": "v1", "served": True, "schema": []}]}},
        {"metadata": {"name": 1}, "spec": [], "status": []},
    ],
)
def test_odd_input(definition: Any) -> None:
    """A definition that no API server would give raises."""
    assert Capabilities() == capabilities.read_capabilities([definition])


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        (_GATEWAYS, True),
        (_CONFIGS, True),
        (_PROXIES, True),
        ("backends.gateway.envoyproxy.io", True),
        ("servicemonitors.monitoring.coreos.com", True),
        ("gatewayclasses.gateway.networking.k8s.io", False),
        ("podmonitors.monitoring.coreos.com", False),
        ("", False),
    ],
)
def test_needs_definition(name: str, needed: bool) -> None:
    """A change of a definition that decides something wakes nobody, or that of any other one does."""
    assert needed == (name in capabilities.DEFINITIONS)
