"""One pod of the gateway stand-in: a proxy in front of the provider that measures as the AI Gateway does.

It forwards bytes unchanged, reads model and usage on the way, and tells gateway_metrics when something happened. What
is recorded stands there; here is only HTTP. The Envoy in front of it writes the access logs; the real gateway measures
beside Envoy, which makes no difference to what is measured.
"""

import contextlib
import json
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp import web

from aigw_demo.gateway_mcp import McpProxy
from aigw_demo.gateway_metrics import UNKNOWN, GenAIRequest, parse_token_usage
from aigw_demo.mcp_standin import SERVERS
from aigw_demo.telemetry import PodTelemetry

# The gateway's name for the operation behind each path.
OPERATIONS: Final = {"/v1/chat/completions": "chat", "/v1/embeddings": "embeddings"}
EVENT_PREFIX: Final = b"data: "


class StreamReader:
    """Reads the events of a stream as they pass: the answering model, and the usage at the end."""

    def __init__(self) -> None:
        self._rest = b""
        self.model = UNKNOWN
        self.usage: Mapping[str, object] | None = None

    def read(self, piece: bytes) -> None:
        """Take a piece of the body in; an event may be split over two."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            data = line.removeprefix(EVENT_PREFIX)
            if data.startswith(b"{"):
                event = json.loads(data)
                self.model = event.get("model", self.model)
                self.usage = event.get("usage") or self.usage


class Gateway:
    """The proxy of one pod."""

    def __init__(self, telemetry: PodTelemetry, upstream: str, mcp_backends: tuple[str, ...] = tuple(SERVERS)) -> None:
        self._telemetry = telemetry
        self._upstream = upstream
        # The gateway holds a connection to the provider for each request that is under way, as Envoy does.
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self.mcp = McpProxy(telemetry, self._client, upstream, mcp_backends)

    def build_app(self) -> web.Application:
        """The paths that this gateway routes; any other is refused and, as in the gateway, never measured."""
        app = web.Application()
        for path in OPERATIONS:
            app.router.add_post(path, self.answer)
        self.mcp.add_routes(app)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _app: web.Application) -> None:
        await self._client.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Forward one GenAI request and measure it."""
        body = await request.read()
        model = str(json.loads(body).get("model", UNKNOWN))
        measured = GenAIRequest(self._telemetry, OPERATIONS[request.path], model)
        headers = {"Content-Type": "application/json"}
        try:
            async with self._client.post(self._upstream + request.path, data=body, headers=headers) as upstream:
                if upstream.status == 200 and upstream.content_type == "text/event-stream":
                    return await self._pass_stream(request, upstream, measured)
                return self._pass_answer(upstream.status, await upstream.read(), measured)
        except aiohttp.ClientError:
            measured.record_failure()
            return web.Response(status=503, text="upstream connect error")

    def _pass_answer(self, status: int, body: bytes, measured: GenAIRequest) -> web.Response:
        """Pass a whole answer on."""
        if status == 200:
            answer = json.loads(body)
            measured.response_model = answer.get("model", UNKNOWN)
            measured.record_success(parse_token_usage(answer.get("usage")))
        else:
            measured.record_failure()
        return web.Response(status=status, body=body, content_type="application/json")

    async def _pass_stream(
        self, request: web.Request, upstream: aiohttp.ClientResponse, measured: GenAIRequest
    ) -> web.StreamResponse:
        """Pass a stream on, piece by piece; when the client has gone, nothing more is recorded of it."""
        reader = StreamReader()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for piece in upstream.content.iter_any():
            reader.read(piece)
            measured.response_model = reader.model
            measured.record_first_token()
            try:
                await response.write(piece)
            except ConnectionResetError:
                return response
        measured.record_success(parse_token_usage(reader.usage))
        # A client that read the last event may leave before the end of the body; its request is complete all the same.
        with contextlib.suppress(ConnectionResetError):
            await response.write_eof()
        return response
