"""What `reconciliation` found, as series and as JSON. It compares nothing itself.

    {"now": SECONDS, "since": SECONDS, "window": SECONDS, "models": [{
        "gateway_namespace": TEXT, "gateway_name": TEXT, "model": TEXT,
        "metrics": {"answered": NUMBER, "good": …, "with_tokens": …, "input_tokens": …, "output_tokens": …},
        "access_logs": {…, "aborted": NUMBER},
        "completeness": {"access_logs": RATIO, "metrics": RATIO, "tokens": RATIO, "access_log_tokens": RATIO}}]}

Names and meanings are an interface: see docs/access-logs.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from aigw_receiver.core import family_text, naming
from aigw_receiver.core.exposition import Format
from aigw_receiver.core.family_text import FamilyHead, Sample
from aigw_receiver.core.model import FamilyType
from aigw_receiver.core.reconciliation import Comparison, Counts, Gateway
from aigw_receiver.core.sources import SECOND

_RATIO: Final = FamilyHead(
    "aigw_telemetry_completeness_ratio",
    "Share of what is known to have been that one signal has, over the last hour.",
    FamilyType.GAUGE,
)
_REQUESTS: Final = FamilyHead(
    "aigw_telemetry_requests",
    "Requests that a provider answered, as metrics and as access logs count them, over the last hour.",
    FamilyType.GAUGE,
)
_TOKENS: Final = FamilyHead(
    "aigw_telemetry_tokens",
    "Tokens of requests, as metrics and as access logs count them, over the last hour.",
    FamilyType.GAUGE,
)

_METRICS: Final = "metrics"
_ACCESS_LOGS: Final = "access_logs"


class _Row(NamedTuple):
    """One series."""

    comparison: Comparison
    own: tuple[tuple[str, str], ...]
    """its labels beside gateway and model"""
    value: float


def render(comparisons: Sequence[Comparison], text_format: Format) -> Iterator[bytes]:
    """The families, as far as there was anything to judge by."""
    for head, rows_of in ((_RATIO, _ratio_rows), (_REQUESTS, _request_rows), (_TOKENS, _token_rows)):
        rows = [row for comparison in comparisons for row in rows_of(comparison)]
        yield from family_text.render(head, rows, _sample, text_format)


def _ratio_rows(one: Comparison) -> Iterator[_Row]:
    return (_Row(one, (("check", check),), ratio) for check, ratio in _ratios(one).items())


def _request_rows(one: Comparison) -> Iterator[_Row]:
    for source, counts in _sides(one):
        yield _Row(one, (("source", source),), counts.answered)


def _token_rows(one: Comparison) -> Iterator[_Row]:
    for source, counts in _sides(one):
        for kind, value in (("input", counts.input), ("output", counts.output)):
            yield _Row(one, (("gen_ai_token_type", kind), ("source", source)), value)


def _sides(one: Comparison) -> tuple[tuple[str, Counts], ...]:
    return (_METRICS, one.metrics), (_ACCESS_LOGS, one.logs)


def _ratios(one: Comparison) -> dict[str, float]:
    """By check, those for which there was something to judge by."""
    ratios = {
        "access_logs": one.access_logs,
        "metrics": one.measured,
        "tokens": one.tokens,
        "access_log_tokens": one.access_log_tokens,
    }
    return {check: ratio for check, ratio in ratios.items() if ratio is not None}


def _sample(row: _Row) -> Sample:
    return Sample(naming.render_labels({**_named(row.comparison), **dict(row.own)}), row.value)


def _named(one: Comparison) -> dict[str, str]:
    return {"gateway_namespace": one.gateway[0], "gateway_name": one.gateway[1], "model": one.model}


def measured_by_gateway(comparisons: Iterable[Comparison]) -> dict[Gateway, float]:
    """The check `metrics` of whole gateways, each model by its requests: one that is rare weighs little."""
    sums: dict[Gateway, tuple[float, float]] = {}
    for one in comparisons:
        if one.measured is not None:
            weight = max(one.metrics.answered, one.logs.answered, 1)
            part, whole = sums.get(one.gateway, (0.0, 0.0))
            sums[one.gateway] = part + one.measured * weight, whole + weight
    return {gateway: part / whole for gateway, (part, whole) in sums.items()}


def as_document(comparisons: Iterable[Comparison], *, since: int, window: int, now: int) -> dict[str, Any]:
    """The same as plain data. `since` is when the comparison began, `now` the present: nanoseconds since 1970."""
    entries = [
        {
            **_named(one),
            "metrics": _plain(one.metrics),
            "access_logs": _plain(one.logs) | {"aborted": one.logs.aborted},
            "completeness": _ratios(one),
        }
        for one in comparisons
    ]
    return {"now": now / SECOND, "since": since / SECOND, "window": window / SECOND, "models": entries}


def _plain(counts: Counts) -> dict[str, int]:
    return {
        "answered": counts.answered,
        "good": counts.good,
        "with_tokens": counts.with_tokens,
        "input_tokens": counts.input,
        "output_tokens": counts.output,
    }
