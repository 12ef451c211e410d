"""The one way in: bytes of a request in, an outcome out. Every transport calls this, and none does more than carry.

It holds the lock of the store and the clock, and writes the journal; what the bytes mean is decided in the core.
"""

import logging
import threading
import time
from typing import Final

from aigw_receiver.core import status, wire
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.model import Outcome
from aigw_receiver.core.store import Store
from aigw_receiver.shell.journal import Journal
from aigw_receiver.shell.log_intake import LogIntake
from aigw_receiver.shell.metrics import Telemetry

_log: Final = logging.getLogger(__name__)


class Ingest:
    """Takes exports into the store, one at a time."""

    def __init__(
        self, store: Store, telemetry: Telemetry, journal: Journal | None, logs: LogIntake | None = None
    ) -> None:
        """`logs` has what is set of access logs; by default it has the default rules, and no sinks."""
        self.store = store
        self.logs = logs or LogIntake(store, telemetry, journal)
        self.lock = threading.Lock()
        self.draining = False
        self._telemetry = telemetry
        self._journal = journal

    def export_metrics(self, body: bytes, transport: str) -> Outcome:
        """Take in one ExportMetricsServiceRequest; raises status.RefusedError where it is refused as a whole.

        The journal is written before the lock is given back: a scrape must not show what a crash would take away.
        """
        began = time.perf_counter()
        try:
            with self.lock:
                now = time.time_ns()
                outcome = self.store.export(body, now)
                if self._journal is not None:
                    self._journal.append_export(body, now, self.store)
        except wire.DecodeError:
            raise status.RefusedError(status.BAD_DATA, "the request is not an ExportMetricsServiceRequest") from None
        except OSError as error:
            # The store has counted the points, the sender will repeat them, and they will be duplicates then.
            _log.error("the journal cannot be written", extra={"error": str(error)})
            raise status.RefusedError(status.UNAVAILABLE, "the journal cannot be written") from None
        self._telemetry.count_export(transport, len(body), outcome, time.perf_counter() - began)
        return outcome

    def export_logs(self, body: bytes, transport: str) -> dict[LogDropReason, int]:
        """Take in one ExportLogsServiceRequest; answers how many records were refused, by reason.

        Raises status.RefusedError where it is refused as a whole.
        """
        began = time.perf_counter()
        try:
            with self.lock:
                rejected = self.logs.take(body, time.time_ns())
        except wire.DecodeError:
            raise status.RefusedError(status.BAD_DATA, "the request is not an ExportLogsServiceRequest") from None
        self._telemetry.count_logs(transport, len(body), rejected, time.perf_counter() - began)
        return rejected
