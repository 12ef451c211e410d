"""OTLP exports in a comparable form: what instruments a sender has, and what it recorded in each stream.

For captures of the real gateway and for the stand-in's own exports alike. It must not know either of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from aigw_demo.series import HistogramValue, SeriesValue

CAPTURES = Path(__file__).parents[1] / "captures"


@dataclass(frozen=True, slots=True)
class Definition:
    """What an export says of an instrument, apart from its numbers."""

    unit: str
    description: str
    kind: str
    monotonic: bool
    integer: bool
    scope: tuple[str, str]
    bounds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream's identity: instrument and attributes."""

    name: str
    attributes: frozenset[tuple[str, str]]

    def __repr__(self) -> str:
        return f"{self.name}{dict(sorted(self.attributes))}"


@dataclass(frozen=True, slots=True)
class Export:
    """One export."""

    resource: Mapping[str, str]
    definitions: Mapping[str, Definition]
    streams: Mapping[Stream, SeriesValue]
    temporalities: frozenset[int]


def read_capture(name: str) -> Export:
    """A capture by its file name."""
    return parse_export(ExportMetricsServiceRequest.FromString((CAPTURES / name).read_bytes()))


def parse_attributes(attributes: list[KeyValue]) -> dict[str, str]:
    """String attributes; any other type would be an error of the sender."""
    assert {"string_value"} >= {pair.value.WhichOneof("value") for pair in attributes}
    return {pair.key: pair.value.string_value for pair in attributes}


def parse_export(request: ExportMetricsServiceRequest) -> Export:
    """The one resource of a request with all its metrics."""
    (resource_metrics,) = request.resource_metrics
    definitions: dict[str, Definition] = {}
    streams: dict[Stream, SeriesValue] = {}
    temporalities: set[int] = set()
    for scope_metrics in resource_metrics.scope_metrics:
        scope = (scope_metrics.scope.name, scope_metrics.scope.version)
        for metric in scope_metrics.metrics:
            definitions[metric.name] = parse_definition(metric, scope)
            streams |= parse_streams(metric)
            data = metric.histogram if metric.HasField("histogram") else metric.sum
            temporalities.add(data.aggregation_temporality)
    resource = parse_attributes(list(resource_metrics.resource.attributes))
    return Export(resource, definitions, streams, frozenset(temporalities))


def parse_definition(metric: Metric, scope: tuple[str, str]) -> Definition:
    """The definition of one metric; all its points share their bounds."""
    bounds = {tuple(point.explicit_bounds) for point in metric.histogram.data_points} or {()}
    (only_bounds,) = bounds
    return Definition(
        unit=metric.unit,
        description=metric.description,
        kind=str(metric.WhichOneof("data")),
        monotonic=metric.sum.is_monotonic,
        integer=any(point.HasField("as_int") for point in metric.sum.data_points),
        scope=scope,
        bounds=only_bounds,
    )


def parse_streams(metric: Metric) -> dict[Stream, SeriesValue]:
    """The value of each stream of one metric."""
    streams: dict[Stream, SeriesValue] = {}
    for number in metric.sum.data_points:
        attributes = frozenset(parse_attributes(list(number.attributes)).items())
        streams[Stream(metric.name, attributes)] = number.as_double
    for point in metric.histogram.data_points:
        attributes = frozenset(parse_attributes(list(point.attributes)).items())
        buckets = zip((*point.explicit_bounds, math.inf), accumulate(point.bucket_counts), strict=True)
        streams[Stream(metric.name, attributes)] = HistogramValue(point.count, point.sum, tuple(buckets))
    return streams
