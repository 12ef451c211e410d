"""The dashboard of one gateway."""

from board import rows_mcp, rows_pods, rows_requests, rows_traffic
from board.model import Board, Variable
from board.promql import Scope, Source

_GATEWAY = 'gateway_namespace="$namespace",gateway_name="$gateway"'


def uid(source: Source) -> str:
    """The dashboard's name in addresses."""
    return "aigw-gateway" if source is Source.PLAIN else "aigw-gateway-rules"


def board(source: Source) -> Board:
    """All of it."""
    identity = ('gateway_namespace="$namespace"', 'gateway_name="$gateway"')
    scope = Scope(source, identity, ("pod", "provider", "model", "backend"))
    rows = (
        rows_traffic.overview(scope),
        rows_traffic.providers(scope),
        rows_traffic.models(scope),
        rows_mcp.mcp(scope),
        rows_traffic.cost(scope),
        rows_pods.pods(scope),
        rows_requests.requests(scope),
    )
    title = "AI gateway" if source is Source.PLAIN else "AI gateway (recording rules)"
    return Board(uid(source), title, "One gateway; open a row to see more of it.", _variables(), rows)


def _variables() -> tuple[Variable, ...]:
    requests = f"gen_ai_server_request_duration_seconds_count{{{_GATEWAY}}}"
    return (
        Variable("namespace", "Namespace", 'target_info{gateway_name!=""}', "gateway_namespace", many=False),
        Variable("gateway", "Gateway", 'target_info{gateway_namespace="$namespace"}', "gateway_name", many=False),
        Variable("pod", "Pod", f"target_info{{{_GATEWAY}}}", "gateway_pod"),
        Variable("provider", "Provider", requests, "gen_ai_provider_name"),
        Variable("model", "Model", requests, "gen_ai_response_model"),
        Variable("backend", "MCP server", f"mcp_request_duration_seconds_count{{{_GATEWAY}}}", "mcp_backend"),
    )
