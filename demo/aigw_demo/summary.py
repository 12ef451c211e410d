"""The proof at the end: every series of the receiver against what the gateways recorded.

Pure: two sets of series in, differences and lines out. Counts, buckets and tokens must be equal; only a sum of
durations, a float that was added up in another order, may differ in its last bits.
"""

import math
from dataclasses import dataclass
from typing import Final

from aigw_demo.instruments import MCP_METHOD_COUNT, REQUEST_DURATION, TIME_TO_FIRST_TOKEN
from aigw_demo.rollup import count_failures, select_histograms, sum_tokens
from aigw_demo.series import HistogramValue, SeriesMap, SeriesValue
from aigw_demo.table import render_columns

SUM_TOLERANCE: Final = 1e-9
# More would scroll the totals off the screen.
SHOWN_DIFFERENCES: Final = 20
TOTALS_HEADER: Final = ("", "", "RECORDED", "RECEIVED")


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers that a reader would compare by hand."""

    series: int
    requests: int
    failed_requests: int
    streams: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    mcp_calls: int

    @property
    def tokens(self) -> int:
        """Input and output; the other types are parts of these."""
        return self.input_tokens + self.output_tokens


def build_totals(series: SeriesMap) -> Totals:
    """The totals over all gateways."""
    calls = [value for key, value in series.items() if key.family == MCP_METHOD_COUNT.family]
    return Totals(
        series=len(series),
        requests=sum(value.count for _, value in select_histograms(series, REQUEST_DURATION.family)),
        failed_requests=sum(count_failures(series).values()),
        streams=sum(value.count for _, value in select_histograms(series, TIME_TO_FIRST_TOKEN.family)),
        input_tokens=sum(sum_tokens(series, "input").values()),
        output_tokens=sum(sum_tokens(series, "output").values()),
        cached_tokens=sum(sum_tokens(series, "cached_input").values()),
        reasoning_tokens=sum(sum_tokens(series, "reasoning").values()),
        mcp_calls=int(sum(value for value in calls if not isinstance(value, HistogramValue))),
    )


def equal_numbers(recorded: float, received: float) -> bool:
    """Whether two sums are the same; whole numbers, as tokens are, have no tolerance."""
    if recorded == received:
        return True
    return not recorded.is_integer() and math.isclose(recorded, received, rel_tol=SUM_TOLERANCE, abs_tol=0.0)


def compare_values(recorded: SeriesValue, received: SeriesValue) -> list[str]:
    """How one series differs from what was recorded."""
    if isinstance(recorded, HistogramValue) and isinstance(received, HistogramValue):
        differences = []
        if recorded.count != received.count:
            differences.append(f"count {recorded.count} was recorded, {received.count} received")
        if not equal_numbers(recorded.sum, received.sum):
            differences.append(f"sum {recorded.sum!r} was recorded, {received.sum!r} received")
        return differences + compare_buckets(dict(recorded.buckets), dict(received.buckets))
    if isinstance(recorded, HistogramValue) or isinstance(received, HistogramValue):
        return ["a histogram and a counter"]
    return [] if recorded == received else [f"{recorded!r} was recorded, {received!r} received"]


def compare_buckets(recorded: dict[float, int], received: dict[float, int]) -> list[str]:
    """Each bucket that differs; None is one that the other side does not have."""
    return [
        f"bucket le={bound}: {recorded.get(bound)} was recorded, {received.get(bound)} received"
        for bound in sorted(recorded.keys() | received.keys())
        if recorded.get(bound) != received.get(bound)
    ]


def compare_series(recorded: SeriesMap, received: SeriesMap) -> list[str]:
    """Every difference, by series; a series on one side only is one."""
    differences = []
    for key in sorted(recorded.keys() | received.keys(), key=str):
        if key not in received:
            differences.append(f"{key}: recorded, but not received")
        elif key not in recorded:
            differences.append(f"{key}: received, but never recorded")
        else:
            differences += [f"{key}: {text}" for text in compare_values(recorded[key], received[key])]
    return differences


def render_totals(recorded: Totals, received: Totals) -> list[str]:
    """Both totals side by side."""
    names = (
        ("series", "series"),
        ("requests", "requests"),
        ("failed_requests", "of these failed"),
        ("streams", "streams, aborted ones too"),
        ("input_tokens", "tokens in"),
        ("cached_tokens", "of these cached"),
        ("output_tokens", "tokens out"),
        ("reasoning_tokens", "of these reasoning"),
        ("mcp_calls", "MCP calls"),
    )
    rows = [(text, "", f"{getattr(recorded, name):,}", f"{getattr(received, name):,}") for name, text in names]
    return render_columns([TOTALS_HEADER, *rows])


@dataclass(frozen=True, slots=True)
class Summary:
    """The outcome: what to print, and whether it is well."""

    lines: list[str]
    equal: bool


def build_summary(recorded: SeriesMap, received: SeriesMap) -> Summary:
    """Compare, and say so; nothing recorded at all proves nothing and is no success."""
    totals = build_totals(recorded)
    differences = compare_series(recorded, received)
    lines = render_totals(totals, build_totals(received))
    if differences:
        more = len(differences) - SHOWN_DIFFERENCES
        lines += ["", *differences[:SHOWN_DIFFERENCES], *([f"and {more} more"] if more > 0 else [])]
        lines += [f"receiver totals differ from what the gateways recorded: {len(differences)} differences"]
    elif not totals.requests:
        lines += ["", "no request was recorded"]
    else:
        counted = f"{totals.series} series, {totals.requests} requests, {totals.tokens} tokens"
        lines += ["", f"receiver totals equal what the gateways recorded: {counted}"]
    return Summary(lines, equal=not differences and totals.requests > 0)
