"""The fast path's way from bytes to rows: the points of a metric that are known by heart. It counts nothing.

`layouts` tells which bytes of a point name its stream. Once the full parser has read a point and found its row, `learn`
keeps them; from then on `recognise` proves the bytes of such points, metric by metric, and `bulk` counts those of all
metrics of a request together. Whatever is not proven is left to the full parser.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, cast

from aigw_receiver.core import layouts
from aigw_receiver.core.layouts import Layout, Spelling
from aigw_receiver.core.model import FamilyType, Kind
from aigw_receiver.core.series import Rows
from aigw_receiver.core.streams import StreamTable

# How many spellings one stream may have on average (permuted attributes, say) before no more are learnt.
_MAX_SPELLINGS: Final = 4

_KINDS: Final = (Kind.HISTOGRAM, Kind.SUM)


def learn(table: StreamTable, point: bytes, row: int) -> None:
    """Remember how the stream in `row` spells its points, where `point` is laid out as the fast path needs it.

    What shows as a gauge has no fast path: there are few of them.
    """
    rows = table.rows
    if table.header.kind not in _KINDS or table.family.name.type is FamilyType.GAUGE:
        return
    if rows is None or len(table.known) >= _MAX_SPELLINGS * (table.source.streams + 1):
        return
    if table.header.kind is Kind.SUM:
        found = layouts.number_key(point)
    else:
        found = layouts.histogram_key(point, rows.bounds) if rows.bounds else None
    if found is None:
        return
    key, spelling = found
    if not table.known:
        table.spelling = spelling
    if spelling == table.spelling:
        table.known[_shared(key, table)] = row


def _shared(key: bytes, table: StreamTable) -> bytes:
    """The key as it is held already: replicas of a gateway, and some of its metrics, spell their attributes alike."""
    if len(table.keys) >= _MAX_SPELLINGS * (table.census.streams + 1):
        return table.keys.get(key, key)
    return table.keys.setdefault(key, key)


class Batch(NamedTuple):
    """Points of one metric whose bytes are proven, and the rows of their streams, each of which comes once.

    `headers` holds the headers of the points, joined, of which each is laid out as `layout` says.
    """

    table: StreamTable
    rows: Rows
    points: list[bytes]
    found: list[int]
    headers: bytes
    layout: Layout


def recognise(table: StreamTable, points: list[bytes]) -> tuple[Batch | None, list[bytes]]:
    """Those of `points` whose bytes are proven, and those that are left. Nothing is counted yet."""
    rows, spelling = table.rows, table.spelling
    if rows is None or spelling is None:
        return None, points
    get, key = table.known.get, spelling.key
    try:
        if spelling.has_extremes:
            last = layouts.MAX_TAG
            found = [get(point[key]) if point[-9] == last else None for point in points]
        else:
            found = [get(point[key]) for point in points]
    except IndexError:  # a point too short to have what is looked for at its end
        return None, points
    hits: list[bytes] = points
    left: list[bytes] = []
    if None in found:
        found, hits, left = _second_look(points, found, get, spelling)
    if not hits or len(set(found)) != len(found):
        return None, points
    proven = layouts.headers(hits, spelling)
    if proven is None:
        return None, points
    return Batch(table, rows, hits, cast("list[int]", found), *proven), left


def _second_look(
    points: list[bytes], found: list[int | None], get: Callable[[bytes], int | None], spelling: Spelling
) -> tuple[list[int | None], list[bytes], list[bytes]]:
    """Points whose key was not found at once: exemplars may stand before it. Answers (rows, points, points left)."""
    rows: list[int | None] = []
    hits: list[bytes] = []
    left: list[bytes] = []
    for point, at_once in zip(points, found, strict=True):
        row = at_once
        if row is None:
            key = layouts.key_behind_exemplars(point, spelling)
            row = get(key) if key else None
        if row is None:
            left.append(point)
        else:
            rows.append(row)
            hits.append(point)
    return rows, hits, left
