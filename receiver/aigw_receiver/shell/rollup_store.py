"""Keeps the readings of the rollup in a database, thins them out as they age, and reads them for the API.

What totals are, how they are packed and how long they are kept is decided in `core/rollup`. Whatever is wrong with the
file or the disk costs readings, which is counted, and never the program: totals are running ones, so that nothing but
the moments in between is lost.
"""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import prometheus_client

from aigw_receiver.core.rollup import packing, thinning
from aigw_receiver.core.rollup.cells import Cells
from aigw_receiver.core.rollup.model import NOTHING, Cell, Totals, View
from aigw_receiver.core.rollup.packing import BLOCK, Layouts, Unpacking
from aigw_receiver.core.sources import SECOND
from aigw_receiver.shell import rollup_file, rollup_reading, sqlite_file
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.rollup_file import RollupFile

_log: Final = logging.getLogger(__name__)

# Totals by the number of their cell.
TotalsOf = Callable[[list[int]], Mapping[int, Totals]]

FILE: Final = "rollup.sqlite"

# Without a data directory: nobody who gave us none expects much memory to be taken.
MOST_IN_MEMORY: Final = 2 << 20  # bytes

# How often readings are thinned out.
_ROUND: Final = 60 * SECOND

# Blocks that are packed at a time.
_AT_A_TIME: Final = 32

_NOT_YET: Final = (0, 0)


class RollupUnavailable(Exception):  # noqa: N818 - says what the store is
    """The rollup cannot be read at the moment; the message says why."""


class RollupStore:
    """Readings of running totals in DIRECTORY/rollup.sqlite, or in memory. Written by one thread, read by any."""

    def __init__(self, directory: Path | None, *, size: int, retention: int, telemetry: Telemetry) -> None:
        """`size` is in bytes, `retention` in nanoseconds. A file that cannot be read is set aside, and none fatal."""
        self._path = None if directory is None else directory / FILE
        self._size = size if directory is not None else min(size, MOST_IN_MEMORY)
        self._retention = retention
        self._share = 1.0
        self._writing = threading.Lock()
        self._writes = prometheus_client.Counter(
            "aigw_receiver_rollup_writes",
            "Steps of the rollup, by what became of them",
            ["result"],
            registry=telemetry.registry,
        )
        self._set_aside = prometheus_client.Counter(
            "aigw_receiver_rollup_set_aside",
            "Files of the rollup that could not be read and were set aside",
            registry=telemetry.registry,
        )
        self._file: RollupFile | None = None
        self._is_closed = False
        self.known = Cells()
        """the cells; changed by the writer only"""
        self._forget_file()
        try:
            self._attempt(self._load)
        except (OSError, sqlite3.Error) as error:
            self.known = Cells()
            self._forget_file()
            _log.error("the rollup cannot be opened; it is tried again", extra={"error": str(error)})

    def _forget_file(self) -> None:
        """Know nothing of what is in the file."""
        self._since = self._latest = self._thinned = 0
        self._tiers = _NOT_YET
        """up to when the readings of each tier have been thinned out"""
        self._gone: list[int] = []
        self._emptied: list[int] = []
        """cells that were forgotten, and blocks, and are still in the file"""
        self._is_incomplete = False
        """the file may lack cells that have not changed lately"""
        self._kept = bytearray()
        """by cell, 1 where it is in the file"""
        self._layouts = Layouts()
        self._kept_layouts = 0
        self._unpacking = Unpacking(self._layouts)
        self._restored: dict[int, Totals] = {}

    def _opened(self) -> RollupFile:
        if self._is_closed:
            raise OSError(None, "the rollup is closed")
        if self._file is None:
            file = RollupFile(self._path)
            # We go on without what was not there when we began; its numbers would be other cells'.
            file.clear()
            self._file = file
        return self._file

    def _load(self) -> None:
        """Take over what an earlier run left. Raises OSError or sqlite3.Error, for a damaged file too."""
        self._file = RollupFile(self._path)
        with self._file.reading() as connection:
            self._since, self._latest = connection.execute("SELECT since, latest FROM rollup").fetchone()
            bounds = connection.execute("SELECT bounds FROM bounds ORDER BY number").fetchall()
            try:
                self._layouts = Layouts([packing.unpack_bounds(data) for (data,) in bounds])
                self._kept_layouts = len(bounds)
                self._unpacking = Unpacking(self._layouts)
                for number, view, namespace, name, key in connection.execute("SELECT * FROM cells ORDER BY number"):
                    if view:
                        self.known.restore(number, Cell(View(view), namespace, name, tuple(json.loads(key))))
                    else:
                        self.known.reserve(number)
                self._kept = bytearray(self.known.get(number) is not None for number in range(self.known.end))
                self._restored = dict(self._last_totals(connection))
            except ValueError as error:
                raise sqlite_file.NotOurs(str(error)) from None

    def _last_totals(self, connection: sqlite3.Connection) -> Iterator[tuple[int, Totals]]:
        """The last totals of each cell, by number."""
        last = "SELECT block, totals, max(at) FROM readings GROUP BY block"
        for block, data, _ in connection.execute(last):
            for number, packed in enumerate(self._unpacking.block(data), block * BLOCK):
                if packed and self._is_kept(number):
                    yield number, self._unpacking.totals(packed)

    def restored(self) -> dict[int, Totals]:
        """The last totals of an earlier run, by the numbers of their cells; once."""
        restored, self._restored = self._restored, {}
        return restored

    def since(self) -> int:
        """The oldest moment that can be read, in nanoseconds since 1970; 0 where there is nothing yet."""
        return self._since

    def latest(self) -> int:
        """When the last step was written; 0 where none was."""
        return self._latest

    def cells(self, view: View, gateway: tuple[str, str] | None = None) -> list[Cell]:
        """The cells that are known: of one gateway (namespace and name), or of all."""
        return self.known.of(view, gateway)

    def needs_all(self, at: int) -> bool:
        """Whether a step `at` that time has to give all cells: the file lacks some, or has times after it."""
        return self._is_incomplete or at <= self._latest

    def write(self, at: int, changed: Iterable[int], totals_of: TotalsOf, *, is_all: bool) -> bool:
        """Write a step: the totals that these cells have `at` that time, by number. Answers whether that was possible.

        A block is written as a whole. What was written of that time and later, by a clock that was ahead, is deleted.
        """
        blocks = sorted({number // BLOCK for number in changed})
        with self._writing:
            if self.needs_all(at) and not is_all:
                # A reader has set the file aside meanwhile.
                return False
            try:
                self._attempt(lambda: self._insert(self._opened(), at, blocks, totals_of))
            except (OSError, sqlite3.Error) as error:
                self._is_incomplete = True
                self._writes.labels("failure").inc()
                _log.error("the rollup cannot be written", extra={"error": str(error)})
                return False
            self._is_incomplete = False
        self._writes.labels("success").inc()
        return True

    def _attempt(self, do: Callable[[], None]) -> None:
        """Do something with the file; one that is damaged is set aside. Raises OSError or sqlite3.Error."""
        try:
            do()
        except sqlite3.Error as error:
            if sqlite_file.is_corrupt(error):
                self._replace(str(error))
            raise

    def _replace(self, error: str) -> None:
        """Close the file and move it out of the way; the next step begins a new one. Raises OSError."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._forget_file()
        self._is_incomplete = True
        if self._path is not None and self._path.exists():
            target = sqlite_file.set_aside(self._path, time.time_ns())
            self._set_aside.inc()
            _log.error("the rollup cannot be read; it is set aside", extra={"file": str(target), "error": error})

    def _insert(self, file: RollupFile, at: int, blocks: list[int], totals_of: TotalsOf) -> None:
        since, latest, first = min(self._since or at, at), self._latest, self._kept_layouts
        every = (number for block in blocks for number in self._numbers_of(block))
        new = [(number, cell) for number in every if not self._is_kept(number) and (cell := self.known.get(number))]
        with file.writing() as connection:
            rollup_file.delete_cells(connection, self._gone, self._emptied)
            if at <= latest:
                connection.execute("DELETE FROM readings WHERE at >= ?", (at,))
                self._tiers = _NOT_YET
            rollup_file.insert_readings(connection, at, self._packed(blocks, totals_of))
            bounds = self._layouts.bounds[first:]
            rollup_file.insert_bounds(connection, [*enumerate(map(packing.pack_bounds, bounds), first)])
            rollup_file.insert_cells(connection, new)
            connection.execute("UPDATE rollup SET since = ?, latest = ?", (since, at))
        self._gone, self._emptied = [], []
        self._kept.extend(bytes(max(self.known.end - len(self._kept), 0)))
        for number, _ in new:
            self._kept[number] = 1
        self._kept_layouts += len(bounds)
        self._since, self._latest = since, at

    def _numbers_of(self, block: int) -> list[int]:
        return [number for number in range(block * BLOCK, (block + 1) * BLOCK) if self.known.get(number) is not None]

    def _is_kept(self, number: int) -> bool:
        return number < len(self._kept) and self._kept[number] == 1

    def _packed(self, blocks: list[int], totals_of: TotalsOf) -> Iterator[tuple[int, bytes]]:
        """Blocks and their bytes, a few at a time: totals take ten times as much memory as their bytes."""
        for first in range(0, len(blocks), _AT_A_TIME):
            some = blocks[first : first + _AT_A_TIME]
            totals = totals_of([number for block in some for number in self._numbers_of(block)])
            for block in some:
                numbers = range(block * BLOCK, (block + 1) * BLOCK)
                yield block, packing.pack_block([totals.get(number) for number in numbers], self._layouts)

    def is_due(self, now: int) -> bool:
        """Whether readings should be thinned out."""
        return abs(now - self._thinned) >= _ROUND

    def thin(self, now: int) -> None:
        """Thin out what has aged, and keep to the size: where there is no room, everything ages sooner."""
        with self._writing:
            self._thinned = now
            try:
                self._attempt(lambda: self._thin(self._opened(), now))
            except (OSError, sqlite3.Error) as error:
                _log.warning("old readings of the rollup cannot be deleted", extra={"error": str(error)})

    def _thin(self, file: RollupFile, now: int) -> None:
        used = self._thin_by(file, now)
        while used > self._size and self._share > thinning.LEAST_SHARE:
            self._share, self._tiers = self._share / 2, _NOT_YET
            used = self._thin_by(file, now)
        if used < self._size / 2:
            self._share = min(2 * self._share, 1.0)
        file.shrink()

    def _thin_by(self, file: RollupFile, now: int) -> int:
        """Delete what the present ages do not keep; answers the bytes in use."""
        plan = thinning.plan(now, self._retention, self._share)
        since = max(self._since, plan.since) if self._since else 0
        with file.writing() as connection:
            rollup_file.thin(connection, plan, self._tiers)
            connection.execute("UPDATE rollup SET since = ?", (since,))
            used = file.used()
        self._tiers = plan.tiers[0].until, plan.tiers[1].until
        self._since = since
        return used

    def forget(self, numbers: Sequence[int]) -> None:
        """Forget cells that changed last before all that can be read; the next step deletes them."""
        self._emptied += [block for number in numbers if (block := self.known.forget(number)) is not None]
        self._gone += numbers
        for number in numbers:
            if self._is_kept(number):
                self._kept[number] = 0

    def read(self, cells: Sequence[Cell], times: Sequence[int]) -> list[list[Totals]]:
        """By cell and time, the running totals at that time; NOTHING before the first reading of the cell.

        `times` are nanoseconds since 1970, ascending; what is before `since` is read as of then.
        Raises RollupUnavailable.
        """
        times = [max(time, self._since) for time in times]
        wanted: dict[int, list[tuple[int, int]]] = {}
        for place, cell in enumerate(cells):
            number = self.known.find(cell)
            if number >= 0:
                wanted.setdefault(number // BLOCK, []).append((place, number % BLOCK))
        answer: list[list[Totals]] = [[NOTHING] * len(times) for _ in cells]
        unpacking = self._unpacking
        try:
            for block, readings in self._readings(list(wanted), times):
                each = rollup_reading.totals_of(readings, [within for _, within in wanted[block]], unpacking)
                for (place, _), totals in zip(wanted[block], each, strict=True):
                    answer[place] = totals
        except ValueError as error:
            # Damaged, or the file was replaced under our hands.
            raise RollupUnavailable(str(error)) from None
        return answer

    def _readings(self, blocks: list[int], times: list[int]) -> list[tuple[int, list[bytes | None]]]:
        """By block, its bytes at these times."""
        file = self._file
        if file is None:
            message = "the rollup is not open"
            raise RollupUnavailable(message)
        try:
            with file.reading() as connection:
                return [(block, rollup_reading.read_block(connection, block, times)) for block in blocks]
        except sqlite3.Error as error:
            if sqlite_file.is_corrupt(error):
                self._give_up(file, str(error))
            raise RollupUnavailable(str(error)) from None

    def _give_up(self, file: RollupFile, error: str) -> None:
        """Set a file aside that a reader found corrupt, unless that was done; the next step begins a new one."""
        with self._writing:
            if self._file is file:
                try:
                    self._replace(error)
                except OSError as failure:
                    _log.error("a corrupt rollup cannot be set aside", extra={"error": str(failure)})

    def close(self) -> None:
        """Close the file."""
        with self._writing:
            self._is_closed = True
            if self._file is not None:
                try:
                    self._file.close()
                except sqlite3.Error as error:
                    _log.error("the rollup was not closed in order", extra={"error": str(error)})
                self._file = None
