"""Brings both sides of the reconciliation together every five seconds. What is complete is decided in the core.

All but `observe_forever` is called by one thread, that of the event loop.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final

from aigw_receiver.core import completeness
from aigw_receiver.core.exposition import Format
from aigw_receiver.core.reconciliation import Comparison, Gateway, Reconciliation
from aigw_receiver.core.request_usage import RequestUsage
from aigw_receiver.shell.ingest import Ingest

# More often would find nothing sooner: what is compared is two seconds old at least, and metrics come each ten or so.
_PERIOD: Final = 5.0


class Reconcile:
    """The gateways' metrics beside their access logs. It begins when it is first told to `observe`."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._usage = RequestUsage()
        self._reconciliation = Reconciliation()
        self._since = 0
        self._comparisons: list[Comparison] | None = None
        """what was found since the last look, once somebody has asked"""
        self._measured: dict[Gateway, float] | None = None
        """the same of whole gateways"""

    def observe(self, now: int) -> None:
        """Take in what both sides have counted until now."""
        self._since = self._since or now
        with self._ingest.lock:
            logs = self._ingest.logs
            logs.settle(now)
            logs.publish(now)
            usage = self._usage.read(self._ingest.store, now)
            self._reconciliation.observe(usage, logs.logged, now)
        self._comparisons = self._measured = None

    def _compare(self) -> list[Comparison]:
        if self._comparisons is None:
            self._comparisons = self._reconciliation.compare()
        return self._comparisons

    def render(self, text_format: Format) -> Iterator[bytes]:
        """The families of completeness, in pieces."""
        return completeness.render(self._compare(), text_format)

    def measured(self) -> dict[Gateway, float]:
        """By gateway, of the requests that access logs show, the share that metrics have counted."""
        if self._measured is None:
            self._measured = completeness.measured_by_gateway(self._compare())
        return self._measured

    def document(self, now: int) -> dict[str, Any]:
        """The answer of the API."""
        window = self._reconciliation.window
        return completeness.as_document(self._compare(), since=self._since, window=window, now=now)


async def observe_forever(reconcile: Reconcile) -> None:
    """Compare until cancelled."""
    while True:
        await asyncio.sleep(_PERIOD)
        reconcile.observe(time.time_ns())
