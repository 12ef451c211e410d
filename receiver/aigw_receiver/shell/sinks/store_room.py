"""How the database of kept access logs stays within its age and size: the oldest go first, a few at a time.

What is called here is called while writing (`Database.writing`).
"""

import sqlite3
from typing import Final

from aigw_receiver.shell.sinks.store_file import Database
from aigw_receiver.shell.sqlite_file import transaction

# The smallest bound that is kept to: less holds the schema, the log and a batch, and little else.
LEAST_SIZE: Final = 1 << 20  # bytes

# What the log may hold: an eighth of the whole, but no more than makes it long to move. A quarter of it is the time to
# move it, where no reader is in the way; at all of it readers are waited for.
_LOG_SHARE: Final = 8
_LOG_MOST: Final = 16 << 20  # bytes

# What is deleted, or moved within the file, at a time: short for whoever wants to write in between.
_ROWS: Final = 200
_BYTES: Final = 256 << 10
_PAGES: Final = 128

# Beside the line and the text of a record: its other columns, the index, and what its page leaves empty. Measured with
# lines of 926 bytes: 381.
_OVERHEAD: Final = 400  # bytes


class Room:
    """The bounds of one database. `retention` in nanoseconds, `size` in bytes of the file and its log."""

    def __init__(self, retention: int, size: int, patience: float) -> None:
        """`patience` is how long a reader may take, in seconds."""
        self._retention = retention
        self._size = max(size, LEAST_SIZE)
        self._log = min(_LOG_MOST, self._size // _LOG_SHARE)
        self._patience = patience

    def fits(self, line: bytes) -> bool:
        """Whether a record of this line can be kept at all."""
        return len(line) <= self._size // 4

    def trim_log(self, database: Database) -> None:
        """Empty the log where it has become large. Raises OSError where a reader that is none of ours prevents it."""
        size = database.log_size()
        if size >= self._log:
            database.empty_log(self._patience + 1)
            if database.log_size() >= self._log:
                raise OSError(
                    None, "somebody reads the store of access logs for so long that its log cannot be emptied"
                )
        elif size >= self._log // 4:
            database.empty_log(0)

    def make(self, database: Database, connection: sqlite3.Connection, need: int) -> None:
        """Delete as many of the oldest records as it takes for `need` more bytes."""
        while self._used(database) + need > self._size - self._log and _delete_some(connection):
            self.trim_log(database)

    def retain(self, database: Database, connection: sqlite3.Connection, now: int) -> bool:
        """Delete some that are too old or too many, or else give some free pages back; whether there may be more."""
        self.trim_log(database)
        if self._used(database) > self._size - self._log:
            return _delete_some(connection)
        if _delete_some(connection, (now - self._retention, now + self._retention)):
            return True
        pages, free, _ = database.pages()
        if free:
            # As a script: the interpreter's SQLite takes one step of any other statement that answers no columns.
            connection.executescript(f"PRAGMA incremental_vacuum({_PAGES})")
            # Where nothing moves any more, the rest is needed.
            if database.pages()[0] < pages:
                return True
        # The file becomes shorter when the log is moved.
        if database.log_size():
            database.empty_log(0)
        return False

    def _used(self, database: Database) -> int:
        pages, free, size = database.pages()
        return (pages - free) * size


def cost_of(line: bytes, text: bytes) -> int:
    """About how many bytes a record takes."""
    return len(line) + len(text) + _OVERHEAD


def _delete_some(connection: sqlite3.Connection, arrived: tuple[int, int] | None = None) -> bool:
    """Delete some of the records that came first, those that arrived before the one or after the other moment.

    Whether it did. By arrival, not by the time that a sender says: a clock that is wrong there makes none stay forever.
    """
    rows = connection.execute("SELECT id, arrived, length(line) FROM logs ORDER BY id LIMIT ?", (_ROWS,)).fetchall()
    last = size = 0
    for number, at, length in rows:
        # One that is to arrive much later was written while our own clock was wrong.
        if arrived is not None and arrived[0] <= at <= arrived[1]:
            break
        last, size = number, size + length
        if size > _BYTES:
            break
    if not last:
        return False
    with transaction(connection):
        connection.execute("DELETE FROM logs WHERE id <= ?", (last,))
    return True
