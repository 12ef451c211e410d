"""Reads the running totals of a block of cells out of the database, at any times. It writes nothing."""

import sqlite3
from bisect import bisect_right
from typing import Final

from aigw_receiver.core.rollup.model import NOTHING, Totals
from aigw_receiver.core.rollup.packing import BLOCK, Unpacking

# For more times than this the readings of a block are read at one go, and not looked up one by one.
_FEW: Final = 4

_LOOK_UP: Final = "SELECT totals FROM readings WHERE block = ? AND at <= ? ORDER BY at DESC LIMIT 1"
_READ: Final = "SELECT at, totals FROM readings WHERE block = ? AND at > ? AND at <= ? ORDER BY at"


def read_block(connection: sqlite3.Connection, block: int, times: list[int]) -> list[bytes | None]:
    """The bytes of a block at each of these ascending times; None before its first reading."""
    return (_look_up if len(times) <= _FEW else _scan)(connection, block, times)


def _look_up(connection: sqlite3.Connection, block: int, times: list[int]) -> list[bytes | None]:
    found = (connection.execute(_LOOK_UP, (block, time)).fetchone() for time in times)
    return [None if row is None else row[0] for row in found]


def _scan(connection: sqlite3.Connection, block: int, times: list[int]) -> list[bytes | None]:
    first = connection.execute(_LOOK_UP, (block, times[0])).fetchone()
    rows = connection.execute(_READ, (block, times[0], times[-1])).fetchall()
    moments = [at for at, _ in rows]
    readings = [None if first is None else first[0], *(data for _, data in rows)]
    return [readings[bisect_right(moments, time)] for time in times]


def totals_of(readings: list[bytes | None], places: list[int], unpacking: Unpacking) -> list[list[Totals]]:
    """The totals of some cells of a block, by their places in it, at each time; what stays the same is unpacked once.

    Raises ValueError where the bytes are damaged.
    """
    unpack, nothing = unpacking.totals, (b"",) * BLOCK
    blocks: list[tuple[bytes, ...]] = []
    before: bytes | None = None
    for data in readings:
        blocks.append(blocks[-1] if blocks and data is before else nothing if data is None else unpacking.block(data))
        before = data
    answer = []
    for place in places:
        packed, totals, found = b"", NOTHING, []
        for block in blocks:
            cell = block[place]
            # Once there, a cell stays until nobody can ask for it any more.
            if cell != packed:
                packed, totals = cell, unpack(cell)
            found.append(totals)
        answer.append(found)
    return answer
