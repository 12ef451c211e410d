"""Where streams live: one row of numbers each, in arrays that a whole batch of points can be added to at once.

A `Family` is what Prometheus calls by one name; its `Rows` hold the streams that have the same bucket bounds. This
module finds, makes and releases rows; it does not decide what a point means for them (see `temporality`), nor how
they are written out (see `exposition`).
"""

import collections
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from aigw_receiver.core.model import FamilyType
from aigw_receiver.core.naming import FamilyName

# Columns of `Rows.state`, all of 64 bits: the interval of the last point but one and that of the last one, in
# nanoseconds since 1970; the number of observations in the last point, which only `bulk` writes and reads; the value,
# as the bits of a float; then the counts of the buckets. From START on they stand as in a histogram point on the wire.
PREVIOUS_START, PREVIOUS_TIME, START, TIME, COUNT, VALUE, COUNTS = range(7)

_FIRST_CAPACITY: Final = 32
_GROWTH: Final = 1.5

# How many runs that ended in a reset are remembered for streams of one layout: their late points still count.
_EARLIER_RUNS: Final = 10_000

# A row whose stream is told apart from nothing: it only gathers what its children add.
NO_FINGERPRINT: Final = 0


class Run(NamedTuple):
    """The last point of one run of a cumulative stream, from its start to its reset."""

    time: int
    counts: tuple[int, ...]
    value: float


class Rows:
    """Streams of one family that share their bounds.

    `state` holds all that a point changes, a row a stream, so that a batch is read and written in one go; `clock`,
    `values` and `counts` are views of its columns.

    What a series shows is `counts + base_counts` and `values + base_values`: for a cumulative stream `counts` and
    `values` are the last point as it came, and the base is what was counted before its resets; for a delta stream
    they are the totals. A number has no counts, only a value. `birth` numbers new streams in the order in which they
    became known, 0 for a stream that is older than our knowledge of it (see `scrapers`).

    A *child* is a stream that has no series of its own: its labels equal those of another stream (its `parent`), or
    were folded. What it counts is added to the base of its parent.

    `earlier` holds runs of cumulative streams that have reset since, by row and start, the oldest first. Two pods that
    give themselves the same identity look like one stream that resets with every point: since each run is followed on
    its own, their sum is right all the same.
    """

    __slots__ = (
        "base_counts",
        "base_values",
        "birth",
        "bounds",
        "children",
        "clock",
        "counts",
        "created",
        "earlier",
        "fingerprint",
        "free",
        "index",
        "labels",
        "owner",
        "parent",
        "size",
        "state",
        "values",
        "visible",
    )

    def __init__(self, bounds: tuple[float, ...] | None) -> None:
        self.bounds = bounds
        width = 0 if bounds is None else len(bounds) + 1
        self.size = 0
        self.state: npt.NDArray[np.uint64] = np.zeros((_FIRST_CAPACITY, COUNTS + width), np.uint64)
        self.birth: npt.NDArray[np.int64] = np.zeros(_FIRST_CAPACITY, np.int64)
        self.created: npt.NDArray[np.uint64] = np.zeros(_FIRST_CAPACITY, np.uint64)
        self.fingerprint: npt.NDArray[np.uint64] = np.zeros(_FIRST_CAPACITY, np.uint64)
        self.parent: npt.NDArray[np.int32] = np.full(_FIRST_CAPACITY, -1, np.int32)
        self.owner: npt.NDArray[np.int32] = np.full(_FIRST_CAPACITY, -1, np.int32)
        self.visible: npt.NDArray[np.bool_] = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.base_counts: npt.NDArray[np.uint64] | None = None
        self.base_values: npt.NDArray[np.float64] | None = None
        self.labels: list[str | None] = []
        self.index: dict[str, int] = {}
        self.children: dict[tuple[int, int], int] = {}
        self._look_at_state()
        self.free: list[int] = []
        self.earlier: collections.OrderedDict[tuple[int, int], Run] = collections.OrderedDict()

    def _look_at_state(self) -> None:
        self.clock = self.state[:, :COUNT]
        self.values: npt.NDArray[np.float64] = self.state[:, VALUE].view(np.float64)
        self.counts = self.state[:, COUNTS:]

    def add(self, labels: str | None, fingerprint: int, *, owner: int, parent: int = -1) -> int:
        """A row for a new stream, all zeros; with labels it is a series, with a parent it is a child."""
        row = self.free.pop() if self.free else self._append()
        self.labels[row] = labels
        self.fingerprint[row] = fingerprint
        self.owner[row] = owner
        self.parent[row] = parent
        self.visible[row] = labels is not None
        if labels is not None:
            self.index[labels] = row
        else:
            self.children[parent, fingerprint] = row
        return row

    def _append(self) -> int:
        if self.size == len(self.state):
            self._grow(max(int(self.size * _GROWTH), _FIRST_CAPACITY))
        self.labels.append(None)
        self.size += 1
        return self.size - 1

    def _grow(self, capacity: int) -> None:
        for name in _ARRAYS:
            old = getattr(self, name)
            if old is not None:
                new = np.zeros((capacity, *old.shape[1:]), old.dtype)
                new[: len(old)] = old
                setattr(self, name, new)
        self._look_at_state()

    def release_owned(self, owner: int) -> int:
        """Give back the rows of one owner; answers how many there were."""
        rows = np.flatnonzero(self.owner[: self.size] == owner)
        for row in rows.tolist():
            labels = self.labels[row]
            if labels is not None:
                del self.index[labels]
            else:
                del self.children[int(self.parent[row]), int(self.fingerprint[row])]
            self.labels[row] = None
        gone = set(rows.tolist())
        for row, start in [key for key in self.earlier if key[0] in gone]:
            del self.earlier[row, start]
        for name in _ARRAYS:
            array = getattr(self, name)
            if array is not None:
                array[rows] = 0
        self.owner[rows] = -1
        self.parent[rows] = -1
        self.free.extend(rows.tolist())
        return len(rows)

    def remember(self, row: int, start: int, run: Run) -> None:
        """Keep the last point of a run that is not a stream's present one."""
        self.earlier[row, start] = run
        self.earlier.move_to_end((row, start))
        if len(self.earlier) > _EARLIER_RUNS:
            self.earlier.popitem(last=False)

    def base(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float64]]:
        """The bases, made when the first stream needs one: most streams never reset."""
        if self.base_counts is None or self.base_values is None:
            self.base_counts = np.zeros_like(self.counts)
            self.base_values = np.zeros(len(self.values), np.float64)
        return self.base_counts, self.base_values

    def arrays(self) -> dict[str, Any]:
        """The arrays needed to make the rows anew, cut to size."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return {name: array[: self.size].copy() for name, array in arrays.items() if array is not None}

    def restore(self, arrays: dict[str, Any], labels: list[str | None]) -> None:
        """Take over what `arrays` and `labels` of an earlier run held."""
        self.labels = list(labels)
        self.size = len(labels)
        for name in _ARRAYS:
            if name in arrays:
                setattr(self, name, np.array(arrays[name]))
        self._look_at_state()
        for row, text in enumerate(self.labels):
            parent = int(self.parent[row])
            if text is not None:
                self.index[text] = row
            elif parent >= 0:
                self.children[parent, int(self.fingerprint[row])] = row
            else:
                self.free.append(row)


_ARRAYS: Final = (
    "state",
    "birth",
    "created",
    "fingerprint",
    "parent",
    "owner",
    "visible",
    "base_counts",
    "base_values",
)


class Family:
    """A Prometheus family: its name, and its streams by the bounds of their buckets (None for numbers)."""

    __slots__ = ("layouts", "name")

    def __init__(self, name: FamilyName) -> None:
        self.name = name
        self.layouts: dict[tuple[float, ...] | None, Rows] = {}

    def rows_for(self, bounds: tuple[float, ...]) -> Rows:
        """The rows for streams with these bounds; numbers have none."""
        key = bounds if self.name.type is FamilyType.HISTOGRAM else None
        rows = self.layouts.get(key)
        if rows is None:
            rows = self.layouts[key] = Rows(key)
        return rows

    def find(self, labels: str) -> tuple[Rows, int] | None:
        """The series with these labels, whatever its bounds: labels are unique in a family."""
        for rows in self.layouts.values():
            row = rows.index.get(labels)
            if row is not None:
                return rows, row
        return None

    def sample_names(self) -> Iterator[str]:
        """The names of the samples that this family writes; two families must not share one."""
        base = self.name.name
        match self.name.type:
            case FamilyType.HISTOGRAM:
                suffixes: tuple[str, ...] = ("", "_bucket", "_count", "_sum", "_created")
            case FamilyType.COUNTER:
                suffixes = ("", "_total", "_created")
            case FamilyType.GAUGE:
                suffixes = ("",)
        return (base + suffix for suffix in suffixes)
