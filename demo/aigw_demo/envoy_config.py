"""Envoy's configuration as Envoy Gateway 1.8 makes it of access-log settings, around a few routes on loopback.

A stand-in for its translator: what bears on access logs is as in its own output (logger and filter types, the two
attributes that it puts in front, the order of the fields, no formatters). AI Gateway's external processor is played by
a Lua script, and its MCP proxy's way to the MCP servers is the second listener. It must not start anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Raw = Mapping[str, Any]

LISTENER: Final = "default/gateway/http"
MCP_LISTENER: Final = "aigateway-mcp-backend-listener"
METADATA_NAMESPACE: Final = "io.envoy.ai_gateway"
MODEL_HEADER: Final = "x-ai-eg-model"
MCP_BACKEND_HEADER: Final = "x-ai-eg-mcp-backend"
# What AI Gateway's MCP proxy tells its second listener about a request, and under which key it is noted there.
MCP_METADATA: Final = {
    MCP_BACKEND_HEADER: "mcp_backend",
    "x-ai-eg-mcp-metadata-method": "mcp_method",
    "x-ai-eg-mcp-metadata-request-id": "mcp_request_id",
    "x-ai-eg-mcp-metadata-tool-name": "mcp_tool_name",
}
# Of these headers only the backend's goes on to the MCP server.
MCP_INTERNAL_PREFIX: Final = "x-ai-eg-mcp-metadata-"
EXT_PROC: Final = (Path(__file__).parent / "ext_proc.lua").read_text()
"""The script that notes model and tokens on a request as AI Gateway's external processor does."""

_LUA: Final = "envoy.filters.http.lua"
_TYPE: Final = "type.googleapis.com/envoy.extensions."
_POD_ATTRIBUTES: Final = {
    "k8s.namespace.name": "%ENVIRONMENT(ENVOY_POD_NAMESPACE)%",
    "k8s.pod.name": "%ENVIRONMENT(ENVOY_POD_NAME)%",
}


@dataclass(frozen=True, slots=True)
class Route:
    """A route to a port on loopback; with a model, only requests for it take the route.

    `backend` is the long name of the backend (namespace/name/route/…), which the external processor notes. Paths are
    given another prefix where `rewrite` says so. `timeout` is in seconds; AI Gateway's default is a minute.
    """

    prefix: str
    port: int
    model: str = ""
    backend: str = ""
    rewrite: str = ""
    timeout: float = 60.0
    cluster: str = "upstream"


def build_bootstrap(
    settings: Sequence[Raw],
    *,
    logs_port: int,
    routes: Sequence[Route],
    mcp_port: int | None = None,
    script: str = EXT_PROC,
) -> dict[str, Any]:
    """A bootstrap. `mcp_port` is where MCP servers are, for the listener that the MCP proxy sends to."""
    names = [f"accesslog_otel_{place}_0" for place, _ in enumerate(settings)]
    loggers = [build_access_log(setting, cluster) for setting, cluster in zip(settings, names, strict=True)]
    listeners = [_build_listener(LISTENER, loggers, [_build_script_filter(script)], routes)]
    if mcp_port is not None:
        servers = Route("/", mcp_port, cluster="mcp-servers")
        listeners.append(_build_listener(MCP_LISTENER, loggers, [_build_metadata_filter()], [servers]))
        routes = [*routes, servers]
    clusters = {route.cluster: _build_cluster(route.cluster, route.port, http2=False) for route in routes}
    return {
        "admin": {"address": _build_address(0)},
        "static_resources": {
            "listeners": listeners,
            "clusters": [*(_build_cluster(name, logs_port, http2=True) for name in names), *clusters.values()],
        },
    }


def build_access_log(setting: Raw, cluster: str) -> dict[str, Any]:
    """The logger of an HTTP connection manager for one setting with one OpenTelemetry sink."""
    target = setting["sinks"][0]["openTelemetry"]
    resource = target.get("resourceAttributes") or target.get("resources") or {}
    (match,) = setting["matches"]
    return {
        "name": "envoy.access_loggers.open_telemetry",
        "filter": {
            "extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": {
                    "@type": f"{_TYPE}access_loggers.filters.cel.v3.ExpressionFilter",
                    "expression": match,
                },
            }
        },
        "typed_config": {
            "@type": f"{_TYPE}access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
            "common_config": {
                "log_name": "otel_envoy_accesslog",
                "transport_api_version": "V3",
                "grpc_service": {"envoy_grpc": {"cluster_name": cluster, "authority": "receiver.example"}},
            },
            "attributes": _build_values({**_POD_ATTRIBUTES, **dict(sorted(setting["format"]["json"].items()))}),
            "resource_attributes": _build_values(dict(sorted(resource.items()))),
        },
    }


def _build_listener(
    name: str, loggers: Sequence[Raw], filters: Sequence[Raw], routes: Sequence[Route]
) -> dict[str, Any]:
    """A listener with its filters in front of the router."""
    router = {"@type": f"{_TYPE}filters.http.router.v3.Router", "suppress_envoy_headers": True}
    host = {"name": name, "domains": ["*"], "routes": [_build_route(route) for route in routes]}
    manager = {
        "@type": f"{_TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http-10080",
        "merge_slashes": True,
        "normalize_path": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "server_header_transformation": "PASS_THROUGH",
        "use_remote_address": True,
        "access_log": list(loggers),
        "http_filters": [*filters, {"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {"name": name, "virtual_hosts": [host]},
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": _build_address(0), "filter_chains": [chain]}


def _build_route(route: Route) -> dict[str, Any]:
    """A route; what the external processor is to know of it is its metadata."""
    match: dict[str, Any] = {"prefix": route.prefix}
    if route.model:
        match["headers"] = [{"name": MODEL_HEADER, "string_match": {"exact": route.model}}]
    action = {"cluster": route.cluster, "timeout": f"{route.timeout}s"}
    if route.rewrite:
        action["prefix_rewrite"] = route.rewrite
    metadata = {"filter_metadata": {_LUA: {"backend_name": route.backend}}} if route.backend else {}
    return {"match": match, "route": action, "metadata": metadata}


def _build_script_filter(script: str) -> dict[str, Any]:
    """The filter that runs the script which plays the external processor."""
    config = {"@type": f"{_TYPE}filters.http.lua.v3.Lua", "default_source_code": {"inline_string": script}}
    return {"name": _LUA, "typed_config": config}


def _build_metadata_filter() -> dict[str, Any]:
    """The filter that notes what the MCP proxy tells in headers."""
    rules = [
        {
            "header": header,
            "on_header_present": {"metadata_namespace": METADATA_NAMESPACE, "key": key, "type": "STRING"},
            "remove": header.startswith(MCP_INTERNAL_PREFIX),
        }
        for header, key in sorted(MCP_METADATA.items())
    ]
    config = {"@type": f"{_TYPE}filters.http.header_to_metadata.v3.Config", "request_rules": rules}
    return {"name": "envoy.filters.http.header_to_metadata", "typed_config": config}


def _build_cluster(name: str, port: int, *, http2: bool) -> dict[str, Any]:
    """A cluster with one address on loopback."""
    endpoint = {"endpoint": {"address": _build_address(port)}}
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if http2:
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    return cluster


def _build_address(port: int) -> dict[str, Any]:
    """An address on loopback."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _build_values(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Attributes as OTLP has them, in the order given."""
    return {"values": [{"key": key, "value": {"string_value": value}} for key, value in attributes.items()]}
