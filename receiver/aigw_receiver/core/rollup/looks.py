"""The rows of the store as the rollup looks at them: for which cell each of them counts, and adding them up.

All rows of a layout are looked at as arrays, and nothing is kept of a row but its place. Cells are
numbers here.
"""

import bisect
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core.pricing.cost_rows import CostRows
from aigw_receiver.core.rollup.families import COUNTED, Code, Kind
from aigw_receiver.core.rollup.model import Number
from aigw_receiver.core.rollup.sums import COLUMNS, UNITS, Floats, Indexes, Sheet, Sums
from aigw_receiver.core.series import Rows

# Places of rows that count for no cell, and of those that were not looked at; all others are not negative.
NO_PLACE: Final = -1
UNSEEN: Final = -2

# What an index of rows may be: all of them, or some.
RowsAt = slice | Indexes


class Look:
    """The rows of one layout of one family, and their places."""

    __slots__ = ("columns", "kind", "places", "rows", "sums")

    def __init__(self, rows: Rows, kind: Kind, sums: Sums) -> None:
        self.rows = rows
        self.kind = kind
        self.sums = sums
        """of its measure; of one without, the numbers"""
        self.columns = [bisect.bisect_left(sums.bounds, bound) for bound in (*(rows.bounds or ()), math.inf)]
        """by bucket, the column that it is added to (see `histogram.rebucket`)"""
        self.places: npt.NDArray[np.int32] = np.zeros(0, np.int32)

    def unseen(self) -> Indexes:
        """The rows that have not been looked at."""
        rows = self.rows
        if rows.size > len(self.places):
            more = np.full(rows.size - len(self.places), UNSEEN, np.int32)
            self.places = np.concatenate((self.places, more))
        return np.flatnonzero((self.places == UNSEEN) & (rows.owner[: rows.size] >= 0))

    def add_buckets(self, at: RowsAt, sheet: Sheet, cells: npt.NDArray[np.integer]) -> None:
        """Add the observations of rows to these cells, bucket by bucket, and their sums."""
        rows, places = self.rows, sheet.at(cells)
        for bucket, column in enumerate(self.columns):
            counts = rows.counts[at, bucket]
            if rows.base_counts is not None:
                # The arithmetic is modulo 2^64, so that a base can be below zero.
                counts = counts + rows.base_counts[at, bucket]
            sheet.add(column, places, counts.astype(np.float64))
        sheet.add(sheet.sums.width - 1, places, _values(rows, at))

    def add_numbers(
        self, at: RowsAt, sheet: Sheet, cells: npt.NDArray[np.integer], codes: npt.NDArray[np.integer]
    ) -> None:
        """Add what rows count beside their buckets to these cells; `codes` say what that is."""
        rows, values = self.rows, _values(self.rows, at)
        for code in np.unique(codes).tolist():
            if code == Code.NOTHING:
                continue
            some = np.flatnonzero(codes == code)
            places = sheet.at(cells[some])
            if code == Code.ERRORS:
                counts = rows.counts[at][some]
                if rows.base_counts is not None:
                    counts = counts + rows.base_counts[at][some]
                sheet.add(COLUMNS[Number.ERRORS], places, counts.sum(axis=1).astype(np.float64))
            for number in COUNTED.get(Code(code), ()):
                sheet.add(COLUMNS[number], places, values[some])


def _values(rows: Rows, at: RowsAt) -> Floats:
    return rows.values[at] if rows.base_values is None else rows.values[at] + rows.base_values[at]


def add_costs(costs: CostRows, at: RowsAt, sheet: Sheet, cells: npt.NDArray[np.integer]) -> None:
    """Add the costs of tokens. A row that was released since they were looked at is another stream's by now."""
    rows = np.arange(at.start, at.stop) if isinstance(at, slice) else at
    there = rows < costs.size
    there[there] = costs.owner[rows[there]] == costs.rows.owner[rows[there]]
    rows, places = rows[there], sheet.at(cells[there])
    sheet.add(COLUMNS[Number.COST], places, costs.usd[rows].astype(np.float64))
    sheet.add(UNITS, places, costs.units[rows].astype(np.float64))
    sheet.add(COLUMNS[Number.UNPRICED], places, costs.unpriced[rows].astype(np.float64))
