"""The fast path: all data points of a metric at once, where their bytes are known by heart and their course is normal.

`layouts` tells which bytes of a point name its stream. Once the full parser has read a point and found its row, `learn`
keeps them; from then on the numbers of all such points are read, checked and counted together. Whatever is not proven
is left to the full parser, and so is a whole metric in which any point is out of the normal course of its stream: a
first point, a reset, a duplicate, a late one, one without a value.

`np.count_nonzero` stands for `.all()` and `.max()` throughout: batches are small, and it costs a sixth of them.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core import layouts
from aigw_receiver.core.layouts import FIXED, NUMBER_HEADER
from aigw_receiver.core.model import EXACT_LIMIT, FamilyType, Kind, Outcome, Temporality
from aigw_receiver.core.series import START, TIME, Rows
from aigw_receiver.core.streams import StreamTable

_Floats = npt.NDArray[np.float64]
_Indices = npt.NDArray[np.intp]

# How many spellings one stream may have on average (permuted attributes, say) before no more are learnt.
_MAX_SPELLINGS: Final = 4

_LIMIT: Final = np.uint64(EXACT_LIMIT)
_NUMBER_TAGS: Final = {
    tag: np.array([layouts.START_TAG, layouts.TIME_TAG, tag], np.uint8) for tag in layouts.NUMBER_DTYPES
}


def can_batch(table: StreamTable) -> bool:
    """Whether the points of this metric have a fast path at all; gauges are few, and have none."""
    return table.header.kind in (Kind.HISTOGRAM, Kind.SUM) and table.family.name.type is not FamilyType.GAUGE


def learn(table: StreamTable, point: bytes, row: int) -> None:
    """Remember how the stream in `row` spells its points, where `point` is laid out as the fast path needs it."""
    rows = table.rows
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
        table.known[key] = row


def observe_batch(table: StreamTable, points: list[bytes], now: int, outcome: Outcome) -> list[bytes]:
    """Count all of `points` that are proven and in their normal course; answers those that are left."""
    rows = table.rows
    if not table.known or rows is None:
        return points
    try:
        observe = _observe_numbers if table.header.kind is Kind.SUM else _observe_histograms
        left = observe(table, rows, points)
    except IndexError:  # a point too short to have what was looked for at its end
        return points
    counted = len(points) - len(left)
    if counted:
        outcome.fast += counted
        outcome.accepted += counted
        table.source.last_change = now
    return left


def _observe_histograms(table: StreamTable, rows: Rows, points: list[bytes]) -> list[bytes]:
    layout = layouts.layout_of(rows.bounds or ())
    length, get, left = layout.length, table.known.get, list[bytes]()
    if table.spelling.has_extremes:
        found = [get(point[length:-17]) if point[-9] == layouts.MAX_TAG else None for point in points]
    else:
        found = [get(point[length:]) for point in points]
    if None in found:
        cut = -17 if table.spelling.has_extremes else None
        found, points, left = _second_look(table, points, found, length, layouts.EXEMPLAR_TAG, cut)
    size = len(points)
    joined = b"".join([point[:length] for point in points])
    if not size or len(joined) != length * size:
        return left + points
    if not layout.holds_for(np.frombuffer(joined, np.uint8).reshape(size, length)):
        return left + points
    batch = np.frombuffer(joined, layout.dtype)
    counts, values = batch["counts"].copy(), batch["value"]
    sound = (
        np.count_nonzero(np.add.reduce(counts, axis=1) == batch["count"]) == size
        and not np.count_nonzero(counts >= _LIMIT)
        and np.count_nonzero(np.isfinite(values)) == size
    )
    return left if sound and _count_batch(table, rows, found, batch, values, counts) else left + points


def _observe_numbers(table: StreamTable, rows: Rows, points: list[bytes]) -> list[bytes]:
    get, left, last = table.known.get, list[bytes](), table.spelling.value_last
    found = [get(point[18:-9]) for point in points] if last else [get(point[27:]) for point in points]
    if None in found:
        start, cut = (2 * FIXED, -FIXED) if last else (NUMBER_HEADER, None)
        found, points, left = _second_look(table, points, found, start, layouts.NUMBER_EXEMPLAR_TAG, cut)
    size = len(points)
    joined = b"".join([point[:18] + point[-9:] for point in points] if last else [point[:27] for point in points])
    if not size or len(joined) != NUMBER_HEADER * size:
        return left + points
    tag = joined[2 * FIXED]
    tags = np.frombuffer(joined, np.uint8).reshape(size, NUMBER_HEADER)[:, ::FIXED]
    if tag not in _NUMBER_TAGS or np.count_nonzero(tags == _NUMBER_TAGS[tag]) != 3 * size:
        return left + points
    batch = np.frombuffer(joined, layouts.NUMBER_DTYPES[tag])
    values = batch["value"].astype(np.float64)
    sound = np.count_nonzero((values >= 0) & (values < EXACT_LIMIT)) == size
    return left if sound and _count_batch(table, rows, found, batch, values, None) else left + points


def _second_look(
    table: StreamTable, points: list[bytes], found: list[int | None], start: int, exemplar: int, cut: int | None
) -> tuple[list[int | None], list[bytes], list[bytes]]:
    """Points whose key was not found at once: exemplars may stand before it. Answers (rows, points, points left)."""
    rows: list[int | None] = []
    hits: list[bytes] = []
    left: list[bytes] = []
    for point, at_once in zip(points, found, strict=True):
        row = at_once
        if row is None and len(point) > start and point[start] == exemplar:
            row = table.known.get(point[layouts.skip_fields(point, start, exemplar) : cut])
        if row is None:
            left.append(point)
        else:
            rows.append(row)
            hits.append(point)
    return rows, hits, left


def _count_batch(
    table: StreamTable,
    rows: Rows,
    found: list[int | None],
    batch: Any,
    values: _Floats,
    counts: npt.NDArray[np.uint64] | None,
) -> bool:
    """Count a sound batch if every point is in the normal course of its stream, and no stream has two."""
    size = len(found)
    if len(set(found)) != size:
        return False
    at = np.array(found, np.intp)
    clock = rows.clock[at]
    start, time = batch["start"], batch["time"]
    if table.header.temporality == Temporality.DELTA:
        normal = np.count_nonzero((start >= clock[:, TIME]) & (time > start)) == size
        return normal and _add(rows, at, clock, batch, values, counts)
    normal = np.count_nonzero((start == clock[:, START]) & (time > clock[:, TIME]) & (start > 0)) == size
    return normal and _replace(rows, at, batch, values, counts)


def _add(
    rows: Rows,
    at: _Indices,
    clock: npt.NDArray[np.uint64],
    batch: Any,
    values: _Floats,
    counts: npt.NDArray[np.uint64] | None,
) -> bool:
    if counts is not None:
        counts += rows.counts[at]
        if np.count_nonzero(counts >= _LIMIT):
            return False
        rows.counts[at] = counts
    rows.values[at] += values
    clock[:, 2:] = clock[:, :2]
    clock[:, START] = batch["start"]
    clock[:, TIME] = batch["time"]
    rows.clock[at] = clock
    return True


def _replace(rows: Rows, at: _Indices, batch: Any, values: _Floats, counts: npt.NDArray[np.uint64] | None) -> bool:
    if counts is None:
        if np.count_nonzero(values >= rows.values[at]) != len(at):
            return False
    else:
        if np.count_nonzero(counts < rows.counts[at]):
            return False
        rows.counts[at] = counts
    rows.values[at] = values
    rows.clock[at, TIME] = batch["time"]
    return True
