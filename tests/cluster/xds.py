"""Asks an xDS server what it tells one Envoy, and reads the access logs out of it; judges nothing."""

import dataclasses
import queue
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import grpc

from cluster import xds_messages

_METHOD: Final = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
_TYPE: Final = "type.googleapis.com/envoy.config."
_LISTENERS: Final = f"{_TYPE}listener.v3.Listener"
_CLUSTERS: Final = f"{_TYPE}cluster.v3.Cluster"
_SECONDS: Final = 20.0
# A name in the certificate that `envoy-gateway certgen` makes.
_SERVER_NAME: Final = "envoy-gateway"


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """What an Envoy shows and trusts, as PEM."""

    ca: bytes
    certificate: bytes
    key: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class AccessLog:
    """One access log of a listener. `expressions` are the CEL filters, all of which must hold."""

    listener: str
    of_routes: bool
    """whether it logs requests (or else the listener's connections)"""
    sink: str
    """"file" or "open_telemetry", or what else its type says"""
    path: str = ""
    expressions: tuple[str, ...] = ()
    cluster: str = ""
    endpoints: tuple[tuple[str, int], ...] = ()
    """where the cluster's hosts are, as host name and port"""
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    resource: Mapping[str, str] = dataclasses.field(default_factory=dict)


def fetch_access_logs(target: str, credentials: Credentials, cluster: str) -> list[AccessLog]:
    """The access logs of all listeners that an Envoy of a service cluster (NAMESPACE/GATEWAY) is told; [] if none."""
    channel_credentials = grpc.ssl_channel_credentials(credentials.ca, credentials.key, credentials.certificate)
    options = [("grpc.ssl_target_name_override", _SERVER_NAME), ("grpc.max_receive_message_length", -1)]
    with grpc.secure_channel(target, channel_credentials, options) as channel:
        resources = _fetch(channel, cluster, (_CLUSTERS, _LISTENERS))
    hosts = {}
    for resource in resources[_CLUSTERS]:
        found = xds_messages.parse("Cluster", resource)
        hosts[found.name] = tuple(_endpoints(found))
    return [log for resource in resources[_LISTENERS] for log in _access_logs(resource, hosts)]


def _fetch(channel: Any, cluster: str, kinds: Iterable[str]) -> dict[str, list[bytes]]:
    """The first answer for each kind, asked for on one stream."""
    requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    # The name is not that of a pod: the server answers by the cluster.
    node = xds_messages.new("Node", id="tests", cluster=cluster)
    call = channel.stream_stream(_METHOD)(_until_none(requests), timeout=_SECONDS)
    answers = {}
    for kind in kinds:
        requests.put(xds_messages.new("DiscoveryRequest", node=node, type_url=kind).SerializeToString())
        response = xds_messages.parse("DiscoveryResponse", next(call))
        assert kind == response.type_url
        answers[kind] = [resource.value for resource in response.resources]
    requests.put(None)
    call.cancel()
    return answers


def _until_none(requests: "queue.SimpleQueue[bytes | None]") -> Iterator[bytes]:
    while (request := requests.get()) is not None:
        yield request


def _endpoints(cluster: Any) -> Iterator[tuple[str, int]]:
    for locality in cluster.load_assignment.endpoints:
        for each in locality.lb_endpoints:
            address = each.endpoint.address.socket_address
            yield address.address, address.port_value


def _access_logs(resource: bytes, hosts: Mapping[str, tuple[tuple[str, int], ...]]) -> Iterator[AccessLog]:
    listener = xds_messages.parse("Listener", resource)
    for each in listener.access_log:
        yield _access_log(listener.name, False, each, hosts)
    for chain in (*listener.filter_chains, listener.default_filter_chain):
        for network_filter in chain.filters:
            if network_filter.typed_config.type_url.endswith(".HttpConnectionManager"):
                manager = xds_messages.parse("HttpConnectionManager", network_filter.typed_config.value)
                for each in manager.access_log:
                    yield _access_log(listener.name, True, each, hosts)


def _access_log(
    listener: str, of_routes: bool, log: Any, hosts: Mapping[str, tuple[tuple[str, int], ...]]
) -> AccessLog:
    kind = log.typed_config.type_url.rpartition(".")[2]
    common = AccessLog(listener, of_routes, kind, expressions=tuple(_expressions(log.filter)))
    match kind:
        case "FileAccessLog":
            path = xds_messages.parse(kind, log.typed_config.value).path
            return dataclasses.replace(common, sink="file", path=path)
        case "OpenTelemetryAccessLogConfig":
            config = xds_messages.parse(kind, log.typed_config.value)
            # A newer Envoy has the service one level up, and reads it in both places.
            services = (config.grpc_service, config.common_config.grpc_service)
            name = next((each.envoy_grpc.cluster_name for each in services if each.envoy_grpc.cluster_name), "")
            return dataclasses.replace(
                common,
                sink="open_telemetry",
                cluster=name,
                endpoints=hosts.get(name, ()),
                attributes={each.key: each.value.string_value for each in config.attributes.values},
                resource={each.key: each.value.string_value for each in config.resource_attributes.values},
            )
        case _:
            return common


def _expressions(log_filter: Any) -> Iterator[str]:
    for each in log_filter.and_filter.filters:
        yield from _expressions(each)
    extension = log_filter.extension_filter
    if extension.typed_config.type_url.endswith(".ExpressionFilter"):
        yield xds_messages.parse("ExpressionFilter", extension.typed_config.value).expression
