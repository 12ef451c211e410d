"""A receiver with known traffic: the demo's clients, stand-ins and real Envoys, for a short time.

All of it stays up until the end of the block, so that a test can send one request more. It asserts nothing.
"""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp

import receiver_program
from aigw_demo import standin
from aigw_demo.account import PRICES, SLOW_SECONDS, Account
from aigw_demo.fleet import PODS
from aigw_demo.log_summary import RECORDS
from aigw_demo.series import SeriesMap, parse_exposition, sum_counters
from aigw_demo.traffic import Kind, Target, Traffic, build_request
from aigw_demo.wiring import render_access_logs
from web import truth

# Each client sends every kind of request at once, and the slowest takes two seconds and a half.
TRAFFIC_SECONDS: Final = 4.0
_START_SECONDS: Final = 90.0
# The receiver sums every ten seconds what the pods have exported, every two.
_SETTLE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2
# One that fails is kept.
FAILING: Final = Kind("missing", 1)
# The rules and prices of the demo; and no pod ends as long as the tests last.
CONFIG: Final[dict[str, Any]] = {
    "access_logs": {"stdout": False, "rules": {"slow": {"llm": f"{SLOW_SECONDS:.0f}s"}}},
    "expiry": {"minimum_interval": "600s"},
    "prices": {"file": str(PRICES)},
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Running:
    """What the thread of the traffic has started."""

    pods: list[standin.RunningPod]
    traffic: Traffic
    stop: asyncio.Event


class Site:
    """A receiver, and what was sent to it."""

    def __init__(self, receiver: receiver_program.Receiver, running: _Running, loop: asyncio.AbstractEventLoop) -> None:
        self.receiver = receiver
        self.address = receiver.http
        self._running = running
        self._loop = loop

    @property
    def account(self) -> Account:
        """What the clients know of what they sent."""
        return self._running.traffic.account

    def recorded(self) -> SeriesMap:
        """What the gateways recorded, by their own ledgers."""
        series: SeriesMap = {}
        for pod in self._running.pods:
            series |= pod.telemetry.ledger.series()
        return series

    def send_failing_request(self, namespace: str, gateway: str) -> None:
        """Send one more request through the Envoy of a gateway; the provider answers 404, so it is kept."""
        address = next(
            pod.address
            for pod in self._running.pods
            if (pod.telemetry.pod.namespace, pod.telemetry.pod.gateway) == (namespace, gateway)
        )
        asyncio.run_coroutine_threadsafe(_send(address, self.account), self._loop).result(_START_SECONDS)

    def read(self, path: str) -> Any:
        """The JSON that the receiver answers."""
        return json.loads(receiver_program.fetch(self.address + path))

    def last_export(self, name: str) -> float:
        """When the receiver last heard metrics of a gateway."""
        return float(
            next(each["last_export"] for each in self.read("/api/gateways")["gateways"] if each["name"] == name)
        )

    def wait_for_export(self, name: str) -> None:
        """Return once it has heard metrics of a gateway again."""
        before, deadline = self.last_export(name), time.monotonic() + _SETTLE_SECONDS
        while self.last_export(name) == before:
            if time.monotonic() > deadline:
                message = f"{name} has not exported for {_SETTLE_SECONDS} s"
                raise AssertionError(message)
            time.sleep(_POLL_SECONDS)

    def settle(self) -> SeriesMap:
        """Wait until the receiver shows all that was recorded and logged; answers what was recorded."""
        recorded = self.recorded()
        wanted = {name: truth.totals(recorded, namespace, name) for namespace, name in truth.GATEWAYS}
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            shown = {each["name"]: truth.flatten(each["totals"]) for each in self.read("/api/gateways")["gateways"]}
            logged = sum_counters(parse_exposition(self.receiver.scrape()), RECORDS)
            differences = [
                f"{name}: {field}: {number} was recorded, {shown.get(name, {}).get(field)} is shown"
                for name, numbers in wanted.items()
                for field, number in numbers.items()
                if not truth.equal(number, shown.get(name, {}).get(field))
            ]
            if logged != self.account.records:
                differences.append(f"access logs: {self.account.records} were sent, {logged} counted")
            if not differences:
                return recorded
            if time.monotonic() > deadline:
                raise AssertionError("; ".join(differences))
            time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def start_site(data_dir: Path, seconds: float = TRAFFIC_SECONDS) -> Iterator[Site]:
    """A receiver that has had its traffic."""
    with receiver_program.start_receiver(config=CONFIG, data_dir=data_dir) as receiver:
        ready: concurrent.futures.Future[tuple[_Running, asyncio.AbstractEventLoop]] = concurrent.futures.Future()
        thread = threading.Thread(target=_run, args=(receiver, seconds, ready), name="traffic")
        thread.start()
        try:
            running, loop = ready.result(_START_SECONDS)
            try:
                yield Site(receiver, running, loop)
            finally:
                loop.call_soon_threadsafe(running.stop.set)
        finally:
            thread.join(_START_SECONDS)


def _run(receiver: receiver_program.Receiver, seconds: float, ready: "concurrent.futures.Future[Any]") -> None:
    """The thread of the traffic; whoever waits is told of a failure."""
    try:
        asyncio.run(_drive(receiver, seconds, ready))
    except BaseException as error:
        if ready.done():
            raise
        ready.set_exception(error)


async def _drive(receiver: receiver_program.Receiver, seconds: float, ready: "concurrent.futures.Future[Any]") -> None:
    """Start all pods, let the traffic flow for a while, and stay up until it is told to end."""
    settings = await render_access_logs({(pod.namespace, pod.gateway) for pod in PODS})
    async with standin.serve_provider() as provider, contextlib.AsyncExitStack() as servers:
        pods = [
            await standin.start_pod(servers, pod, settings[pod.namespace, pod.gateway], receiver.grpc, provider)
            for pod in PODS
        ]
        targets = tuple(
            Target(tuple(pod.address for pod in pods if pod.telemetry.pod.gateway == gateway), kinds)
            for gateway, kinds in standin.MIXES.items()
        )
        running = _Running(pods, Traffic(targets), asyncio.Event())
        flowing = asyncio.create_task(running.traffic.run())
        await asyncio.wait({flowing}, timeout=seconds)
        running.traffic.stop()
        await flowing
        ready.set_result((running, asyncio.get_running_loop()))
        await running.stop.wait()
        await asyncio.gather(*(asyncio.to_thread(pod.telemetry.close) for pod in pods))


async def _send(address: str, account: Account) -> None:
    """One request that fails."""
    path, body, usage = build_request(FAILING, random.Random(1))
    async with aiohttp.ClientSession() as session, session.post(address + path, json=body) as response:
        await response.read()
    account.add_llm(FAILING.model, response.status, usage, 0.0, slow=False, aborted=False)
