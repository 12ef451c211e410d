"""Several scrapers over random traffic: what each of them can add up equals what was recorded between its scrapes."""

import dataclasses
import itertools
import random
from typing import Final

import hypothesis
import hypothesis.strategies as st

from aigw_receiver.core import exposition
from aigw_receiver.core.store import Store
from strategies.exposed import Key, samples
from strategies.ledger import Ledger, is_counter
from strategies.profile import examples, randoms
from strategies.senders import CUMULATIVE, DELTA, SECOND, Process, Request, Runs

_BEGIN: Final = 1_800_000_000 * SECOND
# The receiver holds a new series at 0 no longer than this for scrapers that do not come (see core/scrapers.py).
_HOLD: Final = 300 * SECOND


@dataclasses.dataclass(slots=True)
class _Scraper:
    """A Prometheus: the samples of its successful scrapes, one after the other."""

    name: str
    interval: int
    due: int
    connection: int | None = None
    has_failed: bool = False
    not_new: set[Key] | None = None
    """the series that are older than the receiver, or were shown to others already, when it first came"""
    history: list[dict[Key, float]] = dataclasses.field(default_factory=list)
    baselines: dict[Key, float] = dataclasses.field(default_factory=dict)
    """the first samples of the series that it was never shown at 0"""

    def values(self, key: Key) -> list[float]:
        """The samples of one series."""
        return [shown[key] for shown in self.history if key in shown]

    def increase(self, key: Key) -> float:
        """The reset-aware difference of a series, with its first sample as the baseline."""
        pairs = itertools.pairwise(self.values(key))
        return sum(after - before if after >= before else after for before, after in pairs)

    def has_fallen(self) -> bool:
        """Whether any series was ever shown at less than before."""
        keys = {key for shown in self.history for key in shown}
        return any(after < before for key in keys for before, after in itertools.pairwise(self.values(key)))


class _World:
    """Pods, one process each, the receiver's store, the ledger, and scrapers that come at intervals of their own."""

    def __init__(self, rng: random.Random, names: list[str]) -> None:
        self.rng = rng
        self.now = _BEGIN
        self.can_tell_apart = len(set(names)) == len(names)
        self.store = Store(_BEGIN)
        self.ledger = Ledger(_BEGIN)
        self.runs = Runs()
        self.connections = itertools.count(1)
        self.scrapers = [self._scraper(name) for name in names]
        self.old: set[Key] = set()
        self.opened: set[Key] = set()
        """series that some scraper was shown at their value"""
        self.began: dict[Key, int] = {}
        self.processes: list[Process] = []
        for number in range(rng.randrange(1, 4)):
            self._begin(f"p{number}")
        self.now += 2 * SECOND  # what comes in the first second may belong to a sender's first, whole export

    def _scraper(self, name: str) -> _Scraper:
        """A scraper that comes from the start, or later."""
        interval = self.rng.randrange(12, 20) * SECOND
        return _Scraper(name, interval, _BEGIN + self.rng.choice((1, 50)) * self.rng.randrange(SECOND))

    def _begin(self, pod: str) -> None:
        """A process begins; one in two is older than the store, which first hears of it by a whole export."""
        is_old = self.now == _BEGIN and self.rng.randrange(2) == 0
        start = _BEGIN - 500 * SECOND if is_old else self.now + self.rng.randrange(1, 1000)
        process = Process(self.rng, pod, self.rng.choice((DELTA, CUMULATIVE)), start, self.runs)
        self.processes.append(process)
        if is_old:
            process.work()
            process.collect(_BEGIN - 1)
            before = set(self.ledger.expected())
            self._deliver(process.collect(_BEGIN + self.rng.randrange(1, SECOND)))
            if process.temporality == CUMULATIVE:
                self.old |= self.ledger.expected().keys() - before

    def step(self) -> None:
        """Time passes, and one thing happens; then come the scrapers that are due."""
        self.now += self.rng.randrange(SECOND // 10, 4 * SECOND)
        what = self.rng.randrange(8)
        process = self.rng.choice(self.processes)
        if what == 0:
            process.restart(self.now)
        if what == 1 and len(self.processes) < 6:
            self._begin(f"p{len(self.processes)}")
        elif what == 2:
            self.store.expire(self.now)
        elif what == 3:
            self._disconnect(self.rng.choice(self.scrapers))
        else:
            self._export(process)
        for scraper in self.scrapers:
            if scraper.due <= self.now:
                scraper.due = self.now + scraper.interval
                courses = ("whole", "whole", "between") if scraper.has_failed else ("whole", "between", "failed")
                self.scrape(scraper, self.rng.choice(courses))

    def _export(self, process: Process) -> None:
        self.now += 1  # no process exports twice at one time
        process.work()
        self._deliver(process.collect(self.now))

    def _deliver(self, requests: list[Request]) -> None:
        for request in requests:
            outcome = self.store.export(request.body, self.now)
            self.ledger.deliver(request.entries)
            assert {} == outcome.rejected
        for key in self.ledger.expected():
            self.began.setdefault(key, self.now)

    def _disconnect(self, scraper: _Scraper) -> None:
        if scraper.connection is not None:
            self.store.scrapers.close(scraper.connection, self.now)
            scraper.connection = None

    def scrape(self, scraper: _Scraper, course: str) -> dict[Key, float]:
        """One scrape: undisturbed, with an export between two of its pieces, or one that does not arrive.

        Answers what had been recorded when it ended.
        """
        if scraper.connection is None:
            scraper.connection = next(self.connections)
        if scraper.not_new is None:
            to_others = {key for other in self.scrapers for earlier in other.history for key in earlier}
            scraper.not_new = self.old | to_others
        known = self.store.scrapers.begin(scraper.name, scraper.connection, self.now)
        self.store.scrapers.open(self.now)
        mark, newest = self.store.scrapers.opened, self.store.census.newest
        before = self.ledger.expected()
        pieces = exposition.render(self.store, exposition.TEXT, mark)
        text = list(itertools.islice(pieces, self.rng.randrange(1, 8) if course != "whole" else None))
        scraper.has_failed = course == "failed"
        if scraper.has_failed:
            return before
        if course == "between":
            self._export(self.rng.choice(self.processes))
        text += pieces
        self.store.scrapers.complete(known, mark, newest, self.now)
        shown = {key: value for key, value in samples(b"".join(text).decode()).items() if is_counter(key)}
        self._check(scraper, shown, before, self.ledger.expected())
        scraper.history.append(shown)
        return self.ledger.expected()

    def _check(
        self, scraper: _Scraper, shown: dict[Key, float], before: dict[Key, float], after: dict[Key, float]
    ) -> None:
        """A series is at its value once it was so for anyone; before that it is at 0, and at first for each scraper."""
        seen = {key for earlier in scraper.history for key in earlier} | (scraper.not_new or set())
        for key, value in shown.items():
            if value or key in self.old or key in self.opened:
                assert before.get(key, 0.0) <= value <= after[key], key
            if self.can_tell_apart and value:
                assert key in seen or self.now - self.began[key] > _HOLD, key
            if value:
                self.opened.add(key)
            if value and not scraper.values(key):
                scraper.baselines[key] = value


@examples(40)
@hypothesis.given(rng=randoms(), steps=st.integers(4, 60))
def test_each_scraper_adds_up_what_was_recorded(rng: random.Random, steps: int) -> None:
    """A Prometheus would miss the first increments of a stream, or count an old stream as new."""
    world = _World(rng, [f"scraper {number}" for number in range(rng.randrange(1, 4))])
    for _ in range(steps):
        world.step()
    for _ in range(3):  # the newest series are at 0 until each scraper had them
        world.now += 5 * SECOND
        recorded = [world.scrape(scraper, "whole") for scraper in world.scrapers][-1]
    for scraper in world.scrapers:
        assert not scraper.has_fallen()
        for key in scraper.history[-1]:
            assert recorded[key] - scraper.baselines.get(key, 0.0) == scraper.increase(key), key


@examples(25)
@hypothesis.given(rng=randoms(), steps=st.integers(4, 60))
def test_scrapers_of_one_name(rng: random.Random, steps: int) -> None:
    """Two scrapers that cannot be told apart would be shown a counter that falls, and count it twice."""
    world = _World(rng, ["twin", "twin", "other"])
    for _ in range(steps):
        world.step()
    assert [False] * 3 == [scraper.has_fallen() for scraper in world.scrapers]
