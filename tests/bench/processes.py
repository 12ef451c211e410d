"""Start, watch and stop the servers under test, each on a core of its own where there are two. Linux only.

CPU time and memory are read from outside, so that a server is measured as it is.
"""

import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import receiver_program

TESTS: Final = Path(__file__).parents[1]
START_SECONDS: Final = 20
# Before this program binds itself to one of them.
ALL_CORES: Final = tuple(sorted(os.sched_getaffinity(0)))
# Pods of the benchmark rest while another server has its turn, and none of them may be taken for ended.
RECEIVER_CONFIG: Final = {"expiry": {"minimum_interval": "1h"}}
COLLECTOR_CONFIG: Final = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}"}}}}}}}}
processors: {{delta_to_cumulative: {{}}}}
exporters: {{prometheus: {{endpoint: "127.0.0.1:{http}"}}}}
service:
  telemetry: {{logs: {{level: error}}, metrics: {{level: none}}}}
  pipelines: {{metrics: {{receivers: [otlp], processors: [{processor}], exporters: [prometheus]}}}}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process, its OTLP/gRPC address and the address of its exposition."""

    name: str
    pid: int
    grpc: str
    metrics: str

    def cpu(self) -> float:
        """CPU seconds of all its threads so far, as `utime + stime` of /proc, but not in steps of 10 ms."""
        # The kernel makes a process's CPU clock from its id like this: clock_getcpuclockid(3).
        return time.clock_gettime(~self.pid << 3 | 2)

    def memory(self, key: str = "VmRSS") -> int:
        """Bytes of resident memory: now (`VmRSS`), or the most since the peak was reset (`VmHWM`)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise KeyError(key)

    def reset_peak(self) -> None:
        """Let `VmHWM` begin anew at the present size: proc_pid_clear_refs(5)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def cores() -> tuple[set[int], set[int]]:
    """The core of the server, and that of everything else; the same one where there is only one."""
    return {ALL_CORES[0]}, {ALL_CORES[-1]}


@contextlib.contextmanager
def on_server_core() -> Iterator[None]:
    """Programs started here inherit the server's core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores()[0])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def ended(program: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Stop the program when the block is left, whatever happens."""
    try:
        yield program
    finally:
        program.terminate()
        try:
            program.wait(10)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
        for stream in (program.stdin, program.stdout):
            if stream:
                stream.close()


@contextlib.contextmanager
def straightforward(workers: int, program_name: str = "straightforward", *arguments: str) -> Iterator[Server]:
    """A straightforward design, by the name of its module, with so many gRPC worker threads."""
    command = [sys.executable, "-m", f"bench.{program_name}", "--workers", str(workers), *arguments]
    with on_server_core():
        program = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
    with ended(program):
        assert program.stdout
        grpc, http = program.stdout.readline().split()
        yield Server(f"straightforward/{workers}", program.pid, grpc, f"{http}/metrics")


@contextlib.contextmanager
def receiver(config: Mapping[str, Any] = RECEIVER_CONFIG) -> Iterator[Server]:
    """The receiver of this project."""
    with contextlib.ExitStack() as stack:
        with on_server_core():
            started = stack.enter_context(receiver_program.start_receiver(config=config))
        yield Server("receiver", started.pid, started.grpc, f"{started.http}/metrics")


def wait_for(url: str, program: subprocess.Popen[str]) -> None:
    """Wait until `url` answers 200."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and program.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.05)  # there is no event to await in a foreign program
    msg = f"{program.args!r} does not serve {url}"
    raise RuntimeError(msg)


@contextlib.contextmanager
def collector(binary: str, *, delta: bool) -> Iterator[Server]:
    """The OpenTelemetry Collector, made cumulative where needed, with its Prometheus exporter."""
    grpc, http = receiver_program.free_ports(2)
    text = COLLECTOR_CONFIG.format(grpc=grpc, http=http, processor="delta_to_cumulative" if delta else "")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "collector.yaml")
        path.write_text(text)
        with on_server_core():
            program = subprocess.Popen(
                [binary, "--config", str(path)], env={**os.environ, "GOMAXPROCS": "1"}, text=True
            )
        with ended(program):
            wait_for(f"http://127.0.0.1:{http}/metrics", program)
            yield Server("collector", program.pid, f"127.0.0.1:{grpc}", f"http://127.0.0.1:{http}/metrics")
