"""`python -m standin.provider`: the LLM provider and the MCP servers of the demo, on port 8080 of a pod."""

from typing import Final

from aiohttp import web

from aigw_demo.llm_standin import add_llm_routes
from aigw_demo.mcp_standin import add_mcp_routes

_PORT: Final = 8080


async def _answer_health(_: web.Request) -> web.Response:
    return web.Response()


def main() -> None:
    """Serve until SIGTERM."""
    app = web.Application()
    app.router.add_get("/healthz", _answer_health)
    add_llm_routes(app)
    add_mcp_routes(app)
    web.run_app(app, port=_PORT, access_log=None, print=None)


if __name__ == "__main__":
    main()
