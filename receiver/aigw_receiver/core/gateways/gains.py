"""What cells gained, as differences of readings of the rollup. It reads nothing itself.

A reading is the running totals of a cell at some moment. Moments are nanoseconds since 1970.
"""

import itertools
from collections.abc import Container, Sequence

from aigw_receiver.core.gateways.window import Steps, Window
from aigw_receiver.core.rollup import totals
from aigw_receiver.core.rollup.model import NOTHING, Cell, Measure, Number, Totals


def of_window(cells: Sequence[Cell], readings: Sequence[Sequence[Totals]]) -> dict[Cell, Totals]:
    """What cells gained from the first to the last of their readings."""
    return {cell: totals.subtract(read[-1], read[0]) for cell, read in zip(cells, readings, strict=True)}


def of_steps(
    cells: Sequence[Cell],
    readings: Sequence[Sequence[Totals]],
    steps: Steps,
    known: Window,
    wanted: Container[Number | Measure],
) -> dict[Cell, list[Totals | None]]:
    """What cells gained in each step, from their readings at its edges; None where the rollup knows nothing of it.

    `known` is from the oldest moment that the rollup can speak of to the newest. No more is counted than is `wanted`.
    """
    edges = steps.edges
    is_known = [begin < known.end and known.start < end for begin, end in itertools.pairwise(edges)]
    return {
        cell: [
            _subtract(after, before, wanted) if knows else None
            for (before, after), knows in zip(itertools.pairwise(read), is_known, strict=True)
        ]
        for cell, read in zip(cells, readings, strict=True)
    }


def _subtract(later: Totals, earlier: Totals, wanted: Container[Number | Measure]) -> Totals:
    # Where nothing has changed, both readings are the same one.
    return NOTHING if later is earlier else totals.subtract(_only(later, wanted), earlier)


def _only(one: Totals, wanted: Container[Number | Measure]) -> Totals:
    return Totals(
        {number: value for number, value in one.numbers.items() if number in wanted},
        {measure: distributions for measure, distributions in one.measures.items() if measure in wanted},
    )
