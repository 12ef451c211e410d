"""The JSON API beside the gateways' series. What an answer says is decided in the core."""

import json
import time
from typing import Any

from aiohttp import web

from aigw_receiver.core import source_list
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.json_answer import HEADERS
from aigw_receiver.shell.reconcile import Reconcile


def add_routes(app: web.Application, ingest: Ingest, reconcile: Reconcile) -> None:
    """Add the paths of the API to the application of a listener."""

    async def sources(_: web.Request) -> web.Response:
        with ingest.lock:
            store, now = ingest.store, time.time_ns()
            ingest.logs.settle(now)
            listed = source_list.list_sources(store.sources.values(), store.expiry, now, ingest.logs.heard)
        return _answer(listed)

    async def reconciliation(_: web.Request) -> web.Response:
        return _answer(reconcile.document(time.time_ns()))

    app.router.add_get("/api/sources", sources, allow_head=False)
    app.router.add_get("/api/reconciliation", reconciliation, allow_head=False)


def _answer(document: dict[str, Any]) -> web.Response:
    return web.Response(text=json.dumps(document), content_type="application/json", headers=HEADERS)
