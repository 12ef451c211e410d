"""Expressions of panels, from the receiver's own series or from those of the recording rules.

- A rate or increase is taken of each series before anything is summed: a restart makes no step.
- Where nothing was, averages, percentiles and shares are absent, as they are in the rules; counts are 0.
- Of the rules those by pod are used, so that the variable for pods works; what no rule records comes from plain series.
"""

import dataclasses
import enum
from typing import Final

from board.series import LABELS, RECORDED, Counter, Family, Histogram
from rulebook import meters

QUANTILES: Final = ("0.5", "0.75", "0.9", "0.95", "0.99")


class Source(enum.Enum):
    """Where numbers come from."""

    PLAIN = "plain"
    RULES = "rules"


class Over(enum.Enum):
    """Over which time a number is: around each point of a line, or the whole time range."""

    POINT = ("rate", "$__rate_interval")
    RANGE = ("increase", "$__range")


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """What a dashboard looks at: its source, and the matchers that its variables fill in."""

    source: Source
    identity: tuple[str, ...]
    """matchers of the gateway"""
    filters: tuple[str, ...] = ()
    """the words of LABELS that have a variable of this name"""

    def per_minute(self, counter: Counter, *by: str) -> str:
        """How much in a minute, at each point."""
        recorded = self._is_recorded(counter, by)
        total = self._sum(counter, by, Over.POINT, recorded=recorded)
        total = total if recorded else f"60 * {total}"
        return self._with_zero(total, counter, by, Over.POINT, recorded=recorded)

    def total(self, counter: Counter, *by: str) -> str:
        """How much in the whole time range."""
        recorded = self._is_recorded(counter, by)
        total = self._sum(counter, by, Over.RANGE, recorded=recorded)
        return self._with_zero(total, counter, by, Over.RANGE, recorded=recorded)

    def ratio(self, part: Counter, whole: Counter, *by: str, over: Over = Over.POINT) -> str:
        """How much of `part` there is for each of `whole`; absent where there is none of that."""
        recorded = self._is_recorded(part, by) and self._is_recorded(whole, by)
        above, below = (self._sum(one, by, over, recorded=recorded) for one in (part, whole))
        if _lacks_zero(part, recorded=recorded):
            above = f"({above} or 0 * {below})"
        return f"{above} / ({below} > 0)"

    def mean(self, histogram: Histogram, *by: str, over: Over = Over.POINT) -> str:
        """The average."""
        return self.ratio(histogram.sum, histogram.count, *by, over=over)

    def quantile(self, quantile: str, histogram: Histogram, *by: str, over: Over = Over.POINT) -> str:
        """A percentile, interpolated over the buckets of all pods; at most the last bound."""
        # NaN, of a histogram without observations, is not >= 0.
        recorded = self._is_recorded(histogram.buckets, by)
        buckets = self._sum(histogram.buckets, ("le", *by), over, recorded=recorded)
        return f"histogram_quantile({quantile}, {buckets}) >= 0"

    def overflow(self, histogram: Histogram, *by: str, over: Over = Over.POINT) -> str:
        """The share that lies above the last bound, of which a percentile knows no more than "at least"."""
        recorded = self._is_recorded(histogram.buckets, by) and self._is_recorded(histogram.count, by)
        finite = dataclasses.replace(histogram.buckets, matchers=('le!="+Inf"',))
        # Pods of two versions can have different bounds: the last one is sought in each series by itself.
        inside = f"sum{_by(by)} (max without (le) ({self._leaf(finite, by, over, recorded=recorded)}))"
        return f"clamp_min(1 - {inside} / ({self._sum(histogram.count, by, over, recorded=recorded)} > 0), 0)"

    def selector(self, family: Family, *matchers: str, words: tuple[str, ...] | None = None) -> str:
        """The braces behind a series. `words` are the labels that it has; None: those of its family."""
        known = family.value if words is None else words
        own = [f'{LABELS[word]}=~"${word}"' for word in self.filters if word in known]
        return "{" + ",".join((*self.identity, *own, *matchers)) + "}"

    def _with_zero(self, total: str, counter: Counter, by: tuple[str, ...], over: Over, *, recorded: bool) -> str:
        """What has no series before its first event is 0 where there was anything at all."""
        if counter.whole is None or not _lacks_zero(counter, recorded=recorded):
            return total
        return f"{total} or 0 * {self._sum(counter.whole, by, over, recorded=recorded)}"

    def _sum(self, counter: Counter, by: tuple[str, ...], over: Over, *, recorded: bool) -> str:
        return f"sum{_by(by)} ({self._leaf(counter, by, over, recorded=recorded)})"

    def _leaf(self, counter: Counter, by: tuple[str, ...], over: Over, *, recorded: bool) -> str:
        if recorded:
            level = ("pod", *_dimensions(counter, by))
            series = _name(counter, by) + self.selector(counter.family, *counter.matchers, words=level)
            return series if over is Over.POINT else f"sum_over_time({series}[$__range:1m])"
        function, window = over.value
        selector = self.selector(counter.family, *counter.matchers, *counter.plain_matchers)
        return f"{function}({counter.plain}{selector}[{window}])"

    def _is_recorded(self, counter: Counter, by: tuple[str, ...]) -> bool:
        return self.source is Source.RULES and bool(counter.recorded) and _name(counter, by) in RECORDED


def _dimensions(counter: Counter, by: tuple[str, ...]) -> list[str]:
    """The dimensions that are left in the recorded series, in the order in which names have them."""
    wanted = {*by, *counter.dimensions} - {"namespace", "gateway", "pod"}
    return sorted(wanted, key=[*LABELS].index)


def _lacks_zero(counter: Counter, *, recorded: bool) -> bool:
    # What has a name of its own in the rules is 0 there by itself.
    return counter.whole is not None and not (recorded and counter.plain_matchers)


def _name(counter: Counter, by: tuple[str, ...]) -> str:
    return f"{'_'.join((meters.POD, *_dimensions(counter, by)))}:{counter.recorded}:{meters.PER_MINUTE}"


def _by(words: tuple[str, ...]) -> str:
    return f" by ({', '.join(LABELS[word] for word in words)})" if words else ""
