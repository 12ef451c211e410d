"""Metrics beside logs: what is complete, what is lost, what is not wired, and that nobody is accused by timing."""

import dataclasses
import random
from typing import Final

import pytest

from aigw_receiver.core.access_logs import text
from aigw_receiver.core.exposition import TEXT
from aigw_receiver.core.reconciliation import Comparison, Counts, Heard, Reading, Reconciliation

NOW: Final = 1_700_000_000_000_000_000
SECOND: Final = 1_000_000_000
_TICK: Final = 5 * SECOND
_GATEWAY: Final = ("default", "gateway")
_KEY: Final = (*_GATEWAY, "gpt-5-nano")


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

    def tick(self, times: int = 1) -> None:
        """Let time pass, five seconds at each step."""
        for _ in range(times):
            self.now += _TICK
            if self.interval and self.now % self.interval == 0:
                self.exported = dataclasses.replace(self.metrics)
                self.heard = Heard(self.now, self.now)
            readings = [Reading("series", _GATEWAY, "gpt-5-nano", self.exported, from_zero=True)] if self.heard else []
            heard = {_GATEWAY: self.heard} if self.heard else {}
            self.reconciliation.observe(readings, {_KEY: self.logs} if self.logs else {}, heard, self.now)

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
    """What a series or a log counter had when the receiver started is held against the other side."""
    bench = Bench(metrics=Counts(500, 500), logs=Counts(100, 100))
    bench.exported, bench.heard = bench.metrics, Heard(NOW, NOW)
    bench.tick(3)
    assert [] == bench.reconciliation.compare()
    bench.request()
    bench.tick(6)
    assert (1.0, 1.0, 1.0, 1.0) == bench.ratios()


def test_series_that_are_older_than_our_knowledge() -> None:
    """A pod that comes to this receiver with counts of an earlier time looks as if its logs were lost."""
    reconciliation = Reconciliation()
    reconciliation.observe([], {}, {}, NOW)
    for step in range(1, 9):
        counts = Counts(1000, 1000) if step < 4 else Counts(1001, 1001)
        heard = {_GATEWAY: Heard(NOW + step * _TICK, NOW + step * _TICK)}
        logged = {_KEY: Counts(1, 1)} if step >= 4 else {}
        reading = Reading("old", _GATEWAY, "gpt-5-nano", counts, from_zero=False)
        reconciliation.observe([reading], logged, heard, NOW + step * _TICK)
    (one,) = reconciliation.compare()
    assert (Counts(1, 1), Counts(1, 1)) == (one.metrics, one.logs)


def test_a_pod_that_leaves_takes_nothing_back() -> None:
    """The counts of a pod that ended are subtracted, or counted again when it returns."""
    reconciliation = Reconciliation()
    reconciliation.observe([], {}, {}, NOW)
    logged = {_KEY: Counts(7, 7)}
    first = Reading("one", _GATEWAY, "gpt-5-nano", Counts(5, 5), from_zero=True)
    second = Reading("two", _GATEWAY, "gpt-5-nano", Counts(2, 2), from_zero=True)
    for step in range(1, 9):
        now = NOW + step * _TICK
        readings = [first, second] if step < 4 else [second]
        reconciliation.observe(readings, logged, {_GATEWAY: Heard(now, now)}, now)
    (one,) = reconciliation.compare()
    assert (1.0, 1.0, 7, 7) == (one.access_logs, one.measured, one.metrics.answered, one.logs.answered)


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


def test_models_are_bounded() -> None:
    """A client that makes up models fills the memory."""
    reconciliation = Reconciliation(models=2)
    reconciliation.observe([], {}, {}, NOW)
    logged = {(*_GATEWAY, f"m{number}"): Counts(1, 1) for number in range(9)}
    reconciliation.observe([], logged, {}, NOW + _TICK)
    assert ["m0", "m1", "other"] == [one.model for one in reconciliation.compare()]
    assert 7 == reconciliation.compare()[-1].logs.answered


def test_text() -> None:
    """The ratio is not exposed by gateway, model and signal, or one without a value is."""
    one = Comparison(_GATEWAY, 'a"b', Counts(4), Counts(3), 0.75, None, 1.0, None)
    assert (
        b"# HELP aigw_telemetry_completeness_ratio "
        b"Share of the requests that one signal has, of those that are known to have been made.\n"
        b"# TYPE aigw_telemetry_completeness_ratio gauge\n"
        b'aigw_telemetry_completeness_ratio{gateway_name="gateway",gateway_namespace="default",'
        b'gen_ai_original_model="a\\"b",signal="access_logs"} 0.75\n'
        b'aigw_telemetry_completeness_ratio{gateway_name="gateway",gateway_namespace="default",'
        b'gen_ai_original_model="a\\"b",signal="tokens"} 1.0\n'
    ) == b"".join(text.render_completeness([one], TEXT))
