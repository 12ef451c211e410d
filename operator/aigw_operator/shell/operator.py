"""The running operator: its parts put together, started in order, and stopped in order. It decides nothing."""

import asyncio
import logging
import random
import socket
import threading
import time

import kopf
from aiohttp import web

from aigw_operator.core.manifests import Templates
from aigw_operator.core.model import ObjectKey
from aigw_operator.settings import Address, Settings
from aigw_operator.shell import credentials, handlers, telemetry
from aigw_operator.shell.handlers import Intake
from aigw_operator.shell.kube import Cluster, KubeClient
from aigw_operator.shell.planning import Affected, Planner
from aigw_operator.shell.reconciler import Reconciler
from aigw_operator.shell.resync import Resync
from aigw_operator.shell.sources import SourcesPoll
from aigw_operator.shell.store import Store
from aigw_operator.shell.telemetry import Telemetry
from aigw_operator.shell.watchdog import Watchdog
from aigw_operator.shell.workqueue import WorkQueue

logger = logging.getLogger(__name__)

# Less than the pod's terminationGracePeriodSeconds (30), of which kopf takes up to 2 s before.
_DRAIN_SECONDS = 20.0


class ListenError(Exception):
    """The address for metrics and probes cannot be bound."""


class WatchError(Exception):
    """A watch cannot go on: a kind was un-installed, or kopf has a defect. A restart is what helps."""


class Operator:
    """One operator. `run` lives until a signal comes or a watch fails for good."""

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster,
        *,
        planner: Planner,
        affected: Affected,
        templates: Templates,
    ) -> None:
        self._settings = settings
        self.telemetry = Telemetry()
        self.store = Store()
        self.queue: WorkQueue[ObjectKey] = WorkQueue(self._reconcile, jitter=random.random)
        self.telemetry.queue_depth.set_function(lambda: len(self.queue))
        self._watchdog = Watchdog(time.monotonic)
        self._reconciler = Reconciler(
            self.store,
            cluster,
            planner=planner,
            affected=affected,
            installation=settings.installation,
            templates=templates,
            telemetry=self.telemetry,
            enqueue=self.queue.add,
            instance=socket.gethostname(),
        )
        self._resync = Resync(
            self.store,
            cluster,
            period=settings.resync,
            telemetry=self.telemetry,
            watchdog=self._watchdog,
            namespaces=settings.namespaces,
        )
        self._intake = Intake(
            self.store,
            affected=affected,
            enqueue=self.queue.add,
            telemetry=self.telemetry,
            watchdog=self._watchdog,
            relisted=self._resync.ask,
        )
        self._sources = SourcesPoll(
            self.store,
            installation=settings.installation,
            address=settings.receiver_address,
            enqueue=self.queue.add,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None
        self.address = settings.http
        """where metrics and probes are served; the port is known once it listens"""

    def unready(self) -> str:
        """Why the operator does not work yet, "" if it does."""
        return "" if self._resync.complete else "not every kind has been listed yet"

    def dead(self) -> str:
        """Why only a restart can help, "" if nothing is wrong."""
        ended = next((f"{task.get_name()} has ended" for task in self._tasks if task.done()), "")
        return ended or self._resync.dead() or self._watchdog.dead()

    async def run(self, stop: threading.Event | None = None) -> None:
        """Watch and reconcile until SIGTERM, or until `stop` is set. Raises ListenError and WatchError."""
        await self._listen()
        try:
            await kopf.operator(
                registry=handlers.build_registry(self._intake, login=self._login, start=self._start, stop=self._stop),
                settings=handlers.build_settings(),
                clusterwide=not self._settings.namespaces,
                namespaces=self._settings.namespaces,
                stop_flag=stop,
            )
        except Exception as error:
            message = f"a watch has ended: {error}"
            raise WatchError(message) from error
        finally:
            await self._close()

    async def _listen(self) -> None:
        self._runner = runner = web.AppRunner(
            telemetry.build_app(self.telemetry.registry, self.unready, self.dead), access_log=None, shutdown_timeout=1
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self.address.host, self.address.port).start()
        except OSError as error:
            await self._close()
            message = f"cannot listen on {self.address}: {error.strerror or error}"
            raise ListenError(message) from error
        self.address = Address(self.address.host, runner.addresses[0][1])

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _login(self) -> kopf.ConnectionInfo:
        return await credentials.connection_info(await credentials.load(self._settings))

    async def _reconcile(self, key: ObjectKey) -> None:
        await self._reconciler.reconcile(key)

    async def _start(self) -> None:
        await self._resync.sync_until_done()
        logger.info("the cluster is known", extra={"capabilities": str(self.store.capabilities)})
        self._intake.enqueue_everything()
        self.queue.start()
        self._tasks = [
            asyncio.create_task(self._resync.run(self._intake.enqueue_everything), name="resync"),
            asyncio.create_task(self._sources.run(), name="sources"),
        ]
        for task in self._tasks:
            task.add_done_callback(_report)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.queue.drain(_DRAIN_SECONDS)
        # kopf would wait for the connections that Prometheus keeps open, as for any task that it does not know.
        await self._close()


def _report(task: asyncio.Task[None]) -> None:
    """A task that ends by itself is a defect; the probe notices in time, the log at once."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s has ended", task.get_name(), exc_info=error)


async def run(settings: Settings, *, planner: Planner, affected: Affected, templates: Templates) -> None:
    """Run an operator on the cluster that the settings name."""
    async with KubeClient(settings) as cluster:
        await Operator(settings, cluster, planner=planner, affected=affected, templates=templates).run()
