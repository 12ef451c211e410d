"""The totals of cells as columns of floats: one `Sums` for the numbers, and one for each layout of each measure.

What a cell shows is what its live rows show now (`Sheet`) and an offset: what rows that are gone had counted, less
what others had counted before they were met. It knows no rows and no labels. Floats hold all counts and tokens that
the store takes exactly (`model.EXACT_LIMIT`).
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core.pricing.book import UNITS_PER_USD
from aigw_receiver.core.rollup.model import Distribution, Measure, Number, Totals

NOWHERE: Final = -1

Floats = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.intp]

# Columns of the numbers. The cost has two, so that it is summed exactly: whole USD, and units of 1e-12 USD.
COLUMNS: Final = {number: column for column, number in enumerate(Number)}
UNITS: Final = len(COLUMNS)
WIDTH: Final = UNITS + 1


class Sums:
    """The cells that have something of one kind, and their offsets. Of a measure the last column is the sum."""

    def __init__(self, measure: Measure | None = None, bounds: tuple[float, ...] = ()) -> None:
        self.measure = measure
        self.bounds = bounds
        self.width = WIDTH if measure is None else len(bounds) + 2
        self.size = 0
        self.cells: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        """by row, the cell"""
        self.index: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        """by cell, the row"""
        self._offset: Floats | None = None
        self._free: list[int] = []

    def admit(self, cells: Iterable[int], end: int) -> None:
        """See that these cells have a row; the numbers of all cells are below `end`."""
        if end > len(self.index):
            more = np.full(end + end // 4 - len(self.index), NOWHERE, np.int32)
            self.index = np.concatenate((self.index, more))
        new = sorted(cell for cell in cells if self.index[cell] == NOWHERE)
        rows = [self._free.pop() for _ in range(min(len(self._free), len(new)))]
        rows += range(self.size, self.size + len(new) - len(rows))
        self.size = max([self.size, *(row + 1 for row in rows)])
        self._make_room()
        self.cells[rows], self.index[new] = new, rows

    def _make_room(self) -> None:
        more = self.size - len(self.cells)
        if more > 0:
            more += self.size // 8
            self.cells = np.concatenate((self.cells, np.full(more, NOWHERE, np.int32)))
            if self._offset is not None:
                self._offset = np.concatenate((self._offset, np.zeros((self.width, more))), axis=1)

    def rows_of(self, cells: npt.NDArray[np.integer]) -> Indexes:
        """The rows of cells, NOWHERE where there is none."""
        if not len(self.index):
            return np.full(len(cells), NOWHERE, np.intp)
        there = (cells >= 0) & (cells < len(self.index))
        return np.where(there, self.index[np.where(there, cells, 0)], NOWHERE).astype(np.intp)

    def shift(self, sheet: "Sheet", sign: int) -> None:
        """Add to the offsets what is on a sheet, or take it away."""
        if self._offset is None:
            # Most cells never need one: those of a first run whose pods are all there.
            self._offset = np.zeros((self.width, len(self.cells)))
        self._offset[:, sheet.rows] += sign * sheet.values

    def totals(self, sheet: "Sheet") -> None:
        """Make of the sums of all live rows what the cells show."""
        if self._offset is not None:
            sheet.values += self._offset[:, : self.size]

    def release(self, cells: Iterable[int]) -> None:
        """Forget cells."""
        for cell in cells:
            row = int(self.index[cell]) if cell < len(self.index) else NOWHERE
            if row != NOWHERE:
                self.index[cell] = self.cells[row] = NOWHERE
                self._free.append(row)
                if self._offset is not None:
                    self._offset[:, row] = 0


class Sheet:
    """Sums of one kind of some cells while they are being added up: a column each, `values` by row of it."""

    def __init__(self, sums: Sums, cells: npt.NDArray[np.integer] | None = None) -> None:
        """Of all cells, or of these, which are different ones."""
        self.sums = sums
        self.rows: Indexes = np.arange(sums.size) if cells is None else np.sort(sums.rows_of(cells))
        if cells is not None:
            self.rows = self.rows[self.rows != NOWHERE]
        self._is_whole = cells is None
        self.values: Floats = np.zeros((sums.width, len(self.rows)))

    def at(self, cells: npt.NDArray[np.integer]) -> Indexes:
        """Where these cells stand; one beyond the end for those that are not on the sheet."""
        rows = self.sums.rows_of(cells)
        if not self._is_whole:
            rows = np.where(rows == NOWHERE, NOWHERE, np.searchsorted(self.rows, rows))
        rows[rows == NOWHERE] = len(self.rows)
        return rows

    def add(self, column: int, at: Indexes, values: Floats) -> None:
        """Add values to the cells that stand `at` their places."""
        size = len(self.rows)
        self.values[column] += np.bincount(at, values, size + 1)[:size]

    def climb(self, parents: npt.NDArray[np.int32]) -> None:
        """Add to every cell what the cells within it have, the smallest first. `parents` is by cell."""
        own = self.sums.cells[self.rows]
        above = np.where(own >= 0, parents[own], NOWHERE)
        is_top = above < 0
        has_children = np.isin(own, above[~is_top])
        # A chain has three cells: those without any within them go first, then those in the middle.
        for some in (~is_top & ~has_children, ~is_top & has_children):
            at = self.at(above[some])
            for column in range(self.sums.width):
                self.add(column, at, self.values[column, some])

    def checksums(self, first: int) -> npt.NDArray[np.uint64]:
        """By cell of the sheet, a number that changes when any of its columns does; `first` tells sheets apart."""
        checksums = np.zeros(len(self.rows), np.uint64)
        for column, values in enumerate(self.values):
            bits = values.view(np.uint64)
            # The bits of small whole numbers end in zeros, which no factor would mix.
            checksums += (bits ^ bits >> np.uint64(32)) * np.uint64(_mixed(first + column))
        return checksums

    def write(self, cells: npt.NDArray[np.integer], totals: dict[int, Totals]) -> None:
        """Add what is here of these cells, all of which are known, to their totals."""
        rows = self.sums.rows_of(cells)
        there = rows != NOWHERE
        numbers, columns = cells[there].tolist(), self.values[:, rows[there]].T
        if self.sums.measure is None:
            for number, values in zip(numbers, columns.tolist(), strict=True):
                totals[number].numbers.update(_numbers(values))
            return
        measure, bounds = self.sums.measure, self.sums.bounds
        counts = columns[:, :-1].astype(np.int64).clip(0)
        for number, each, total in zip(numbers, counts.tolist(), columns[:, -1].tolist(), strict=True):
            if any(each):
                measures = totals[number].measures
                measures[measure] = (*measures.get(measure, ()), Distribution(bounds, tuple(each), total))


def _numbers(values: list[float]) -> dict[Number, float]:
    found = {number: values[column] for number, column in COLUMNS.items() if values[column]}
    if values[UNITS] or Number.COST in found:
        units = int(values[COLUMNS[Number.COST]]) * UNITS_PER_USD + int(values[UNITS])
        found[Number.COST] = units / UNITS_PER_USD
    return {number: value for number, value in found.items() if value > 0}


def columns_of(totals: Totals) -> list[float]:
    """The columns of the numbers of totals."""
    values = [0.0] * WIDTH
    for number, value in totals.numbers.items():
        values[COLUMNS[number]] = value
    usd, units = divmod(round(totals.numbers.get(Number.COST, 0) * UNITS_PER_USD), UNITS_PER_USD)
    values[COLUMNS[Number.COST]], values[UNITS] = float(usd), float(units)
    return values


def _mixed(number: int) -> int:
    """64 bits that look as if they had been drawn. Source: splitmix64, of Java's SplittableRandom."""
    mask = (1 << 64) - 1
    mixed = (number + 1) * 0x9E3779B97F4A7C15 & mask
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & mask
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & mask
    return mixed ^ mixed >> 31 | 1
