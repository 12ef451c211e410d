"""Kept access logs to somebody else over OTLP: a Collector, a Loki, a SkyWalking OAP. What to say is the core's.

Two threads, so that nothing waits for the target: the sink's own puts lines into a queue, on disk where there is a data
directory; a second one takes the oldest lines from there and sends them, one request at a time and so in their order. A
request that may be sent again is, for as long as it takes; what comes meanwhile waits, and where the queue is full the
oldest lines are dropped and counted.

Each record is sent at least once. It is sent twice where an answer was lost: the connection broke, the time ran out, or
the receiver was killed between the answer and the note of it. What a kill loses is what the first thread had not
written yet, which is next to nothing unless the disk is slow. A machine that fails may lose what was written within the
last second, or since the request began that is on its way (shell/sinks/disk_queue.py). Without a data directory all
that waits ends with the receiver.
"""

import logging
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import prometheus_client

from aigw_receiver.core.access_logs import forwarding
from aigw_receiver.core.access_logs.answers import Backoff, Delayed, Delivered, Refused, Verdict
from aigw_receiver.settings import Forward
from aigw_receiver.shell.sinks import base
from aigw_receiver.shell.sinks.backlog import Backlog, MemoryQueue
from aigw_receiver.shell.sinks.disk_queue import DiskQueue
from aigw_receiver.shell.sinks.forward_http import HttpTransport

_log: Final = logging.getLogger(__name__)

REJECTED: Final = "rejected"
"""records that a target has not taken of a request that it took"""

# Lines of one request. As OTLP they take half as much again, and gRPC servers refuse messages above 4 MiB.
_BATCH: Final = 256 << 10  # bytes

# How long the first line waits for others, as in the Collector's batch processor.
_LINGER: Final = 0.2  # seconds

# While lines wait, the disk is told this often to keep them.
_SYNC: Final = 1.0  # seconds

# Something that goes wrong again and again is said this often.
_SAID: Final = 60.0  # seconds

# What a request that is being given up may still take.
_ABORT: Final = 1.0  # seconds


class Transport(Protocol):
    """Sends requests to one target."""

    def send(self, body: bytes) -> Verdict:
        """Send an ExportLogsServiceRequest, and wait for what becomes of it."""

    def abort(self) -> None:
        """End a request that another thread is sending, and refuse later ones."""

    def close(self) -> None:
        """Let the connection go; called by the thread that sends."""


class ForwardSink(base.Sink):
    """One target."""

    def __init__(
        self,
        name: str,
        records: prometheus_client.Counter,
        backlog: Backlog,
        transport: Transport,
        *,
        attributes: Mapping[str, str],
        backoff: Backoff | None = None,
        linger: float = _LINGER,
    ) -> None:
        """`attributes` are those of every resource, beside what is known of the gateway."""
        self._backlog = backlog
        self._transport = transport
        self._attributes = attributes
        self._backoff = backoff or Backoff()
        self._linger = linger
        self._rejected = records.labels(name, REJECTED)
        self._wake = threading.Condition()
        self._closing = self._abandoned = False
        self._waits = False
        self._synced = 0.0
        self._last_said: dict[str, float] = {}
        super().__init__(name, records)
        self._sender = threading.Thread(target=self._send_all, name=f"send-{name}", daemon=True)
        self._sender.start()

    @property
    def queued_bytes(self) -> int:
        """What waits to be sent, as it lies in the queue."""
        return self._backlog.size

    @property
    def queued_records(self) -> int:
        """How many records wait to be sent, or are being sent."""
        return self._backlog.records

    def write(self, lines: list[bytes]) -> int:
        """Put lines into the queue, which drops its oldest where it is full. Raises OSError where the disk is."""
        appended = self._backlog.append(lines)
        self._results[base.QUEUE_FULL].inc(appended.dropped)
        with self._wake:
            self._wake.notify_all()
        if appended.dropped:
            self._say_sometimes(logging.ERROR, "a queue is full; its oldest records are lost", "")
        if appended.error and not appended.taken:
            raise OSError(None, appended.error)
        return appended.taken

    def count_written(self, count: int) -> None:
        """What is in the queue has not arrived yet."""

    def close(self, grace: float = base.GRACE) -> None:
        """Send what is left, as far as the grace allows. What is on disk then is sent after the next start."""
        deadline = time.monotonic() + grace
        super().close(grace)
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._sender.join(max(0.0, deadline - time.monotonic()))
        with self._wake:
            self._abandoned = True
            self._wake.notify_all()
        self._transport.abort()
        self._sender.join(_ABORT)
        left = self._backlog.records
        if left and self._backlog.durable:
            _log.info("what is left is sent after the next start", extra={"sink": self._name, "records": left})
        elif left:
            self._results[base.FAILED].inc(left)
            _log.error("a target did not take what was left", extra={"sink": self._name, "records": left})
        try:
            self._backlog.close()
        except OSError as error:
            _log.error("a queue cannot be closed", extra={"sink": self._name, "error": str(error)})

    def _send_all(self) -> None:
        attempt = 0
        try:
            while self._has_work():
                verdict = self._send_some()
                self._sync_sometimes()
                if isinstance(verdict, Delayed):
                    if not self._pause(self._backoff.wait(attempt, random.random(), verdict.after)):
                        return
                    attempt += 1
                else:
                    attempt = 0
        finally:
            self._transport.close()

    def _has_work(self) -> bool:
        """Wait for records, and then for some more; false at the end."""
        with self._wake:
            self._wake.wait_for(lambda: self._backlog.records or self._closing)
            self._wake.wait_for(lambda: self._backlog.size >= _BATCH or self._closing, self._linger)
            return bool(self._backlog.records) and not self._abandoned

    def _send_some(self) -> Verdict | None:
        """Send the oldest records, and count what became of them."""
        batch = self._backlog.take(_BATCH)
        if batch is None:
            return None
        request = forwarding.build_request(batch.lines, self._attributes)
        verdict = self._send(request.body) if request.records else None
        with self._wake:
            if self._abandoned and not isinstance(verdict, Delivered):
                # Whoever closes the sink sees to what is left.
                return verdict
            if isinstance(verdict, Delayed):
                self._backlog.restore()
            else:
                self._backlog.settle()
                self._count(verdict, request.records, request.malformed + batch.damaged)
        self._say_verdict(verdict, request.malformed + batch.damaged)
        return verdict

    def _send(self, body: bytes) -> Verdict:
        try:
            return self._transport.send(body)
        except Exception as error:  # noqa: BLE001 - records must not be lost, nor this thread, by what nobody foresaw
            return Delayed(repr(error))

    def _count(self, verdict: Verdict | None, records: int, unreadable: int) -> None:
        failed = unreadable
        if isinstance(verdict, Delivered):
            rejected = min(verdict.rejected, records)
            self._results[base.WRITTEN].inc(records - rejected)
            self._rejected.inc(rejected)
        elif isinstance(verdict, Refused):
            failed += records
        self._results[base.FAILED].inc(failed)

    def _pause(self, seconds: float) -> bool:
        """Wait before the next try; false where there is to be none.

        When the sink is being closed there is one more try at once. After that what is on disk rests, and what is in
        memory is tried for as long as the grace allows.
        """
        until = time.monotonic() + seconds
        with self._wake:
            was_closing = self._closing
            if was_closing and self._backlog.durable:
                return False
            while not self._abandoned and self._closing == was_closing and (left := until - time.monotonic()) > 0:
                self._wake.wait(min(left, _SYNC))
                self._sync_sometimes()
            return not self._abandoned

    def _sync_sometimes(self) -> None:
        now = time.monotonic()
        if self._backlog.records and now - self._synced >= _SYNC:
            self._backlog.sync()
            self._synced = now

    def _say_verdict(self, verdict: Verdict | None, unreadable: int) -> None:
        """Say that a target fails, and that it does no longer, but not each time."""
        if unreadable:
            self._say_sometimes(logging.ERROR, "records in a queue cannot be read; they are lost", str(unreadable))
        if isinstance(verdict, Delayed) and not self._waits:
            self._waits = self._say_sometimes(logging.WARNING, "a target takes no records; they wait", verdict.reason)
        if isinstance(verdict, Refused):
            self._say_sometimes(logging.ERROR, "a target refuses records; they are lost", verdict.reason)
        if isinstance(verdict, Delivered):
            if verdict.rejected:
                self._say_sometimes(logging.ERROR, "a target rejects records; they are lost", verdict.message)
            elif verdict.message:
                self._say_sometimes(logging.WARNING, "a target warns", verdict.message)
            if self._waits:
                self._waits = False
                _log.info("a target takes records again", extra={"sink": self._name})

    def _say_sometimes(self, level: int, message: str, reason: str) -> bool:
        """Answers whether it was said, which it is not where it has just been."""
        now = time.monotonic()
        if now - self._last_said.get(message, -_SAID) < _SAID:
            return False
        self._last_said[message] = now
        _log.log(level, message, extra={"sink": self._name, **({"reason": reason} if reason else {})})
        return True


def open_sink(
    name: str,
    settings: Forward,
    records: prometheus_client.Counter,
    data_dir: Path | None,
    *,
    backoff: Backoff | None = None,
) -> ForwardSink:
    """The sink of one section of `access_logs.forward`.

    Raises OSError where its directory or the certificates cannot be used.
    """
    if settings.protocol == "grpc":
        # grpcio takes 9 MiB of memory, which a receiver that needs none of it does not pay.
        from aigw_receiver.shell.sinks.forward_grpc import GrpcTransport  # noqa: PLC0415

        transport: Transport = GrpcTransport(settings)
    else:
        transport = HttpTransport(settings)
    sink = f"forward:{name}"
    if data_dir is None:
        backlog: Backlog = MemoryQueue(settings.queue)
    else:
        backlog = queue = DiskQueue(data_dir / "forward" / name, settings.queue)
        records.labels(sink, base.FAILED).inc(queue.torn)
        records.labels(sink, base.QUEUE_FULL).inc(queue.dropped)
        if queue.torn or queue.dropped:
            lost = {"torn": queue.torn, "dropped": queue.dropped}
            _log.error("records of an earlier run are lost", extra={"sink": sink, **lost})
        if queue.records:
            _log.info("records of an earlier run are sent", extra={"sink": sink, "records": queue.records})
    return ForwardSink(sink, records, backlog, transport, attributes=settings.attributes, backoff=backoff)
