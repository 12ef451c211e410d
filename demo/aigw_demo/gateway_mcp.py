"""The MCP side of the gateway stand-in: one session in front of several MCP servers.

It fans lists out to the servers that announced them, sends a tool call to the server in the tool's name, answers ping
by itself, and tells gateway_metrics the outcome for each server. Requests to servers say in headers what they are, for
the gateway's second listener, whose access logs have one record for each. It must not know what the servers do.
"""

import asyncio
import uuid
from typing import Final

import aiohttp
from aiohttp import web

from aigw_demo.envoy_config import MCP_BACKEND_HEADER, MCP_INTERNAL_PREFIX
from aigw_demo.gateway_metrics import ERROR, FAILED, INTERNAL_ERROR, JSONRPC_ERROR_TYPES, SUCCESS, McpRequest
from aigw_demo.telemetry import PodTelemetry

Json = dict[str, object]

SESSION_HEADER: Final = "mcp-session-id"
# The gateway separates a server's name from a tool's, and the parts of a progress token, by two underscores.
NAME_SEPARATOR: Final = "__"
INVALID_PARAMS: Final = -32602
METHOD_NOT_FOUND: Final = -32601
SERVER_ERROR: Final = -32000


class McpProxy:
    """The MCP endpoint of one gateway pod."""

    def __init__(
        self,
        telemetry: PodTelemetry,
        client: aiohttp.ClientSession,
        upstream: str,
        backends: tuple[str, ...],
    ) -> None:
        self._telemetry = telemetry
        self._client = client
        # The gateway's second listener, once it is there, and until then the servers.
        self.upstream = upstream
        self._backends = backends
        # What each backend announced, by session.
        self._sessions: dict[str, dict[str, frozenset[str]]] = {}

    def add_routes(self, app: web.Application) -> None:
        """Serve POST and DELETE of /mcp."""
        app.router.add_post("/mcp", self.answer)
        app.router.add_delete("/mcp", self.end_session)

    async def end_session(self, request: web.Request) -> web.Response:
        """The client is done; the gateway measures nothing of it."""
        self._sessions.pop(request.headers.get(SESSION_HEADER, ""), None)
        return web.Response()

    async def answer(self, request: web.Request) -> web.Response:
        """One JSON-RPC message of a client."""
        message: Json = await request.json()
        measured = McpRequest(self._telemetry, str(message.get("method")))
        if measured.method == "initialize":
            return await self._open_session(message, measured)
        session = self._sessions.get(request.headers.get(SESSION_HEADER, ""))
        if session is None:
            measured.record(ERROR, error_type="invalid_session_id")
            return web.Response(status=400, text="missing session ID")
        if measured.method == "notifications/initialized":
            # It goes to no backend: the gateway has sent one of its own when it opened the session.
            return web.Response(status=202)
        return await self._answer_in_session(message, measured, session)

    async def _answer_in_session(
        self, message: Json, measured: McpRequest, session: dict[str, frozenset[str]]
    ) -> web.Response:
        """One request or notification of a session that is open."""
        method = measured.method
        if method == "ping":
            measured.record(SUCCESS)
            return build_answer(message, {"result": {}})
        if method == "notifications/progress":
            return await self._pass_progress(message, measured, session)
        if method == "tools/call":
            return await self._call_tool(message, measured, session)
        listed, _, verb = method.partition("/")
        if verb == "list":
            return await self._list(message, measured, listed, session)
        measured.record(ERROR, error_type=JSONRPC_ERROR_TYPES[METHOD_NOT_FOUND])
        return web.Response(status=400, text=f"unsupported method: {method}")

    async def _open_session(self, message: Json, measured: McpRequest) -> web.Response:
        """Open a session with every backend, and give the client one in front of them."""
        params = message.get("params")
        announced = params.get("capabilities", {}) if isinstance(params, dict) else {}
        measured.record_client_capabilities(sorted(announced))
        opened = await asyncio.gather(*(self._open_backend(backend, message, measured) for backend in self._backends))
        session = str(uuid.uuid4())
        self._sessions[session] = dict(zip(self._backends, opened, strict=True))
        capabilities: Json = {name: {} for name in sorted(frozenset().union(*opened))}
        answer = build_answer(message, {"result": {"capabilities": capabilities}})
        answer.headers[SESSION_HEADER] = session
        return answer

    async def _open_backend(self, backend: str, message: Json, measured: McpRequest) -> frozenset[str]:
        """The two steps of a session with one backend; what it can do."""
        answer = await self._post(backend, message)
        await self._post(backend, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        result = answer.get("result")
        capabilities = frozenset(result["capabilities"]) if isinstance(result, dict) else frozenset[str]()
        measured.record_initialization(backend, sorted(capabilities))
        return capabilities

    async def _list(
        self, message: Json, measured: McpRequest, listed: str, session: dict[str, frozenset[str]]
    ) -> web.Response:
        """The lists of all backends that have one, as one list."""
        backends = [backend for backend, capabilities in session.items() if listed in capabilities]
        answers = await asyncio.gather(*(self._send(backend, message, measured) for backend in backends))
        items: list[object] = []
        for backend, answer in zip(backends, answers, strict=True):
            result = answer.get("result")
            own = result.get(listed, []) if isinstance(result, dict) else []
            items += [{**item, "name": backend + NAME_SEPARATOR + item["name"]} for item in own]
        return build_answer(message, {"result": {listed: items}})

    async def _call_tool(self, message: Json, measured: McpRequest, session: dict[str, frozenset[str]]) -> web.Response:
        """Call a tool of the backend that its name begins with."""
        params = message.get("params")
        fields: Json = dict(params) if isinstance(params, dict) else {}
        backend, _, tool = str(fields.get("name")).partition(NAME_SEPARATOR)
        if backend not in session:
            measured.record(ERROR, backend, JSONRPC_ERROR_TYPES[INVALID_PARAMS])
            return web.Response(status=404, text=f"unknown backend {backend}")
        answer = await self._send(backend, {**message, "params": {**fields, "name": tool}}, measured)
        return build_answer(message, answer)

    async def _pass_progress(
        self, message: Json, measured: McpRequest, session: dict[str, frozenset[str]]
    ) -> web.Response:
        """Pass the client's progress on to the backend that the progress token ends with."""
        measured.record_progress()
        params = message.get("params")
        token = params.get("progressToken") if isinstance(params, dict) else None
        backend = str(token).rpartition(NAME_SEPARATOR)[2]
        if backend not in session:
            measured.record(ERROR, error_type=INTERNAL_ERROR)
            return web.Response(status=400, text="invalid progress token")
        await self._send(backend, message, measured)
        return web.Response(status=202)

    async def _send(self, backend: str, message: Json, measured: McpRequest) -> Json:
        """Send a message to one backend and record how it ended: well, by a tool's error, or by a protocol error."""
        answer = await self._post(backend, message)
        error = answer.get("error")
        result = answer.get("result")
        if isinstance(error, dict):
            measured.record(ERROR, backend, JSONRPC_ERROR_TYPES.get(error.get("code", 0), INTERNAL_ERROR))
        elif isinstance(result, dict) and result.get("isError"):
            measured.record(FAILED, backend, INTERNAL_ERROR)
        else:
            measured.record(SUCCESS, backend)
        return answer

    async def _post(self, backend: str, message: Json) -> Json:
        """The answer of a backend, empty for a notification; a broken connection is an error like any other."""
        try:
            url, headers = f"{self.upstream}/mcp/{backend}", build_headers(backend, message)
            async with self._client.post(url, json=message, headers=headers) as response:
                if response.status == 202:
                    return {}
                answer: Json = await response.json()
                return answer
        except aiohttp.ClientError as error:
            return {"error": {"code": SERVER_ERROR, "message": str(error)}}


def build_headers(backend: str, message: Json) -> dict[str, str]:
    """What the gateway's second listener is told of a request; a notification has the id that Go prints for none."""
    fields = {"method": str(message.get("method")), "request-id": str(message.get("id", "<nil>"))}
    params = message.get("params")
    if message.get("method") == "tools/call" and isinstance(params, dict):
        fields["tool-name"] = str(params.get("name"))
    return {MCP_BACKEND_HEADER: backend, **{MCP_INTERNAL_PREFIX + name: value for name, value in fields.items()}}


def build_answer(message: Json, fields: Json) -> web.Response:
    """The answer to a request, with the request's id."""
    return web.json_response({**fields, "jsonrpc": "2.0", "id": message.get("id")})
