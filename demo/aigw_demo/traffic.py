"""The clients: a seeded, steady mix of requests to each gateway, good and bad ones.

Each gateway has a few clients that work one request after the other. A client aborts only what the mix says it aborts;
when the traffic stops, requests under way are finished. What was sent is told to the account. It must not look at any
metric.
"""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Final

import aiohttp

from aigw_demo.account import Account, Usage, open_account
from aigw_demo.llm_standin import CACHE_BLOCK, MODELS
from aigw_demo.mcp_standin import PROTOCOL_VERSION, SESSION_HEADER

Json = dict[str, object]

SEED: Final = 2026
CLIENTS_PER_GATEWAY: Final = 4
PAUSE_SECONDS: Final = (0.02, 0.15)
# Long enough for the first piece to have passed, and far from the end of the long stream.
ABORT_AFTER_SECONDS: Final = 0.4
REQUEST_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
# What a request without an answer raises; the client's own patience at its end is no ClientError.
BROKEN: Final = (aiohttp.ClientError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request of the mix: the model it asks for, how it asks, and how often it comes."""

    model: str
    weight: int
    stream: bool = False
    abort: bool = False
    slow: bool = False
    prompt: tuple[int, int] = (20, 400)
    completion: tuple[int, int] = (1, 60)


EMBEDDINGS_MODEL: Final = "text-embedding-3-small"
UNROUTED_PATH: Final = "/v1/unknown"

# The first gateway serves customers, the second one works on large prompts; together they show every outcome.
STOREFRONT: Final = (
    Kind("gpt-5-nano", 10, prompt=(150, 4000), completion=(50, 900)),
    Kind("gpt-5-nano", 8, stream=True, prompt=(150, 4000), completion=(50, 900)),
    Kind("small", 10),
    Kind(EMBEDDINGS_MODEL, 5, prompt=(4, 60)),
    Kind("longstream", 2, stream=True, abort=True),
    Kind("limited", 2),
    Kind("missing", 1),
)
RESEARCH: Final = (
    Kind("gpt-5-nano", 6, prompt=(2000, 9000), completion=(300, 2000)),
    Kind("gpt-5-nano", 6, stream=True, prompt=(2000, 9000), completion=(300, 2000)),
    Kind("big", 6, prompt=(50_000, 200_000)),
    Kind("slow", 1, slow=True, prompt=(500, 3000), completion=(200, 800)),
    Kind("longstream", 1, stream=True, abort=True),
    Kind("broken", 2),
)

# A token as the gateway hands it to its clients: the server's own token, its type, and the server's name.
PROGRESS_TOKEN: Final = "1__i__everything"

# The server answers a call of this tool with 400.
REFUSED_TOOL: Final = "search__refuse"

# The calls of one MCP session: method, and the tool where it is a call. "nothing" is a tool that no server has.
MCP_CALLS: Final = (
    ("tools/list", ""),
    ("tools/call", "everything__echo"),
    ("tools/call", "search__find"),
    ("prompts/list", ""),
    ("tools/call", "everything__fail"),
    ("resources/list", ""),
    ("notifications/progress", ""),
    ("tools/call", "search__timeout"),
    ("tools/call", "everything__nothing"),
    ("tools/call", "everything__add"),
    ("tools/call", REFUSED_TOOL),
    ("ping", ""),
)


@dataclass(frozen=True, slots=True)
class Target:
    """One gateway: the addresses of its pods, the kinds of requests that it gets, and where its MCP endpoint is."""

    addresses: tuple[str, ...]
    kinds: tuple[Kind, ...]


class Traffic:
    """The clients of all gateways, until they are stopped."""

    def __init__(self, targets: tuple[Target, ...], account: Account | None = None) -> None:
        self._targets = targets
        self.account = account or open_account()
        self._stopped = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    def stop(self) -> None:
        """Send no further request; the ones that are under way are finished."""
        self._stopped.set()

    async def run(self) -> None:
        """Send requests until the traffic is stopped and the last answer has come."""
        async with aiohttp.ClientSession(timeout=REQUEST_TIMEOUT, connector=aiohttp.TCPConnector(limit=0)) as session:
            self._session = session
            async with asyncio.TaskGroup() as clients:
                for index, target in enumerate(self._targets):
                    for number in range(CLIENTS_PER_GATEWAY):
                        chance = random.Random(f"{SEED}/{index}/{number}")
                        clients.create_task(self._send_requests(target, chance))
                    clients.create_task(self._hold_mcp_sessions(target, random.Random(f"{SEED}/{index}/mcp")))

    async def _send_requests(self, target: Target, chance: random.Random) -> None:
        """One client: every kind of its gateway once, in an order of its own, and from then on by weight."""
        weights = [kind.weight for kind in target.kinds]
        for kind in chance.sample(target.kinds, len(target.kinds)):
            if self._stopped.is_set():
                return
            await self.send(chance.choice(target.addresses), kind, chance)
        while not self._stopped.is_set():
            kind = chance.choices(target.kinds, weights)[0]
            await self.send(chance.choice(target.addresses), kind, chance)
            await self._pause(chance)

    async def send(self, address: str, kind: Kind, chance: random.Random) -> None:
        """Send one request and read its answer, or leave it after a while when its kind aborts."""
        path, body, usage = build_request(kind, chance)
        started = time.perf_counter()
        try:
            async with self._client.post(address + path, json=body) as response:
                if kind.abort:
                    await response.content.readany()
                    await self._wait(ABORT_AFTER_SECONDS)
                    # Closing, unlike releasing, cuts the connection while the stream still runs.
                    response.close()
                else:
                    await response.read()
        except BROKEN:
            # What the gateway recorded of it stands in its ledger.
            self.account.add_unanswered()
            return
        seconds = time.perf_counter() - started
        self.account.add_llm(kind.model, response.status, usage, seconds, slow=kind.slow, aborted=kind.abort)

    @property
    def _client(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session

    async def _pause(self, chance: random.Random) -> None:
        await self._wait(chance.uniform(*PAUSE_SECONDS))

    async def _wait(self, seconds: float) -> None:
        """Wait, but not longer than the traffic lasts."""
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return

    async def _hold_mcp_sessions(self, target: Target, chance: random.Random) -> None:
        """One MCP client: a session after the other, and now and then a path that nothing is behind."""
        while not self._stopped.is_set():
            address = chance.choice(target.addresses)
            try:
                await self.hold_mcp_session(address, chance)
                async with self._client.post(address + UNROUTED_PATH, json={}) as response:
                    await response.read()
            except BROKEN:
                self.account.add_unanswered()
                await self._pause(chance)

    async def hold_mcp_session(self, address: str, chance: random.Random) -> None:
        """Open a session, make all its calls, and close it."""
        capabilities = {"roots": {"listChanged": True}}
        client = {"name": "demo", "version": "1"}
        start: Json = {"protocolVersion": PROTOCOL_VERSION, "capabilities": capabilities, "clientInfo": client}
        started = time.perf_counter()
        async with self._client.post(address + "/mcp", json=build_message("initialize", start, 0)) as response:
            await response.read()
            headers = {SESSION_HEADER: response.headers.get(SESSION_HEADER, "")}
        self.account.add_mcp("initialize", time.perf_counter() - started)
        await self._call(address, headers, "notifications/initialized", {}, None)
        for number, (method, tool) in enumerate(MCP_CALLS, start=1):
            if self._stopped.is_set():
                break
            notification = method.startswith("notifications/")
            params: Json = {"progressToken": PROGRESS_TOKEN, "progress": 1} if notification else {}
            if tool:
                params = {"name": tool, "arguments": {}}
            seconds = await self._call(address, headers, method, params, None if notification else number)
            self.account.add_mcp(method, seconds, refused=tool == REFUSED_TOOL)
            await self._pause(chance)
        async with self._client.delete(address + "/mcp", headers=headers) as response:
            await response.read()

    async def _call(
        self, address: str, headers: dict[str, str], method: str, params: Json, number: int | None
    ) -> float:
        """Send one message of an MCP session; the seconds until it was answered."""
        accept = {"Accept": "application/json, text/event-stream", **headers}
        started = time.perf_counter()
        async with self._client.post(
            address + "/mcp", json=build_message(method, params, number), headers=accept
        ) as response:
            await response.read()
        return time.perf_counter() - started


def build_message(method: str, params: Json, number: int | None) -> Json:
    """A JSON-RPC request, or a notification where there is no number."""
    message: Json = {"jsonrpc": "2.0", "method": method, "params": params}
    return message if number is None else {**message, "id": number}


def build_request(kind: Kind, chance: random.Random) -> tuple[str, Json, Usage]:
    """The path and body of one request, and its tokens: their numbers are drawn from the ranges of its kind."""
    prompt = chance.randint(*kind.prompt)
    if kind.model == EMBEDDINGS_MODEL:
        return "/v1/embeddings", {"model": kind.model, "input": "word " * prompt}, Usage(prompt, 0, 0)
    completion = chance.randint(*kind.completion)
    # The provider's stand-in answers with these numbers of tokens, and a real gateway passes them through.
    wish = {"prompt_tokens": str(prompt), "completion_tokens": str(completion)}
    body: Json = {"model": kind.model, "messages": [{"role": "user", "content": "hello"}], "metadata": wish}
    if kind.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    cached = prompt // CACHE_BLOCK * CACHE_BLOCK if MODELS[kind.model].details else 0
    return "/v1/chat/completions", body, Usage(prompt, cached, completion)
