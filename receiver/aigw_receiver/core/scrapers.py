"""Who scrapes, and what each of them has been shown. It renders nothing and knows no sockets.

A counter that appears with a value hides what it counted before: Prometheus takes the first sample for a starting
point. So every stream that begins under our eyes has a *birth*, a number that grows, and is shown at 0 in the first
scrape of every scraper that finds it. Streams that are older than that scraper are never shown at 0: Prometheus would
take the 0 for a reset, and count everything again.

A scraper is known by its connection, and a connection that closed can be taken up again under the same name. Any
other reader (a person with curl, a browser) is no scraper, and sees everything at its value.
"""

import collections
import dataclasses
import statistics
from collections.abc import Mapping
from typing import Any, Final

from aigw_receiver.core.sources import SECOND

# The header is sent by Prometheus itself and by everything that is built on its scraper (the agents of Grafana,
# the Collector, VictoriaMetrics).
TIMEOUT_HEADER: Final = "X-Prometheus-Scrape-Timeout-Seconds"
_USER_AGENT: Final = "Prometheus/"

# A scraper that has come only once is taken for one that comes each minute, Prometheus' default interval.
_DEFAULT_INTERVAL: Final = 60 * SECOND
_MISSED: Final = 3
_GAPS: Final = 5

# How long a scraper whose connection closed can return; a Prometheus that restarts replays its log first.
_RETURN: Final = 300 * SECOND
_MAX_SCRAPERS: Final = 256


def scraper_name(headers: Mapping[str, str], query: Mapping[str, str], address: str) -> str | None:
    """The name of the scraper that sent a request, or None for any other reader.

    `scraper=NAME` in the query (in Prometheus: `params`) names it for good, whatever connection it comes by.
    """
    if query.get("scraper"):
        return f"={query['scraper']}"
    agent, timeout = headers.get("User-Agent", ""), headers.get(TIMEOUT_HEADER, "")
    if timeout or agent.startswith(_USER_AGENT):
        return f"{address} {agent} {timeout}"
    return None


@dataclasses.dataclass(slots=True)
class Scraper:
    """One scraper. Births up to `seen` have been shown to it, those up to `valued` at their value."""

    name: str
    connection: int | None
    seen: int
    valued: int
    last: int = 0
    scrapes: int = 0
    gaps: collections.deque[int] = dataclasses.field(default_factory=lambda: collections.deque(maxlen=_GAPS))

    def is_live(self, now: int) -> bool:
        """Whether it is still expected to come again."""
        interval = int(statistics.median(self.gaps)) if self.gaps else _DEFAULT_INTERVAL
        return now - self.last <= _MISSED * max(interval, SECOND)


class Scrapers:
    """All scrapers of the receiver."""

    def __init__(self) -> None:
        self.known: list[Scraper] = []
        self.valued = 0
        """births that any scraper was ever shown at their value"""

    def begin(self, name: str, connection: int, now: int) -> Scraper:
        """The scraper of a request that arrives now: by its connection, or one of its name that lost its own."""
        if name.startswith("="):
            connection = 0
        for scraper in self.known:
            if scraper.name == name and scraper.connection == connection:
                return scraper
        returning = [one for one in self.known if one.name == name and one.connection is None]
        if returning:
            # Several of one name cannot be told apart: what one of them has seen must not be shown at 0 to any.
            newest = max(one.seen for one in returning)
            for one in returning:
                one.seen = newest
            returning[0].connection = connection
            return returning[0]
        scraper = Scraper(name, connection, seen=self.valued, valued=self.valued, last=now)
        self.known.append(scraper)
        if len(self.known) > _MAX_SCRAPERS:
            self.known.remove(min(self.known, key=lambda one: one.last))
        return scraper

    def complete(self, scraper: Scraper, mark: int, newest: int, now: int) -> None:
        """A scrape that began at `now` arrived: births up to `mark` at their value, up to `newest` at least at 0."""
        if scraper.scrapes and now > scraper.last:
            scraper.gaps.append(now - scraper.last)
        scraper.scrapes += 1
        scraper.valued = max(scraper.valued, mark)
        scraper.seen = max(scraper.seen, newest)
        scraper.last = max(scraper.last, now)
        self.valued = max(self.valued, scraper.valued)

    def close(self, connection: int, now: int) -> None:
        """A connection ended; its scraper may return by another for a while."""
        for scraper in self.known:
            if scraper.connection == connection and not scraper.name.startswith("="):
                scraper.connection = None
        self.known = [one for one in self.known if one.connection is not None or now - one.last <= _RETURN]

    def have_all_seen(self, changed: int, birth: int, now: int) -> bool:
        """Whether every scraper that is still there was shown what changed at `changed`, and `birth` at its value."""
        return all(scraper.valued >= birth and scraper.last > changed for scraper in self.known if scraper.is_live(now))

    def state(self) -> dict[str, Any]:
        """What a later run needs to show each scraper the right thing."""
        known = [
            {"name": one.name, "seen": one.seen, "valued": one.valued, "last": one.last, "gaps": list(one.gaps)}
            for one in self.known
        ]
        return {"valued": self.valued, "known": known}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the scrapers of an earlier run; their connections are gone."""
        self.valued = state["valued"]
        for one in state["known"]:
            connection = 0 if one["name"].startswith("=") else None
            scraper = Scraper(one["name"], connection, one["seen"], one["valued"], one["last"], scrapes=1)
            scraper.gaps.extend(one["gaps"])
            self.known.append(scraper)
