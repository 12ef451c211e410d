"""A receiver's API about gateways over a real connection, on a real store and rollup whose times a test chooses."""

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import yarl
from aiohttp.test_utils import BaseTestServer, TestServer
from aiohttp.web import Application

import openapi_answers
from aigw_receiver.core.store import Store
from aigw_receiver.shell import gateway_api
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.price_book import PriceBook
from aigw_receiver.shell.reconcile import Reconcile
from aigw_receiver.shell.rollup import Rollup
from aigw_receiver.shell.rollup_store import RollupStore
from api_traffic import UNPRICED, Call, Message, Pod, Traffic
from otlp_messages import SECOND

STEP: Final = 10 * SECOND
ONE: Final = "/api/gateways/{namespace}/{name}"


class Scene:
    """A receiver without its listeners for telemetry, that began some time ago."""

    def __init__(self, ago: int = 600, store: type[RollupStore] = RollupStore) -> None:
        """`ago` is in seconds."""
        self.began = (time.time_ns() - ago * SECOND) // STEP * STEP
        telemetry = Telemetry()
        self.ingest = Ingest(Store(self.began), telemetry, None)
        costs = Costs(self.ingest, PriceBook(), None)
        self.store = store(None, size=64 << 20, retention=7 * 86_400 * SECOND, telemetry=telemetry)
        self._rollup = Rollup(self.ingest, costs, self.store)
        self._rollup.observe(self.began)

    def at(self, step: int) -> int:
        """When a step ends."""
        return self.began + step * STEP

    def window(self, first: int, last: int) -> str:
        """The query of the time from the beginning of one step to the end of another."""
        return f"from={self.at(first - 1) // SECOND}&to={self.at(last) // SECOND}"

    def step(self, step: int, *exports: tuple[Pod, Traffic]) -> None:
        """Take exports in the middle of a step, and observe at its end."""
        for pod, traffic in exports:
            self.ingest.store.export(pod.export(traffic, self.at(step) - STEP // 2), self.at(step) - STEP // 2)
        self._rollup.observe(self.at(step))

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["Client"]:
        """The listener."""
        app = Application()
        gateway_api.add_routes(app, self.ingest, Reconcile(self.ingest), self.store)
        async with TestServer(app) as server, aiohttp.ClientSession(auto_decompress=False) as session:
            yield Client(server, session)


class Client:
    """Asks, and holds each answer against the description of the API."""

    def __init__(self, server: BaseTestServer, session: aiohttp.ClientSession) -> None:
        self._server = server
        self._session = session

    def _url(self, path: str) -> yarl.URL:
        """As it is written, with what is escaped in it."""
        return yarl.URL(f"{str(self._server.make_url('')).rstrip('/')}{path}", encoded=True)

    async def get(self, path: str, status: int = 200, *, described: str = "/api/gateways") -> Any:
        """The document of an answer, which must have this status."""
        async with self._session.get(self._url(path), headers={"Accept-Encoding": "identity"}) as response:
            document = await response.json()
            assert (status, document) == (response.status, document)
        assert [] == openapi_answers.violations(described, status, document)
        return document

    async def request(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(method, self._url(path), headers=named) as response:
            return response.status, dict(response.headers), await response.read()


CHEAP, DEAR = Call(model=UNPRICED, provider="house"), Call(seconds=1.5, input=4000, cached=1024, output=300)
LOST, STREAMED = Call(seconds=0.015625, failed=True), Call(reasoning=7, first_token=0.5)
CALLED, REFUSED = Message(), Message(status="failed", seconds=0.5)
LISTED = Message(method="tools/list", seconds=None, backend="jira", status="error")

FIRST: Final = Traffic([CHEAP, DEAR, DEAR, LOST], [CALLED, REFUSED])
LATER: Final = Traffic([STREAMED, LOST, CHEAP], [LISTED, CALLED])
THIRD: Final = Traffic([DEAR])


def two_pods() -> Scene:
    """One gateway with two pods, and another one. What was sent: FIRST and LATER, and THIRD."""
    scene = Scene()
    a, b, other = Pod("a"), Pod("b"), Pod("c", "other", "")
    scene.step(1, (a, Traffic([CHEAP])), (b, Traffic()))
    scene.step(2, (a, FIRST), (other, THIRD))
    scene.step(3)
    scene.step(4, (b, LATER))
    scene.step(5, (a, Traffic([DEAR])))
    return scene
