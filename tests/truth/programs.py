"""The programs under the truth test: the receiver on ports that stay, and real Prometheus servers that scrape it.

Starts, stops and asks them; judges nothing.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from truth.ledger import Series
from truth.ports import address
from truth.waiting import DEADLINE_SECONDS, answers, get, wait_until

INSTALL_PROMETHEUS: Final = "apt-get install --no-install-recommends prometheus"
# Reaches back over the whole run of any case.
_RANGE: Final = "10m"
# Series that say something about a gateway, or are made of others.
_DERIVED: Final = (
    *("target_info", "gen_ai_estimated_cost_usd_total", "gen_ai_unpriced_tokens_total"),
    *("aigw_telemetry_completeness_ratio", "aigw_telemetry_requests", "aigw_telemetry_tokens"),
)
# The same for every server, so that the receiver cannot tell them apart by the header that announces it.
_SCRAPE_TIMEOUT: Final = "1s"


def find_program(name: str) -> str:
    """Path of a program of Debian's prometheus package; without it the test is skipped, but fails in CI."""
    path = shutil.which(name)
    if path is None:
        message = f"{name} is missing: {INSTALL_PROMETHEUS}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where clients export to."""

    grpc: str
    otlp_http: str


@dataclass(slots=True)
class Receiver:
    """A receiver that can be stopped, killed, and started again at the same addresses."""

    log: Path
    data_dir: Path | None = None
    grpc: str = field(default_factory=address)
    otlp_http: str = field(default_factory=address)
    http: str = field(default_factory=address)
    telemetry: str = field(default_factory=address)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def endpoints(self) -> Endpoints:
        """Its own addresses for OTLP."""
        return Endpoints(self.grpc, self.otlp_http)

    def start(self) -> None:
        """Start it, and return once it is ready."""
        command = [str(Path(sys.executable).with_name("aigw-receiver")), "serve"]
        command += ["--otlp-grpc", self.grpc, "--otlp-http", self.otlp_http]
        command += ["--http", self.http, "--telemetry", self.telemetry]
        command += ["--data-dir", str(self.data_dir)] if self.data_dir else []
        with self.log.open("ab") as log:
            process = self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def ready() -> bool:
            assert process.poll() is None, f"the receiver ended:\n{self.log.read_text()}"
            return answers(f"http://{self.telemetry}/readyz")

        wait_until(ready, "the receiver is ready")

    def stop(self) -> int:
        """End it by SIGTERM; its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(DEADLINE_SECONDS)

    def kill(self) -> int:
        """End it by SIGKILL; its exit status."""
        assert self._process is not None
        self._process.kill()
        return self._process.wait(DEADLINE_SECONDS)

    def scrape(self, accept: str) -> str:
        """Read /metrics in a format, as a reader that is no Prometheus."""
        return get(f"http://{self.http}/metrics", {"Accept": accept})


@contextmanager
def running_receiver(log: Path, data_dir: Path | None = None) -> Iterator[Receiver]:
    """Run a receiver for the length of a test."""
    receiver = Receiver(log, data_dir)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.kill()


@dataclass(frozen=True, slots=True)
class RawSamples:
    """The samples of one series as they were scraped, in order of time: (seconds, value)."""

    samples: tuple[tuple[float, float], ...]

    @property
    def first_time(self) -> float:
        """When the series was first scraped."""
        return self.samples[0][0]

    @property
    def first(self) -> float:
        """Its first value."""
        return self.samples[0][1]

    def value_before(self, moment: float) -> float:
        """Its last value before a moment; 0 where there is none."""
        return next((value for time_, value in reversed(self.samples) if time_ < moment), 0.0)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus server that scrapes one receiver."""

    interval_seconds: int
    name: str | None
    web: str

    def wait_for_scrapes(self, count: int, since: float) -> None:
        """Return once it is ready, and that many successful scrapes have begun after a moment and are stored."""

        def scraped() -> bool:
            return answers(f"http://{self.web}/-/ready") and sum(moment > since for moment in self.scrapes()) >= count

        wait_until(scraped, f"{count} scrapes, one every {self.interval_seconds} s;", self.last_error)

    def last_error(self) -> str:
        """What went wrong with its last scrape."""
        answer = json.loads(get(f"http://{self.web}/api/v1/targets"))
        return " ".join(target["lastError"] for target in answer["data"]["activeTargets"])

    def scrapes(self, up: int = 1) -> list[float]:
        """When each successful scrape began (or each failed one, with up=0)."""
        return [moment for raw in self._query("up").values() for moment, value in raw.samples if value == up]

    def series(self, namespace: str) -> dict[Series, RawSamples]:
        """What is stored of the gateways of a namespace, but for what only describes it or is made of it."""
        stored = self._query(f'{{gateway_namespace="{namespace}"}}')
        return {key: raw for key, raw in stored.items() if key[0] not in _DERIVED and not key[0].endswith("_created")}

    def _query(self, selector: str) -> dict[Series, RawSamples]:
        # A range selector without a function answers the raw samples; staleness markers are not among them.
        query = urllib.parse.urlencode({"query": f"{selector}[{_RANGE}]"})
        answer = json.loads(get(f"http://{self.web}/api/v1/query?{query}"))
        return {_series(row["metric"]): _raw(row["values"]) for row in answer["data"]["result"]}


def _series(labels: dict[str, str]) -> Series:
    # OpenMetrics writes le="1.0" where text 0.0.4 writes le="1": the same bucket.
    kept = {key: value for key, value in labels.items() if key not in ("__name__", "job", "instance")}
    if "le" in kept:
        kept["le"] = str(float(kept["le"]))
    return labels["__name__"], frozenset(kept.items())


def _raw(values: list[list[Any]]) -> RawSamples:
    return RawSamples(tuple((float(moment), float(value)) for moment, value in values))


@contextmanager
def running_prometheus(
    folder: Path, receiver: Receiver, interval_seconds: int, name: str | None = None
) -> Iterator[Prometheus]:
    """Run a Prometheus server that scrapes the receiver at this interval, and may give itself a name."""
    program = find_program("prometheus")
    folder.mkdir()
    job = {"job_name": "gateways", "static_configs": [{"targets": [receiver.http]}]}
    config = {
        "global": {"scrape_interval": f"{interval_seconds}s", "scrape_timeout": _SCRAPE_TIMEOUT},
        "scrape_configs": [job | ({"params": {"scraper": [name]}} if name else {})],
    }
    # JSON is YAML.
    (folder / "prometheus.yml").write_text(json.dumps(config))
    web = address()
    command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address={web}", "--log.level=warn"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield Prometheus(interval_seconds, name, web)
    finally:
        process.kill()
        process.wait(DEADLINE_SECONDS)


@dataclass(frozen=True, slots=True)
class Scene:
    """A receiver and the Prometheus servers that scrape it from before the first request."""

    receiver: Receiver
    servers: tuple[Prometheus, ...]

    def wait_for_last_values(self) -> None:
        """Return once every server has scraped twice from now on: a new stream is at 0 the first time."""
        now = time.time()
        for server in self.servers:
            server.wait_for_scrapes(2, since=now)


@contextmanager
def running_scene(
    folder: Path, servers: Sequence[tuple[str | None, int]], data_dir: Path | None = None
) -> Iterator[Scene]:
    """Run a receiver, and Prometheus servers by name (if any) and interval, each of which has scraped it once."""
    with ExitStack() as stack:
        receiver = stack.enter_context(running_receiver(folder / "receiver.log", data_dir))
        running = [
            stack.enter_context(
                running_prometheus(folder / f"{name or 'unnamed'}-{interval}s", receiver, interval, name)
            )
            for name, interval in servers
        ]
        for server in running:
            server.wait_for_scrapes(1, since=0)
        yield Scene(receiver, tuple(running))
