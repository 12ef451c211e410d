"""Counters and gauges made from access logs as text, in the two formats of `core/exposition`, in pieces.

It changes nothing, and writes no "# EOF": these families stand before those of the gateways' own metrics.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aigw_receiver.core import naming
from aigw_receiver.core.access_logs.families import Family
from aigw_receiver.core.exposition import Format, go_float
from aigw_receiver.core.reconciliation import Comparison

COMPLETENESS: Final = "aigw_telemetry_completeness_ratio"
_COMPLETENESS_HELP: Final = "Share of the requests that one signal has, of those that are known to have been made."

_NANOSECONDS: Final = 1_000_000_000

# Series written at a time, so that exports get in between.
_CHUNK: Final = 64


def render_counters(families: Iterable[Family], text_format: Format, mark: int | None) -> Iterator[bytes]:
    """The families in this order. Series born after `mark` are shown at 0; None shows all at their value."""
    for family in families:
        rows = list(family.series.values())
        if not rows:
            continue
        yield _head(family.name, family.help, "counter", text_format)
        for start in range(0, len(rows), _CHUNK):
            lines = []
            for series in rows[start : start + _CHUNK]:
                value = 0 if mark is not None and series.birth > mark else series.value
                lines.append(f"{family.name}_total{{{series.text}}} {go_float(value)}\n")
                if text_format.openmetrics:
                    lines.append(_created(family.name, series.text, series.created))
            yield "".join(lines).encode()
        if not text_format.openmetrics:
            yield _head(f"{family.name}_created", family.help, "gauge", text_format)
            for start in range(0, len(rows), _CHUNK):
                some = rows[start : start + _CHUNK]
                yield "".join([_created(family.name, one.text, one.created) for one in some]).encode()


def render_gauges(name: str, help_text: str, rows: Sequence[tuple[str, float]], text_format: Format) -> Iterator[bytes]:
    """A family of gauges: labels as text (see `naming.render_labels`), and values. Nothing where there are none."""
    if rows:
        yield _head(name, help_text, "gauge", text_format)
    for start in range(0, len(rows), _CHUNK):
        lines = [f"{name}{{{labels}}} {go_float(value)}\n" for labels, value in rows[start : start + _CHUNK]]
        yield "".join(lines).encode()


def render_completeness(comparisons: Iterable[Comparison], text_format: Format) -> Iterator[bytes]:
    """The ratios of `core/reconciliation`, as far as there was anything to judge by."""
    rows = []
    for one in comparisons:
        ratios = {
            "access_log_tokens": one.access_log_tokens,
            "access_logs": one.access_logs,
            "metrics": one.measured,
            "tokens": one.tokens,
        }
        for signal, ratio in ratios.items():
            if ratio is not None:
                labels = {
                    "gateway_namespace": one.gateway[0],
                    "gateway_name": one.gateway[1],
                    "gen_ai_original_model": one.model,
                    "signal": signal,
                }
                rows.append((naming.render_labels(labels).replace("\0", ","), ratio))
    yield from render_gauges(COMPLETENESS, _COMPLETENESS_HELP, rows, text_format)


def _created(name: str, labels: str, time: int) -> str:
    return f"{name}_created{{{labels}}} {go_float(time / _NANOSECONDS)}\n"


def _head(name: str, help_text: str, family_type: str, text_format: Format) -> bytes:
    """The lines before the samples of a family. In the text format 0.0.4 a counter's name has its suffix."""
    if family_type == "counter" and not text_format.openmetrics:
        name = f"{name}_total"
    return f"# HELP {name} {help_text}\n# TYPE {name} {family_type}\n".encode()
