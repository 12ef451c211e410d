"""How the interval of a pod is learned, and when a silent pod ends, is forgotten, and comes back."""

from collections.abc import Sequence

import pytest

import otlp_messages as otlp
from aigw_receiver.core import exposition
from aigw_receiver.core.model import Identity
from aigw_receiver.core.sources import Expiry, Source, is_new_stream
from aigw_receiver.core.store import Store
from otlp_messages import CUMULATIVE, NOW, SECOND

_WHO = Identity("default", "gateway", "pod-1")
_MS = SECOND // 1000


def _source(*arrivals: int) -> Source:
    source = Source(0, _WHO, {}, NOW, NOW, NOW, NOW)
    for arrival in arrivals:
        source.hear(NOW + arrival)
    return source


@pytest.mark.parametrize(
    ("arrivals", "interval"),
    [
        ((), 60 * SECOND),
        ((0,), 60 * SECOND),
        ((10 * SECOND,), 10 * SECOND),
        ((10 * SECOND, 20 * SECOND, 30 * SECOND), 10 * SECOND),
        # requests of one collection that was split up are no interval
        ((10 * SECOND, 10 * SECOND + 30 * _MS, 20 * SECOND, 20 * SECOND + 49 * _MS), 10 * SECOND),
        # one that is off does not move the median
        ((10 * SECOND, 20 * SECOND, 21 * SECOND), 10 * SECOND),
        ((10 * SECOND, 20 * SECOND, 320 * SECOND, 330 * SECOND), 10 * SECOND),
        # the last five count
        (
            tuple(at * 60 * SECOND for at in range(1, 9)) + tuple(480 * SECOND + at * 5 * SECOND for at in (1, 2, 3)),
            5 * SECOND,
        ),
        # never below the minimum
        ((100 * _MS, 200 * _MS, 300 * _MS), SECOND),
    ],
)
def test_learned_interval(arrivals: Sequence[int], interval: int) -> None:
    """A pod ends too early or too late, since its export interval is not learned from its arrivals."""
    learned = _source(*arrivals).interval(Expiry())
    assert abs(learned - interval) <= 50 * _MS


def test_ended_pod_teaches_no_interval() -> None:
    """The time for which a pod was away is taken for its interval."""
    source = _source(10 * SECOND)
    source.ended = True
    source.hear(NOW + 1000 * SECOND)
    assert 10 * SECOND == source.interval(Expiry())


@pytest.mark.parametrize(
    ("silence", "silent"), [(29 * SECOND, False), (30 * SECOND, False), (30 * SECOND + 1, True), (90 * SECOND, True)]
)
def test_silence_of_three_intervals(silence: int, *, silent: bool) -> None:
    """A pod ends before it has missed three exports, or much later."""
    assert silent == _source(10 * SECOND).is_silent(NOW + 10 * SECOND + silence, Expiry())


def test_silence_counts_from_our_start() -> None:
    """A restart of ours that takes longer than three intervals ends every pod at once."""
    source = _source(10 * SECOND)
    source.quiet_since = NOW + 500 * SECOND
    assert not source.is_silent(NOW + 530 * SECOND, Expiry())
    assert source.is_silent(NOW + 530 * SECOND + 1, Expiry())


@pytest.mark.parametrize(
    ("start", "now", "known_since", "forgotten_at", "new"),
    [
        # the pod was met just now: what started after we did is new, and what is older is only new to us
        (NOW - 50, NOW, NOW - 100, 0, True),
        (NOW - 100, NOW, NOW - 100, 0, False),
        (NOW - 150, NOW, NOW - 100, 0, False),
        (0, NOW, NOW - 100, 0, False),
        (NOW - 150, NOW + SECOND - 1, NOW - 100, 0, False),
        # the pod was known before: every stream that shows up is new
        (NOW - 150, NOW + SECOND, NOW - 100, 0, True),
        (0, NOW + SECOND, NOW - 100, 0, True),
        # the pod was forgotten and returns: its old streams continue
        (NOW - 50, NOW, NOW - 100, NOW - 20, False),
        (NOW - 10, NOW, NOW - 100, NOW - 20, True),
    ],
)
def test_is_new_stream(start: int, now: int, known_since: int, forgotten_at: int, *, new: bool) -> None:
    """The first increment of a stream is lost, or an old total is counted again."""
    source = Source(0, _WHO, {}, NOW, NOW, NOW, NOW, forgotten_at)
    assert new == is_new_stream(source, start, now, known_since=known_since)


def _counter(value: int, at: int) -> bytes:
    return otlp.export(otlp.counter(otlp.number(value, start=NOW, time=at), temporality=CUMULATIVE))


def _shown(store: Store) -> dict[str, float]:
    text = b"".join(exposition.render(store, exposition.TEXT, None)).decode()
    return otlp.samples(text, "mcp_method_count_total", "target_info")


def test_pod_ends_and_returns() -> None:
    """Series of a pod that ended stay forever, or a pod that comes back starts again at nothing."""
    store = Store(NOW)
    for at in (10, 20, 30):
        store.export(_counter(at, NOW + at * SECOND), NOW + at * SECOND)
    assert [] == store.expire(NOW + 60 * SECOND)
    assert 30.0 == _shown(store)["mcp_method_count_total"]
    assert [_WHO] == store.expire(NOW + 60 * SECOND + 1)
    assert {} == _shown(store)
    assert [] == store.expire(NOW + 61 * SECOND)
    store.export(_counter(35, NOW + 100 * SECOND), NOW + 100 * SECOND)
    assert 35.0 == _shown(store)["mcp_method_count_total"]
    assert [] == store.expire(NOW + 101 * SECOND)


def test_heartbeats_keep_a_pod_alive() -> None:
    """An idle gateway, whose exports hold no metric, disappears from the scrapes."""
    store = Store(NOW)
    store.export(_counter(1, NOW + SECOND), NOW)
    for at in range(1, 20):
        store.export(otlp.export(), NOW + at * 10 * SECOND)
        assert [] == store.expire(NOW + at * 10 * SECOND + 9 * SECOND)
    assert 1.0 == _shown(store)["mcp_method_count_total"]
    assert [_WHO] == store.expire(NOW + 190 * SECOND + 31 * SECOND)


def test_flush_at_shutdown_does_not_shorten_the_interval() -> None:
    """The last export of a pod, right after its last regular one, makes the receiver end it before a scrape."""
    store = Store(NOW)
    for at in (10, 20, 30):
        store.export(_counter(at, NOW + at * SECOND), NOW + at * SECOND)
    store.export(_counter(31, NOW + 30 * SECOND + 500 * _MS), NOW + 30 * SECOND + 500 * _MS)
    assert [] == store.expire(NOW + 60 * SECOND)
    assert 31.0 == _shown(store)["mcp_method_count_total"]
    assert [_WHO] == store.expire(NOW + 61 * SECOND)


def test_flush_after_one_export_does_not_shorten_the_interval_below_the_minimum() -> None:
    """A pod that lived for less than one interval ends at once, since its flush is taken for its interval."""
    store = Store(NOW)
    store.export(_counter(1, NOW + SECOND), NOW)
    store.export(_counter(2, NOW + 2 * SECOND), NOW + 200 * _MS)
    assert [] == store.expire(NOW + 3 * SECOND)
    assert [_WHO] == store.expire(NOW + 4 * SECOND)


def test_ended_pod_waits_for_every_scraper() -> None:
    """A pod's last values leave before a scraper has had them, and are missing from its totals."""
    store = Store(NOW)
    for at in (1, 2, 3, 4, 5):
        store.export(_counter(at, NOW + at * SECOND), NOW + at * SECOND)
    end = NOW + 5 * SECOND
    scraper = store.scrapers.begin("=slow", 0, end - SECOND)
    store.scrapers.complete(scraper, scraper.seen, store.census.newest, end - SECOND)
    assert [] == store.expire(end + 30 * SECOND)
    store.scrapers.complete(scraper, scraper.seen, store.census.newest, end + 59 * SECOND)
    assert [_WHO] == store.expire(end + 60 * SECOND)


def test_a_scraper_that_is_gone_holds_no_pod() -> None:
    """A Prometheus that was removed keeps the series of ended pods forever."""
    store = Store(NOW)
    scraper = store.scrapers.begin("=gone", 0, NOW)
    store.scrapers.complete(scraper, 0, 0, NOW)
    store.scrapers.complete(scraper, 0, 0, NOW + 10 * SECOND)
    for at in (11, 12, 13):
        store.export(_counter(at, NOW + at * SECOND), NOW + at * SECOND)
    assert [] == store.expire(NOW + 40 * SECOND)
    assert [_WHO] == store.expire(NOW + 40 * SECOND + 1)


def test_forgotten_after_the_retention_and_back() -> None:
    """Streams of pods that are gone fill the memory, or one that returns after that is counted from 0 again."""
    expiry = Expiry(retention=100 * SECOND)
    store = Store(NOW - SECOND, expiry=expiry)
    store.export(_counter(5, NOW + SECOND), NOW + SECOND)
    store.export(_counter(6, NOW + 2 * SECOND), NOW + 2 * SECOND)
    assert [_WHO] == store.expire(NOW + 10 * SECOND)
    store.expire(NOW + 102 * SECOND)
    assert 1 == store.census.streams
    store.expire(NOW + 102 * SECOND + 1)
    assert (0, {}, {}, {}) == (store.census.streams, store.sources, store.tables, store.label_values)
    later = NOW + 200 * SECOND
    newest = store.census.newest
    store.export(_counter(9, later), later)
    assert (1, newest) == (store.census.streams, store.census.newest)
    assert 9.0 == _shown(store)["mcp_method_count_total"]
    new_run = otlp.number(2, {"a": "b"}, start=NOW + 150 * SECOND, time=later + 1)
    store.export(otlp.export(otlp.counter(new_run, temporality=CUMULATIVE)), later + 1)
    assert newest + 1 == store.census.newest
