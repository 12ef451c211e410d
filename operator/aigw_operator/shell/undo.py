"""Undoes all that we have done to a cluster, for an uninstall. What that takes is decided in the core."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from aigw_operator.core.actions import Action, Plan
from aigw_operator.settings import Settings
from aigw_operator.shell import errors, executor, reconciler, workqueue
from aigw_operator.shell.executor import Executor
from aigw_operator.shell.kube import Cluster
from aigw_operator.shell.planning import Planner
from aigw_operator.shell.resync import Resync
from aigw_operator.shell.store import Store
from aigw_operator.shell.telemetry import Telemetry
from aigw_operator.shell.watchdog import Watchdog

# Between two looks at a cluster that has to follow (pods that roll), unless the plan says how long to wait.
_PAUSE: Final = 1.0


class UndoError(Exception):
    """Not everything could be undone in time; the message says what is left."""


class Undo:
    """Brings a cluster back to what it was without us, step by step, each from a new list of everything."""

    def __init__(self, settings: Settings, cluster: Cluster, *, planner: Planner) -> None:
        telemetry = Telemetry()
        self._store = Store()
        self._executor = Executor(cluster, self._store, telemetry)
        self._planner = planner
        self._installation = settings.installation
        self._resync = Resync(
            self._store,
            cluster,
            period=settings.resync,
            telemetry=telemetry,
            watchdog=Watchdog(time.monotonic),
            namespaces=settings.namespaces,
        )

    async def look(self) -> Plan:
        """The steps that come next."""
        await self._resync.sync()
        return self._planner.plan_undo(self._store.snapshot(), self._installation, reconciler.read_clock())

    async def run(self, timeout: float, say: Callable[[str], None]) -> None:
        """Take step after step until none is left. Raises UndoError after `timeout` seconds."""
        step, trouble, failures = "the first look at the cluster", "", 0
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        plan = await self.look()
                        for action in plan.actions:
                            step = describe(action)
                            await self._executor.execute(action)
                            say(step)
                    except errors.KubeError as error:
                        failures, trouble = failures + 1, f": {error}"
                        await asyncio.sleep(max(workqueue.backoff(failures, 0.0), error.retry_after or 0.0))
                        continue
                    if not plan.actions and plan.recheck_after is None:
                        return
                    failures, trouble = 0, ""
                    await asyncio.sleep(_PAUSE if plan.recheck_after is None else plan.recheck_after)
        except TimeoutError as error:
            message = f"not done within {timeout:g} s; last: {step}{trouble}"
            raise UndoError(message) from error


def describe(action: Action) -> str:
    """One line about an action."""
    return f"{executor.verb_of(action)} {action.key}: {action.why}"
