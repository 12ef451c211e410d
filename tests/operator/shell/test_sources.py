"""What the receivers say that they have heard, and what becomes of a receiver that does not answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from aigw_operator.core import model
from aigw_operator.core.model import Installation, NamespacedName, ObjectKey, Source, Sources
from aigw_operator.settings import Address
from aigw_operator.shell import sources
from aigw_operator.shell.sources import SourcesPoll
from aigw_operator.shell.store import Store

_RECEIVER = NamespacedName("ns", "r")

_ANSWER = {
    "now": 1000.0,
    "sources": [
        {
            "gateway_namespace": "ns",
            "gateway_name": "g",
            "gateway_pod": "p1",
            "ended": False,
            "streams": 7,
            "signals": {"metrics": {"last": 990.0, "interval": 10.0}, "logs": {"last": 995.0}},
        },
        {
            "gateway_namespace": "ns",
            "gateway_name": "g",
            "gateway_pod": "p2",
            "ended": True,
            "streams": 0,
            "signals": {"metrics": {"last": 1.0, "interval": 10.0}},
        },
        {
            "gateway_namespace": "ns",
            "gateway_name": "g",
            "gateway_pod": "p3",
            "ended": False,
            "streams": 0,
            "signals": {"logs": {"last": 999.0}},
        },
    ],
}

_SOURCES = (
    Source(NamespacedName("ns", "g"), "p1", 1990.0, 1995.0, 10.0),
    Source(NamespacedName("ns", "g"), "p3", None, 1999.0, 60.0),
)


def test_parse() -> None:
    """A time is left on the receiver's clock, an ended pod counts, or a signal is mixed up with another."""
    assert _SOURCES == sources.parse_sources(_ANSWER, 2000.0)


@pytest.mark.parametrize("answer", [None, [], {}, {"now": 1}, {"now": "x", "sources": []}, {"now": 1, "sources": [{}]}])
def test_what_is_no_list(answer: Any) -> None:
    """Another program at that address is a defect of ours."""
    with pytest.raises(ValueError, match=r".+"):
        sources.parse_sources(answer, 0.0)


def _store(shards: int = 1) -> Store:
    store = Store()
    store.upsert(model.RECEIVER, {"metadata": {"namespace": "ns", "name": "r"}, "spec": {"shards": shards}})
    for name, receiver in (("p", "r"), ("q", "other")):
        spec = {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"}],
            "receiverRef": {"name": receiver},
        }
        store.upsert(model.POLICY, {"metadata": {"namespace": "ns", "name": name}, "spec": spec})
    return store


def _poll(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> tuple[Sources, list[ObjectKey], str]:
    async def run() -> tuple[Sources, list[ObjectKey], str]:
        app = web.Application()
        app.router.add_get("/api/sources", answer)
        store, keys = _store(), list[ObjectKey]()
        async with TestServer(app) as server, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(0.2)) as session:
            address = Address(str(server.host), server.port or 0)
            poll = SourcesPoll(
                store,
                installation=Installation(),
                address=address,
                enqueue=lambda key, _: keys.append(key),
                clock=lambda: 2000.0,
            )
            await poll.poll(session)
            return store.snapshot().sources[_RECEIVER], keys, str(address)

    return asyncio.run(run())


def test_poll() -> None:
    """What a receiver says does not get into the store, or other policies than its own are looked at."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(_ANSWER)

    found, keys, _ = _poll(answer)
    assert (Sources(_SOURCES), [ObjectKey(model.POLICY, NamespacedName("ns", "p"))]) == (found, keys)


async def _unavailable(_: web.Request) -> web.Response:
    return web.Response(status=503)


async def _nonsense(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def _another(_: web.Request) -> web.Response:
    return web.json_response({"hello": "world"})


async def _silent(_: web.Request) -> web.Response:
    await asyncio.sleep(0.4)
    return web.Response()


async def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_unavailable, "answered 503"),
        (_nonsense, "answered something else than a list of sources"),
        (_another, "answered something else than a list of sources"),
        (_silent, "did not answer within 5 s"),
        (_cut, "cannot be reached"),
    ],
)
def test_receiver_that_does_not_answer(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], error: str
) -> None:
    """A receiver's failure stops the poll, or its message has a detail that would change the status each time."""
    found, _, address = _poll(answer)

    assert Sources((), f"{address} {error}") == found


def test_addresses_of_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard is asked at another name than its own Service has, or what one says is lost by another's failure."""
    asked: list[str] = []

    async def ask(_: SourcesPoll, session: aiohttp.ClientSession, address: str) -> Sources:
        del session
        asked.append(address)
        return Sources((_SOURCES[0],)) if "r-0" in address else Sources((), f"{address} cannot be reached")

    monkeypatch.setattr(SourcesPoll, "_ask_one", ask)

    async def run() -> Sources:
        store = _store(shards=2)
        installation = Installation(cluster_domain="example.org")
        poll = SourcesPoll(store, installation=installation, address=None, enqueue=lambda *_: None)
        async with aiohttp.ClientSession() as session:
            await poll.poll(session)
        return store.snapshot().sources[_RECEIVER]

    found = asyncio.run(run())
    assert ["r-0.ns.svc.example.org:8080", "r-1.ns.svc.example.org:8080"] == asked
    assert Sources((_SOURCES[0],), "r-1.ns.svc.example.org:8080 cannot be reached") == found
