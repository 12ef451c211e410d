"""Counters of what the gateways' tokens cost, from their metrics: each token is priced once, when it is counted.

A counter that were tokens x price would fall when a price falls. So what the token streams rose by since they were
last read is priced with the book and the date of that moment, and added; yesterday's tokens keep yesterday's price.
Tokens that have no price then are counted as unpriced, and stay that. Of sums it is not known how large each request
was: they are priced with the base prices, never with a tier.

A series that is new is shown at 0 until each scraper that is alive has had it once, as every new stream is (see
`scrapers` and docs/adr/0002-zero-first.md). It keeps a gate of its own, since a model can get a price, or lose it, long
after its streams began. How series are written stands in `cost_exposition`.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from aigw_receiver.core import naming
from aigw_receiver.core.pricing import cost, labels
from aigw_receiver.core.pricing.book import Book, Match, Query, Rates, TokenKind
from aigw_receiver.core.pricing.token_usage import Reading
from aigw_receiver.core.scrapers import Scrapers
from aigw_receiver.core.sources import SECOND

COST: Final = naming.COST
UNPRICED: Final = naming.UNPRICED

_TYPE: Final = "gen_ai_token_type"
_PROVIDER: Final = "gen_ai_provider_name"
_REQUESTED: Final = "gen_ai_request_model"
_ANSWERED: Final = "gen_ai_response_model"

# The labels of the series beside the kind of token; streams that differ only in others are added up.
_LABELS: Final = (*naming.IDENTITY_LABELS, _PROVIDER, _REQUESTED, _ANSWERED)

# As long as a new stream is shown at 0 at most (see `scrapers`).
_HOLD: Final = 300 * SECOND

# The number of no pod: that of a group which a restart brought back and whose streams have not been read yet.
_UNBOUND: Final = -1

# Raised with every change of `state`.
_VERSION: Final = 1


@dataclasses.dataclass(slots=True)
class Counter:
    """One series. `value` is in 1e-12 USD, or in tokens; `since` is when it began, nanoseconds since 1970."""

    owner: int
    since: int
    value: int = 0
    is_open: bool = False
    """whether it is shown at its value to scrapers"""


@dataclasses.dataclass(slots=True)
class _Stream:
    """One token stream: what it showed last, and how many tokens it has counted under our eyes."""

    last: int
    total: int = 0


@dataclasses.dataclass(slots=True)
class _Group:
    """The token streams of one set of labels, and how many tokens of each kind have been dealt with."""

    owner: int
    shown: Mapping[str, str]
    """its labels that the series have too"""
    streams: dict[TokenKind, _Stream] = dataclasses.field(default_factory=dict)
    done: dict[TokenKind, int] = dataclasses.field(default_factory=dict)
    texts: dict[TokenKind, str] = dataclasses.field(default_factory=dict)
    """the labels of its series, once they have been made"""


class CostSeries:
    """All counters of cost and of unpriced tokens. The caller holds the lock of the store."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._counters: dict[tuple[str, str], Counter] = {}
        self._places: dict[str, tuple[str, TokenKind] | None] = {}
        """by the labels of a stream: its group, and which tokens it counts; None for a stream that is not ours"""
        self._closed: set[tuple[str, str]] = set()
        self._changed_groups: set[str] = set()
        self._changed_counters: set[tuple[str, str]] = set()
        self._is_restored = False

    def observe(self, readings: Iterable[Reading], forgotten: set[int], book: Book, opened: int, now: int) -> None:
        """Price what the streams rose by, with the prices of `now`; drop the series of pods that are forgotten.

        `opened` is the birth up to which streams are shown at their value (`Scrapers.opened`). What such a stream
        counted before it was met here is not priced: it belongs to an earlier run, or to nobody.
        """
        touched: dict[str, _Group] = {}
        for reading in readings:
            place = self._place(reading)
            if place is not None:
                key, kind = place
                touched[key] = self._group(key, reading.owner)
                _count(touched[key], kind, reading, opened)
        for owner in forgotten | ({_UNBOUND} if self._is_restored else set()):
            self._forget(owner)
        self._is_restored = False
        prices: dict[Query, Rates | None] = {}
        for key, group in touched.items():
            answered, requested, provider = (group.shown.get(name, "") for name in (_ANSWERED, _REQUESTED, _PROVIDER))
            query = Query(answered, requested, provider, time=now)
            if query not in prices:
                match = book.find(query)
                prices[query] = match.entry.rates if isinstance(match, Match) else None
            self._settle(group, prices[query], now)
            self._changed_groups.add(key)

    def _place(self, reading: Reading) -> tuple[str, TokenKind] | None:
        if reading.labels not in self._places:
            found = labels.parse(reading.labels)
            kind = found.pop(_TYPE, "")
            known = kind in TokenKind.__members__.values()
            self._places[reading.labels] = (naming.render_labels(found), TokenKind(kind)) if known else None
        return self._places[reading.labels]

    def _group(self, key: str, owner: int) -> _Group:
        """The group of a stream; after a restart, or when a forgotten pod is back, under the pod's new number."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _new_group(key, owner)
        elif group.owner != owner:
            group.owner = owner
            for family in (COST, UNPRICED):
                for kind in TokenKind:
                    counter = self._counters.get((family, _series(group, kind)))
                    if counter is not None:
                        counter.owner = owner
        return group

    def _settle(self, group: _Group, rates: Rates | None, now: int) -> None:
        """Price the tokens that have not been dealt with yet.

        The plain kinds are differences of streams, and fall for a moment when streams come one by one. A counter
        cannot: what was dealt with too early is made up for by what comes next.
        """
        for kind, total in _totals(group):
            rate = None if rates is None else cost.rate_of(rates, kind)
            before = group.done.get(kind, 0)
            rise = max(total - before, 0)
            group.done[kind] = before + rise
            if rate is not None:
                self._add((COST, _series(group, kind)), group.owner, rise * rate, now)
            elif rise:
                self._add((UNPRICED, _series(group, kind)), group.owner, rise, now)

    def _add(self, key: tuple[str, str], owner: int, amount: int, now: int) -> None:
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = Counter(owner, now)
            self._closed.add(key)
        elif not amount:
            return
        counter.value += amount
        self._changed_counters.add(key)

    def _forget(self, owner: int) -> None:
        groups = {key for key, group in self._groups.items() if group.owner == owner}
        counters = {key for key, counter in self._counters.items() if counter.owner == owner}
        for key in groups:
            del self._groups[key]
        for name in counters:
            del self._counters[name]
        self._places = {text: place for text, place in self._places.items() if place and place[0] not in groups}
        self._closed -= counters
        self._changed_groups |= groups
        self._changed_counters |= counters

    def open(self, scrapers: Scrapers, now: int) -> None:
        """Open the series that every live scraper has had at 0, or that have waited too long.

        A scrape that began when a series did, or later, has shown it: both happen under the lock.
        """
        live = [scraper for scraper in scrapers.known if scraper.is_live(now)]
        for key in list(self._closed):
            counter = self._counters[key]
            has_been_seen = live and all(one.scrapes and one.last >= counter.since for one in live)
            if has_been_seen or now - counter.since > _HOLD:
                counter.is_open = True
                self._closed.remove(key)
                self._changed_counters.add(key)

    def shown(self, family: str, is_live: Callable[[int], bool]) -> list[tuple[str, Counter]]:
        """The series of a family whose pods are shown, each with its labels as text, in their order."""
        return sorted(
            (text, counter)
            for (name, text), counter in self._counters.items()
            if name == family and counter.owner != _UNBOUND and is_live(counter.owner)
        )

    def state(self) -> dict[str, Any]:
        """All that a later run needs, as JSON can hold it."""
        return self._document(self._groups, self._counters)

    def take_changes(self) -> dict[str, Any] | None:
        """The part of `state` that has changed since this was last called, None where nothing has.

        What is shown must be kept first: after a restart a counter must not fall, nor be shown at 0 once more.
        """
        if not self._changed_groups and not self._changed_counters:
            return None
        document = self._document(self._changed_groups, self._changed_counters)
        self.drop_changes()
        return document

    def drop_changes(self) -> None:
        """Forget what has changed: nobody keeps it."""
        self._changed_groups, self._changed_counters = set(), set()

    def _document(self, groups: Iterable[str], counters: Iterable[tuple[str, str]]) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "groups": [[key, _plain(self._groups.get(key))] for key in sorted(groups)],
            "counters": [[*key, _values(self._counters.get(key))] for key in sorted(counters)],
        }

    def restore(self, document: Mapping[str, Any]) -> None:
        """Take over what `state` or `take_changes` of an earlier run gave, in their order."""
        if document["version"] != _VERSION:
            message = f"these are costs of version {document['version']}, not {_VERSION}"
            raise ValueError(message)
        for key, group in document["groups"]:
            self._groups.pop(key, None)
            if group is not None:
                streams, done = group
                restored = self._groups[key] = _new_group(key, _UNBOUND)
                restored.streams.update({TokenKind(kind): _Stream(*counts) for kind, counts in streams.items()})
                restored.done.update({TokenKind(kind): count for kind, count in done.items()})
        for family, text, values in document["counters"]:
            self._counters.pop((family, text), None)
            self._closed.discard((family, text))
            if values is not None:
                counter = self._counters[family, text] = Counter(_UNBOUND, *values)
                if not counter.is_open:
                    self._closed.add((family, text))
        self._is_restored = True


def _new_group(key: str, owner: int) -> _Group:
    found = labels.parse(key)
    return _Group(owner, {name: found[name] for name in _LABELS if name in found})


def _count(group: _Group, kind: TokenKind, reading: Reading, opened: int) -> None:
    """Add what a stream rose by. One that fell has begun anew: all that it shows is new."""
    value = max(int(reading.value), 0)
    stream = group.streams.get(kind)
    if stream is None:
        stream = group.streams[kind] = _Stream(value if reading.birth <= opened else 0)
    stream.total += value - stream.last if value >= stream.last else value
    stream.last = value


def _totals(group: _Group) -> Iterator[tuple[TokenKind, int]]:
    """The tokens by kinds that do not overlap: the stream of input contains the cache's, that of output reasoning."""
    totals = {kind: stream.total for kind, stream in group.streams.items()}
    for kind, total in totals.items():
        match kind:
            case TokenKind.INPUT:
                yield kind, total - totals.get(TokenKind.CACHED, 0) - totals.get(TokenKind.CREATION, 0)
            case TokenKind.OUTPUT:
                yield kind, total - totals.get(TokenKind.REASONING, 0)
            case _:
                yield kind, total


def _series(group: _Group, kind: TokenKind) -> str:
    """The labels of a series as text."""
    text = group.texts.get(kind)
    if text is None:
        text = group.texts[kind] = naming.render_labels({**group.shown, _TYPE: kind.value})
    return text


def _plain(group: _Group | None) -> list[Any] | None:
    if group is None:
        return None
    streams = {kind.value: [stream.last, stream.total] for kind, stream in group.streams.items()}
    return [streams, {kind.value: count for kind, count in group.done.items()}]


def _values(counter: Counter | None) -> list[Any] | None:
    return None if counter is None else [counter.since, counter.value, counter.is_open]
