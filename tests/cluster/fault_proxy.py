"""A reverse proxy before the API server that breaks things on demand, and notes every request.

Plain HTTP comes in and goes out over TLS with the client's own Authorization header. It serves in a thread of its own;
all methods may be called from any thread. It knows nothing of what its users test.
"""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Final

import aiohttp
import yarl
from aiohttp import web

from cluster import background, control_plane, faults, requests_seen
from truth import ports

_CONNECT_SECONDS: Final = 10.0
# The API server takes 3 MiB.
_LARGEST_BODY: Final = 4 * 1024 * 1024
# Of RFC 9110 §7.6.1, and what the client library sets by itself.
_NOT_PASSED_ON: Final = frozenset(
    {"connection", "host", "keep-alive", "transfer-encoding", "upgrade", "content-length"}
)
_REASONS: Final = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}
"""https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md"""


@dataclasses.dataclass(eq=False, slots=True)
class _Watch:
    """A watch that is open; once it is told to end, with the last bytes that its client gets (none: hung up on)."""

    request: requests_seen.Request
    ended: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    farewell: bytes = b""


class FaultProxy:
    """The proxy before one API server. `requests` holds what was asked, in order of arrival."""

    def __init__(self, plane: control_plane.ControlPlane) -> None:
        self._upstream = plane.server
        self._context = plane.authority.client_context()
        self._port = ports.free_port()
        self._running = background.Background("fault-proxy", self._serve)
        self._faults: list[faults.Fault] = []
        self._hold: faults.Hold | None = None
        self._watches: set[_Watch] = set()
        self.requests: list[requests_seen.Request] = []
        self.after_write: list[Callable[[requests_seen.Request], None]] = []
        """called once a write succeeded and before its writer is told: the cluster as it is then"""

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"http://127.0.0.1:{self._port}"

    def fail(
        self,
        status: int,
        where: faults.Where = faults.everything,
        *,
        nth: int = 1,
        times: int = 1,
        retry_after: int | None = None,
    ) -> None:
        """Answer the nth matching request from now on (and so many) with a status, and do not pass it on."""
        self._faults.append(faults.Fault(where, nth, times, status=status, retry_after=retry_after))

    def delay(self, seconds: float, where: faults.Where = faults.everything, *, nth: int = 1, times: int = 1) -> None:
        """Pass the nth matching request (and so many) on after a while."""
        self._faults.append(faults.Fault(where, nth, times, delay=seconds))

    def hang_up(self, where: faults.Where = faults.everything, *, nth: int = 1, times: int = 1) -> None:
        """Close the connection of the nth matching request (and so many) without an answer, and do not pass it on."""
        self._faults.append(faults.Fault(where, nth, times, hang_up=True))

    def hold_at_write(self, k: int, when: faults.When, where: faults.Where = faults.everything) -> faults.Hold:
        """Hold the kth write from now on; see faults.Hold."""
        self._hold = faults.Hold(k, when, where)
        return self._hold

    def heal(self) -> None:
        """Forget all faults that were set, and release what is held."""
        self._faults.clear()
        if self._hold:
            self._hold.release()
            self._hold = None

    def cut_watches(self, where: faults.Where = faults.everything) -> int:
        """Close the connections of the watches that are open now; how many there were."""
        return self._running.call(self._end_watches(where, b""))

    def expire_watches(self, where: faults.Where = faults.everything) -> int:
        """Tell the watches that are open now that their resource version is too old (410); how many there were."""
        event = {"type": "ERROR", "object": _status(410)}
        return self._running.call(self._end_watches(where, json.dumps(event).encode() + b"\n"))

    def writes(self) -> list[requests_seen.Request]:
        """The writes so far."""
        return [request for request in self.requests if request.writes]

    def start(self) -> None:
        """Serve."""
        self._running.start()

    def stop(self) -> None:
        """End it, and every connection."""
        self.heal()
        self._running.stop()

    async def _serve(self, ready: Callable[[], None]) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
        connector = aiohttp.TCPConnector(limit=0, ssl=self._context)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=False) as session:

            async def answer(incoming: web.Request) -> web.StreamResponse:
                return await self._answer(session, incoming)

            application = web.Application(client_max_size=_LARGEST_BODY)
            application.router.add_route("*", "/{path:.*}", answer)
            # Watches never end by themselves: nothing is waited for.
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", self._port).start()
                ready()
                await asyncio.Event().wait()
            finally:
                await self._end_watches(faults.everything, b"")
                await runner.cleanup()

    async def _answer(self, session: aiohttp.ClientSession, incoming: web.Request) -> web.StreamResponse:
        request = requests_seen.read(len(self.requests), incoming.method, incoming.raw_path)
        request.content_type = incoming.content_type
        request.agent = incoming.headers.get("User-Agent", "")
        request.body = await incoming.read()
        self.requests.append(request)
        for fault in [each for each in self._faults if each.meets(request)]:
            if fault.hang_up:
                return _hung_up(incoming)
            if fault.status:
                request.status = fault.status
                headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
                return web.json_response(_status(fault.status), status=fault.status, headers=headers)
            await asyncio.sleep(fault.delay)
        if self._hold and not await self._hold.admits(request, "before"):
            return _hung_up(incoming)
        try:
            return await self._pass_on(session, incoming, request)
        except (aiohttp.ClientError, ConnectionError):
            # One side is gone: the other one is to see that, too.
            return _hung_up(incoming)

    async def _pass_on(
        self, session: aiohttp.ClientSession, incoming: web.Request, request: requests_seen.Request
    ) -> web.StreamResponse:
        headers = {key: value for key, value in incoming.headers.items() if key.lower() not in _NOT_PASSED_ON}
        url = yarl.URL(f"{self._upstream}{incoming.raw_path}", encoded=True)
        body = request.body or None
        async with session.request(request.method, url, headers=headers, data=body, allow_redirects=False) as upstream:
            request.status = upstream.status
            kept = {key: value for key, value in upstream.headers.items() if key.lower() not in _NOT_PASSED_ON}
            if request.verb == "watch":
                return await self._pass_events_on(
                    incoming, request, upstream, web.StreamResponse(status=upstream.status, headers=kept)
                )
            answer = await upstream.read()
        if request.writes and upstream.ok:
            for callback in self.after_write:
                await asyncio.to_thread(callback, request)
        if self._hold and not await self._hold.admits(request, "after"):
            return _hung_up(incoming)
        return web.Response(status=upstream.status, headers=kept, body=answer)

    async def _pass_events_on(
        self,
        incoming: web.Request,
        request: requests_seen.Request,
        upstream: aiohttp.ClientResponse,
        response: web.StreamResponse,
    ) -> web.StreamResponse:
        await response.prepare(incoming)
        watch = _Watch(request)
        self._watches.add(watch)
        copying = asyncio.create_task(_copy(upstream, response))
        ending = asyncio.create_task(watch.ended.wait())
        try:
            await asyncio.wait({copying, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not watch.ended.is_set():
                await copying
            elif watch.farewell:
                copying.cancel()
                await response.write(watch.farewell)
            else:
                return _hung_up(incoming, response)
            await response.write_eof()
        finally:
            self._watches.discard(watch)
            for task in (copying, ending):
                task.cancel()
            await asyncio.wait({copying, ending})
        return response

    async def _end_watches(self, where: faults.Where, farewell: bytes) -> int:
        met = [watch for watch in self._watches if where(watch.request)]
        for watch in met:
            watch.farewell = farewell
            watch.ended.set()
        return len(met)


async def _copy(upstream: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
    async for chunk in upstream.content.iter_any():
        await response.write(chunk)


def _hung_up(incoming: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    if incoming.transport:
        incoming.transport.abort()
    # Nobody gets it: the connection is gone.
    return response or web.Response(status=502)


def _status(code: int) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": _REASONS.get(code, ""),
        "message": f"the fault proxy answers {code}",
    }


@contextlib.contextmanager
def running(plane: control_plane.ControlPlane) -> Iterator[FaultProxy]:
    """A proxy before a control plane's API server, for the length of a block."""
    proxy = FaultProxy(plane)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
