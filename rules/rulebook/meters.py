"""The meters as recording rules: what each gateway, and each of its pods, does in a minute.

- Rates are taken of each series before anything is summed, so restarts and pods that come or go make no step.
- A pod's numbers come from the plain series, and a gateway's from those of its pods, in the same group.
- Counts of an idle gateway are 0. Its averages, percentiles and shares are absent: 0 would be wrong, and NaN of no use.
- `input` tokens contain the cached ones and `output` those of reasoning: a total adds up these two, and nothing else.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from rulebook.model import IDENTITY, Group, Record

WINDOW: Final = "5m"
"""Four scrapes of a minute and one that failed: what a rate needs at the longest usual scrape interval."""

PER_MINUTE: Final = f"per_minute_rate{WINDOW}"
MEAN: Final = f"mean{WINDOW}"
QUANTILE: Final = f"histogram_quantile_rate{WINDOW}"
OVERFLOW: Final = f"overflow_ratio_rate{WINDOW}"
RATIO: Final = f"ratio_rate{WINDOW}"

QUANTILES: Final = ("0.5", "0.75", "0.9", "0.95", "0.99")

POD: Final = "gateway_pod"
DIMENSIONS: Final = {
    "provider": "gen_ai_provider_name",
    "model": "gen_ai_response_model",
    "token_type": "gen_ai_token_type",
    "backend": "mcp_backend",
    "method": "mcp_method_name",
    "capability": "capability_type",
    "le": "le",
}
"""What a part of a level's name stands for."""

REQUEST: Final = "gen_ai_server_request_duration_seconds"
FIRST_TOKEN: Final = "gen_ai_server_time_to_first_token_seconds"
OUTPUT_TOKEN: Final = "gen_ai_server_time_per_output_token_seconds"
MCP_REQUEST: Final = "mcp_request_duration_seconds"
MCP_INITIALIZATION: Final = "mcp_initialization_duration_seconds"
TOKENS: Final = "gen_ai_client_token_usage_sum"
COST: Final = "gen_ai_estimated_cost_usd"
ERRORS: Final = "gen_ai_server_request_errors"
METHODS: Final = "mcp_method_count"
METHOD_ERRORS: Final = "mcp_method_errors"
CAPABILITIES: Final = "mcp_capabilities_negotiated"
PROGRESS: Final = "mcp_progress_notifications"


def level(pod: bool, dimensions: Sequence[str] = ()) -> str:
    """The first part of a series' name."""
    return "_".join((POD if pod else "gateway", *dimensions))


def labels(pod: bool, dimensions: Sequence[str] = ()) -> str:
    """The labels that are left at a level."""
    return ", ".join((*IDENTITY, *([POD] if pod else []), *(DIMENSIONS[name] for name in dimensions)))


def name(metric: str, operations: str, pod: bool, dimensions: Sequence[str] = ()) -> str:
    """The name of a recorded series."""
    return f"{level(pod, dimensions)}:{metric}:{operations}"


def per_minute(metric: str, plain: str, cuts: Sequence[Sequence[str]], *, zero: str = "") -> Iterator[Record]:
    """What a counter gains in a minute: by pod and each cut, then by gateway and each cut.

    A cut is a list of dimensions; one that is part of the first is summed up from it. `zero` is the metric whose
    series are there at 0 where the counter has none yet, as a counter of errors before the first error.
    """
    for cut in cuts:
        first = cuts[0]
        target = name(metric, PER_MINUTE, True, cut)
        if cut != first and set(cut) <= set(first):
            expr = f"sum by ({labels(True, cut)}) ({name(metric, PER_MINUTE, True, first)})"
        else:
            expr = f"60 * sum by ({labels(True, cut)}) (rate({plain}[{WINDOW}]))"
            if zero:
                expr = f"{expr}\n  or 0 * {name(zero, PER_MINUTE, True, cut)}"
        yield Record(target, expr)
    for cut in cuts:
        yield _of_pods(name(metric, PER_MINUTE, True, cut), name(metric, PER_MINUTE, False, cut), cut)


def _of_pods(source: str, target: str, cut: Sequence[str]) -> Record:
    return Record(target, f"sum by ({labels(False, cut)}) ({source})")


def means(metric: str, cuts: Sequence[Sequence[str]]) -> Iterator[Record]:
    """Averages; absent where there was nothing to average."""
    for pod in (True, False):
        for cut in cuts:
            total, count = (name(f"{metric}_{part}", PER_MINUTE, pod, cut) for part in ("sum", "count"))
            yield Record(name(metric, MEAN, pod, cut), f"{total}\n  / ({count} > 0)")


def quantiles(metric: str) -> Iterator[Record]:
    """Percentiles by interpolation over the buckets of all pods, and the share that lies above the last bound.

    A percentile that lies there is shown as the last bound, so it says no more than "at least"; the share tells.
    """
    buckets = f"{metric}_bucket"
    yield from per_minute(buckets, buckets, [["le"]])
    for pod in (True, False):
        source = name(buckets, PER_MINUTE, pod, ["le"])
        for quantile in QUANTILES:
            # NaN, of a histogram without observations, is not >= 0.
            yield Record(
                f"{level(pod, ['quantile'])}:{metric}:{QUANTILE}",
                f"histogram_quantile({quantile}, {source}) >= 0",
                (("quantile", quantile),),
            )
        # Pods of two versions can have different bounds: the last one is sought in each pod by itself.
        finite = f'max by ({labels(True)}) ({name(buckets, PER_MINUTE, True, ["le"])}{{le!="+Inf"}})'
        if not pod:
            finite = f"sum by ({labels(False)}) (\n    {finite}\n  )"
        count = name(f"{metric}_count", PER_MINUTE, pod)
        yield Record(name(metric, OVERFLOW, pod), f"clamp_min(\n  1 - {finite}\n  / ({count} > 0),\n  0\n)")


def duration(metric: str, *dimensions: str) -> Iterator[Record]:
    """Everything about a histogram of durations, as a whole and by each dimension."""
    cuts: list[list[str]] = [*([dimension] for dimension in dimensions), []]
    for part in ("count", "sum"):
        yield from per_minute(f"{metric}_{part}", f"{metric}_{part}", cuts)
    yield from means(metric, cuts)
    yield from quantiles(metric)


def ratios(errors: str, of: str, cuts: Sequence[Sequence[str]]) -> Iterator[Record]:
    """Shares of errors; absent where there was no request."""
    for pod in (True, False):
        for cut in cuts:
            part, whole = name(errors, PER_MINUTE, pod, cut), name(of, PER_MINUTE, pod, cut)
            yield Record(name(errors, RATIO, pod, cut), f"{part}\n  / ({whole} > 0)")


def _requests() -> Iterator[Record]:
    yield from duration(REQUEST, "provider", "model")
    cuts: list[list[str]] = [["provider"], ["model"], []]
    yield from per_minute(ERRORS, f'{REQUEST}_count{{error_type!=""}}', cuts, zero=f"{REQUEST}_count")
    yield from ratios(ERRORS, f"{REQUEST}_count", cuts)


def _tokens() -> Iterator[Record]:
    cuts = [["provider", "token_type"], ["model", "token_type"], ["token_type"]]
    yield from per_minute(TOKENS, TOKENS, cuts)
    for pod in (True, False):
        by_type = name(TOKENS, PER_MINUTE, pod, ["token_type"])
        yield Record(
            name(TOKENS, PER_MINUTE, pod), f'sum by ({labels(pod)}) ({by_type}{{gen_ai_token_type=~"input|output"}})'
        )


def _methods() -> Iterator[Record]:
    cuts = [["backend", "method"], ["backend"], ["method"], []]
    yield from per_minute(METHODS, f"{METHODS}_total", cuts)
    by_backend: list[list[str]] = [["backend"], []]
    failed = f'{METHODS}_total{{status=~"failed|error"}}'
    yield from per_minute(METHOD_ERRORS, failed, by_backend, zero=METHODS)
    yield from ratios(METHOD_ERRORS, METHODS, by_backend)
    yield from per_minute(PROGRESS, f"{PROGRESS}_total", [[]])


def groups() -> tuple[Group, ...]:
    """All of them. A group needs nothing of another one, so Prometheus can evaluate them at once."""
    return (
        Group("aigw-meters-requests", tuple(_requests())),
        Group("aigw-meters-tokens", tuple(_tokens())),
        Group("aigw-meters-time-to-first-token", tuple(duration(FIRST_TOKEN, "model"))),
        Group("aigw-meters-time-per-output-token", tuple(duration(OUTPUT_TOKEN, "model"))),
        Group("aigw-meters-cost", tuple(per_minute(COST, f"{COST}_total", [["provider"], ["model"], []]))),
        Group("aigw-meters-mcp-requests", tuple(duration(MCP_REQUEST, "backend"))),
        Group("aigw-meters-mcp-initialization", tuple(duration(MCP_INITIALIZATION, "backend"))),
        Group("aigw-meters-mcp-methods", tuple(_methods())),
        Group(
            "aigw-meters-mcp-capabilities",
            tuple(per_minute(CAPABILITIES, f"{CAPABILITIES}_total", [["capability"], []])),
        ),
    )
