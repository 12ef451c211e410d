"""Gateway pods as data, and their play: each life of a pod is a process of the real SDK (`truth.client`).

Decides what is sent and when; counts nothing itself.
"""

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

from truth.ledger import Ledger, Series
from truth.programs import Endpoints
from truth.waiting import DEADLINE_SECONDS

_TESTS: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Traffic:
    """That many random requests over that time."""

    requests: int
    seconds: float
    models: tuple[str, ...] = ("gpt-5-nano", "small")


@dataclass(frozen=True, slots=True)
class TrafficUntil:
    """Random requests, every now and then with a model that was never seen before, until an event."""

    event: threading.Event


@dataclass(frozen=True, slots=True)
class RepeatUntil:
    """More measurements for the streams that are known, and no new stream, until an event."""

    event: threading.Event


@dataclass(frozen=True, slots=True)
class Reset:
    """A new MeterProvider in the same process."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Wait until everything recorded so far is acknowledged."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Tell the test that this pod has come here."""

    reached: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Await:
    """Go on when the test says so."""

    event: threading.Event


Step: TypeAlias = Traffic | TrafficUntil | RepeatUntil | Reset | Settle | Mark | Await


@dataclass(frozen=True, slots=True)
class Life:
    """One process of a pod, after a pause."""

    steps: tuple[Step, ...]
    pause_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Pod:
    """One gateway pod: who it is, how it exports, and its lives."""

    namespace: str
    gateway: str
    name: str
    seed: int
    lives: tuple[Life, ...]
    temporality: str = "cumulative"
    protocol: str = "grpc"
    interval_seconds: float = 0.5
    ledger: Ledger = field(default_factory=Ledger, compare=False)

    @property
    def identity(self) -> dict[str, str]:
        """The labels that tell its series from those of other pods."""
        return {"gateway_namespace": self.namespace, "gateway_name": self.gateway, "gateway_pod": self.name}

    def samples(self) -> dict[Series, int]:
        """What Prometheus must hold of it."""
        return self.ledger.samples(self.identity)

    def resource(self) -> dict[str, str]:
        """Its resource attributes: by turns the project's own and those of SWIP-10, which mean the same."""
        if self.seed % 2:
            return {
                "aigw.gateway.namespace": self.namespace,
                "aigw.gateway.name": self.gateway,
                "k8s.pod.name": self.name,
                "service.name": "ai-gateway",
            }
        return {
            "k8s.namespace.name": self.namespace,
            "aigw.service": self.gateway,
            "service.instance.id": self.name,
            "service.name": "ai-gateway",
        }


@contextmanager
def playing(pods: Sequence[Pod], endpoints: Endpoints, folder: Path) -> Iterator[None]:
    """Begin the lives of all pods at once, and wait at the end until all have ended: then the ledgers are complete."""
    with ThreadPoolExecutor(len(pods)) as pool:
        lives = [pool.submit(_live, pod, endpoints, folder) for pod in pods]
        yield
    for life in lives:
        life.result()


def _live(pod: Pod, endpoints: Endpoints, folder: Path) -> None:
    for number, life in enumerate(pod.lives):
        time.sleep(life.pause_seconds)
        with _client(pod, number, endpoints, folder) as client:
            for step in life.steps:
                client.take(step)
            pod.ledger.add(client.finish())


@dataclass(frozen=True, slots=True)
class _Client:
    process: subprocess.Popen[str]
    stdin: IO[str]
    stdout: IO[str]
    log: Path

    def take(self, step: Step) -> None:
        """Do a step of a life to its end."""
        match step:
            case Traffic():
                self._command(do="traffic", requests=step.requests, seconds=step.seconds, models=step.models)
            case TrafficUntil():
                for moment in self._moments_until(step.event):
                    self._command(do="traffic", requests=6, seconds=0.4, models=["gpt-5-nano", f"new-{moment // 2}"])
            case RepeatUntil():
                for _ in self._moments_until(step.event):
                    self._command(do="repeat", seconds=0.2)
            case Reset():
                self._command(do="reset")
            case Settle():
                self._command(do="settle")
            case Mark():
                step.reached.set()
            case Await():
                assert step.event.wait(DEADLINE_SECONDS)

    def _moments_until(self, event: threading.Event) -> Iterator[int]:
        moments = itertools.count()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not event.is_set():
            assert time.monotonic() < deadline, "the test never said to go on"
            yield next(moments)

    def finish(self) -> list[dict[str, Any]]:
        """Let it export what is left and end; what it recorded."""
        self.stdin.close()
        report = json.loads(self.stdout.read() or "{}")
        assert self.process.wait(DEADLINE_SECONDS) == 0, self.log.read_text()
        assert report["failures"] == 0, f"exports were given up, so nothing can be exact:\n{self.log.read_text()}"
        rows: list[dict[str, Any]] = report["rows"]
        return rows

    def _command(self, **command: Any) -> None:
        print(json.dumps(command), file=self.stdin, flush=True)
        assert self.stdout.readline() == "done\n", self.log.read_text()


@contextmanager
def _client(pod: Pod, life: int, endpoints: Endpoints, folder: Path) -> Iterator[_Client]:
    settings = {
        "endpoint": f"http://{endpoints.grpc if pod.protocol == 'grpc' else endpoints.otlp_http}",
        "protocol": pod.protocol,
        "temporality": pod.temporality,
        "interval_seconds": pod.interval_seconds,
        "resource": pod.resource(),
        "seed": pod.seed * 1000 + life,
        "floats": pod.seed % 3 == 0,
    }
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = {name: value for name, value in environment.items() if not name.startswith("OTEL_")}
    # Dozens of interpreters start at once: nice, so that they do not slow down a scrape beyond its timeout.
    path = folder / f"{pod.namespace}-{pod.name}-{life}.log".replace(" ", "-")
    with (
        path.open("wb") as log,
        subprocess.Popen(
            ["nice", sys.executable, "-m", "truth.client", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment | {"PYTHONPATH": str(_TESTS)},
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield _Client(process, process.stdin, process.stdout, path)
        finally:
            process.kill()
