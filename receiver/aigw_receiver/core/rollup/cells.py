"""The cells that are known, by number. It keeps none of their totals.

Numbers are given out in blocks of cells of one gateway and view (the cells of the gateways themselves are of one kind
together), because those are written and read together. A number is never used for another cell while anything of its
block is known: what was written earlier is read by it.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core.limits import OTHER
from aigw_receiver.core.rollup.model import Cell, View
from aigw_receiver.core.rollup.packing import BLOCK

NOWHERE: Final = -1

# Cells of one gateway and view; what comes beyond is counted in `other`.
MOST_OF_VIEW: Final = 1_000

# Cells at all. The limits of the store allow more gateways and models than anybody can look at.
MOST: Final = 100_000

_Group = tuple[View, str, str]


class Cells:
    """Cells and their numbers.

    One thread changes them. Others may look for cells meanwhile: they find one that is new, or they do not.
    """

    def __init__(self, *, most_of_view: int = MOST_OF_VIEW, most: int = MOST) -> None:
        self._most_of_view = most_of_view
        self._most = most
        self._numbers: dict[Cell, int] = {}
        self._cells: list[Cell | None] = []
        self._groups: dict[_Group, list[int]] = {}
        """the blocks of a group"""
        self._used: list[int] = []
        """by block, how many of its numbers were given out"""
        self._free: list[int] = []
        self.parents: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        """by number, the cell that contains it, if any"""

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def end(self) -> int:
        """All numbers are below this one."""
        return len(self._cells)

    def get(self, number: int) -> Cell | None:
        """The cell of this number."""
        return self._cells[number] if number < len(self._cells) else None

    def find(self, cell: Cell) -> int:
        """The number of a cell; NOWHERE where it is not known."""
        return self._numbers.get(cell, NOWHERE)

    def of(self, view: View, gateway: tuple[str, str] | None = None) -> list[Cell]:
        """The cells of a view, of one gateway or of all."""
        if gateway is not None and view is View.GATEWAY:
            cell = Cell(view, *gateway, ())
            return [cell] if cell in self._numbers else []
        if gateway is not None:
            groups = [(view, *gateway)]
        else:
            groups = [group for group in list(self._groups) if group[0] is view]
        blocks = [block for group in groups for block in list(self._groups.get(group, ()))]
        return [cell for block in blocks for cell in self._cells[block * BLOCK : (block + 1) * BLOCK] if cell]

    def walk(self, chain: tuple[Cell, ...]) -> int:
        """The number of the last cell of a chain from a gateway down, with all before it as its parents.

        Where there is no room for one, `other` takes its place; where there is none for that either, the cell before.
        """
        parent = NOWHERE
        for cell in chain:
            number = self._number(cell)
            if number == NOWHERE:
                break
            self.parents[number] = parent
            parent = number
        return parent

    def _number(self, cell: Cell) -> int:
        number = self._numbers.get(cell)
        if number is not None:
            return number
        blocks = self._groups.get(_group(cell), ())
        known = sum(self._used[block] for block in blocks) if len(blocks) * BLOCK >= self._most_of_view else 0
        is_full = len(self._numbers) >= self._most or (known >= self._most_of_view and cell.view is not View.GATEWAY)
        if not is_full or (cell.key and cell.key[-1] == OTHER and len(self._numbers) < self._most):
            return self._add(cell)
        other = cell._replace(key=(*cell.key[:-1], OTHER))
        return self._number(other) if cell.key and other != cell else NOWHERE

    def _add(self, cell: Cell) -> int:
        blocks = self._groups.setdefault(_group(cell), [])
        if not blocks or self._used[blocks[-1]] == BLOCK:
            blocks.append(self._new_block())
        number = blocks[-1] * BLOCK + self._used[blocks[-1]]
        gateway = self.find(Cell(View.GATEWAY, cell.namespace, cell.name, ()))
        if gateway != NOWHERE and (known := self._cells[gateway]) is not None:
            # The same texts, not equal ones: a gateway has many cells.
            cell = cell._replace(namespace=known.namespace, name=known.name)
        self.restore(number, cell)
        return number

    def _new_block(self) -> int:
        if self._free:
            return self._free.pop()
        self._make_room(len(self._used))
        return len(self._used) - 1

    def _make_room(self, block: int) -> None:
        """See that there is a block of this number."""
        more = block + 1 - len(self._used)
        self._used.extend([0] * more)
        self._cells.extend([None] * (more * BLOCK))
        if len(self._cells) > len(self.parents):
            added = len(self._cells) - len(self.parents) + len(self.parents) // 2
            self.parents = np.concatenate((self.parents, np.full(added, NOWHERE, np.int32)))

    def restore(self, number: int, cell: Cell) -> None:
        """Give a cell the number that it had in an earlier run; all are given before any new one is."""
        block = number // BLOCK
        self.reserve(number)
        blocks = self._groups.setdefault(_group(cell), [])
        if block not in blocks[-1:]:
            blocks.append(block)
        self._cells[number] = cell
        self._numbers[cell] = number

    def reserve(self, number: int) -> None:
        """Never give out a number of a block that is in use: it was that of a cell which is forgotten."""
        block, place = divmod(number, BLOCK)
        if block >= len(self._used):
            self._free.extend(range(len(self._used), block))
            self._make_room(block)
        elif block in self._free:
            self._free.remove(block)
        self._used[block] = max(self._used[block], place + 1)

    def forget(self, number: int) -> int | None:
        """Forget a cell; answers its block where that has no cells any more, and may be another one's from now on."""
        cell = self._cells[number]
        if cell is None:
            return None
        self._cells[number] = None
        del self._numbers[cell]
        self.parents[number] = NOWHERE
        block = number // BLOCK
        if any(self._cells[block * BLOCK : (block + 1) * BLOCK]):
            return None
        group = _group(cell)
        self._groups[group].remove(block)
        if not self._groups[group]:
            del self._groups[group]
        self._used[block] = 0
        self._free.append(block)
        return block

    def numbers(self) -> Iterator[int]:
        """The numbers of all cells."""
        return (number for number, cell in enumerate(self._cells) if cell is not None)


def _group(cell: Cell) -> _Group:
    return (cell.view, "", "") if cell.view is View.GATEWAY else (cell.view, cell.namespace, cell.name)
