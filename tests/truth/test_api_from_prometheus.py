"""The API of the page, asked about a time that only a real Prometheus knows: does it say what the gateways sent?"""

import asyncio
import time
import types
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import openapi_answers
from aigw_receiver.core.store import Store
from aigw_receiver.settings import Prometheus as Settings
from aigw_receiver.shell import gateway_api, prometheus_query
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.price_book import PriceBook
from aigw_receiver.shell.reconcile import Reconcile
from aigw_receiver.shell.rollup import Rollup
from aigw_receiver.shell.rollup_store import RollupStore
from api_traffic import UNPRICED, Call, Message, Pod, Traffic, expected, shortened
from truth.programs import Prometheus, Receiver, find_program, running_prometheus, running_receiver
from truth.waiting import post

_SECOND: Final = 1_000_000_000
_ONE: Final = "/api/gateways/{namespace}/{name}"

_CHEAP, _DEAR = Call(model=UNPRICED, provider='"house"'), Call(seconds=1.5, input=4000, cached=1024, output=300)
_LOST, _STREAMED = Call(seconds=0.015625, failed=True), Call(reasoning=7, first_token=0.5)

_ROUNDS: Final = (
    (Traffic([_CHEAP, _DEAR]), Traffic()),
    (Traffic([_DEAR, _LOST, _STREAMED], [Message(), Message(status="failed", seconds=0.5)]), Traffic([_CHEAP] * 3)),
    (Traffic(), Traffic([_STREAMED] * 2, [Message("tools/list", "error", "jira", None)])),
)
"""what each of two pods does in each round"""


class _Past(NamedTuple):
    """What has happened, and the moments before, between and after the rounds: seconds since 1970."""

    url: str
    moments: tuple[float, ...]


def _moment(server: Prometheus) -> float:
    """A time by which all that was exported is stored: a new stream is at 0 in the first of two scrapes."""
    server.wait_for_scrapes(2, since=time.time())
    return time.time()


def _export(receiver: Receiver, pod: Pod, traffic: Traffic) -> None:
    post(f"http://{receiver.otlp_http}/v1/metrics", pod.export(traffic, time.time_ns()), "application/x-protobuf")


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Past]:
    """Play the rounds against a receiver that a Prometheus scrapes, and that is restarted before the last one."""
    find_program("prometheus")
    folder = tmp_path_factory.mktemp("api")
    pods = Pod("a"), Pod("b")
    with (
        running_receiver(folder / "log", folder / "data") as receiver,
        running_prometheus(folder / "prometheus", receiver, 1) as server,
    ):
        moments = [_moment(server)]
        for number, traffic in enumerate(_ROUNDS):
            if number == len(_ROUNDS) - 1:
                receiver.stop()
                receiver.start()
            for pod, of_pod in zip(pods, traffic, strict=True):
                _export(receiver, pod, of_pod)
            moments.append(_moment(server))
        yield _Past(f"http://{server.web}", tuple(moments))


def _ask(past: _Past, path: str, described: str, *, began: float | None = None, source: str = "prometheus") -> Any:
    """What a receiver answers that has begun then, by default just now, and has this Prometheus."""

    async def ask() -> Any:
        ingest, app = Ingest(Store(time.time_ns()), Telemetry(), None), web.Application()
        rollup = RollupStore(None, size=1 << 20, retention=3600 * _SECOND, telemetry=Telemetry())
        Rollup(ingest, Costs(ingest, PriceBook(), None), rollup).observe(
            time.time_ns() if began is None else int(began * _SECOND)
        )
        prometheus = prometheus_query.open_query(Settings(url=past.url))
        gateway_api.add_routes(app, ingest, Reconcile(ingest), rollup, prometheus)
        async with (
            TestServer(app) as server,
            aiohttp.ClientSession() as session,
            session.get(server.make_url(path)) as response,
        ):
            document = await response.json()
            assert [] == openapi_answers.violations(described, response.status, document)
            assert (200, source) == (response.status, document["source"]), document
            return document

    return asyncio.run(ask())


def _sent(first: int, after: int) -> tuple[Traffic, Traffic]:
    """What each pod sent in some rounds."""
    one, other = Traffic(), Traffic()
    for a, b in _ROUNDS[first:after]:
        one, other = one + a, other + b
    return one, other


_WINDOWS: Final = [(0, 3), (0, 1), (1, 2), (2, 3), (1, 3)]


def _window(past: _Past, first: int, after: int) -> str:
    return f"from={past.moments[first]:.9f}&to={past.moments[after]:.9f}"


@pytest.mark.parametrize(("first", "after"), _WINDOWS)
def test_gateways(past: _Past, first: int, after: int) -> None:
    """What a Prometheus stored is shown as more or less than what was sent in the window."""
    document = _ask(past, f"/api/gateways?{_window(past, first, after)}", "/api/gateways")
    one, other = _sent(first, after)
    (gateway,) = document["gateways"]
    assert ("default", "gateway", "ended") == tuple(gateway[name] for name in ("namespace", "name", "state"))
    assert expected(one + other) == shortened(gateway["totals"])


@pytest.mark.parametrize(("first", "after"), _WINDOWS)
def test_gateway(past: _Past, first: int, after: int) -> None:
    """What a Prometheus stored is shown as another provider's, model's, server's or pod's."""
    document = _ask(past, f"/api/gateways/default/gateway?{_window(past, first, after)}", _ONE)
    by_pod = dict(zip(("a", "b"), _sent(first, after), strict=True))
    both = by_pod["a"] + by_pod["b"]
    assert expected(both) == shortened(document["gateway"]["totals"])
    busy = {name: expected(sent) for name, sent in by_pod.items() if sent.calls or sent.messages}
    assert busy == {row["pod"]: shortened(row["totals"]) for row in document["pods"]}
    models = sorted({(call.provider, call.model) for call in both.calls})
    of_models = [expected(both.of_calls("model", model)) for _, model in models]
    assert of_models == [shortened(row["totals"]) for row in document["models"]]
    assert models == [(row["provider"], row["model"]) for row in document["models"]]
    assert of_models == [shortened(row["totals"]) for row in document["providers"]]
    backends = sorted({message.backend for message in both.messages})
    assert {name: expected(both.of_messages("backend", name)) for name in backends} == {
        row["backend"]: shortened(row["totals"]) for row in document["mcp"]["backends"]
    }
    methods = {(row["backend"], row["method"]): row["totals"]["mcp"]["messages"] for row in document["mcp"]["methods"]}
    assert {
        (backend, method): sum(message.method == method for message in both.of_messages("backend", backend).messages)
        for backend, method in {(message.backend, message.method) for message in both.messages}
    } == methods


@pytest.mark.parametrize(
    ("moment", "source"),
    [(0, "store"), (1, "prometheus"), (3, "prometheus")],
    ids=["before all", "after one", "after all"],
)
def test_young_receiver(past: _Past, moment: int, source: str) -> None:
    """A Prometheus is asked that knows no more than the receiver, or one that knows more is not asked."""
    began = past.moments[moment]
    document = _ask(past, f"/api/gateways?from={began - 900:.9f}", "/api/gateways", began=began, source=source)
    requests = [gateway["totals"]["requests"] for gateway in document["gateways"]]
    one, other = _sent(0, 3)
    assert ([len((one + other).calls)] if source == "prometheus" else [], None) == (requests, document["warning"])


@pytest.mark.parametrize("view", ["gateway", "pod", "model"])
def test_series(past: _Past, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of a chart add up to more or less than what was sent."""
    names = ("requests", "errors", "tokens_input", "mcp_messages", "mcp_errors", "mcp_failed")
    query = f"{_window(past, 0, 3)}&view={view}&values={','.join(names)},duration_p95"
    # Asked a minute later, when all steps of the window are over.
    clock = types.SimpleNamespace(time_ns=lambda: time.time_ns() + 60 * _SECOND)
    monkeypatch.setattr(gateway_api, "time", clock)
    document = _ask(past, f"/api/gateways/default/gateway/series?{query}", f"{_ONE}/series")
    both = [*_sent(0, 3)]
    sent = {
        "gateway": [both[0] + both[1]],
        "pod": both,
        "model": [(both[0] + both[1]).of_calls("model", name) for name in ("gpt-4.1", UNPRICED)],
    }[view]
    sums = [[sum(number or 0 for number in series["values"][name]) for name in names] for series in document["series"]]
    numbers = [expected(one) for one in sent]
    mcp = ("messages", "mcp_errors", "mcp_failed")
    listed = [[one["requests"], one["errors"], one["tokens"]["input"], *(one[name] for name in mcp)] for one in numbers]
    assert (60.0, 0, sorted(listed)) == (document["step"], document["other"], sorted(sums))
