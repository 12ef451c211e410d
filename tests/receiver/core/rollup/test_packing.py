"""Totals as bytes are the same totals, small, and never taken for others."""

import hypothesis
import hypothesis.strategies as st
import pytest

from aigw_receiver.core.rollup import packing
from aigw_receiver.core.rollup.model import NOTHING, Distribution, Measure, Number, Totals
from aigw_receiver.core.rollup.packing import BLOCK, Layouts, Unpacking
from strategies.profile import examples

_COUNTS = st.one_of(st.just(0), st.integers(0, 300), st.integers(0, 2**53))
_FLOATS = st.floats(0, 1e18, exclude_min=True)


@st.composite
def _distributions(draw: st.DrawFn) -> tuple[Distribution, ...]:
    found = []
    for bounds in draw(st.lists(st.sampled_from([(), (1.0,), (1.0, 2.5), tuple(map(float, range(41)))]), unique=True)):
        counts = draw(st.lists(_COUNTS, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
        found.append(Distribution(bounds, tuple(counts), draw(_FLOATS)))
    return tuple(found)


_TOTALS = st.builds(
    Totals,
    st.dictionaries(st.sampled_from(Number), st.one_of(st.integers(1, 2**40).map(float), _FLOATS)),
    st.dictionaries(st.sampled_from(Measure), _distributions().filter(bool)),
)


@examples(100)
@hypothesis.given(st.lists(st.none() | _TOTALS, min_size=BLOCK, max_size=BLOCK))
def test_round_trip(cells: list[Totals | None]) -> None:
    """A reading comes back as another one: after a restart, too, when all that is known are the bounds by number."""
    layouts = Layouts()
    data = packing.pack_block(cells, layouts)
    kept = [packing.unpack_bounds(packing.pack_bounds(bounds)) for bounds in layouts.bounds]
    unpacking = Unpacking(Layouts(kept))
    read = [unpacking.totals(cell) if cell else None for cell in unpacking.block(data)]
    assert cells == read
    assert data == packing.pack_block(read, layouts)


def test_size() -> None:
    """Readings take so much room that hours of them do not fit."""
    distribution = Distribution(tuple(map(float, range(21))), (0,) * 5 + (7, 300, 20) + (0,) * 14, 2.5)
    totals = Totals({Number.INPUT: 100_000.0, Number.COST: 1.25}, {Measure.DURATION: (distribution,)})
    # Two lengths; two numbers of four and eight bytes; the shape of the distribution, its sum, three counts of two.
    assert 2 + 4 + 4 + 8 + 8 + 8 + 6 == len(packing.pack(totals, Layouts()))
    assert 2 + 4 == len(packing.pack(NOTHING, Layouts()))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(3), id="cut off"),
        pytest.param(bytes([packing.VERSION + 1]) + bytes(2 * BLOCK), id="another version"),
    ],
)
def test_blocks_that_cannot_be_read(data: bytes) -> None:
    """Bytes of a later version, or half a block, are read as if they were ours."""
    with pytest.raises(ValueError, match=r"version|buffer"):
        Unpacking(Layouts()).block(data)


@pytest.mark.parametrize("cut", range(29))
def test_cells_that_are_cut_off(cut: int) -> None:
    """A damaged file ends the program, or gives other numbers."""
    layouts = Layouts()
    distribution = Distribution((1.0, 2.0), (1, 2, 3), 2.5)
    data = packing.pack(Totals({Number.INPUT: 5}, {Measure.DURATION: (distribution,)}), layouts)
    assert cut < len(data)
    with pytest.raises(ValueError, match="damaged"):
        Unpacking(layouts).totals(data[:cut])


def test_bounds_that_cannot_be_read() -> None:
    """Bounds that were cut off are taken for other ones."""
    with pytest.raises(ValueError, match="damaged bounds"):
        packing.unpack_bounds(bytes(9))
