"""Random senders against a ledger of what they recorded: after each request the series show what was delivered."""

import collections
import random

import hypothesis
import hypothesis.strategies as st

from aigw_receiver.core.store import Store
from strategies.exposed import Key, samples, text_of
from strategies.ledger import Ledger, is_counter
from strategies.profile import examples, randoms
from strategies.senders import CUMULATIVE, DELTA, SECOND, Process, Request, Runs

_BEGIN = 1_800_000_000 * SECOND


class _World:
    """Some pods, the receiver's store, and the ledger; `step` lets one thing happen."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = _BEGIN
        self.store = Store(_BEGIN)
        self.ledger = Ledger(_BEGIN)
        self.runs = Runs()
        self.processes = [self._process(f"p{number}") for number in range(rng.randrange(1, 4))]
        for process in list(self.processes):
            if rng.randrange(2) == 0:
                self.processes.append(self._process(process.pod, like=process if rng.randrange(2) else None))
        self.per_pod = collections.Counter(process.pod for process in self.processes)
        self.delivered: dict[Process, list[Request]] = {process: [] for process in self.processes}
        self.shown: dict[Key, float] = {}

    def _process(self, pod: str, like: Process | None = None) -> Process:
        """A process that begins now, or one that is older than the store; or one of the kind of another."""
        self.now += self.rng.randrange(1, 1000)
        age = self.rng.choice((0, 0, 500 * SECOND + self.rng.randrange(1000)))
        temporality = self.rng.choice((DELTA, CUMULATIVE))
        if like is not None:
            age, temporality = (400 * SECOND if like.start < _BEGIN else 0), like.temporality
        process = Process(self.rng, pod, temporality, self.now - age, self.runs)
        if age:
            process.work()
            process.collect(_BEGIN - self.rng.randrange(1, SECOND))
        return process

    def step(self) -> None:
        """One thing that happens to one process."""
        process = self.rng.choice(self.processes)
        alone = self.per_pod[process.pod] == 1
        happenings = [self._export, self._export, self._repeat, self._lose, self._restart, self._withdraw]
        if alone:
            happenings += [self._swap]
        if alone and process.temporality == CUMULATIVE:
            happenings += [self._reset]
        self.rng.choice(happenings)(process)

    def _later(self) -> int:
        self.now += self.rng.randrange(1, 12 * SECOND)
        return self.now

    def _export(self, process: Process) -> None:
        process.work()
        self._send(process, process.collect(self._later()))

    def _repeat(self, process: Process) -> None:
        """The answer was lost: the request comes again; a cumulative one even after later ones."""
        if process.temporality == CUMULATIVE and self.delivered[process]:
            self._deliver([self.rng.choice(self.delivered[process])])
        elif self.per_pod[process.pod] == 1:
            self._deliver(process.last)

    def _lose(self, process: Process) -> None:
        """The sender gave up on a part of its requests."""
        process.work()
        requests = process.collect(self._later())
        process.last = requests[1:]
        self._deliver(process.last)

    def _swap(self, process: Process) -> None:
        """The later request overtakes the earlier one."""
        process.work()
        first = process.collect(self._later())
        process.work()
        second = process.collect(self._later())
        self._send(process, second)
        self._send(process, first)

    def _restart(self, process: Process) -> None:
        """The process begins anew; at times the last request of the old one comes again after that."""
        left = process.last
        process.restart(self._later())
        process.work()
        self._send(process, process.collect(self._later()))
        if process.temporality == CUMULATIVE and self.rng.randrange(2):
            self._deliver(left)

    def _reset(self, process: Process) -> None:
        self.delivered[process].clear()  # a late request from before could not be told from the next run
        process.reset()
        self._send(process, process.collect(self._later()))

    def _withdraw(self, process: Process) -> None:
        mine = [one for one in self.ledger.streams if one.pod == process.pod and one in process.sent]
        temporalities = {other.temporality for other in self.processes if other.pod == process.pod}
        if mine and len(temporalities) == 1:
            self._deliver([process.withdraw(self.rng.choice(mine), self._later())])

    def _send(self, process: Process, requests: list[Request]) -> None:
        """Deliver a collection for the first time."""
        self._deliver(requests)
        self.delivered[process] += requests

    def _deliver(self, requests: list[Request]) -> None:
        """Each request: nothing is refused, the series show the ledger, and no counter falls."""
        for request in requests:
            outcome = self.store.export(request.body, self.now)
            self.ledger.deliver(request.entries)
            assert ({}, len(request.entries)) == (outcome.rejected, outcome.accepted)
            shown = samples(text_of(self.store))
            assert self.ledger.expected() == shown
            fallen = [key for key, value in shown.items() if is_counter(key) and value < self.shown.get(key, 0.0)]
            assert [] == fallen
            self.shown |= shown


@examples(80)
@hypothesis.given(rng=randoms(), steps=st.integers(1, 25))
def test_exposed_equals_recorded(rng: random.Random, steps: int) -> None:
    """Some order of exports, retries, losses, swaps, resets and restarts would lose or double what was recorded."""
    world = _World(rng)
    for _ in range(steps):
        world.step()
