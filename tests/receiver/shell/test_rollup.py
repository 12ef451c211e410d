"""What exports become in the rollup: each number in its cell, from the bytes of an export to a reading."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

import pytest

import otlp_messages as otlp
from aigw_receiver.core.rollup.model import NOTHING, Cell, Distribution, Measure, Number, Totals, View
from aigw_receiver.core.rollup.totals import subtract
from aigw_receiver.core.sources import Expiry
from aigw_receiver.core.store import Store
from aigw_receiver.shell import rollup as program
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.price_book import PriceBook
from aigw_receiver.shell.rollup import Rollup
from aigw_receiver.shell.rollup_store import RollupStore
from gateway_captures import metrics_since
from otlp_messages import CUMULATIVE, DELTA, NOW, SECOND, Attributes, Temporality

_BOOK: Final = """
date: 2023-11-14
entries:
  - {models: [gpt-5-nano], input: 0.05, cached: 0.005, output: 0.4}
"""
_MODEL: Final = {"gen_ai.provider.name": "openai", "gen_ai.response.model": "m"}
_BOUNDS: Final = (1.0, 4.0)


class _Receiver:
    """A store with its rollup; times are seconds after it has begun."""

    def __init__(self, directory: Path | None = None, *, retention: int = 7 * 86_400 * SECOND) -> None:
        self.store = Store(NOW - 60 * SECOND, expiry=Expiry(retention=60 * SECOND))
        telemetry = Telemetry()
        self.ingest = Ingest(self.store, telemetry, None)
        book = None
        if directory is not None:
            book = directory / "prices.yaml"
            book.write_text(_BOOK)
        costs = Costs(self.ingest, PriceBook(book), None)
        self.kept = RollupStore(None, size=1 << 24, retention=retention, telemetry=telemetry)
        self.rollup = Rollup(self.ingest, costs, self.kept)
        self.observe(0)

    def export(self, at: float, body: bytes) -> None:
        """An export that arrives."""
        assert {} == self.store.export(body, NOW + int(at * SECOND)).rejected

    def observe(self, at: float) -> None:
        """A step."""
        self.rollup.observe(NOW + int(at * SECOND))

    def total(self, view: View, *key: str) -> Totals:
        """The newest totals of a cell of the gateway."""
        ((totals,),) = self.kept.read([Cell(view, "default", "gateway", key)], [self.kept.latest()])
        return totals

    def keys(self, view: View) -> set[tuple[str, ...]]:
        """The keys of all cells of a view."""
        return {cell.key for cell in self.kept.cells(view, ("default", "gateway"))}


def _requests(
    count: int,
    *,
    at: int,
    start: int = 1,
    labels: Attributes = _MODEL,
    resource: Attributes = otlp.POD,
    temporality: Temporality = CUMULATIVE,
) -> bytes:
    """So many requests of two seconds, from `start` on, until `at`."""
    point = otlp.buckets((0, count, 0), 2.0 * count, labels, start=NOW + start * SECOND, time=NOW + at * SECOND)
    return otlp.export(otlp.histogram(point, name=otlp.DURATION, unit="s", temporality=temporality), resource=resource)


def _durations(count: int) -> Totals:
    return Totals({}, {Measure.DURATION: (Distribution(_BOUNDS, (0, count, 0), 2.0 * count),)})


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_what_a_real_gateway_sent(tmp_path: Path, temporality: str) -> None:
    """A number of the page is not what the real gateway had: requests, errors, tokens, or cost."""
    receiver = _Receiver(tmp_path)
    for step, request in enumerate(metrics_since(temporality, NOW + SECOND), 1):
        receiver.export(3 * step, request.SerializeToString())
        receiver.observe(3 * step + 1)
    (gateway,) = receiver.kept.cells(View.GATEWAY)
    ((totals,),) = receiver.kept.read([gateway], [receiver.kept.latest()])
    # By its /metrics at the end (tests/captures/README.md): three of the twelve requests failed.
    assert (12, 3) == (totals.measures[Measure.DURATION][0].count, totals.numbers[Number.ERRORS])
    tokens = [totals.numbers[number] for number in (Number.INPUT, Number.OUTPUT)]
    assert [10_030 + 31 + 100_000 + 2_006 + 9, 1_500 + 3 + 3 + 300] == tokens
    assert 2.15e-05 + 4.8e-05 + 3.44e-04 + 2.56e-04 == pytest.approx(totals.numbers[Number.COST], abs=1e-15)
    assert 100_003 + 1920 + 86 + 172 + 128 + 34 + 9 == totals.numbers[Number.UNPRICED]
    providers = receiver.kept.cells(View.PROVIDER, (gateway.namespace, gateway.name))
    by_provider = receiver.kept.read(providers, [receiver.kept.latest()])
    assert totals.numbers[Number.INPUT] == sum(one.numbers.get(Number.INPUT, 0) for (one,) in by_provider)


def test_cells_of_mcp() -> None:
    """A method counts for another server, an error is none or that of a tool; or a capability is lost."""
    receiver = _Receiver()
    started = {"start": NOW + SECOND, "time": NOW + 5 * SECOND}
    calls = [
        otlp.number(count, {"mcp.backend": "b", "mcp.method.name": method, "status": status}, **started)
        for method, status, count in (
            ("tools/call", "success", 5),
            ("tools/call", "failed", 2),
            ("tools/call", "error", 1),
            ("tools/list", "success", 3),
        )
    ]
    capability = {"mcp.backend": "b", "capability.type": "tools", "capability.side": "server"}
    seconds = otlp.buckets((1, 0, 0), 0.5, {"mcp.backend": "b"}, start=NOW + SECOND, time=NOW + 5 * SECOND)
    receiver.export(
        5,
        otlp.export(
            otlp.counter(*calls),
            otlp.counter(otlp.number(1, capability, **started), name="mcp.capabilities.negotiated"),
            otlp.histogram(seconds, name="mcp.request.duration", unit="s"),
            otlp.histogram(seconds, name="mcp.initialization.duration", unit="token"),
        ),
    )
    receiver.observe(10)
    errors = {Number.MCP_ERRORS: 3, Number.MCP_FAILED: 2}
    assert Totals({Number.MCP_MESSAGES: 8, **errors}, {}) == receiver.total(View.MCP_METHOD, "b", "tools/call")
    assert Totals({Number.MCP_MESSAGES: 3}, {}) == receiver.total(View.MCP_METHOD, "b", "tools/list")
    assert Totals({Number.MCP_CAPABILITIES: 1}, {}) == receiver.total(View.MCP_CAPABILITY, "b", "server", "tools")
    once = (Distribution(_BOUNDS, (1, 0, 0), 0.5),)
    expected = Totals(
        {Number.MCP_MESSAGES: 11, **errors, Number.MCP_CAPABILITIES: 1},
        {Measure.MCP_DURATION: once, Measure.MCP_INITIALIZATION: once},
    )
    for view, key in ((View.MCP_BACKEND, ("b",)), (View.GATEWAY, ()), (View.POD, ("pod-1",))):
        assert expected == receiver.total(view, *key)


def test_exponential_histograms() -> None:
    """A stream with other bounds is counted in buckets of others, or not at all."""
    receiver = _Receiver()
    point = otlp.exponential(0, 0, [3, 1], 7.0, labels=_MODEL, start=NOW + SECOND, time=NOW + 5 * SECOND)
    receiver.export(5, otlp.export(otlp.exponential_histogram(point, name=otlp.DURATION)))
    receiver.export(6, _requests(2, at=6, start=2, resource=otlp.pod("pod-2"), temporality=DELTA))
    receiver.observe(10)
    one, other = receiver.total(View.MODEL, "openai", "m").measures[Measure.DURATION]
    assert {41, 2} == {len(one.bounds), len(other.bounds)}
    assert (6, {7.0, 4.0}) == (one.count + other.count, {one.sum, other.sum})


def test_more_layouts_than_are_kept() -> None:
    """A sender that changes its bounds all the time fills the memory, or its requests are lost."""
    receiver = _Receiver()
    for number in range(20):
        point = otlp.buckets(
            (1, 1), 3.0, _MODEL, bounds=(1.0 + number,), start=NOW + SECOND, time=NOW + (2 + number) * SECOND
        )
        receiver.export(
            2 + number,
            otlp.export(otlp.histogram(point, name=otlp.DURATION, unit="s"), resource=otlp.pod(f"p{number}")),
        )
    receiver.observe(60)
    distributions = receiver.total(View.GATEWAY).measures[Measure.DURATION]
    assert (16, 40, 60.0) == (
        len(distributions),
        sum(one.count for one in distributions),
        sum(one.sum for one in distributions),
    )


def test_another_type_of_the_same_name() -> None:
    """A gauge that is called like a histogram ends the rollup."""
    receiver = _Receiver()
    receiver.export(5, otlp.export(otlp.gauge(otlp.number(5.0), name="gen_ai.server.request.duration", unit="s")))
    receiver.observe(10)
    assert [] == receiver.kept.cells(View.GATEWAY)


def test_a_pod_that_is_older_than_we() -> None:
    """A pod that comes with counts of an earlier time looks as if it had just had all these requests."""
    receiver = _Receiver()
    receiver.export(5, _requests(1000, at=5, start=-3600))
    receiver.observe(10)
    assert NOTHING == receiver.total(View.GATEWAY)
    receiver.export(15, _requests(1002, at=15, start=-3600))
    receiver.observe(20)
    assert _durations(2) == receiver.total(View.GATEWAY) == receiver.total(View.POD, "pod-1")


def test_pods_that_are_forgotten() -> None:
    """A pod that is forgotten takes its requests with it, or the pod that gets its row has them."""
    receiver = _Receiver()
    receiver.export(5, _requests(3, at=5, resource=otlp.pod("a")))
    receiver.export(5, _requests(2, at=5, resource=otlp.pod("b")))
    receiver.observe(10)
    for at in (500, 1000):
        receiver.export(at, otlp.export(resource=otlp.pod("b")))
        receiver.store.expire(NOW + at * SECOND)
    assert ["b"] == [who.pod for who in receiver.store.sources]
    receiver.export(1001, _requests(4, at=1001, start=999, resource=otlp.pod("c")))
    receiver.observe(1010)
    assert _durations(9) == receiver.total(View.GATEWAY) == receiver.total(View.MODEL, "openai", "m")
    assert [_durations(count) for count in (3, 2, 4)] == [receiver.total(View.POD, pod) for pod in "abc"]


def test_what_came_after_the_last_step_of_a_pod_that_is_forgotten() -> None:
    """What a pod sent last is lost where it is forgotten before the next step."""
    receiver = _Receiver()
    receiver.export(5, _requests(3, at=5))
    for at in (500, 1000):
        receiver.store.expire(NOW + at * SECOND)
    assert {} == receiver.store.sources
    receiver.observe(1010)
    assert _durations(3) == receiver.total(View.GATEWAY)


def test_cells_that_nobody_needs() -> None:
    """Gateways that are gone stay for ever; or those whose requests are only rare are gone, or count anew."""
    receiver = _Receiver(retention=600 * SECOND)
    receiver.export(5, _requests(3, at=5, resource=otlp.pod("a", "gone")))
    receiver.export(5, _requests(2, at=5))
    receiver.observe(10)
    for at in range(60, 1200, 60):
        receiver.export(at, otlp.export(resource=otlp.POD))
        receiver.store.expire(NOW + at * SECOND)
        receiver.observe(at)
    assert ["gateway"] == [cell.name for cell in receiver.kept.cells(View.GATEWAY)]
    receiver.export(1205, _requests(5, at=1205))
    receiver.export(1205, _requests(7, at=1205, start=1201, resource=otlp.pod("b", "gone")))
    receiver.observe(1210)
    gone = Cell(View.GATEWAY, "default", "gone", ())
    ((before, after),) = receiver.kept.read([gone], [NOW + 1200 * SECOND, NOW + 1210 * SECOND])
    assert (NOTHING, _durations(7)) == (before, after)
    here = Cell(View.GATEWAY, "default", "gateway", ())
    ((before, after),) = receiver.kept.read([here], [NOW + 1200 * SECOND, NOW + 1210 * SECOND])
    assert _durations(3) == subtract(after, before)


def test_only_what_has_changed_is_written() -> None:
    """A receiver that rests fills the disk."""
    receiver = _Receiver()
    receiver.export(5, _requests(3, at=5))
    receiver.observe(10)
    found = [receiver.rollup._reading.step(receiver.store, NOW + at * SECOND).changed.tolist() for at in (20, 30)]  # noqa: SLF001
    assert [[], []] == found
    receiver.export(35, _requests(4, at=35))
    assert 4 == len(receiver.rollup._reading.step(receiver.store, NOW + 40 * SECOND).changed)  # noqa: SLF001


async def test_steps_at_whole_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is taken between two of a chart, so that its numbers stand in the next one."""
    monkeypatch.setattr(program, "PERIOD", 1)
    receiver = _Receiver()
    now = time.time_ns()
    task = asyncio.create_task(program.observe_forever(receiver.rollup))
    while receiver.kept.latest() < now:
        await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert 0 == receiver.kept.latest() % SECOND
