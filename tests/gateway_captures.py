"""What a real gateway sent, moved to another time: what is older than a receiver is not counted as new."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

CAPTURES: Final = Path(__file__).parent / "captures"


def metrics_since(temporality: str, began: int) -> list[ExportMetricsServiceRequest]:
    """Its exports of metrics in their order, as if the first interval had begun at `began` (nanoseconds since 1970)."""
    requests: Sequence[Any] = [
        ExportMetricsServiceRequest.FromString(file.read_bytes())
        for file in sorted(CAPTURES.glob(f"aigw-{temporality}-metrics-*.pb"))
    ]
    points = [
        point
        for request in requests
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in (*metric.histogram.data_points, *metric.sum.data_points)
    ]
    shift = began - min(point.start_time_unix_nano for point in points)
    for point in points:
        point.start_time_unix_nano += shift
        point.time_unix_nano += shift
    return list(requests)
