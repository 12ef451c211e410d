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
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from aigw_receiver.core.limits import OTHER
from aigw_receiver.core.sources import SECOND

# Envoy sends a log within a second of the end of a request; a second more for the way.
_FLUSH: Final = 2 * SECOND

# Where a gateway has sent no metric at all, its logs are held against it after this: twice the default interval.
_GRACE: Final = 120 * SECOND

# Comparisons reach back to a moment of which there is one a minute.
_STEP: Final = 60 * SECOND

# What the gateway's metrics call a model that no request named.
UNKNOWN: Final = "unknown"

Gateway: TypeAlias = tuple[str, str]
"""namespace and name"""
Key: TypeAlias = tuple[str, str, str]
"""a gateway's namespace and name, and a model: the one that was asked for"""


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
        return Counts(
            self.answered + other.answered,
            self.good + other.good,
            self.aborted + other.aborted,
            self.with_tokens + other.with_tokens,
            self.input + other.input,
            self.output + other.output,
        )

    def minus(self, other: "Counts") -> "Counts":
        """The difference, nowhere below 0."""
        return Counts(
            self.answered - other.answered if self.answered > other.answered else 0,
            self.good - other.good if self.good > other.good else 0,
            self.aborted - other.aborted if self.aborted > other.aborted else 0,
            self.with_tokens - other.with_tokens if self.with_tokens > other.with_tokens else 0,
            self.input - other.input if self.input > other.input else 0,
            self.output - other.output if self.output > other.output else 0,
        )

    def __bool__(self) -> bool:
        return bool(self.answered or self.good or self.aborted or self.with_tokens or self.input or self.output)


_NONE: Final = Counts()


class Heard(NamedTuple):
    """When the live pods of a gateway last exported metrics: the first and the last of them."""

    first: int
    last: int


class Usage(NamedTuple):
    """What the metrics of all gateways have gained since the last look."""

    increases: Mapping[Key, Counts]
    joined: frozenset[Gateway]
    """gateways of which a pod came in with counts of a time before ours, which are in no increase"""
    heard: Mapping[Gateway, Heard]


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
    """One model of one gateway: totals since it was first seen, and the moments that they had.

    Counts in here are never changed, but replaced; so the same object is the same total.
    """

    __slots__ = ("edges", "gateway", "latest", "logs", "metrics", "recent")

    def __init__(self, gateway: Gateway, time: int) -> None:
        self.gateway = gateway
        self.metrics = _NONE
        self.logs = _NONE
        self.latest = _Moment(time, _NONE, _NONE, _NONE, _NONE)
        self.edges = collections.deque([self.latest])
        self.recent: collections.deque[tuple[int, Counts]] = collections.deque([(time, _NONE)])

    @property
    def rests(self) -> bool:
        """Whether nothing is under way: the latest moment has all that both sides have."""
        latest = self.latest
        return latest.metrics is self.metrics and latest.low is self.logs and latest.high is self.logs

    def drop_edges(self, before: int) -> None:
        """Forget the moments that a window from `before` on does not need."""
        while len(self.edges) > 1 and self.edges[1].time <= before:
            self.edges.popleft()


class Reconciliation:
    """Compares, over a sliding window, what is brought to it every few seconds."""

    def __init__(self, *, window: int = 3600 * SECOND, models: int = 2_000) -> None:
        """`window` in nanoseconds; of more `models` of all gateways than are followed, the rest is `other`.

        All that are in use are looked at by each call; those that rest are not.
        """
        self.window: Final = window
        self._most = models
        self._models: dict[Key, _Model] = {}
        self._busy: dict[Key, _Model] = {}
        """those that do not rest; of the others only the window moves on"""
        self._logged: dict[Key, Counts] = {}
        self._before: tuple[int, Usage] | None = None
        self._swept = 0

    def observe(self, usage: Usage, logged: Mapping[Key, Counts], now: int) -> None:
        """Take in what the metrics gained, and what the logs show now; to be called every five seconds or so.

        The first call only says where both sides begin: what was counted before is compared with nothing.
        """
        logs = self._gained(logged)
        if self._before is not None:
            then, before = self._before
            grown = [(self._find(key, then), increase) for key, increase in usage.increases.items() if increase]
            written = [(self._find(key, then), increase) for key, increase in logs.items()]
            metrics = {key: model.metrics for key, model in self._busy.items()}
            for model, increase in grown:
                model.metrics = model.metrics.plus(increase)
            for model, increase in written:
                model.logs = model.logs.plus(increase)
            for key, model in list(self._busy.items()):
                self._judge(model, metrics[key], before.heard.get(model.gateway), then, now)
                if model.rests:
                    del self._busy[key]
            if before.joined:
                self._begin_anew(before.joined)
            if now - self._swept >= _STEP:
                self._sweep(then, now)
        self._before = now, usage

    def compare(self) -> list[Comparison]:
        """Every model that had a request within the window, sorted by gateway and model."""
        comparisons = []
        for (space, name, model), state in sorted(self._models.items(), key=lambda item: item[0]):
            comparison = _compare((space, name), model, state.edges[0], state.latest)
            if comparison is not None:
                comparisons.append(comparison)
        return comparisons

    def _gained(self, logged: Mapping[Key, Counts]) -> dict[Key, Counts]:
        """What the logs have gained since the last call, by gateway and model."""
        gained: dict[Key, Counts] = {}
        for key, counts in logged.items():
            last = self._logged.get(key, _NONE)
            if counts != last:
                self._logged[key] = dataclasses.replace(counts)
                named = (*key[:2], key[2] or UNKNOWN)
                gained[named] = gained.get(named, _NONE).plus(counts.minus(last))
        return gained

    def _find(self, key: Key, then: int) -> _Model:
        """The model to which something is added, busy from now on."""
        if key not in self._models and len(self._models) >= self._most:
            key = (*key[:2], OTHER)
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = _Model(key[:2], then)
        self._busy[key] = model
        return model

    def _judge(self, model: _Model, metrics: Counts, heard: Heard | None, then: int, now: int) -> None:
        """Compare the metrics of the last call with the logs of their time: by now, those have come."""
        recent = model.recent
        if recent[-1][1] is not model.logs:
            recent.append((now, model.logs))
        first, last = heard or (then - _GRACE, then)
        reach = max(min(first - _FLUSH, then - _GRACE), now - self.window)
        while len(recent) > 1 and recent[1][0] <= reach:
            recent.popleft()
        low = recent[0][1]
        high = model.logs
        for time, logs in recent:
            if time <= first - _FLUSH:
                low = logs
            if time >= last + _FLUSH:
                high = logs
                break
        model.latest = _Moment(then, metrics, low, high, model.logs)
        if then - model.edges[-1].time >= _STEP:
            model.edges.append(model.latest)
        model.drop_edges(now - self.window)

    def _begin_anew(self, gateways: frozenset[Gateway]) -> None:
        """Compare these gateways from the last moment on.

        A pod has brought counts of requests whose logs we cannot have had; what else was under way when it came is on
        either side of that moment.
        """
        for model in self._models.values():
            if model.gateway in gateways:
                model.edges = collections.deque([model.latest])

    def _sweep(self, then: int, now: int) -> None:
        """Move the window on where a model rests, and drop those that had no request within it."""
        self._swept = now
        for key, model in list(self._models.items()):
            if key in self._busy:
                continue
            if model.edges[-1] is not model.latest:
                model.latest = model.latest._replace(time=then)
                model.edges.append(model.latest)
            model.drop_edges(now - self.window)
            if len(model.edges) == 1 and model.edges[0].time <= now - self.window:
                del self._models[key]


def _compare(gateway: Gateway, model: str, edge: _Moment, latest: _Moment) -> Comparison | None:
    """What has happened between two moments; None where nothing has."""
    if edge is latest:
        return None
    metrics, logs = latest.metrics.minus(edge.metrics), latest.logs.minus(edge.logs)
    if not (metrics or logs):
        return None
    least = latest.low.minus(edge.high)
    return Comparison(
        gateway,
        model,
        metrics,
        logs,
        access_logs=_ratio(latest.high.answered - edge.low.answered, metrics.answered),
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
