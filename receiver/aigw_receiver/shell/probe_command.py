"""`aigw-receiver probe HOST`: sends one export to a running receiver and looks for it in its series.

It speaks as a gateway pod of its own would, under a name and a metric that no dashboard of gateways shows.
"""

import argparse
import json
import re
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Final

_HELD, _NOT_HELD = 0, 1

# A pod that starts, and a Service that learns of it, take some seconds; a request that is not answered is asked again.
_TIMEOUT: Final = 60.0
_REQUEST_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.5

_NAMESPACE: Final = "aigw-telemetry-probe"
_NAME: Final = "probe"
# gen_ai.* is taken by every receiver, and no gateway has this one.
_METRIC: Final = "gen_ai.probe"
_SERIES: Final = "gen_ai_probe_total"
_COUNT: Final = 7
# AGGREGATION_TEMPORALITY_CUMULATIVE of opentelemetry/proto/metrics/v1/metrics.proto
_CUMULATIVE: Final = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("host", nargs="?", default="127.0.0.1", metavar="HOST", help="the receiver (default 127.0.0.1)")
    parser.add_argument("--otlp-http-port", type=int, default=4318, metavar="PORT", help="default 4318")
    parser.add_argument("--http-port", type=int, default=8080, metavar="PORT", help="default 8080")
    parser.add_argument(
        "--timeout", type=float, default=_TIMEOUT, metavar="SECONDS", help="give up after this (default 60)"
    )


def run(args: argparse.Namespace) -> tuple[str, int]:
    """What to print, and the exit status: 0 where the receiver has taken the export and shows it, else 1."""
    deadline = time.monotonic() + args.timeout
    host = f"[{args.host}]" if ":" in args.host else args.host
    export, metrics = f"http://{host}:{args.otlp_http_port}/v1/metrics", f"http://{host}:{args.http_port}/metrics"
    pod = f"probe-{secrets.token_hex(4)}"
    trouble = _until(deadline, lambda: _export(export, pod)) or _until(deadline, lambda: _look(metrics, pod))
    if trouble:
        return f"{trouble}\n", _NOT_HELD
    return f"{export} took an export, and {metrics} shows it: {_SERIES} of {pod} is {_COUNT}\n", _HELD


def _until(deadline: float, attempt: Callable[[], str]) -> str:
    """Try until there is nothing to complain about, or no time is left; the last complaint."""
    while True:
        trouble = attempt()
        if not trouble or time.monotonic() + _PAUSE_SECONDS > deadline:
            return trouble
        time.sleep(_PAUSE_SECONDS)


def _export(url: str, pod: str) -> str:
    request = urllib.request.Request(
        url, json.dumps(_request(pod, time.time_ns())).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_REQUEST_SECONDS) as response:
            answer = json.loads(response.read() or b"{}")
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"{url}: {error}"
    partial = answer.get("partialSuccess") or {}
    if int(partial.get("rejectedDataPoints") or 0):
        return f"{url}: refused the point: {partial.get('errorMessage', '')}"
    return ""


def _look(url: str, pod: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_REQUEST_SECONDS) as response:
            text = response.read().decode()
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"{url}: {error}"
    line = re.search(rf'^{_SERIES}{{[^}}\n]*gateway_pod="{pod}"[^}}\n]*}} (\S+)', text, re.MULTILINE)
    if line is None:
        return f"{url}: no {_SERIES} of {pod}"
    return "" if float(line[1]) == _COUNT else f"{url}: {_SERIES} of {pod} is {line[1]}, expected {_COUNT}"


def _request(pod: str, now: int) -> dict[str, Any]:
    """An ExportMetricsServiceRequest in OTLP/JSON: one cumulative count that began a second ago. Times are ns."""
    resource = {
        "aigw.gateway.namespace": _NAMESPACE,
        "aigw.gateway.name": _NAME,
        "k8s.pod.name": pod,
        "service.name": _NAME,
    }
    point = {"startTimeUnixNano": str(now - 10**9), "timeUnixNano": str(now), "asInt": str(_COUNT)}
    metric = {
        "name": _METRIC,
        "description": "What `aigw-receiver probe` has sent.",
        "sum": {"aggregationTemporality": _CUMULATIVE, "isMonotonic": True, "dataPoints": [point]},
    }
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
    scope = {"scope": {"name": "aigw-receiver"}, "metrics": [metric]}
    return {"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [scope]}]}
