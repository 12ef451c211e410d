"""What is read of the database of kept access logs: pages of a search, one record, and what came after a position.

The conditions here find what `core/access_logs/search.matches` finds.
"""

import dataclasses
import sqlite3
from typing import Final

from aigw_receiver.core.access_logs import search as core
from aigw_receiver.core.access_logs.search import Cursor, Position, Search

# Of the lines of one page, whatever its limit: a page with one line more is whole, and says that there are others.
_PAGE: Final = 8 << 20  # bytes

# Records that are looked at for a follower at a time, so that one that asks for few does not read for long.
_STEP: Final = 5000


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Lines of JSON without line feeds, with their ids, the newest first, and where the next page begins, if anywhere.

    Of what came after `newest` no page of this search has anything.
    """

    lines: tuple[tuple[int, bytes], ...]
    next: Cursor | None
    newest: Position


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """What a follower gets next: lines with their ids, the oldest first, up to a position.

    `lost` is how many records of any kind were removed before they could be read; None where the store is another one,
    so that nobody knows.
    """

    lines: tuple[tuple[int, bytes], ...]
    position: Position
    lost: int | None = 0


# Of Search, by the column in which any of its values must stand.
_TEXTS: Final = (
    ("pods", "gateway_pod"),
    ("providers", "provider"),
    ("backends", "backend"),
    ("route_types", "route_type"),
    ("endings", "ending"),
    ("tools", "tool"),
)


def conditions(search: Search) -> tuple[str, list[object]]:
    """What follows WHERE, and its values."""
    parts: list[str] = ["1"]
    values: list[object] = []
    for attribute, column in _TEXTS:
        if wanted := getattr(search, attribute):
            parts.append(f"{column} IN ({_places(len(wanted))})")
            values += wanted
    if search.models:
        places = _places(len(search.models))
        parts.append(f"(requested_model IN ({places}) OR answered_model IN ({places}))")
        values += search.models * 2
    for sql, several in (
        ("gateway_namespace = ? AND gateway_name = ?", search.gateways),
        ("status BETWEEN ? AND ?", search.statuses),
        ("instr(rules, ?) > 0", tuple((core.rule_key(rule),) for rule in search.rules)),
    ):
        if several:
            parts.append("(" + " OR ".join([sql] * len(several)) + ")")
            values += (value for row in several for value in row)
    for sql, one in (("time >= ?", search.since), ("time < ?", search.until), ("instr(text, ?) > 0", search.text)):
        if one is not None and one != b"":
            parts.append(sql)
            values.append(one)
    return " AND ".join(parts), values


def read_page(connection: sqlite3.Connection, search: Search, tag: str) -> Page:
    """The newest records that match, behind the cursor."""
    where, values = conditions(search)
    newest = read_position(connection, tag)
    if search.cursor is not None:
        where += " AND (time, id) < (?, ?)"
        values += (search.cursor.time, search.cursor.id)
        # Ids of another store say nothing about this one.
        if search.cursor.newest.tag == tag:
            newest = search.cursor.newest
            where += " AND id <= ?"
            values.append(newest.id)
    # By this index the records come in their order, so that the last page costs no more than the first.
    rows = connection.execute(
        f"SELECT time, id, line FROM logs INDEXED BY logs_by_time WHERE {where} ORDER BY time DESC, id DESC", values
    )
    lines: list[tuple[int, bytes]] = []
    size = 0
    last = None
    for time, number, line in rows:
        if last is not None and (len(lines) == search.limit or size > _PAGE):
            return Page(tuple(lines), Cursor(*last, search.now, newest), newest)
        lines.append((number, line))
        size += len(line)
        last = (time, number)
    return Page(tuple(lines), None, newest)


def read_record(connection: sqlite3.Connection, wanted: Position, tag: str) -> bytes | None:
    """The line of one record; None where it was removed, or is one of another store."""
    if wanted.tag != tag:
        return None
    row = connection.execute("SELECT line FROM logs WHERE id = ?", (wanted.id,)).fetchone()
    return None if row is None else bytes(row[0])


def read_position(connection: sqlite3.Connection, tag: str) -> Position:
    """Where the newest record is."""
    (last,) = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'logs'").fetchone()
    return Position(tag, last)


def read_after(connection: sqlite3.Connection, search: Search, after: Position, tag: str) -> Piece:
    """What matches after a position: a step of it, or as much as a page; where the store is another one, its end."""
    end = read_position(connection, tag)
    if after.tag != tag or after.id > end.id:
        return Piece((), end, None)
    (first,) = connection.execute("SELECT min(id) FROM logs WHERE id > ?", (after.id,)).fetchone()
    last = end.id if first is None else min(end.id, first - 1 + _STEP)
    where, values = conditions(search)
    rows = connection.execute(
        f"SELECT id, line FROM logs NOT INDEXED WHERE id > ? AND id <= ? AND {where} ORDER BY id",
        [after.id, last, *values],
    )
    lines: list[tuple[int, bytes]] = []
    size = 0
    for number, line in rows:
        lines.append((number, line))
        size += len(line)
        if size > _PAGE:
            last = number
            break
    (there,) = connection.execute("SELECT count(*) FROM logs WHERE id > ? AND id <= ?", (after.id, last)).fetchone()
    return Piece(tuple(lines), Position(tag, last), last - after.id - there)


def _places(count: int) -> str:
    return ", ".join("?" * count)
