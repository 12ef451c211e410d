"""The way of access logs: understood, decided, counted, and what is kept handed to the sinks. The core decides it all.

Everything here is called under the lock of the store, beside which the counters are kept. Most records are ordinary:
they are only summed up by the reader, and counted when `settle` is called.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from aigw_receiver.core.access_logs import fast, redaction, rules, text
from aigw_receiver.core.access_logs.counters import Cell, counters_beside
from aigw_receiver.core.access_logs.glance import Found, Glance, Group
from aigw_receiver.core.access_logs.model import Ending, RouteType
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.access_logs.rule_settings import RuleSettings
from aigw_receiver.core.access_logs.rules import Rules, Verdict
from aigw_receiver.core.exposition import Format
from aigw_receiver.core.model import Identity
from aigw_receiver.core.pricing import cost
from aigw_receiver.core.pricing.book import Book, Query
from aigw_receiver.core.pricing.cost import Priced
from aigw_receiver.core.reconciliation import Counts, Key
from aigw_receiver.core.store import Store
from aigw_receiver.shell.journal import Journal
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.sinks.base import Sink

# Pods whose last log is remembered; of more, those that were quiet for longest are forgotten.
_PODS: Final = 10_000

# Groups with a decision whose cell is remembered; beyond that all are looked for again.
_CELLS: Final = 4096


class LogIntake:
    """Takes in exports of access logs."""

    def __init__(
        self,
        store: Store,
        telemetry: Telemetry,
        journal: Journal | None,
        *,
        settings: RuleSettings | None = None,
        redacted: redaction.Redaction = redaction.DEFAULT,
        sinks: Iterable[Sink] = (),
        book: Callable[[], Book] | None = None,
    ) -> None:
        """`book` answers the price book in use."""
        settings = settings or RuleSettings()
        self._store = store
        self._telemetry = telemetry
        self._journal = journal
        self._rules = Rules(settings)
        self._learns = settings.slow.enabled and settings.slow.adaptive
        self._reader = fast.Reader(redacted, self._meet)
        self._counters = counters_beside(store) if journal is None else journal.log_counters
        self._sinks = tuple(sinks)
        self._book = book
        self._cells: dict[tuple[Group, tuple[str, ...], tuple[str, ...]], Cell] = {}
        self._is_kept = True
        """whether the journal has all changes that were given to it"""
        self.heard: dict[Identity, int] = {}
        """when a log of each pod was last counted, the longest ago first"""

    def take(self, body: bytes, now: int) -> dict[LogDropReason, int]:
        """Take in one ExportLogsServiceRequest; answers how many records were refused, by reason.

        Raises wire.DecodeError where it cannot be parsed.
        """
        glances, rejected = self._reader.read(body)
        accepted = 0
        for glance in glances:
            group, weight = glance.group, rules.weight_of(glance.total, glance.input, glance.output)
            verdict = self._rules.decide(group.shape, group.concerned, glance.duration, weight, now, random.random())
            if verdict.rules and (reason := self._keep(glance, verdict, now)) is not None:
                rejected[reason] = rejected.get(reason, 0) + 1
                continue
            self._cell(glance, verdict, now).add(glance.input, glance.output)
            accepted += 1
        self._telemetry.count_accepted_logs(accepted)
        self._journal_births(now)
        return rejected

    def _cell(self, glance: Glance, verdict: Verdict, now: int) -> Cell:
        """Where a record is counted: the same for all of a group on which the decision is the same."""
        key = glance.group, verdict.rules, verdict.over_budget
        cell = self._cells.get(key)
        if cell is None:
            if len(self._cells) >= _CELLS:
                self._cells.clear()
            cell = self._cells[key] = self._counters.cell(glance, verdict, now)
        return cell

    def _keep(self, glance: Glance, verdict: Verdict, now: int) -> LogDropReason | None:
        """Hand a record to the sinks; or why it is none after all."""
        line = glance.line(self._priced(glance, verdict, glance.time or now))
        if isinstance(line, LogDropReason):
            return line
        for sink in self._sinks:
            sink.put(line)
        return None

    def _priced(self, glance: Glance, verdict: Verdict, time: int) -> Found:
        """What a record cost, where that is known."""
        if self._book is not None and glance.route_type is RouteType.LLM:
            query = Query(glance.answered_model, glance.requested_model, glance.provider, glance.backend, time)
            priced = cost.price(self._book(), query, glance.tokens)
            if isinstance(priced, Priced):
                return Found(verdict, time, cost.usd(priced.cost), priced.match.entry.label)
        return Found(verdict, time)

    def settle(self, now: int) -> None:
        """Count what was summed up, and learn from it; to be called every second or so."""
        ordinary = 0
        for drained in self._reader.drain():
            shape = drained.shape
            self.heard.pop(shape.identity, None)
            self.heard[shape.identity] = now
            if drained.ordinary:
                cell = self._counters.cell(shape, rules.DROPPED, now)
                cell.add_many(drained.ordinary, drained.with_tokens, drained.input, drained.output)
                ordinary += drained.ordinary
        self._telemetry.count_accepted_logs(ordinary)
        for group in self._reader.groups():
            if group.durations:
                self._rules.learn(group.shape, group.durations, now, random.random())
                self._limit(group)
        self._forget_silent(now)
        self._journal_births(now)

    def _meet(self, group: Group) -> None:
        """Say what the rules have to say of a group that is new."""
        group.concerned = self._rules.concerned(group.shape)
        self._limit(group)

    def _limit(self, group: Group) -> None:
        """Say which records of a group are ordinary, by what is known now."""
        group.duration_below, group.tokens_below = self._rules.ordinary_below(group.shape, group.concerned)
        learns = self._learns and group.shape.route_type is RouteType.LLM and group.shape.ending is Ending.OK
        group.durations = [] if learns else None

    def _forget_silent(self, now: int) -> None:
        oldest = now - self._store.expiry.retention
        silent = itertools.takewhile(lambda item: item[1] < oldest, self.heard.items())
        surplus = itertools.islice(self.heard, max(0, len(self.heard) - _PODS))
        for who in {*(who for who, _ in silent), *surplus}:
            del self.heard[who]

    def _journal_births(self, now: int) -> None:
        """Journal a series' birth before anything else is: a replay numbers births in their order."""
        if self._counters.born:
            self.publish(now)

    def publish(self, now: int) -> None:
        """Bring the series up to what was counted, journalled before anyone is shown them."""
        changes = self._counters.changes(now)
        if self._journal is None:
            return
        if not self._is_kept:
            # Changes that could not be written are gone, so the next record holds everything.
            changes = self._counters.dump()["series"]
        if changes:
            self._is_kept = self._journal.append_logs(changes, now, self._store)

    @property
    def logged(self) -> Mapping[Key, Counts]:
        """Requests and tokens by gateway and model, as they were when `publish` was last called."""
        return self._counters.logged

    def render(self, text_format: Format, mark: int | None) -> Iterator[bytes]:
        """The families of these counters, in pieces."""
        return text.render_counters(self._counters.families, text_format, mark)

    def close(self, now: int) -> None:
        """Count and journal what is left; after the last export."""
        self.settle(now)
        self.publish(now)
