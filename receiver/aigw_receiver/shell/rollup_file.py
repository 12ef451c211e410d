"""The database of the rollup: its schema, and how it is opened. What it holds is decided in `core/rollup`.

There is one writer, whose connection is kept, and any number of readers: in WAL mode neither waits for the other. A
database in memory has one connection for all, which they take in turns.
"""

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from aigw_receiver.core.rollup import packing
from aigw_receiver.core.rollup.model import Cell
from aigw_receiver.core.rollup.packing import BLOCK
from aigw_receiver.core.rollup.thinning import Plan
from aigw_receiver.shell.sinks.store_file import NotOurs, transaction

# In the header of the file ("aigr"), so that no other program's database is taken for ours.
_APPLICATION: Final = 0x61696772
_VERSION: Final = 1

# A row holds a block of cells (see `packing`) at a time in nanoseconds. A number without a view was used.
_SCHEMA: Final = """
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

# A reader meets a lock only where the file is being opened or its log begun anew.
_READER_WAITS: Final = 1.0  # seconds

# Connections of readers that are kept.
_IDLE: Final = 2


class RollupFile:
    """One opened database. A connection's errors (sqlite3.Error) come through as they are."""

    def __init__(self, path: Path | None) -> None:
        """Open the file, or make it; without a path, in memory. Raises OSError or sqlite3.Error."""
        self._path = path
        self._turns = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._is_closed = False
        if path is not None:
            # Others may not read it: it holds the names of models and pods.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=0)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        (application,), (version,) = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and (application, version) != (_APPLICATION, _VERSION):
            message = f"a database of another program, or of version {version}; this is version {_VERSION}"
            raise NotOurs(message)
        if not tables:
            # Before anything is written: it cannot be changed after.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        # What was committed survives the end of the program; the end of the machine may cost the last of it.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        if not tables:
            with transaction(connection):
                for statement in _SCHEMA.split(";")[:-1]:
                    connection.execute(statement)
                connection.execute("INSERT INTO rollup VALUES (?, 0, 0)", (packing.VERSION,))
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
        (packed,) = connection.execute("SELECT packing FROM rollup").fetchone()
        if packed != packing.VERSION:
            message = f"totals of version {packed}; this is version {packing.VERSION}"
            raise NotOurs(message)

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
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=_READER_WAITS, check_same_thread=False
        )
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
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

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
