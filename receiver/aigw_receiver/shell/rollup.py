"""Takes a reading of the running totals every ten seconds. What they are is decided in `core/rollup`."""

import asyncio
import threading
import time
from typing import Final

from aigw_receiver.core.rollup import thinning
from aigw_receiver.core.rollup.reading import Reading
from aigw_receiver.core.sources import SECOND, Source
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.rollup_store import RollupStore

# Seconds between two readings; those of `observe_forever` are at whole multiples, where charts have their steps.
PERIOD: Final = thinning.FINEST // SECOND

# A timer may be early by a little.
_EARLY: Final = SECOND // 2


class Rollup:
    """Reads the store of an intake again and again. It begins when it is first told to `observe`."""

    def __init__(self, ingest: Ingest, costs: Costs, store: RollupStore) -> None:
        self._ingest = ingest
        self._costs = costs
        self._store = store
        self._turn = threading.Lock()
        self._reading = Reading(store.known, costs.series)
        self._reading.restore(store.restored(), store.latest())
        with ingest.lock:
            ingest.store.before_forget = self._retire

    def _retire(self, source: Source) -> None:
        self._reading.retire(self._ingest.store, source.number)

    def observe(self, now: int) -> None:
        """Take a reading and write it, by any thread; the lock of the store is held for the reading only."""
        with self._turn:
            is_all = self._store.needs_all(now)
            with self._ingest.lock:
                self._costs.observe(now)
                step = self._reading.step(self._ingest.store, now, everything=is_all)
            self._store.write(now, step.changed.tolist(), step.totals, is_all=is_all)
            if self._store.is_due(now):
                self._store.thin(now)
                with self._ingest.lock:
                    self._store.forget(self._reading.forget(self._store.since()))


async def observe_forever(rollup: Rollup) -> None:
    """Take readings until cancelled."""
    period = PERIOD * SECOND
    while True:
        await asyncio.sleep((period - time.time_ns() % period) / SECOND)
        await asyncio.to_thread(rollup.observe, (time.time_ns() + _EARLY) // period * period)
