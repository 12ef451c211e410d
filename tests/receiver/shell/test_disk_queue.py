"""What waits on disk is in order, bounded, and there again after a restart, a crash, or a disk that was full."""

import errno
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aigw_receiver.shell.sinks.backlog import Appended, Backlog, Batch, MemoryQueue
from aigw_receiver.shell.sinks.disk_queue import DiskQueue

# With the nine bytes before it, a line is 20 bytes on disk; of a bound of 1600 bytes a segment has five.
_BOUND = 1600


def _lines(first: int, last: int) -> list[bytes]:
    return [b"line-%05d\n" % number for number in range(first, last)]


def _drain(queue: Backlog, most: int = 1 << 20) -> list[bytes]:
    """All that waits, settled."""
    found: list[bytes] = []
    while batch := queue.take(most):
        assert 0 == batch.damaged
        found += batch.lines
        queue.settle()
    assert (0, 0) == (queue.size, queue.records)
    return found


def _files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_order(tmp_path: Path) -> None:
    """Lines come out in another order, twice, or not at all; or what is settled stays on disk."""
    queue = DiskQueue(tmp_path, _BOUND)
    assert Appended(12) == queue.append(_lines(0, 12))
    assert (12 * 20, 12) == (queue.size, queue.records)
    assert ["position", "segment-1", "segment-2", "segment-3"] == _files(tmp_path)
    assert Batch(_lines(0, 2)) == queue.take(59)
    queue.settle()
    assert Batch(_lines(2, 5)) == queue.take(1000)
    queue.restore()
    assert Batch(_lines(2, 5)) == queue.take(1000)
    queue.settle()
    assert ["position", "segment-2", "segment-3"] == _files(tmp_path)
    assert Appended(2) == queue.append(_lines(12, 14))
    assert _lines(5, 14) == _drain(queue)
    assert queue.take(1000) is None
    queue.close()
    assert ["position"] == _files(tmp_path)


def test_a_restart(tmp_path: Path) -> None:
    """What had been settled is sent again after a restart, or what had not been is lost."""
    queue = DiskQueue(tmp_path, _BOUND)
    queue.append(_lines(0, 12))
    queue.take(1)
    queue.settle()
    queue.take(1000)
    # Nobody closes it: the process was killed with a batch on its way.
    queue = DiskQueue(tmp_path, _BOUND)
    assert (0, 0, 11) == (queue.torn, queue.dropped, queue.records)
    queue.append(_lines(12, 13))
    queue.close()
    queue = DiskQueue(tmp_path, _BOUND)
    assert _lines(1, 13) == _drain(queue)
    queue.append(_lines(13, 14))
    queue.close()
    queue = DiskQueue(tmp_path, _BOUND)
    assert _lines(13, 14) == _drain(queue)


def test_a_position_is_of_one_segment(tmp_path: Path) -> None:
    """A new segment has the number of one that was settled, and its lines count as sent."""
    for number in range(3):
        queue = DiskQueue(tmp_path, _BOUND)
        queue.append(_lines(number, number + 3))
        assert _lines(number, number + 3) == _drain(queue)
        queue.close()
    queue = DiskQueue(tmp_path, _BOUND)
    queue.append(_lines(0, 5))
    assert _lines(0, 5) == _drain(DiskQueue(tmp_path, _BOUND))


@pytest.mark.parametrize("cut", [1, 10, 19])
def test_a_torn_tail(tmp_path: Path, cut: int) -> None:
    """A line that a crash has torn takes others with it, is sent as a part, or is counted at every start."""
    DiskQueue(tmp_path, _BOUND).append(_lines(0, 3))
    os.truncate(tmp_path / "segment-1", 60 - cut)
    queue = DiskQueue(tmp_path, _BOUND)
    assert (1, 2) == (queue.torn, queue.records)
    queue.append(_lines(3, 4))
    queue.close()
    queue = DiskQueue(tmp_path, _BOUND)
    assert (0, 3) == (queue.torn, queue.records)
    assert [*_lines(0, 2), *_lines(3, 4)] == _drain(queue)


@pytest.mark.parametrize(
    ("damage", "count"),
    [
        (lambda data: data[:25] + b"\0" + data[26:], 1),
        (lambda data: data[:20] + b"\0" * 20 + data[40:], 2),
        (lambda data: data[:25] + b"\n" + data[26:], 1),
        (lambda data: b"\0" * len(data), 5),
        (lambda data: data[:0], 5),
        (lambda data: data[:40], 3),
    ],
)
def test_damage(tmp_path: Path, damage: Callable[[bytes], bytes], count: int) -> None:
    """A damaged line is sent, or not counted, or ends the queue."""
    queue = DiskQueue(tmp_path, _BOUND)
    queue.append(_lines(0, 10))
    path = tmp_path / "segment-1"
    path.write_bytes(damage(path.read_bytes()))
    lines: list[bytes] = []
    damaged = 0
    while batch := queue.take(1000):
        lines += batch.lines
        damaged += batch.damaged
        queue.settle()
    assert (0, 0) == (queue.size, queue.records)
    assert _lines(5, 10) == lines[-5:]
    assert set(lines) <= set(_lines(0, 10))
    assert (count, 10 - count) == (damaged, len(lines))


def test_damage_that_looks_like_more_lines(tmp_path: Path) -> None:
    """Line feeds where none were make the queue count more than it had, and never be empty."""
    queue = DiskQueue(tmp_path, _BOUND)
    queue.append(_lines(0, 10))
    path = tmp_path / "segment-1"
    path.write_bytes(path.read_bytes()[:25] + b"\n" * 5 + path.read_bytes()[30:])
    count = damaged = 0
    while batch := queue.take(1):
        count += len(batch.lines)
        damaged += batch.damaged
        queue.settle()
    assert (6, 4) == (count, damaged)
    assert (0, 0) == (queue.size, queue.records)


def test_a_segment_that_could_not_be_removed(tmp_path: Path) -> None:
    """A file that is left over is sent again at every start."""
    queue = DiskQueue(tmp_path, _BOUND)
    queue.append(_lines(0, 7))
    old = (tmp_path / "segment-1").read_bytes()
    queue.take(1000)
    queue.settle()
    queue.take(1)
    queue.settle()
    (tmp_path / "segment-1").write_bytes(old)
    queue = DiskQueue(tmp_path, _BOUND)
    assert ["position", "segment-2"] == _files(tmp_path)
    assert _lines(6, 7) == _drain(queue)


def test_a_segment_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever removes a file ends the sink, or what comes after is written to nowhere."""
    queue = DiskQueue(tmp_path, _BOUND)
    queue.append(_lines(0, 2))
    (tmp_path / "segment-1").unlink()
    assert Batch([], 2) == queue.take(1000)
    queue.append(_lines(2, 4))
    queue.settle()
    assert _lines(2, 4) == _drain(queue)
    assert ["a segment of a queue cannot be read"] == [record.message for record in caplog.records]


def test_a_damaged_position(tmp_path: Path) -> None:
    """A position that cannot be read loses lines: it may only have them sent again."""
    queue = DiskQueue(tmp_path, _BOUND)
    queue.append(_lines(0, 5))
    queue.take(50)
    queue.settle()
    (tmp_path / "position").write_bytes(b"\xff" * 20)
    assert _lines(0, 5) == _drain(DiskQueue(tmp_path, _BOUND))


def test_a_full_queue(tmp_path: Path) -> None:
    """Another line than the oldest is dropped, one is not counted, or there is more on disk than was asked for."""
    queue = DiskQueue(tmp_path, _BOUND)
    assert Appended(80) == queue.append(_lines(0, 80))
    assert (1600, 80) == (queue.size, queue.records)
    assert Appended(1, 5) == queue.append(_lines(80, 81))
    assert Appended(4) == queue.append(_lines(81, 85))
    assert Appended(200, 200) == queue.append(_lines(85, 285))
    assert 1600 == sum(path.stat().st_size for path in tmp_path.glob("segment-*"))
    assert _lines(205, 285) == _drain(queue)


def test_a_full_queue_while_lines_are_sent(tmp_path: Path) -> None:
    """Lines that are being sent are counted as lost and then arrive, or come again after a restart."""
    queue = DiskQueue(tmp_path, _BOUND)
    queue.append(_lines(0, 80))
    assert Batch(_lines(0, 2)) == queue.take(40)
    assert Appended(3, 3) == queue.append(_lines(80, 83))
    assert Appended(5, 5) == queue.append(_lines(83, 88))
    assert _lines(0, 2) == DiskQueue(tmp_path, _BOUND).take(1000).lines  # type: ignore[union-attr]
    queue.settle()
    assert _lines(10, 88) == _drain(queue)


def test_a_line_that_is_too_large(tmp_path: Path) -> None:
    """A line that never fits empties the queue, or one that just fits is dropped."""
    fits, too_large = b"x" * (_BOUND - 10) + b"\n", b"x" * (_BOUND - 9) + b"\n"
    queue = DiskQueue(tmp_path, _BOUND)
    assert Appended(3, 1) == queue.append([*_lines(0, 1), too_large, *_lines(1, 2)])
    assert 2 == queue.records
    assert Appended(1, 2) == queue.append([fits])
    assert [fits] == _drain(queue, most=100)


def test_a_smaller_bound(tmp_path: Path) -> None:
    """After a restart with less room there is more on disk than was asked for, or what is lost is not counted."""
    DiskQueue(tmp_path, _BOUND).append(_lines(0, 20))
    queue = DiskQueue(tmp_path, 300)
    assert (5, 15) == (queue.dropped, queue.records)
    assert _lines(5, 20) == _drain(queue)


def _full(written: int) -> Callable[..., int]:
    """A disk that takes so many bytes more."""
    real, left = os.pwrite, [written]

    def pwrite(file: int, data: bytes, offset: int) -> int:
        taken = data[: left[0]]
        left[0] -= len(taken)
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, taken, offset)

    return pwrite


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of a line stays in the file, a whole one is not known, or nothing is written after that."""
    queue = DiskQueue(tmp_path, _BOUND)
    queue.append(_lines(0, 1))
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", _full(50))
        assert Appended(2, 0, "No space left on device") == queue.append(_lines(1, 4))
        assert 60 == (tmp_path / "segment-1").stat().st_size
        assert Appended(0, 0, "No space left on device") == queue.append(_lines(3, 4))
    assert Appended(1) == queue.append(_lines(3, 4))
    assert _lines(0, 4) == DiskQueue(tmp_path, _BOUND).take(1000).lines  # type: ignore[union-attr]
    assert _lines(0, 4) == _drain(queue)


def test_a_position_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that fails ends the thread that sends, or is said with every request."""
    queue = DiskQueue(tmp_path, _BOUND)
    queue.append(_lines(0, 12))
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", _full(0))
        assert _lines(0, 12) == _drain(queue)
    messages = [record.message for record in caplog.records]
    assert ["what was sent cannot be noted; a restart sends it again"] == messages


def test_the_disk_is_told_to_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that fails takes with it what had been synced, or the disk is busy with every record."""
    synced: list[str] = []
    real = os.fsync

    def fsync(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink().name)
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    queue = DiskQueue(tmp_path / "queue", _BOUND)
    queue.append(_lines(0, 5))
    assert [] == synced
    queue.append(_lines(5, 6))
    assert ["segment-1", "queue"] == synced
    queue.sync()
    queue.sync()
    assert ["segment-1", "queue", "segment-2", "queue"] == synced
    queue.append(_lines(6, 7))
    queue.close()
    assert ["segment-1", "queue", "segment-2", "queue", "segment-2", "queue"] == synced


def test_who_may_read_it(tmp_path: Path) -> None:
    """Others on the machine can read who asked what."""
    queue = DiskQueue(tmp_path / "forward" / "name", _BOUND)
    queue.append(_lines(0, 1))
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "forward" / "name").iterdir()}
    assert {"position": 0o600, "segment-1": 0o600} == modes
    assert 0o700 == (tmp_path / "forward" / "name").stat().st_mode & 0o777


_STEPS = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 60)),
    st.tuples(st.just("take"), st.integers(1, 700)),
    st.tuples(st.sampled_from(["settle", "restore", "restart"]), st.just(0)),
)


def _check_steps(queue: Backlog, steps: Sequence[tuple[str, int]], restart: Callable[[Backlog], Backlog]) -> None:
    """Every line is dropped, settled or waits; and what is settled is in order."""
    put = dropped = 0
    settled: list[bytes] = []
    batch: Batch | None = None
    for name, number in steps:
        if name == "append":
            appended = queue.append(_lines(put, put + number))
            assert number == appended.taken
            put += number
            dropped += appended.dropped
        elif name == "take" and batch is None:
            batch = queue.take(number)
        elif name == "settle" and batch is not None:
            queue.settle()
            settled += batch.lines
            batch = None
        elif name == "restore" and batch is not None:
            queue.restore()
            batch = None
        elif name == "restart":
            queue = restart(queue)
            batch = None
        assert put == dropped + len(settled) + queue.records
        assert queue.size <= _BOUND
    if batch is not None:
        queue.restore()
    settled += _drain(queue)
    assert put == dropped + len(settled)
    assert sorted(set(settled)) == settled


# A disk takes its time.
@settings(deadline=None, max_examples=50)
@given(st.lists(_STEPS, max_size=40))
def test_any_steps_on_disk(steps: list[tuple[str, int]]) -> None:
    """Some order of events loses a line without counting it, or has one sent twice."""
    with tempfile.TemporaryDirectory() as name:

        def restart(queue: Backlog) -> Backlog:
            queue.close()
            return DiskQueue(Path(name), _BOUND)

        _check_steps(DiskQueue(Path(name), _BOUND), steps, restart)


@given(st.lists(_STEPS, max_size=40))
def test_any_steps_in_memory(steps: list[tuple[str, int]]) -> None:
    """Without a data directory some order of events loses a line without counting it, or has one sent twice."""

    def restart(queue: Backlog) -> Backlog:
        queue.restore()
        return queue

    _check_steps(MemoryQueue(_BOUND), steps, restart)


def test_a_full_queue_in_memory() -> None:
    """What is being sent is dropped, or a line that never fits empties the queue."""
    queue = MemoryQueue(55)
    assert Appended(5) == queue.append(_lines(0, 5))
    assert Batch(_lines(0, 2)) == queue.take(22)
    assert Appended(2, 2) == queue.append([b"x" * 56, *_lines(5, 6)])
    queue.restore()
    assert [*_lines(0, 2), *_lines(3, 6)] == _drain(queue, most=1)
