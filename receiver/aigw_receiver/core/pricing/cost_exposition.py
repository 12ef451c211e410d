"""The series of cost as text, as `exposition` writes all others. What they hold stands in `cost_series`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from aigw_receiver.core.exposition import Format, go_float
from aigw_receiver.core.pricing import cost
from aigw_receiver.core.pricing.cost_series import COST, UNPRICED, CostSeries, Counter
from aigw_receiver.core.sources import SECOND

# Series written at a time.
_CHUNK: Final = 256

_HELP: Final[Mapping[str, str]] = {
    COST: "Estimated cost of tokens in USD. Kinds add up: input is without cached ones, output without reasoning.",
    UNPRICED: "Number of tokens that the price book has no price for. Kinds add up, as those of the cost do.",
}


def render(
    series: CostSeries, text_format: Format, is_live: Callable[[int], bool], *, to_scraper: bool
) -> Iterator[bytes]:
    """The pieces of the families of cost; without the end mark of OpenMetrics.

    `is_live` tells by its number whether a pod is shown (`Store.live`). Whoever is no scraper is shown values at once.
    """
    for family in (COST, UNPRICED):
        every = series.shown(family, is_live)
        if not every:
            continue
        yield _head(f"{family}" if text_format.openmetrics else f"{family}_total", family, "counter")
        for start in range(0, len(every), _CHUNK):
            yield "".join(
                _sample(family, text, counter, text_format, to_scraper=to_scraper)
                for text, counter in every[start : start + _CHUNK]
            ).encode()
        if not text_format.openmetrics:
            yield _head(f"{family}_created", family, "gauge")
            for start in range(0, len(every), _CHUNK):
                chunk = every[start : start + _CHUNK]
                yield "".join(_created(family, text, counter) for text, counter in chunk).encode()


def _head(name: str, family: str, family_type: str) -> bytes:
    return f"# HELP {name} {_HELP[family]}\n# TYPE {name} {family_type}\n".encode()


def _sample(family: str, text: str, counter: Counter, text_format: Format, *, to_scraper: bool) -> str:
    """The lines of one series; a new one is shown at 0 to scrapers."""
    value = 0 if to_scraper and not counter.is_open else counter.value
    number = cost.usd(value) if family == COST else float(value)
    line = f"{family}_total{{{text}}} {go_float(number)}\n"
    return line + _created(family, text, counter) if text_format.openmetrics else line


def _created(family: str, text: str, counter: Counter) -> str:
    """The line that tells when a series began."""
    return f"{family}_created{{{text}}} {go_float(counter.since / SECOND)}\n"
