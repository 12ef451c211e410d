"""Series written as an exposition, for tests that need a scrape without a receiver. It must not round any number."""

import math

from aigw_demo.series import HistogramValue, SeriesKey, SeriesMap


def render_labels(key: SeriesKey, bound: float | None = None) -> str:
    """The labels of a sample in their braces."""
    le = [] if bound is None else [("le", "+Inf" if math.isinf(bound) else repr(bound))]
    return "{" + ",".join(f'{name}="{value}"' for name, value in [*key.labels, *le]) + "}"


def render_exposition(series: SeriesMap) -> str:
    """The text format, each family with its type."""
    lines = []
    typed = set[str]()
    for key, value in sorted(series.items(), key=str):
        kind = "histogram" if isinstance(value, HistogramValue) else "counter"
        if key.family not in typed:
            typed.add(key.family)
            lines.append(f"# TYPE {key.family} {kind}")
        if isinstance(value, HistogramValue):
            lines += [f"{key.family}_bucket{render_labels(key, bound)} {number}" for bound, number in value.buckets]
            lines.append(f"{key.family}_sum{render_labels(key)} {value.sum!r}")
            lines.append(f"{key.family}_count{render_labels(key)} {value.count}")
        else:
            lines.append(f"{key.family}{render_labels(key)} {value!r}")
    return "\n".join(lines) + "\n"
