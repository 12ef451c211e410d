"""Series as values: what was recorded, and what a Prometheus exposition says, in the same form.

A series is its family and labels; its value is a counter's number or a histogram. It must not know who recorded what.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

COST: Final = "gen_ai_estimated_cost_usd_total"
UNPRICED: Final = "gen_ai_unpriced_tokens_total"
# What a gateway asked the provider for; here no route gives a model another name.
COST_MODEL_LABEL: Final = "gen_ai_request_model"
# Families that say something about a sender, or that the receiver makes of others or of access logs, and that hold no
# recorded number.
LOG_PREFIX: Final = "aigw_"
DERIVED_FAMILIES: Final = ("target_info", COST, UNPRICED, LOG_PREFIX)
# Prometheus text 0.0.4 writes the creation time of a family as a family of its own.
CREATED_SUFFIX: Final = "_created"
SCOPE_LABEL_PREFIX: Final = "otel_scope_"


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What identifies a series: its family, and its labels sorted by name."""

    family: str
    labels: tuple[tuple[str, str], ...]

    def label(self, name: str) -> str:
        """The value of a label, or the empty string, as Prometheus sees it."""
        return dict(self.labels).get(name, "")

    def __str__(self) -> str:
        return self.family + "{" + ",".join(f'{name}="{value}"' for name, value in self.labels) + "}"


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """A histogram: buckets are pairs of upper bound and cumulative count; the last bound is infinite."""

    count: int
    sum: float
    buckets: tuple[tuple[float, int], ...]


SeriesValue = float | HistogramValue
SeriesMap = dict[SeriesKey, SeriesValue]


def build_key(family: str, labels: Mapping[str, str]) -> SeriesKey:
    """The key of a family and its labels, whatever order they come in; scope labels and empty ones say nothing."""
    kept = {name: value for name, value in labels.items() if value != "" and not name.startswith(SCOPE_LABEL_PREFIX)}
    return SeriesKey(family, tuple(sorted(kept.items())))


def build_label_name(attribute: str) -> str:
    """The Prometheus label of an OpenTelemetry attribute."""
    return attribute.replace(".", "_")


def merge_histograms(values: Iterable[HistogramValue]) -> HistogramValue:
    """The histogram of all observations of several histograms that share their bounds."""
    count, total, merged = 0, 0.0, dict[float, int]()
    for value in values:
        count += value.count
        total += value.sum
        for bound, cumulative in value.buckets:
            merged[bound] = merged.get(bound, 0) + cumulative
    return HistogramValue(count, total, tuple(sorted(merged.items())))


@dataclass(slots=True)
class _HistogramParts:
    """The samples of one histogram, as far as they have been read."""

    count: float = 0
    sum: float = math.nan
    buckets: dict[float, float] | None = None

    def add(self, sample: Sample) -> None:
        """Take one sample of the family in."""
        if sample.name.endswith("_bucket"):
            self.buckets = {**(self.buckets or {}), float(sample.labels["le"]): sample.value}
        elif sample.name.endswith("_count"):
            self.count = sample.value
        elif sample.name.endswith("_sum"):
            self.sum = sample.value

    def value(self) -> HistogramValue:
        """The histogram that was read."""
        buckets = tuple((bound, int(number)) for bound, number in sorted((self.buckets or {}).items()))
        return HistogramValue(int(self.count), self.sum, buckets)


def select_recorded(series: SeriesMap) -> SeriesMap:
    """Those series that hold what gateways recorded."""
    return {key: value for key, value in series.items() if not key.family.startswith(DERIVED_FAMILIES)}


def select_log_counters(series: SeriesMap) -> SeriesMap:
    """Those series that the receiver makes of access logs."""
    return {key: value for key, value in series.items() if key.family.startswith(LOG_PREFIX)}


def sum_counters(series: SeriesMap, family: str, **labels: str) -> float:
    """The sum of all counters of a family that have these labels."""
    return sum(
        value
        for key, value in series.items()
        if key.family == family
        and not isinstance(value, HistogramValue)
        and all(key.label(name) == wanted for name, wanted in labels.items())
    )


def parse_exposition(text: str) -> SeriesMap:
    """Every counter and histogram of an exposition in the text format."""
    series: SeriesMap = {}
    histograms: dict[SeriesKey, _HistogramParts] = {}
    for family in text_string_to_metric_families(text):
        if family.name.endswith(CREATED_SUFFIX):
            continue
        for sample in family.samples:
            if family.type == "histogram":
                labels = {name: value for name, value in sample.labels.items() if name != "le"}
                histograms.setdefault(build_key(family.name, labels), _HistogramParts()).add(sample)
            elif not sample.name.endswith(CREATED_SUFFIX):
                series[build_key(sample.name, sample.labels)] = sample.value
    return series | {key: parts.value() for key, parts in histograms.items()}
