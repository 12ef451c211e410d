"""Metrics beside logs: what is complete, what is lost, what is not wired, and that nobody is accused by timing."""

import dataclasses
import random
from collections.abc import Mapping
from typing import Final

import pytest

from aigw_receiver.core.reconciliation import Comparison, Counts, Gateway, Heard, Key, Reconciliation, Usage

NOW: Final = 1_700_000_000_000_000_000
SECOND: Final = 1_000_000_000
_TICK: Final = 5 * SECOND
_GATEWAY: Final = ("default", "gateway")
_KEY: Final = (*_GATEWAY, "gpt-5-nano")


def _usage(
    increases: Mapping[Key, Counts] | None = None,
    heard: Mapping[Gateway, Heard] | None = None,
    joined: frozenset[Gateway] = frozenset(),
) -> Usage:
    return Usage(increases or {}, joined, heard or {})


@dataclasses.dataclass(slots=True)
class Bench:
    """A gateway with one pod, which exports at every `interval`; what it counts and logs is set by the test."""

    interval: int = 10 * SECOND
    now: int = NOW
    reconciliation: Reconciliation = dataclasses.field(default_factory=Reconciliation)
    metrics: Counts = dataclasses.field(default_factory=Counts)
    logs: Counts = dataclasses.field(default_factory=Counts)
    exported: Counts = dataclasses.field(default_factory=Counts)
    heard: Heard | None = None
    joins: bool = False
    """whether the next export is the first one of a pod that has counts of before"""

    def tick(self, times: int = 1) -> None:
        """Let time pass, five seconds at each step."""
        for _ in range(times):
            self.now += _TICK
            increase, joined = Counts(), frozenset[Gateway]()
            if self.interval and self.now % self.interval == 0:
                if self.joins:
                    joined, self.joins = frozenset([_GATEWAY]), False
                else:
                    increase = self.metrics.minus(self.exported)
                self.exported = dataclasses.replace(self.metrics)
                self.heard = Heard(self.now, self.now)
            usage = _usage({_KEY: increase}, {_GATEWAY: self.heard} if self.heard else {}, joined)
            self.reconciliation.observe(usage, {_KEY: self.logs} if self.logs else {}, self.now)

    def request(self, *, logged: bool = True, measured: bool = True, good: bool = True) -> None:
        """One request, with 30 tokens if it is good."""
        counts = Counts(1, 1, 0, 1, 26, 4) if good else Counts(1)
        if measured:
            self.metrics = self.metrics.plus(counts)
        if logged:
            self.logs = self.logs.plus(counts)

    def ratios(self) -> tuple[float | None, ...]:
        """Of access logs, metrics, tokens, and tokens in access logs."""
        (one,) = self.reconciliation.compare()
        return one.access_logs, one.measured, one.tokens, one.access_log_tokens


def test_complete() -> None:
    """Complete telemetry is shown as incomplete, or its numbers are not those of both sides."""
    bench = Bench()
    bench.tick()
    for number in range(20):
        bench.request(good=number % 4 != 0)
        bench.tick()
    bench.tick(6)
    both = Counts(answered=20, good=15, aborted=0, with_tokens=15, input=390, output=60)
    assert [Comparison(_GATEWAY, "gpt-5-nano", both, both, 1.0, 1.0, 1.0, 1.0)] == bench.reconciliation.compare()


def test_lost_logs() -> None:
    """Logs that were lost are not seen."""
    bench = Bench()
    bench.tick()
    for number in range(40):
        bench.request(logged=number % 4 != 0)
    bench.tick(6)
    assert (0.75, 1.0, 1.0, 1.0) == bench.ratios()


def test_no_logs_at_all() -> None:
    """A gateway whose access logs are not wired is not told from one without traffic."""
    bench = Bench()
    bench.tick()
    bench.request(logged=False)
    bench.tick(6)
    assert (0.0, None, 1.0, None) == bench.ratios()


def test_no_metrics_at_all() -> None:
    """A gateway whose metrics are not wired is complete, or accused before its first export can have come."""
    bench = Bench(interval=0)
    bench.tick()
    bench.request()
    bench.tick(6)
    assert (None, None, None, 1.0) == bench.ratios()
    bench.tick(24)
    assert (None, 0.0, 1.0, 1.0) == bench.ratios()


def test_lost_metrics() -> None:
    """Metrics that were lost are not seen."""
    bench = Bench()
    bench.tick()
    for number in range(10):
        bench.request(measured=number < 9)
    bench.tick(6)
    assert (1.0, 0.9, 1.0, 1.0) == bench.ratios()


def test_aborted_streams() -> None:
    """The tokens of aborted streams, which nobody counts, are taken for counted ones."""
    bench = Bench()
    bench.tick()
    for _ in range(9):
        bench.request()
    bench.logs = bench.logs.plus(Counts(aborted=1))
    bench.tick(6)
    assert (1.0, 1.0, 0.9, 1.0) == bench.ratios()


def test_tokens_that_are_not_logged() -> None:
    """Records without token counts, since the gateway was not told to note them, look complete."""
    bench = Bench()
    bench.tick()
    bench.request()
    bench.metrics = bench.metrics.plus(Counts(1, 1, 0, 1, 26, 4))
    bench.logs = bench.logs.plus(Counts(1, 1))
    bench.tick(6)
    assert (1.0, 1.0, 1.0, 0.5) == bench.ratios()


def test_tokens_that_nobody_counts() -> None:
    """A provider that reports no usage looks complete."""
    bench = Bench()
    bench.tick()
    bench.metrics = bench.logs = Counts(2, 2, 0, 1, 26, 4)
    bench.tick(6)
    assert (1.0, 1.0, 0.5, 0.5) == bench.ratios()


@pytest.mark.parametrize("interval", [5 * SECOND, 10 * SECOND, 60 * SECOND])
@pytest.mark.parametrize("seed", range(3))
def test_nobody_is_accused_by_timing(interval: int, seed: int) -> None:
    """Telemetry that is complete but late is shown as incomplete, at some moment of some traffic."""
    generator = random.Random(seed)
    bench = Bench(interval=interval, reconciliation=Reconciliation(window=300 * SECOND))
    bench.tick()
    judged = 0
    for _ in range(200):
        late = Counts()
        for _ in range(generator.choice([0, 0, 0, 1, 2, 50])):
            bench.request(logged=False)
            late = late.plus(Counts(1, 1, 0, 1, 26, 4))
        bench.tick()
        # The logs come after the metrics have been looked at; the other way round is what the interval does.
        bench.logs = bench.logs.plus(late)
        for one in bench.reconciliation.compare():
            judged += one.access_logs is not None and one.measured is not None
            assert {one.access_logs, one.measured, one.tokens, one.access_log_tokens} <= {1.0, None}
    assert judged > 150


def test_steady_loss_is_measured_exactly_enough() -> None:
    """A loss of 3 % is lost in the tolerance for what is under way."""
    bench = Bench(interval=60 * SECOND)
    bench.tick()
    for step in range(800):
        for number in range(10):
            bench.request(logged=(10 * step + number) % 100 >= 3)
        bench.tick()
    access_logs, measured, _, _ = bench.ratios()
    assert 0.97 <= (access_logs or 0.0) < 0.974
    assert 1.0 == measured


def test_rare_exports() -> None:
    """A pod that exports every ten minutes is accused of having lost metrics in between."""
    bench = Bench(interval=600 * SECOND)
    bench.tick(240)
    for _ in range(400):
        bench.request()
        bench.tick()
        for one in bench.reconciliation.compare():
            assert {one.access_logs, one.measured, one.tokens} <= {1.0, None}


def test_what_was_before_is_not_compared() -> None:
    """What a log counter had when the comparison began is held against the metrics."""
    bench = Bench(logs=Counts(100, 100))
    bench.tick(6)
    assert [] == bench.reconciliation.compare()
    bench.request()
    bench.tick(6)
    assert (1.0, 1.0, 1.0, 1.0) == bench.ratios()


@pytest.mark.parametrize("interval", [5 * SECOND, 10 * SECOND, 60 * SECOND, 600 * SECOND])
@pytest.mark.parametrize("seed", range(3))
def test_a_pod_that_joins(interval: int, seed: int) -> None:
    """Whatever came before the first export of a pod, or while it was on its way, is held against one side."""
    generator = random.Random(seed)
    bench = Bench(interval=interval, joins=True, metrics=Counts(1000, 1000, 0, 1000))
    for _ in range(4 * interval // _TICK + 20):
        has_joined = not bench.joins
        late = Counts()
        for _ in range(generator.choice([0, 1, 2, 50])):
            bench.request(logged=False)
            late = late.plus(Counts(1, 1, 0, 1, 26, 4))
        bench.tick()
        bench.logs = bench.logs.plus(late)
        for one in bench.reconciliation.compare():
            # Before it has come, its gateway is taken for one without metrics, after two minutes.
            ratios = {one.access_logs, one.tokens, one.access_log_tokens} | ({one.measured} if has_joined else set())
            assert ratios <= {1.0, None}
    assert not bench.joins
    assert 1.0 == bench.ratios()[0]


def test_a_loss_after_a_pod_has_joined() -> None:
    """Where a pod has joined, nothing is compared any more, or what was before it weighs in."""
    bench = Bench(joins=True, metrics=Counts(1000, 1000))
    bench.tick(2)
    for _ in range(10):
        bench.request()
    bench.tick(4)
    bench.joins = True
    bench.request(logged=False)
    bench.tick(6)
    assert [] == bench.reconciliation.compare()
    for number in range(10):
        bench.request(logged=number != 0)
    bench.tick(6)
    assert (0.9, 1.0, 1.0, 1.0) == bench.ratios()


def test_a_model_that_is_first_logged_when_a_pod_joins() -> None:
    """A request that the first export of a pod had already counted is held against the metrics for an hour."""
    bench = Bench(joins=True)
    bench.now = NOW - 2 * _TICK
    bench.metrics = Counts(1, 1)
    bench.tick(2)
    bench.logs = Counts(1, 1)
    bench.tick(6)
    assert [] == bench.reconciliation.compare()


def test_window() -> None:
    """A loss is shown for ever, or forgotten while it is within the window; idle models are kept for ever."""
    bench = Bench(reconciliation=Reconciliation(window=600 * SECOND))
    bench.tick()
    bench.request(logged=False)
    bench.tick(100)
    assert 0.0 == bench.ratios()[0]
    bench.request()
    bench.tick(60)
    assert 1.0 == bench.ratios()[0]
    bench.tick(200)
    assert [] == bench.reconciliation.compare()
    assert {} == bench.reconciliation._models  # noqa: SLF001


def test_window_in_traffic() -> None:
    """Where requests never cease, a loss of long ago is still shown."""
    bench = Bench(reconciliation=Reconciliation(window=600 * SECOND))
    bench.tick()
    bench.request(logged=False)
    for _ in range(150):
        bench.request()
        bench.tick()
    (one,) = bench.reconciliation.compare()
    assert (1.0, 1.0) == (one.access_logs, one.measured)
    assert one.metrics.answered <= 600 // 5 + 60 // 5 + 2


@pytest.mark.parametrize("steps", range(1, 40, 3))
def test_idle(steps: int) -> None:
    """The ratio of a gateway that has become idle stays, whenever it did; or its last minute does."""
    bench = Bench(reconciliation=Reconciliation(window=600 * SECOND))
    bench.tick()
    for _ in range(steps):
        bench.request(logged=False)
        bench.request()
        bench.tick()
    bench.tick(6)
    assert 0.5 == bench.ratios()[0]
    # A minute is how exactly the window is known.
    bench.tick((600 + 60) // 5 + 12)
    assert [] == bench.reconciliation.compare()


def test_what_rests_costs_nothing() -> None:
    """Every model that was ever seen is looked at every five seconds."""
    bench = Bench()
    bench.tick()
    bench.request()
    bench.tick(1)
    assert 1 == len(bench.reconciliation._busy)  # noqa: SLF001
    bench.tick(6)
    assert {} == bench.reconciliation._busy  # noqa: SLF001
    assert (1.0, 1.0, 1.0, 1.0) == bench.ratios()


def test_a_model_without_a_name() -> None:
    """A request whose model no log names is not compared with the metrics, which call it unknown."""
    reconciliation = Reconciliation()
    reconciliation.observe(_usage(), {}, NOW)
    for step in range(1, 9):
        now = NOW + step * _TICK
        gained = {(*_GATEWAY, "unknown"): Counts(1, 1)} if step == 1 else {}
        reconciliation.observe(_usage(gained, {_GATEWAY: Heard(now, now)}), {(*_GATEWAY, ""): Counts(1, 1)}, now)
    (one,) = reconciliation.compare()
    assert ("unknown", 1.0, 1.0) == (one.model, one.access_logs, one.measured)


def test_models_are_bounded() -> None:
    """A client that makes up models fills the memory."""
    reconciliation = Reconciliation(models=2)
    reconciliation.observe(_usage(), {}, NOW)
    logged = {(*_GATEWAY, f"m{number}"): Counts(1, 1) for number in range(9)}
    reconciliation.observe(_usage(), logged, NOW + _TICK)
    assert ["m0", "m1", "other"] == [one.model for one in reconciliation.compare()]
    assert 7 == reconciliation.compare()[-1].logs.answered
