"""Sums up what the streams of the store show into totals of cells, again and again. It changes nothing in the store.

`total of a cell = what its live rows show - what they showed when they were met, if they are older than our knowledge
of them + what rows that are gone had gained`. All rows are looked at as arrays, the labels of a row once. Of a row four
bytes are kept, its *place* (the smallest cell that it counts for, and what it counts), and none of its numbers.

The caller holds the lock of the store, and tells of each pod before its rows are released.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core.pricing import labels
from aigw_receiver.core.pricing.cost_series import CostSeries
from aigw_receiver.core.rollup import looks
from aigw_receiver.core.rollup.cells import NOWHERE, Cells
from aigw_receiver.core.rollup.families import BITS, FAMILIES, Code, Kind
from aigw_receiver.core.rollup.looks import NO_PLACE, UNSEEN, Look, RowsAt
from aigw_receiver.core.rollup.model import Cell, Measure, Totals, View
from aigw_receiver.core.rollup.sums import Indexes, Sheet, Sums, columns_of
from aigw_receiver.core.series import Rows
from aigw_receiver.core.store import Store

# Bounds that are kept apart for one measure; buckets with yet others are moved to the first ones.
_MOST_LAYOUTS: Final = 16

# Rows that are added up at a time: the arrays in between are as long, and would be the most memory that a step takes.
_AT_ONCE: Final = 8192

_Sheets = dict[int, Sheet]


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What one look found: the numbers of the cells that have changed, and all totals."""

    changed: Indexes
    sheets: tuple[Sheet, ...]

    def totals(self, cells: Iterable[int]) -> dict[int, Totals]:
        """The totals of cells, by number."""
        numbers = np.array(list(cells), np.intp)
        totals = {number: Totals({}, {}) for number in numbers.tolist()}
        for sheet in self.sheets:
            sheet.write(numbers, totals)
        return totals


class Reading:
    """Running totals of `cells`, out of a store and the series of cost beside it."""

    def __init__(self, cells: Cells, costs: CostSeries) -> None:
        self._cells = cells
        self._costs = costs
        self._numbers = Sums()
        self._measures: dict[tuple[Measure, tuple[float, ...]], Sums] = {}
        self._looks: dict[int, Look] = {}
        self._pods: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        """by the number of a pod, its cell"""
        self._checksums: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._changed: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        """by cell, when it changed last"""
        self._has_begun = False

    def restore(self, totals: Mapping[int, Totals], at: int) -> None:
        """Go on from these totals of cells, by number, which were reached `at`; before the first step."""
        for sums, column, values in self._columns_of(totals):
            sums.admit(column, self._cells.end)
            sheet = Sheet(sums, np.array(column))
            places = sheet.at(np.array(column))
            for number, value in enumerate(zip(*values, strict=True)):
                sheet.add(number, places, np.array(value))
            sums.shift(sheet, 1)
        self._checksums = np.zeros(self._cells.end, np.uint64)
        self._changed = np.full(self._cells.end, at, np.int64)

    def _columns_of(self, totals: Mapping[int, Totals]) -> list[tuple[Sums, list[int], list[list[float]]]]:
        """The totals by kind: the cells that have it, and their columns."""
        found: dict[int, tuple[Sums, list[int], list[list[float]]]] = {}
        for cell, one in totals.items():
            each = [(self._numbers, columns_of(one))] if one.numbers else []
            for measure, distributions in one.measures.items():
                for distribution in distributions:
                    values = [*map(float, distribution.counts), distribution.sum]
                    each.append((self._sums_of(measure, distribution.bounds), values))
            for sums, values in each:
                _, cells, columns = found.setdefault(id(sums), (sums, [], []))
                cells.append(cell)
                columns.append(values)
        return list(found.values())

    def _sums_of(self, measure: Measure, bounds: tuple[float, ...]) -> Sums:
        sums = self._measures.get((measure, bounds))
        if sums is None:
            of_measure = [one for (its, _), one in self._measures.items() if its is measure]
            if len(of_measure) >= _MOST_LAYOUTS:
                return of_measure[0]
            sums = self._measures[measure, bounds] = Sums(measure, bounds)
        return sums

    def step(self, store: Store, now: int, *, everything: bool = False) -> Step:
        """Look at all rows. With `everything` all cells count as changed.

        What the first look finds was counted before us, and is no gain; what is new later is, from its beginning,
        unless its stream is older than our knowledge of it.
        """
        self._meet(store)
        self._has_begun = True
        sheets = {id(sums): Sheet(sums) for sums in (self._numbers, *self._measures.values())}
        for look in self._looks.values():
            for start in range(0, look.rows.size, _AT_ONCE):
                self._add(look, slice(start, min(start + _AT_ONCE, look.rows.size)), sheets)
        checksums, first = np.zeros(self._cells.end, np.uint64), 0
        for sheet in sheets.values():
            sheet.climb(self._cells.parents)
            sheet.sums.totals(sheet)
            cells = sheet.sums.cells[: sheet.sums.size]
            checksums[cells[cells != NOWHERE]] += sheet.checksums(first)[cells != NOWHERE]
            first += sheet.sums.width
        changed = self._compare(checksums, now)
        if everything:
            changed = np.array(list(self._cells.numbers()), np.intp)
        return Step(changed, tuple(sheets.values()))

    def _compare(self, checksums: npt.NDArray[np.uint64], now: int) -> Indexes:
        """The cells whose totals are not what they were at the last step."""
        more = len(checksums) - len(self._checksums)
        before = np.concatenate((self._checksums, np.zeros(more, np.uint64)))
        self._changed = np.concatenate((self._changed, np.full(more, now, np.int64)))
        changed = np.flatnonzero(checksums != before)
        self._checksums = checksums
        self._changed[changed] = now
        return changed

    def _meet(self, store: Store) -> None:
        """Find the places of rows that are new; what they had counted before they were ours is taken off."""
        known, self._looks = self._looks, {}
        for name, kind in FAMILIES.items():
            family = store.families.get(name)
            if family is None or not kind.reads(family.name):
                continue
            for rows in family.layouts.values():
                # The rows of a look are alive with it, so that no other ones can have their id.
                look = self._looks[id(rows)] = known.get(id(rows)) or self._new_look(rows, kind)
                new = look.unseen()
                if len(new):
                    self._find_places(look, new)
                    old = new[rows.birth[new] == 0] if self._has_begun else new
                    self._shift(look, old, -1)

    def _new_look(self, rows: Rows, kind: Kind) -> Look:
        if kind.measure is None:
            return Look(rows, kind, self._numbers)
        return Look(rows, kind, self._sums_of(kind.measure, rows.bounds or ()))

    def _find_places(self, look: Look, new: Indexes) -> None:
        rows, cells = look.rows, self._cells
        owners = rows.owner[new].tolist()
        if max(owners) >= len(self._pods):
            more = np.full(max(owners) + 1 - len(self._pods), NOWHERE, np.int32)
            self._pods = np.concatenate((self._pods, more))
        counting, touched = set[int](), set[int]()
        for row, owner in zip(new.tolist(), owners, strict=True):
            text = rows.labels[row]
            # A row without labels adds to that of another one.
            found = {} if text is None else labels.parse(text)
            place = look.kind.place(found) if found else None
            cell = NOWHERE if place is None else cells.walk(place.chain)
            if place is None or cell == NOWHERE:
                look.places[row] = NO_PLACE
                continue
            look.places[row] = cell << BITS | place.code
            if self._pods[owner] == NOWHERE:
                pod = Cell(View.POD, place.chain[0].namespace, place.chain[0].name, (found.get("gateway_pod", ""),))
                self._pods[owner] = cells.walk((pod,))
            touched.update((cell, int(self._pods[owner])))
            if place.code != Code.NOTHING:
                counting.update((cell, int(self._pods[owner])))
        look.sums.admit(self._with_parents(touched), cells.end)
        self._numbers.admit(self._with_parents(counting), cells.end)

    def _with_parents(self, numbers: Iterable[int]) -> set[int]:
        found = set[int]()
        for number in numbers:
            while number not in found and number != NOWHERE:
                found.add(number)
                number = int(self._cells.parents[number])  # noqa: PLW2901 - up the chain
        return found

    def retire(self, store: Store, owner: int) -> None:
        """Keep what the rows of a pod have gained, which are released after this."""
        if not self._has_begun:
            return
        self._meet(store)
        for look in self._looks.values():
            rows = np.flatnonzero(look.rows.owner[: look.rows.size] == owner)
            self._shift(look, rows, 1)
            look.places[rows] = UNSEEN

    def _shift(self, look: Look, at: Indexes, sign: int) -> None:
        """Add what these rows show to the offsets of their cells, or take it away."""
        at = at[look.places[at] >= 0]
        if not len(at):
            return
        cells = np.unique(look.places[at] >> BITS).tolist()
        pods = np.unique(self._pods[look.rows.owner[at]]).tolist()
        involved = np.array(sorted(self._with_parents([*cells, *pods])))
        sheets = {id(sums): Sheet(sums, involved) for sums in (self._numbers, look.sums)}
        self._add(look, at, sheets)
        for sheet in sheets.values():
            sheet.climb(self._cells.parents)
            sheet.sums.shift(sheet, sign)

    def _add(self, look: Look, at: RowsAt, sheets: _Sheets) -> None:
        """Add what rows show to their cells and pods."""
        rows, places = look.rows, look.places[at]
        owners = np.where(places >= 0, rows.owner[at], -1)
        pods = np.where(places >= 0, self._pods[owners] if len(self._pods) else NOWHERE, NOWHERE)
        codes = np.where(places >= 0, places & ((1 << BITS) - 1), Code.NOTHING)
        for cells in (np.where(places >= 0, places >> BITS, NOWHERE), pods):
            if look.kind.measure is not None:
                look.add_buckets(at, sheets[id(look.sums)], cells)
            look.add_numbers(at, sheets[id(self._numbers)], cells, codes)
            for costs in self._costs.layouts():
                if costs.rows is rows:
                    looks.add_costs(costs, at, sheets[id(self._numbers)], cells)

    def forget(self, before: int) -> list[int]:
        """Forget the cells that changed last before this time and have no rows; answers their numbers."""
        used = set[int]()
        for look in self._looks.values():
            there = look.places >= 0
            used.update(np.unique(look.places[there] >> BITS).tolist())
            used.update(np.unique(self._pods[look.rows.owner[: len(there)][there]]).tolist())
        used = self._with_parents(used)
        gone = [cell for cell in np.flatnonzero(self._changed < before).tolist() if self._cells.get(cell)]
        gone = [cell for cell in gone if cell not in used]
        for sums in (self._numbers, *self._measures.values()):
            sums.release(gone)
        self._checksums[gone] = 0
        return gone
