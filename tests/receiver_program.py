"""Runs the program `aigw-receiver` for tests, on free loopback ports. It asserts nothing."""

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

# A machine that is busy with other tests needs a few seconds to import grpcio and numpy.
_START_SECONDS = 60.0
_STOP_SECONDS = 40.0


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on at the moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@dataclasses.dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one receiver; a second one on the same ports is its restart."""

    grpc: tuple[int, ...]
    otlp_http: int
    http: int
    telemetry: int

    @classmethod
    def free(cls, grpc_ports: int = 1) -> "Ports":
        """Ports that nothing listens on at the moment."""
        *grpc, otlp_http, http, telemetry = free_ports(grpc_ports + 3)
        return cls(tuple(grpc), otlp_http, http, telemetry)


class Receiver:
    """A running receiver."""

    def __init__(self, process: "subprocess.Popen[bytes]", ports: Ports, log: Path) -> None:
        self._process = process
        self.ports = ports
        self.grpc_all = [f"127.0.0.1:{port}" for port in ports.grpc]
        self.grpc = self.grpc_all[0]
        self.otlp_http = f"http://127.0.0.1:{ports.otlp_http}"
        self.http = f"http://127.0.0.1:{ports.http}"
        self.telemetry = f"http://127.0.0.1:{ports.telemetry}"
        self.pid = process.pid
        self.log = log

    def scrape(self, *, openmetrics: bool = False, scraper: str | None = None) -> str:
        """The gateways' series, as a reader or, with a name, as a scraper gets them."""
        query = f"?scraper={scraper}" if scraper else ""
        accept = "application/openmetrics-text;version=1.0.0" if openmetrics else "text/plain;version=0.0.4"
        return fetch(f"{self.http}/metrics{query}", {"Accept": accept})

    def own_metrics(self) -> str:
        """The receiver's own series."""
        return fetch(f"{self.telemetry}/metrics")

    def wait_ready(self) -> None:
        """Return once all listeners serve; raise with the log if the program ended instead."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                fetch(f"{self.telemetry}/readyz")
            except OSError:
                time.sleep(0.05)
            else:
                return
        message = f"the receiver did not become ready:\n{self.log.read_text()}"
        raise RuntimeError(message)

    def stop(self) -> int:
        """End it as Kubernetes does; answers the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_STOP_SECONDS)

    def kill(self) -> None:
        """End it at once, as a node that fails does."""
        self._process.kill()
        self._process.wait()


def fetch(url: str, headers: Mapping[str, str] | None = None) -> str:
    """The body of a GET request."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers or {})), timeout=60) as response:
        text: str = response.read().decode()
    return text


def command(*arguments: str) -> list[str]:
    """The command line of the program, by the interpreter that runs the tests."""
    return [sys.executable, "-m", "aigw_receiver.main", *arguments]


@contextlib.contextmanager
def start_receiver(
    *,
    config: Mapping[str, Any] | None = None,
    data_dir: Path | None = None,
    grpc_ports: int = 1,
    ports: Ports | None = None,
    environment: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> Iterator[Receiver]:
    """A receiver that serves; it is ended at the end of the block if it still runs.

    `prefix` goes before the command line (to pin it to a processor, say).
    """
    ports = ports or Ports.free(grpc_ports)
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["serve"]
        for port in ports.grpc:
            arguments += ["--otlp-grpc", f"127.0.0.1:{port}"]
        arguments += ["--otlp-http", f"127.0.0.1:{ports.otlp_http}", "--http", f"127.0.0.1:{ports.http}"]
        arguments += ["--telemetry", f"127.0.0.1:{ports.telemetry}"]
        if config is not None:
            file = Path(folder, "config.yaml")
            file.write_text(yaml.safe_dump(dict(config)))
            arguments += ["--config", str(file)]
        if data_dir is not None:
            arguments += ["--data-dir", str(data_dir)]
        log = Path(folder, "receiver.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*prefix, *command(*arguments)],
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
            )
            receiver = Receiver(process, ports, log)
            try:
                receiver.wait_ready()
                yield receiver
            finally:
                if process.poll() is None:
                    receiver.stop()
