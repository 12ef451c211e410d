"""The answers of a Prometheus as totals of cells. What was asked is in `promql`; nothing is fetched here.

    {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {LABEL: TEXT}, "value": [S, "N"]}]}}
    {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {…}, "values": [[S, "N"], …]}]}}
    {"status": "error", "errorType": TEXT, "error": TEXT}

Source: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from aigw_receiver.core.gateways.promql import Query
from aigw_receiver.core.rollup.model import LABELS, Cell, Distribution, Measure, Number, Totals

_MOST_MESSAGE: Final = 200  # characters


class AnswerError(Exception):
    """An answer that is none; the message says why."""


class Sample(NamedTuple):
    """One value of an answer: the labels of its series, a moment in nanoseconds since 1970, the value."""

    labels: Mapping[str, str]
    time: int
    value: float


Answered: TypeAlias = tuple[Query, Sequence[Sample]]


def parse(body: bytes) -> list[Sample]:
    """The samples of an answer. Raises AnswerError for one that says no, or that cannot be read."""
    try:
        document = json.loads(body)
        if document["status"] != "success":
            message = f"{document['errorType']}: {document['error']}"[:_MOST_MESSAGE]
            raise AnswerError(message)
        return list(_samples(document["data"]["result"]))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        message = "the answer is not that of a Prometheus"
        raise AnswerError(message) from None


def _samples(result: Iterable[Any]) -> Iterator[Sample]:
    for series in result:
        labels = {str(name): str(value) for name, value in series["metric"].items()}
        for time, text in series.get("values") or [series["value"]]:
            value = float(text)
            if math.isfinite(value):
                yield Sample(labels, round(time * 1000) * 1_000_000, value)


@dataclasses.dataclass(slots=True)
class _Parts:
    """What has come of one cell at one moment."""

    numbers: dict[Number, float] = dataclasses.field(default_factory=dict)
    buckets: dict[Measure, dict[float, float]] = dataclasses.field(default_factory=dict)
    sums: dict[Measure, float] = dataclasses.field(default_factory=dict)

    def take(self, query: Query, sample: Sample) -> None:
        """Take in a value."""
        of = query.family.of
        if isinstance(of, Measure):
            if query.family.is_sum:
                self.sums[of] = sample.value
            elif (bound := _bound(sample.labels)) is not None:
                self.buckets.setdefault(of, {})[bound] = sample.value
        elif isinstance(of, Number):
            self.numbers[of] = sample.value
        elif (number := of.get(sample.labels.get(query.family.by, ""))) is not None:
            self.numbers[number] = sample.value

    def totals(self) -> Totals:
        """All of it."""
        numbers = {number: value for number, value in self.numbers.items() if value}
        measures: dict[Measure, tuple[Distribution, ...]] = {}
        for measure, buckets in self.buckets.items():
            distribution = _distribution(buckets, self.sums.get(measure, 0.0))
            if distribution.count:
                measures[measure] = (distribution,)
        return Totals(numbers, measures)


def _bound(labels: Mapping[str, str]) -> float | None:
    """The upper bound of a bucket; a series of this name without one is not the receiver's."""
    try:
        return float(labels["le"])
    except (KeyError, ValueError):
        return None


def _distribution(buckets: Mapping[float, float], total: float) -> Distribution:
    """From cumulative counts by upper bound, which must not fall: where series have other bounds, they may."""
    bounds = sorted(buckets)
    cumulative = [round(count) for count in itertools.accumulate((buckets[bound] for bound in bounds), max)]
    counts = [after - before for before, after in itertools.pairwise((0, *cumulative))]
    finite = tuple(bound for bound in bounds if math.isfinite(bound))
    return Distribution(finite, (*counts[: len(finite)], sum(counts[len(finite) :])), total)


def _cell(query: Query, labels: Mapping[str, str]) -> Cell:
    key = tuple(labels.get(label, "") for label in LABELS[query.view])
    return Cell(query.view, labels.get("gateway_namespace", ""), labels.get("gateway_name", ""), key)


def gains(answers: Iterable[Answered]) -> dict[Cell, Totals]:
    """What cells gained within a window."""
    parts: dict[Cell, _Parts] = {}
    for query, samples in answers:
        for sample in samples:
            parts.setdefault(_cell(query, sample.labels), _Parts()).take(query, sample)
    return {cell: part.totals() for cell, part in parts.items()}


def gains_by_step(
    answers: Iterable[Answered], cells: Sequence[Cell], edges: Sequence[int]
) -> dict[Cell, list[Totals | None]]:
    """What each of these cells gained in each step; None where the Prometheus has no sample of any of them."""
    parts: dict[tuple[Cell, int], _Parts] = {}
    for query, samples in answers:
        for sample in samples:
            parts.setdefault((_cell(query, sample.labels), sample.time), _Parts()).take(query, sample)
    known = {time for _, time in parts}
    return {
        cell: [parts.get((cell, edge), _Parts()).totals() if edge in known else None for edge in edges[1:]]
        for cell in cells
    }
