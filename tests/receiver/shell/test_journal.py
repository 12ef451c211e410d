"""What was acknowledged outlives the process, whatever it ended by and whatever became of its files."""

import errno
import functools
import logging
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import otlp_messages as otlp
from aigw_receiver.core import exposition, status
from aigw_receiver.core.store import Store
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.journal import Journal
from aigw_receiver.shell.metrics import Telemetry
from otlp_messages import CUMULATIVE, INTERVAL, NOW

_TOTAL = "mcp_method_count_total"


class _Run:
    """One run of a receiver on a data directory, without its listeners."""

    def __init__(self, directory: Path, *, max_size: int = 1 << 20) -> None:
        self.telemetry = Telemetry()
        self.journal = Journal(directory, self.telemetry, max_size=max_size)
        self.store = self.journal.restore(functools.partial(Store, NOW - INTERVAL), NOW)
        self.ingest = Ingest(self.store, self.telemetry, self.journal)

    def export(self, at: int, value: int = 1) -> None:
        """Take in the delta point of interval `at`."""
        times: otlp.Interval = {"start": NOW + at * INTERVAL, "time": NOW + (at + 1) * INTERVAL}
        metrics = (
            otlp.counter(otlp.number(value, {"a": "b"}, **times)),
            otlp.histogram(otlp.buckets((value, 0, 1), value * 0.5, **times)),
        )
        assert {} == self.ingest.export_metrics(otlp.export(*metrics), "grpc").rejected

    def total(self) -> float:
        """What the counter shows; nothing is 0."""
        return sum(otlp.samples(self.text(), _TOTAL).values())

    def text(self) -> str:
        """The whole exposition."""
        return b"".join(exposition.render(self.store, exposition.TEXT, None)).decode()

    def close(self) -> None:
        """End as after SIGTERM."""
        self.journal.close(self.store)

    def snapshots(self, result: str) -> float:
        """How many snapshots were tried with this result."""
        return self.telemetry.registry.get_sample_value("aigw_receiver_snapshots_total", {"result": result}) or 0.0


def _files(directory: Path, pattern: str) -> list[str]:
    return sorted(file.name for file in directory.glob(pattern))


def _newest_journal(directory: Path) -> Path:
    return max(directory.glob("journal-*.bin"), key=lambda file: int(file.stem.partition("-")[2]))


@pytest.fixture(name="killed")
def _killed(tmp_path: Path) -> tuple[Path, str]:
    """A directory as a process left it that was killed after five exports, and what it showed."""
    run = _Run(tmp_path / "data")
    for at in range(5):
        run.export(at, at + 1)
    # A copy, since the files of a process that goes on in the test are still open.
    shutil.copytree(tmp_path / "data", tmp_path / "killed")
    return tmp_path / "killed", run.text()


def test_killed_without_warning(killed: tuple[Path, str]) -> None:
    """An acknowledged export is lost, or counted twice, when the process is killed."""
    directory, text = killed
    run = _Run(directory)
    assert text == run.text()
    assert 15.0 == run.total()
    run.export(5, 100)
    assert 115.0 == _Run(directory).total()


def test_killed_again_and_again(tmp_path: Path) -> None:
    """Each restart loses or doubles a little."""
    for at in range(6):
        run = _Run(tmp_path)
        assert at == run.total()
        run.export(at)
    assert 6.0 == _Run(tmp_path).total()


def test_ended_in_order(tmp_path: Path) -> None:
    """A receiver that was ended in order has something to replay, or leaves old files."""
    run = _Run(tmp_path)
    for at in range(3):
        run.export(at)
    text = run.text()
    run.close()
    (journal,) = _files(tmp_path, "journal-*.bin")
    assert 0 == (tmp_path / journal).stat().st_size
    assert 1 == len(_files(tmp_path, "snapshot-*.npz"))
    assert [] == _files(tmp_path, "*.tmp")
    again = _Run(tmp_path)
    assert text == again.text()
    again.close()


def test_acknowledged_export_that_is_repeated_after_a_restart(killed: tuple[Path, str]) -> None:
    """A sender that did not get its answer before the crash counts twice."""
    directory, text = killed
    run = _Run(directory)
    run.export(4, 5)
    assert text == run.text()


def test_cumulative_streams_and_resets(tmp_path: Path) -> None:
    """What was counted before a reset is lost in a restart."""
    expected = 0.0
    for at, (value, start) in enumerate(((5, NOW), (7, NOW), (2, NOW + 3), (1, NOW + 5), (6, NOW + 5))):
        run = _Run(tmp_path)
        assert expected == run.total()
        point = otlp.number(value, start=start, time=NOW + (at + 1) * INTERVAL)
        run.ingest.export_metrics(otlp.export(otlp.counter(point, temporality=CUMULATIVE)), "grpc")
        expected = (5.0, 7.0, 9.0, 10.0, 15.0)[at]
        assert expected == run.total()
        if at % 2:
            run.close()


_HEAD = 17  # kind, time, length and checksum


@pytest.mark.parametrize("cut", [1, 2, 50, "all but the head", "half the head", "one byte"])
def test_last_record_was_cut_off(cut: int | str, killed: tuple[Path, str], caplog: pytest.LogCaptureFixture) -> None:
    """A record that a crash cut off costs those before it, or what comes after the restart."""
    directory, _ = killed
    journal = _newest_journal(directory)
    data = journal.read_bytes()
    (length,) = struct.unpack_from("<I", data, 9)
    record = _HEAD + length
    assert 5 * record == len(data)
    kept = {"all but the head": 4 * record + _HEAD, "half the head": 4 * record + 8, "one byte": 4 * record + 1}
    journal.write_bytes(data[: kept[cut] if isinstance(cut, str) else len(data) - cut])
    with caplog.at_level(logging.WARNING, "aigw_receiver"):
        run = _Run(directory)
    assert 10.0 == run.total()
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    run.export(4, 5)
    run.export(5, 100)
    assert 115.0 == _Run(directory).total()


def test_garbage_behind_the_last_record(killed: tuple[Path, str]) -> None:
    """Blocks that a file system filled with zeros after a crash cost what stands before them."""
    directory, text = killed
    journal = _newest_journal(directory)
    journal.write_bytes(journal.read_bytes() + bytes(4096))
    assert text == _Run(directory).text()


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04" + bytes(100)])
def test_damaged_snapshot(content: bytes, killed: tuple[Path, str], caplog: pytest.LogCaptureFixture) -> None:
    """A damaged snapshot keeps the receiver from starting, costs the journal as well, or is thrown away in silence."""
    directory, _ = killed
    (name,) = _files(directory, "snapshot-*.npz")
    (directory / name).write_bytes(content)
    with caplog.at_level(logging.ERROR, "aigw_receiver"):
        run = _Run(directory)
    assert 15.0 == run.total()
    assert [name + ".damaged"] == _files(directory, "*.damaged")
    assert content == (directory / f"{name}.damaged").read_bytes()
    (record,) = caplog.records
    assert "a file in the data directory is damaged; it is set aside" == record.message
    assert str(directory / f"{name}.damaged") == vars(record)["file"]
    run.close()
    assert 15.0 == _Run(directory).total()


def test_snapshot_of_another_version(killed: tuple[Path, str]) -> None:
    """A snapshot of another version is read as if it were one of ours, or keeps the receiver from starting."""
    directory, _ = killed
    (name,) = _files(directory, "snapshot-*.npz")
    with np.load(directory / name) as file:
        arrays: dict[str, Any] = {key: file[key] for key in file.files}
    document = arrays["document"].tobytes().replace(b'"version": ', b'"version": 99')
    arrays["document"] = np.frombuffer(document, np.uint8)
    np.savez(directory / name, allow_pickle=False, **arrays)
    run = _Run(directory)
    assert 15.0 == run.total()
    assert [name + ".damaged"] == _files(directory, "*.damaged")


def test_files_of_others(killed: tuple[Path, str]) -> None:
    """A file that somebody else put into the directory keeps the receiver from starting."""
    directory, text = killed
    for name in ("snapshot-old.npz", "journal-.bin", "journal-1.bin.damaged", "notes.txt", "lost+found"):
        (directory / name).write_bytes(b"x")
    assert text == _Run(directory).text()


def test_rotation(tmp_path: Path) -> None:
    """A journal grows without bound, or a rotation loses or doubles what was counted."""
    run = _Run(tmp_path, max_size=1000)
    for at in range(100):
        run.export(at)
    assert 100.0 == run.total()
    run.close()
    assert (1, 1, 0) == tuple(len(_files(tmp_path, pattern)) for pattern in ("snapshot-*", "journal-*", "*.tmp"))
    assert run.snapshots("success") > 2
    assert 0.0 == run.snapshots("failure")
    assert run.text() == _Run(tmp_path).text()


def test_killed_while_rotating(tmp_path: Path) -> None:
    """A receiver that is killed between two journals, or before the snapshot is whole, loses what lies before."""
    run = _Run(tmp_path / "data", max_size=1000)
    for at in range(40):
        run.export(at)
        try:
            shutil.copytree(tmp_path / "data", tmp_path / f"copy-{at}")
        except shutil.Error:
            continue  # a snapshot removed a file in the moment of the copy
        assert at + 1.0 == _Run(tmp_path / f"copy-{at}").total()
    run.close()


@pytest.fixture(name="full_disk")
def _full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A disk that writes nothing, or only a part, until it is set to "free"."""
    writev = os.writev
    state = "free"

    def write(file: int, parts: Any) -> int:
        if state == "free":
            return writev(file, parts)
        if state == "part":
            whole = b"".join(parts)
            return os.write(file, whole[: len(whole) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def choose(new: str) -> None:
        nonlocal state
        state = new

    monkeypatch.setattr(os, "writev", write)
    return choose


@pytest.mark.parametrize("failure", ["nothing", "part"])
def test_disk_full(failure: str, full_disk: Callable[[str], None], tmp_path: Path) -> None:
    """An export that could not be kept is acknowledged, or counted twice when it is repeated."""
    run = _Run(tmp_path)
    run.export(0)
    for _ in range(3):
        full_disk(failure)
        with pytest.raises(status.RefusedError) as error:
            run.export(1, 10)
        assert (status.UNAVAILABLE.code, 503, True) == (
            error.value.failure.code,
            error.value.failure.http_status,
            error.value.failure.retry,
        )
    full_disk("free")
    run.export(1, 10)
    run.export(2, 100)
    assert 111.0 == run.total()
    assert 111.0 == _Run(tmp_path).total()


def test_snapshot_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A snapshot that fails takes the journals with it, or fails in silence."""
    run = _Run(tmp_path, max_size=1000)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", fail)
        for at in range(20):
            run.export(at)
        run.close()
    assert run.snapshots("failure") > 1
    assert {"no snapshot could be written; the journals are kept"} == {record.message for record in caplog.records}
    again = _Run(tmp_path)
    assert 20.0 == again.total()
    again.close()
    assert 20.0 == _Run(tmp_path).total()


def test_scrapers_outlive_a_restart(tmp_path: Path) -> None:
    """After a restart a scraper is shown 0 for a stream that it has seen, and Prometheus counts it again."""
    run = _Run(tmp_path)
    run.export(0)
    scraper = run.store.scrapers.begin("=one", 0, NOW)
    for at in range(2):
        if run.store.scrapers.open(NOW + at):
            run.journal.append_opening(run.store.scrapers.opened, NOW + at)
        mark, newest = run.store.scrapers.opened, run.store.census.newest
        run.store.scrapers.complete(scraper, mark, newest, NOW + at)
        run.journal.append_scrape(scraper, mark, newest, NOW + at)
    again = _Run(tmp_path)
    restored = again.store.scrapers.begin("=one", 0, NOW + 5)
    newest = run.store.census.newest
    assert (newest, newest, NOW + 1, newest) == (
        restored.seen,
        restored.valued,
        restored.last,
        again.store.scrapers.opened,
    )
    again.close()
    assert newest == _Run(tmp_path).store.scrapers.begin("=one", 0, NOW + 9).seen


def test_size_of_the_journal_is_told(tmp_path: Path) -> None:
    """Nobody can see how much a restart would have to replay."""
    run = _Run(tmp_path)
    run.export(0)
    size = run.telemetry.registry.get_sample_value("aigw_receiver_journal_size_bytes")
    assert _newest_journal(tmp_path).stat().st_size == size


def test_files_are_private(tmp_path: Path) -> None:
    """Others on the machine can read the names of models and pods."""
    run = _Run(tmp_path / "data")
    run.export(0)
    run.close()
    modes = {file.name.partition("-")[0]: file.stat().st_mode & 0o077 for file in (tmp_path / "data").iterdir()}
    assert {"journal": 0, "lock": 0, "snapshot": 0} == modes
