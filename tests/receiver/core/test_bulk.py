"""Points that lie at the edge of their normal course, counted at once and one by one."""

import random
from typing import Any, Final

import pytest

from aigw_receiver.core import batches, snapshot
from aigw_receiver.core.model import Outcome
from aigw_receiver.core.series import COUNT
from aigw_receiver.core.store import Store
from aigw_receiver.core.streams import StreamTable
from strategies.encoding import Histogram, Number, Speller, block, number

_SECOND: Final = 1_000_000_000
_BEGIN: Final = 1_800_000_000 * _SECOND
_DELTA, _CUMULATIVE = 1, 2
_BOUNDS: Final = (1.0, 4.0, 16.0)
_WIDE_BOUNDS: Final = tuple(float(bound) for bound in range(20))
_EXACT: Final = 1 << 53
_GROWTH: Final = 1 << 39

# The histograms of a request, by their names: the streams of each differ in the attribute `m`.
_NARROW, _WIDE, _COUNTER = b"gen_ai.a", b"gen_ai.b", b"mcp.c"


def _bypass(_table: StreamTable, points: list[bytes]) -> tuple[None, list[bytes]]:
    return None, points


def _metric(name: bytes, temporality: int, points: list[Histogram | Number]) -> bytes:
    """A metric as a field of its `ScopeMetrics`, spelled as Go does."""
    speller = Speller(random.Random(1))
    is_sum = name == _COUNTER
    settings = number(2, temporality) + (number(3, 1) if is_sum else b"")
    data = b"".join([block(1, speller.point(point, hostile=False, ascending=False)) for point in points]) + settings
    return block(2, block(1, name) + block(7 if is_sum else 9, data))


def _histogram(
    name: str, start: int, time: int, counts: list[int], total: float = 1.0, count: int | None = None
) -> Histogram:
    bounds = _WIDE_BOUNDS if len(counts) > len(_BOUNDS) + 1 else _BOUNDS
    return Histogram(
        start, time, sum(counts) if count is None else count, total, counts, bounds, [(b"m", name)], (0.5, 2.0), 0, 0
    )


def _state(store: Store) -> dict[str, Any]:
    """All that a store holds, but what only the fast path notes."""
    document, arrays = snapshot.dump(store)
    for name, array in arrays.items():
        if name.endswith(".state"):
            array[:, COUNT] = 0
    return document | {name: array.tolist() for name, array in arrays.items()}


class _Stores:
    """Two stores that get the same requests, with the fast path and without."""

    def __init__(self) -> None:
        self.fast, self.full = Store(_BEGIN), Store(_BEGIN)

    def export(self, *metrics: bytes) -> Outcome:
        """Send a request to both; they must agree."""
        body = block(1, block(2, b"".join(metrics)))
        outcome = self.fast.export(body, _BEGIN)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batches, "recognise", _bypass)
            other = self.full.export(body, _BEGIN)
        assert (other.accepted, other.rejected) == (outcome.accepted, outcome.rejected)
        assert (other.resets, other.duplicates) == (outcome.resets, outcome.duplicates)
        assert _state(self.full) == _state(self.fast)
        return outcome


def _times(temporality: int, export: int) -> tuple[int, int]:
    """Start and time of the point of an export."""
    end = _BEGIN + export * _SECOND
    return (_BEGIN if temporality == _CUMULATIVE else end - _SECOND), end


_T1, _T2 = _BEGIN + _SECOND, _BEGIN + 2 * _SECOND


@pytest.mark.parametrize(
    ("temporality", "second", "fast"),
    [
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [1, 2, 0, 0]), True),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T1 + 1, [1, 1, 0, 0]), True),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T1, [1, 1, 0, 0]), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T1, [1, 2, 0, 0]), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T1 - 1, [1, 2, 0, 0]), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [0, 5, 0, 0]), False),
        (_CUMULATIVE, _histogram("x", _BEGIN + 1, _T2, [1, 2, 0, 0]), False),
        (_CUMULATIVE, _histogram("x", _BEGIN - 1, _T2, [1, 2, 0, 0]), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [_GROWTH, 1, 0, 0]), True),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [1 + _GROWTH, 1, 0, 0]), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [1, 1, _EXACT - 3, 0]), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [1, 1, _EXACT, 0]), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [1, 1, 1 << 63, 1 << 63], count=2), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [1, 2, 0, 0], count=4), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [1, 2, 0, 0], total=float("nan")), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [1, 2, 0, 0], total=float("-inf")), False),
        (_CUMULATIVE, _histogram("x", _BEGIN, _T2, [1, 2, 0, 0], total=-7.0), True),
        (_DELTA, _histogram("x", _T1, _T2, [1, 2, 0, 0]), True),
        (_DELTA, _histogram("x", _T1 + 1, _T1 + 2, [0, 0, 0, 0]), True),
        (_DELTA, _histogram("x", _T1, _T1, [1, 2, 0, 0]), False),
        (_DELTA, _histogram("x", _T1 - 1, _T2, [1, 2, 0, 0]), False),
        (_DELTA, _histogram("x", _BEGIN, _T1, [1, 1, 0, 0]), False),
        (_DELTA, _histogram("x", _T2, _T1, [1, 1, 0, 0]), False),
        (_DELTA, _histogram("x", _T1, _T2, [_GROWTH - 1, 0, 0, 0]), True),
        (_DELTA, _histogram("x", _T1, _T2, [_GROWTH, 0, 0, 0]), False),
        (_DELTA, _histogram("x", _T1, _T2, [0, 0, 1 << 63, 1 << 63], count=0), False),
        (_DELTA, _histogram("x", _T1, _T2, [1, 2, 0, 0], count=2), False),
        (_DELTA, _histogram("x", _T1, _T2, [1, 2, 0, 0], total=float("inf")), False),
        (_CUMULATIVE, Number(_BEGIN, _T2, 2, [(b"m", "x")]), True),
        (_CUMULATIVE, Number(_BEGIN, _T2, 2.5, [(b"m", "x")]), True),
        (_CUMULATIVE, Number(_BEGIN, _T2, 1, [(b"m", "x")]), True),
        (_CUMULATIVE, Number(_BEGIN, _T2, 0, [(b"m", "x")]), False),
        (_CUMULATIVE, Number(_BEGIN, _T2, _EXACT, [(b"m", "x")]), False),
        (_CUMULATIVE, Number(_BEGIN, _T2, float("nan"), [(b"m", "x")]), False),
        (_DELTA, Number(_T1, _T2, 0, [(b"m", "x")]), True),
        (_DELTA, Number(_T1, _T2, -1, [(b"m", "x")]), False),
        (_DELTA, Number(_T1, _T2, float("inf"), [(b"m", "x")]), False),
    ],
)
def test_only_the_normal_course_is_fast(temporality: int, second: Histogram | Number, fast: bool) -> None:
    """An odd point would be counted wrong, or would take the points of other metrics off the fast path with it."""
    stores = _Stores()
    name = _COUNTER if isinstance(second, Number) else _NARROW
    start, time = _times(temporality, 1)
    first = Number(start, time, 1, [(b"m", "x")]) if name == _COUNTER else _histogram("x", start, time, [1, 1, 0, 0])
    wide = [_histogram("y", *_times(temporality, export), [export] * 21) for export in (1, 2)]
    stores.export(_metric(name, temporality, [first]), _metric(_WIDE, temporality, [wide[0]]))
    outcome = stores.export(_metric(name, temporality, [second]), _metric(_WIDE, temporality, [wide[1]]))
    assert (2 if fast else 1) == outcome.fast


def test_both_temporalities_in_one_request() -> None:
    """Points of a sender that mixes delta and cumulative metrics, of different widths, would be added up wrongly."""
    stores = _Stores()
    for export in range(1, 5):
        delta, cumulative = _times(_DELTA, export), _times(_CUMULATIVE, export)
        outcome = stores.export(
            _metric(_NARROW, _CUMULATIVE, [_histogram("x", *cumulative, [export, 1, 0, export])]),
            _metric(_COUNTER, _DELTA, [Number(*delta, 3, [(b"m", "x")]), Number(*delta, 4, [(b"m", "y")])]),
            _metric(_WIDE, _DELTA, [_histogram("x", *delta, [2] * 21), _histogram("y", *delta, [1] * 21)]),
        )
        assert (0 if export == 1 else 5) == outcome.fast
