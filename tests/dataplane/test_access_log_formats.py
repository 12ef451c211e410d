"""The access-log settings in a real Envoy: it takes every field, logs each, and lets no query string out."""

import http.client
import queue
import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from aigw_demo.envoy import Node
from aigw_operator.core import access_log
from aigw_operator.core.model import Capabilities
from dataplane import envoy_gateway, loopback_servers, real_envoy
from dataplane.loopback_servers import PATIENCE, Seen

SECRET = "s3cret-of-the-caller"
NODE = Node(
    pod="envoy-default-chat-5f6d-x2x",
    cluster="default/chat",
    zone="zone-a",
    environment={"ENVOY_POD_NAME": "envoy-default-chat-5f6d-x2x", "ENVOY_POD_NAMESPACE": "envoy-gateway-system"},
)
SETTINGS = access_log.build_settings(
    "aigw-telemetry-0123456789",
    4317,
    capabilities=Capabilities(resource_attributes=True),
    service_attributes=(("service.name", "chat"), ("aigw.gateway.name", "chat")),
)
# What AI Gateway's ext_proc notes on a request, by the header that tells its route; numbers are doubles, as there.
LLM_METADATA: dict[str, float | str] = {
    "llm_input_token": 100_000.0,
    "llm_cached_input_token": 1920.0,
    "llm_cache_creation_input_token": 12.0,
    "llm_output_token": 300.0,
    "llm_reasoning_token": 128.0,
    "llm_total_token": 100_300.0,
    "response_model": "gpt-5-nano-2026-01-01",
    "backend_name": "default/openai/route/chat/rule/0/ref/0",
    "ai_service_backend_name": "default/openai",
    "route_name": "default/chat",
    "model_name_override": "gpt-5-nano",
    "token_latency_ttft": 31.5,
    "token_latency_itl": 4.25,
    "session.id": "sess-42",
}
MCP_METADATA: dict[str, float | str] = {
    "mcp_request_id": "7",
    "mcp_method": "tools/call",
    "mcp_backend": "everything",
    "mcp_tool_name": "echo",
    "mcp_resource_uri": f"https://files.example/a?token={SECRET}",
}
METADATA = {"x-ai-eg-model": LLM_METADATA, "x-ai-eg-mcp-backend": MCP_METADATA}
CREDENTIALS = {
    "authorization": f"Bearer {SECRET}",
    "cookie": f"session={SECRET}",
    "x-api-key": SECRET,
    "referer": f"https://app.example/?key={SECRET}",
}


def build_bootstrap(settings: Any, *, logs_port: int = 1, upstream_port: int = 1) -> dict[str, Any]:
    """The configuration around these settings."""
    return envoy_gateway.build_bootstrap(settings, logs_port=logs_port, upstream_port=upstream_port, metadata=METADATA)


def test_envoy_takes_the_settings() -> None:
    """Else Envoy refuses the listener, and the Gateway serves nobody."""
    assert "" == real_envoy.validate(build_bootstrap(SETTINGS))


def with_field(text: str) -> dict[str, Any]:
    """The LLM setting with another field."""
    setting = SETTINGS[0]
    return {**setting, "format": {"type": "JSON", "json": {"field": text}}}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (with_field("%NO_SUCH_COMMAND%"), "Not supported field in StreamInfo: NO_SUCH_COMMAND"),
        # why the tables do not have it: it wants an extension beside the format
        (with_field("%REQ_WITHOUT_QUERY(:PATH)%"), "Not supported field in StreamInfo: REQ_WITHOUT_QUERY"),
        ({**SETTINGS[0], "matches": ["request.headers["]}, "parse"),
    ],
    ids=["command", "extension", "filter"],
)
def test_envoy_refuses_others(setting: dict[str, Any], words: str) -> None:
    """Else the test above would pass with anything."""
    assert words in real_envoy.validate(build_bootstrap([setting]))


def post(port: int, path: str, headers: dict[str, str]) -> str:
    """One request with a body of two bytes; answers the address that it was sent from."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", path, b"{}", {**CREDENTIALS, "content-type": "application/json", **headers})
        host, local = connection.sock.getsockname()
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    finally:
        connection.close()
    return f"{host}:{local}"


def take_records(bodies: "queue.Queue[bytes]", count: int) -> tuple[list[bytes], list[Any]]:
    """The export requests that bring this many records, as bytes and as pairs of resource and record."""
    taken: list[bytes] = []
    records: list[Any] = []
    while len(records) < count:
        taken.append(bodies.get(timeout=PATIENCE))
        for group in ExportLogsServiceRequest.FromString(taken[-1]).resource_logs:
            for scope in group.scope_logs:
                records.extend((to_dict(group.resource.attributes), record) for record in scope.log_records)
    return taken, records


def to_dict(attributes: Any) -> dict[str, str]:
    """Attributes, which all are text."""
    assert all(each.value.WhichOneof("value") == "string_value" for each in attributes)
    return {each.key: each.value.string_value for each in attributes}


def common_fields(seen: Seen, client: str, gateway: int, upstream: int) -> dict[str, str]:
    """The fields of both tables that follow from the request, the pod and the ports."""
    return {
        "k8s.namespace.name": "envoy-gateway-system",
        "k8s.pod.name": "envoy-default-chat-5f6d-x2x",
        "method": "POST",
        "response_code": "200",
        "response_code_details": "via_upstream",
        "response_flags": "-",
        "connection_termination_details": "-",
        "upstream_transport_failure_reason": "-",
        "bytes_received": "2",
        "bytes_sent": "2",
        "x-envoy-upstream-service-time": "-",
        "x-request-id": seen.headers["x-request-id"],
        "x-forwarded-for": seen.headers["x-forwarded-for"],
        "upstream_host": f"127.0.0.1:{upstream}",
        "upstream_cluster": "upstream",
        "upstream_local_address": seen.peer,
        "downstream_local_address": f"127.0.0.1:{gateway}",
        "downstream_remote_address": client,
    }


LLM_RECORD = {
    "ai_route_type": "llm",
    "gen_ai.request.model": "gpt-5-nano",
    "gen_ai.response.model": "gpt-5-nano-2026-01-01",
    "gen_ai.provider.name": "default/openai/route/chat/rule/0/ref/0",
    "gen_ai.usage.input_tokens": "1e+05",
    "gen_ai.usage.cache_read.input_tokens": "1920",
    "gen_ai.usage.cache_creation.input_tokens": "12",
    "gen_ai.usage.output_tokens": "300",
    "gen_ai.usage.reasoning_tokens": "128",
    "gen_ai.usage.total_tokens": "100300",
    "backend_name": "default/openai/route/chat/rule/0/ref/0",
    "ai_service_backend_name": "default/openai",
    "route_name": "default/chat",
    "model_name_override": "gpt-5-nano",
    "token_latency_ttft": "31.5",
    "token_latency_itl": "4.25",
    "session.id": "sess-42",
    "request.path": "/rewritten/chat/completions",
    "x-envoy-origin-path": "/v1/chat/completions",
    "user-agent": "a" * 256,
}
MCP_RECORD = {
    "ai_route_type": "mcp",
    "jsonrpc.request.id": "7",
    "mcp.method.name": "tools/call",
    "mcp.provider.name": "everything",
    "mcp.tool.name": "echo",
    "mcp.session.id": "0123456789abcdef",
    "route_name": "default/tools",
    "session.id": "-",
    "request.path": "/mcp",
    "x-envoy-origin-path": "/mcp",
    "user-agent": "Go-http-client/1.1",
}


def test_records(tmp_path: Path) -> None:
    """Else a field is missing or wrong in production, or a key in a query string is sent to the receiver."""
    with loopback_servers.serve_upstream() as (upstream, seen), loopback_servers.serve_logs() as (logs, bodies):
        config = build_bootstrap(SETTINGS, logs_port=logs, upstream_port=upstream)
        with real_envoy.run(config, NODE, tmp_path) as ports:
            gateway = ports[envoy_gateway.LISTENER]
            # Neither route of AI Gateway: no record. It comes first, so that it would be there before the others.
            post(gateway, f"/v1/models?key={SECRET}", {})
            seen.get(timeout=PATIENCE)
            llm_client = post(
                gateway,
                f"/v1/chat/completions?api_key={SECRET}&model=x",
                {"x-ai-eg-model": "gpt-5-nano", "user-agent": "a" * 1000, "x-forwarded-for": "203.0.113.9"},
            )
            mcp_client = post(
                gateway,
                f"/mcp?token={SECRET}",
                {
                    "x-ai-eg-mcp-backend": "everything",
                    "x-ai-eg-mcp-route": "default/tools",
                    "mcp-session-id": f"0123456789abcdef{SECRET}",
                    "user-agent": "Go-http-client/1.1",
                },
            )
            taken, records = take_records(bodies, 2)
        llm_seen, mcp_seen = seen.get(timeout=PATIENCE), seen.get(timeout=PATIENCE)

    actual = {fields["ai_route_type"]: fields for _, record in records if (fields := to_dict(record.attributes))}
    for fields in actual.values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields.pop("start_time"))
        assert fields.pop("duration").isdecimal()
    assert LLM_RECORD | common_fields(llm_seen, llm_client, gateway, upstream) == actual["llm"]
    assert MCP_RECORD | common_fields(mcp_seen, mcp_client, gateway, upstream) == actual["mcp"]
    assert all(SECRET.encode() not in body for body in taken)
    assert SECRET in llm_seen.path
    assert CREDENTIALS.items() <= llm_seen.headers.items()
    assert all(not record.HasField("body") for _, record in records)
    assert (
        {
            "log_name": "otel_envoy_accesslog",
            "zone_name": "zone-a",
            "cluster_name": "default/chat",
            "node_name": "envoy-default-chat-5f6d-x2x",
            "service.name": "chat",
            "aigw.gateway.name": "chat",
        }
        == records[0][0]
        == records[1][0]
    )


def test_every_field_is_tested() -> None:
    """Else a field that is added to a table is never seen in a real record."""
    in_common = {
        *common_fields(Seen("", {"x-request-id": "", "x-forwarded-for": ""}, ""), "", 0, 0),
        "start_time",
        "duration",
    }
    pod = {"k8s.namespace.name", "k8s.pod.name"}

    assert {*LLM_RECORD, *in_common} == {*access_log.LLM_FIELDS, *access_log.COMMON_FIELDS, *pod}
    assert {*MCP_RECORD, *in_common} == {*access_log.MCP_FIELDS, *access_log.COMMON_FIELDS, *pod}
