"""The JSON API beside the gateways' series: `GET /api/sources`. What an answer says is decided in the core."""

import json
import time

from aiohttp import web

from aigw_receiver.core import source_list
from aigw_receiver.shell.ingest import Ingest


def add_routes(app: web.Application, ingest: Ingest) -> None:
    """Add the paths of the API to the application of a listener."""

    async def sources(_: web.Request) -> web.Response:
        with ingest.lock:
            store, now = ingest.store, time.time_ns()
            ingest.logs.settle(now)
            listed = source_list.list_sources(store.sources.values(), store.expiry, now, ingest.logs.heard)
        # What was true a moment ago answers no question about now.
        headers = {"Cache-Control": "no-store"}
        return web.Response(text=json.dumps(listed), content_type="application/json", headers=headers)

    app.router.add_get("/api/sources", sources, allow_head=False)
