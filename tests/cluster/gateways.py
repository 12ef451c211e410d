"""Manifests of Gateway API and Envoy Gateway for tests; knows nothing of what is tested."""

from collections.abc import Mapping
from typing import Any, Final

from cluster import envoy_gateway

_ENVOY: Final = "gateway.envoyproxy.io"


def gateway(
    namespace: str,
    name: str,
    *,
    annotations: Mapping[str, str] | None = None,
    proxy: str | None = None,
    of_class: str = envoy_gateway.CLASS,
) -> dict[str, Any]:
    """A Gateway with one HTTP listener; `proxy` names its EnvoyProxy."""
    parameters = {"parametersRef": {"group": _ENVOY, "kind": "EnvoyProxy", "name": proxy}}
    return {
        "apiVersion": envoy_gateway.GATEWAY_API,
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace, "annotations": dict(annotations or {})},
        "spec": {
            "gatewayClassName": of_class,
            "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}],
            **({"infrastructure": parameters} if proxy else {}),
        },
    }


def backend(namespace: str, name: str, host: str, port: int) -> dict[str, Any]:
    """A Backend with a host name."""
    return {
        "apiVersion": f"{_ENVOY}/v1alpha1",
        "kind": "Backend",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"endpoints": [{"fqdn": {"hostname": host, "port": port}}]},
    }


def envoy_proxy(namespace: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """An EnvoyProxy."""
    return {
        "apiVersion": f"{_ENVOY}/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": dict(spec),
    }


def gateway_config(namespace: str, name: str, env: list[dict[str, Any]], *, api_version: str) -> dict[str, Any]:
    """A GatewayConfig with env for extproc."""
    return {
        "apiVersion": api_version,
        "kind": "GatewayConfig",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"extProc": {"kubernetes": {"env": env}}},
    }
