"""The Backend of Envoy Gateway that an access-log sink names, for one telemetry endpoint. It looks nothing up.

A Backend with an FQDN is resolved by Envoy alone. A Service in its place would be looked at by Envoy Gateway, which
takes the Accepted condition from a Gateway whose telemetry Service is missing or has no ready endpoint.
"""

import hashlib
import ipaddress
import re
from typing import Any, Final

from aigw_operator.core import record
from aigw_operator.core.model import BACKEND, Kind, Raw
from aigw_operator.core.note import Note

NAME_PREFIX: Final = "aigw-telemetry-"

# BackendSpec.endpoints[] (gateway.envoyproxy.io/v1alpha1), exactly one of:
#   fqdn: {hostname: [a-z0-9.-]{1,253}, port}
#   ip:   {address: IPv4 or IPv6, port}
_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})+")
_LONGEST_DOMAIN: Final = 253


def backend_name(host: str, port: int) -> str:
    """The name of the Backend for an endpoint: one endpoint in one namespace has one Backend, whoever wants it."""
    digest = hashlib.sha256(f"{_normalize(host)}:{port}".encode()).hexdigest()
    return f"{NAME_PREFIX}{digest[:10]}"


def check_host(host: str) -> Note | None:
    """Why Envoy Gateway would refuse a Backend for this host, and with it the Gateway; None where it takes it.

    Its rules: a domain of two labels or more (RFC 1123), or an IP address that is not of the loopback range.
    """
    host = _normalize(host)
    address = _parse_address(host)
    if address is None and len(host) <= _LONGEST_DOMAIN and _DOMAIN.fullmatch(host):
        return None
    if address is None:
        message = (
            f"Envoy Gateway takes no Backend for {host!r}: give a name with its domain, such as NAME.NAMESPACE.svc"
        )
        return Note("UnsupportedEndpointHost", message)
    if address.is_loopback:
        message = f"{host} is a loopback address, which from within a Gateway's pod is that pod itself"
        return Note("UnsupportedEndpointHost", message)
    return None


def build_backend(namespace: str, host: str, port: int, api_version: str) -> Raw:
    """The Backend for an endpoint. `host` has passed `check_host`; an IPv6 address may stand in brackets."""
    host = _normalize(host)
    address = _parse_address(host)
    endpoint: dict[str, Any]
    if address is None:
        endpoint = {"fqdn": {"hostname": host, "port": port}}
    else:
        # In full, since the CRD's pattern refuses some of the short forms of IPv6 (2001:db8::a:b:c).
        endpoint = {"ip": {"address": address.exploded, "port": port}}
    return {
        "apiVersion": build_api_version(BACKEND, api_version),
        "kind": BACKEND.kind,
        "metadata": {"name": backend_name(host, port), "namespace": namespace, "labels": dict(record.LABELS)},
        "spec": {"endpoints": [endpoint]},
    }


def build_api_version(kind: Kind, version: str) -> str:
    """The apiVersion of an object: group and version. A version that already names its group stays."""
    return version if "/" in version else f"{kind.group}/{version}"


def _normalize(host: str) -> str:
    """One spelling of one host: lower case, no brackets, no dot of the root (the CRD takes none)."""
    return host.lower().removeprefix("[").removesuffix("]").removesuffix(".")


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that the host is, or None. A zone (fe80::1%eth0) means something on one machine only."""
    try:
        return None if "%" in host else ipaddress.ip_address(host)
    except ValueError:
        return None
