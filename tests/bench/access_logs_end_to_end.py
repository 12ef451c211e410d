"""CPU time of the servers for a log record, end to end over gRPC, in interleaved rounds of the same bodies.

The same traffic and rules as in `access_logs`; kept records are appended to a file by both. What is counted and how
many lines there are is compared at the end.
"""

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from bench import access_logs, load, log_bodies, processes, report, scrape

NAME: Final = "access-logs-end-to-end"
BAR: Final = 2.2
EXPORT: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
# Worker threads of the straightforward design: what one takes without thinking, and what suits the interpreter's lock.
WORKERS: Final = (4, 1)
CALLS: Final = 400
# Rounds before the measurement, in which memos fill; the last decides which straightforward server is the baseline.
WARM_UP: Final = 4
WRITING_SECONDS: Final = 10


def refused_records(answer: bytes) -> str:
    """What of an export of logs was refused, if anything."""
    partial = ExportLogsServiceResponse.FromString(answer).partial_success if answer else None
    if partial and (partial.rejected_log_records or partial.error_message):
        return f"{partial.rejected_log_records} rejected: {partial.error_message}"
    return ""


class Generator:
    """What runs in the load process; each method is one command. Every connection is a gateway pod's."""

    def __init__(self) -> None:
        self.batch: list[tuple[int, bytes]] = []
        self.servers: dict[str, load.Lanes] = {}
        self.rounds = 0

    def exports(self, count: int) -> int:
        """Make a batch of the next exports; its number of bodies."""
        self.rounds += 1
        self.batch = [
            (pod, body)
            for pod in range(load.LANES)
            for body in log_bodies.requests(self.rounds * load.LANES + pod, count // load.LANES, f"x2k4{pod}")
        ]
        return len(self.batch)

    def send(self, address: str) -> load.Sent:
        """Send the batch to a server."""
        if address not in self.servers:
            self.servers[address] = load.Lanes(address, EXPORT, refused_records)
        return self.servers[address].send(self.batch)


class Rounds:
    """The rounds: what was spent by each server, and what went wrong."""

    def __init__(self, generator: load.Process) -> None:
        self.generator = generator
        self.wrong: list[str] = []
        self.microseconds: dict[str, list[float]] = {}

    def round(self, servers: list[processes.Server]) -> None:
        """Make new bodies, send them to each server, and note what a record cost."""
        calls = self.generator.ask("exports", CALLS)
        for server in servers:
            before = server.cpu()
            sent = self.generator.send(server.grpc)
            cost = (server.cpu() - before) / (calls * log_bodies.RECORDS) * 1e6
            self.microseconds.setdefault(server.name, []).append(cost)
            self.wrong += [f"{NAME}: {server.name}: {complaint}" for complaint in sent.complaints[:3]]


def measure(count: int) -> tuple[list[report.Row], list[str]]:
    """Measure in `count` rounds: the line of the table, and what was wrong."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rounds = Rounds(stack.enter_context(load.Process(Generator, (), core=processes.cores()[1])))
        ours = stack.enter_context(processes.receiver(config(folder / "receiver")))
        plain = [
            stack.enter_context(
                processes.straightforward(workers, "straightforward_logs", "--file", str(folder / f"{workers}"))
            )
            for workers in WORKERS
        ]
        # Everyone gets every batch, or the counts could not be compared.
        for _ in range(WARM_UP):
            rounds.round([ours, *plain])
        baseline = min(plain, key=lambda server: rounds.microseconds[server.name][-1])
        rounds.microseconds.clear()
        for _ in range(count):
            rounds.round([ours, *plain])
        wrong = rounds.wrong + disagreements(ours, plain, folder)
    spent = rounds.microseconds
    row = report.compared(
        NAME, spent[ours.name], spent[baseline.name], unit="us/record", against=baseline.name, bar=BAR
    )
    return [row], wrong


def config(file: Path) -> dict[str, object]:
    """The receiver's configuration: one file for kept records, and the rules of the straightforward design."""
    return {
        **processes.RECEIVER_CONFIG,
        "access_logs": {
            "stdout": False,
            "store": {"enabled": False},
            "file": {"path": str(file), "size": "1GiB"},
            "rules": {"slow": {"adaptive": False}},
        },
    }


def disagreements(ours: processes.Server, plain: list[processes.Server], folder: Path) -> list[str]:
    """Where the servers counted or kept otherwise than each other."""
    shown = counters(ours)
    wrong = [f"{NAME}: {server.name} counted otherwise" for server in plain if counters(server) != shown]
    key = ("decision", "kept")
    kept = sum(value for (name, labels), value in shown.items() if name == "aigw_access_logs_total" and key in labels)
    # A sink writes when it can; nothing tells when it has.
    end = time.monotonic() + WRITING_SECONDS
    while lines(folder / "receiver") != kept and time.monotonic() < end:
        time.sleep(0.05)
    if lines(folder / "receiver") != kept:
        wrong.append(f"{NAME}: {lines(folder / 'receiver')} lines were written of {kept:.0f} records that were kept")
    return wrong


def counters(server: processes.Server) -> access_logs.Samples:
    """What a server counted."""
    return access_logs.samples("".join(f"{line.decode()}\n" for line in scrape.lines(server.metrics)))


def lines(file: Path) -> int:
    """How many lines a file has."""
    return file.read_bytes().count(b"\n")
