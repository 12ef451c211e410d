"""The telemetry of one gateway pod: the OpenTelemetry SDK with the gateway's instruments, and the pod's ledger.

Every value goes to both in the same call. It must not decide what is recorded: that is gateway_metrics.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Counter as ApiCounter
from opentelemetry.metrics import Histogram as ApiHistogram
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

from aigw_demo.fleet import Pod
from aigw_demo.instruments import INSTRUMENTS, SCOPE, Instrument
from aigw_demo.ledger import Ledger

EXPORT_INTERVAL_SECONDS: Final = 2.0
DELTA: Final[dict[type, AggregationTemporality]] = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
}
CUMULATIVE: Final[dict[type, AggregationTemporality]] = {
    Counter: AggregationTemporality.CUMULATIVE,
    Histogram: AggregationTemporality.CUMULATIVE,
}


class ObservedExporter(OTLPMetricExporter):
    """The SDK's exporter over gRPC, which also remembers whether every export was acknowledged."""

    failures: int = 0

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object) -> MetricExportResult:
        """Send one request; a failed one is counted, for a delta that is lost can not be recovered."""
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self.failures += result is not MetricExportResult.SUCCESS
        return result


def choose_temporality(pod: Pod) -> dict[type, AggregationTemporality]:
    """How the pod's exporter counts; the gateway's histograms and counters always share it."""
    return DELTA if pod.delta else CUMULATIVE


def build_exporter(pod: Pod, endpoint: str) -> ObservedExporter:
    """The exporter of a pod, over plain gRPC."""
    return ObservedExporter(endpoint=endpoint, insecure=True, preferred_temporality=choose_temporality(pod))


class PodTelemetry:
    """Records each value twice: in the SDK, which pushes it, and in the ledger, which is the truth."""

    def __init__(self, pod: Pod, exporter: MetricExporter) -> None:
        self.pod = pod
        self.ledger = Ledger(pod.labels)
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=EXPORT_INTERVAL_SECONDS * 1000)
        self._provider = MeterProvider([reader], resource=Resource.create(pod.resource), shutdown_on_exit=False)
        meter = self._provider.get_meter(SCOPE)
        self._histograms: dict[str, ApiHistogram] = {}
        self._counters: dict[str, ApiCounter] = {}
        for instrument in INSTRUMENTS:
            if instrument.bounds:
                self._histograms[instrument.name] = meter.create_histogram(
                    instrument.name,
                    unit=instrument.unit,
                    description=instrument.description,
                    explicit_bucket_boundaries_advisory=instrument.bounds,
                )
            else:
                self._counters[instrument.name] = meter.create_counter(
                    instrument.name, unit=instrument.unit, description=instrument.description
                )

    def record(self, instrument: Instrument, value: float, attributes: Mapping[str, str]) -> None:
        """Record one value; the gateway's numbers are all floating point, its counters too."""
        if instrument.bounds:
            self._histograms[instrument.name].record(float(value), attributes)
        else:
            self._counters[instrument.name].add(float(value), attributes)
        self.ledger.add(instrument, float(value), attributes)

    def close(self) -> None:
        """Export once more and end, as a pod that is stopped does.

        Not force_flush: it would collect beside the periodic thread, and two delta exports could arrive out of order.
        """
        self._provider.shutdown()
