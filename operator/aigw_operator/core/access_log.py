"""The two access-log settings of an EnvoyProxy: OTLP records of LLM requests and of MCP requests. Values, no objects.

The tables below are the only place that says which fields a record has. What may stand in them:

- Every record is sent before anyone decides whether it is kept, so nothing is in it that lets its reader act as the
  caller. There are no credential headers, and no query string, since clients put API keys into it (`?key=`,
  `?api_key=`). `%PATH(NQ:…)%` leaves it out; every Envoy from 1.34 on knows it by itself. `%REQ(:PATH)%` has it.
- What a client can make as long as it likes in a header is cut (`:256`). Envoy takes a length at DYNAMIC_METADATA only
  from 1.37 on and refuses the whole listener before, so there is none.
- A field without a value is "-". Every value arrives as text.

Envoy Gateway itself adds `k8s.namespace.name` and `k8s.pod.name` to the attributes of each record, and Envoy
`node_name` (the pod) and `cluster_name` (namespace/name of the Gateway) to the resource.
"""

from collections.abc import Mapping
from typing import Any, Final

from aigw_operator.core.backend import NAME_PREFIX
from aigw_operator.core.model import BACKEND, Capabilities, Raw

_METADATA: Final = "%DYNAMIC_METADATA(io.envoy.ai_gateway:{})%"


def _metadata(key: str) -> str:
    """The command for a value that AI Gateway has noted on the request under its own namespace."""
    return _METADATA.format(key)


LLM_MATCH: Final = "request.headers['x-ai-eg-model'] != ''"
"""AI Gateway's filter for LLM routes: it sets this header from the model in the body."""
MCP_MATCH: Final = "request.headers['x-ai-eg-mcp-backend'] != ''"
"""AI Gateway's filter for MCP routes: the hop from its MCP proxy to one backend, one record for each."""

# The token counts are there only for a 2xx answer that ended, and only under keys that some request cost asks for:
# core/costs.py sees to that. Names of usage fields: OpenTelemetry's semantic conventions for generative AI.
LLM_FIELDS: Final[Mapping[str, str]] = {
    "ai_route_type": "llm",
    "gen_ai.request.model": "%REQ(X-AI-EG-MODEL)%",
    "gen_ai.response.model": _metadata("response_model"),
    # What AI Gateway recommends under this name is the backend, as namespace/name/route/…; the API schema is in no log.
    "gen_ai.provider.name": _metadata("backend_name"),
    "gen_ai.usage.input_tokens": _metadata("llm_input_token"),
    "gen_ai.usage.cache_read.input_tokens": _metadata("llm_cached_input_token"),
    "gen_ai.usage.cache_creation.input_tokens": _metadata("llm_cache_creation_input_token"),
    "gen_ai.usage.output_tokens": _metadata("llm_output_token"),
    "gen_ai.usage.reasoning_tokens": _metadata("llm_reasoning_token"),
    "gen_ai.usage.total_tokens": _metadata("llm_total_token"),
    "backend_name": _metadata("backend_name"),
    # namespace/name, AI Gateway v0.7 and later
    "ai_service_backend_name": _metadata("ai_service_backend_name"),
    # AI Gateway v0.6 and later
    "route_name": _metadata("route_name"),
    # the model that was asked for upstream, where the route gave it another name
    "model_name_override": _metadata("model_name_override"),
    # milliseconds, streams only
    "token_latency_ttft": _metadata("token_latency_ttft"),
    "token_latency_itl": _metadata("token_latency_itl"),
}

# mcp_resource_uri is left out: a resource's URI may have a query string, and no command takes it from metadata.
MCP_FIELDS: Final[Mapping[str, str]] = {
    "ai_route_type": "mcp",
    "jsonrpc.request.id": _metadata("mcp_request_id"),
    "mcp.method.name": _metadata("mcp_method"),
    "mcp.provider.name": _metadata("mcp_backend"),
    # AI Gateway v0.6 and later
    "mcp.tool.name": _metadata("mcp_tool_name"),
    # The beginning tells sessions apart. The whole would do for more: servers without authentication take whoever
    # sends it for the client that it was given to.
    "mcp.session.id": "%REQ(MCP-SESSION-ID):16%",
    "route_name": "%REQ(X-AI-EG-MCP-ROUTE)%",
}

COMMON_FIELDS: Final[Mapping[str, str]] = {
    # AI Gateway notes a header of agents here (agent-session-id): a conversation's name, no key to it.
    "session.id": _metadata("session.id"),
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "request.path": "%PATH(NQ:PATH):1024%",
    "x-envoy-origin-path": "%PATH(NQ:ORIG_OR_PATH):1024%",
    "response_code": "%RESPONSE_CODE%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    # NR, UF, UT and DC are told apart by this alone; a client that aborts looks like a success without it.
    "response_flags": "%RESPONSE_FLAGS%",
    "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "x-envoy-upstream-service-time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    # An address is no credential, and downstream_remote_address says the same or, behind a load balancer that Envoy
    # was not told of, only the balancer: then this is the only trace of the client.
    "x-forwarded-for": "%REQ(X-FORWARDED-FOR):256%",
    "user-agent": "%REQ(USER-AGENT):256%",
    "x-request-id": "%REQ(X-REQUEST-ID):256%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
}

# The fields of each kind of route with the common ones, in the order of their names.
_LLM_ATTRIBUTES: Final = dict(sorted({**COMMON_FIELDS, **LLM_FIELDS}.items()))
_MCP_ATTRIBUTES: Final = dict(sorted({**COMMON_FIELDS, **MCP_FIELDS}.items()))

OUR_FIELDS: Final = frozenset({*LLM_FIELDS, *MCP_FIELDS, *COMMON_FIELDS})
"""The names of all fields of both tables. Another name in a setting of ours has been added by its user."""

STDOUT: Final[Raw] = {"sinks": [{"type": "File", "file": {"path": "/dev/stdout"}}]}
"""What Envoy Gateway does without any setting (its own default fields on stdout), and no longer does with one."""


# EnvoyProxy.spec.telemetry.accessLog.settings[] (gateway.envoyproxy.io/v1alpha1):
#   matches: [CEL], all of which must be true
#   format: {type: JSON, json: {attribute: format string}}            attributes of the record, and no body
#   sinks: [{type: OpenTelemetry, openTelemetry: {backendRefs: [{group, kind, name, namespace?, port, weight}],
#            resourceAttributes: {name: text} (Envoy Gateway 1.7 and later), resources: {name: text}}}]
def build_settings(
    backend: str,
    port: int,
    *,
    capabilities: Capabilities,
    service_attributes: tuple[tuple[str, str], ...],
) -> tuple[Raw, Raw]:
    """The settings for LLM and for MCP routes, to the Backend of that name in the namespace of the EnvoyProxy.

    `service_attributes` become attributes of the resource: static text, as Envoy expands nothing there.
    """
    reference = {"group": BACKEND.group, "kind": BACKEND.kind, "name": backend, "port": port}
    attributes_key = "resourceAttributes" if capabilities.resource_attributes else "resources"
    target: dict[str, Any] = {"backendRefs": [reference]}
    if service_attributes:
        target[attributes_key] = dict(sorted(service_attributes))
    sink = {"type": "OpenTelemetry", "openTelemetry": target}
    return _build_setting(LLM_MATCH, _LLM_ATTRIBUTES, sink), _build_setting(MCP_MATCH, _MCP_ATTRIBUTES, sink)


def _build_setting(match: str, attributes: Raw, sink: Raw) -> Raw:
    """One setting: what its records have, and where they go."""
    return {"matches": [match], "format": {"type": "JSON", "json": attributes}, "sinks": [sink]}


def is_our_sink(sink: Raw) -> bool:
    """Whether a sink sends to a Backend of ours, by the name of the Backend."""
    references = (sink.get("openTelemetry") or {}).get("backendRefs") or ()
    return any(
        reference.get("kind") == BACKEND.kind and str(reference.get("name", "")).startswith(NAME_PREFIX)
        for reference in references
    )


def is_ours(setting: Raw) -> bool:
    """Whether a setting is ours: one of its sinks sends to a Backend of ours."""
    return any(is_our_sink(sink) for sink in setting.get("sinks") or ())
