"""What waits for a target: the interface of such a queue, and the one in memory. The other is in disk_queue.py.

A queue is bounded in bytes. What is new finds its place: where there is none, the oldest lines are dropped, but never
those that are being sent at that moment. One thread appends, another one takes; both may be at it at once.
"""

import abc
import collections
import dataclasses
import threading
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """The oldest lines, which stay in the queue until they are settled."""

    lines: Sequence[bytes]
    damaged: int = 0
    """lines at this place that cannot be read any more"""


@dataclasses.dataclass(frozen=True, slots=True)
class Appended:
    """How many of the lines the queue has dealt with, what it dropped for them, and why it did not take the others."""

    taken: int
    dropped: int = 0
    error: str = ""


class Backlog(abc.ABC):
    """A bounded queue of lines, each of which ends in its only line feed."""

    durable: bool
    """whether what is left is there at the next start"""
    size: int
    """bytes that wait, with those that are being sent"""
    records: int
    """and lines"""

    @abc.abstractmethod
    def append(self, lines: Sequence[bytes]) -> Appended:
        """Take in lines. A line that is larger than the whole queue is dropped itself."""

    @abc.abstractmethod
    def take(self, most: int) -> Batch | None:
        """The oldest lines, at least one and about `most` bytes; None where there are none. One batch at a time."""

    @abc.abstractmethod
    def settle(self) -> None:
        """Forget the batch that was taken: it was sent, or cannot be."""

    @abc.abstractmethod
    def restore(self) -> None:
        """Have the batch that was taken wait again, as the oldest."""

    @abc.abstractmethod
    def sync(self) -> None:
        """Make sure that what waits outlives a failure of the machine, as far as that is possible."""

    @abc.abstractmethod
    def close(self) -> None:
        """Leave what waits in order; nothing is called after this."""


class MemoryQueue(Backlog):
    """Waits in memory, and ends with the program."""

    durable = False

    def __init__(self, bound: int) -> None:
        """`bound` is in bytes."""
        self.size = self.records = 0
        self._bound = bound
        self._lines: collections.deque[bytes] = collections.deque()
        self._sending: list[bytes] = []
        self._lock = threading.Lock()

    def append(self, lines: Sequence[bytes]) -> Appended:
        """Take in all lines."""
        with self._lock:
            before = self.records
            for line in lines:
                if len(line) > self._bound:
                    continue
                self._lines.append(line)
                self.size += len(line)
                while self.size > self._bound and self._lines:
                    self.size -= len(self._lines.popleft())
            self.records = len(self._lines) + len(self._sending)
            return Appended(len(lines), before + len(lines) - self.records)

    def take(self, most: int) -> Batch | None:
        """The oldest lines."""
        size = 0
        with self._lock:
            while self._lines and (not size or size + len(self._lines[0]) <= most):
                line = self._lines.popleft()
                self._sending.append(line)
                size += len(line)
            return Batch(self._sending) if self._sending else None

    def settle(self) -> None:
        """Forget the batch."""
        with self._lock:
            self.size -= sum(map(len, self._sending))
            self.records -= len(self._sending)
            self._sending = []

    def restore(self) -> None:
        """Put the batch back."""
        with self._lock:
            self._lines.extendleft(reversed(self._sending))
            self._sending = []

    def sync(self) -> None:
        """There is nothing that would outlive the program."""

    def close(self) -> None:
        """There is nothing to leave."""
