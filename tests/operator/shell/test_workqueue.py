"""The queue of keys: coalescing, delays, backoff, bounded work and the end of it, without waiting for any of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from aigw_operator.shell import errors, workqueue
from aigw_operator.shell.workqueue import Schedule, WorkQueue


def _schedule(jitter: float = 0.0) -> Schedule[str]:
    return Schedule(lambda: jitter)


@pytest.mark.parametrize(
    ("failures", "jitter", "expected"),
    [(1, 0.0, 1.0), (2, 0.0, 2.0), (3, 0.5, 3.6), (9, 0.0, 256.0), (10, 0.0, 300.0), (10_000, 0.5, 270.0)],
)
def test_backoff(failures: int, jitter: float, expected: float) -> None:
    """A retry comes at another time than 1 s, doubling up to 5 min, less the jitter."""
    assert expected == pytest.approx(workqueue.backoff(failures, jitter))


def test_order_of_due_times() -> None:
    """A key is taken before its time, out of order, or twice."""
    schedule = _schedule()
    for key, due in (("late", 5.0), ("b", 1.0), ("a", 1.0)):
        schedule.add(key, due)

    assert (1.0, None) == (schedule.next_due(), schedule.take(0.5))
    assert ["b", "a", None] == [schedule.take(1.0) for _ in range(3)]
    assert (5.0, 1, 2) == (schedule.next_due(), len(schedule), schedule.active)


def test_many_adds_are_one_work() -> None:
    """A key that is added many times is worked on many times, or not at the earliest time that was asked for."""
    schedule = _schedule()
    for due in (4.0, 2.0, 3.0):
        schedule.add("a", due)

    assert ("a", None, 0) == (schedule.take(2.0), schedule.take(9.0), len(schedule))


def test_key_in_work() -> None:
    """A key is worked on twice at the same time, or what came meanwhile is lost."""
    schedule = _schedule()
    schedule.add("a", 0.0)
    schedule.take(0.0)
    schedule.add("a", 1.0)

    assert (None, None) == (schedule.next_due(), schedule.take(2.0))
    schedule.succeed("a")
    assert "a" == schedule.take(2.0)


def test_failures_in_a_row() -> None:
    """A failed key comes back too early, its wait does not grow, or a success does not forget the failures."""
    schedule, waits, now = _schedule(), [], 0.0
    for _ in range(3):
        schedule.add("a", now)
        schedule.take(now)
        waits.append(schedule.fail("a", now))
        now += waits[-1]
    schedule.take(now)
    schedule.succeed("a")
    schedule.add("a", now)
    schedule.take(now)
    waits.append(schedule.fail("a", now))

    assert [1.0, 2.0, 4.0, 1.0] == waits


def test_event_during_backoff() -> None:
    """News of a key wait for its backoff, or the backoff is lost by them."""
    schedule = _schedule()
    schedule.add("a", 0.0)
    schedule.take(0.0)
    schedule.fail("a", 0.0)
    schedule.add("a", 0.1)

    assert "a" == schedule.take(0.1)
    assert 2.0 == schedule.fail("a", 0.1)


def test_retry_after() -> None:
    """A key comes back earlier than the API server asked for, be it by an event."""
    schedule = _schedule()
    schedule.add("a", 0.0)
    schedule.take(0.0)
    schedule.add("a", 0.5)

    assert 30.0 == schedule.fail("a", 0.0, retry_after=30.0)
    schedule.add("a", 1.0)
    assert (30.0, None) == (schedule.next_due(), schedule.take(29.0))


def test_clear_keeps_what_is_in_work() -> None:
    """The end of the queue loses track of a work that still runs."""
    schedule = _schedule()
    for key in ("a", "b"):
        schedule.add(key, 0.0)
    schedule.take(0.0)
    schedule.add("a", 0.0)
    schedule.clear()
    assert (0, 1, None) == (len(schedule), schedule.active, schedule.next_due())

    schedule.succeed("a")
    assert (0, None) == (schedule.active, schedule.take(9.0))


Scenario = Callable[["_Worker"], Awaitable[None]]


class _Worker:
    """A queue whose work a test holds up, lets through, or has fail."""

    def __init__(self, workers: int = 2) -> None:
        self.began: asyncio.Queue[str] = asyncio.Queue()
        self.gate = asyncio.Event()
        self.failing: list[Exception] = []
        self.ended: list[str] = []
        self.queue: WorkQueue[str] = WorkQueue(self._work, jitter=lambda: 0.0, workers=workers)

    async def _work(self, key: str) -> None:
        self.began.put_nowait(key)
        await self.gate.wait()
        if self.failing:
            raise self.failing.pop()
        self.ended.append(key)


def _run(scenario: Scenario, workers: int = 2) -> _Worker:
    async def run() -> _Worker:
        worker = _Worker(workers)
        worker.queue.start()
        await asyncio.wait_for(scenario(worker), 10)
        await worker.queue.drain(1)
        return worker

    return asyncio.run(run())


def test_bounded_workers() -> None:
    """More keys are in work than there are workers, or a free worker stays idle."""

    async def scenario(worker: _Worker) -> None:
        for key in "abc":
            worker.queue.add(key)
        assert ["a", "b"] == [await worker.began.get(), await worker.began.get()]
        assert (1, True) == (len(worker.queue), worker.began.empty())
        worker.gate.set()
        assert "c" == await worker.began.get()

    assert ["a", "b", "c"] == sorted(_run(scenario).ended)


def test_delayed_add() -> None:
    """A key that is due later is never taken, or at once."""

    async def scenario(worker: _Worker) -> None:
        worker.gate.set()
        worker.queue.add("a", 0.05)
        worker.queue.add("b")
        assert ["b", "a"] == [await worker.began.get(), await worker.began.get()]

    _run(scenario)


def test_failed_work(caplog: pytest.LogCaptureFixture) -> None:
    """A failure ends a worker, is not logged, or is not tried again in time; a defect has no stack trace."""

    async def scenario(worker: _Worker) -> None:
        worker.gate.set()
        worker.failing = [errors.ThrottledError("429: slow down", status=429, retry_after=40.0), KeyError("spec")]
        for key in "abc":
            worker.queue.add(key)
        for _ in range(3):
            await worker.began.get()
        await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING):
        worker = _run(scenario, workers=1)

    assert ["c"] == worker.ended
    records = [(record.message, getattr(record, "retry_in", 0), record.exc_info is None) for record in caplog.records]
    assert [("a failed", 1.0, False), ("b failed", 40.0, True)] == records


def test_drain_waits_for_work() -> None:
    """The end of the operator cuts a reconcile between two writes, or begins another."""

    async def run() -> tuple[list[str], bool]:
        worker = _Worker(workers=1)
        worker.queue.start()
        worker.queue.add("a")
        worker.queue.add("b")
        await worker.began.get()
        draining = asyncio.create_task(worker.queue.drain(10))
        await asyncio.sleep(0)
        worker.gate.set()
        await draining
        return worker.ended, worker.began.empty()

    assert (["a"], True) == asyncio.run(run())


def test_drain_has_an_end() -> None:
    """A work that hangs keeps the operator from ending."""

    async def run() -> list[str]:
        worker = _Worker(workers=1)
        worker.queue.start()
        worker.queue.add("a")
        await worker.began.get()
        await worker.queue.drain(0.01)
        return worker.ended

    assert [] == asyncio.run(run())
