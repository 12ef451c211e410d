"""Two small MCP servers over streamable HTTP, behind the gateway, with tools that succeed and tools that fail.

It knows as much JSON-RPC as that needs, and must not measure.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from aiohttp import web

Json = dict[str, object]

PROTOCOL_VERSION: Final = "2025-06-18"
SESSION_HEADER: Final = "mcp-session-id"
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602


@dataclass(frozen=True, slots=True)
class Server:
    """One MCP server: what it announces, its tools with whether a call of each fails, and those it refuses to call."""

    capabilities: tuple[str, ...]
    tools: dict[str, bool]
    latency: float
    refused: frozenset[str] = frozenset()


SERVERS: Final = {
    "everything": Server(
        ("completions", "logging", "prompts", "resources", "tools"), {"echo": False, "add": False, "fail": True}, 0.02
    ),
    "search": Server(("tools",), {"find": False, "timeout": True}, 0.06, frozenset({"refuse"})),
}


def build_result(server: Server, method: str, params: Json) -> Json:
    """The result or the error of one request, as the fields of a JSON-RPC answer."""
    if method == "initialize":
        capabilities: Json = {name: {} for name in server.capabilities}
        info = {"name": "mcp-standin", "version": "1"}
        result: Json = {"protocolVersion": PROTOCOL_VERSION, "capabilities": capabilities, "serverInfo": info}
        return {"result": result}
    if method == "tools/call":
        return build_tool_result(server, str(params.get("name")))
    listed = method.partition("/list")[0]
    if method.endswith("/list") and listed in server.capabilities:
        schema = {"type": "object"}
        tools = [{"name": name, "inputSchema": schema} for name in server.tools]
        return {"result": {listed: tools if listed == "tools" else []}}
    if method == "ping":
        return {"result": {}}
    return {"error": {"code": METHOD_NOT_FOUND, "message": f"unknown method {method}"}}


def build_tool_result(server: Server, tool: str) -> Json:
    """A tool's result: a tool that fails says so inside of a successful answer."""
    if tool not in server.tools:
        return {"error": {"code": INVALID_PARAMS, "message": f"unknown tool {tool}"}}
    failed = server.tools[tool]
    text = "the tool failed" if failed else "ok"
    return {"result": {"content": [{"type": "text", "text": text}], "isError": failed}}


async def answer_mcp(request: web.Request) -> web.Response:
    """POST /mcp/SERVER: one JSON-RPC message; a notification is only accepted."""
    name = request.match_info["server"]
    server = SERVERS.get(name)
    if server is None:
        raise web.HTTPNotFound
    message: Json = await request.json()
    await asyncio.sleep(server.latency)
    if "id" not in message:
        return web.Response(status=202)
    params = message.get("params")
    fields: Json = params if isinstance(params, dict) else {}
    if message.get("method") == "tools/call" and fields.get("name") in server.refused:
        raise web.HTTPBadRequest
    answer = build_result(server, str(message.get("method")), fields)
    headers = {SESSION_HEADER: f"session-{name}"}
    return web.json_response({"jsonrpc": "2.0", "id": message["id"], **answer}, headers=headers)


def add_mcp_routes(app: web.Application) -> None:
    """Serve each MCP server at a path of its own."""
    app.router.add_post("/mcp/{server}", answer_mcp)
