"""What a Gateway's pod would export, given the env that it was injected: it plays the kubelet and OpenTelemetry's SDK.

Kubernetes' own rule for $(VAR), and the SDK's for OTEL_RESOURCE_ATTRIBUTES, are written here anew, so that a mistake in
the operator's is not repeated.
"""

import re
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import otlp_messages
from cluster import extproc

_REFERENCE = re.compile(r"\$\((\w+)\)")


def environment(pod: Mapping[str, Any]) -> dict[str, str]:
    """The values that a kubelet gives the external processor."""
    container = extproc.find_container(pod) or {}
    values: dict[str, str] = {}
    entries: Sequence[Mapping[str, Any]] = container.get("env") or ()
    for entry in entries:
        path = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        text = _field(pod, path) if path else str(entry.get("value", ""))
        values[entry["name"]] = _REFERENCE.sub(lambda match: values.get(match[1], match[0]), text)
    return values


def _field(pod: Mapping[str, Any], path: str) -> str:
    label = re.fullmatch(r"metadata\.labels\['(.+)'\]", path)
    metadata = pod["metadata"]
    return str(metadata["labels"].get(label[1], "") if label else metadata[path.removeprefix("metadata.")])


def resource(pod: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of the resource that the pod's SDK sends."""
    values = environment(pod)
    pairs = [pair.split("=", 1) for pair in values.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",") if pair]
    found = {key.strip(): urllib.parse.unquote(value.strip()) for key, value in pairs}
    return found | ({"service.name": values["OTEL_SERVICE_NAME"]} if values.get("OTEL_SERVICE_NAME") else {})


def export(pod: Mapping[str, Any], otlp_http: str, requests: int) -> None:
    """One export of a counter, to the receiver at this address instead of the one in the env, which has no network."""
    now = time.time_ns()
    point = otlp_messages.number(requests, {"mcp.method.name": "tools/call"}, start=now - 10**9, time=now)
    metric = otlp_messages.counter(point, temporality=otlp_messages.CUMULATIVE)
    body = otlp_messages.export(metric, resource=resource(pod))
    headers = {"Content-Type": "application/x-protobuf"}
    request = urllib.request.Request(f"{otlp_http}/v1/metrics", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()
