"""The fast path: all points of a request at once, where their bytes are known by heart and their course is normal.

`layouts` tells which bytes of a point name its stream. Once the full parser has read a point and found its row, `learn`
keeps them; from then on `recognise` proves the bytes of such points, metric by metric, and `count` reads, checks and
counts the numbers of all metrics of a request together. Whatever is not proven is left to the full parser, and so are
all points of a metric of which any is out of the normal course of its stream: a reset, a duplicate, a late one.

A request holds a few points of each of a few metrics, so what counts is the number of calls into numpy, not their
size: hence one array for all metrics, and a search for a zero byte in the bytes of an array of booleans where one would
write `.all()` (measured).
"""

import array
import math
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from aigw_receiver.core import layouts
from aigw_receiver.core.layouts import FIXED, NUMBER_HEADER, Layout
from aigw_receiver.core.model import EXACT_LIMIT, FamilyType, Kind, Outcome, Temporality
from aigw_receiver.core.series import COUNTS, PREVIOUS_START, START, TIME, VALUE, Rows
from aigw_receiver.core.streams import StreamTable

_State = npt.NDArray[np.uint64]

# Where a batch keeps the count of a histogram until it has been compared with the buckets; a row has no such column.
_COUNT: Final = PREVIOUS_START

# How many spellings one stream may have on average (permuted attributes, say) before no more are learnt.
_MAX_SPELLINGS: Final = 4

# The fast path takes no bucket that grew by more than this in one export, nor, in the cumulative case, that holds more.
# Below it no sum of buckets, and no total of ten thousand exports, leaves the range in which a float is exact.
_BUCKET_LIMIT: Final = 1 << 39

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


class Batch(NamedTuple):
    """Points of one metric whose bytes are proven, and the rows of their streams.

    `joined` holds their fixed fields, one after the other: headers of `layout`, or of numbers with `tag`.
    """

    table: StreamTable
    rows: Rows
    points: list[bytes]
    found: list[int]
    joined: bytes
    layout: Layout | None
    tag: int

    def read_into(self, state: _State) -> None:
        """Write the numbers of the points as rows of `Rows.state`, with the count of a histogram at _COUNT."""
        size = len(self.found)
        if self.layout is not None:
            fixed = self.layout.fixed_fields(self.joined, size)
            state[:, : _COUNT + 1] = fixed[:, :3]
            state[:, VALUE] = fixed[:, 3]
            state[:, COUNTS : COUNTS + self.layout.buckets] = self.layout.counts(self.joined, size)
            return
        fields: _State = np.ndarray((size, 3), "<u8", self.joined, 1, (NUMBER_HEADER, FIXED))
        state[:, :_COUNT] = fields[:, :2]
        state[:, VALUE] = fields[:, 2]
        if self.tag == layouts.AS_INT_TAG:
            state[:, VALUE].view(np.float64)[:] = state[:, VALUE].view(np.int64)


def recognise(table: StreamTable, points: list[bytes]) -> tuple[Batch | None, list[bytes]]:
    """Those of `points` whose bytes are proven, and those that are left. Nothing is counted yet."""
    rows = table.rows
    if not table.known or rows is None:
        return None, points
    prove = _prove_numbers if table.header.kind is Kind.SUM else _prove_histograms
    try:
        batch, left = prove(table, rows, points)
    except IndexError:  # a point too short to have what was looked for at its end
        return None, points
    if batch is None or len(set(batch.found)) != len(batch.found):
        return None, points
    return batch, left


def _prove_histograms(table: StreamTable, rows: Rows, points: list[bytes]) -> tuple[Batch | None, list[bytes]]:
    layout = layouts.layout_of(rows.bounds or ())
    length, get, left = layout.length, table.known.get, list[bytes]()
    if table.spelling.has_extremes:
        last = layouts.MAX_TAG
        found = [get(point[length:-17]) if point[-9] == last else None for point in points]
    else:
        found = [get(point[length:]) for point in points]
    if None in found:
        found, points, left = _second_look(table, points, found, length)
    size = len(points)
    joined = b"".join([point[:length] for point in points])
    if not size or len(joined) != length * size or not layout.holds_for(joined, size):
        return None, left
    return Batch(table, rows, points, cast("list[int]", found), joined, layout, 0), left


def _prove_numbers(table: StreamTable, rows: Rows, points: list[bytes]) -> tuple[Batch | None, list[bytes]]:
    get, left, last = table.known.get, list[bytes](), table.spelling.value_last
    found = [get(point[18:-9]) for point in points] if last else [get(point[27:]) for point in points]
    if None in found:
        found, points, left = _second_look(table, points, found, 2 * FIXED if last else NUMBER_HEADER)
    size = len(points)
    joined = b"".join([point[:18] + point[-9:] for point in points] if last else [point[:27] for point in points])
    if not size or len(joined) != NUMBER_HEADER * size:
        return None, left
    tag = joined[2 * FIXED]
    columns = layouts.NUMBER_TAGS.get(tag)
    if columns is None or not layouts.columns_hold(joined, NUMBER_HEADER, size, columns):
        return None, left
    return Batch(table, rows, points, cast("list[int]", found), joined, None, tag), left


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


def count(pending: Sequence[Batch], now: int, outcome: Outcome) -> list[Batch]:
    """Count batches of different tables; answers those in which a point is unsound or out of its normal course.

    All are read, checked and counted together; only where that fails, each on its own.
    """
    if _count_together(pending, now, outcome):
        return []
    if len(pending) == 1:
        return list(pending)
    return [batch for batch in pending if not _count_together((batch,), now, outcome)]


def _count_together(pending: Sequence[Batch], now: int, outcome: Outcome) -> bool:
    """Count batches if all of their points are sound and in their normal course; else count nothing."""
    ordered = pending if len(pending) == 1 else sorted(pending, key=_temporality)
    total = sum([len(batch.found) for batch in ordered])
    state = np.zeros((total, max([batch.rows.state.shape[1] for batch in ordered])), np.uint64)
    old = np.zeros(state.shape, np.uint64)
    places = []
    begin = deltas = 0
    for batch in ordered:
        rows_state, end = batch.rows.state, begin + len(batch.found)
        at = np.frombuffer(array.array("q", batch.found), np.int64)
        batch.read_into(state[begin:end])
        # The mode spares numpy a copy; no row is out of range.
        rows_state.take(at, axis=0, out=old[begin:end, : rows_state.shape[1]], mode="clip")
        places.append((batch, at, begin, end))
        begin = end
        if _temporality(batch) == _DELTA:
            deltas = end
    if not _are_sound(state, places) or not _are_normal(state, old, places, deltas):
        return False
    if deltas:
        state[:deltas, COUNTS:] += old[:deltas, COUNTS:]
        values = state[:deltas, VALUE].view(np.float64)
        values += old[:deltas, VALUE].view(np.float64)
    state[:, PREVIOUS_START:VALUE] = old[:, :PREVIOUS_START]
    for batch, at, first, last in places:
        rows_state = batch.rows.state
        rows_state[at] = state[first:last, : rows_state.shape[1]]
        batch.table.source.last_change = now
    outcome.fast += total
    outcome.accepted += total
    return True


_Places = list[tuple[Batch, npt.NDArray[np.int64], int, int]]
_DELTA: Final = int(Temporality.DELTA)


def _temporality(batch: Batch) -> int:
    """Delta comes before cumulative: the number of the one is the smaller."""
    return batch.table.header.temporality


def _are_sound(state: _State, places: _Places) -> bool:
    """Whether the numbers are such as the full parser would take."""
    counts = state[:, COUNTS:]
    values = state[:, VALUE].view(np.float64).tolist()
    if np.add.reduce(counts, axis=1).tobytes() != state[:, _COUNT].tobytes():
        return False
    if not math.isfinite(sum(values)):
        return False
    if counts.shape[1] and np.bitwise_or.reduce(counts, axis=None) >= _BUCKET_LIMIT:
        return False
    numbers = [values[begin:end] for batch, _, begin, end in places if batch.layout is None]
    return all(min(some) >= 0 and max(some) < EXACT_LIMIT for some in numbers)


def _are_normal(state: _State, old: _State, places: _Places, deltas: int) -> bool:
    """Whether every point continues its stream: the first `deltas` rows by what was added, the others by what is."""
    start, time = state[:, START], state[:, TIME]
    if deltas:
        begins, ends = start[:deltas], time[:deltas]
        if _NO in ((begins >= old[:deltas, TIME]) & (ends > begins)).tobytes():
            return False
    if deltas == len(state):
        return True
    runs, ends = start[deltas:], time[deltas:]
    if _NO in ((runs == old[deltas:, START]) & (ends > old[deltas:, TIME])).tobytes():
        return False
    if _NO in (state[deltas:, COUNTS:] >= old[deltas:, COUNTS:]).tobytes():
        return False
    values, before = state[:, VALUE].view(np.float64), old[:, VALUE].view(np.float64)
    return not any(
        _NO in (values[begin:end] >= before[begin:end]).tobytes()
        for batch, _, begin, end in places
        if batch.layout is None and begin >= deltas
    )
