"""Random pods against a ledger of what they recorded: whatever happens, the totals of every cell are what was sent."""

import collections
import copy
import random
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import hypothesis
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint

import otlp_messages as otlp
from aigw_receiver.core import snapshot
from aigw_receiver.core.model import Identity
from aigw_receiver.core.rollup.model import Cell, Measure, Number, Totals, View
from aigw_receiver.core.sources import Expiry, Source
from aigw_receiver.core.store import Store
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.price_book import PriceBook
from aigw_receiver.shell.rollup import Rollup
from aigw_receiver.shell.rollup_store import RollupStore
from otlp_messages import CUMULATIVE, DELTA, SECOND
from strategies.profile import examples, randoms

_BEGIN: Final = 1_800_000_000 * SECOND
_DAY: Final = 86_400 * SECOND
# A pod that is silent for half a minute has ended, and is forgotten a minute later.
_EXPIRY: Final = Expiry(default_interval=10 * SECOND, retention=60 * SECOND)
_COST: Final = frozenset({Number.COST, Number.UNPRICED})
_FIRST_TOKEN: Final = "gen_ai.server.time_to_first_token"
_BOUNDS: Final = ((1.0, 4.0), (0.5, 1.0, 2.0))

# By cell: numbers by name, and by measure and bounds the counts with the sum behind them.
_Ledger = dict[Cell, collections.Counter[object]]


class _Stream(NamedTuple):
    metric: str
    labels: tuple[tuple[str, str], ...]


class _Recorded(NamedTuple):
    """What a stream has recorded: counts of buckets, and the sum; or a number alone."""

    counts: tuple[int, ...]
    value: float

    def plus(self, other: "_Recorded") -> "_Recorded":
        """Both together."""
        return _Recorded(tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)), self.value + other.value)


class _Pod:
    """A pod of a gateway that records at random."""

    def __init__(self, rng: random.Random, gateway: str, name: str, start: int) -> None:
        self.rng = rng
        self.gateway, self.name = gateway, name
        self.temporality = rng.choice((DELTA, CUMULATIVE))
        self.bounds = rng.choice(_BOUNDS)
        self.start = self.collected = start
        self.sent: dict[_Stream, _Recorded] = {}
        self.new: dict[_Stream, _Recorded] = {}

    @property
    def resource(self) -> dict[str, str]:
        """What the pod says of itself."""
        return otlp.pod(self.name, self.gateway)

    def restart(self, now: int) -> None:
        """Begin anew; what was not sent is gone."""
        self.start = self.collected = now
        self.sent, self.new = {}, {}

    def record(self) -> None:
        """Record something."""
        rng = self.rng
        model = {"gen_ai.provider.name": rng.choice("pq"), "gen_ai.response.model": rng.choice("mn")}
        server = {"mcp.backend": rng.choice("ab")}
        metric, labels = rng.choice(
            (
                (otlp.DURATION, model | rng.choice(({}, {"error.type": "_OTHER"}))),
                (_FIRST_TOKEN, model),
                (otlp.TOKENS, model | {"gen_ai.token.type": rng.choice(("input", "output", "cached_input", "x"))}),
                ("mcp.request.duration", server),
                (otlp.METHODS, server | {"mcp.method.name": "call", "status": rng.choice(("success", "failed"))}),
                ("mcp.capabilities.negotiated", server | {"capability.type": "tools", "capability.side": "server"}),
            )
        )
        stream = _Stream(metric, tuple(sorted(labels.items())))
        counts = [0] * (len(self.bounds) + 1) if metric not in _COUNTERS else []
        if counts:
            counts[rng.randrange(len(counts))] = 1
        self.new[stream] = _Recorded(tuple(counts), rng.randrange(1, 40) / 8).plus(
            self.new.get(stream, _Recorded((0,) * len(counts), 0.0))
        )

    def collect(self, now: int) -> tuple[bytes, dict[_Stream, _Recorded]]:
        """An export at `now`, and what is new in it."""
        new, self.new = self.new, {}
        for stream, recorded in new.items():
            before = self.sent.get(stream)
            self.sent[stream] = recorded if before is None else before.plus(recorded)
        shown, start = (new, self.collected) if self.temporality == DELTA else (self.sent, self.start)
        self.collected = now
        return otlp.export(*self._metrics(shown, start, now), resource=self.resource), new

    def _metrics(self, shown: dict[_Stream, _Recorded], start: int, now: int) -> list[Metric]:
        metrics = []
        for name in sorted({stream.metric for stream in shown}):
            points: list[HistogramDataPoint] = []
            numbers: list[NumberDataPoint] = []
            for stream, (counts, value) in shown.items():
                labels = dict(stream.labels)
                if stream.metric == name and counts:
                    points.append(otlp.buckets(counts, value, labels, bounds=self.bounds, start=start, time=now))
                elif stream.metric == name:
                    numbers.append(otlp.number(value, labels, start=start, time=now))
            if points:
                metrics.append(otlp.histogram(*points, name=name, temporality=self.temporality))
            else:
                metrics.append(otlp.counter(*numbers, name=name, temporality=self.temporality))
        return metrics


_COUNTERS: Final = (otlp.METHODS, "mcp.capabilities.negotiated")
_MEASURES: Final = {
    otlp.DURATION: Measure.DURATION,
    _FIRST_TOKEN: Measure.FIRST_TOKEN,
    "mcp.request.duration": Measure.MCP_DURATION,
}


class _World:
    """Some pods, a receiver whose rollup is in a directory, and the ledger."""

    def __init__(self, rng: random.Random, directory: Path) -> None:
        self.rng = rng
        self.directory = directory
        self.now = _BEGIN
        self.ledger: _Ledger = {}
        self.history: dict[int, dict[Cell, dict[object, float]]] = {}
        """what was in the ledger at the times of the readings"""
        self.unknown: set[_Pod] = set()
        """pods of which the receiver has never heard, or no longer knows, and whose first export can hold old counts"""
        self.pods = [self._pod(number) for number in range(rng.randrange(1, 5))]
        self._start(Store(_BEGIN, expiry=_EXPIRY))

    def _pod(self, number: int) -> _Pod:
        """A pod; one in four is older than the receiver."""
        is_old = self.rng.randrange(4) == 0
        pod = _Pod(self.rng, f"g{number % 2}", f"p{number}", _BEGIN - 500 * SECOND if is_old else _BEGIN + SECOND)
        if is_old:
            pod.record()
            pod.collect(_BEGIN - SECOND)
        self.unknown.add(pod)
        return pod

    def _start(self, store: Store) -> None:
        telemetry = Telemetry()
        ingest = Ingest(store, telemetry, None)
        self.costs = Costs(ingest, PriceBook(None), None)
        self.kept = RollupStore(self.directory, size=64 << 20, retention=7 * _DAY, telemetry=telemetry)
        self.rollup = Rollup(ingest, self.costs, self.kept)
        self.store = store
        self.rollup.observe(self.now)

    def step(self) -> None:
        """One thing happens."""
        self.now += self.rng.randrange(2 * SECOND, 9 * SECOND)
        pod = self.rng.choice(self.pods)
        match self.rng.randrange(12):
            case 0:
                pod.restart(self.now)
            case 1:
                self._restart_receiver()
            case 2:
                self._silence()
            case 3 | 4 | 5:
                self.rollup.observe(self.now)
                self.check()
            case _:
                for _ in range(self.rng.randrange(4)):
                    pod.record()
                self._export(pod)

    def _export(self, pod: _Pod) -> None:
        body, new = pod.collect(self.now)
        outcome = self.store.export(body, self.now)
        assert {} == outcome.rejected
        source = _find(self.store, pod)
        known_since = max(_BEGIN, 0 if source is None else source.forgotten_at)
        is_baseline = pod in self.unknown and pod.temporality == CUMULATIVE and pod.start <= known_since
        self.unknown.discard(pod)
        if is_baseline:
            # What it brings belongs to an earlier time, until it is looked at.
            self.rollup.observe(self.now + 1)
        else:
            for stream, recorded in new.items():
                self._enter(pod, stream, recorded)

    def _enter(self, pod: _Pod, stream: _Stream, recorded: _Recorded) -> None:
        """Write into the ledger what was delivered of a stream."""
        labels = dict(stream.labels)
        provider, model = labels.get("gen_ai.provider.name", ""), labels.get("gen_ai.response.model", "")
        server = labels.get("mcp.backend", "")
        keys: list[tuple[View, tuple[str, ...]]] = [(View.GATEWAY, ()), (View.POD, (pod.name,))]
        if stream.metric.startswith("gen_ai."):
            keys += [(View.PROVIDER, (provider,)), (View.MODEL, (provider, model))]
        else:
            keys.append((View.MCP_BACKEND, (server,)))
        if stream.metric == otlp.METHODS:
            keys.append((View.MCP_METHOD, (server, "call")))
        if stream.metric == "mcp.capabilities.negotiated":
            keys.append((View.MCP_CAPABILITY, (server, "server", "tools")))
        gains = dict(self._gains(pod, stream, labels, recorded))
        for view, key in keys if gains else []:
            self.ledger.setdefault(Cell(view, "default", pod.gateway, key), collections.Counter()).update(gains)

    def _gains(
        self, pod: _Pod, stream: _Stream, labels: dict[str, str], recorded: _Recorded
    ) -> list[tuple[object, float]]:
        measure = _MEASURES.get(stream.metric)
        if measure is not None:
            each = [((measure, pod.bounds, place), count) for place, count in enumerate(recorded.counts)]
            errors = [(Number.ERRORS, sum(recorded.counts))] if "error.type" in labels else []
            return [*each, ((measure, pod.bounds, "sum"), recorded.value), *errors]
        if stream.metric == otlp.TOKENS:
            kind = labels["gen_ai.token.type"]
            return [(Number(kind), recorded.value)] if kind != "x" else []
        if stream.metric == otlp.METHODS:
            numbers = [Number.MCP_MESSAGES]
            numbers += [Number.MCP_ERRORS, Number.MCP_FAILED] if labels["status"] == "failed" else []
            return [(number, recorded.value) for number in numbers]
        return [(Number.MCP_CAPABILITIES, recorded.value)]

    def _restart_receiver(self) -> None:
        """The receiver ends in order, and begins again with what its journal has of the store."""
        self.rollup.observe(self.now)
        self.kept.close()
        store = Store(self.now, expiry=_EXPIRY)
        snapshot.load(store, *snapshot.dump(self.store), self.now)
        self.now += SECOND
        self._start(store)
        self.check()

    def _silence(self) -> None:
        """Two minutes in which some pods only say that they are there; of the others some are forgotten."""
        alive = [pod for pod in self.pods if self.rng.randrange(2) and _find(self.store, pod) is not None]
        for _ in range(12):
            self.now += 10 * SECOND
            for pod in alive:
                self.store.export(otlp.export(resource=pod.resource), self.now)
            self.store.expire(self.now)
        self.unknown.update(pod for pod in self.pods if _find(self.store, pod) is None)

    def check(self) -> None:
        """Compare every cell with the ledger, now; `look_back` does so with what it was."""
        self.history[self.now] = copy.deepcopy(_plain_ledger(self.ledger))
        assert self.history[self.now] == self._shown([self.now])[0]

    def look_back(self) -> None:
        """Compare every cell with what was in the ledger at each time."""
        times = sorted(self.history)
        assert [self.history[time] for time in times] == self._shown(times)

    def _shown(self, times: list[int]) -> list[dict[Cell, dict[object, float]]]:
        cells = [cell for view in View for cell in self.kept.cells(view)]
        readings = self.kept.read(cells, times)
        return [
            {cell: plain for cell, each in zip(cells, readings, strict=True) if (plain := _plain(each[place]))}
            for place in range(len(times))
        ]


def _find(store: Store, pod: _Pod) -> Source | None:
    return store.sources.get(Identity("default", pod.gateway, pod.name))


def _plain(totals: Totals) -> dict[object, float]:
    found: dict[object, float] = {number: value for number, value in totals.numbers.items() if number not in _COST}
    for measure, distributions in totals.measures.items():
        for one in distributions:
            found |= {(measure, one.bounds, place): count for place, count in enumerate(one.counts) if count}
            found[measure, one.bounds, "sum"] = one.sum
    return found


def _plain_ledger(ledger: _Ledger) -> dict[Cell, dict[object, float]]:
    return {cell: {key: value for key, value in gains.items() if value} for cell, gains in ledger.items()}


@examples(60)
@hypothesis.given(randoms())
def test_totals_are_what_was_sent(rng: random.Random) -> None:
    """A request is lost, or counted twice or elsewhere: over resets, pods that go and return, and restarts of ours."""
    with tempfile.TemporaryDirectory() as directory:
        world = _World(rng, Path(directory))
        for _ in range(rng.randrange(40)):
            world.step()
        world.now += SECOND
        world.rollup.observe(world.now)
        world.check()
        world.look_back()
        world.kept.close()
