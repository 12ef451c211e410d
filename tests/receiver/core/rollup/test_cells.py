"""The cells and their numbers: bounded, in blocks, and never one number for two cells whose readings are kept."""

from typing import Final

from aigw_receiver.core.rollup.cells import NOWHERE, Cells
from aigw_receiver.core.rollup.model import Cell, View
from aigw_receiver.core.rollup.packing import BLOCK

_GATEWAY: Final = Cell(View.GATEWAY, "ns", "gw", ())


def _model(provider: str, model: str, gateway: str = "gw") -> tuple[Cell, ...]:
    return (
        Cell(View.GATEWAY, "ns", gateway, ()),
        Cell(View.PROVIDER, "ns", gateway, (provider,)),
        Cell(View.MODEL, "ns", gateway, (provider, model)),
    )


def test_numbers_and_parents() -> None:
    """A model counts for another provider or gateway, or the cells of a gateway are spread over many blocks."""
    cells = Cells()
    numbers = [cells.walk(_model("p", f"m{number}")) for number in range(BLOCK)]
    assert list(range(2 * BLOCK, 3 * BLOCK)) == numbers
    provider = cells.find(_model("p", "")[1])
    assert [provider] * BLOCK == cells.parents[numbers].tolist()
    assert cells.find(_GATEWAY) == cells.parents[provider]
    assert NOWHERE == cells.parents[cells.find(_GATEWAY)]
    assert numbers[0] == cells.walk(_model("p", "m0"))
    assert NOWHERE == cells.find(_model("p", "none")[2])


def test_cells_of_a_gateway() -> None:
    """The page shows the models of another gateway, or forgets some."""
    cells = Cells()
    for gateway in ("a", "b"):
        for number in range(BLOCK + 1):
            cells.walk(_model("p", f"m{number}", gateway))
    expected = [_model("p", f"m{number}", "b")[2] for number in range(BLOCK + 1)]
    assert expected == cells.of(View.MODEL, ("ns", "b"))
    assert 2 * (BLOCK + 1) == len(cells.of(View.MODEL))
    assert ["a", "b"] == [cell.name for cell in cells.of(View.GATEWAY)]
    assert [Cell(View.GATEWAY, "ns", "a", ())] == cells.of(View.GATEWAY, ("ns", "a"))
    assert [] == cells.of(View.GATEWAY, ("ns", "c")) == cells.of(View.MODEL, ("ns", "c"))


def test_other() -> None:
    """A client that makes up models fills the memory, or what is beyond the bound is not counted at all."""
    cells = Cells(most_of_view=2)
    known = [cells.walk(_model("p", f"m{number}")) for number in range(2 * BLOCK)]
    other = cells.find(Cell(View.MODEL, "ns", "gw", ("p", "other")))
    assert {other} == set(known[2:])
    assert other not in known[:2]
    assert known[0] == cells.walk(_model("p", "m0"))


def test_no_room_at_all() -> None:
    """Gateways without end fill the memory, or one that is known loses its numbers for them."""
    cells = Cells(most=3)
    model = cells.walk(_model("p", "m"))
    provider, gateway = int(cells.parents[model]), int(cells.parents[cells.parents[model]])
    assert (model, 3) == (cells.walk(_model("p", "m")), len(cells))
    assert provider == cells.walk(_model("p", "n"))
    assert gateway == cells.walk(_model("q", "n"))
    assert NOWHERE == cells.walk(_model("p", "m", "another"))


def test_forgetting() -> None:
    """A cell is given the number of one whose readings are still there, or numbers are never used again."""
    cells = Cells()
    numbers = [cells.walk(_model("p", f"m{number}")) for number in range(2)]
    assert None is cells.forget(numbers[0])
    assert NOWHERE == cells.find(_model("p", "m0")[2])
    assert numbers[1] + 1 == cells.walk(_model("p", "m0"))
    assert None is cells.forget(numbers[1])
    assert numbers[0] // BLOCK == cells.forget(numbers[1] + 1)
    assert None is cells.forget(numbers[1])
    assert [] == cells.of(View.MODEL, ("ns", "gw"))
    pod = (Cell(View.POD, "ns", "gw", ("pod",)),)
    assert numbers[0] // BLOCK * BLOCK == cells.walk(pod)


def test_restored() -> None:
    """After a restart a new cell is given a number that another one has or had."""
    cells = Cells()
    pods = [Cell(View.POD, "ns", "gw", (f"pod{number}",)) for number in range(9)]
    cells.restore(3 * BLOCK + 1, pods[1])
    cells.reserve(3 * BLOCK + 2)
    cells.restore(5 * BLOCK + 0, pods[2])
    assert [3 * BLOCK + 1, 5 * BLOCK, 5 * BLOCK + 1] == [cells.walk((pod,)) for pod in pods[1:4]]
    assert pods[1:4] == cells.of(View.POD, ("ns", "gw"))
    assert {0, 1, 2, 4, 6} == {cells.walk((Cell(View.POD, "ns", name, ()),)) // BLOCK for name in "abcde"}
