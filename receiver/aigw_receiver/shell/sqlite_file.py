"""A database of ours in a file, or in memory: how it is opened, made, and set aside where it cannot be read.

There is one writer, whose connection is kept; in WAL mode neither it nor any reader waits for the other. What a
database holds is known to its own module (`sinks/store_file.py`, `rollup_file.py`).
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

# A reader meets a lock only where the file is being opened or its log begun anew.
_READER_WAITS: Final = 1.0  # seconds


class NotOurs(sqlite3.DatabaseError):
    """A file that is no database of ours, or one of a later version."""


class Schema(NamedTuple):
    """What the tables of a database are."""

    application: int
    """in the header of the file, so that no other program's database is taken for ours"""
    version: int
    """there, too: no later schema is taken for this one"""
    tables: str
    fill: Callable[[sqlite3.Connection], object]
    """writes the first rows, in the transaction that makes the tables"""
    check: Callable[[sqlite3.Connection], object]
    """reads what must be readable; raises sqlite3.Error, or NotOurs, where it is not"""
    settings: tuple[str, ...] = ()
    """further PRAGMA settings of the writer's connection"""


def open_writer(path: Path | None, schema: Schema) -> sqlite3.Connection:
    """The writer's connection to a file, which is made if need be; without a path, to a database in memory.

    Raises OSError or sqlite3.Error: NotOurs where the file is another program's, or of another version.
    """
    if path is not None:
        # Others may not read it: it says who asked what, and when. SQLite gives its log the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
    connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=0)
    try:
        _prepare(connection, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, schema: Schema) -> None:
    found = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and found != (schema.application, schema.version):
        message = f"a database of another program, or of version {found[1]}; this is version {schema.version}"
        raise NotOurs(message)
    if not tables:
        # Before anything is written: it cannot be changed after.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    # What was committed survives the end of the program; the end of the machine may cost the last of it.
    connection.execute("PRAGMA synchronous = NORMAL")
    for setting in schema.settings:
        connection.execute(f"PRAGMA {setting}")
    if not tables:
        with transaction(connection):
            for statement in schema.tables.split(";")[:-1]:
                connection.execute(statement)
            schema.fill(connection)
            connection.execute(f"PRAGMA application_id = {schema.application}")
            connection.execute(f"PRAGMA user_version = {schema.version}")
    schema.check(connection)


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads, for one thread at a time."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_READER_WAITS, check_same_thread=False)


def pages(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Pages of a database, those of them that are free, and the size of a page in bytes."""
    count, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return count, free, size


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
    log = beside(path, "-wal")
    # The log first: a database without its log is a whole one, while a log would be taken for that of the next.
    if log.exists():
        log.replace(beside(target, "-wal"))
        older.discard(beside(target, "-wal"))
    beside(path, "-shm").unlink(missing_ok=True)
    path.replace(target)
    for file in older:
        file.unlink(missing_ok=True)
    return target


def beside(path: Path, suffix: str) -> Path:
    """The file that SQLite keeps beside a database: its log ("-wal"), and what its users share ("-shm")."""
    return path.with_name(path.name + suffix)
