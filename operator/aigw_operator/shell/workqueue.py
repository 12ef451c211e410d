"""A queue of keys: each at most once in the queue and once in work, due at a time, retried ever later. No work itself.

`Schedule` is the bookkeeping, without a clock or tasks: every time is an argument, in seconds of any one clock.
`WorkQueue` gives it both.
"""

import asyncio
import dataclasses
import heapq
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from aigw_operator.shell import errors

Key = TypeVar("Key")

logger = logging.getLogger(__name__)

_FIRST: Final = 1.0
_LONGEST: Final = 300.0


def backoff(failures: int, jitter: float) -> float:
    """Seconds to wait after the n-th failure in a row: 1 s, doubling up to 5 min, less up to a fifth.

    `jitter` is in [0, 1): keys that failed together shall not come back together.
    """
    # 2^9 s is beyond the longest wait already; a larger power would only grow.
    return min(_LONGEST, _FIRST * 2.0 ** min(failures - 1, 9)) * (1 - 0.2 * jitter)


@dataclasses.dataclass(slots=True)
class _State:
    due: float | None = None
    """when it is to be taken, None if it is not in the queue"""
    active: bool = False
    failures: int = 0
    not_before: float = 0.0
    """what the server asked for by Retry-After: no event makes us come earlier"""


class Schedule(Generic[Key]):
    """Which key is due when. A key in work that is added again is due again once it is done."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._states: dict[Key, _State] = {}
        # Entries are never taken out before their time: one that is no longer its key's due time is skipped.
        self._heap: list[tuple[float, int, Key]] = []
        self._added = 0

    def __len__(self) -> int:
        return sum(state.due is not None for state in self._states.values())

    @property
    def active(self) -> int:
        """How many keys are in work."""
        return sum(state.active for state in self._states.values())

    def add(self, key: Key, due: float) -> None:
        """Put a key in; of several due times the earliest counts."""
        state = self._states.setdefault(key, _State())
        due = max(due, state.not_before)
        if state.due is None or due < state.due:
            state.due = due
            if not state.active:
                self._push(key, due)

    def take(self, now: float) -> Key | None:
        """The key that is due longest, from now on in work; None if there is none."""
        if (due := self.next_due()) is None or due > now:
            return None
        _, _, key = heapq.heappop(self._heap)
        state = self._states[key]
        state.due, state.active = None, True
        return key

    def next_due(self) -> float | None:
        """When a key can be taken next."""
        while self._heap:
            due, _, key = self._heap[0]
            state = self._states.get(key)
            if state is not None and not state.active and state.due == due:
                return due
            heapq.heappop(self._heap)
        return None

    def succeed(self, key: Key) -> None:
        """A key's work is done: its failures are forgotten."""
        state = self._states[key]
        state.active, state.failures, state.not_before = False, 0, 0.0
        if state.due is None:
            del self._states[key]
        else:
            self._push(key, state.due)

    def fail(self, key: Key, now: float, retry_after: float | None = None) -> float:
        """A key's work failed: it is due again after its backoff, or earlier if it was added meanwhile.

        Answers the seconds until then. `retry_after` is the least to wait, whatever happens.
        """
        state = self._states[key]
        state.active = False
        state.failures += 1
        wait = backoff(state.failures, self._jitter())
        if retry_after is not None:
            wait = max(wait, retry_after)
            state.not_before = now + retry_after
        due = now + wait if state.due is None else min(now + wait, state.due)
        state.due = max(due, state.not_before)
        self._push(key, state.due)
        return state.due - now

    def clear(self) -> None:
        """Forget what is not in work."""
        self._heap.clear()
        self._states = {key: state for key, state in self._states.items() if state.active}
        for state in self._states.values():
            state.due = None

    def _push(self, key: Key, due: float) -> None:
        # The count keeps the order of keys that are due at the same time, and keys from being compared.
        self._added += 1
        heapq.heappush(self._heap, (due, self._added, key))


class WorkQueue(Generic[Key]):
    """Workers over a Schedule. `work` is called with one key at a time for each key; what it raises is a failure."""

    def __init__(
        self, work: Callable[[Key], Awaitable[None]], *, jitter: Callable[[], float], workers: int = 4
    ) -> None:
        self._work = work
        self._workers = workers
        self._schedule: Schedule[Key] = Schedule(jitter)
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return len(self._schedule)

    def add(self, key: Key, after: float = 0.0) -> None:
        """Put a key in, due after so many seconds; of several times the earliest counts."""
        self._schedule.add(key, self._now() + after)
        self._changed.set()

    def start(self) -> None:
        """Start the workers."""
        self._tasks = [asyncio.create_task(self._run(), name=f"worker {number}") for number in range(self._workers)]

    async def drain(self, seconds: float) -> None:
        """Start nothing more, let what is in work end, and cancel what has not ended after so many seconds."""
        self._schedule.clear()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._schedule.active and loop.time() < end:
            self._changed.clear()
            await self._wait(end)
            # What the last works have added is left to the next start, which looks at everything.
            self._schedule.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            key = self._schedule.take(self._now())
            if key is None:
                self._changed.clear()
                await self._wait(self._schedule.next_due())
                continue
            await self._run_one(key)

    async def _run_one(self, key: Key) -> None:
        try:
            await self._work(key)
        except asyncio.CancelledError:
            raise
        except errors.KubeError as error:
            wait = self._schedule.fail(key, self._now(), error.retry_after)
            # Somebody else wrote first: the next try sees what.
            level = logging.INFO if isinstance(error, errors.ConflictError) else logging.WARNING
            logger.log(level, "%s failed", key, extra={"error": str(error), "retry_in": round(wait, 1)})
        except Exception:
            # A defect in the work on one key must not end the work on all others.
            wait = self._schedule.fail(key, self._now())
            logger.exception("%s failed", key, extra={"retry_in": round(wait, 1)})
        else:
            self._schedule.succeed(key)
        self._changed.set()

    async def _wait(self, until: float | None) -> None:
        """Until something is added or done, or that time has come."""
        try:
            async with asyncio.timeout_at(until):
                await self._changed.wait()
        except TimeoutError:
            pass

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
