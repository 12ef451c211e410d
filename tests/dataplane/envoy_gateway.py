"""Envoy's configuration as Envoy Gateway 1.8 makes it of access-log settings, around one route to one upstream.

A stand-in for its translator: what bears on access logs is as in its own output (logger and filter types, the two
attributes that it puts in front, the order of the fields, no formatters). AI Gateway's ext_proc is played by a Lua
filter that notes the same dynamic metadata and keeps the original path in the same header, query string and all.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

Raw = Mapping[str, Any]

LISTENER: Final = "default/gateway/http"
METADATA_NAMESPACE: Final = "io.envoy.ai_gateway"
REWRITTEN: Final = "/rewritten"
_TYPE: Final = "type.googleapis.com/envoy.extensions."
_POD_ATTRIBUTES: Final = {
    "k8s.namespace.name": "%ENVIRONMENT(ENVOY_POD_NAMESPACE)%",
    "k8s.pod.name": "%ENVIRONMENT(ENVOY_POD_NAME)%",
}


def build_bootstrap(
    settings: Sequence[Raw],
    *,
    logs_port: int,
    upstream_port: int,
    metadata: Mapping[str, Mapping[str, float | str]],
) -> dict[str, Any]:
    """A bootstrap. `metadata` is what is noted on a request that has the header of that name."""
    names = [f"accesslog_otel_{place}_0" for place, _ in enumerate(settings)]
    clusters = [_build_cluster(name, logs_port, http2=True) for name in names]
    return {
        "admin": {"address": _build_address(0)},
        "static_resources": {
            "listeners": [_build_listener(settings, names, metadata)],
            "clusters": [*clusters, _build_cluster("upstream", upstream_port, http2=False)],
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


def _build_listener(settings: Sequence[Raw], clusters: Sequence[str], metadata: Raw) -> dict[str, Any]:
    """The listener of a Gateway. The LLM route rewrites the path, so that it is not the original one."""
    loggers = [build_access_log(setting, cluster) for setting, cluster in zip(settings, clusters, strict=True)]
    manager = {
        "@type": f"{_TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http-10080",
        "merge_slashes": True,
        "normalize_path": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "server_header_transformation": "PASS_THROUGH",
        "use_remote_address": True,
        "access_log": loggers,
        "http_filters": [
            {
                "name": "envoy.filters.http.lua",
                "typed_config": {
                    "@type": f"{_TYPE}filters.http.lua.v3.Lua",
                    "default_source_code": {"inline_string": _build_script(metadata)},
                },
            },
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"{_TYPE}filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            },
        ],
        "route_config": {
            "name": LISTENER,
            "virtual_hosts": [
                {
                    "name": LISTENER,
                    "domains": ["*"],
                    "routes": [
                        {"match": {"prefix": "/v1"}, "route": {"cluster": "upstream", "prefix_rewrite": REWRITTEN}},
                        {"match": {"prefix": "/mcp"}, "route": {"cluster": "upstream"}},
                    ],
                }
            ],
        },
    }
    return {
        "name": LISTENER,
        "address": _build_address(0),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _build_script(metadata: Mapping[str, Mapping[str, float | str]]) -> str:
    """The Lua that plays ext_proc. A JSON string or number without control characters is a Lua one as well."""
    lines = ["function envoy_on_request(handle)", "local noted = handle:streamInfo():dynamicMetadata()"]
    for header, values in metadata.items():
        lines.append(f"if handle:headers():get({json.dumps(header)}) then")
        lines.append('handle:headers():replace("x-envoy-original-path", handle:headers():get(":path"))')
        for key, value in values.items():
            lines.append(f"noted:set({json.dumps(METADATA_NAMESPACE)}, {json.dumps(key)}, {json.dumps(value)})")
        lines.append("end")
    return "\n".join([*lines, "end"])


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
