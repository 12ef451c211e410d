"""What all sinks have in common: a bounded queue, a thread that empties it, and counts of what was lost.

The intake only ever appends to the queue, or counts a loss; whatever a sink waits for, it waits for alone.
"""

import abc
import collections
import logging
import threading
from typing import Final

import prometheus_client

_log: Final = logging.getLogger(__name__)

# Some ten thousand records: what a sink may be behind before records are lost.
QUEUE: Final = 16 << 20  # bytes

# Written at a time, so that a loss is counted soon and a file is rotated where it should be.
_BATCH: Final = 256 << 10  # bytes

# How long a sink may take for what is left when the program ends.
GRACE: Final = 5.0  # seconds

WRITTEN: Final = "written"
QUEUE_FULL: Final = "queue_full"
FAILED: Final = "failed"


class Sink(abc.ABC):
    """One place that kept records go to, as lines of JSON."""

    def __init__(self, name: str, records: prometheus_client.Counter, *, queue: int = QUEUE) -> None:
        """`records` counts by sink and result; `queue` is how many bytes may wait."""
        self._name = name
        self._results = {result: records.labels(name, result) for result in (WRITTEN, QUEUE_FULL, FAILED)}
        self._bound = queue
        self._waiting: collections.deque[bytes] = collections.deque()
        self._size = 0
        self._busy = 0
        self._ended = False
        self._failing = False
        self._changed = threading.Condition()
        # A thread that is stuck in a write must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=f"sink-{name}", daemon=True)
        self._thread.start()

    @abc.abstractmethod
    def write(self, lines: list[bytes]) -> int:
        """Write lines, however long that takes; answers how many were, if not all. Raises OSError if none was."""

    def put(self, line: bytes) -> None:
        """Queue a line with its line feed; it is lost, and counted, where the queue is full. It never waits."""
        with self._changed:
            if self._ended or self._size + len(line) > self._bound:
                self._results[QUEUE_FULL].inc()
                return
            self._waiting.append(line)
            self._size += len(line)
            self._changed.notify()

    def close(self, grace: float = GRACE) -> None:
        """Write what is left, as far as the grace allows; the rest is counted as failed, and said."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(grace)
        with self._changed:
            left = len(self._waiting) + self._busy
        if left:
            self._results[FAILED].inc(left)
            _log.error("a sink did not take what was left", extra={"sink": self._name, "records": left})

    def _run(self) -> None:
        while lines := self._take():
            try:
                written = self.write(lines)
            except OSError as error:
                written = 0
                self._say(str(error))
            else:
                self._say("" if written == len(lines) else "only a part was written")
            with self._changed:
                self._busy = 0
            self.count_written(written)
            self._results[FAILED].inc(len(lines) - written)

    def count_written(self, count: int) -> None:
        """Count what `write` has taken; a sink that keeps it for later counts it then."""
        self._results[WRITTEN].inc(count)

    def _take(self) -> list[bytes]:
        """The next lines; none at the end."""
        with self._changed:
            while not self._waiting and not self._ended:
                self._changed.wait()
            lines: list[bytes] = []
            size = 0
            while self._waiting and size < _BATCH:
                line = self._waiting.popleft()
                lines.append(line)
                size += len(line)
            self._size -= size
            self._busy = len(lines)
            return lines

    def _say(self, error: str) -> None:
        """Say once that a sink fails, and once that it does no longer."""
        if error and not self._failing:
            _log.error("a sink fails; what it loses is counted", extra={"sink": self._name, "error": error})
        if self._failing and not error:
            _log.info("a sink writes again", extra={"sink": self._name})
        self._failing = bool(error)
