"""The clients of the demo where a gateway does not answer."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from aigw_demo import traffic
from aigw_demo.standin import serve
from aigw_demo.traffic import Kind, Target, Traffic


class SilentGateway:
    """Takes requests and answers none as long as anybody waits."""

    def __init__(self) -> None:
        self.taken = {"/v1/chat/completions": 0, "/mcp": 0}
        self.was_tried_again = asyncio.Event()
        self.may_end = asyncio.Event()

    def build_app(self) -> web.Application:
        """The paths that the clients ask."""
        app = web.Application()
        for path in self.taken:
            app.router.add_post(path, self._keep_waiting)
        return app

    async def _keep_waiting(self, request: web.Request) -> web.Response:
        self.taken[request.path] += 1
        # There is one client that holds sessions beside those that ask models.
        if self.taken["/mcp"] > 1 and self.taken["/v1/chat/completions"] > traffic.CLIENTS_PER_GATEWAY:
            self.was_tried_again.set()
        await self.may_end.wait()
        return web.Response()


def test_clients_go_on_after_a_request_that_was_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for half a minute would end a run in a traceback, or its MCP traffic for good."""
    monkeypatch.setattr(traffic, "REQUEST_TIMEOUT", aiohttp.ClientTimeout(total=0.05))

    async def run() -> tuple[int, bool, bool]:
        gateway = SilentGateway()
        async with serve(gateway.build_app()) as address:
            clients = Traffic((Target((address,), (Kind("small", 1),)),))
            flowing = asyncio.create_task(clients.run())
            tried = asyncio.create_task(gateway.was_tried_again.wait())
            await asyncio.wait({flowing, tried}, return_when=asyncio.FIRST_COMPLETED)
            clients.stop()
            await flowing
            gateway.may_end.set()
        return clients.account.records, clients.account.unanswered >= sum(gateway.taken.values()), tried.done()

    assert (0, True, True) == asyncio.run(run())
