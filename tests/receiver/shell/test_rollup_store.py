"""The file of the rollup: what is kept of it as it ages, within its size, and with a file or a disk that fails."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import pytest

from aigw_receiver.core.rollup.model import NOTHING, Cell, Distribution, Measure, Number, Totals, View
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.rollup_store import FILE, RollupStore, RollupUnavailable
from full_disk import full_disk

_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_NOW: Final = 1_800_000_000 * _SECOND
_MIB: Final = 1 << 20
_STEP: Final = 10 * _SECOND


def _cell(number: int) -> Cell:
    return Cell(View.GATEWAY, "ns", f"gw{number}", ())


def _totals(count: int) -> Totals:
    """Totals that say what they are."""
    return Totals({Number.INPUT: count}, {Measure.DURATION: (Distribution((1.0,), (count, 1), count / 2),)})


class _Kept:
    """A store, and what it is asked to keep."""

    def __init__(self, directory: Path | None, *, size: int = 64 * _MIB, retention: int = 168 * _HOUR) -> None:
        self.telemetry = Telemetry()
        self.store = RollupStore(directory, size=size, retention=retention, telemetry=self.telemetry)

    def write(self, at: int, counts: Mapping[int, int], *, is_all: bool = False) -> bool:
        """Write a step in which these gateways, by number, have these totals."""
        of = {self.store.known.walk((_cell(number),)): count for number, count in counts.items()}
        return self.store.write(
            at, of, lambda numbers: {number: _totals(of.get(number, 0)) for number in numbers}, is_all=is_all
        )

    def read(self, number: int, times: Iterable[int]) -> list[float]:
        """What is read of a gateway at these times."""
        (readings,) = self.store.read([_cell(number)], list(times))
        assert {NOTHING} >= {one for one in readings if not one.numbers} if not readings else True
        return [one.numbers.get(Number.INPUT, 0) for one in readings]

    def count(self, result: str) -> float | None:
        """How often a step had this result."""
        return self.telemetry.registry.get_sample_value("aigw_receiver_rollup_writes_total", {"result": result})

    def set_aside(self) -> float | None:
        """How many files were set aside."""
        return self.telemetry.registry.get_sample_value("aigw_receiver_rollup_set_aside_total")


@pytest.mark.parametrize("in_memory", [False, True])
def test_readings_at_any_time(tmp_path: Path, *, in_memory: bool) -> None:
    """A reading is that of another time or cell: before the first one, between two, at one, or after the last."""
    kept = _Kept(None if in_memory else tmp_path)
    assert (0, 0) == (kept.store.since(), kept.store.latest())
    assert [0] == kept.read(1, [_NOW])
    kept.write(_NOW, {})
    kept.write(_NOW + 10, {1: 5})
    kept.write(_NOW + 20, {1: 5, 2: 7})
    kept.write(_NOW + 30, {1: 9, 2: 7})
    assert (_NOW, _NOW + 30) == (kept.store.since(), kept.store.latest())
    times = [_NOW - 1, _NOW, _NOW + 9, _NOW + 10, _NOW + 29, _NOW + 30, _NOW + 1000]
    assert [0, 0, 0, 5, 5, 9, 9] == kept.read(1, times)
    assert [0, 0, 0, 0, 7, 7, 7] == kept.read(2, times)
    assert [5, 9] == kept.read(1, [_NOW + 11, _NOW + 31])
    assert [[_totals(5)], [NOTHING], [_totals(7)]] == kept.store.read([_cell(1), _cell(3), _cell(2)], [_NOW + 25])
    assert [[]] == kept.store.read([_cell(1)], [])
    assert [] == kept.store.read([], [_NOW])
    assert [_cell(1), _cell(2)] == kept.store.cells(View.GATEWAY)
    kept.store.close()


def test_a_restart(tmp_path: Path) -> None:
    """After a restart totals begin anew, or belong to other cells."""
    kept = _Kept(tmp_path)
    kept.write(_NOW, {number: number + 1 for number in range(20)})
    kept.write(_NOW + _STEP, {3: 30})
    kept.store.close()
    again = _Kept(tmp_path)
    assert (_NOW, _NOW + _STEP) == (again.store.since(), again.store.latest())
    restored = again.store.restored()
    assert {again.store.known.find(_cell(number)) for number in range(20)} == set(restored)
    assert [4, 30] == again.read(3, [_NOW, _NOW + _STEP])
    assert again.write(_NOW + 2 * _STEP, {20: 5, 3: 31})
    assert [30, 31] == again.read(3, [_NOW + _STEP, _NOW + 2 * _STEP])
    assert [0, 5] == again.read(20, [_NOW + _STEP, _NOW + 2 * _STEP])
    assert {} == again.store.restored() | {}
    again.store.close()


def test_thinning(tmp_path: Path) -> None:
    """A step of a chart ends with a reading that is gone, or readings that nobody needs stay for days."""
    kept = _Kept(tmp_path)
    end = _NOW + 14 * _HOUR
    for at in range(_NOW, end + 1, 3 * _STEP):
        kept.write(at, {1: (at - _NOW) // _STEP + 1})
    kept.store.thin(end)
    kept.store.thin(end + 30 * _MINUTE)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as connection:
        times = [(at - _NOW) // _SECOND for (at,) in connection.execute("SELECT at FROM readings ORDER BY at")]
    minutes, fine = 2 * 3600 + 30 * 60, 13 * 3600 + 30 * 60
    expected = [*range(0, minutes, 600), *range(minutes, fine, 60), *range(fine, 14 * 3600 + 1, 30)]
    assert expected == times
    exact = [*range(0, minutes, 600), *range(minutes, fine, 60), *range(fine, 14 * 3600, 30)]
    assert [at // 10 + 1 for at in exact] == kept.read(1, [_NOW + at * _SECOND for at in exact])
    kept.store.close()


def test_retention(tmp_path: Path) -> None:
    """What is older than is kept can be read, or a cell that rests loses its total with its last reading."""
    kept = _Kept(tmp_path, retention=_HOUR)
    for minute in range(0, 181, 10):
        kept.write(_NOW + minute * _MINUTE, {1: minute + 1} | ({2: 7} if minute == 10 else {}))
    kept.store.thin(_NOW + 180 * _MINUTE)
    assert _NOW + 120 * _MINUTE == kept.store.since()
    assert [121, 121, 131] == kept.read(1, [_NOW, _NOW + 120 * _MINUTE, _NOW + 130 * _MINUTE])
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as connection:
        assert (7,) == connection.execute("SELECT count(*) FROM readings").fetchone()
    kept.store.close()


@pytest.mark.parametrize(("size", "hours"), [(_MIB // 2, 2), (_MIB // 8, 0)])
def test_size(tmp_path: Path, size: int, hours: int) -> None:
    """The file becomes larger than it may, or the newest readings go before the oldest, or more than need be."""
    kept = _Kept(tmp_path, size=size)
    for step in range(1000):
        at = _NOW + step * _STEP
        kept.write(at, {number: step * 8 + number for number in range(64)})
        if kept.store.is_due(at):
            kept.store.thin(at)
            assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= size + _MIB // 8
    newest = _NOW + 999 * _STEP
    assert hours == (newest - kept.store.since()) // _HOUR
    assert [999 * 8 + 5, 998 * 8 + 5] == [kept.read(5, [at])[0] for at in (newest, newest - _STEP)]
    kept.store.close()


def test_cells_that_are_forgotten(tmp_path: Path) -> None:
    """A new cell is read as one that is gone was, also after a restart; or what is gone stays in the file."""
    kept = _Kept(tmp_path)
    kept.write(_NOW, {1: 5, 2: 6})
    kept.store.forget([kept.store.known.find(_cell(1))])
    kept.write(_NOW + _STEP, {2: 7})
    kept.store.close()
    again = _Kept(tmp_path)
    assert [_cell(2)] == again.store.cells(View.GATEWAY)
    again.write(_NOW + 2 * _STEP, {3: 1, 2: 7})
    assert [0, 0, 1] == again.read(3, [_NOW, _NOW + _STEP, _NOW + 2 * _STEP])
    again.store.forget([again.store.known.find(_cell(number)) for number in (2, 3)])
    again.write(_NOW + 3 * _STEP, {4: 9})
    assert [0, 9] == again.read(4, [_NOW + 2 * _STEP, _NOW + 3 * _STEP])
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as connection:
        assert (1,) == connection.execute("SELECT count(*) FROM readings").fetchone()
        assert (1,) == connection.execute("SELECT count(*) FROM cells").fetchone()
    again.store.close()


def test_a_clock_that_was_ahead(tmp_path: Path) -> None:
    """After a clock was years ahead for a while nothing is shown for years, or totals of then."""
    kept = _Kept(tmp_path)
    kept.write(_NOW, {1: 5, 2: 1})
    ahead = _NOW + 10_000 * _HOUR
    kept.write(ahead, {1: 6, 2: 1})
    kept.store.thin(ahead)
    assert not kept.write(_NOW + _STEP, {1: 7})
    assert kept.store.needs_all(_NOW + _STEP)
    assert kept.write(_NOW + _STEP, {1: 7, 2: 1}, is_all=True)
    assert (_NOW + _STEP, _NOW + _STEP) == (kept.store.since(), kept.store.latest())
    assert [7] == kept.read(1, [ahead])
    kept.store.close()


def test_a_full_disk(tmp_path: Path) -> None:
    """A full disk ends the receiver, costs what was there, or what did not change meanwhile is missing afterwards."""
    kept = _Kept(tmp_path)
    assert kept.write(_NOW, {1: 5, 2: 1})
    with full_disk((tmp_path / f"{FILE}-wal").stat().st_size):
        assert not kept.write(_NOW + _STEP, {1: 6})
        assert [5] == kept.read(1, [_NOW + _STEP])
    assert kept.store.needs_all(_NOW + 2 * _STEP)
    assert kept.write(_NOW + 2 * _STEP, {1: 7, 2: 1}, is_all=True)
    assert not kept.store.needs_all(_NOW + 3 * _STEP)
    assert [5, 7] == kept.read(1, [_NOW + _STEP, _NOW + 2 * _STEP])
    assert (2, 1, 0) == (kept.count("success"), kept.count("failure"), kept.set_aside())
    kept.store.close()


@pytest.mark.parametrize("content", [b"no database", b"no database" * 1000])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be read ends the receiver, or is lost."""
    (tmp_path / FILE).write_bytes(content)
    kept = _Kept(tmp_path)
    assert kept.write(_NOW, {1: 5}, is_all=True)
    assert [5] == kept.read(1, [_NOW])
    (aside,) = tmp_path.glob(f"{FILE}.corrupt-*")
    assert (content, 1) == (aside.read_bytes(), kept.set_aside())
    kept.store.close()


def test_totals_of_another_version(tmp_path: Path) -> None:
    """What a later version has written is read as if it were ours."""
    kept = _Kept(tmp_path)
    kept.write(_NOW, {1: 5})
    kept.store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as connection:
        connection.execute("UPDATE rollup SET packing = packing + 1")
    again = _Kept(tmp_path)
    assert (1, {}, 0) == (again.set_aside(), again.store.restored(), len(again.store.known))
    again.store.close()


def test_damaged_readings(tmp_path: Path) -> None:
    """Damaged totals end the receiver at its start, or are gone on from."""
    kept = _Kept(tmp_path)
    kept.write(_NOW, {1: 5})
    kept.store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as connection:
        connection.execute("UPDATE readings SET totals = zeroblob(30)")
    again = _Kept(tmp_path)
    assert (1, {}, []) == (again.set_aside(), again.store.restored(), again.store.cells(View.GATEWAY))
    again.store.close()


def test_a_file_that_is_damaged_while_it_is_read(tmp_path: Path) -> None:
    """A damaged file is never replaced, or its successor lacks what has not changed since."""
    kept = _Kept(tmp_path)
    for step in range(300):
        kept.write(_NOW + step * _STEP, {number: step + number for number in range(64)}, is_all=True)
    kept.store.thin(_NOW)
    with (tmp_path / FILE).open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * ((tmp_path / FILE).stat().st_size - 8192))
    with pytest.raises(RollupUnavailable):
        kept.store.read([_cell(number) for number in range(64)], [_NOW])
    assert 1 == kept.set_aside()
    assert kept.store.needs_all(_NOW + 400 * _STEP)
    assert not kept.write(_NOW + 400 * _STEP, {1: 5})
    assert kept.write(_NOW + 400 * _STEP, {1: 5, 2: 6}, is_all=True)
    assert [5] == kept.read(1, [_NOW + 400 * _STEP])
    kept.store.close()


def test_a_directory_that_is_not_there_yet(tmp_path: Path) -> None:
    """What cannot be opened at the start ends the receiver, or stays closed for ever, or reads fail without a word."""
    kept = _Kept(tmp_path / "later")
    with pytest.raises(RollupUnavailable):
        kept.store.read([_cell(1)], [_NOW])
    assert not kept.write(_NOW, {1: 5})
    (tmp_path / "later").mkdir()
    assert kept.write(_NOW, {1: 5}, is_all=True)
    assert [5] == kept.read(1, [_NOW])
    kept.store.close()
    assert not kept.write(_NOW + _STEP, {1: 6})


def test_a_file_that_comes_late(tmp_path: Path) -> None:
    """What an earlier run left, and could not be opened at the start, is mixed with what is written now."""
    kept = _Kept(tmp_path / "a")
    (tmp_path / "a").mkdir()
    other = _Kept(tmp_path / "a")
    other.write(_NOW, {7: 70, 8: 80})
    other.store.close()
    assert kept.write(_NOW + _STEP, {1: 5}, is_all=True)
    assert ([5], [0]) == (kept.read(1, [_NOW + _STEP]), kept.read(7, [_NOW + _STEP]))
    kept.store.close()


_WRITER: Final = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_rollup_store import _Kept, _NOW, _STEP
kept = _Kept(Path(sys.argv[1]))
for step in range(1_000_000):
    kept.write(_NOW + step * _STEP, {number: step + 1 for number in range(20)})
    print(step, flush=True)
"""


def test_kill(tmp_path: Path) -> None:
    """A receiver that is killed while it writes leaves a file that cannot be read, or half a step."""
    here = Path(__file__)
    command = [sys.executable, "-c", _WRITER, str(tmp_path), str(here.parent), str(here.parents[2])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if int(line) >= 30:
                break
        program.send_signal(signal.SIGKILL)
    kept = _Kept(tmp_path)
    last = (kept.store.latest() - _NOW) // _STEP
    assert last >= 30
    assert [last + 1] * 20 == [kept.read(number, [kept.store.latest()])[0] for number in range(20)]
    assert 0 == kept.set_aside()
    kept.store.close()


def test_reading_while_writing(tmp_path: Path) -> None:
    """A reader sees half a step, or makes the writer fail."""
    kept = _Kept(tmp_path)
    ended, seen = threading.Event(), list[bool]()

    def read() -> None:
        while not ended.is_set():
            at = kept.store.latest()
            readings = kept.store.read([_cell(number) for number in range(20)], [at])
            seen.append(1 == len({one.numbers.get(Number.INPUT) for (one,) in readings}))

    kept.write(_NOW, dict.fromkeys(range(20), 1))
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for step in range(1, 100):
        assert kept.write(_NOW + step * _STEP, dict.fromkeys(range(20), step + 1))
    ended.set()
    for reader in readers:
        reader.join()
    kept.store.close()
    assert {True} == set(seen)
