"""The counters made from access logs outlive the process, beside the streams of the store and in the same order."""

import functools
import os
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

import otlp_messages as otlp
from aigw_receiver.core import exposition
from aigw_receiver.core.store import Store
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.journal import Journal
from aigw_receiver.shell.metrics import Telemetry
from otlp_messages import INTERVAL, NOW


class _Run:
    """One run of a receiver on a data directory, without its listeners. It is killed by being forgotten."""

    def __init__(self, directory: Path, *, max_size: int = 1 << 20) -> None:
        telemetry = Telemetry()
        self.journal = Journal(directory, telemetry, max_size=max_size)
        self.store = self.journal.restore(functools.partial(Store, NOW - INTERVAL), NOW)
        self.ingest = Ingest(self.store, telemetry, self.journal)

    def export(self, count: int, model: str = "m") -> None:
        """Take in a stream that is new, and so many requests of one gateway, one of which failed."""
        point = otlp.number(count, {"model": model}, start=NOW, time=NOW + INTERVAL)
        self.ingest.export_metrics(otlp.export(otlp.counter(point)), "grpc")
        request = logs_service_pb2.ExportLogsServiceRequest()
        records = request.resource_logs.add().scope_logs.add().log_records
        for number in range(count):
            record = records.add(time_unix_nano=NOW)
            status = "200" if number else "500"
            for key, value in (("ai_route_type", "llm"), ("response_code", status), ("gen_ai.request.model", model)):
                record.attributes.add(key=key).value.string_value = value
        assert {} == self.ingest.export_logs(request.SerializeToString(), "grpc")

    def show(self) -> None:
        """What comes before a scrape."""
        self.ingest.logs.settle(NOW)
        self.ingest.logs.publish(NOW)

    def total(self) -> float:
        """How many records the counters show; nothing is 0."""
        text = b"".join(self.ingest.logs.render(exposition.TEXT, None)).decode()
        return sum(otlp.samples(text, "aigw_access_logs_total").values())

    def births(self) -> list[int]:
        """When the series were born, by the numbers that the store's streams have theirs of."""
        return [series.birth for family in self.journal.log_counters.families for series in family.series.values()]


@pytest.mark.parametrize("max_size", [1, 1 << 20], ids=["snapshots", "journal"])
def test_killed(tmp_path: Path, max_size: int) -> None:
    """What somebody was shown is lost by a kill, or counted twice after it, or its series are born in another order."""
    run = _Run(tmp_path, max_size=max_size)
    for count, model in ((3, "a"), (2, "b")):
        run.export(count, model)
        run.show()
    for thread in [thread for thread in (run.journal._writer,) if thread]:  # noqa: SLF001 - a kill would end it
        thread.join()
    again = _Run(tmp_path)
    assert 5 == run.total() == again.total()
    assert run.births() == again.births()
    assert run.store.census.newest == again.store.census.newest
    again.export(4)
    again.show()
    assert 9 == _Run(tmp_path).total()


def test_ended_in_order(tmp_path: Path) -> None:
    """What no scrape has shown yet is lost when the program ends."""
    run = _Run(tmp_path)
    run.export(4)
    run.ingest.logs.close(NOW)
    run.journal.close(run.store)
    assert 4 == _Run(tmp_path).total()


def test_journal_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written once is missing for good, though the journal could be written later."""

    def fail(*_: object) -> int:
        raise OSError(None, "no space")

    run = _Run(tmp_path)
    run.export(2)
    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", fail)
        run.show()
    assert 2 == run.total()
    run.show()
    assert 2 == _Run(tmp_path).total()
