"""The Backend of a telemetry endpoint: its name, its form, and the hosts that Envoy Gateway would refuse."""

from typing import Any

import pytest

from aigw_operator.core import backend
from aigw_operator.core.model import BACKEND, ENVOY_PROXY

RECEIVER = "default-0.aigw-telemetry.svc.cluster.local"

ENDPOINTS: list[tuple[str, str, dict[str, Any]]] = [
    ("a receiver's shard", RECEIVER, {"fqdn": {"hostname": RECEIVER, "port": 4317}}),
    ("somebody's collector", "OAP.SkyWalking", {"fqdn": {"hostname": "oap.skywalking", "port": 4317}}),
    ("the dot of the root", "oap.example.com.", {"fqdn": {"hostname": "oap.example.com", "port": 4317}}),
    ("IPv4", "10.0.0.7", {"ip": {"address": "10.0.0.7", "port": 4317}}),
    ("IPv6", "fd00::7", {"ip": {"address": "fd00:0000:0000:0000:0000:0000:0000:0007", "port": 4317}}),
    ("IPv6 of a URL", "[fd00::7]", {"ip": {"address": "fd00:0000:0000:0000:0000:0000:0000:0007", "port": 4317}}),
]

HOSTS: list[tuple[str, bool]] = [
    (RECEIVER, True),
    ("oap.skywalking", True),
    ("10.0.0.7", True),
    ("[fd00::7]", True),
    ("oap", False),
    ("localhost", False),
    ("127.0.0.1", False),
    ("127.8.8.8", False),
    ("::1", False),
    ("fe80::1%eth0", False),
    ("my_host.example", False),
    ("-a.example", False),
    (f"{'a' * 64}.example", False),
    (".".join(["a" * 50] * 5), False),
    ("", False),
]


@pytest.mark.parametrize(("reason", "host", "endpoint"), ENDPOINTS, ids=[case[0] for case in ENDPOINTS])
def test_endpoint(reason: str, host: str, endpoint: dict[str, Any]) -> None:
    """Else Envoy Gateway refuses the Backend, or Envoy sends the records elsewhere."""
    built = backend.build_backend("prod", host, 4317, "v1alpha1")

    assert {"endpoints": [endpoint]} == built["spec"], reason


def test_object() -> None:
    """Else the Backend is not created, or not recognised as ours and never deleted."""
    assert {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "Backend",
        "metadata": {
            "name": "aigw-telemetry-c9ee25f35e",
            "namespace": "prod",
            "labels": {
                "app.kubernetes.io/managed-by": "aigw-telemetry",
                "app.kubernetes.io/part-of": "aigw-telemetry",
            },
        },
        "spec": {"endpoints": [{"fqdn": {"hostname": "oap.skywalking", "port": 11800}}]},
    } == backend.build_backend("prod", "oap.skywalking", 11800, "v1alpha1")


def test_names() -> None:
    """Else two endpoints share a Backend, or one endpoint has two."""
    assert backend.backend_name("OAP.skywalking.", 11800) == backend.backend_name("oap.skywalking", 11800)
    assert backend.backend_name("oap.skywalking", 4317) != backend.backend_name("oap.skywalking", 11800)


@pytest.mark.parametrize(("host", "taken"), HOSTS)
def test_hosts_that_envoy_gateway_refuses(host: str, taken: bool) -> None:
    """Else a Gateway loses its Accepted condition, and all its loggers, for the sake of an endpoint."""
    note = backend.check_host(host)

    assert taken == (note is None)
    assert note is None or note.reason == "UnsupportedEndpointHost"


def test_api_version() -> None:
    """Else an object is sent to a version that is not served."""
    assert backend.build_api_version(BACKEND, "v1alpha1") == "gateway.envoyproxy.io/v1alpha1"
    assert backend.build_api_version(ENVOY_PROXY, "gateway.envoyproxy.io/v1") == "gateway.envoyproxy.io/v1"
