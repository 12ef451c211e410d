"""The sink that keeps access logs in a database, to be searched and followed: `shell/log_api.py` asks it.

It writes batches of lines, each of which is a flat object (`core/access_logs/flat.py`). Whatever is wrong with the file
costs records, which are counted, and never the program.
"""

import dataclasses
import json
import logging
import operator
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import prometheus_client

from aigw_receiver.core.access_logs import search as core
from aigw_receiver.core.access_logs.search import Fields, Position, Search
from aigw_receiver.shell import sqlite_file
from aigw_receiver.shell.sinks import store_reading, store_room
from aigw_receiver.shell.sinks.base import GRACE, Sink
from aigw_receiver.shell.sinks.store_file import Database
from aigw_receiver.shell.sinks.store_reading import Page, Piece
from aigw_receiver.shell.sinks.store_room import Room

_log: Final = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

FILE: Final = "access-logs.sqlite"

# Without a data directory: nobody who gave us none expects a quarter of a gigabyte of memory to be taken.
MOST_IN_MEMORY: Final = 64 << 20  # bytes

# How long a search may take.
PATIENCE: Final = 2.0  # seconds

# After a small batch more is waited for, so that single records do not become transactions each.
_PAUSE: Final = 0.05  # seconds
_SMALL: Final = 64  # records

# Between two steps of retention.
_TURN: Final = 0.001  # seconds

# How often age and size are looked at where nothing is written.
_ROUND: Final = 30.0  # seconds

_FIELDS: Final = tuple(field.name for field in dataclasses.fields(Fields))
_columns: Final = operator.attrgetter(*_FIELDS)
_COLUMNS: Final = ("id", "arrived", *_FIELDS, "line")
_INSERT: Final = f"INSERT INTO logs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


class Unavailable(Exception):  # noqa: N818 - says what the store is
    """The store cannot be read at the moment; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """A record that was written: its id, what can be searched of it, and its line without the line feed."""

    id: int
    fields: Fields
    line: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Records that were written to the store of this tag, with ids that follow one another."""

    tag: str
    records: tuple[Stored, ...]


class StoreSink(Sink):
    """Keeps records in DIRECTORY/access-logs.sqlite, or in memory."""

    def __init__(
        self,
        directory: Path | None,
        records: prometheus_client.Counter,
        set_aside: prometheus_client.Counter,
        *,
        retention: int,
        size: int,
        clock: Callable[[], int] = time.time_ns,
        patience: float = PATIENCE,
        pause: float = _PAUSE,
    ) -> None:
        """`set_aside` counts files that could not be read; `retention` is in nanoseconds, `size` in bytes.

        `patience` is how long a search may take, `pause` how long is waited after a small batch, in seconds.
        """
        self._path = None if directory is None else directory / FILE
        self._set_aside = set_aside
        self._room = Room(retention, size if directory is not None else min(size, MOST_IN_MEMORY), patience)
        self._clock = clock
        self._patience = patience
        self._pause = pause
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._closed = False
        self._listener: Callable[[Batch], None] | None = None
        self._database: Database | None = None
        try:
            with self._writing:
                self._open()
        except (OSError, sqlite3.Error) as error:
            _log.error("the store of access logs cannot be opened; it is tried again", extra={"error": str(error)})
        super().__init__("store", records)
        self._caretaker = threading.Thread(target=self._care, name="store-retention", daemon=True)
        self._caretaker.start()

    def listen(self, listener: Callable[[Batch], None] | None) -> None:
        """Tell somebody of each batch once it was written, in a thread of ours; None: nobody any more."""
        self._listener = listener

    def write(self, lines: list[bytes]) -> int:
        """Write lines in one transaction, after as many of the oldest were deleted as it takes."""
        read = [row for line in lines if (row := _read(line.removesuffix(b"\n"))) is not None]
        batch = self._write([(fields, line) for fields, line in read if self._room.fits(line)])
        listener = self._listener
        if listener is not None and batch.records:
            listener(batch)
        if len(lines) < _SMALL:
            self._closing.wait(self._pause)
        return len(batch.records)

    def _write(self, rows: list[tuple[Fields, bytes]]) -> Batch:
        """Write rows, into a new file if the old one turns out to be corrupt. Raises OSError."""
        with self._writing:
            try:
                try:
                    return self._insert(rows)
                except sqlite3.Error as error:
                    if not sqlite_file.is_corrupt(error):
                        raise
                    self._replace(str(error))
                    return self._insert(rows)
            except sqlite3.Error as error:
                raise OSError(None, str(error)) from None

    def _insert(self, rows: list[tuple[Fields, bytes]]) -> Batch:
        database = self._database or self._open()
        now = self._clock()
        with database.writing() as connection:
            # Before the batch: what fails here fails while nothing of it was written.
            self._room.trim_log(database)
            need = sum(store_room.cost_of(line, fields.text) for fields, line in rows)
            self._room.make(database, connection, need)
            with sqlite_file.transaction(connection):
                first = store_reading.read_position(connection, database.tag).id + 1
                stored = tuple(Stored(number, fields, line) for number, (fields, line) in enumerate(rows, first))
                connection.executemany(_INSERT, ((one.id, now, *_columns(one.fields), one.line) for one in stored))
        return Batch(database.tag, stored)

    def _open(self) -> Database:
        """Open the file; one that cannot be read is set aside. Raises OSError or sqlite3.Error."""
        if self._closed:
            raise OSError(None, "the store is closed")
        try:
            database = Database(self._path)
        except sqlite3.Error as error:
            if not sqlite_file.is_corrupt(error):
                raise
            self._replace(str(error))
            database = Database(self._path)
        self._database = database
        return database

    def _replace(self, error: str) -> None:
        """Close the file and move it out of the way. Raises OSError."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._path is not None:
            target = sqlite_file.set_aside(self._path, self._clock())
            self._set_aside.inc()
            _log.error(
                "the store of access logs cannot be read; it is set aside", extra={"file": str(target), "error": error}
            )

    def search(self, search: Search) -> Page:
        """A page. Takes as long as it may; raises store_file.TooLong, or Unavailable."""
        return self._read(lambda tag, connection: store_reading.read_page(connection, search, tag))

    def find(self, wanted: Position) -> bytes | None:
        """The line of one record, if it is there. Raises as `search` does."""
        return self._read(lambda tag, connection: store_reading.read_record(connection, wanted, tag))

    def position(self) -> Position:
        """Where the newest record is. Raises as `search` does."""
        return self._read(lambda tag, connection: store_reading.read_position(connection, tag))

    def read_after(self, search: Search, after: Position) -> Piece:
        """Some of what came after a position. Raises as `search` does."""
        return self._read(lambda tag, connection: store_reading.read_after(connection, search, after, tag))

    def _read(self, read: Callable[[str, sqlite3.Connection], _Answer]) -> _Answer:
        database = self._database
        if database is None:
            message = "the store of access logs is not open"
            raise Unavailable(message)
        try:
            with database.reading(self._patience) as connection:
                return read(database.tag, connection)
        except sqlite3.Error as error:
            if sqlite_file.is_corrupt(error):
                self._give_up(database, str(error))
            raise Unavailable(str(error)) from None

    def _give_up(self, database: Database, error: str) -> None:
        """Set a file aside that a reader found corrupt, unless that was done; the next batch begins a new one."""
        with self._writing:
            if self._database is database:
                try:
                    self._replace(error)
                except OSError as failure:
                    _log.error("a corrupt store cannot be set aside", extra={"error": str(failure)})

    def retain(self) -> None:
        """Delete what is too old or too much, with room for others in between, and give its place back."""
        while self._retain_some():
            # Locks are not fair.
            if self._closing.wait(_TURN):
                return

    def _retain_some(self) -> bool:
        with self._writing:
            database = self._database
            if database is None:
                return False
            try:
                with database.writing() as connection:
                    return self._room.retain(database, connection, self._clock())
            except (OSError, sqlite3.Error) as error:
                # A corrupt file is found by whoever writes next.
                _log.warning("old access logs cannot be deleted", extra={"error": str(error)})
                return False

    def _care(self) -> None:
        # At once, too: the bounds may be others than in the run before.
        self.retain()
        while not self._closing.wait(_ROUND):
            self.retain()

    def close(self, grace: float = GRACE) -> None:
        """Write what is left, and close the file."""
        self._closing.set()
        super().close(grace)
        # A thread that is stuck in a write keeps the file.
        if self._writing.acquire(timeout=grace):
            try:
                self._closed = True
                if self._database is not None:
                    self._database.close()
                    self._database = None
            except sqlite3.Error as error:
                _log.error("the store of access logs was not closed in order", extra={"error": str(error)})
            finally:
                self._writing.release()


def _read(line: bytes) -> tuple[Fields, bytes] | None:
    """What can be searched of a line; None where it is no flat object."""
    try:
        record = json.loads(line)
        return (core.fields_of(record), line) if isinstance(record, dict) else None
    except (ValueError, RecursionError):
        return None
