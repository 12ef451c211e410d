"""The database of kept access logs: its schema, its writer and its readers.

Each reader has a connection of its own. A database in memory has one connection for all, which they take in turns.
"""

import contextlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aigw_receiver.shell import sqlite_file
from aigw_receiver.shell.sqlite_file import Schema, beside, transaction

# "aigw"
_APPLICATION: Final = 0x61696777
_VERSION: Final = 1

# The columns of Fields, and what is given back. The short ones come first: a search that refuses a record by them does
# not read the pages of its line. Ids are never used again, so that a follower cannot take one record for another.
_TABLES: Final = """
    CREATE TABLE store (tag TEXT NOT NULL);
    CREATE TABLE logs (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      arrived INTEGER NOT NULL,
      time INTEGER NOT NULL,
      gateway_namespace TEXT NOT NULL,
      gateway_name TEXT NOT NULL,
      gateway_pod TEXT NOT NULL,
      route_type TEXT NOT NULL,
      status INTEGER NOT NULL,
      ending TEXT NOT NULL,
      rules TEXT NOT NULL,
      requested_model TEXT NOT NULL,
      answered_model TEXT NOT NULL,
      provider TEXT NOT NULL,
      backend TEXT NOT NULL,
      tool TEXT NOT NULL,
      text BLOB NOT NULL,
      line BLOB NOT NULL
    );
    CREATE INDEX logs_by_time ON logs (time);
    INSERT INTO sqlite_sequence (name, seq) VALUES ('logs', 0);
"""

# Instructions of SQLite between two looks at the clock: some 40 ms of a search. Each look needs the interpreter's lock,
# which the rest of a search does not: with ten times as many, a busy receiver makes searches take twice as long.
LOOK: Final = 500_000


def _fill(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO store VALUES (?)", (secrets.token_hex(4),))


def _check(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT max(id), max(time) FROM logs").fetchone()
    _tag(connection)


def _tag(connection: sqlite3.Connection) -> str:
    (tag,) = connection.execute("SELECT tag FROM store").fetchone()
    return str(tag)


# The log is emptied when the sink says so.
_SETTINGS: Final = ("wal_autocheckpoint = 0", "secure_delete = FAST")
_LOGS: Final = Schema(_APPLICATION, _VERSION, _TABLES, _fill, _check, _SETTINGS)


class TooLong(Exception):  # noqa: N818 - says what the search took
    """A search took longer than it may."""


class Database:
    """One opened database. A connection's errors (sqlite3.Error) come through as they are."""

    def __init__(self, path: Path | None) -> None:
        """Open the file, or make it; without a path, in memory. Raises OSError or sqlite3.Error."""
        self._path = path
        self._turns = threading.Lock()
        self._connection = sqlite_file.open_writer(path, _LOGS)
        self.tag: str = _tag(self._connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The writer's connection, for one thread at a time."""
        if self._path is None:
            with self._turns:
                yield self._connection
        else:
            yield self._connection

    @contextlib.contextmanager
    def reading(self, patience: float) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment of the database. Raises TooLong where it is used for longer than this."""
        end = time.monotonic() + patience
        with self._reader() as connection:
            connection.set_progress_handler(lambda: time.monotonic() > end, LOOK)
            try:
                with transaction(connection, "BEGIN"):
                    yield connection
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                    raise
                message = f"the search took longer than {patience:g} s"
                raise TooLong(message) from None
            finally:
                connection.set_progress_handler(None, 0)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if self._path is None:
            with self._turns:
                yield self._connection
            return
        with contextlib.closing(sqlite_file.open_reader(self._path)) as connection:
            yield connection

    def pages(self) -> tuple[int, int, int]:
        """Pages of the file, those of them that are free, and the size of a page; while writing."""
        return sqlite_file.pages(self._connection)

    def log_size(self) -> int:
        """Bytes of the log of what was written; 0 in memory."""
        return 0 if self._path is None else _size(beside(self._path, "-wal"))

    def size(self) -> int:
        """Bytes of the file and its log, or of the memory; while writing."""
        if self._path is None:
            pages, _, size = self.pages()
            return pages * size
        return _size(self._path) + self.log_size()

    def empty_log(self, wait: float) -> None:
        """Move what the log holds into the file, as far as readers allow that within this time; while writing."""
        if self._path is not None:
            self._connection.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the writer's connection; the log becomes part of the file."""
        with self._turns:
            self._connection.close()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
