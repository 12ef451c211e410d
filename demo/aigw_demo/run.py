"""One run of the demo: start everything, let the traffic flow, stop it, show what the operator does, and compare.

It must not know how a gateway is made: the stand-in and the real one have the same face.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from aigw_demo import aigw
from aigw_demo.receiver import DEFAULT_PORTS, Addresses, Receiver, StartError, start_receiver
from aigw_demo.series import SeriesMap, parse_exposition
from aigw_demo.standin import start_standins
from aigw_demo.summary import build_summary
from aigw_demo.table import LiveTable, render_addresses
from aigw_demo.traffic import Target, Traffic
from aigw_demo.wiring import build_chapter, render_manifests

STANDIN: Final = "standin"
REAL: Final = "aigw"


class Gateways(Protocol):
    """The gateways of a run, whatever they are."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where the traffic goes."""

    async def settle(self) -> SeriesMap:
        """Let the last values be exported, and tell what was recorded."""

    def describe_failures(self) -> list[str]:
        """What went wrong with the exports."""


GatewayStarter = Callable[[Addresses], AbstractAsyncContextManager[Gateways]]


async def run(gateway: str, seconds: float | None) -> int:
    """Run until the seconds have passed or Ctrl-C; the exit status."""
    try:
        # Looked for before anything is started, so that the one line stands alone.
        if gateway == REAL:
            aigw.find_gateway()
        ports = aigw.RECEIVER_PORTS if gateway == REAL else DEFAULT_PORTS
        starter: GatewayStarter = aigw.start_gateway if gateway == REAL else start_standins
        async with start_receiver(ports) as receiver:
            print("\n".join(render_addresses(receiver.addresses)), flush=True)
            async with starter(receiver.addresses) as gateways:
                return await watch(receiver, gateways, seconds)
    except StartError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


async def watch(receiver: Receiver, gateways: Gateways, seconds: float | None) -> int:
    """Traffic and table for a while, then the chapter on the operator and the summary."""
    traffic = Traffic(gateways.targets)
    async with catch_signals() as asked_to_stop, asyncio.TaskGroup() as group:
        table = group.create_task(LiveTable(receiver.addresses).run())
        flowing = group.create_task(traffic.run())
        receiver_ended = group.create_task(receiver.process.wait())
        stop = group.create_task(asked_to_stop.wait())
        await asyncio.wait({stop, receiver_ended}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        traffic.stop()
        await flowing
        for task in (table, stop, receiver_ended):
            task.cancel()
    if receiver.process.returncode is not None:
        message = f"the receiver ended with status {receiver.process.returncode}"
        raise StartError(message)
    print("\n".join(["", *build_chapter(await render_manifests())]), flush=True)
    return await compare(receiver.addresses, gateways)


async def compare(addresses: Addresses, gateways: Gateways) -> int:
    """Print both totals and the verdict; the exit status."""
    recorded = await gateways.settle()
    summary = build_summary(recorded, parse_exposition(await addresses.scrape()))
    print("\n".join(["", *gateways.describe_failures(), *summary.lines]), flush=True)
    return 0 if summary.equal else 1


@contextlib.asynccontextmanager
async def catch_signals() -> AsyncIterator[asyncio.Event]:
    """An event that Ctrl-C or SIGTERM sets; a second one ends the program as usual."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        event.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield event
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
