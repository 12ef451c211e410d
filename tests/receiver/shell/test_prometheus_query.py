"""Asking a Prometheus over real connections: what is sent, and what becomes of each way to fail. A real Prometheus is
asked in tests/truth.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from aigw_receiver.core.gateways import promql
from aigw_receiver.core.gateways.prometheus_answers import Sample
from aigw_receiver.core.rollup.model import Cell, View
from aigw_receiver.settings import Prometheus
from aigw_receiver.shell import prometheus_query
from aigw_receiver.shell.prometheus_query import PrometheusError, PrometheusQuery
from otlp_messages import SECOND
from receiver_program import free_ports

_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FAMILY: Final = promql.FAMILIES[0]
_QUERY: Final = promql.window_query(_FAMILY, View.GATEWAY, None, 0, 60 * SECOND)
_BODY: Final = {
    "status": "success",
    "data": {"resultType": "vector", "result": [{"metric": {"gateway_name": "a"}, "value": [60, "2"]}]},
}


@contextlib.asynccontextmanager
async def _serve(answer: _Answer) -> AsyncIterator[str]:
    """A server that answers each request so; its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@contextlib.asynccontextmanager
async def _open(url: str, **settings: Any) -> AsyncIterator[PrometheusQuery]:
    query = prometheus_query.open_query(Prometheus(url=url, **settings))
    assert query is not None
    async with contextlib.asynccontextmanager(query.follow)(web.Application()):
        yield query


async def test_question() -> None:
    """A Prometheus behind a path or a login is asked elsewhere, or without what it wants to see."""
    seen: list[tuple[str, str, dict[str, str], str | None, str | None]] = []

    async def answer(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        headers = request.headers
        seen.append((request.method, request.path, form, headers.get("X-Scope-OrgID"), headers.get("Authorization")))
        return web.json_response(_BODY)

    steps = promql.step_query(_FAMILY, [Cell(View.GATEWAY, "n", "a", ())], [0, 60 * SECOND, 120 * SECOND])
    async with (
        _serve(answer) as url,
        _open(f"{url.replace('://', '://me:secret@')}/prom/", headers={"X-Scope-OrgID": "team"}) as prometheus,
    ):
        answers = await prometheus.ask([_QUERY, steps])
    samples = [Sample({"gateway_name": "a"}, 60 * SECOND, 2.0)]
    assert [(_QUERY, samples), (steps, samples)] == answers
    login = "Basic bWU6c2VjcmV0"
    assert [
        ("POST", "/prom/api/v1/query", _QUERY.parameters, "team", login),
        ("POST", "/prom/api/v1/query_range", steps.parameters, "team", login),
    ] == sorted(seen, key=lambda request: request[1])


async def _says_no(_: web.Request) -> web.StreamResponse:
    document = {"status": "error", "errorType": "execution", "error": "too many samples"}
    return web.json_response(document, status=422)


async def _is_a_proxy(_: web.Request) -> web.StreamResponse:
    return web.Response(status=503, text="<html>no upstream</html>", content_type="text/html")


async def _sends_away(_: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})


async def _is_endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" " * (1 << 20))
    return response


async def _breaks_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_says_no, "execution: too many samples"),
        (_is_a_proxy, "status 503, and no JSON"),
        (_sends_away, "status 302, and no JSON"),
        (_is_endless, "an answer of more than 32 MiB; choose a shorter window or a longer step"),
    ],
)
async def test_refusals(answer: _Answer, reason: str) -> None:
    """A Prometheus that does not answer is taken for one that knows nothing, or the error does not name it."""
    async with _serve(answer) as url, _open(url.replace("://", "://me:secret@"), timeout=60 * SECOND) as prometheus:
        with pytest.raises(PrometheusError) as error:
            await prometheus.ask([_QUERY, _QUERY])
    assert f"Prometheus at {url}: {reason}" == str(error.value)


async def test_broken_connections() -> None:
    """A Prometheus that is not there, or breaks off, ends the request with an error of the program."""
    async with _serve(_breaks_off) as url, _open(url) as prometheus:
        with pytest.raises(PrometheusError, match=f"^Prometheus at {url}: "):
            await prometheus.ask([_QUERY])
    (port,) = free_ports(1)
    async with _open(f"http://127.0.0.1:{port}") as prometheus:
        with pytest.raises(PrometheusError, match=f"^Prometheus at http://127.0.0.1:{port}: .*127.0.0.1:{port}"):
            await prometheus.ask([_QUERY])


async def test_silence() -> None:
    """A Prometheus that hangs makes the page hang."""
    gone = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        await gone.wait()
        return web.json_response(_BODY)

    async with _serve(answer) as url, _open(url, timeout=SECOND // 20) as prometheus:
        with pytest.raises(PrometheusError) as error:
            await prometheus.ask([_QUERY] * 9)
        gone.set()
    assert f"Prometheus at {url}: no answer within 0.05 s" == str(error.value)


async def test_at_a_time() -> None:
    """One page takes all the queries that a Prometheus answers at a time."""
    at_once, most = 0, 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        for _turn in range(10):
            await asyncio.sleep(0)
        at_once -= 1
        return web.json_response(_BODY)

    async with _serve(answer) as url, _open(url) as prometheus:
        assert 30 == len(await prometheus.ask([_QUERY] * 30))
    assert 1 <= most <= 4


def test_not_configured(tmp_path: Path) -> None:
    """A receiver without a Prometheus asks one, or starts with certificates that are not there."""
    assert prometheus_query.open_query(Prometheus()) is None
    with pytest.raises(OSError, match="No such file"):
        prometheus_query.open_query(Prometheus(url="https://p:9090", ca_file=tmp_path / "none.pem"))
