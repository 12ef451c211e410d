"""Looks every second for pods that have ended. When that is the case is decided in the core."""

import asyncio
import logging
import time
from typing import Final

from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest

_log: Final = logging.getLogger(__name__)
_PERIOD: Final = 1.0  # seconds; no export interval is taken for shorter than this


async def expire_forever(ingest: Ingest, costs: Costs) -> None:
    """End silent pods until cancelled. What has been counted is priced as often, so that no pod is forgotten before."""
    while True:
        await asyncio.sleep(_PERIOD)
        with ingest.lock:
            now = time.time_ns()
            ended = ingest.store.expire(now)
            costs.observe(now)
            ingest.logs.settle(now)
        for who in ended:
            _log.info("pod ended", extra={"namespace": who.namespace, "gateway": who.name, "pod": who.pod})
