"""One run of the demo: start everything, let the traffic flow, stop it, show what the operator does, and compare.

It must not know how a gateway is made: the stand-in and the real one have the same face.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Final, Protocol

import aiohttp

from aigw_demo import aigw, browser, log_summary, page_summary
from aigw_demo.account import Account, open_account
from aigw_demo.kept import KeptLogs
from aigw_demo.prometheus import OK, Prometheus, render_rules
from aigw_demo.receiver import DEFAULT_PORTS, POLL_SECONDS, Addresses, StartError
from aigw_demo.series import SeriesMap, parse_exposition, select_log_counters, select_recorded, sum_counters
from aigw_demo.stage import Stage, set_stage
from aigw_demo.standin import start_standins
from aigw_demo.summary import build_summary
from aigw_demo.table import LiveTable
from aigw_demo.traffic import Target, Traffic
from aigw_demo.wiring import build_chapter, render_manifests

STANDIN: Final = "standin"
REAL: Final = "aigw"
# Envoy holds access logs back for a second; a machine that is busy takes longer.
LOG_SECONDS: Final = 20.0


class Gateways(Protocol):
    """The gateways of a run, whatever they are."""

    @property
    def has_access_logs(self) -> bool:
        """Whether they send access logs."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where the traffic goes."""

    async def settle(self) -> SeriesMap:
        """Let the last values be exported, and tell what was recorded."""

    def describe_failures(self) -> list[str]:
        """What went wrong with the exports."""


GatewayStarter = Callable[[Addresses], AbstractAsyncContextManager[Gateways]]


async def run(gateway: str, seconds: float | None, *, browse: bool = True) -> int:
    """Run until the seconds have passed or Ctrl-C; the exit status. `browse` allows that the page is opened."""
    try:
        # Looked for before anything is started, so that the one line stands alone.
        if gateway == REAL:
            aigw.find_gateway()
        ports = aigw.RECEIVER_PORTS if gateway == REAL else DEFAULT_PORTS
        starter: GatewayStarter = aigw.start_gateway if gateway == REAL else start_standins
        async with set_stage(ports) as stage:
            print("\n".join(stage.head), flush=True)
            addresses = stage.receiver.addresses
            async with starter(addresses) as gateways:
                show_page(addresses, seconds, browse=browse)
                return await watch(stage, gateways, seconds)
    except StartError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def show_page(addresses: Addresses, seconds: float | None, *, browse: bool) -> None:
    """Open the page in a browser, where somebody wants to see it."""
    terminal = sys.stdout.isatty()
    if browser.wants_browser(os.environ, asked=browse, terminal=terminal, seconds=seconds) and browser.has_browser(
        os.environ
    ):
        browser.open_page(f"{addresses.http}/")


async def watch(stage: Stage, gateways: Gateways, seconds: float | None) -> int:
    """Traffic and table for a while, then the chapter on the operator and the summary."""
    receiver = stage.receiver
    account = open_account()
    traffic = Traffic(gateways.targets, account)
    with contextlib.closing(KeptLogs(receiver.kept)) as kept:
        async with catch_signals() as asked_to_stop, asyncio.TaskGroup() as group:
            table = group.create_task(LiveTable(receiver.addresses, kept, stage.head).run())
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
        # At once: what a pod has counted leaves the scrapes when it has been silent for long.
        recorded, series = await settle_metrics(receiver.addresses, gateways)
        print("\n".join(["", *build_chapter(await render_manifests())]), flush=True)
        equal = print_totals(gateways, recorded, series)
        cost = sum(account.cost.values(), Decimal(0)) if gateways.has_access_logs else None
        equal = await print_page(receiver.addresses, recorded, cost) and equal
        if stage.prometheus is not None:
            equal = await print_rules(stage.prometheus) and equal
        if gateways.has_access_logs:
            counted = await settle_access_logs(receiver.addresses, account, kept)
            checks = log_summary.build_checks(account, kept, series | counted)
            print("\n".join(["", *log_summary.render_checks(checks)]), flush=True)
            equal = equal and all(check.passed for check in checks)
    return 0 if equal else 1


async def settle_metrics(addresses: Addresses, gateways: Gateways) -> tuple[SeriesMap, SeriesMap]:
    """What the gateways recorded, and the receiver's series once it has all of it."""
    recorded = await gateways.settle()
    return recorded, parse_exposition(await addresses.scrape())


async def settle_access_logs(addresses: Addresses, account: Account, kept: KeptLogs) -> SeriesMap:
    """Wait until there are as many access logs as there must be, and kept ones, or until patience is at its end.

    Answers what the receiver counted of them.
    """
    deadline = asyncio.get_running_loop().time() + LOG_SECONDS
    while True:
        counted = select_log_counters(parse_exposition(await addresses.scrape()))
        kept.read()
        settled = sum_counters(counted, log_summary.RECORDS) >= account.records and account.kept.holds(kept.count)
        if settled or asyncio.get_running_loop().time() > deadline:
            return counted
        await asyncio.sleep(POLL_SECONDS)


def print_totals(gateways: Gateways, recorded: SeriesMap, series: SeriesMap) -> bool:
    """Print both totals of the metrics and the verdict; whether all is well."""
    summary = build_summary(recorded, select_recorded(series))
    print("\n".join(["", *gateways.describe_failures(), *summary.lines]), flush=True)
    return summary.equal


async def print_page(addresses: Addresses, recorded: SeriesMap, cost: Decimal | None) -> bool:
    """Print what the page shows beside what was recorded; whether all is well."""
    try:
        found = await page_summary.settle_page(addresses, recorded, cost)
    except (aiohttp.ClientError, TimeoutError) as error:
        print(f"\nthe page's API does not answer: {error}", flush=True)
        return False
    if found:
        print("\n".join(["", *page_summary.render_checks(found)]), flush=True)
    return all(check.passed for check in found)


async def print_rules(prometheus: Prometheus) -> bool:
    """Print how its rules were evaluated; whether none failed. One that does not answer any more is only a line."""
    try:
        rules = await prometheus.settle_rules()
    except (aiohttp.ClientError, TimeoutError) as error:
        print(f"\nPrometheus does not answer: {error}", flush=True)
        return True
    print("\n".join(["", *render_rules(rules)]), flush=True)
    return all(rule.health == OK for rule in rules)


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
