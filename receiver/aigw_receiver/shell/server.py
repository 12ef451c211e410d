"""Opens all listeners, keeps them until a signal comes, and closes them so that nothing acknowledged is lost."""

import asyncio
import contextlib
import functools
import logging
import signal
import time
from typing import Final

from aiohttp import web

from aigw_receiver.core.address import Address
from aigw_receiver.core.store import Store
from aigw_receiver.settings import Settings
from aigw_receiver.shell import gateway_api, http_server, log_api, page, price_book, reconcile, rollup, telemetry
from aigw_receiver.shell import web as exposition_server
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.expiry import expire_forever
from aigw_receiver.shell.grpc_server import GrpcServer
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.journal import Journal
from aigw_receiver.shell.log_intake import LogIntake
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.price_book import PriceBook
from aigw_receiver.shell.prometheus_query import PrometheusQuery, open_query
from aigw_receiver.shell.reconcile import Reconcile
from aigw_receiver.shell.rollup import Rollup
from aigw_receiver.shell.rollup_store import RollupStore
from aigw_receiver.shell.sinks import opening
from aigw_receiver.shell.start_error import StartError

_log: Final = logging.getLogger(__name__)

# Kubernetes kills a pod 30 s after SIGTERM; a request in flight gets most of that time.
_GRACE: Final = 20.0

# Then the listeners close; a scrape that is being sent gets this long.
_CLOSE: Final = 3.0


class Server:
    """One running receiver."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runners: list[web.AppRunner] = []
        self._ready = False

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises StartError where an address or the data directory cannot be used."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        settings = self._settings
        own = Telemetry()
        store, journal = self._restore(own)
        own.watch(store)
        prices = PriceBook(settings.prices.file)
        sinks = opening.open_sinks(settings.access_logs, settings.data_dir, own)
        logs = LogIntake(
            store,
            own,
            journal,
            settings=settings.access_logs.rules,
            redacted=settings.access_logs.redaction(),
            sinks=sinks.every,
            book=lambda: prices.book,
        )
        ingest = Ingest(store, own, journal, logs)
        own.watch_prices(lambda: not prices.error)
        costs = Costs(ingest, prices, journal)
        comparison = Reconcile(ingest)
        comparison.observe(time.time_ns())
        kept = settings.page.rollup
        rollups = RollupStore(settings.data_dir, size=kept.size, retention=kept.retention, telemetry=own)
        rolling = Rollup(ingest, costs, rollups)
        # Before anyone is listened to: what the first look finds was counted before us. It looks at the costs as well.
        rolling.observe(time.time_ns())
        app = exposition_server.build_app(ingest, own, journal, costs, comparison)
        log_api.add_routes(app, sinks.store)
        gateway_api.add_routes(app, ingest, comparison, rollups, self._prometheus())
        page.add_routes(app)
        grpc_server = GrpcServer(ingest, own, max_message=settings.limits.grpc_message)
        exporter = http_server.Exporter(ingest, own, settings.limits.http_body)
        try:
            await self._listen(exporter, grpc_server, app, own)
            tasks = [
                loop.create_task(expire_forever(ingest, costs)),
                loop.create_task(price_book.follow(prices, costs.change)),
                loop.create_task(reconcile.observe_forever(comparison)),
                loop.create_task(rollup.observe_forever(rolling)),
            ]
            self._ready = True
            _log.info("serving", extra={"otlp_grpc": [*map(str, settings.listen.otlp_grpc)], **self._http_addresses()})
            await stopped.wait()
            _log.info("stopping")
            for task in tasks:
                task.cancel()
        finally:
            await self._drain(exporter, ingest, grpc_server)
        now = time.time_ns()
        logs.close(now)
        await asyncio.to_thread(rolling.observe, now)
        rollups.close()
        await asyncio.gather(*(asyncio.to_thread(sink.close) for sink in sinks.every))
        if journal is not None:
            journal.close(store)
        _log.info("stopped")

    def _prometheus(self) -> PrometheusQuery | None:
        try:
            return open_query(self._settings.page.prometheus)
        except OSError as error:
            message = f"page.prometheus.ca_file: {error.strerror or error}"
            raise StartError(message) from None

    def _http_addresses(self) -> dict[str, str]:
        listen = self._settings.listen
        return {"otlp_http": str(listen.otlp_http), "http": str(listen.http), "telemetry": str(listen.telemetry)}

    def _restore(self, own: Telemetry) -> tuple[Store, Journal | None]:
        """The store, as an earlier run left it where there is a data directory."""
        settings, now = self._settings, time.time_ns()
        new_store = functools.partial(
            Store,
            now,
            limits=settings.limits_of_streams(),
            expiry=settings.expiry_of_pods(),
            admit=settings.metrics.admit,
        )
        if settings.data_dir is None:
            return new_store(), None
        journal = Journal(settings.data_dir, own, max_size=settings.journal.size)
        try:
            return journal.restore(new_store, now), journal
        except OSError as error:
            message = f"cannot use the data directory {settings.data_dir}: {error.strerror or error}"
            raise StartError(message) from None

    async def _listen(
        self, exporter: http_server.Exporter, grpc_server: GrpcServer, app: web.Application, own: Telemetry
    ) -> None:
        listen = self._settings.listen
        for address in listen.otlp_grpc:
            await grpc_server.listen(address)
        await self._open(http_server.build_app(exporter), listen.otlp_http)
        await self._open(app, listen.http)
        await self._open(telemetry.build_app(own.registry, lambda: self._ready), listen.telemetry)

    async def _open(self, app: web.Application, address: Address) -> None:
        runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=_CLOSE)
        await runner.setup()
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            message = f"cannot listen on {address}: {error.strerror or error}"
            raise StartError(message) from None

    async def _drain(self, exporter: http_server.Exporter, ingest: Ingest, grpc_server: GrpcServer) -> None:
        """Refuse new exports and let those in flight end; only then close the listeners.

        An HTTP listener that closes drops what has not arrived yet, so the requests in flight must have ended before.
        """
        self._ready = False
        ingest.draining = True
        grpc_done = asyncio.create_task(grpc_server.stop(_GRACE))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(exporter.wait_idle(), _GRACE)
        await grpc_done
        for runner in self._runners:
            await runner.cleanup()
