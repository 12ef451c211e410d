"""What Prometheus' own tool says of our exposition, after the gateway's captures and a live client."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from truth.pods import Life, Pod, Traffic, playing
from truth.programs import Receiver, find_program, running_receiver
from truth.waiting import post

_CAPTURES: Final = Path(__file__).resolve().parent.parent / "captures"
_OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """Give a receiver that holds the streams of every captured sender, and those of a client that just ended."""
    folder = tmp_path_factory.mktemp("promtool")
    with running_receiver(folder / "receiver.log") as running:
        for capture in sorted(_CAPTURES.glob("*-metrics-*.pb")):
            post(f"http://{running.otlp_http}/v1/metrics", capture.read_bytes(), "application/x-protobuf")
        pod = Pod("promtool", "gateway", "pod-0", seed=1, lives=(Life((Traffic(200, 0.5),)),))
        with playing([pod], running.endpoints, folder):
            pass
        yield running


def _promtool(*arguments: str, stdin: str = "") -> tuple[int, str]:
    ended = subprocess.run(
        [find_program("promtool"), *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_text_format_has_no_lint(receiver: Receiver) -> None:
    """A name, type, unit or help text breaks a convention of Prometheus."""
    exposition = receiver.scrape("text/plain; version=0.0.4")
    for family in ("gen_ai_client_token_usage", "mcp_request_duration_seconds", "mcp_method_count_total"):
        assert f"# TYPE {family} " in exposition
    clean = (0, "")
    assert clean == _promtool("check", "metrics", stdin=exposition)


def test_openmetrics_format_is_read(receiver: Receiver, tmp_path: Path) -> None:
    """Prometheus' reader of OpenMetrics refuses what we say is OpenMetrics."""
    exposition = receiver.scrape(_OPENMETRICS)
    assert exposition.endswith("# EOF\n")
    # promtool reads this format only to fill a database, and wants a time on every sample for that.
    lines = [line if line.startswith("#") else f"{line} 1.0" for line in exposition.splitlines()]
    source = tmp_path / "metrics.txt"
    source.write_text("\n".join(lines) + "\n")
    status, output = _promtool("tsdb", "create-blocks-from", "openmetrics", str(source), str(tmp_path / "blocks"))
    assert not status, output
