"""The database of kept access logs: its schema, how it is opened, and how one that cannot be read is set aside.

There is one writer, whose connection is kept, and any number of readers with a connection each: in WAL mode neither
waits for the other. A database in memory has one connection for all, which they take in turns.
"""

import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# In the header of the file ("aigw"), so that no other program's database is taken for ours, nor a later schema for
# this one.
_APPLICATION: Final = 0x61696777
_VERSION: Final = 1

# The columns of Fields, and what is given back. The short ones come first: a search that refuses a record by them does
# not read the pages of its line. Ids are never used again, so that a follower cannot take one record for another.
_SCHEMA: Final = """
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

# A reader meets a lock only where the file is being opened or its log begun anew.
_READER_WAITS: Final = 1.0  # seconds


class NotOurs(sqlite3.DatabaseError):
    """A file that is no database of ours, or one of a later version."""


class TooLong(Exception):  # noqa: N818 - says what the search took
    """A search took longer than it may."""


class Database:
    """One opened database. A connection's errors (sqlite3.Error) come through as they are."""

    def __init__(self, path: Path | None) -> None:
        """Open the file, or make it; without a path, in memory. Raises OSError or sqlite3.Error."""
        self._path = path
        self._turns = threading.Lock()
        if path is not None:
            # Others may not read it: it holds who asked what, and when. SQLite gives its log the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=0)
        try:
            self.tag = self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> str:
        """See that the schema is there; answers the tag."""
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
        # The log is emptied when the sink says so.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA secure_delete = FAST")
        if not tables:
            with transaction(connection):
                for statement in _SCHEMA.split(";")[:-1]:
                    connection.execute(statement)
                connection.execute("INSERT INTO store VALUES (?)", (secrets.token_hex(4),))
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("SELECT max(id), max(time) FROM logs").fetchone()
        (tag,) = connection.execute("SELECT tag FROM store").fetchone()
        return str(tag)

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
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=_READER_WAITS
        )
        with contextlib.closing(connection):
            yield connection

    def pages(self) -> tuple[int, int, int]:
        """Pages of the file, those of them that are free, and the size of a page; while writing."""
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return pages, free, size

    def log_size(self) -> int:
        """Bytes of the log of what was written; 0 in memory."""
        return 0 if self._path is None else _size(_beside(self._path, "-wal"))

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


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """All of what is done, or nothing of it."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite may have rolled back by itself. What fails here hides why it was needed.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is no database of ours, or one with a fault in it."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_NOTADB if isinstance(error, NotOurs) else None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path, now: int) -> Path:
    """Move a database and its log out of the way, and remove those that were moved before. Raises OSError.

    `now` is in nanoseconds. Answers where it is now.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now // 1_000_000_000))
    target = path.with_name(f"{path.name}.corrupt-{stamp}")
    older = {*path.parent.glob(f"{path.name}.corrupt-*")} - {target}
    log = _beside(path, "-wal")
    # The log first: a database without its log is a whole one, while a log would be taken for that of the next.
    if log.exists():
        log.replace(_beside(target, "-wal"))
        older.discard(_beside(target, "-wal"))
    _beside(path, "-shm").unlink(missing_ok=True)
    path.replace(target)
    for file in older:
        file.unlink(missing_ok=True)
    return target


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
