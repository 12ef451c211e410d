"""The counters of cost beside the store: priced, opened, kept and written when the program says so.

How a token is priced, and what a series shows, is decided in the core (`pricing.cost_series`). All but `change` are
called under the lock of the store.
"""

import collections
import logging
import time
from collections.abc import Iterator
from typing import Final

from aigw_receiver.core.exposition import Format
from aigw_receiver.core.pricing import cost_exposition
from aigw_receiver.core.pricing.book import Book
from aigw_receiver.core.pricing.cost_series import FAMILY, CostSeries, Mark
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.journal import Journal
from aigw_receiver.shell.price_book import PriceBook

_log: Final = logging.getLogger(__name__)

# Marks that wait for a disk that has room again; an hour of them. Of more, the oldest are given up.
_WAITING: Final = 3600


class Costs:
    """What the tokens of a store cost, by the price book in use."""

    def __init__(self, ingest: Ingest, prices: PriceBook, journal: Journal | None) -> None:
        self._ingest = ingest
        self._prices = prices
        self._journal = journal
        self.series = CostSeries() if journal is None else journal.costs
        self._waiting: collections.deque[tuple[Mark, int]] = collections.deque(maxlen=_WAITING)

    def observe(self, now: int) -> None:
        """Price what has been counted since the last time; must come before streams are opened."""
        store = self._ingest.store
        family = store.families.get(FAMILY)
        self._keep(self.series.observe(family, self._prices.book, store.scrapers.opened, now), now)

    def open(self, now: int) -> None:
        """Open what every scraper has seen at 0."""
        self._keep(self.series.open(self._ingest.store.scrapers, now), now)

    def _keep(self, mark: Mark | None, now: int) -> None:
        """Journal what was done before anyone is shown it: after a restart no counter must fall, or be 0 again."""
        if self._journal is None:
            return
        if mark is not None:
            self._waiting.append((mark, now))
        while self._waiting and self._journal.append_costs(*self._waiting[0]):
            self._waiting.popleft()

    def render(self, text_format: Format, *, to_scraper: bool) -> Iterator[bytes]:
        """The families of cost, in pieces."""
        return cost_exposition.render(self.series, text_format, self._ingest.store.live, to_scraper=to_scraper)

    def change(self, book: Book) -> None:
        """Price what came before this book by the one before, and use this one from now on."""
        now = time.time_ns()
        with self._ingest.lock:
            self.observe(now)
            self._prices.adopt(book)
        _log.info("prices changed", extra={"book": book.source, "date": book.date})
