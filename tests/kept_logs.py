"""Kept access logs as lines, a store for them, and a search in plain Python that others are compared with."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import prometheus_client

from aigw_receiver.core.access_logs import flat, search_parameters
from aigw_receiver.core.access_logs.search import Search
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.sinks.store import StoreSink

SECOND: Final = 1_000_000_000
HOUR: Final = 3600 * SECOND
MIB: Final = 1 << 20

Record = dict[str, Any]


class Store:
    """A store, with what it counts."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        retention: int = 24 * HOUR,
        size: int = 64 * MIB,
        clock: Callable[[], int] = time.time_ns,
        patience: float = 30.0,
    ) -> None:
        self.telemetry = Telemetry()
        self._set_aside = prometheus_client.Counter("set_aside", "Files", registry=self.telemetry.registry)
        self.sink = StoreSink(
            directory,
            self.telemetry.sink_records,
            self._set_aside,
            retention=retention,
            size=size,
            clock=clock,
            patience=patience,
            pause=0,
        )

    def write(self, records: Sequence[Record]) -> int:
        """Write these, at once; answers how many were."""
        return self.sink.write([line(record) for record in records])

    def find(self, *parameters: tuple[str, str]) -> list[Record]:
        """What the first page has."""
        return [json.loads(one) for _, one in self.sink.search(asked(*parameters)).lines]

    def results(self) -> dict[str, int]:
        """What became of the records that were put, and of files, without what there is none of."""
        read = self.telemetry.registry.get_sample_value
        counts = {
            result: read("aigw_receiver_sink_records_total", {"sink": "store", "result": result})
            for result in ("written", "queue_full", "failed")
        }
        counts["set_aside"] = read("set_aside_total")
        return {result: int(count) for result, count in counts.items() if count}


def asked(*parameters: tuple[str, str], now: int = 0) -> Search:
    """A search by these parameters."""
    return search_parameters.parse_search(parameters, now)


def record(at: int, /, **values: Any) -> Record:
    """A flat object of a request that began at this time, in nanoseconds."""
    return {
        "time": flat.rfc3339(at),
        "ai_route_type": "llm",
        "gateway_namespace": "default",
        "gateway_name": "gateway",
        "gateway_pod": "pod-1",
        "ending": "ok",
        "rules": "sample",
        "weight": 1.0,
        **values,
    }


def line(flat_object: Record) -> bytes:
    """As a sink gets it."""
    return json.dumps(flat_object, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def numbers(records: Sequence[Record]) -> list[int]:
    """The numbers that tests give to records as their ids."""
    return [int(one["request_id"]) for one in records]
