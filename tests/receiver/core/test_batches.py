"""What the fast path knows of streams by heart: each key is held once, and leaves with the last that has it."""

import itertools

import otlp_messages as otlp
from aigw_receiver.core.sources import Expiry
from aigw_receiver.core.store import Store
from otlp_messages import INTERVAL, NOW, SECOND

_STREAMS = 5


def _export(store: Store, pod: str, values: range = range(_STREAMS)) -> None:
    """A request of one pod, in which two metrics have streams with the same attributes."""
    points = [otlp.number(1, {"model": str(value)}) for value in values]
    metrics = (otlp.counter(*points), otlp.counter(*points, name="mcp.other"))
    store.export(otlp.export(*metrics, resource=otlp.pod(pod)), NOW)


def _known(store: Store) -> list[bytes]:
    return [key for table in store.tables.values() for key in table.known]


def test_replicas_share_their_keys() -> None:
    """A fleet of replicas holds the same bytes once for each pod and metric: a quarter of what a series takes."""
    store = Store(NOW)
    for pod in ("one", "two", "three"):
        _export(store, pod)
    known = _known(store)
    assert 3 * 2 * _STREAMS == len(known)
    assert _STREAMS == len({id(key) for key in known}) == len(store.keys)


def test_keys_leave_with_the_last_pod() -> None:
    """The keys of pods that were forgotten stay for ever, or those of the others are lost with them."""
    store = Store(NOW, expiry=Expiry(default_interval=SECOND, retention=10 * SECOND))
    _export(store, "one", range(3))
    _export(store, "two", range(2, 4))
    for at in range(1, 30):
        store.export(otlp.export(resource=otlp.pod("two")), NOW + at * SECOND)
        store.expire(NOW + at * SECOND)
    assert set(_known(store)) == set(store.keys)
    assert 2 == len(store.keys)
    for at in range(30, 60):
        store.expire(NOW + at * SECOND)
    assert {} == store.keys


def test_flood_of_spellings() -> None:
    """A stream that is hidden and spelled anew time and again fills the memory, or leaves the fast path."""
    store = Store(NOW)
    names = [f"a{number}" for number in range(4)]
    for at, order in enumerate(itertools.permutations(names), 1):
        begin, middle, end = (NOW + (3 * at + step) * INTERVAL for step in range(3))
        labels = dict.fromkeys(order, "x")
        first, second = otlp.number(1, labels, start=begin, time=middle), otlp.number(1, labels, start=middle, time=end)
        store.export(otlp.export(otlp.counter(first)), NOW)
        assert 1 == store.export(otlp.export(otlp.counter(second)), NOW).fast
        store.export(otlp.export(otlp.counter(otlp.number(0, labels, start=end, time=end + 1, flags=1))), NOW)
    assert 4 * (1 + 1) == len(store.keys)
