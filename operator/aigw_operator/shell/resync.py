"""Lists everything: at the start, and again every few minutes to repair what the watches missed. It decides nothing."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from aigw_operator.core import capabilities, model
from aigw_operator.shell import errors, kinds, workqueue
from aigw_operator.shell.kinds import Scope
from aigw_operator.shell.kube import Cluster
from aigw_operator.shell.store import Changed, Store
from aigw_operator.shell.telemetry import Telemetry
from aigw_operator.shell.watchdog import Watchdog

logger = logging.getLogger(__name__)

# Resyncs that are missed before a probe says so: one may fail, and the next be slow.
_MISSED: Final = 3

# How long after a watch has begun anew the next list comes (seconds): until kopf has shown what it found.
_AFTER_NEW_WATCH: Final = 2.0

# Before the first list nothing works, so it is tried again sooner than other work.
_LONGEST_WAIT: Final = 30.0


class Resync:
    """Keeps the store true by lists. `clock` is that of the ages, in seconds."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        *,
        period: float,
        telemetry: Telemetry,
        watchdog: Watchdog,
        namespaces: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._period = period
        self._telemetry = telemetry
        self._watchdog = watchdog
        self._namespaces = namespaces
        self._clock = clock
        self._last = clock()
        self._asked = asyncio.Event()
        self.complete = False
        """whether every kind has been listed once"""

    def dead(self) -> str:
        """Why lists no longer repair anything, "" while they do."""
        age = self._clock() - self._last
        return f"the last resync is {age:.0f} s old" if age > _MISSED * self._period else ""

    async def sync(self) -> None:
        """List every kind once. Raises `errors.KubeError`; what was listed until then stays."""
        for name in capabilities.DEFINITIONS:
            listing = await self._cluster.list(
                model.DEFINITION, "apiextensions.k8s.io/v1", fields=f"metadata.name={name}"
            )
            self._store.define(name, listing.items[0] if listing.items else None)
        for scope in kinds.WATCHED:
            changes = await self._list(scope)
            if self.complete and changes:
                self._telemetry.repairs.labels(scope.kind.kind).inc(len(changes))
                self._watchdog.expect(scope.kind, changes)
        for scope in kinds.LISTED:
            await self._list(scope)
        self.complete = True
        self._last = self._clock()
        self._telemetry.last_resync.set_to_current_time()

    async def sync_until_done(self) -> None:
        """The first list, tried until it succeeds."""
        failures = 0
        while True:
            try:
                await self.sync()
            except errors.KubeError as error:
                failures += 1
                wait = min(_LONGEST_WAIT, max(workqueue.backoff(failures, 0.0), error.retry_after or 0.0))
                logger.warning("the cluster cannot be listed", extra={"error": str(error), "retry_in": wait})
                await asyncio.sleep(wait)
            else:
                return

    def ask(self) -> None:
        """A watch has begun anew: what was deleted before it did, and after the last list, nobody has told us of."""
        self._asked.set()

    async def run(self, enqueue_everything: Callable[[], None]) -> None:
        """Resync for ever: in each period, and soon after a watch has begun anew."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._period)
                await asyncio.sleep(_AFTER_NEW_WATCH)
            self._asked.clear()
            await self.sync_until_done()
            enqueue_everything()

    async def _list(self, scope: Scope) -> list[Changed]:
        api_version = kinds.api_version(scope.kind, self._store.capabilities)
        mark = self._store.mark()
        items: list[dict[str, Any]] = []
        # Rules for some namespaces cannot grant a list of all.
        namespaces = self._namespaces if scope.kind.namespaced and self._namespaces else ("",)
        for namespace in namespaces if api_version else ():
            try:
                listing = await self._cluster.list(scope.kind, api_version, namespace=namespace, labels=scope.labels)
            except errors.NotFoundError:
                # The kind is not installed, or no longer.
                continue
            items += listing.items
        return self._store.replace(scope.kind, items, mark)
