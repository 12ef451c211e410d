"""The operator's own metrics, and the listener for `/metrics`, `/livez` and `/readyz`. It decides nothing."""

from collections.abc import Callable
from typing import Final

import prometheus_client
from aiohttp import web
from prometheus_client import exposition, registry

# From a plan of a healthy Gateway (no writes, under a millisecond) to one whose writes all wait for their timeout.
_SECONDS: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30)


class Telemetry:
    """The operator's own metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry.CollectorRegistry()
        self.queue_depth = prometheus_client.Gauge(
            "aigw_operator_queue_depth", "Keys that wait for a reconcile.", registry=self.registry
        )
        self.reconcile_seconds = prometheus_client.Histogram(
            "aigw_operator_reconcile_duration_seconds",
            "Time that a reconcile took, writes included.",
            ["kind"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.reconciles = prometheus_client.Counter(
            "aigw_operator_reconciles_total", "Reconciles by result.", ["kind", "result"], registry=self.registry
        )
        self.writes = prometheus_client.Counter(
            "aigw_operator_api_writes_total",
            "Writes to the API server by kind, verb and result.",
            ["kind", "verb", "result"],
            registry=self.registry,
        )
        self.events = prometheus_client.Counter(
            "aigw_operator_watch_events_total", "Watch events by kind.", ["kind"], registry=self.registry
        )
        self.repairs = prometheus_client.Counter(
            "aigw_operator_resync_repairs_total",
            "Objects that a list showed otherwise than the watch had.",
            ["kind"],
            registry=self.registry,
        )
        self.last_resync = prometheus_client.Gauge(
            "aigw_operator_last_resync_timestamp_seconds", "When everything was last listed.", registry=self.registry
        )
        prometheus_client.ProcessCollector(registry=self.registry)


def build_app(own: registry.CollectorRegistry, unready: Callable[[], str], dead: Callable[[], str]) -> web.Application:
    """The application of the listener; the two functions say what is wrong, "" for nothing."""

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = exposition.choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(own), headers={"Content-Type": content_type})

    async def livez(_: web.Request) -> web.Response:
        return _probe(dead())

    async def readyz(_: web.Request) -> web.Response:
        return _probe(unready())

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    return app


def _probe(reason: str) -> web.Response:
    return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)
