"""A store that was written out and read back goes on as if nothing had happened."""

import io
import json
import random
from collections.abc import Sequence
from typing import Any, Final

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from aigw_receiver.core import exposition, snapshot
from aigw_receiver.core.exposition import OPENMETRICS, TEXT, Format
from aigw_receiver.core.model import Outcome
from aigw_receiver.core.sources import Expiry
from aigw_receiver.core.store import Store
from strategies.profile import examples, randoms
from strategies.senders import CUMULATIVE, DELTA, SECOND, Process, Request, Runs

_BEGIN: Final = 1_800_000_000 * SECOND
_EXPIRY: Final = Expiry(default_interval=SECOND, retention=20 * SECOND)


def _copy(dumped: tuple[dict[str, Any], dict[str, Any]], now: int) -> Store:
    """The store after a way through the formats of a file."""
    document, arrays = dumped
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    copy = Store(now, expiry=_EXPIRY)
    with np.load(file, allow_pickle=False) as loaded:
        snapshot.load(copy, json.loads(json.dumps(document)), {name: loaded[name] for name in loaded.files}, now)
    return copy


def _lines(store: Store, text_format: Format, mark: int | None) -> list[str]:
    """One scrape; rows that were given back are filled in another order, which no reader minds."""
    return sorted(b"".join(exposition.render(store, text_format, mark)).decode().split("\n"))


def _verdict(outcome: Outcome) -> tuple[object, ...]:
    return (
        outcome.accepted, outcome.duplicates, outcome.outdated, outcome.overlaps, outcome.resets, outcome.rejected,
        outcome.folded,
    )  # fmt: skip


class _World:
    """Processes, at times two of one pod, that send the same to all stores; and two scrapers of each store."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = _BEGIN
        self.stores = [Store(_BEGIN, expiry=_EXPIRY)]
        runs = Runs()
        pods = [f"p{number}" for number in range(rng.randrange(1, 5))]
        self.processes = [
            Process(rng, pod, rng.choice((DELTA, CUMULATIVE)), _BEGIN + place - rng.choice((0, 99 * SECOND)), runs)
            for place, pod in enumerate([*pods, *rng.sample(pods, 1)])
        ]

    def step(self, *, can_expire: bool) -> None:
        """One thing that happens to all stores alike."""
        self.now += self.rng.randrange(1, 10 * SECOND)
        what = self.rng.randrange(10)
        process = self.rng.choice(self.processes)
        if what == 0:
            process.restart(self.now - 1)
        if what == 1:
            self._deliver(process.last)
        elif what == 2 and can_expire:
            for store in self.stores:
                store.expire(self.now)
        elif what == 3 and process.sent:
            self._deliver([process.withdraw(self.rng.choice(list(process.sent)), self.now)])
        elif what == 4:
            self._scrape(self.rng.choice("ab"))
        else:
            process.work()
            self._deliver(process.collect(self.now))

    def _deliver(self, requests: list[Request]) -> None:
        for request in requests:
            self._all_alike([_verdict(store.export(request.body, self.now)) for store in self.stores])
            self._all_alike([_lines(store, TEXT, None) for store in self.stores])

    def _scrape(self, name: str) -> None:
        shown = []
        for store in self.stores:
            scraper = store.scrapers.begin(name, ord(name), self.now)
            store.scrapers.open(self.now)
            mark, newest = store.scrapers.opened, store.census.newest
            shown.append(_lines(store, OPENMETRICS, mark))
            store.scrapers.complete(scraper, mark, newest, self.now)
        self._all_alike(shown)

    def _all_alike(self, results: Sequence[object]) -> None:
        assert [results[0]] * len(results) == list(results)


@examples(100)
@hypothesis.given(rng=randoms(), before=st.integers(0, 20), after=st.integers(1, 12))
def test_goes_on_alike(rng: random.Random, before: int, after: int) -> None:
    """A restart would lose or double a stream, forget what a scraper saw, or take a late point for a new one."""
    world = _World(rng)
    for _ in range(before):
        world.step(can_expire=True)
    dumped = snapshot.dump(world.stores[0])
    then = world.now, _lines(world.stores[0], OPENMETRICS, None)
    world.stores.append(_copy(dumped, world.now))
    for _ in range(after):
        world.step(can_expire=False)  # silence is counted from the restart, and so differs

    assert then == (then[0], _lines(_copy(dumped, then[0]), OPENMETRICS, None))
    again = _copy(snapshot.dump(world.stores[1]), world.now)
    assert _lines(world.stores[0], OPENMETRICS, None) == _lines(again, OPENMETRICS, None)


def test_other_version() -> None:
    """A snapshot of another version would be read as if it were of this one."""
    document, arrays = snapshot.dump(Store(_BEGIN))
    with pytest.raises(ValueError, match="snapshot of version 0"):
        snapshot.load(Store(_BEGIN), document | {"version": 0}, arrays, _BEGIN)
