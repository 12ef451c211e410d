"""Who scrapes, and when a new stream is shown at its value. It renders nothing and knows no sockets.

A counter that appears with a value hides what it counted before: Prometheus takes the first sample for a starting
point. So every stream that begins under our eyes has a *birth*, a number that grows, and is shown at 0 until every
scraper has had it once; then it is *opened*, for all and for good. A value is never followed by a 0, whatever is
mistaken: Prometheus would take that for a reset and count everything twice. This is why streams are opened for all
scrapers at one time, although each of them could be followed on its own: two that come from one address cannot be told
apart after a restart.

A scraper is known by its connection, and a connection that closed can be taken up again under the same name. Any
other reader (a person with curl, a browser) is no scraper, and sees everything at its value.
"""

import collections
import dataclasses
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

# Two scrapes can follow each other closely, after a reload say; no scraper is given up for that.
_MINIMUM_INTERVAL: Final = 5 * SECOND

# The longest that a stream is shown at 0. A Prometheus that comes more rarely than this marks every series stale in
# between (its lookback is five minutes), so nothing could be computed from what it stores.
_HOLD: Final = 300 * SECOND

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

    number: int
    name: str
    connection: int | None
    seen: int
    valued: int
    last: int
    """when its last scrape that arrived began"""
    scrapes: int = 0
    gaps: collections.deque[int] = dataclasses.field(default_factory=lambda: collections.deque(maxlen=_GAPS))

    def is_live(self, now: int) -> bool:
        """Whether it is still expected to come again."""
        interval = max(self.gaps) if self.gaps else _DEFAULT_INTERVAL
        return now - self.last <= min(_MISSED * max(interval, _MINIMUM_INTERVAL), _HOLD)


class Scrapers:
    """All scrapers of the receiver, and the births that wait to be opened."""

    def __init__(self) -> None:
        self.known: list[Scraper] = []
        self.newest = 0
        """the number of the newest scraper"""
        self.opened = 0
        """births up to this one are shown at their value"""
        self.waiting: collections.deque[tuple[int, int]] = collections.deque()
        """births that are shown at 0: the last one of each time, and that time, the oldest first"""

    def bear(self, birth: int, now: int) -> None:
        """A stream began, the next one by its number: from now on it is shown at 0."""
        if self.waiting and self.waiting[-1][1] == now:
            self.waiting.pop()
        self.waiting.append((birth, now))

    def open(self, now: int) -> bool:
        """Open what every live scraper has had, or what has waited too long; answers whether there was any."""
        live = [scraper.seen for scraper in self.known if scraper.is_live(now)]
        seen = min(live) if live else self.opened
        before = self.opened
        while self.waiting and now - self.waiting[0][1] > _HOLD:
            self.opened, _ = self.waiting.popleft()
        self.open_up_to(seen)
        return self.opened > before

    def open_up_to(self, birth: int) -> None:
        """Open all births up to this one."""
        while self.waiting and self.waiting[0][0] <= birth:
            self.opened, _ = self.waiting.popleft()
        if self.waiting:
            self.opened = max(self.opened, birth)

    def begin(self, name: str, connection: int, now: int) -> Scraper:
        """The scraper of a request that arrives now: by its connection, or one of its name that lost its own."""
        if name.startswith("="):
            connection = 0
        for scraper in self.known:
            if scraper.name == name and scraper.connection == connection:
                return scraper
        returning = [scraper for scraper in self.known if scraper.name == name and scraper.connection is None]
        if returning:
            # Several of one name cannot be told apart: what one of them has not seen, none of them has.
            seen = min(scraper.seen for scraper in returning)
            valued = min(scraper.valued for scraper in returning)
            for scraper in returning:
                scraper.seen, scraper.valued = seen, valued
            returning[0].connection = connection
            return returning[0]
        return self._meet(self.newest + 1, name, connection, now)

    def _meet(self, number: int, name: str, connection: int | None, now: int) -> Scraper:
        self.newest = max(self.newest, number)
        scraper = Scraper(number, name, connection, seen=self.opened, valued=self.opened, last=now)
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

    def repeat(self, number: int, name: str, mark: int, newest: int, now: int) -> None:
        """A scrape of an earlier run, by the number that its scraper had; the connection is gone."""
        connection = 0 if name.startswith("=") else None
        known = next((one for one in self.known if one.number == number), None)
        self.complete(known or self._meet(number, name, connection, now), mark, newest, now)

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
        """What a later run needs to show the right thing."""
        known = [
            [one.number, one.name, one.seen, one.valued, one.last, one.scrapes, list(one.gaps)] for one in self.known
        ]
        return {"newest": self.newest, "opened": self.opened, "waiting": list(self.waiting), "known": known}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the scrapers of an earlier run; their connections are gone."""
        self.newest, self.opened = state["newest"], state["opened"]
        self.waiting.extend((birth, time) for birth, time in state["waiting"])
        for number, name, seen, valued, last, scrapes, gaps in state["known"]:
            connection = 0 if name.startswith("=") else None
            scraper = Scraper(number, name, connection, seen, valued, last, scrapes)
            scraper.gaps.extend(gaps)
            self.known.append(scraper)
