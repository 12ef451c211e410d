"""Counters of what the gateways' tokens cost, from their metrics: each token is priced once, when it is counted.

A counter that were tokens x price would fall when a price falls. So what the token streams rose by since they were
last looked at is priced with the book and the date of that moment, and added; yesterday's tokens keep yesterday's
price. Tokens that have no price then are counted as unpriced, and stay that. Of sums it is not known how large each
request was: they are priced with the base prices, never with a tier.

A series has the labels of its stream of tokens, the very same text. It is shown at 0 until each scraper that is alive
has had it once, as every new stream is (see `scrapers` and docs/adr/0002-zero-first.md). It has a gate of its own, a
moment: a model can get a price, or lose it, long after its streams began.

After a restart the same looks are taken again, at the same points of the journal and with the prices of then (a
`Mark`). How series are written stands in `cost_exposition`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core.pricing.book import UNITS_PER_USD, Book, Match, Query
from aigw_receiver.core.pricing.cost_rows import KINDS, MOST_TOKENS, CostRows, Model
from aigw_receiver.core.scrapers import Scrapers
from aigw_receiver.core.series import Family, Rows
from aigw_receiver.core.sources import SECOND

# The family of the metric gen_ai.client.token.usage, whose sums are the tokens.
FAMILY: Final = "gen_ai_client_token_usage"

# As long as a new stream is shown at 0 at most (see `scrapers`).
_HOLD: Final = 300 * SECOND

# Raised with every change of `Mark` and of `state`.
_VERSION: Final = 2

_INPUT, _CACHED, _CREATION, _OUTPUT, _REASONING = range(KINDS)
_UNPRICED: Final = -1

# Products up to here are exact in 64 bits.
_EXACT: Final = float(1 << 62)

# What a look at the streams found out, or that series were opened, as JSON can hold it.
Mark = dict[str, Any]

# A token of each kind, in 1e-12 USD, by the order of TokenKind; None where there is no price.
Prices = tuple[int | None, ...]

_NO_PRICES: Final[Prices] = (None,) * KINDS


class CostSeries:
    """All counters of cost and of unpriced tokens. The caller holds the lock of the store."""

    def __init__(self) -> None:
        self._layouts: dict[tuple[float, ...] | None, CostRows] = {}
        self._opened = 0
        """series that began up to this moment are shown at their value"""
        self._marked: dict[Model, Prices] = {}
        """the prices of models as the marks since the last snapshot say them"""

    def observe(self, family: Family | None, book: Book, opened: int, now: int) -> Mark | None:
        """Price what the streams of `family` rose by, with the prices of `now`; answers a mark where there was any.

        `opened` is the birth up to which streams are shown at their value (`Scrapers.opened`). What such a stream
        counted before it was met here is not priced: it belongs to an earlier run, or to nobody.
        """
        news: dict[Model, Prices] = {}

        def find(model: Model) -> Prices:
            answered, requested, provider = model
            match = book.find(Query(answered, requested, provider, time=now))
            prices = match.entry.rates.each if isinstance(match, Match) else _NO_PRICES
            if self._marked.get(model) != prices:
                self._marked[model] = news[model] = prices
            return prices

        has_changed = self._look(family, find, opened, now)
        return (
            {"version": _VERSION, "prices": [[*model, prices] for model, prices in news.items()]}
            if has_changed
            else None
        )

    def replay(self, mark: Mark, family: Family | None, opened: int, now: int) -> None:
        """Do again what an earlier run did at this point of the journal.

        Raises ValueError at a mark of another version.
        """
        if mark["version"] != _VERSION:
            message = f"these are costs of version {mark['version']}, not {_VERSION}"
            raise ValueError(message)
        if "opened" in mark:
            self._opened = mark["opened"]
            return
        for answered, requested, provider, prices in mark["prices"]:
            self._marked[answered, requested, provider] = tuple(prices)
        self._look(family, lambda model: self._marked.get(model, _NO_PRICES), opened, now)

    def _look(self, family: Family | None, find: Callable[[Model], Prices], opened: int, now: int) -> bool:
        layouts = {} if family is None else family.layouts
        self._layouts = {bounds: self._beside(bounds, rows) for bounds, rows in layouts.items()}
        found = [_look_at(rows, find, opened, now) for rows in self._layouts.values()]
        return any(found)

    def _beside(self, bounds: tuple[float, ...] | None, rows: Rows) -> CostRows:
        """The costs beside a layout of the store; one that was dropped there and made anew has none yet."""
        known = self._layouts.get(bounds)
        return known if known is not None and known.rows is rows else CostRows(rows)

    def open(self, scrapers: Scrapers, now: int) -> Mark | None:
        """Open the series that every live scraper has had at 0, or that have waited too long; a mark if there are any.

        A scrape that began when a series did, or later, has shown it: both happen under the lock.
        """
        live = [scraper for scraper in scrapers.known if scraper.is_live(now)]
        seen = min(one.last for one in live) if live and all(one.scrapes for one in live) else 0
        until = max(seen, now - _HOLD - 1)
        waited = (
            since[(since > self._opened) & (since <= until)].size
            for rows in self._layouts.values()
            for since in (rows.priced_since[: rows.size], rows.unpriced_since[: rows.size])
        )
        if until <= self._opened or not any(waited):
            return None
        self._opened = until
        return {"version": _VERSION, "opened": until}

    def is_open(self, since: int) -> bool:
        """Whether a series that began then is shown at its value to scrapers."""
        return since <= self._opened

    def layouts(self) -> Iterator[CostRows]:
        """The rows of all series."""
        yield from list(self._layouts.values())

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """All that a later run needs beside the store: a document that JSON can hold, and arrays by name.

        What comes after it in the journal must be understood without what came before.
        """
        self._marked.clear()
        arrays = {
            f"costs.{number}.{name}": array
            for number, rows in enumerate(self._layouts.values())
            for name, array in rows.arrays().items()
        }
        bounds = [None if bounds is None else list(bounds) for bounds in self._layouts]
        return {"version": _VERSION, "opened": self._opened, "layouts": bounds}, arrays

    def restore(self, document: Mapping[str, Any], arrays: Mapping[str, Any], family: Family | None) -> None:
        """Take over what `state` of an earlier run gave, beside its store. Raises ValueError at another version."""
        if document["version"] != _VERSION:
            message = f"these are costs of version {document['version']}, not {_VERSION}"
            raise ValueError(message)
        self._opened = document["opened"]
        for number, bounds in enumerate(document["layouts"]):
            key = None if bounds is None else tuple(bounds)
            if family is not None and key in family.layouts:
                prefix = f"costs.{number}."
                own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
                self._layouts[key] = CostRows(family.layouts[key])
                self._layouts[key].restore(own)


def _look_at(costs: CostRows, find: Callable[[Model], Prices], opened: int, now: int) -> bool:
    """Price what the streams of one layout rose by; answers whether any did, or is new."""
    new = costs.meet()
    rows, size = costs.rows, costs.size
    values = rows.values[:size] if rows.base_values is None else rows.values[:size] + rows.base_values[:size]
    old = new[rows.birth[new] <= opened]
    costs.shown[old] = values[old]
    changed = (values != costs.shown[:size]) & (costs.group[:size] >= 0)
    changed[new] = True
    at = np.flatnonzero(changed)
    if not len(at):
        return False
    before, after = _tokens(costs.shown[at]), _tokens(values[at])
    # A stream that fell has begun anew: all that it shows is new.
    costs.total[at] += np.where(after >= before, after - before, after)
    costs.shown[at] = values[at]
    _settle(costs, np.unique(costs.group[at]), find, now)
    return True


def _tokens(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.nan_to_num(values).clip(0.0, MOST_TOKENS).astype(np.int64)


def _settle(costs: CostRows, groups: npt.NDArray[np.int32], find: Callable[[Model], Prices], now: int) -> None:
    """Price the tokens of groups that have not been dealt with yet.

    The plain kinds are differences of streams, and fall for a moment when streams come one by one. A counter cannot:
    what was dealt with too early is made up for by what comes next.
    """
    members = costs.members[groups]
    there = members >= 0
    plain = np.where(there, costs.total[members], 0)
    plain[:, _INPUT] -= plain[:, _CACHED] + plain[:, _CREATION]
    plain[:, _OUTPUT] -= plain[:, _REASONING]
    models, of_group = np.unique(costs.model_of_group[groups], return_inverse=True)
    known = [find(costs.models[model]) for model in models.tolist()]
    table = np.array([[_UNPRICED if price is None else price for price in prices] for prices in known], np.int64)
    rates = table[of_group][there]
    rows = members[there]
    rise = np.maximum(plain[there] - costs.done[rows], 0)
    costs.done[rows] += rise
    priced = rates != _UNPRICED
    _add_cost(costs, rows[priced], rise[priced], rates[priced], now)
    _add_unpriced(costs, rows[~priced], rise[~priced], now)


def _add_cost(
    costs: CostRows,
    rows: npt.NDArray[np.int32],
    rise: npt.NDArray[np.int64],
    rates: npt.NDArray[np.int64],
    now: int,
) -> None:
    if not len(rows):
        return
    if float(rise.max()) * float(rates.max()) < _EXACT:
        usd, units = np.divmod(costs.units[rows] + rise * rates, UNITS_PER_USD)
    else:
        sums = costs.units[rows].astype(object) + rise.astype(object) * rates.astype(object)
        usd, units = (part.astype(np.int64) for part in (sums // UNITS_PER_USD, sums % UNITS_PER_USD))
    costs.usd[rows] += usd
    costs.units[rows] = units
    costs.priced_since[rows[costs.priced_since[rows] == 0]] = now


def _add_unpriced(costs: CostRows, rows: npt.NDArray[np.int32], rise: npt.NDArray[np.int64], now: int) -> None:
    rows, rise = rows[rise > 0], rise[rise > 0]
    costs.unpriced[rows] += rise
    costs.unpriced_since[rows[costs.unpriced_since[rows] == 0]] = now
