"""The listener for what concerns the receiver itself: its own `/metrics`, `/livez` and `/readyz`."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import exposition, registry


def build_app(own: registry.CollectorRegistry, is_ready: Callable[[], bool]) -> web.Application:
    """The application of the listener for the receiver's own telemetry."""

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = exposition.choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(own), headers={"Content-Type": content_type})

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        ready = is_ready()
        return web.Response(
            text="ok\n" if ready else "not ready: starting or shutting down\n", status=200 if ready else 503
        )

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    return app
