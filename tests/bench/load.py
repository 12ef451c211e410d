"""The load generators: processes of their own that make bodies, send them when told to, and keep what they add up to.

Bodies are made before the clock starts, and the same ones go to every server. A pod's exports are sent in order over
one connection; at most `LANES` calls are in flight.
"""

import dataclasses
import multiprocessing
import multiprocessing.connection
import os
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from bench import bodies

EXPORT: Final = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LANES: Final = 4
CALL_SECONDS: Final = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """What a server answered to a batch of exports."""

    calls: int
    seconds: float
    complaints: tuple[str, ...]


def refused_points(answer: bytes) -> str:
    """What of an export of metrics was refused, if anything."""
    partial = ExportMetricsServiceResponse.FromString(answer).partial_success if answer else None
    if partial and (partial.rejected_data_points or partial.error_message):
        return f"{partial.rejected_data_points} rejected: {partial.error_message}"
    return ""


class Lanes:
    """The connections to one server."""

    def __init__(self, address: str, export: str = EXPORT, refused: Callable[[bytes], str] = refused_points) -> None:
        """`export` is the method that takes the bodies, `refused` says what an answer complains of."""
        self.export = export
        self.refused = refused
        # Without a pool of its own every channel would share one connection.
        options = (("grpc.use_local_subchannel_pool", 1),)
        self.channels = [grpc.insecure_channel(address, options=options) for _ in range(LANES)]

    def send(self, batch: list[tuple[int, bytes]]) -> Sent:
        """Send a batch and read every answer."""
        complaints: list[str] = []
        threads = [
            threading.Thread(
                target=self.send_lane,
                args=(channel, [body for pod, body in batch if pod % LANES == lane], complaints),
            )
            for lane, channel in enumerate(self.channels)
        ]
        begin = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Sent(len(batch), time.monotonic() - begin, tuple(complaints))

    def send_lane(self, channel: Any, lane: list[bytes], complaints: list[str]) -> None:
        """Send one lane's bodies, one call at a time; whatever is not a plain success is a complaint."""
        export = channel.unary_unary(self.export)
        for body in lane:
            try:
                answer = export(body, wait_for_ready=True, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                complaints.append(f"{error}")
                continue
            if complaint := self.refused(answer):
                complaints.append(complaint)


class Generator:
    """What runs in the load process; each method is one command."""

    def __init__(self, series: int, points: int, temporality: int) -> None:
        self.fleet = bodies.Fleet(series, points, temporality=temporality, now=time.time_ns())
        self.batch: list[tuple[int, bytes]] = []
        self.servers: dict[str, Lanes] = {}

    def make(self, exports: Iterable[tuple[int, bytes]]) -> int:
        """Keep the batch to send; its number of bodies."""
        self.batch = list(exports)
        return len(self.batch)

    def everything(self) -> int:
        """Make a batch that holds every series once."""
        return self.make(self.fleet.everything(time.time_ns()))

    def exports(self, count: int) -> int:
        """Make a batch of the next exports."""
        return self.make(self.fleet.exports(count, time.time_ns()))

    def send(self, address: str) -> Sent:
        """Send the batch to a server."""
        if address not in self.servers:
            self.servers[address] = Lanes(address)
        return self.servers[address].send(self.batch)

    def totals(self) -> dict[str, tuple[int, float]]:
        """What the exposition of a server that got every batch must add up to."""
        return self.fleet.totals()


def run(
    commands: multiprocessing.connection.Connection, core: set[int], kind: type[Any], arguments: tuple[Any, ...]
) -> None:
    """A load process: obey commands, which are methods of an object of this kind, until there is none."""
    os.sched_setaffinity(0, core)
    generator = kind(*arguments)
    while (command := commands.recv()) is not None:
        name, *arguments = command
        commands.send(getattr(generator, name)(*arguments))


class Process:
    """A load process as its owner sees it: a context manager."""

    def __init__(self, kind: type[Any], arguments: tuple[Any, ...], *, core: set[int]) -> None:
        # A fork would copy the state of grpc's threads, but not the threads.
        context = multiprocessing.get_context("spawn")
        self.commands, theirs = context.Pipe()
        self.process = context.Process(target=run, args=(theirs, core, kind, arguments), daemon=True)

    def __enter__(self) -> Self:
        """Start the process."""
        self.process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.commands.send(None)
        self.process.join(10)

    def ask(self, *command: object) -> Any:
        """Run a command and wait for its answer."""
        self.commands.send(command)
        return self.commands.recv()

    def send(self, address: str) -> Sent:
        """Send the batch to a server."""
        sent: Sent = self.ask("send", address)
        return sent


class Load(Process):
    """The commands of `Generator`."""

    def __init__(self, series: int, points: int, temporality: int, *, core: set[int]) -> None:
        super().__init__(Generator, (series, points, temporality), core=core)

    def everything(self) -> int:
        """Make a batch that holds every series once; its number of bodies."""
        count: int = self.ask("everything")
        return count

    def exports(self, count: int) -> int:
        """Make a batch of the next `count` exports."""
        made: int = self.ask("exports", count)
        return made

    def totals(self) -> dict[str, tuple[int, float]]:
        """What the exposition of a server that got every batch must add up to."""
        totals: dict[str, tuple[int, float]] = self.ask("totals")
        return totals
