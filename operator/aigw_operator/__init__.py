"""The operator: it wires Gateways of Envoy AI Gateway to a telemetry receiver, proves it, and undoes it."""
