"""Looks every second for pods that have ended. When that is the case is decided in the core."""

import asyncio
import logging
import time
from typing import Final

from aigw_receiver.shell.ingest import Ingest

_log: Final = logging.getLogger(__name__)
_PERIOD: Final = 1.0  # seconds; no export interval is taken for shorter than this


async def expire_forever(ingest: Ingest) -> None:
    """End silent pods until cancelled."""
    while True:
        await asyncio.sleep(_PERIOD)
        with ingest.lock:
            ended = ingest.store.expire(time.time_ns())
        for who in ended:
            _log.info("pod ended", extra={"namespace": who.namespace, "gateway": who.name, "pod": who.pod})
