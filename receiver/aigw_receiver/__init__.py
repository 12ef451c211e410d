"""The receiver of aigw-telemetry: OTLP of Envoy AI Gateway in, exact Prometheus series out."""
