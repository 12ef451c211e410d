"""The series of cost as text, as `exposition` writes all others. What they hold stands in `cost_series`."""

import dataclasses
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core import naming
from aigw_receiver.core.exposition import Format, created_text, go_float, head
from aigw_receiver.core.pricing.book import UNITS_PER_USD
from aigw_receiver.core.pricing.cost_rows import CostRows
from aigw_receiver.core.pricing.cost_series import CostSeries

# Rows written at a time.
_CHUNK: Final = 256


def _cost(costs: CostRows, at: npt.NDArray[np.intp]) -> list[float]:
    """USD, each the nearest float."""
    each = zip(costs.usd[at].tolist(), costs.units[at].tolist(), strict=True)
    return [(usd * UNITS_PER_USD + units) / UNITS_PER_USD for usd, units in each]


def _unpriced(costs: CostRows, at: npt.NDArray[np.intp]) -> list[float]:
    tokens: list[float] = costs.unpriced[at].astype(np.float64).tolist()
    return tokens


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two families: what its series show, and when they began."""

    help: str
    values: Callable[[CostRows, npt.NDArray[np.intp]], list[float]]
    since: Callable[[CostRows], npt.NDArray[np.int64]]


_FAMILIES: Final[Mapping[str, _Kind]] = {
    naming.COST: _Kind(
        "Estimated cost of tokens in USD. Kinds add up: input is without cached ones, output without reasoning.",
        _cost,
        operator.attrgetter("priced_since"),
    ),
    naming.UNPRICED: _Kind(
        "Number of tokens that the price book has no price for. Kinds add up, as those of the cost do.",
        _unpriced,
        operator.attrgetter("unpriced_since"),
    ),
}


def render(
    series: CostSeries, text_format: Format, live: npt.NDArray[np.bool_], *, to_scraper: bool
) -> Iterator[bytes]:
    """The pieces of the families of cost; without the end mark of OpenMetrics.

    `live` tells by its number whether a pod is shown (`Store.live`). Whoever is no scraper is shown values at once.
    """
    for family, kind in _FAMILIES.items():
        begun = False
        for costs, at, since in _chunks(series, kind, live):
            if not begun:
                yield head(family, kind.help, "counter", "", text_format)
                begun = True
            values = kind.values(costs, at)
            if to_scraper:
                values = [value if series.is_open(time) else 0.0 for value, time in zip(values, since, strict=True)]
            yield _samples(family, _labels(costs, at), values, since, text_format)
        if begun and not text_format.openmetrics:
            yield head(f"{family}_created", kind.help, "gauge", "", text_format)
            for costs, at, since in _chunks(series, kind, live):
                each = zip(_labels(costs, at), since, strict=True)
                yield "".join([_created(family, labels, time) for labels, time in each]).encode()


def _chunks(
    series: CostSeries, kind: _Kind, live: npt.NDArray[np.bool_]
) -> Iterator[tuple[CostRows, npt.NDArray[np.intp], list[int]]]:
    """The rows that are shown, with the times when their series began; each chunk is looked at when its turn comes."""
    for costs in series.layouts():
        start = 0
        while start < costs.size:
            end = min(start + _CHUNK, costs.size)
            since = kind.since(costs)[start:end]
            at = start + np.flatnonzero(since)
            # A pod that was forgotten since the last look has lost its labels in the store.
            at = at[live[costs.owner[at]] & (costs.rows.owner[at] == costs.owner[at])]
            if len(at):
                yield costs, at, kind.since(costs)[at].tolist()
            start = end


def _labels(costs: CostRows, at: npt.NDArray[np.intp]) -> list[str]:
    labels: list[str] = [costs.rows.labels[row].replace("\0", ",") for row in at.tolist()]
    return labels


def _samples(family: str, texts: list[str], values: list[float], since: list[int], text_format: Format) -> bytes:
    lines = []
    for labels, value, time in zip(texts, values, since, strict=True):
        lines.append(f"{family}_total{{{labels}}} {go_float(value)}\n")
        if text_format.openmetrics:
            lines.append(_created(family, labels, time))
    return "".join(lines).encode()


def _created(family: str, labels: str, since: int) -> str:
    """The line that tells when a series began."""
    return f"{family}_created{{{labels}}} {created_text(since)}\n"
