"""The store of kept access logs within its bounds, and with a file or a disk that fails."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from aigw_receiver.core.access_logs.search import Position
from aigw_receiver.shell import sqlite_file
from aigw_receiver.shell.sinks import store
from aigw_receiver.shell.sinks.store import Unavailable
from full_disk import full_disk
from kept_logs import HOUR, MIB, SECOND, Store, asked, line, numbers, record

_NOW = 1_795_000_000 * SECOND

# A batch as a sink gets it: 256 KiB of lines; in pages, with the index and what was deleted for it, no more than this.
_BATCH_OF_PAGES = MIB


def _size(directory: Path) -> int:
    """Bytes of the file and its log."""
    return sum(path.stat().st_size for path in directory.iterdir() if path.name in (store.FILE, _LOG))


_LOG = f"{store.FILE}-wal"


def test_age(tmp_path: Path) -> None:
    """A record is kept for longer than it should, or for less, or by the clock of a sender that is wrong."""
    now = [_NOW]
    kept = Store(tmp_path, clock=lambda: now[0], retention=HOUR)
    kept.write([record(_NOW, request_id="1"), record(_NOW + 1000 * HOUR, request_id="2"), record(0, request_id="3")])
    now[0] += 1
    kept.write([record(_NOW, request_id=str(number)) for number in range(10, 500)])
    now[0] = _NOW + HOUR
    kept.sink.retain()
    assert 493 == len(numbers(kept.find(("limit", "1000"))))
    now[0] += 1
    kept.sink.retain()
    assert set(range(10, 500)) == set(numbers(kept.find(("limit", "1000"))))
    now[0] += 1
    kept.sink.retain()
    assert [] == kept.find()
    kept.sink.close()


def test_age_where_our_own_clock_was_wrong(tmp_path: Path) -> None:
    """A clock that was years ahead for a while makes records stay for years."""
    now = [_NOW + 10_000 * HOUR]
    kept = Store(tmp_path, clock=lambda: now[0], retention=HOUR)
    kept.write([record(_NOW, request_id="1")])
    now[0] = _NOW
    kept.write([record(_NOW, request_id="2")])
    kept.sink.retain()
    assert [2] == numbers(kept.find())
    now[0] -= HOUR
    kept.sink.retain()
    assert [2] == numbers(kept.find())
    kept.sink.close()


def test_size(tmp_path: Path) -> None:
    """The file becomes larger than it may, or the newest records go before the oldest, or more than need be."""
    kept = Store(tmp_path, size=8 * MIB)
    sizes = []
    for batch in range(40):
        first = batch * 250
        kept.write([record(_NOW, request_id=str(first + number), user_agent="x" * 750) for number in range(250)])
        sizes.append(_size(tmp_path))
    position = kept.sink.position()
    piece = kept.sink.read_after(asked(), Position(position.tag, 0))
    rest = kept.sink.read_after(asked(), piece.position)
    kept.sink.close()
    there = [number for number, _ in (*piece.lines, *rest.lines)]
    assert 10_000 == position.id
    assert list(range(there[0], 10_001)) == there
    assert there[0] - 1 == piece.lost
    assert max(sizes) <= 8 * MIB + _BATCH_OF_PAGES
    # Of what may be used, the log may have an eighth; of what was used, a record is about 1.3 KiB.
    assert len(there) > 4500


@pytest.mark.parametrize("length", [10, 300_000, 3_000_000])
def test_size_with_records_of_any_length(tmp_path: Path, length: int) -> None:
    """Records that are small or huge make the file larger than it may be by more than one of them."""
    kept = Store(tmp_path, size=2 * MIB)
    sizes = []
    results = []
    for batch in range(40):
        count = 256 if length < 1000 else 1
        lines = [record(_NOW, request_id=str(batch), user_agent="x" * length) for _ in range(count)]
        results.append(kept.sink.write([line(one) for one in lines]))
        sizes.append(_size(tmp_path))
    kept.sink.close()
    # A record of more than a quarter of the whole is not kept.
    assert [0 if length > MIB else count] * 40 == results
    assert max(sizes) <= 2 * MIB + _BATCH_OF_PAGES


def test_size_while_somebody_searches(tmp_path: Path) -> None:
    """Searches that follow one another without a pause make the log grow for ever."""
    kept = Store(tmp_path, size=8 * MIB)
    ended = threading.Event()

    def search() -> None:
        while not ended.is_set():
            assert [] == kept.find(("text", "nowhere"))

    searches = [threading.Thread(target=search) for _ in range(2)]
    for thread in searches:
        thread.start()
    sizes = []
    for batch in range(30):
        assert 250 == kept.write([record(_NOW, request_id=str(batch), user_agent="x" * 750)] * 250)
        sizes.append(_size(tmp_path))
    ended.set()
    for thread in searches:
        thread.join()
    kept.sink.close()
    assert max(sizes) <= 8 * MIB + _BATCH_OF_PAGES


def test_somebody_else_who_reads_for_ever(tmp_path: Path) -> None:
    """Another program that keeps the file open for reading makes it larger than it may be, or ends the sink."""
    kept = Store(tmp_path, size=MIB, patience=-1)
    large = [record(_NOW, request_id="1", user_agent="x" * 1000)] * 100
    with contextlib.closing(sqlite3.connect(tmp_path / store.FILE, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert (0,) == reader.execute("SELECT count(*) FROM logs").fetchone()
        assert 100 == kept.write(large)
        for _ in range(20):
            with pytest.raises(OSError, match="reads the store of access logs for so long"):
                kept.write(large)
        kept.sink.retain()
        assert _size(tmp_path) <= 2 * MIB
    assert 100 == kept.write(large)
    kept.sink.close()


def test_the_file_becomes_smaller(tmp_path: Path) -> None:
    """What was deleted keeps its place on the disk, or a smaller bound is not kept to after a restart."""
    now = [_NOW]
    kept = Store(tmp_path, clock=lambda: now[0])
    kept.write([record(_NOW, request_id=str(number), user_agent="x" * 1000) for number in range(6000)])
    kept.sink.close()
    assert _size(tmp_path) > 6 * MIB
    smaller = Store(tmp_path, clock=lambda: now[0], size=2 * MIB, retention=HOUR)
    smaller.sink.retain()
    assert MIB < _size(tmp_path) < 2 * MIB
    assert [5999] == numbers(smaller.find(("limit", "1")))
    now[0] += HOUR + 1
    smaller.sink.retain()
    assert _size(tmp_path) < 64 << 10
    smaller.sink.close()


def test_size_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver without a data directory takes as much memory as it may take of a disk."""
    monkeypatch.setattr(store, "MOST_IN_MEMORY", 2 * MIB)
    kept = Store(size=64 * MIB)
    for batch in range(40):
        kept.write([record(_NOW, request_id=str(batch), user_agent="x" * 750)] * 250)
    found = len(_all(kept))
    kept.sink.close()
    assert 1000 < found < 2 * MIB // 750


def _all(kept: Store) -> list[int]:
    position = kept.sink.position()
    return [number for number, _ in kept.sink.read_after(asked(), Position(position.tag, 0)).lines]


def _garbage(file: Path) -> None:
    file.write_bytes(os.urandom(50_000))


def _short_garbage(file: Path) -> None:
    file.write_bytes(b"no database")


def _truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _change(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute(statement)
    connection.commit()
    connection.close()


def _later_version(file: Path) -> None:
    _change(file, "PRAGMA user_version = 2")


def _other_program(file: Path) -> None:
    file.unlink()
    _change(file, "CREATE TABLE logs (id INTEGER PRIMARY KEY)")


@pytest.mark.parametrize("damage", [_garbage, _short_garbage, _truncate, _later_version, _other_program])
def test_a_file_that_is_corrupt_at_start(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """A file that cannot be read ends the receiver, is taken for an empty one, or is lost without a word."""
    first = Store(tmp_path)
    first.write([record(_NOW, request_id=str(number), body="x" * 1000) for number in range(100)])
    first.sink.close()
    file = tmp_path / store.FILE
    damage(file)
    content = file.read_bytes()

    second = Store(tmp_path, clock=lambda: _NOW)
    assert 1 == second.write([record(_NOW, request_id="7")])
    assert [7] == numbers(second.find())
    second.sink.close()

    assert {"set_aside": 1} == second.results()
    assert [store.FILE, f"{store.FILE}.corrupt-20261118T110640Z"] == sorted(path.name for path in tmp_path.iterdir())
    assert content == (tmp_path / f"{store.FILE}.corrupt-20261118T110640Z").read_bytes()
    assert ["the store of access logs cannot be read; it is set aside"] == [one.message for one in caplog.records]


def test_only_the_newest_corrupt_file_is_kept(tmp_path: Path) -> None:
    """A file that becomes corrupt again and again fills the disk, or its log becomes that of the next file."""
    file = tmp_path / store.FILE
    for hour in range(3):
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).write_bytes(b"%d" % hour)
        sqlite_file.set_aside(file, _NOW + hour * HOUR)
    name = f"{store.FILE}.corrupt-20261118T130640Z"
    assert {name: b"2", f"{name}-wal": b"2"} == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_an_empty_file(tmp_path: Path) -> None:
    """A file that was only just made when the receiver was killed is taken for a corrupt one."""
    (tmp_path / store.FILE).touch()
    kept = Store(tmp_path)
    assert 1 == kept.write([record(_NOW, request_id="7")])
    kept.sink.close()
    assert {} == kept.results()


def _spoil(file: Path) -> None:
    """Write over all pages but the first two, as a disk that fails does."""
    with file.open("r+b") as opened:
        opened.seek(8192)
        opened.write(b"\xff" * (file.stat().st_size - 8192))


@pytest.mark.parametrize("by_reader", [True, False])
def test_a_file_that_becomes_corrupt(tmp_path: Path, *, by_reader: bool) -> None:
    """A fault that shows only later ends the sink, or makes it useless until the next start."""
    first = Store(tmp_path)
    first.write([record(_NOW, request_id=str(number), body="x" * 1000) for number in range(1000)])
    first.sink.close()
    kept = Store(tmp_path)
    kept.sink.retain()
    _spoil(tmp_path / store.FILE)
    if by_reader:
        for _ in range(2):
            with pytest.raises(Unavailable):
                kept.find(("text", "nowhere"))
        assert {"set_aside": 1} == kept.results()
    assert 300 == kept.write([record(_NOW, request_id="7")] * 300)
    assert 100 == len(kept.find())
    kept.sink.close()
    assert {"set_aside": 1} == kept.results()


def test_a_full_disk(tmp_path: Path) -> None:
    """A full disk costs records that are not counted, or those that were there, or the sink once there is space."""
    kept = Store(tmp_path)
    large = [record(_NOW + 1, request_id=str(number), user_agent="x" * 1000) for number in range(100, 400)]
    assert 1 == kept.write([record(_NOW, request_id="1")])
    with full_disk(200_000):
        with pytest.raises(OSError, match="disk"):
            kept.write(large)
        assert [1] == numbers(kept.find())
    position = kept.sink.position()
    assert 300 == kept.write(large)
    assert [399, 398] == numbers(kept.find(("limit", "2")))
    assert position.id + 300 == kept.sink.position().id
    kept.sink.close()


def test_a_transaction_that_fails() -> None:
    """What fails half-way leaves a half of it behind, or a transaction that no other can begin in."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a)")
        with contextlib.suppress(KeyError), sqlite_file.transaction(connection):
            connection.execute("INSERT INTO t VALUES (1)")
            raise KeyError
        with sqlite_file.transaction(connection):
            connection.execute("INSERT INTO t VALUES (2)")
        assert [(2,)] == connection.execute("SELECT a FROM t").fetchall()


def test_records_of_a_full_disk_are_counted(tmp_path: Path) -> None:
    """Records that a full disk cost are counted as written, or those that come later are lost, too."""
    kept = Store(tmp_path)
    with full_disk(1):
        kept.sink.put(line(record(_NOW, request_id="1")))
        kept.sink.close()
    assert {"failed": 1} == kept.results()
    again = Store(tmp_path)
    again.sink.put(line(record(_NOW, request_id="2")))
    again.sink.close()
    assert {"written": 1} == again.results()


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """A store that cannot be opened ends the receiver, or stays closed when it could be."""
    (tmp_path / store.FILE).mkdir()
    kept = Store(tmp_path)
    with pytest.raises(OSError, match="directory"):
        kept.write([record(_NOW)])
    with pytest.raises(Unavailable, match=r"^the store of access logs is not open$"):
        kept.find()
    (tmp_path / store.FILE).rmdir()
    assert 1 == kept.write([record(_NOW, request_id="7")])
    assert [7] == numbers(kept.find())
    kept.sink.close()
    with pytest.raises(OSError, match="closed"):
        kept.write([record(_NOW)])
