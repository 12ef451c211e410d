"""The counters of cost beside the store: priced, opened, kept and written when the program says so.

How a token is priced, and what a series shows, is decided in the core (`pricing.cost_series`). All but `change` are
called under the lock of the store.
"""

import logging
import time
from collections.abc import Iterator
from typing import Final

from aigw_receiver.core.exposition import Format
from aigw_receiver.core.pricing import cost_exposition
from aigw_receiver.core.pricing.book import Book
from aigw_receiver.core.pricing.cost_series import CostSeries
from aigw_receiver.core.pricing.token_usage import FAMILY, TokenUsage
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.journal import Journal
from aigw_receiver.shell.price_book import PriceBook

_log: Final = logging.getLogger(__name__)


class Costs:
    """What the tokens of a store cost, by the price book in use."""

    def __init__(self, ingest: Ingest, prices: PriceBook, journal: Journal | None) -> None:
        self._ingest = ingest
        self._prices = prices
        self._journal = journal
        self._series = CostSeries() if journal is None else journal.costs
        self._usage = TokenUsage()
        self._is_kept = True
        """whether the journal has all changes that were given to it"""

    def observe(self, now: int) -> None:
        """Price what has been counted since the last time; must come before streams are opened."""
        store = self._ingest.store
        readings, forgotten = self._usage.read(store.families.get(FAMILY))
        self._series.observe(readings, forgotten, self._prices.book, store.scrapers.opened, now)
        if self._journal is None:
            self._series.drop_changes()
        elif forgotten:
            # Without a scraper nothing else would ever take the changes, and they would grow with each pod.
            self._keep(now)

    def open(self, now: int) -> None:
        """Open what every scraper has seen at 0, and keep all that the next piece of a scrape may show."""
        self._series.open(self._ingest.store.scrapers, now)
        self._keep(now)

    def _keep(self, now: int) -> None:
        """Journal what has changed: after a restart no counter must fall, nor be shown at 0 once more."""
        if self._journal is None:
            self._series.drop_changes()
            return
        changes = self._series.take_changes()
        if not self._is_kept:
            # Changes that could not be written are gone, so the next record holds everything.
            changes = self._series.state()
        if changes is not None:
            self._is_kept = self._journal.append_costs(changes, now)

    def render(self, text_format: Format, *, to_scraper: bool) -> Iterator[bytes]:
        """The families of cost, in pieces."""
        store = self._ingest.store
        return cost_exposition.render(
            self._series, text_format, lambda number: bool(store.live[number]), to_scraper=to_scraper
        )

    def change(self, book: Book) -> None:
        """Price what came before this book by the one before, keep that, and use this one from now on."""
        now = time.time_ns()
        with self._ingest.lock:
            self.observe(now)
            self._keep(now)
            self._prices.adopt(book)
        _log.info("prices changed", extra={"book": book.source, "date": book.date})
