"""The receiver that one writes first, as the yardstick: generated classes, a dict of attribute tuples, generate_latest.

Run as a program it serves OTLP/gRPC and /metrics on free ports of the loopback interface, prints them, and ends when
its standard input is closed. It knows explicit histograms, delta and cumulative, and the identity of a pod; it has
none of the rules about resets, duplicates, late points, limits or the end of pods. It must not be made cleverer: the
bars of the project are ratios to it.
"""

import argparse
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.utils import floatToGoString

Labels = tuple[tuple[str, str], ...]


def text(value: common_pb2.AnyValue) -> str:
    """An attribute's value as a label value."""
    kind = value.WhichOneof("value")
    return str(getattr(value, kind)) if kind else ""


def identity(resource: resource_pb2.Resource) -> Labels:
    """The labels that tell gateways and pods apart."""
    attributes = {attribute.key: text(attribute.value) for attribute in resource.attributes}
    return (
        ("gateway_namespace", attributes.get("aigw.gateway.namespace", "")),
        ("gateway_name", attributes.get("aigw.gateway.name", "")),
        ("gateway_pod", attributes.get("k8s.pod.name", "")),
    )


class Stream:
    """The running totals of one series."""

    __slots__ = ("bounds", "counts", "created", "total")

    def __init__(self, point: metrics_pb2.HistogramDataPoint) -> None:
        self.created = point.start_time_unix_nano / 1e9
        self.bounds = tuple(point.explicit_bounds)
        self.counts = [0] * len(point.bucket_counts)
        self.total = 0.0

    def observe(self, point: metrics_pb2.HistogramDataPoint, *, delta: bool) -> None:
        """Add a delta point, or take over a cumulative one."""
        if delta:
            self.counts = [a + b for a, b in zip(self.counts, point.bucket_counts, strict=True)]
            self.total += point.sum
        else:
            self.counts = list(point.bucket_counts)
            self.total = point.sum


class Store(metrics_service_pb2_grpc.MetricsServiceServicer):
    """All series: fed by Export, read by the collector of prometheus_client."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.streams: dict[tuple[str, Labels, Labels], Stream] = {}
        self.help: dict[str, str] = {}

    # The name is given by the service.
    def Export(  # noqa: N802
        self,
        request: metrics_service_pb2.ExportMetricsServiceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        """Take one export."""
        with self.lock:
            for resource_metrics in request.resource_metrics:
                labels = identity(resource_metrics.resource)
                for scope_metrics in resource_metrics.scope_metrics:
                    for metric in scope_metrics.metrics:
                        self.observe(labels, metric)
        return metrics_service_pb2.ExportMetricsServiceResponse()

    def observe(self, labels: Labels, metric: metrics_pb2.Metric) -> None:
        """Take the points of one metric."""
        name = metric.name.replace(".", "_") + ("_seconds" if metric.unit == "s" else "")
        self.help[name] = metric.description
        delta = metric.histogram.aggregation_temporality == metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
        for point in metric.histogram.data_points:
            attributes = tuple(sorted((attribute.key, text(attribute.value)) for attribute in point.attributes))
            key = (name, labels, attributes)
            stream = self.streams.get(key)
            if stream is None:
                stream = self.streams[key] = Stream(point)
            stream.observe(point, delta=delta)

    def describe(self) -> Sequence[HistogramMetricFamily]:
        """Nothing is known before the first export."""
        return ()

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """All series as families; the points of one metric all have the same attribute keys here."""
        families: dict[str, HistogramMetricFamily] = {}
        with self.lock:
            for (name, labels, attributes), stream in self.streams.items():
                pairs = {**dict(labels), **{key.replace(".", "_"): value for key, value in attributes}}
                family = families.get(name)
                if family is None:
                    family = families[name] = HistogramMetricFamily(name, self.help[name], labels=list(pairs))
                family.add_metric(list(pairs.values()), self.buckets(stream), stream.total)
                family.add_sample(name + "_created", pairs, stream.created)
        yield from families.values()

    @staticmethod
    def buckets(stream: Stream) -> list[tuple[str, float]]:
        """The cumulative buckets of a series with their upper bounds."""
        running = 0
        buckets = []
        for bound, count in zip((*stream.bounds, float("inf")), stream.counts, strict=True):
            running += count
            buckets.append((floatToGoString(bound), float(running)))  # type: ignore[no-untyped-call]
        return buckets


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    arguments = parser.parse_args()
    store = Store()
    registry = CollectorRegistry()
    registry.register(store)
    http: Any = start_http_server(0, addr="127.0.0.1", registry=registry)[0]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=arguments.workers))
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(store, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"127.0.0.1:{port} http://127.0.0.1:{http.server_port}", flush=True)
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
