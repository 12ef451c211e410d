"""JSON lines on standard output, for whatever collects the logs of containers. Our own log is on standard error."""

import os
import select
import sys

import prometheus_client

from aigw_receiver.shell.sinks.base import Sink


class StdoutSink(Sink):
    """Writes to a file descriptor, which may be a pipe that nobody reads for a while."""

    def __init__(self, records: prometheus_client.Counter, descriptor: int | None = None) -> None:
        self._descriptor = sys.stdout.fileno() if descriptor is None else descriptor
        super().__init__("stdout", records)

    def write(self, lines: list[bytes]) -> int:
        """Write all of it; a part of a line that was written is completed before anything else is."""
        rest = memoryview(b"".join(lines))
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Whoever started the program has opened it so.
                select.select([], [self._descriptor], [])
        return len(lines)
