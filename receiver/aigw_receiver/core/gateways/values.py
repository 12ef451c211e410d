"""The numbers of a cell as the API names them: counts, and averages and percentiles of durations.

A count of nothing is 0; an average or a percentile of nothing is None.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from aigw_receiver.core.rollup import quantiles
from aigw_receiver.core.rollup.model import Distribution, Measure, Number, Totals

Source: TypeAlias = Number | Measure


class _Value(NamedTuple):
    """A value of series: how it is made of totals, and of what in them."""

    of: Callable[[Totals], float | None]
    sources: tuple[Source, ...]


QUANTILES: Final = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}

# By the name that stands before "_avg", "_p50" and so on.
_DURATIONS: Final = {
    "duration": Measure.DURATION,
    "ttft": Measure.FIRST_TOKEN,
    "tpot": Measure.OUTPUT_TOKEN,
    "mcp_duration": Measure.MCP_DURATION,
    "mcp_initialization": Measure.MCP_INITIALIZATION,
}

_NUMBERS: Final = {
    "errors": Number.ERRORS,
    "tokens_input": Number.INPUT,
    "tokens_output": Number.OUTPUT,
    "tokens_cached_input": Number.CACHED_INPUT,
    "tokens_cache_creation_input": Number.CACHE_CREATION_INPUT,
    "tokens_reasoning": Number.REASONING,
    "unpriced_tokens": Number.UNPRICED,
    "mcp_messages": Number.MCP_MESSAGES,
    "mcp_errors": Number.MCP_ERRORS,
    "mcp_failed": Number.MCP_FAILED,
    "mcp_capabilities": Number.MCP_CAPABILITIES,
}


def whole(totals: Totals, number: Number) -> int:
    """A number that counts things."""
    return round(totals.numbers.get(number, 0))


def cost(totals: Totals) -> float:
    """USD."""
    return totals.numbers.get(Number.COST, 0.0)


def total_tokens(totals: Totals) -> int:
    """Input and output, which contain all others."""
    return whole(totals, Number.INPUT) + whole(totals, Number.OUTPUT)


def count(totals: Totals, measure: Measure) -> int:
    """How many durations were observed."""
    return sum(one.count for one in totals.measures.get(measure, ()))


def mean(distributions: Sequence[Distribution]) -> float | None:
    """The average in seconds."""
    observed = sum(one.count for one in distributions)
    return sum(one.sum for one in distributions) / observed if observed else None


def ratio(part: int, of: int) -> float | None:
    """A share, None of nothing. What was counted at two moments may be more than all."""
    return min(1.0, part / of) if of else None


def messages(totals: Totals) -> int:
    """How busy a cell is, of whatever view: requests to models, requests and messages of MCP, capabilities."""
    llm = count(totals, Measure.DURATION)
    mcp = count(totals, Measure.MCP_DURATION) + whole(totals, Number.MCP_MESSAGES)
    return llm + mcp + whole(totals, Number.MCP_CAPABILITIES)


BUSY: Final = (
    *(Measure.DURATION, Measure.FIRST_TOKEN, Measure.MCP_DURATION),
    *(Number.MCP_MESSAGES, Number.MCP_CAPABILITIES),
)
"""what `messages` and `is_busy` are made of"""


def is_busy(totals: Totals) -> bool:
    """Whether anything happened: of a stream that its client left, nothing is counted but the first token."""
    return messages(totals) > 0 or count(totals, Measure.FIRST_TOKEN) > 0


def _number(number: Number) -> _Value:
    return _Value(lambda totals: whole(totals, number), (number,))


def _count(measure: Measure) -> _Value:
    return _Value(lambda totals: count(totals, measure), (measure,))


def _quantile(measure: Measure, share: float) -> _Value:
    return _Value(lambda totals: quantiles.quantile(totals.measures.get(measure, ()), share), (measure,))


def _over_all(measure: Measure, of: Callable[[Sequence[Distribution]], float | None]) -> _Value:
    return _Value(lambda totals: of(totals.measures.get(measure, ())), (measure,))


def _catalog() -> dict[str, _Value]:
    catalog = {"requests": _count(Measure.DURATION), "mcp_requests": _count(Measure.MCP_DURATION)}
    catalog |= {name: _number(number) for name, number in _NUMBERS.items()}
    catalog["tokens_total"] = _Value(total_tokens, (Number.INPUT, Number.OUTPUT))
    catalog["cost_usd"] = _Value(cost, (Number.COST,))
    for name, measure in _DURATIONS.items():
        catalog[f"{name}_avg"] = _over_all(measure, mean)
        for word, share in QUANTILES.items():
            catalog[f"{name}_{word}"] = _quantile(measure, share)
        catalog[f"{name}_overflow_ratio"] = _over_all(measure, quantiles.overflow_ratio)
    return catalog


_CATALOG: Final = _catalog()

NAMES: Final = tuple(_CATALOG)
DEFAULT: Final = ("requests", "errors")


def value(name: str, totals: Totals) -> float | None:
    """One of NAMES."""
    return _CATALOG[name].of(totals)


def sources_of(names: Iterable[str]) -> frozenset[Source]:
    """What of a cell some of NAMES are made of."""
    return frozenset(source for name in names for source in _CATALOG[name].sources)


def as_document(totals: Totals) -> dict[str, Any]:
    """TOTALS of the API."""
    requests, errors = count(totals, Measure.DURATION), whole(totals, Number.ERRORS)
    mcp_messages, mcp_errors = whole(totals, Number.MCP_MESSAGES), whole(totals, Number.MCP_ERRORS)
    return {
        "requests": requests,
        "errors": errors,
        "error_ratio": ratio(errors, requests),
        "tokens": {
            "input": whole(totals, Number.INPUT),
            "output": whole(totals, Number.OUTPUT),
            "cached_input": whole(totals, Number.CACHED_INPUT),
            "cache_creation_input": whole(totals, Number.CACHE_CREATION_INPUT),
            "reasoning": whole(totals, Number.REASONING),
            "total": total_tokens(totals),
        },
        "cost_usd": cost(totals),
        "unpriced_tokens": whole(totals, Number.UNPRICED),
        "duration": _as_duration(totals, Measure.DURATION),
        "time_to_first_token": _as_duration(totals, Measure.FIRST_TOKEN),
        "time_per_output_token": _as_duration(totals, Measure.OUTPUT_TOKEN),
        "mcp": {
            "messages": mcp_messages,
            "requests": count(totals, Measure.MCP_DURATION),
            "errors": mcp_errors,
            "failed": whole(totals, Number.MCP_FAILED),
            "error_ratio": ratio(mcp_errors, mcp_messages),
            "duration": _as_duration(totals, Measure.MCP_DURATION),
            "initialization": _as_duration(totals, Measure.MCP_INITIALIZATION),
        },
    }


_NO_DURATION: Final = {"count": 0, "avg": None, **dict.fromkeys(QUANTILES), "overflow_ratio": None}


def _as_duration(totals: Totals, measure: Measure) -> dict[str, Any]:
    """D of the API."""
    distributions = totals.measures.get(measure, ())
    observed = count(totals, measure)
    if not observed:
        return _NO_DURATION
    return {
        "count": observed,
        "avg": mean(distributions),
        **dict(zip(QUANTILES, quantiles.quantiles(distributions, [*QUANTILES.values()]), strict=True)),
        "overflow_ratio": quantiles.overflow_ratio(distributions),
    }
