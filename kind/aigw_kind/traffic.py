"""`kind/traffic`: a fixed mix of requests to every pod of the Gateways, and a ledger of them.

Each round sends each pod one request of every kind and one MCP session, so that every number is known beforehand. It
looks at no metric; what it writes down is what its clients were answered.
"""

import argparse
import contextlib
import http.client
import json
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aigw_kind import kube, series
from aigw_kind.ledger import Called, Ledger, Sent

GATEWAYS: Final = ("aigw-demo/gw", "aigw-delta/gw")
RECEIVER: Final = "aigw-telemetry/default"
_SECONDS: Final = 30.0
_ABORT_SECONDS: Final = 0.4
_SETTLE_SECONDS: Final = 120.0
_EVENT: Final = b"data: {"
_PROTOCOL: Final = "2025-06-18"
_SESSION: Final = "mcp-session-id"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request: the model decides how the provider answers."""

    model: str
    prompt: int = 31
    completion: int = 3
    stream: bool = False
    abort: bool = False


KINDS: Final = (
    Kind("gpt-5-nano", 1000, 200),
    Kind("gpt-5-nano", 700, 300, stream=True),
    Kind("small"),
    Kind("big", 12_000, 50),
    Kind("nonexistent-model"),
    Kind("broken"),
    Kind("longstream", stream=True, abort=True),
    # Its route leads to a port where nobody listens.
    Kind("unreachable"),
)
# method, and the tool of a call; the second one is a tool that the server does not have
CALLS: Final = (
    ("tools/list", ""),
    ("tools/call", "everything__echo"),
    ("tools/call", "everything__nonexistent_tool"),
)


class Client:
    """One pod, as its clients see it: it writes down every answer."""

    def __init__(self, ledger: Ledger, gateway: str, pod: str, port: int) -> None:
        self._ledger = ledger
        self._gateway = gateway
        self._pod = pod
        self._port = port

    def play(self) -> None:
        """One round."""
        for kind in KINDS:
            self._ask(kind)
        self._hold_session()

    def _ask(self, kind: Kind) -> None:
        wish = {"prompt_tokens": str(kind.prompt), "completion_tokens": str(kind.completion)}
        body: dict[str, Any] = {
            "model": kind.model,
            "messages": [{"role": "user", "content": "hello"}],
            "metadata": wish,
        }
        if kind.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        began = time.monotonic()
        try:
            with self._posted("/v1/chat/completions", body, {}) as response:
                usage = self._leave(response) if kind.abort else _read_usage(response)
                status = response.status
        except (OSError, http.client.HTTPException):
            self._ledger.unanswered += 1
            return
        sent = Sent(
            self._gateway,
            self._pod,
            kind.model,
            status,
            kind.stream,
            kind.abort,
            usage.get("prompt_tokens", 0),
            usage.get("completion_tokens", 0),
            (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
            (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0),
            time.monotonic() - began,
        )
        self._ledger.sent.append(sent)

    def _leave(self, response: http.client.HTTPResponse) -> dict[str, Any]:
        """Read the beginning of a stream, and go away while it still runs."""
        response.read1(1)
        time.sleep(_ABORT_SECONDS)
        return {}

    def _hold_session(self) -> None:
        start = {
            "protocolVersion": _PROTOCOL,
            "capabilities": {},
            "clientInfo": {"name": "traffic", "version": "1"},
        }
        session = self._call("initialize", start, 0, "")
        self._call("notifications/initialized", {}, None, session)
        for number, (method, tool) in enumerate(CALLS, start=1):
            arguments = {"message": "hello"} if tool.endswith("echo") else {}
            self._call(method, {"name": tool, "arguments": arguments} if tool else {}, number, session)

    def _call(self, method: str, params: Mapping[str, Any], number: int | None, session: str) -> str:
        """Send one message; the session that the answer names."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
        headers = {"Accept": "application/json, text/event-stream", **({_SESSION: session} if session else {})}
        began = time.monotonic()
        try:
            with self._posted("/mcp", message, headers) as response:
                text, status = response.read().decode(), response.status
                session = response.headers.get(_SESSION, session)
        except (OSError, http.client.HTTPException):
            self._ledger.unanswered += 1
            return session
        answer = _parse_answer(text)
        failed = "error" in answer or bool((answer.get("result") or {}).get("isError"))
        seconds = time.monotonic() - began
        self._ledger.called.append(
            Called(self._gateway, self._pod, method, str(params.get("name", "")), status, failed, seconds)
        )
        return session

    @contextlib.contextmanager
    def _posted(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_SECONDS)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
            yield connection.getresponse()
        finally:
            connection.close()


def _read_usage(response: http.client.HTTPResponse) -> dict[str, Any]:
    """The usage that a whole answer, or the last event of a stream, tells of."""
    usage: dict[str, Any] = {}
    text = response.read()
    lines = [line[len(_EVENT) - 1 :] for line in text.splitlines() if line.startswith(_EVENT)] or [text]
    for line in lines:
        with contextlib.suppress(ValueError):
            answer = json.loads(line)
            usage = (answer.get("usage") if isinstance(answer, dict) else None) or usage
    return usage


def _parse_answer(text: str) -> dict[str, Any]:
    """The answer of an MCP server, as JSON or as an event."""
    lines = [line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith("data:")] or [text]
    for line in lines:
        with contextlib.suppress(ValueError):
            answer = json.loads(line)
            if isinstance(answer, dict):
                return answer
    return {}


def send(ledger: Ledger, *, rounds: int, seconds: float) -> None:
    """Play to all pods at once: so many rounds, and until so many seconds are over."""
    until = time.monotonic() + seconds

    def play(client: Client) -> None:
        played = 0
        while played < rounds or time.monotonic() < until:
            client.play()
            played += 1

    with contextlib.ExitStack() as ways:
        clients = []
        for gateway in ledger.pods:
            port = kube.listener_port(gateway)
            for pod, namespace in kube.gateway_pods(gateway).items():
                local = ways.enter_context(kube.forwarded(namespace, pod, port))
                clients.append(Client(ledger, gateway, pod, local))
        threads = [threading.Thread(target=play, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _settled(receiver: kube.Receiver) -> str:
    """The exposition, once nothing of earlier is still to come: it has not changed for an export and more."""
    until = time.monotonic() + _SETTLE_SECONDS
    interval = kube.longest_interval()
    while True:
        earlier = receiver.metrics()
        time.sleep(interval + 1.0)
        later = receiver.metrics()
        if _counts(earlier) == _counts(later):
            return later
        if time.monotonic() > until:
            message = "the receiver's numbers go on growing: the Gateways serve others than us"
            raise kube.KubeError(message)


def _counts(exposition: str) -> list[series.Sample]:
    return [sample for sample in series.parse(exposition) if sample.name.endswith(("_total", "_count", "_sum"))]


def begin(receiver: str, gateways: tuple[str, ...]) -> Ledger:
    """A ledger with what is known before the first request."""
    asked = kube.Receiver(receiver)
    before = _settled(asked)
    ledger = Ledger(receiver, asked.now(), before, delta=kube.delta_gateways())
    for gateway in gateways:
        ledger.pods[gateway] = sorted(kube.gateway_pods(gateway))
        if not ledger.pods[gateway]:
            message = f"Gateway {gateway} has no Envoy pod that is ready"
            raise kube.KubeError(message)
    known = {pod for pods in ledger.pods.values() for pod in pods}
    for source in asked.sources():
        if source["ended"] and source["gateway_pod"] in known:
            message = f"{source['gateway_pod']} has sent nothing for a while, and its numbers are not shown"
            raise kube.KubeError(message)
    return ledger


def main() -> int:
    """Send, and write the ledger."""
    parser = argparse.ArgumentParser(prog="kind/traffic", description=__doc__)
    parser.add_argument("--ledger", type=Path, default=Path("ledger.json"), help="where to write (ledger.json)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of requests to each pod, at least (3)")
    parser.add_argument("--seconds", type=float, default=0.0, help="go on for so long, at least")
    parser.add_argument("--gateway", action="append", help=f"NAMESPACE/NAME; may be repeated ({', '.join(GATEWAYS)})")
    parser.add_argument("--receiver", default=RECEIVER, help=f"NAMESPACE/NAME ({RECEIVER})")
    chosen = parser.parse_args()
    try:
        ledger = begin(chosen.receiver, tuple(chosen.gateway or GATEWAYS))
        # Whoever waits for the first request reads this line.
        sys.stdout.write(f"sending to {', '.join(ledger.pods)}\n")
        sys.stdout.flush()
        send(ledger, rounds=chosen.rounds, seconds=chosen.seconds)
    except kube.KubeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    ledger.write(chosen.ledger)
    counts = f"{len(ledger.sent)} requests and {len(ledger.called)} MCP messages"
    sys.stdout.write(f"sent {counts} to {sum(map(len, ledger.pods.values()))} pods; {chosen.ledger}\n")
    if ledger.unanswered:
        sys.stdout.write(f"{ledger.unanswered} were not answered\n")
    return 1 if ledger.unanswered else 0


if __name__ == "__main__":
    sys.exit(main())
