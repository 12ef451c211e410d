"""`python -m standin.sidecar`: what AI Gateway's external processor is to telemetry, as a sidecar of an Envoy pod.

Envoy sends requests to it by a socket in a volume that both share, and it sends them on; it measures as the demo's
gateway does. Everything about its telemetry comes from the env that was injected, by the SDK's own reading of it: where
to, how often, in which temporality, and the resource.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp import web
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader

from aigw_demo.gateway_standin import Gateway
from aigw_demo.instruments import INSTRUMENTS, SCOPE, Instrument
from aigw_demo.telemetry import PodTelemetry

SOCKET: Final = Path("/etc/ai-gateway-extproc-uds/run.sock")
_PROVIDER: Final = "http://provider.aigw-demo.svc.cluster.local:8080"
_ENVOY: Final = "http://127.0.0.1:10080"
_MCP_SERVERS: Final = ("everything",)
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class EnvironmentTelemetry(PodTelemetry):
    """The gateway's instruments, configured by the environment alone; without an endpoint there nothing is sent."""

    def __init__(self) -> None:
        readers: list[MetricReader] = []
        if any(os.environ.get(name) for name in _ENDPOINTS):
            readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
        self._provider = MeterProvider(readers)
        meter = self._provider.get_meter(SCOPE)
        # Go's SDK exports at every interval, Python's only where there is something: so there always is.
        meter.create_observable_gauge("gen_ai.standin.up", [lambda _: [Observation(1)]])
        self._recorders: dict[str, Histogram | Counter] = {
            each.name: meter.create_histogram(
                each.name,
                each.unit,
                each.description,
                explicit_bucket_boundaries_advisory=each.bounds,
            )
            if each.bounds
            else meter.create_counter(each.name, each.unit, each.description)
            for each in INSTRUMENTS
        }

    def record(self, instrument: Instrument, value: float, attributes: Mapping[str, str]) -> None:
        """Record one value."""
        recorder = self._recorders[instrument.name]
        if isinstance(recorder, Histogram):
            recorder.record(float(value), attributes)
        else:
            recorder.add(float(value), attributes)


async def _build() -> web.Application:
    telemetry = EnvironmentTelemetry()
    gateway = Gateway(telemetry, _PROVIDER, _MCP_SERVERS)
    gateway.mcp.upstream = _ENVOY
    app = gateway.build_app()

    async def close(_: web.Application) -> None:
        telemetry.close()

    app.on_cleanup.append(close)
    return app


def main() -> None:
    """Serve until SIGTERM; then send what was measured last."""
    SOCKET.unlink(missing_ok=True)
    web.run_app(_build(), path=str(SOCKET), access_log=None, print=None)


if __name__ == "__main__":
    main()
