"""The gateways' series as text, in pieces, so that a scrape needs no more memory than one piece.

Two formats, byte for byte as prometheus-client writes the same samples: the Prometheus text format 0.0.4
(prometheus.io/docs/instrumenting/exposition_formats) and OpenMetrics 1.0 (its specification at
github.com/prometheus/OpenMetrics). Only bounds differ: `le` is written as Go does, and so as the gateway's own
`/metrics` does. It reads the store and changes nothing; between two pieces the store may go on.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core import naming
from aigw_receiver.core.model import FamilyType
from aigw_receiver.core.series import Family, Rows
from aigw_receiver.core.sources import SECOND
from aigw_receiver.core.store import Store

# Rows written at a time: with fewer each write to the socket costs more than it carries, with more a piece's text no
# longer stays in the processor's caches (measured: 128 is best), and exports wait for longer.
_CHUNK: Final = 128

# From here on a float is written with an exponent, as Go does; below, an integer is written as "%d.0".
_EXPONENT_FROM: Final = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """One of the two text formats."""

    content_type: str
    openmetrics: bool


TEXT: Final = Format("text/plain; version=0.0.4; charset=utf-8", openmetrics=False)
OPENMETRICS: Final = Format("application/openmetrics-text; version=1.0.0; charset=utf-8", openmetrics=True)


def render(store: Store, text_format: Format, mark: int | None, more: Iterable[bytes] = ()) -> Iterator[bytes]:
    """The pieces of one scrape. Streams whose birth is above `mark` are shown at 0; None shows all at their value.

    `more` is the text of families that are not in the store, in the same format.
    """
    for name in sorted({*store.families, naming.TARGET}):
        family = store.families.get(name)
        yield from (
            _render_target(store, text_format) if family is None else _render_family(store, family, text_format, mark)
        )
    yield from more
    if text_format.openmetrics:
        yield b"# EOF\n"


def _render_target(store: Store, text_format: Format) -> Iterator[bytes]:
    """`target_info`: what else the resource of each pod says."""
    yield head(naming.TARGET, "Target metadata", "info", "", text_format)
    for source in list(store.live_sources()):
        labels = naming.render_labels(source.labels | naming.identity_labels(source.identity)).replace("\0", ",")
        yield f"target_info{{{labels}}} 1.0\n".encode()


def _render_family(store: Store, family: Family, text_format: Format, mark: int | None) -> Iterator[bytes]:
    name = family.name
    yield head(name.name, name.help, name.type.value, name.unit, text_format)
    for rows in list(family.layouts.values()):
        for at in _chunks(store, rows):
            match name.type:
                case FamilyType.HISTOGRAM:
                    yield _render_histograms(name.name, rows, at, text_format, mark)
                case FamilyType.COUNTER:
                    yield _render_numbers(f"{name.name}_total", rows, at, text_format, mark)
                case FamilyType.GAUGE:
                    yield _render_numbers(name.name, rows, at, text_format, None)
    if name.type is not FamilyType.GAUGE and not text_format.openmetrics:
        yield head(f"{name.name}_created", name.help, "gauge", "", text_format)
        for rows in list(family.layouts.values()):
            for at in _chunks(store, rows):
                yield _render_created(f"{name.name}_created", rows, at)


def head(name: str, help_text: str, family_type: str, unit: str, text_format: Format) -> bytes:
    """The lines before the samples of a family. In 0.0.4 a counter's name has its suffix, and an info is a gauge."""
    escaped = help_text.replace("\\", "\\\\").replace("\n", "\\n")
    if text_format.openmetrics:
        escaped = escaped.replace('"', '\\"')
        tail = f"# UNIT {name} {unit}\n" if unit else ""
        return f"# HELP {name} {escaped}\n# TYPE {name} {family_type}\n{tail}".encode()
    if family_type == "counter":
        name = f"{name}_total"
    if family_type == "info":
        name, family_type = f"{name}_info", "gauge"
    return f"# HELP {name} {escaped}\n# TYPE {name} {family_type}\n".encode()


def _chunks(store: Store, rows: Rows) -> Iterator[npt.NDArray[np.intp]]:
    """The rows that are shown, a chunk at a time; what is shown is looked at anew for each chunk."""
    start = 0
    while start < rows.size:
        end = min(start + _CHUNK, rows.size)
        at = start + np.flatnonzero(rows.visible[start:end])
        at = at[store.live[rows.owner[at]]]
        if len(at):
            yield at
        start = end


@dataclasses.dataclass(frozen=True, slots=True)
class _Template:
    """The lines of one histogram, with a hole for each number; the labels go in last, so that they may hold a "%".

    A NUL is the place of the labels before `le`, a SOH that of those behind it. All is bytes: replacing in them takes a
    third of the time that it takes in text.
    """

    whole: bytes
    """for counts and a value below _EXPONENT_FROM"""
    counted: bytes
    """for counts below it and a value that is text already: tokens soon add up to more than a million"""
    general: bytes
    """for numbers that are text already"""

    def split(self) -> "_Template":
        """The same for labels of which some belong behind `le`."""
        all_of_them = (self.whole, self.counted, self.general)
        return _Template(*(text.replace(b'"}', b'",\1}').replace(b"\0}", b"\0,\1}") for text in all_of_them))


@functools.lru_cache(maxsize=1024)
def _templates(name: str, bounds: tuple[float, ...], text_format: Format) -> tuple[_Template, _Template]:
    """The templates of a histogram: for labels that all stand before `le`, and for others."""
    les = [_bound_text(bound, text_format) for bound in (*bounds, math.inf)]
    lines = [(f'{name}_bucket{{\0,le="{le}"}}', "%d.0") for le in les]
    lines += [(f"{name}_count{{\0}}", "%d.0"), (f"{name}_sum{{\0}}", "%a")]
    if text_format.openmetrics:
        lines.append((f"{name}_created{{\0}}", "%s"))
    whole = "".join(f"{sample} {number}\n" for sample, number in lines)
    general = "".join(f"{sample} %s\n" for sample, _ in lines)
    plain = _Template(whole.encode(), whole.replace("%a", "%s").encode(), general.encode())
    return plain, plain.split()


def _bound_text(bound: float, text_format: Format) -> str:
    """The value of `le`: as Go writes a float, with OpenMetrics' ".0" behind a whole number."""
    text = go_float(bound)
    return text if text_format.openmetrics else text.removesuffix(".0")


def _shown(rows: Rows, at: npt.NDArray[np.intp], mark: int | None) -> tuple[npt.NDArray[np.uint64], list[float]]:
    """The counts and values that the rows `at` show: with what was before resets, and 0 for births above `mark`."""
    counts, values = rows.counts[at], rows.values[at]
    if rows.base_counts is not None and rows.base_values is not None:
        counts = counts + rows.base_counts[at]
        values = values + rows.base_values[at]
    if mark is not None:
        unborn = rows.birth[at] > mark
        if unborn.any():
            counts[unborn] = 0
            values[unborn] = 0
    return counts, values.tolist()


def _render_histograms(name: str, rows: Rows, at: npt.NDArray[np.intp], text_format: Format, mark: int | None) -> bytes:
    """The lines of the histograms in the rows `at`."""
    plain, split = _templates(name, rows.bounds or (), text_format)
    counts, values = _shown(rows, at, mark)
    cumulated = np.add.accumulate(counts, axis=1).tolist()
    created = [created_text(time).encode() for time in rows.created[at].tolist()] if text_format.openmetrics else None
    pieces = []
    for index, (text, numbers) in enumerate(zip(_labels(rows, at), cumulated, strict=True)):
        value, more = values[index], () if created is None else (created[index],)
        template = split if b"\0" in text else plain
        if numbers[-1] < _EXPONENT_FROM and value < _EXPONENT_FROM:
            lines = template.whole % (*numbers, numbers[-1], value, *more)
        elif numbers[-1] < _EXPONENT_FROM:
            lines = template.counted % (*numbers, numbers[-1], go_float(value).encode(), *more)
        else:
            texts = [go_float(number).encode() for number in numbers]
            lines = template.general % (*texts, texts[-1], go_float(value).encode(), *more)
        if template is split:
            # What stands behind `le` goes in first: it has no NUL, but what stands before it may have a SOH.
            text, _, after = text.partition(b"\0")  # noqa: PLW2901
            lines = lines.replace(b"\1", after)
        pieces.append(lines.replace(b"\0", text))
    return b"".join(pieces)


def _labels(rows: Rows, at: npt.NDArray[np.intp]) -> list[bytes]:
    """The labels of series; a row that is shown has some."""
    labels = rows.labels
    return [labels[row].encode() for row in at.tolist()]


def _render_numbers(sample: str, rows: Rows, at: npt.NDArray[np.intp], text_format: Format, mark: int | None) -> bytes:
    """The lines of the counters or gauges in the rows `at`."""
    _, values = _shown(rows, at, mark)
    with_created = text_format.openmetrics and sample.endswith("_total")
    line = f"{sample}{{%s}} %s\n".encode()
    created_line = f"{sample.removesuffix('_total')}_created{{%s}} %s\n".encode()
    pieces = []
    times = rows.created[at].tolist()
    for text, value, time in zip(_labels(rows, at), values, times, strict=True):
        labels = text.replace(b"\0", b",")
        pieces.append(line % (labels, go_float(value).encode()))
        if with_created:
            pieces.append(created_line % (labels, created_text(time).encode()))
    return b"".join(pieces)


def _render_created(sample: str, rows: Rows, at: npt.NDArray[np.intp]) -> bytes:
    """The start times of the rows `at` as gauges, the place that the format 0.0.4 has for them."""
    times = rows.created[at].tolist()
    line = f"{sample}{{%s}} %s\n".encode()
    lines = [line % (text, created_text(time).encode()) for text, time in zip(_labels(rows, at), times, strict=True)]
    return b"".join(lines).replace(b"\0", b",")


@functools.lru_cache(maxsize=4096)
def created_text(nanoseconds: int) -> str:
    """When a series began, in seconds since 1970."""
    return go_float(nanoseconds / SECOND)


def go_float(value: float) -> str:
    """A number as Go's client writes it: with an exponent from a million on, integers below it with ".0"."""
    if -_EXPONENT_FROM < value < _EXPONENT_FROM:
        return repr(float(value))
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(float(value))
    point = text.find(".")
    if value < 0 or point < 0 or "e" in text:
        return text.replace("nan", "NaN")
    digits = f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0").rstrip(".")
    return f"{digits}e+{point - 1:02d}"
