"""Requests and tokens read out of the store: all that was gained, once, and nothing of a time before ours."""

from pathlib import Path
from typing import Final

import pytest

import otlp_messages as otlp
from aigw_receiver.core import request_usage, snapshot
from aigw_receiver.core.reconciliation import Counts, Gateway, Heard, Key, Usage
from aigw_receiver.core.request_usage import RequestUsage
from aigw_receiver.core.store import Store
from gateway_captures import metrics_since
from otlp_messages import CUMULATIVE, DELTA, NOW, POD, SECOND, Attributes, Temporality

_CAPTURES: Final = Path(__file__).parents[2] / "captures"
_GATEWAY: Final = ("default", "gateway")

# What one run of the real gateway had, by its /metrics at the end (tests/captures/README.md).
_TRAFFIC: Final = {
    "gpt-5-nano": Counts(5, 5, 0, 5, 10_030, 1_500),
    "small": Counts(1, 1, 0, 1, 31, 3),
    "big": Counts(1, 1, 0, 1, 100_000, 3),
    "slow": Counts(1, 1, 0, 1, 2_006, 300),
    "text-embedding-3-small": Counts(1, 1, 0, 1, 9, 0),
    "missing": Counts(1),
    "limited": Counts(1),
    "broken": Counts(1),
}


def _key(model: str = "m") -> Key:
    return (*_GATEWAY, model)


class _Scene:
    """A store, and who reads it. Times are seconds after the reader has begun."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store(NOW - 60 * SECOND)
        self.usage = RequestUsage()
        self.usage.read(self.store, NOW)

    def export(self, at: int, body: bytes) -> None:
        """An export that arrives."""
        assert {} == self.store.export(body, NOW + at * SECOND).rejected

    def gained(self, at: int) -> dict[Key, Counts]:
        """What a look finds, where no pod has come in with counts of before."""
        usage = self.usage.read(self.store, NOW + at * SECOND)
        assert frozenset() == usage.joined
        return dict(usage.increases)

    def joined(self, at: int) -> frozenset[Gateway]:
        """The gateways that a pod has joined with counts of before, where nothing else was gained."""
        usage = self.usage.read(self.store, NOW + at * SECOND)
        assert {} == usage.increases
        return usage.joined


def _requests(
    count: int,
    *,
    at: int,
    start: int = 1,
    model: str = "m",
    resource: Attributes = POD,
    temporality: Temporality = CUMULATIVE,
    labels: Attributes | None = None,
) -> bytes:
    """So many requests of a model, from `start` on, until `at`."""
    point = otlp.buckets(
        (0, count, 0),
        2.0 * count,
        {"gen_ai.original.model": model, **(labels or {})},
        start=NOW + start * SECOND,
        time=NOW + at * SECOND,
    )
    return otlp.export(otlp.histogram(point, name=otlp.DURATION, unit="s", temporality=temporality), resource=resource)


def _tokens(kind: str, count: int, total: int, *, at: int) -> bytes:
    point = otlp.buckets(
        (0, count, 0),
        total,
        {"gen_ai.original.model": "m", "gen_ai.token.type": kind},
        start=NOW + SECOND,
        time=NOW + at * SECOND,
    )
    return otlp.export(otlp.histogram(point, unit="token", temporality=CUMULATIVE))


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_what_a_real_gateway_sent(temporality: str) -> None:
    """A request or a token of the real gateway is not counted, twice, or for another model."""
    requests = metrics_since(temporality, NOW + SECOND)
    scene, found = _Scene(), dict[str, Counts]()
    for step, request in enumerate(requests, 1):
        scene.export(3 * step, request.SerializeToString())
        for (*_, model), counts in scene.gained(3 * step + 1).items():
            found[model] = found.get(model, Counts()).plus(counts)
    assert _TRAFFIC == found


def test_only_what_was_gained() -> None:
    """What rests is answered again and again, or an increase is lost."""
    scene = _Scene()
    scene.export(10, _requests(3, at=10))
    assert {_key(): Counts(3, 3)} == scene.gained(11)
    assert {} == scene.gained(16)
    scene.export(20, _requests(5, at=20))
    scene.export(20, _requests(1, at=20, labels={"error.type": "_OTHER"}))
    assert {_key(): Counts(3, 2)} == scene.gained(21)
    assert {} == scene.gained(26)


def test_tokens() -> None:
    """Cached tokens are counted beside those of the input that contain them, or a request without tokens has some."""
    scene = _Scene()
    for kind, count, total in (("input", 4, 90), ("cached_input", 4, 50), ("output", 4, 7), ("reasoning", 4, 3)):
        scene.export(10, _tokens(kind, count, total, at=10))
    assert {_key(): Counts(with_tokens=4, input=90, output=7)} == scene.gained(11)
    # An input of no tokens raises the count alone.
    scene.export(20, _tokens("input", 5, 90, at=20))
    assert {_key(): Counts(with_tokens=1)} == scene.gained(21)


def test_resets_and_streams_of_one_series() -> None:
    """What is counted in the base of a row is lost: before a reset, or of streams that share a series."""
    scene = _Scene()
    scene.export(10, _requests(3, at=10))
    scene.export(20, _requests(2, at=20, start=15))
    assert {_key(): Counts(5, 5)} == scene.gained(21)
    scene.export(30, _requests(2, at=30, start=15, labels={"a.b": "x"}))
    scene.export(30, _requests(7, at=30, start=15, labels={"a_b": "x"}))
    assert {_key(): Counts(9, 9)} == scene.gained(31)


def test_a_pod_that_is_older_than_we() -> None:
    """A pod that comes with counts of an earlier time looks as if it had just had all these requests."""
    scene = _Scene()
    scene.export(10, _requests(1000, at=10, start=-3600))
    assert Usage({}, frozenset([_GATEWAY]), {_GATEWAY: Heard(NOW + 10 * SECOND, NOW + 10 * SECOND)}) == (
        scene.usage.read(scene.store, NOW + 11 * SECOND)
    )
    assert {} == scene.gained(16)
    scene.export(20, _requests(1002, at=20, start=-3600))
    assert {_key(): Counts(2, 2)} == scene.gained(21)
    # A stream that begins now is new, although the pod says that it has all since it started.
    scene.export(30, _requests(4, at=30, start=-3600, model="n"))
    assert {_key("n"): Counts(4, 4)} == scene.gained(31)


def test_a_delta_of_before() -> None:
    """The first delta of a pod, which has requests of before us as well, is counted."""
    scene = _Scene()
    scene.export(10, _requests(6, at=10, start=-50, temporality=DELTA))
    assert {_GATEWAY} == scene.joined(11)
    assert {} == scene.gained(16)
    scene.export(70, _requests(2, at=70, start=10, temporality=DELTA))
    assert {_key(): Counts(2, 2)} == scene.gained(71)


def test_a_first_export_in_parts() -> None:
    """Of a first export in parts, what comes after a look is taken for new."""
    scene = _Scene()
    scene.export(10, _requests(6, at=10, start=-50))
    assert {_GATEWAY} == scene.joined(10)
    assert {} == scene.store.export(_requests(5, at=10, start=-50, model="n"), NOW + 10 * SECOND + 1).rejected
    assert {_GATEWAY} == scene.joined(15)
    scene.export(20, _requests(7, at=20, start=-50, model="n"))
    assert {_key("n"): Counts(2, 2)} == scene.gained(21)


@pytest.mark.parametrize("temporality", [CUMULATIVE, DELTA])
def test_a_restart(temporality: Temporality) -> None:
    """After a restart requests whose logs came before it are counted once more."""
    store = Store(NOW - 600 * SECOND)
    store.export(_requests(5, at=-60, start=-120, temporality=temporality), NOW - 60 * SECOND)
    again = Store(NOW)
    snapshot.load(again, *snapshot.dump(store), NOW)
    scene = _Scene(again)
    assert {} == scene.gained(5)
    start, before = (-60, 0) if temporality == DELTA else (-120, 5)
    scene.export(6, _requests(before + 3, at=6, start=start, temporality=temporality))
    assert {_GATEWAY} == scene.joined(10)
    assert {} == scene.gained(15)
    start, before = (6, 0) if temporality == DELTA else (-120, 8)
    scene.export(66, _requests(before + 2, at=66, start=start, temporality=temporality))
    assert {_key(): Counts(2, 2)} == scene.gained(70)


def test_pods_that_are_forgotten() -> None:
    """A pod that is forgotten takes its requests back, or a pod that gets its row has them."""
    scene = _Scene()
    scene.export(10, _requests(3, at=10, resource=otlp.pod("a")))
    scene.export(10, _requests(2, at=10, resource=otlp.pod("b")))
    assert {_key(): Counts(5, 5)} == scene.gained(11)
    for at in (4000, 8000):
        scene.export(at, otlp.export(resource=otlp.pod("b")))
        scene.store.expire(NOW + at * SECOND)
    assert {} == scene.gained(8001)
    assert ["b"] == [who.pod for who in scene.store.sources]
    scene.export(8010, _requests(3, at=8010, start=8005, resource=otlp.pod("c")))
    assert {_key(): Counts(3, 3)} == scene.gained(8011)


def test_a_pod_that_was_forgotten_and_returns() -> None:
    """What a pod had counted before it was forgotten is counted once more when it is back."""
    scene = _Scene()
    scene.export(10, _requests(3, at=10))
    assert {_key(): Counts(3, 3)} == scene.gained(11)
    for at in (4000, 8000):
        scene.store.expire(NOW + at * SECOND)
    assert ({}, {}) == (scene.gained(8001), scene.store.sources)
    scene.export(8010, _requests(9, at=8010))
    assert {_GATEWAY} == scene.joined(8011)
    scene.export(8020, _requests(10, at=8020))
    assert {_key(): Counts(1, 1)} == scene.gained(8021)


def test_heard() -> None:
    """The metrics are taken for newer or older than they are; or a pod that has ended holds everything up."""
    scene = _Scene()
    for at, pod, gateway in ((10, "a", "one"), (12, "b", "one"), (11, "c", "two")):
        scene.export(at, otlp.export(resource=otlp.pod(pod, gateway)))
    one, two = ("default", "one"), ("default", "two")
    heard = scene.usage.read(scene.store, NOW + 15 * SECOND).heard
    assert {one: Heard(NOW + 10 * SECOND, NOW + 12 * SECOND), two: Heard(*2 * (NOW + 11 * SECOND,))} == heard
    scene.export(300, otlp.export(resource=otlp.pod("b", "one")))
    scene.store.expire(NOW + 301 * SECOND)
    assert {one: Heard(*2 * (NOW + 300 * SECOND,))} == scene.usage.read(scene.store, NOW + 305 * SECOND).heard


@pytest.mark.parametrize("model", ['a"b\\c\nd', 'x",gen_ai_original_model="y', "x,gen_ai_original_model=", "", "é"])
def test_labels(model: str) -> None:
    """A model whose name has marks in it is counted under another one's name."""
    scene = _Scene()
    scene.export(10, _requests(1, at=10, model=model, labels={"z": 'q"'} if model == "é" else {"z": "q"}))
    assert {_key(model or "unknown"): Counts(1, 1)} == scene.gained(11)


def test_a_request_without_a_model() -> None:
    """A series without a model is counted for none."""
    scene = _Scene()
    point = otlp.buckets((1, 0, 0), 1, start=NOW + SECOND, time=NOW + 10 * SECOND)
    scene.export(10, otlp.export(otlp.histogram(point, name=otlp.DURATION, unit="s")))
    assert {_key("unknown"): Counts(1, 1)} == scene.gained(11)


def test_models_that_nobody_has_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of pods that were forgotten stay in memory, or when they go the others are counted wrongly."""
    monkeypatch.setattr(request_usage, "_SPARE", 1)
    scene = _Scene()
    for number in range(5):
        scene.export(10, _requests(1, at=10, model=f"old{number}", resource=otlp.pod("a")))
    for number in range(3):
        scene.export(10, _requests(1, at=10, model=f"m{number}", resource=otlp.pod("b")))
    assert 8 == len(scene.gained(11))
    for at in (4000, 8000):
        scene.export(at, otlp.export(resource=otlp.pod("b")))
        scene.store.expire(NOW + at * SECOND)
    assert {} == scene.gained(8001)
    assert {_key("m0"), _key("m1"), _key("m2")} == set(scene.usage._keys)  # noqa: SLF001
    scene.export(8010, _requests(4, at=8010, model="m2", resource=otlp.pod("b")))
    scene.export(8010, _requests(2, at=8010, model="new", resource=otlp.pod("b")))
    assert {_key("m2"): Counts(3, 3), _key("new"): Counts(2, 2)} == scene.gained(8011)


def test_without_metrics() -> None:
    """A store without these metrics cannot be read."""
    scene = _Scene()
    assert {} == scene.gained(5)
    scene.export(10, otlp.export())
    assert Usage({}, frozenset(), {_GATEWAY: Heard(NOW + 10 * SECOND, NOW + 10 * SECOND)}) == scene.usage.read(
        scene.store, NOW + 11 * SECOND
    )
