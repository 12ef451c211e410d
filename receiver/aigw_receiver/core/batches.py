"""The fast path: all data points of a metric at once, where their bytes are known by heart and their course is normal.

`layouts` tells which bytes of a point name its stream. Once the full parser has read a point and found its row, `learn`
keeps them; from then on `recognise` reads and checks the numbers of all such points together, and `count` counts them.
Whatever is not proven is left to the full parser, and so are all points of a metric of which any is out of the normal
course of its stream: a reset, a duplicate, a late one, two points of one stream.

Batches are small, so what counts is the number of calls: a search for a zero byte in the bytes of an array of booleans
stands for `.all()`, a bitwise or for `.max()`; each costs a fraction of it (measured).
"""

import array
import dataclasses
import math
import struct
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from aigw_receiver.core import layouts
from aigw_receiver.core.layouts import FIXED, NUMBER_HEADER
from aigw_receiver.core.model import EXACT_LIMIT, FamilyType, Kind, Outcome, Temporality
from aigw_receiver.core.series import COUNTS, PREVIOUS_START, START, TIME, VALUE, Rows
from aigw_receiver.core.streams import StreamTable

# How many spellings one stream may have on average (permuted attributes, say) before no more are learnt.
_MAX_SPELLINGS: Final = 4

# The fast path takes no bucket that grew by more than this in one export, nor, in the cumulative case, that holds more.
# Below it no sum of buckets, and no total of ten thousand exports, leaves the range in which a float is exact.
_BUCKET_LIMIT: Final = 1 << 39

_INTERVAL: Final = struct.Struct("<xQxQ")

# A False among the bytes of booleans.
_NO: Final = b"\0"


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
        table.known[key] = row


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Points that were recognised: the bytes they came as, their rows, and what they say as rows of `Rows.state`."""

    points: list[bytes]
    found: list[int]
    state: npt.NDArray[np.uint64]
    interval: tuple[int, int] | None = None
    """start and time, if all points have the same"""


def recognise(table: StreamTable, points: list[bytes]) -> tuple[Batch | None, list[bytes]]:
    """Those of `points` that are proven and sound, and those that are left. Nothing is counted yet."""
    rows = table.rows
    if not table.known or rows is None:
        return None, points
    read = _read_numbers if table.header.kind is Kind.SUM else _read_histograms
    try:
        batch, left = read(table, rows, points)
    except IndexError:  # a point too short to have what was looked for at its end
        return None, points
    return (batch, left) if batch is not None else (None, points)


def _read_histograms(table: StreamTable, rows: Rows, points: list[bytes]) -> tuple[Batch | None, list[bytes]]:
    layout = layouts.layout_of(rows.bounds or ())
    length, get, left = layout.length, table.known.get, list[bytes]()
    if table.spelling.has_extremes:
        found = [get(point[length:-17]) if point[-9] == layouts.MAX_TAG else None for point in points]
    else:
        found = [get(point[length:]) for point in points]
    if None in found:
        found, points, left = _second_look(table, points, found, length)
    size = len(points)
    joined = b"".join([point[:length] for point in points])
    if not size or len(joined) != length * size or not layout.holds_for(joined, size):
        return None, left
    state = np.empty((size, layout.width), np.uint64)
    fixed = layout.fixed_fields(joined, size)
    state[:, :PREVIOUS_START] = fixed[:, :2]
    state[:, VALUE] = fixed[:, 3]
    counts = state[:, COUNTS:]
    counts[:] = layout.counts(joined, size)
    sound = (
        np.add.reduce(counts, axis=1).tobytes() == fixed[:, 2].tobytes()
        and np.bitwise_or.reduce(counts, axis=None) < _BUCKET_LIMIT
        and math.isfinite(sum(state[:, VALUE].view(np.float64).tolist()))
    )
    if not sound:
        return None, left
    shared = layout.interval(joined, size)
    return Batch(points, cast("list[int]", found), state, _INTERVAL.unpack(shared) if shared else None), left


def _read_numbers(table: StreamTable, _rows: Rows, points: list[bytes]) -> tuple[Batch | None, list[bytes]]:
    get, left, last = table.known.get, list[bytes](), table.spelling.value_last
    found = [get(point[18:-9]) for point in points] if last else [get(point[27:]) for point in points]
    if None in found:
        found, points, left = _second_look(table, points, found, 2 * FIXED if last else NUMBER_HEADER)
    size = len(points)
    joined = b"".join([point[:18] + point[-9:] for point in points] if last else [point[:27] for point in points])
    if not size or len(joined) != NUMBER_HEADER * size:
        return None, left
    tag = joined[2 * FIXED]
    if tag not in layouts.NUMBER_TAGS or not layouts.columns_hold(
        joined, NUMBER_HEADER, size, layouts.NUMBER_TAGS[tag]
    ):
        return None, left
    fields: npt.NDArray[np.uint64] = np.ndarray((size, 3), "<u8", joined, 1, (NUMBER_HEADER, FIXED))
    state = np.empty((size, COUNTS), np.uint64)
    state[:, :PREVIOUS_START] = fields[:, :2]
    state[:, VALUE] = fields[:, 2]
    values = state[:, VALUE].view(np.float64)
    if tag == layouts.AS_INT_TAG:
        values[:] = state[:, VALUE].view(np.int64)
    sound = _NO not in ((values >= 0) & (values < EXACT_LIMIT)).tobytes()
    return Batch(points, cast("list[int]", found), state) if sound else None, left


def _second_look(
    table: StreamTable, points: list[bytes], found: list[int | None], start: int
) -> tuple[list[int | None], list[bytes], list[bytes]]:
    """Points whose key was not found at once: exemplars may stand before it. Answers (rows, points, points left)."""
    rows: list[int | None] = []
    hits: list[bytes] = []
    left: list[bytes] = []
    for point, at_once in zip(points, found, strict=True):
        row = at_once
        if row is None:
            key = layouts.key_behind_exemplars(point, start, table.spelling)
            row = table.known.get(key) if key else None
        if row is None:
            left.append(point)
        else:
            rows.append(row)
            hits.append(point)
    return rows, hits, left


def count(table: StreamTable, batch: Batch, now: int, outcome: Outcome) -> bool:
    """Count a batch if every point is in the normal course of its stream, and no stream has two; else nothing."""
    rows, size = table.rows, len(batch.found)
    if rows is None or len(set(batch.found)) != size:
        return False
    at = np.frombuffer(array.array("q", batch.found), np.int64)
    old, new = rows.state.take(at, axis=0), batch.state
    if table.header.temporality == Temporality.DELTA:
        if not _continues(table, batch, old):
            return False
        new[:, COUNTS:] += old[:, COUNTS:]
        values = new[:, VALUE].view(np.float64)
        values += old[:, VALUE].view(np.float64)
    elif not _repeats(batch, old):
        return False
    new[:, PREVIOUS_START:VALUE] = old[:, :PREVIOUS_START]
    rows.state[at] = new
    table.newest = max(table.newest, batch.interval[1] if batch.interval else int(new[:, TIME].max()))
    outcome.fast += size
    outcome.accepted += size
    table.source.last_change = now
    return True


def _continues(table: StreamTable, batch: Batch, old: npt.NDArray[np.uint64]) -> bool:
    """Whether every delta point begins where the last one of its stream ended, or later.

    Where all points have one interval, and it begins after all that the table has seen, no row needs to be looked at.
    """
    if batch.interval is not None and batch.interval[0] >= table.newest:
        return batch.interval[1] > batch.interval[0]
    start, time = batch.state[:, START], batch.state[:, TIME]
    return _NO not in ((start >= old[:, TIME]) & (time > start)).tobytes()


def _repeats(batch: Batch, old: npt.NDArray[np.uint64]) -> bool:
    """Whether every cumulative point is of the same run as the last one of its stream, newer, and has not fallen."""
    new = batch.state
    if batch.interval is not None:
        start, time = batch.interval
        normal = (old[:, START] == start) & (old[:, TIME] < time)
    else:
        normal = (old[:, START] == new[:, START]) & (old[:, TIME] < new[:, TIME]) & (new[:, START] > 0)
    if _NO in normal.tobytes() or (batch.interval is not None and not batch.interval[0]):
        return False
    if new.shape[1] > COUNTS:
        return _NO not in (new[:, COUNTS:] >= old[:, COUNTS:]).tobytes()
    return _NO not in (new[:, VALUE].view(np.float64) >= old[:, VALUE].view(np.float64)).tobytes()
