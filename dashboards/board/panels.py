"""Panels that occur more than once: lines by something, percentiles, shares, numbers over the time range."""

from board import series as of
from board.model import Kind, Link, Panel, Query
from board.promql import QUANTILES, Over, Scope
from board.series import LABELS, Counter, Histogram

RATIO = "percentunit"
SECONDS = "s"
USD = "currencyUSD"
REQUESTS = "reqpm"
MESSAGES = "mpm"
EACH = "cpm"

PER_MINUTE = "Per minute, averaged over the rate interval."


def legend(*by: str) -> str:
    """The labels of a line."""
    return " ".join(f"{{{{{LABELS[word]}}}}}" for word in by)


def rates(
    scope: Scope,
    slug: str,
    title: str,
    counter: Counter,
    *by: str,
    unit: str = EACH,
    text: str = "",
    stacked: bool = False,
    links: tuple[Link, ...] = (),
) -> Panel:
    """How much in a minute, a line for each value of `by`."""
    query = Query(scope.per_minute(counter, *by), legend(*by) or title)
    return Panel(slug, title, f"{text} {PER_MINUTE}".strip(), unit, (query,), stacked=stacked, links=links)


def shares(
    scope: Scope,
    slug: str,
    title: str,
    part: Counter,
    whole: Counter,
    *by: str,
    text: str,
    unit: str = RATIO,
    links: tuple[Link, ...] = (),
) -> Panel:
    """A share, or how much for each, a line for each value of `by`."""
    query = Query(scope.ratio(part, whole, *by), legend(*by) or title)
    return Panel(slug, title, f"{text} Absent where there was nothing.", unit, (query,), links=links)


def success(scope: Scope, slug: str, title: str, part: Counter, whole: Counter, *by: str) -> Panel:
    """The share that did not fail."""
    query = Query(f"1 - {scope.ratio(part, whole, *by)}", legend(*by) or title)
    return Panel(slug, title, "Share of requests that did not fail. Absent where there was none.", RATIO, (query,))


def means(scope: Scope, slug: str, title: str, histogram: Histogram, *by: str, text: str = "") -> Panel:
    """Averages, a line for each value of `by`."""
    query = Query(scope.mean(histogram, *by), legend(*by) or title)
    return Panel(slug, title, f"{text} Average; absent where there was nothing.".strip(), SECONDS, (query,))


def percentiles(scope: Scope, slug: str, title: str, histogram: Histogram) -> Panel:
    """All five, with the share above the last bound at the right axis."""
    queries = [Query(scope.quantile(one, histogram), f"p{float(one) * 100:g}") for one in QUANTILES]
    overflow = Query(scope.overflow(histogram), "above the last bound", RATIO)
    text = (
        "Interpolated over the buckets of all pods, and never above the last bound. At the right: the share of "
        'observations above it; where that is larger than 1 minus the quantile, read the percentile as "at least".'
    )
    return Panel(slug, title, text, SECONDS, (*queries, overflow))


def p95(scope: Scope, slug: str, title: str, histogram: Histogram, *by: str) -> Panel:
    """The 95th percentile, with the share above the last bound, for each value of `by`."""
    name = legend(*by)
    queries = (
        Query(scope.quantile("0.95", histogram, *by), name),
        Query(scope.overflow(histogram, *by), f"{name} above the last bound", RATIO),
    )
    text = "95th percentile, interpolated. At the right: the share of observations above the last bound."
    return Panel(slug, title, text, SECONDS, queries)


def number(slug: str, title: str, text: str, expr: str, unit: str = "short", width: int = 3) -> Panel:
    """One number of the whole time range."""
    return Panel(slug, title, f"{text} Of the whole time range.", unit, (Query(expr, title),), Kind.NUMBER, width, 4)


def breakdown(
    scope: Scope, slug: str, title: str, text: str, *by: str, links: tuple[Link, ...] = (), more: tuple[Query, ...] = ()
) -> Panel:
    """A table of LLM traffic in the whole time range, a line for each value of `by`."""
    queries = (
        Query(scope.total(of.REQUESTS, *by), "Requests"),
        Query(scope.ratio(of.ERRORS, of.REQUESTS, *by, over=Over.RANGE), "Error ratio", RATIO),
        Query(scope.mean(of.REQUEST, *by, over=Over.RANGE), "Duration", SECONDS),
        Query(scope.quantile("0.95", of.REQUEST, *by, over=Over.RANGE), "Duration p95", SECONDS),
        Query(scope.quantile("0.95", of.FIRST_TOKEN, *by, over=Over.RANGE), "First token p95", SECONDS),
        Query(scope.total(of.INPUT, *by), "Input tokens"),
        Query(scope.total(of.OUTPUT, *by), "Output tokens"),
        Query(scope.total(of.COST, *by), "Cost", USD),
        *more,
    )
    columns = {LABELS[word]: HEADINGS[word] for word in by}
    return Panel(slug, title, text, "short", queries, Kind.TABLE, 24, 8, links=links, columns=columns)


HEADINGS = {
    "namespace": "Namespace",
    "gateway": "Gateway",
    "pod": "Pod",
    "provider": "Provider",
    "model": "Model",
    "original": "Asked for",
    "backend": "MCP server",
    "method": "Method",
    "status": "Status",
    "tool": "Tool",
    "ending": "Ending",
}
