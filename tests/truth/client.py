"""A gateway pod's worth of telemetry from the real OpenTelemetry SDK, as a program: `python -m truth.client SETTINGS`.

Reads one JSON command a line from stdin, answers each with a line, and prints its ledger once stdin ends and the last
export is acknowledged. Measurements are integers, so that every sum is exact. It knows nothing of the receiver but
the endpoint.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from opentelemetry.metrics import Counter, Histogram
from opentelemetry.sdk.metrics import Counter as SdkCounter
from opentelemetry.sdk.metrics import Histogram as SdkHistogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from truth import instruments
from truth.instruments import INSTRUMENTS, Instrument
from truth.ledger import Ledger

# Longer than the six attempts of the SDK's exporters take with their doubling waits (31 s): only the attempts end it.
EXPORT_TIMEOUT_SECONDS: Final = 60
SHUTDOWN_TIMEOUT_MILLIS: Final = 90_000
SCOPE: Final = "envoyproxy/ai-gateway"

_DELTA: Final = AggregationTemporality.DELTA
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_TEMPORALITY: Final[dict[str, dict[type, AggregationTemporality]]] = {
    "delta": {SdkCounter: _DELTA, SdkHistogram: _DELTA},
    "cumulative": {SdkCounter: _CUMULATIVE, SdkHistogram: _CUMULATIVE},
    "mixed": {SdkCounter: _CUMULATIVE, SdkHistogram: _DELTA},
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The JSON argument."""

    endpoint: str
    protocol: Literal["grpc", "http"]
    temporality: Literal["delta", "cumulative", "mixed"]
    interval_seconds: float
    resource: dict[str, str]
    seed: int
    floats: bool


class AcknowledgedExporter(MetricExporter):
    """The SDK's exporter, watched: how many exports were given up, and up to which collection all are acknowledged."""

    def __init__(self, settings: Settings) -> None:
        temporality = _TEMPORALITY[settings.temporality]
        super().__init__(preferred_temporality=temporality)
        self._exporter = _make_exporter(settings, temporality)
        self.failures = 0
        self.acknowledged_until_ns = 0

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Export, and note the time of the collection once it is acknowledged."""
        result = self._exporter.export(metrics_data, timeout_millis, **kwargs)
        if result is MetricExportResult.SUCCESS:
            self.acknowledged_until_ns = max(self.acknowledged_until_ns, *_collection_times(metrics_data), 0)
        else:
            self.failures += 1
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Pass on."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Pass on."""
        self._exporter.shutdown(timeout_millis, **kwargs)


def _make_exporter(settings: Settings, temporality: dict[type, AggregationTemporality]) -> MetricExporter:
    # Imported where it is used: each costs a noticeable part of a short-lived pod's start.
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_exporter  # noqa: PLC0415

        return grpc_exporter.OTLPMetricExporter(
            endpoint=settings.endpoint,
            insecure=True,
            timeout=EXPORT_TIMEOUT_SECONDS,
            preferred_temporality=temporality,
        )
    from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_exporter  # noqa: PLC0415

    return http_exporter.OTLPMetricExporter(
        endpoint=f"{settings.endpoint}/v1/metrics",
        timeout=EXPORT_TIMEOUT_SECONDS,
        compression=Compression.Gzip,
        preferred_temporality=temporality,
    )


def _collection_times(metrics_data: MetricsData) -> Iterator[int]:
    for resource_metrics in metrics_data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                for point in metric.data.data_points:
                    yield point.time_unix_nano


class Telemetry:
    """One MeterProvider with the gateway's instruments: a new one starts every stream anew."""

    def __init__(self, settings: Settings) -> None:
        self.exporter = AcknowledgedExporter(settings)
        reader = PeriodicExportingMetricReader(
            self.exporter, export_interval_millis=settings.interval_seconds * 1000, export_timeout_millis=60_000
        )
        # Two ways to the same bounds: a gateway's views, an application's advice.
        by_view = settings.protocol == "grpc"
        self._provider = MeterProvider([reader], Resource(settings.resource), views=_views() if by_view else ())
        meter = self._provider.get_meter(SCOPE)
        self._histograms: dict[str, Histogram] = {}
        self._counters: dict[str, Counter] = {}
        for name, instrument in INSTRUMENTS.items():
            if instrument.bounds:
                advice = None if by_view else instrument.bounds
                self._histograms[name] = meter.create_histogram(
                    name, instrument.unit, "as the gateway has it", explicit_bucket_boundaries_advisory=advice
                )
            else:
                self._counters[name] = meter.create_counter(name, instrument.unit, "as the gateway has it")

    def record(self, instrument: Instrument, attributes: dict[str, str], measurement: float) -> None:
        """Give one measurement to the SDK."""
        if instrument.bounds:
            self._histograms[instrument.name].record(measurement, attributes)
        else:
            self._counters[instrument.name].add(measurement, attributes)

    def close(self) -> int:
        """Shut down, which exports once more; the number of exports that were given up."""
        self._provider.shutdown(SHUTDOWN_TIMEOUT_MILLIS)
        return self.exporter.failures


def _views() -> list[View]:
    return [
        View(instrument_name=name, aggregation=ExplicitBucketHistogramAggregation(instrument.bounds))
        for name, instrument in INSTRUMENTS.items()
        if instrument.bounds
    ]


class Client:
    """Random traffic of one pod into the SDK, and into the ledger."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._random = random.Random(settings.seed)
        self._telemetry = Telemetry(settings)
        self._failures = 0
        self.ledger = Ledger()

    def traffic(self, requests: int, seconds: float, models: list[str]) -> None:
        """Send this many requests, spread evenly over this time."""
        began = time.monotonic()
        for number in range(1, requests + 1):
            self._request(self._random.choice(models))
            time.sleep(max(0.0, began + seconds * number / requests - time.monotonic()))

    def repeat(self, seconds: float) -> None:
        """Measure once more on every stream that is known, which starts no new one."""
        for name, attributes in self.ledger.series():
            self._record(INSTRUMENTS[name], dict(attributes), self._random.randrange(50))
        time.sleep(seconds)

    def settle(self) -> None:
        """Return once everything that was recorded before this call is acknowledged."""
        recorded_until_ns = time.time_ns()
        # A measurement with each look: an interval without one exports nothing in delta mode, so no time would come.
        while self._telemetry.exporter.acknowledged_until_ns <= recorded_until_ns:
            self._record(instruments.MCP_PROGRESS, {}, 1)
            time.sleep(self._settings.interval_seconds / 4)

    def reset(self) -> None:
        """Go on with a new MeterProvider of the same identity."""
        self._failures += self._telemetry.close()
        self._telemetry = Telemetry(self._settings)

    def close(self) -> int:
        """Export what is left; the number of exports that were given up in this life."""
        return self._failures + self._telemetry.close()

    def _request(self, model: str) -> None:
        choose = self._random
        attributes = {
            "gen_ai.operation.name": choose.choices(["chat", "embeddings"], [95, 5])[0],
            "gen_ai.provider.name": "openai",
            "gen_ai.original.model": model,
            "gen_ai.request.model": model,
        }
        if choose.random() < 0.1:
            failed = {**attributes, "gen_ai.response.model": "unknown", "error.type": "_OTHER"}
            self._record(instruments.REQUESTS, failed, choose.randrange(100))
            return
        attributes["gen_ai.response.model"] = f"{model}-2026-01-01"
        self._record(instruments.REQUESTS, attributes, choose.randrange(100))
        token_types = {"input": 100_000_000, "output": 4_096, "cached_input": 300}
        for token_type, most in token_types.items():
            if token_type != "cached_input" or choose.random() < 0.2:
                tokens = choose.choice([0, 1, 4, 16, choose.randrange(most)])
                self._record(instruments.TOKENS, {**attributes, "gen_ai.token.type": token_type}, tokens)
        if choose.random() < 0.5:
            self._record(instruments.FIRST_TOKEN, attributes, choose.randrange(70))
            self._record(instruments.OUTPUT_TOKEN, attributes, choose.randrange(4))
        if choose.random() < 0.3:
            self._mcp_call()

    def _mcp_call(self) -> None:
        choose = self._random
        backend = {"mcp.backend": choose.choice(["everything", 'quo"ted\\back\nend'])}
        method = choose.choices(["tools/call", "tools/list", "initialize", "prompts/get"], [60, 30, 8, 2])[0]
        status = choose.choices(["success", "failed", "error"], [90, 8, 2])[0]
        self._record(instruments.MCP_METHODS, {"mcp.method.name": method, "status": status, **backend}, 1)
        self._record(instruments.MCP_REQUESTS, backend, choose.randrange(12))
        if method == "initialize":
            self._record(instruments.MCP_INITIALIZATIONS, backend, choose.randrange(3))

    def _record(self, instrument: Instrument, attributes: dict[str, str], measurement: int) -> None:
        self.ledger.record(instrument, attributes, measurement)
        self._telemetry.record(instrument, attributes, float(measurement) if self._settings.floats else measurement)


def main() -> None:
    """Run the commands, then print the ledger."""
    client = Client(Settings(**json.loads(sys.argv[1])))
    commands: dict[str, Callable[..., None]] = {
        "traffic": client.traffic,
        "repeat": client.repeat,
        "settle": client.settle,
        "reset": client.reset,
    }
    for line in sys.stdin:
        command = json.loads(line)
        commands[command.pop("do")](**command)
        print("done", flush=True)
    failures = client.close()
    print(json.dumps({"failures": failures, "rows": client.ledger.rows()}), flush=True)


if __name__ == "__main__":
    main()
