"""A sink that is slow, full or broken loses records of its own, counts them, and holds up nobody."""

import os
import threading
from pathlib import Path

import pytest

from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.sinks.base import Sink
from aigw_receiver.shell.sinks.file import FileSink
from aigw_receiver.shell.sinks.stdout import StdoutSink

_PATIENCE = 30.0


def _results(telemetry: Telemetry, sink: str) -> dict[str, int]:
    """What became of the records of a sink, without what there is none of."""
    read = telemetry.registry.get_sample_value
    counts = {
        result: read("aigw_receiver_sink_records_total", {"sink": sink, "result": result})
        for result in ("written", "queue_full", "failed")
    }
    return {result: int(count) for result, count in counts.items() if count}


class _Held(Sink):
    """Takes nothing before it is told to, and fails as often as it is told to."""

    def __init__(self, telemetry: Telemetry, *, queue: int = 100, failures: int = 0) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()
        self.lines: list[bytes] = []
        self._failures = failures
        super().__init__("held", telemetry.sink_records, queue=queue)

    def write(self, lines: list[bytes]) -> int:
        """Wait, then take the lines or fail."""
        self.begun.set()
        assert self.released.wait(_PATIENCE)
        if self._failures:
            self._failures -= 1
            raise OSError(None, "broken")
        self.lines += lines
        return len(lines)


@pytest.fixture
def telemetry() -> Telemetry:
    """The receiver's own series."""
    return Telemetry()


def test_a_sink_that_does_not_write(telemetry: Telemetry) -> None:
    """A stalled sink blocks whoever hands it records, or what does not fit is lost without a word."""
    sink = _Held(telemetry, queue=100)
    sink.put(b"first".ljust(10))
    assert sink.begun.wait(_PATIENCE)
    for number in range(25):
        sink.put(f"{number}".encode().ljust(10))
    assert {"queue_full": 15} == _results(telemetry, "held")
    sink.released.set()
    sink.close()
    assert {"queue_full": 15, "written": 11} == _results(telemetry, "held")
    assert [b"first", *(f"{number}".encode() for number in range(10))] == [line.strip() for line in sink.lines]


def test_a_sink_that_never_ends(telemetry: Telemetry) -> None:
    """The program cannot end for a sink that is stuck, or nobody learns what was left in it."""
    sink = _Held(telemetry)
    sink.put(b"one")
    assert sink.begun.wait(_PATIENCE)
    sink.put(b"two")
    sink.close(grace=0.01)
    assert {"failed": 2} == _results(telemetry, "held")
    sink.released.set()


def test_a_sink_that_fails_once(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    """One failure ends a sink for good, or is said with every record."""
    sink = _Held(telemetry, failures=1)
    sink.put(b"lost")
    assert sink.begun.wait(_PATIENCE)
    sink.put(b"kept")
    sink.released.set()
    sink.close()
    assert {"failed": 1, "written": 1} == _results(telemetry, "held")
    assert [b"kept"] == sink.lines
    assert ["a sink fails; what it loses is counted"] == [r.message for r in caplog.records if r.levelname == "ERROR"]


def test_stdout_is_written_whole(telemetry: Telemetry) -> None:
    """Lines are torn where the pipe is full, or the program's output does not block."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    sink = StdoutSink(telemetry.sink_records, write)
    lines = [b"%06d" % number + b"x" * 200 + b"\n" for number in range(2000)]
    for line in lines:
        sink.put(line)

    def close() -> None:
        sink.close(_PATIENCE)
        os.close(write)

    closed = threading.Thread(target=close)
    closed.start()
    with os.fdopen(read, "rb") as pipe:
        assert b"".join(lines) == pipe.read()
    closed.join()
    assert {"written": 2000} == _results(telemetry, "stdout")


def test_files_are_rotated(tmp_path: Path, telemetry: Telemetry) -> None:
    """A file grows without end, a line is torn between two, or more old ones stay than were asked for."""
    path = tmp_path / "logs" / "kept.jsonl"
    sink = FileSink(path, telemetry.sink_records, size=25, keep=2)
    for number in range(9):
        sink.put(b"%09d\n" % number)
    sink.put(b"x" * 40 + b"\n")
    sink.close()
    content = {file.name: [line.decode() for line in file.read_bytes().splitlines()] for file in path.parent.iterdir()}
    expected = {
        "kept.jsonl": ["x" * 40],
        "kept.jsonl.1": ["000000008"],
        "kept.jsonl.2": ["000000006", "000000007"],
    }
    assert expected == content
    assert {"written": 10} == _results(telemetry, "file")


def test_a_file_is_continued(tmp_path: Path, telemetry: Telemetry) -> None:
    """A restart empties the file that the last run has written."""
    path = tmp_path / "kept.jsonl"
    for line in (b"1\n", b"2\n"):
        sink = FileSink(path, telemetry.sink_records, size=100, keep=1)
        sink.put(line)
        sink.close()
    assert b"1\n2\n" == path.read_bytes()


def test_a_full_disk(tmp_path: Path, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of a line stays in the file when the disk is full, or nothing is written after that."""
    path = tmp_path / "kept.jsonl"
    sink = FileSink(path, telemetry.sink_records, size=100, keep=1)
    real = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda file, data: real(file, data[:3]))
        with pytest.raises(OSError, match="the disk is full"):
            sink.write([b"torn\n"])
    assert 1 == sink.write([b"whole\n"])
    sink.close()
    assert b"whole\n" == path.read_bytes()
