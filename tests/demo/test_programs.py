"""The programs around the demo: ports, the real gateway's absence, and its own /metrics read as the truth."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from aigw_demo.aigw import build_environment, parse_own_metrics
from aigw_demo.fleet import REAL_POD
from aigw_demo.instruments import INSTRUMENTS
from aigw_demo.receiver import HOST, Addresses, choose_ports
from aigw_demo.series import build_key, build_label_name
from aigw_demo.summary import compare_series
from demo.exports import CAPTURES, read_capture

DEMO: Final = Path(__file__).parents[2] / "demo"
FAMILIES: Final = {instrument.name: instrument.family for instrument in INSTRUMENTS}
# The whole of a short run; a slow machine may need much longer than its seconds of traffic.
RUN_LIMIT_SECONDS: Final = 120


def run_demo(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the demo as `make demo` does, with its output in a pipe."""
    environment = {**os.environ, "PYTHONPATH": str(DEMO), **({} if path is None else {"PATH": path})}
    return subprocess.run(
        [sys.executable, "-m", "aigw_demo", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_SECONDS,
        check=False,
    )


def test_short_run_proves_equality() -> None:
    """The promise of the demo: real traffic, kept requests, the page, and at the end everything is right."""
    finished = run_demo("--seconds", "6")
    lines = finished.stdout.splitlines()
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert [line for line in lines if line.startswith("receiver totals equal what the gateways recorded: ")]
    assert lines[-1].startswith("decisions and cost equal what was sent: ")
    assert [line for line in lines if line.startswith("KEPT AT")]
    assert lines[0].startswith("open this page            http://127.0.0.1:")
    assert [line for line in lines if line.startswith("the page shows what the gateways recorded: ")]
    evaluated = [line for line in lines if line.startswith("Prometheus evaluated ")]
    assert (["none failed"] if shutil.which("prometheus") else []) == [line.rpartition(", ")[2] for line in evaluated]


def test_real_gateway_that_is_missing_is_one_clear_line(tmp_path: Path) -> None:
    """A traceback instead of one line would not tell a newcomer what to install."""
    finished = run_demo("--gateway", "aigw", "--seconds", "1", path=str(tmp_path))
    expected = "demo: aigw is not on the PATH: install it, or run the demo without GATEWAY=aigw\n"
    assert (1, "", expected) == (finished.returncode, finished.stdout, finished.stderr)


def test_preferred_port_is_taken_only_when_free() -> None:
    """A demo that insists on a port in use would not start beside another program."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        used = listener.getsockname()[1]
        (other,) = choose_ports((used,))
    assert used != other
    assert (used,) == choose_ports((used,))


def test_real_gateways_own_metrics_are_read_as_the_receivers_series() -> None:
    """The truth of a real gateway's run would otherwise be compared under other names, and never be equal."""
    text = (CAPTURES / "aigw-cumulative-metrics.txt").read_text()
    exported = {
        build_key(
            FAMILIES[stream.name],
            {**{build_label_name(name): value for name, value in stream.attributes}, **REAL_POD.labels},
        ): value
        for stream, value in read_capture("aigw-cumulative-metrics-007.pb").streams.items()
    }
    assert compare_series(parse_own_metrics(text), exported) == []


def test_real_gateway_gets_what_the_operator_injects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traces carry prompts and must stay off; a variable of the user's shell must not lead the numbers elsewhere."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://elsewhere:4317")

    addresses = Addresses("127.0.0.1:4317", "", "", "")
    environment = build_environment(addresses, "http://127.0.0.1:9", "d")
    assert {name: value for name, value in environment.items() if name.startswith("OTEL_")} == {
        "OTEL_SERVICE_NAME": "aigw-run",
        "OTEL_RESOURCE_ATTRIBUTES": "aigw.service=aigw-run,job_name=envoy-ai-gateway,service.layer=ENVOY_AI_GATEWAY,"
        "service.instance.id=aigw-run-0,aigw.gateway.namespace=default,aigw.gateway.name=aigw-run,"
        "k8s.pod.name=aigw-run-0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": "2000",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    assert environment["OPENAI_BASE_URL"] == "http://127.0.0.1:9/v1"
