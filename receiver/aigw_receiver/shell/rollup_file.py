"""The database of the rollup: its schema, its writer and its readers. What it holds is decided in `core/rollup`.

Connections of readers are kept. A database in memory has one connection for all, which they take in turns.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from aigw_receiver.core.rollup import packing
from aigw_receiver.core.rollup.model import Cell
from aigw_receiver.core.rollup.packing import BLOCK
from aigw_receiver.core.rollup.thinning import Plan
from aigw_receiver.shell import sqlite_file
from aigw_receiver.shell.sqlite_file import NotOurs, Schema, transaction

# "aigr"
_APPLICATION: Final = 0x61696772
_VERSION: Final = 1

# A row holds a block of cells (see `packing`) at a time in nanoseconds. A number without a view was used.
_TABLES: Final = """
    CREATE TABLE rollup (packing INTEGER NOT NULL, since INTEGER NOT NULL, latest INTEGER NOT NULL);
    CREATE TABLE bounds (number INTEGER PRIMARY KEY, bounds BLOB NOT NULL);
    CREATE TABLE cells (
      number INTEGER PRIMARY KEY,
      view TEXT NOT NULL,
      namespace TEXT NOT NULL,
      name TEXT NOT NULL,
      key TEXT NOT NULL
    );
    CREATE TABLE readings (
      id INTEGER PRIMARY KEY,
      block INTEGER NOT NULL,
      at INTEGER NOT NULL,
      totals BLOB NOT NULL
    );
    CREATE UNIQUE INDEX readings_by_block ON readings (block, at);
    CREATE INDEX readings_by_time ON readings (at);
"""

_THIN: Final = """
    DELETE FROM readings WHERE at > ? AND at <= ? AND EXISTS (
      SELECT 1 FROM readings AS later WHERE later.block = readings.block AND later.at > readings.at
      AND later.at <= (readings.at + ?3 - 1) / ?3 * ?3)
"""
_DROP: Final = """
    DELETE FROM readings WHERE at <= ?1 AND EXISTS (
      SELECT 1 FROM readings AS later WHERE later.block = readings.block AND later.at > readings.at AND later.at <= ?1)
"""

# Pages that a connection keeps in memory, in KiB: by default it would be two MiB.
_CACHE: Final = 256

# Connections of readers that are kept.
_IDLE: Final = 2


def _fill(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO rollup VALUES (?, 0, 0)", (packing.VERSION,))


def _check(connection: sqlite3.Connection) -> None:
    (packed,) = connection.execute("SELECT packing FROM rollup").fetchone()
    if packed != packing.VERSION:
        message = f"totals of version {packed}; this is version {packing.VERSION}"
        raise NotOurs(message)


_ROLLUP: Final = Schema(_APPLICATION, _VERSION, _TABLES, _fill, _check, (f"cache_size = -{_CACHE}",))


class RollupFile:
    """One opened database. A connection's errors (sqlite3.Error) come through as they are."""

    def __init__(self, path: Path | None) -> None:
        """Open the file, or make it; without a path, in memory. Raises OSError or sqlite3.Error."""
        self._path = path
        self._turns = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._is_closed = False
        self._connection = sqlite_file.open_writer(path, _ROLLUP)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The writer's connection in a transaction, for one thread at a time."""
        with self._turns, transaction(self._connection):
            yield self._connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment of the database."""
        if self._path is None:
            with self._turns:
                yield self._connection
            return
        connection = self._take(self._path)
        try:
            with transaction(connection, "BEGIN"):
                yield connection
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    def _take(self, path: Path) -> sqlite3.Connection:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        connection = sqlite_file.open_reader(path)
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if len(self._idle) < _IDLE and not self._is_closed:
            self._idle.append(connection)
        else:
            connection.close()

    def clear(self) -> None:
        """Delete all that an earlier run has written."""
        with self.writing() as connection:
            for table in ("bounds", "cells", "readings"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("UPDATE rollup SET since = 0, latest = 0")

    def used(self) -> int:
        """Bytes of the pages that are in use; while writing."""
        pages, free, size = sqlite_file.pages(self._connection)
        return (pages - free) * size

    def shrink(self) -> None:
        """Give pages that are free back to the disk, and what was written into the file."""
        with self._turns:
            self._connection.execute("PRAGMA incremental_vacuum").fetchall()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close all connections; the log becomes part of the file."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()
        with self._turns:
            self._connection.close()


def insert_bounds(connection: sqlite3.Connection, bounds: list[tuple[int, bytes]]) -> None:
    """Add bounds that are new, by number."""
    connection.executemany("INSERT INTO bounds VALUES (?, ?)", bounds)


def insert_cells(connection: sqlite3.Connection, cells: list[tuple[int, Cell]]) -> None:
    """Add cells that are new, by number."""
    described = ((number, cell.view, cell.namespace, cell.name, json.dumps(cell.key)) for number, cell in cells)
    connection.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?)", described)


def insert_readings(connection: sqlite3.Connection, at: int, readings: Iterable[tuple[int, bytes]]) -> None:
    """Add the bytes of blocks at a time."""
    rows = ((block, at, data) for block, data in readings)
    connection.executemany("INSERT INTO readings (block, at, totals) VALUES (?, ?, ?)", rows)


def delete_cells(connection: sqlite3.Connection, cells: list[int], blocks: list[int]) -> None:
    """Delete cells, whose numbers stay used, and whole blocks, whose numbers do not."""
    nobody = "UPDATE cells SET view = '', namespace = '', name = '', key = '' WHERE number = ?"
    connection.executemany(nobody, [(number,) for number in cells])
    for block in blocks:
        connection.execute("DELETE FROM readings WHERE block = ?", (block,))
        connection.execute("DELETE FROM cells WHERE number BETWEEN ? AND ?", (block * BLOCK, (block + 1) * BLOCK - 1))


def thin(connection: sqlite3.Connection, plan: Plan, done: tuple[int, ...]) -> None:
    """Delete what a plan does not keep; up to `done` the readings of each tier have been thinned out before."""
    for tier, before in zip(plan.tiers, done, strict=True):
        connection.execute(_THIN, (before, tier.until, tier.step))
    connection.execute(_DROP, (plan.since,))
