"""Rows are found, made, released and restored without one taking over the numbers of another."""

import numpy as np
import pytest

from aigw_receiver.core.model import FamilyType
from aigw_receiver.core.naming import FamilyName
from aigw_receiver.core.series import NO_FINGERPRINT, Family, Rows


def test_rows_grow() -> None:
    """Numbers are lost when the arrays grow."""
    rows = Rows((1.0,))
    for at in range(200):
        row = rows.add(f'a="{at}"', at + 1, owner=at % 3)
        rows.counts[row] = at, at + 1
        rows.values[row] = at / 2
    assert 200 == rows.size
    assert list(range(200)) == rows.counts[:200, 0].tolist()
    assert [at / 2 for at in range(200)] == rows.values[:200].tolist()
    assert {f'a="{at}"': at for at in range(200)} == rows.index
    assert [-1] * 200 == rows.parent[:200].tolist()
    assert [at % 3 for at in range(200)] == rows.owner[:200].tolist()


def test_rows_grow_with_a_base() -> None:
    """What was counted before a reset is lost when the arrays grow, or a new row begins with it."""
    rows = Rows(None)
    first = rows.add("a", 1, owner=0)
    _, values = rows.base()
    values[first] = 5.0
    for at in range(100):
        rows.add(f"b{at}", 1, owner=0)
    _, values = rows.base()
    assert [5.0] + [0.0] * 100 == values[: rows.size].tolist()


def test_release_and_reuse() -> None:
    """A row that is used again begins with the numbers of the stream that had it before."""
    rows = Rows((1.0,))
    for at in range(10):
        row = rows.add(str(at), at + 1, owner=at % 2)
        rows.counts[row] = 7
        rows.values[row] = 7.0
        rows.clock[row] = 7
        rows.birth[row] = 7
        rows.created[row] = 7
        counts, values = rows.base()
        counts[row], values[row] = 7, 7.0
    child = rows.add(None, 99, owner=1, parent=1)
    assert 6 == rows.release_owned(1)
    assert ({"0", "2", "4", "6", "8"}, {}) == (set(rows.index), rows.children)
    assert {1, 3, 5, 7, 9, child} == set(rows.free)
    assert not rows.visible[[1, 3, 5, 7, 9, child]].any()
    for at in range(6):
        row = rows.add(f"new {at}", 1, owner=2)
        counts, values = rows.base()
        numbers = (rows.counts[row].sum(), rows.values[row], rows.clock[row].sum(), rows.birth[row], rows.created[row])
        assert (0, 0.0, 0, 0, 0, 0, 0.0) == (*numbers, counts[row].sum(), values[row])
        assert (-1, 2) == (rows.parent[row], rows.owner[row])
    assert (11, []) == (rows.size, rows.free)
    assert 0 == rows.release_owned(1)
    assert [7.0] * 5 == rows.values[[0, 2, 4, 6, 8]].tolist()


def test_child_is_no_series() -> None:
    """A stream that only adds to another is shown as one of its own."""
    rows = Rows(None)
    parent = rows.add("a", NO_FINGERPRINT, owner=0)
    child = rows.add(None, 5, owner=0, parent=parent)
    assert {(parent, 5): child} == rows.children
    assert [True, False] == rows.visible[:2].tolist()


def test_state_and_restore() -> None:
    """A restart gives a stream the numbers, labels or parent of another."""
    rows = Rows((1.0,))
    for at in range(40):
        row = rows.add(str(at), at + 1, owner=at % 2)
        rows.counts[row], rows.values[row], rows.birth[row] = at, at / 2, at
    child = rows.add(None, 99, owner=0, parent=2)
    rows.base()[1][3] = 2.5
    rows.release_owned(1)
    copy = Rows((1.0,))
    copy.restore(rows.arrays(), rows.labels)
    assert (rows.index, rows.children, rows.size) == (copy.index, copy.children, copy.size)
    assert set(rows.free) == set(copy.free)
    for name, array in rows.arrays().items():
        assert np.array_equal(array, copy.arrays()[name]), name
    assert child == copy.children[2, 99]
    added = {copy.add(f"new {at}", 1, owner=3) for at in range(30)}
    assert 30 == len(added)
    assert added.isdisjoint(rows.index.values())


def test_restore_of_nothing() -> None:
    """Rows without a stream cannot be used after a restart."""
    copy = Rows(None)
    copy.restore(Rows(None).arrays(), [])
    assert [0, 1] == [copy.add("a", 1, owner=0), copy.add("b", 1, owner=0)]


def test_layouts_of_a_family() -> None:
    """Streams with different bounds share rows, or numbers get rows for each bound."""
    histogram = Family(FamilyName("h", FamilyType.HISTOGRAM, "", ""))
    assert histogram.rows_for((1.0,)) is histogram.rows_for((1.0,))
    assert histogram.rows_for((1.0,)) is not histogram.rows_for((2.0,))
    assert () == histogram.rows_for(()).bounds
    counter = Family(FamilyName("c", FamilyType.COUNTER, "", ""))
    assert counter.rows_for(()).bounds is None


def test_labels_are_unique_in_a_family() -> None:
    """A series is found only among streams of the same bounds, and would be written twice."""
    family = Family(FamilyName("h", FamilyType.HISTOGRAM, "", ""))
    rows = family.rows_for((1.0,))
    row = rows.add("a", 1, owner=0)
    family.rows_for((2.0,)).add("b", 1, owner=0)
    assert (rows, row) == family.find("a")
    assert family.find("c") is None


@pytest.mark.parametrize(
    ("family_type", "names"),
    [
        (FamilyType.HISTOGRAM, ["x", "x_bucket", "x_count", "x_sum", "x_created"]),
        (FamilyType.COUNTER, ["x", "x_total", "x_created"]),
        (FamilyType.GAUGE, ["x"]),
    ],
)
def test_sample_names(family_type: FamilyType, names: list[str]) -> None:
    """Two families write samples of one name, which Prometheus refuses."""
    assert names == list(Family(FamilyName("x", family_type, "", "")).sample_names())
