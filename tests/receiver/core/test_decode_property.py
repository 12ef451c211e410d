"""The fast path against the full parser, and both against the official messages, however a request is spelled."""

import dataclasses
import random
from collections.abc import Iterator
from typing import Final

import hypothesis
import hypothesis.strategies as st
import pytest

from aigw_receiver.core import batches
from aigw_receiver.core.model import Outcome
from aigw_receiver.core.store import Store
from aigw_receiver.core.streams import StreamTable
from strategies import official
from strategies.encoding import Histogram, Number, Speller, Value, block, double, fixed, key_value, number
from strategies.exposed import samples, text_of
from strategies.profile import examples, randoms
from strategies.reference import Reference

_SECOND: Final = 1_000_000_000
_BEGIN: Final = 1_800_000_000 * _SECOND
_IDENTITY: Final = {"gateway_namespace": "", "gateway_name": "g", "gateway_pod": "p"}
_HISTOGRAM, _SUM, _UPDOWN, _GAUGE = range(4)
_NAMES: Final = (b"gen_ai.client.token.usage", b"mcp.method.count", b"mcp.sessions", b"mcp.load")
_FIELDS: Final = (9, 7, 7, 5)
_BOUNDS: Final = ((), (1.0,), (0.5, 1.0, 64.0), tuple(float(bound) for bound in range(20)))

_VALUES: Final[tuple[Value, ...]] = (
    "x", "",
    "x\\\"\n", "é" * 70, "\udcff", "\udcfe", "\0", "\ufffd", "\1", "%d", "1", 1, True, False, -7, 1.5, b"\0\1", None,
    ["a", 1, None], {"a": 1, "b": True},
)  # fmt: skip


@dataclasses.dataclass(slots=True)
class _Stream:
    """What a sender knows of one of its streams."""

    attributes: list[tuple[bytes, Value]]
    bounds: tuple[float, ...]
    has_start: bool
    has_extremes: bool
    has_sum: bool
    is_whole: bool
    start: int
    time: int
    counts: list[int]
    total: float = 0.0


class _Metric:
    """A metric of a sender, and how it spells it."""

    def __init__(self, rng: random.Random, kind: int) -> None:
        self.rng = rng
        self.kind = kind
        self.temporality = rng.choice((1, 2))
        self.ascending = rng.randrange(4) == 0
        self.speller = Speller(rng)
        self.is_plain = rng.randrange(4) > 0
        self.is_whole = rng.randrange(2) == 0
        alike = rng.choice(_BOUNDS[1:]) if rng.randrange(8) else ()
        self.streams: list[_Stream] = []
        taken: list[dict[bytes, Value]] = []
        for name in range(rng.randrange(1, 5)):
            attributes = self._attributes()
            is_free = repr(dict(sorted(attributes, key=lambda pair: pair[0]))) not in map(repr, taken)
            if not is_free or rng.randrange(2):
                attributes = [(b"m", f"m{name}")]
            taken.append(dict(sorted(attributes, key=lambda pair: pair[0])))
            # Series of equal labels have equal bounds.
            bounds = (
                rng.choice((alike, alike, alike, rng.choice(_BOUNDS))) if attributes == [(b"m", f"m{name}")] else alike
            )
            self.streams.append(self._stream(name, attributes, bounds))

    def _attributes(self) -> list[tuple[bytes, Value]]:
        """Attributes of any type, at times none, at times one key twice."""
        rng = self.rng
        keys = [key for key in (b"m", b"a.b", b"z", b"z") if rng.randrange(2)]
        attributes = [(key, rng.choice(_VALUES)) for key in keys]
        return sorted(dict(attributes).items()) if rng.randrange(4) else attributes

    def _stream(self, name: int, attributes: list[tuple[bytes, Value]], bounds: tuple[float, ...]) -> _Stream:
        rng = self.rng
        plain = self.is_plain or rng.randrange(2) == 0
        return _Stream(
            attributes=attributes,
            bounds=bounds if self.kind == _HISTOGRAM else (),
            has_start=plain or rng.randrange(2) == 0,
            has_extremes=plain or rng.randrange(2) == 0,
            has_sum=plain or rng.randrange(2) == 0,
            is_whole=self.is_whole if plain else not self.is_whole,
            start=_BEGIN + name,
            time=_BEGIN + name,
            counts=[0] * (len(bounds) + 1),
        )

    def points(self, now: int, hostility: int) -> Iterator[bytes]:
        """A point of each stream, at times two or none, each in its own spelling."""
        for stream in self.streams:
            for part in range(1 if self.rng.randrange(8) else self.rng.choice((0, 2))):
                hostile = self.rng.randrange(6) < hostility
                yield self.speller.point(
                    self._point(stream, now + part, hostile), hostile=hostile, ascending=self.ascending
                )

    def _point(self, stream: _Stream, now: int, hostile: bool) -> Number | Histogram:
        rng = self.rng
        if self.temporality == 1:
            stream.start = stream.time
        stream.time = now
        if self.temporality == 1 or rng.randrange(40) == 0:
            stream.counts, stream.total = [0] * len(stream.counts), 0.0
        for _ in range(rng.randrange(3)):
            stream.counts[rng.randrange(len(stream.counts))] += rng.randrange(1, 300)
        stream.total += rng.randrange(64) / 8
        start = stream.start if stream.has_start else 0
        exemplars = rng.choice((0, 0, 0, 0, 1, 2))
        attributes = list(stream.attributes)
        if hostile and rng.randrange(2) and len({key for key, _ in attributes}) == len(attributes):
            attributes = [(key, _turned(value)) for key, value in reversed(attributes)]
        flags = rng.choice((0, 0, 2)) if hostile else 0
        if self.kind != _HISTOGRAM:
            value: int | float | None = int(stream.total) if stream.is_whole else stream.total
            if hostile and rng.randrange(8) == 0:
                value = rng.choice((None, -1, float("nan"), float("inf"), 2**53, 2.0**40))
            return Number(start, stream.time, value, attributes, flags, exemplars)
        counts: list[int] = stream.counts
        count: int | None = sum(counts)
        total = stream.total if stream.has_sum else None
        if hostile and rng.randrange(8) == 0:
            count, total = rng.choice(((None, total), (7, total), (count, float("nan")), (count, -0.5)))
        if not stream.bounds and rng.randrange(2):
            counts = []
        return Histogram(
            start, stream.time, count, total, counts, stream.bounds, attributes,
            (0.5, 64.0) if stream.has_extremes else None, flags, exemplars,
        )  # fmt: skip

    def encode(self, now: int, hostility: int) -> list[bytes]:
        """The metric as fields of its `ScopeMetrics`, at times in two parts."""
        points = [block(1, point) for point in self.points(now, hostility)]
        settings = [] if self.kind == _GAUGE else [number(2, self.temporality)]
        settings += [number(3, 1)] if self.kind == _SUM else []
        rng, field = self.rng, _FIELDS[self.kind]
        name = [block(1, _NAMES[self.kind])]
        match rng.randrange(6) if hostility else 0:
            case 1:  # the data comes in two parts, and the temporality in the second of them
                cut = rng.randrange(len(points) + 1)
                data = [block(field, b"".join(points[:cut])), block(field, b"".join([*points[cut:], *settings]))]
            case 2:  # data of another type first: of a oneof the last counts
                other = block(5 if field != 5 else 7, block(1, b"\x19" + bytes(8)))
                data = [other, block(field, b"".join([*points, *settings]))]
            case 3:  # settings that are overruled
                wrong = [number(2, 3)] if self.kind != _GAUGE else []
                data = [block(field, self.speller.message([*wrong, *settings, *points], hostile=True))]
            case 4:  # each stream in a metric of its own
                return [block(2, b"".join([*name, block(field, b"".join([point, *settings]))])) for point in points]
            case _:
                data = [block(field, b"".join([*points, *settings]))]
        fields = [*data, *name] if hostility and rng.randrange(2) else [*name, *data]
        return [block(2, self.speller.message(fields, hostile=hostility > 0))]


def _turned(value: Value) -> Value:
    """The same value; the entries of a map stand the other way round."""
    return dict(reversed(value.items())) if isinstance(value, dict) else value


class _Sender:
    """A gateway process that encodes its requests at random."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.speller = Speller(rng)
        kinds = [kind for kind in (_HISTOGRAM, _SUM, _UPDOWN, _GAUGE) if rng.randrange(4) >= kind]
        self.metrics = [_Metric(rng, kind) for kind in kinds]

    def request(self, now: int) -> bytes:
        """One export."""
        hostility = self.rng.choice((0, 0, 0, 1, 3))
        hostile = hostility > 0
        attributes = [block(1, key_value(b"service.name", "g")), block(1, key_value(b"service.instance.id", "p"))]
        scope = [block(1, b"gateway"), block(2, b"1")]
        resource = [block(1, b"".join(attributes))]
        scopes = [block(1, b"".join(scope))]
        if hostile and self.rng.randrange(2):
            resource = [block(1, attribute) for attribute in reversed(attributes)]
            scopes = [block(1, part) for part in reversed(scope)]
        metrics = [field for metric in self.metrics for field in metric.encode(now, hostility)]
        scope_metrics = block(2, self.speller.message([*metrics, *scopes], hostile=hostile))
        return block(1, self.speller.message([scope_metrics, *resource], hostile=hostile))


def _bypass(_table: StreamTable, points: list[bytes]) -> tuple[None, list[bytes]]:
    return None, points


def _verdict(outcome: Outcome) -> tuple[object, ...]:
    return outcome.accepted, outcome.duplicates, outcome.outdated, outcome.overlaps, outcome.resets, outcome.rejected


@examples(150)
@hypothesis.given(rng=randoms(), exports=st.integers(1, 9))
def test_one_result(rng: random.Random, exports: int) -> None:
    """A point would count differently by the bytes that its sender chose for it."""
    sender, reference = _Sender(rng), Reference(_IDENTITY)
    fast, full = Store(_BEGIN), Store(_BEGIN)
    for export in range(exports):
        now = _BEGIN + (export + 1) * 10 * _SECOND
        body = sender.request(now)
        readings = official.read(body)
        alone = len({(reading.metric, reading.attributes) for reading in readings}) == len(readings)
        for _ in range(2 if alone and rng.randrange(4) == 0 else 1):
            before = reference.accepted, reference.rejected
            for reading in readings:
                reference.observe(reading)
            outcome = fast.export(body, now)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(batches, "recognise", _bypass)
                without = full.export(body, now)
            assert 0 == without.fast
            assert _verdict(without) == _verdict(outcome)
            text = text_of(fast)
            assert text_of(full) == text
            assert (reference.accepted, reference.rejected) == (
                before[0] + outcome.accepted,
                before[1] + outcome.rejected_points,
            )
            assert reference.expected() == samples(text)


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("exemplars", [0, 1, 3])
@pytest.mark.parametrize("temporality", [1, 2])
def test_gateway_traffic_is_fast(temporality: int, exemplars: int, ascending: bool) -> None:
    """The gateway's own points would all go through the slow parser."""
    rng = random.Random(1)
    speller = Speller(rng)
    attributes = [
        [(b"gen_ai.request.model", model), (b"gen_ai.token.type", "input")] for model in ("a", "b", "c" * 200)
    ]
    store = Store(_BEGIN)
    for export in range(4):
        now = _BEGIN + (export + 1) * 10 * _SECOND
        start = _BEGIN if temporality == 2 else now - 10 * _SECOND
        metrics = []
        for kind in (_HISTOGRAM, _SUM):
            points: list[bytes] = []
            for one in attributes:
                few = exemplars if export else 0
                value = (
                    Number(start, now, export + 1, one, exemplars=few)
                    if kind == _SUM
                    else Histogram(start, now, export + 1, 2.5, [0, export + 1, 0], [1.0, 4.0], one, (2.0, 2.5), 0, few)
                )
                points.append(block(1, speller.point(value, hostile=False, ascending=ascending)))
            data = b"".join([*points, number(2, temporality), number(3, 1) if kind == _SUM else b""])
            metrics.append(block(2, block(1, _NAMES[kind]) + block(_FIELDS[kind], data)))
        outcome = store.export(block(1, block(2, b"".join(metrics))), now)

        expected = (0, 6) if export == 0 else (6, 0)
        assert (*expected, 6) == (outcome.fast, outcome.full, outcome.accepted)


def _tail(fields: bytes) -> bytes:
    """A histogram point of 2 values, that sum up to 5, with `fields` behind its buckets and bounds."""
    numbers = fixed(2, _BEGIN) + fixed(3, _BEGIN + 20 * _SECOND) + fixed(4, 2) + double(5, 5.0)
    return numbers + block(6, b"\2" + bytes(15)) + block(7, bytes(6) + b"\xf0\x3f") + fields


_ATTRIBUTE: Final = block(9, key_value(b"m", "x"))


@pytest.mark.parametrize(
    ("fields", "total"),
    [
        (_ATTRIBUTE + double(11, 1.0) + double(12, 4.0), 5.0),
        (_ATTRIBUTE + double(11, 1.0) + double(5, 99.0), 99.0),
        (block(8, b"") + _ATTRIBUTE + double(11, 1.0) + double(5, 99.0), 99.0),
        (block(8, b"\x1f") + _ATTRIBUTE + double(11, 1.0) + double(12, 4.0), 5.0),
        (_ATTRIBUTE + double(5, 99.0), 99.0),
    ],
    ids=["as Go", "sum for max", "exemplar and sum for max", "exemplar that is no message", "sum behind attributes"],
)
def test_known_attributes_before_other_fields(fields: bytes, total: float) -> None:
    """The last sum on the wire, which counts, would be overlooked because the bytes before it are known."""
    store = Store(_BEGIN)
    first = Histogram(_BEGIN, _BEGIN + _SECOND, 1, 1.0, [1, 0], [1.0], [(b"m", "x")], (1.0, 1.0))
    for point in (Speller(random.Random(1)).point(first, hostile=False), _tail(fields)):
        metric = block(1, _NAMES[_HISTOGRAM]) + block(9, block(1, point) + number(2, 2))
        outcome = store.export(block(1, block(2, block(2, metric))), _BEGIN + 20 * _SECOND)
        assert ({}, 1) == (outcome.rejected, outcome.accepted)
    shown = {name: value for (name, _), value in samples(text_of(store)).items()}
    assert (2.0, total) == (shown["gen_ai_client_token_usage_count"], shown["gen_ai_client_token_usage_sum"])
