"""What the metrics of a gateway say beside what its access logs say, by model, and how complete each of them is.

A request that a provider answered in full is in both, once: so each is the check of the other. One that its client
aborted is in the logs alone, and its tokens are in neither. Nothing is guessed: a request that is missing is one that
the other side has counted.

Metrics come late, with the next export of their pod, and logs after a second or so. Therefore the metrics of a moment
are compared with the logs of when the pods last exported (`Heard`), and what may be on either side of that moment is
held against nobody. It reads neither the store nor the records; both come in as plain numbers.
"""

import collections
import dataclasses
from collections.abc import Hashable, Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

SECOND: Final = 1_000_000_000

# Envoy sends a log within a second of the end of a request; a second more for the way.
_FLUSH: Final = 2 * SECOND

# Where a gateway has sent no metric at all, its logs are held against it after this: twice the default interval.
_GRACE: Final = 120 * SECOND

# Comparisons reach back to a moment of which there is one a minute.
_STEP: Final = 60 * SECOND

_OTHER: Final = "other"

Gateway: TypeAlias = tuple[str, str]
Key: TypeAlias = tuple[str, str, str]


@dataclasses.dataclass(slots=True)
class Counts:
    """Requests and tokens of one model of one gateway, as one side counts them."""

    answered: int = 0
    """requests that a provider answered in full, with whatever status"""
    good: int = 0
    """those of them that succeeded"""
    aborted: int = 0
    """requests whose client went away; only logs know them"""
    with_tokens: int = 0
    """good requests with a count of input or output tokens"""
    input: int = 0
    output: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """The sum."""
        return Counts(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    def minus(self, other: "Counts") -> "Counts":
        """The difference, nowhere below 0."""
        return Counts(*(max(0, a - b) for a, b in zip(_values(self), _values(other), strict=True)))

    def __bool__(self) -> bool:
        return any(_values(self))


def _values(counts: Counts) -> tuple[int, ...]:
    return (counts.answered, counts.good, counts.aborted, counts.with_tokens, counts.input, counts.output)


_NONE: Final = Counts()


class Reading(NamedTuple):
    """What one series of the metrics shows now.

    Of gen_ai_server_request_duration_seconds its count is `answered`, and `good` as well where there is no error_type;
    of gen_ai_client_token_usage the sum is `input` or `output` by token type, and the count of the type input is
    `with_tokens`. The model is gen_ai_original_model, which is what logs call the requested one.
    """

    series: Hashable
    gateway: Gateway
    model: str
    counts: Counts
    from_zero: bool
    """whether the series began under our eyes, so that its first value counts"""


class Heard(NamedTuple):
    """When the live pods of a gateway last exported metrics: the first and the last of them."""

    first: int
    last: int


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides over the window, and what follows from them. A ratio is None where there was nothing to judge by."""

    gateway: Gateway
    model: str
    metrics: Counts
    logs: Counts
    access_logs: float | None
    """of the requests that the metrics have counted, the share that is in the logs"""
    measured: float | None
    """of the requests that the logs show, the share that the metrics have counted"""
    tokens: float | None
    """of the requests that succeeded or were aborted, the share whose tokens somebody has counted"""
    access_log_tokens: float | None
    """of the good requests that the logs show, the share with token counts"""


class _Moment(NamedTuple):
    """Both sides at one time; the logs are between `low` and `high` where the metrics are `metrics`."""

    time: int
    metrics: Counts
    low: Counts
    high: Counts
    logs: Counts


class _Model:
    """One model of one gateway: totals since it was first seen, and the moments that they had."""

    __slots__ = ("edges", "latest", "logs", "metrics", "recent")

    def __init__(self, time: int) -> None:
        self.metrics = _NONE
        self.logs = _NONE
        self.latest = _Moment(time, _NONE, _NONE, _NONE, _NONE)
        self.edges = collections.deque([self.latest])
        self.recent: collections.deque[tuple[int, Counts]] = collections.deque([(time, _NONE)])


class Reconciliation:
    """Compares, over a sliding window, what is brought to it every few seconds."""

    def __init__(self, *, window: int = 3600 * SECOND, models: int = 5_000) -> None:
        """`window` in nanoseconds; of more `models` of all gateways than are followed, the rest is `other`."""
        self._window = window
        self._most = models
        self._models: dict[Key, _Model] = {}
        self._series: dict[Hashable, Counts] = {}
        self._logged: dict[Key, Counts] = {}
        self._before: tuple[int, dict[Gateway, Heard]] | None = None

    def observe(
        self, readings: Iterable[Reading], logged: Mapping[Key, Counts], heard: Mapping[Gateway, Heard], now: int
    ) -> None:
        """Take in what both sides show now; to be called every five seconds or so.

        The first call only says where both sides begin: what was counted before is compared with nothing.
        """
        metrics = self._increases(readings)
        logs = {key: counts.minus(self._logged.get(key, _NONE)) for key, counts in logged.items()}
        self._logged = {key: dataclasses.replace(counts) for key, counts in logged.items()}
        if self._before is not None:
            then, heard_then = self._before
            before = {key: model.metrics for key, model in self._models.items()}
            for increases, is_log in ((metrics, False), (logs, True)):
                for key, increase in increases.items():
                    if increase:
                        self._add(key, increase, then, is_log=is_log)
            for key, model in self._models.items():
                self._judge(model, before.get(key, _NONE), heard_then.get(key[:2]), then, now)
            self._forget_idle(now)
        self._before = now, dict(heard)

    def compare(self) -> list[Comparison]:
        """Every model that had a request within the window, sorted by gateway and model."""
        comparisons = []
        for (space, name, model), state in sorted(self._models.items()):
            comparison = _compare((space, name), model, state.edges[0], state.latest)
            if comparison.metrics or comparison.logs:
                comparisons.append(comparison)
        return comparisons

    def _increases(self, readings: Iterable[Reading]) -> dict[Key, Counts]:
        """What the series have gained since the last call, by gateway and model."""
        increases: dict[Key, Counts] = {}
        series: dict[Hashable, Counts] = {}
        for reading in readings:
            series[reading.series] = reading.counts
            last = self._series.get(reading.series, _NONE if reading.from_zero else reading.counts)
            if last != reading.counts:
                key = (*reading.gateway, reading.model)
                increases[key] = increases.get(key, _NONE).plus(reading.counts.minus(last))
        self._series = series
        return increases

    def _add(self, key: Key, increase: Counts, then: int, *, is_log: bool) -> None:
        model = self._models.get(key)
        if model is None and len(self._models) >= self._most:
            key = (*key[:2], _OTHER)
            model = self._models.get(key)
        if model is None:
            model = self._models[key] = _Model(then)
        if is_log:
            model.logs = model.logs.plus(increase)
        else:
            model.metrics = model.metrics.plus(increase)

    def _judge(self, model: _Model, metrics: Counts, heard: Heard | None, then: int, now: int) -> None:
        """Compare the metrics of the last call with the logs of their time: by now, those have come."""
        if model.recent[-1][1] != model.logs:
            model.recent.append((now, model.logs))
        first, last = heard or (then - _GRACE, then)
        reach = max(min(first - _FLUSH, then - _GRACE), now - self._window)
        while len(model.recent) > 1 and model.recent[1][0] <= reach:
            model.recent.popleft()
        low = model.recent[0][1]
        high = model.logs
        for time, logs in model.recent:
            if time <= first - _FLUSH:
                low = logs
            if time >= last + _FLUSH:
                high = logs
                break
        model.latest = _Moment(then, metrics, low, high, model.logs)
        if then - model.edges[-1].time >= _STEP:
            model.edges.append(model.latest)
        while len(model.edges) > 1 and model.edges[1].time <= now - self._window:
            model.edges.popleft()

    def _forget_idle(self, now: int) -> None:
        """Drop models without a request within the window."""
        for key, model in list(self._models.items()):
            edge = model.edges[0]
            if (
                edge.time <= now - self._window
                and (edge.metrics, edge.low) == (model.metrics, model.logs)
                and model.latest.low == model.logs
            ):
                del self._models[key]


def _compare(gateway: Gateway, model: str, edge: _Moment, latest: _Moment) -> Comparison:
    metrics, logs = latest.metrics.minus(edge.metrics), latest.logs.minus(edge.logs)
    most, least = latest.high.minus(edge.low), latest.low.minus(edge.high)
    return Comparison(
        gateway,
        model,
        metrics,
        logs,
        access_logs=_ratio(most.answered, metrics.answered),
        measured=_ratio(metrics.answered, least.answered),
        tokens=_token_ratio(metrics, least),
        access_log_tokens=_ratio(logs.with_tokens, logs.good),
    )


def _ratio(part: int, whole: int) -> float | None:
    return min(1.0, part / whole) if whole else None


def _token_ratio(metrics: Counts, logs: Counts) -> float | None:
    """The share of requests whose tokens are known, to the side that knows more of them."""
    good = max(metrics.good, logs.good)
    known = max(metrics.with_tokens, logs.with_tokens)
    return _ratio(min(known, good), good + logs.aborted)
