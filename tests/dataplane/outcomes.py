"""Requests that end in every way that there is, through a real Envoy: how each is made, and what it must become.

It knows what the traffic is, and nothing of the receiver but its rules' names.
"""

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp import web

from aigw_demo import envoy_config
from aigw_demo.envoy_config import Route
from aigw_demo.gateway_mcp import build_headers
from aigw_demo.llm_standin import add_llm_routes
from aigw_demo.mcp_standin import add_mcp_routes

BACKEND: Final = "default/openai/route/chat/rule/0/ref/0"
SLOW_SECONDS: Final = 3.2
SLOW_LIMIT: Final = "3s"
ROUTE_TIMEOUT: Final = 0.3
_STUCK_SECONDS: Final = 1.5


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """One way in which a request ends. `rules` are those that keep it; "" where none does and it is dropped."""

    name: str
    status: int
    ending: str
    rules: str
    flags: str = ""
    model: str = ""
    tokens: tuple[int, int] = (31, 3)
    stream: bool = False
    abort: bool = False
    tool: str = ""
    cost: str = ""
    """of the record, in USD, where it is kept and can be known"""

    @property
    def route_type(self) -> str:
        """Whether it is a call of a tool, or a chat."""
        return "mcp" if self.tool else "llm"


# The flags are what Envoy's own documentation says of each case; rules and endings follow from docs/sampling.md and
# docs/access-logs.md by hand.
OUTCOMES: Final = (
    Outcome("ordinary", 200, "ok", "", model="small"),
    Outcome("ordinary stream", 200, "ok", "", model="gpt-5-nano", stream=True, tokens=(2006, 300)),
    Outcome("not found by the provider", 404, "client_error", "errors", model="missing"),
    Outcome("limited by the provider", 429, "client_error", "errors", model="limited"),
    Outcome("broken provider", 500, "upstream_error", "errors", model="broken"),
    Outcome("no route", 404, "gateway_error", "errors", "NR", model="nowhere"),
    Outcome("slow", 200, "ok", "slow", model="delayed"),
    Outcome("timeout", 504, "timeout", "errors,upstream_failure", "UT", model="stuck"),
    Outcome("refused connection", 503, "upstream_error", "errors,upstream_failure", "UF", model="dead"),
    Outcome("closed", 503, "upstream_error", "errors,upstream_failure", "UC", model="closed"),
    # Over HTTP/1.1 an answer that breaks off is an error of the protocol to Envoy, however the connection ended.
    Outcome("cut off", 200, "upstream_error", "errors,upstream_failure", "UPE", model="cut"),
    Outcome("aborted", 200, "aborted", "aborted", "DC", model="longstream", stream=True, abort=True),
    Outcome("one token below", 200, "ok", "", model="gpt-5-nano", tokens=(9_700, 299)),
    # 9,600 of the 9,700 are whole cache blocks: (100 x 0.05 + 9,600 x 0.005 + 300 x 0.40) / 1,000,000.
    Outcome("many tokens", 200, "ok", "tokens", model="gpt-5-nano", tokens=(9_700, 300), cost="0.000173"),
    # 1e+05 in the record, and no block less: (32 x 0.05 + 99,968 x 0.005 + 3 x 0.40) / 1,000,000.
    Outcome("round number", 200, "ok", "tokens", model="gpt-5-nano", tokens=(100_000, 3), cost="0.00050264"),
    Outcome("tool", 200, "ok", "", tool="echo"),
    # No field of an access log tells it.
    Outcome("failed tool", 200, "ok", "", tool="fail"),
    Outcome("refused tool", 400, "client_error", "mcp_errors", tool="refuse"),
)
_SERVERS: Final = {"echo": "everything", "fail": "everything", "refuse": "search"}


async def _delay(_request: web.Request) -> web.StreamResponse:
    """Answer after longer than the rule allows."""
    await asyncio.sleep(SLOW_SECONDS)
    return web.json_response({"model": "delayed", "usage": {"prompt_tokens": 31, "completion_tokens": 3}})


async def _stick(_request: web.Request) -> web.StreamResponse:
    """Answer long after Envoy has given up."""
    await asyncio.sleep(_STUCK_SECONDS)
    return web.Response()


async def _close(request: web.Request) -> web.StreamResponse:
    """Close the connection instead of an answer."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def _cut(request: web.Request) -> web.StreamResponse:
    """Promise a body, send a piece of it, and close the connection."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.close()
    return response


_ODD: Final = {"delayed": _delay, "stuck": _stick, "closed": _close, "cut": _cut}


def build_app() -> web.Application:
    """Provider and MCP servers, all on one port; what the demo's do not answer is under a path of its own."""
    app = web.Application()
    add_llm_routes(app)
    add_mcp_routes(app)
    for name, answer in _ODD.items():
        app.router.add_post(f"/{name}/chat/completions", answer)
    return app


def _dead_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def build_routes(port: int) -> list[Route]:
    """A route for each model, but for the one that has none."""
    plain = {each.model for each in OUTCOMES if each.model} - {*_ODD, "dead", "nowhere"}
    routes = [Route("/v1", port, model=model, backend=BACKEND) for model in sorted(plain)]
    for name in _ODD:
        timeout = ROUTE_TIMEOUT if name == "stuck" else 60.0
        routes.append(Route("/v1", port, model=name, backend=BACKEND, rewrite=f"/{name}", timeout=timeout))
    return [*routes, Route("/v1", _dead_port(), model="dead", backend=BACKEND, cluster="dead")]


async def send(client: aiohttp.ClientSession, ports: Mapping[str, int], outcome: Outcome) -> int:
    """Send one request, under the outcome's name as user agent; answers the status that the client saw."""
    headers = {"user-agent": outcome.name}
    if outcome.tool:
        listener, path, body = envoy_config.MCP_LISTENER, f"/mcp/{_SERVERS[outcome.tool]}", _build_call(outcome)
        headers |= build_headers(_SERVERS[outcome.tool], body)
    else:
        listener, path, body = envoy_config.LISTENER, "/v1/chat/completions", _build_chat(outcome)
    async with client.post(f"http://127.0.0.1:{ports[listener]}{path}", json=body, headers=headers) as response:
        if outcome.abort:
            await response.content.readany()
            response.close()
        else:
            # What is cut off is so for the client as well.
            with contextlib.suppress(aiohttp.ClientPayloadError):
                await response.read()
        return response.status


def _build_chat(outcome: Outcome) -> dict[str, object]:
    prompt, completion = map(str, outcome.tokens)
    wish = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"model": outcome.model, "metadata": wish, "stream": outcome.stream}


def _build_call(outcome: Outcome) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": outcome.tool}}
