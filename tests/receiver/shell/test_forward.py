"""Forwarded records reach real OTLP servers whatever happens to these, to the receiver or its disk; or are counted."""

import dataclasses
import errno
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

import otlp_targets
from aigw_receiver.core.access_logs import flat
from aigw_receiver.core.access_logs.answers import Backoff, Delivered
from aigw_receiver.core.access_logs.model import AccessLog, Decision, Ending, Kept, RouteType
from aigw_receiver.core.model import Identity
from aigw_receiver.settings import Forward
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.sinks import forward
from aigw_receiver.shell.sinks.backlog import MemoryQueue
from aigw_receiver.shell.sinks.forward import ForwardSink
from cluster.pki import Authority
from otlp_targets import PATIENCE, GrpcTarget, HttpTarget, Target

_SECOND: Final = 1_000_000_000
_DISK_AND_MEMORY: Final = pytest.mark.parametrize("durable", [True, False], ids=["disk", "memory"])
_TRANSPORTS: Final = pytest.mark.parametrize("target", [GrpcTarget, HttpTarget], indirect=True)


@dataclasses.dataclass(frozen=True, slots=True)
class _Attempts(Backoff):
    """Waits next to nothing, and tells how often."""

    asked: list[float | None] = dataclasses.field(default_factory=list)
    changed: threading.Condition = dataclasses.field(default_factory=threading.Condition)

    def wait(self, attempt: int, random: float, after: float | None) -> float:  # noqa: ARG002
        """A hundredth of a second, whatever was asked for."""
        with self.changed:
            self.asked.append(after)
            self.changed.notify_all()
        return 0.01

    def await_failures(self, count: int) -> None:
        """Wait until so many requests have failed."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= count, PATIENCE)


@pytest.fixture
def telemetry() -> Telemetry:
    """The receiver's own series."""
    return Telemetry()


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A server that runs; the test may stop and start it."""
    running: GrpcTarget | HttpTarget = getattr(request, "param", GrpcTarget)()
    running.start()
    yield running
    running.stop()


def _results(telemetry: Telemetry) -> dict[str, int]:
    """What became of the records, without what there is none of."""
    read = telemetry.registry.get_sample_value
    counts = {
        result: read("aigw_receiver_sink_records_total", {"sink": "forward:x", "result": result})
        for result in ("written", "queue_full", "failed", "rejected")
    }
    return {result: int(count) for result, count in counts.items() if count}


def _settings(target: Target, **changes: Any) -> Forward:
    protocol = "grpc" if isinstance(target, GrpcTarget) else "http"
    return Forward(**{"endpoint": f"http://127.0.0.1:{target.port}", "protocol": protocol, **changes})


def _open(
    target: Target,
    telemetry: Telemetry,
    data_dir: Path | None,
    backoff: Backoff | None = None,
    **changes: Any,
) -> ForwardSink:
    settings = _settings(target, **changes)
    return forward.open_sink("x", settings, telemetry.sink_records, data_dir, backoff=backoff or _Attempts())


def _line(name: str, size: int = 0) -> bytes:
    log = AccessLog(
        Identity("shop", "edge", "edge-0"), RouteType.LLM, 1, Ending.OK, request_id=name, user_agent="x" * size
    )
    return flat.to_json_line(Kept(log, Decision(("errors",))))


def _names(first: int, last: int) -> list[str]:
    return [f"r-{number:05}" for number in range(first, last)]


def _put(sink: ForwardSink, names: list[str], size: int = 0) -> None:
    for name in names:
        sink.put(_line(name, size))


@_TRANSPORTS
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_request(target: Any, telemetry: Telemetry, compression: str) -> None:
    """A target is not sent what was configured: headers, compression, attributes; or what it gets is no export."""
    headers = {"X-Scope": "tenant"}
    sink = _open(target, telemetry, None, headers=headers, compression=compression, attributes={"team": "a"})
    _put(sink, _names(0, 3))
    assert _names(0, 3) == target.await_records(3)
    sink.close(PATIENCE)
    assert {"written": 3} == _results(telemetry)
    attributes = otlp_targets.values(target.requests[0].resource_logs[0].resource.attributes)
    assert ("edge", "a") == (attributes["service.name"], attributes["team"])
    headers = target.headers[0]
    assert "tenant" == headers["x-scope"]
    if isinstance(target, HttpTarget):
        assert "/v1/logs" == target.paths[0]
        assert "application/x-protobuf" == headers["content-type"]
        assert ("gzip" if compression == "gzip" else None) == headers.get("content-encoding")


def test_a_path_of_ones_own(telemetry: Telemetry) -> None:
    """A Loki, whose path is another one, gets nothing."""
    target = HttpTarget()
    target.start()
    sink = _open(target, telemetry, None, endpoint=f"http://127.0.0.1:{target.port}/otlp/v1/logs")
    _put(sink, _names(0, 1))
    sink.close(PATIENCE)
    target.stop()
    assert ["/otlp/v1/logs"] == target.paths


@_TRANSPORTS
@_DISK_AND_MEMORY
def test_a_target_that_is_away(target: Any, telemetry: Telemetry, tmp_path: Path, durable: bool) -> None:
    """What came while the target was away is lost, out of order or twice; or the sink does not find it again."""
    attempts = _Attempts()
    sink = _open(target, telemetry, tmp_path if durable else None, attempts)
    _put(sink, _names(0, 500))
    target.await_records(500)
    target.stop()
    for start in range(500, 3000, 500):
        _put(sink, _names(start, start + 500))
        attempts.await_failures(len(attempts.asked) + 2)
    target.start()
    _put(sink, _names(3000, 3500))
    assert _names(0, 3500) == target.await_records(3500)
    sink.close(PATIENCE)
    assert {"written": 3500} == _results(telemetry)
    assert (0, 0) == (sink.queued_bytes, sink.queued_records)


@_DISK_AND_MEMORY
def test_a_queue_beyond_its_bound(telemetry: Telemetry, tmp_path: Path, durable: bool) -> None:
    """A loss is not counted, something is counted as lost that arrives, or it is not the oldest that is lost."""
    target = GrpcTarget()
    target.start()
    target.stop()
    attempts = _Attempts()
    sink = _open(target, telemetry, tmp_path if durable else None, attempts, queue=200_000)
    for start in range(0, 5000, 1000):
        _put(sink, _names(start, start + 1000))
        attempts.await_failures(len(attempts.asked) + 2)
    assert sink.queued_bytes <= 200_000
    target.start()
    sink.close(PATIENCE)
    target.stop()
    arrived = target.records()
    assert 100 < len(arrived) < 2000
    assert _names(5000 - len(arrived), 5000) == arrived
    assert {"written": len(arrived), "queue_full": 5000 - len(arrived)} == _results(telemetry)


def _retry_info() -> bytes:
    info = any_pb2.Any()
    info.Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=3)))
    return bytes(status_pb2.Status(details=[info]).SerializeToString())


@pytest.mark.parametrize(
    ("target", "answers", "asked"),
    [
        (GrpcTarget, [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED], [None, None]),
        (GrpcTarget, [(grpc.StatusCode.RESOURCE_EXHAUSTED, _retry_info())], [3.0]),
        (HttpTarget, [(429, {"Retry-After": "4"}), (502, {}), (503, {}), (504, {})], [4.0, None, None, None]),
    ],
    indirect=["target"],
)
def test_what_is_tried_again(
    target: Any, telemetry: Telemetry, tmp_path: Path, answers: list[Any], asked: list[float | None]
) -> None:
    """A target that is busy for a moment loses records, gets them twice, or is not given the time that it asks for."""
    target.answers.extend(answers)
    attempts = _Attempts()
    sink = _open(target, telemetry, tmp_path, attempts)
    _put(sink, _names(0, 2))
    assert _names(0, 2) == target.await_records(2)
    sink.close(PATIENCE)
    assert {"written": 2} == _results(telemetry)
    assert asked == attempts.asked


@pytest.mark.parametrize(
    ("target", "answers"),
    [
        (GrpcTarget, [grpc.StatusCode.INVALID_ARGUMENT] * 2),
        (GrpcTarget, [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2),
        (HttpTarget, [(400, {"Retry-After": "1"})] * 2),
        (HttpTarget, [(500, {})] * 2),
        (HttpTarget, [(302, {"Location": "/"})] * 2),
    ],
    indirect=["target"],
)
def test_what_is_not_tried_again(
    target: Any, telemetry: Telemetry, tmp_path: Path, answers: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What a target refuses is sent for ever, is not counted, or is said each time."""
    target.answers.extend(answers)
    attempts = _Attempts()
    sink = _open(target, telemetry, tmp_path, attempts)
    for number in range(3):
        _put(sink, _names(number, number + 1))
        target.await_tries(number + 1)
    sink.close(PATIENCE)
    assert {"failed": 2, "written": 1} == _results(telemetry)
    assert (_names(2, 3), 3, []) == (target.records(), target.tries, attempts.asked)
    assert ["a target refuses records; they are lost"] == [record.message for record in caplog.records]


def test_what_is_said(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    """A target that is away is said with every try, or nobody learns that it is back."""
    caplog.set_level(logging.INFO)
    target = GrpcTarget()
    target.start()
    target.stop()
    attempts = _Attempts()
    sink = _open(target, telemetry, None, attempts)
    _put(sink, _names(0, 1))
    attempts.await_failures(5)
    target.start()
    target.await_records(1)
    _put(sink, _names(1, 2))
    target.await_records(2)
    sink.close(PATIENCE)
    target.stop()
    expected = ["a target takes no records; they wait", "a target takes records again"]
    assert expected == [record.message for record in caplog.records]


@_TRANSPORTS
def test_partial_success(target: Any, telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    """Records that a target rejects count as written, or are sent again."""
    partial = logs_service_pb2.ExportLogsServiceResponse()
    partial.partial_success.rejected_log_records = 2
    partial.partial_success.error_message = "too old"
    target.answers.append(partial)
    sink = _open(target, telemetry, None)
    _put(sink, _names(0, 5))
    sink.close(PATIENCE)
    assert (_names(0, 5), 1) == (target.records(), target.tries)
    assert {"written": 3, "rejected": 2} == _results(telemetry)
    [record] = caplog.records
    assert ("a target rejects records; they are lost", "too old") == (record.message, vars(record)["reason"])


@_TRANSPORTS
@_DISK_AND_MEMORY
def test_the_end_before_an_answer(target: Any, telemetry: Telemetry, tmp_path: Path, durable: bool) -> None:
    """The program does not end for a target that does not answer; what is on disk counts as lost, or is."""
    held = threading.Event()
    target.answers.append(lambda: held.wait(PATIENCE))
    data_dir = tmp_path if durable else None
    sink = _open(target, telemetry, data_dir)
    _put(sink, _names(0, 1))
    target.await_tries(1)
    _put(sink, _names(1, 3))
    sink.close(grace=0.01)
    held.set()
    assert ({} if durable else {"failed": 3}) == _results(telemetry)
    if durable:
        _open(target, telemetry, data_dir).close(PATIENCE)
        assert {"written": 3} == _results(telemetry)
        assert _names(0, 3) == target.records()


def test_the_end_without_a_target(telemetry: Telemetry, tmp_path: Path) -> None:
    """The program waits for a target that is away, although what waits for it is kept."""
    target = GrpcTarget()
    target.start()
    target.stop()
    attempts = _Attempts()
    sink = _open(target, telemetry, tmp_path, attempts)
    _put(sink, _names(0, 1))
    attempts.await_failures(1)
    closed = threading.Thread(target=sink.close, args=(10 * PATIENCE,))
    closed.start()
    closed.join(PATIENCE)
    assert not closed.is_alive()
    assert {} == _results(telemetry)


@_TRANSPORTS
def test_an_answer_that_is_late(target: Any, telemetry: Telemetry, tmp_path: Path) -> None:
    """A target that does not answer holds up the sink for ever."""
    held = threading.Event()
    target.answers.append(lambda: held.wait(PATIENCE))
    attempts = _Attempts()
    sink = _open(target, telemetry, tmp_path, attempts, timeout=_SECOND // 5)
    _put(sink, _names(0, 1))
    attempts.await_failures(1)
    held.set()
    # The target has had it before: at least once is what is promised.
    assert (_names(0, 1), 2) == (target.await_records(1), target.tries)
    sink.close(PATIENCE)
    assert {"written": 1} == _results(telemetry)


_PROGRAM: Final = """
import sys, time
from pathlib import Path
from aigw_receiver.settings import Forward
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.sinks import forward
from aigw_receiver.shell.sinks.backlog import MemoryQueue
endpoint, protocol, data_dir, count, *lines = sys.argv[1:]
telemetry = Telemetry()
settings = Forward(endpoint=endpoint, protocol=protocol)
sink = forward.open_sink("x", settings, telemetry.sink_records, Path(data_dir))
read = lambda: telemetry.registry.get_sample_value(
    "aigw_receiver_sink_records_total", {"sink": "forward:x", "result": "written"})
number = 0
while line := sys.stdin.buffer.readline():
    sink.put(line)
    number += 1
    if number % 100 == 0:
        while sink.queued_records + read() < number:
            time.sleep(0.001)
        print(number, flush=True)
"""


@_TRANSPORTS
def test_a_kill(target: Any, telemetry: Telemetry, tmp_path: Path) -> None:
    """A receiver that is killed while it forwards loses what it had queued, or cannot start again."""
    protocol = "grpc" if isinstance(target, GrpcTarget) else "http"
    command = [sys.executable, "-c", _PROGRAM, f"http://127.0.0.1:{target.port}", protocol, str(tmp_path), "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None

        def feed(first: int, last: int) -> None:
            program.stdin.write(b"".join(map(_line, _names(first, last))))  # type: ignore[union-attr]
            program.stdin.flush()  # type: ignore[union-attr]
            for number in range(first + 100, last + 1, 100):
                assert b"%d\n" % number == program.stdout.readline()  # type: ignore[union-attr]

        feed(0, 300)
        target.await_records(100)
        target.stop()
        feed(300, 1000)
        # It is killed as it takes in more, at a moment that nobody chooses.
        program.stdin.write(b"".join(map(_line, _names(1000, 1100))))
        program.stdin.flush()
        program.send_signal(signal.SIGKILL)
        program.communicate()
    target.start()
    _open(target, telemetry, tmp_path).close(PATIENCE)
    arrived = target.records()
    unique = list(dict.fromkeys(arrived))
    assert _names(0, 1000) == unique[:1000]
    assert _names(0, len(unique)) == unique
    # One request was on its way when the target went, and one answer may not have been noted.
    assert len(arrived) - len(unique) <= 300


def test_a_torn_segment(target: Any, telemetry: Telemetry, tmp_path: Path) -> None:
    """What a crash has torn ends the receiver's start, or is not counted."""
    target.stop()
    sink = _open(target, telemetry, tmp_path)
    _put(sink, _names(0, 3))
    sink.close(PATIENCE)
    assert {} == _results(telemetry)
    segment = tmp_path / "forward" / "x" / "segment-1"
    os.truncate(segment, segment.stat().st_size - 5)
    target.start()
    _open(target, telemetry, tmp_path).close(PATIENCE)
    assert _names(0, 2) == target.records()
    assert {"failed": 1, "written": 2} == _results(telemetry)


def test_lines_that_cannot_be_read(target: Any, telemetry: Telemetry, tmp_path: Path) -> None:
    """One bad line in a queue costs those beside it, or is not counted."""
    sink = _open(target, telemetry, tmp_path)
    sink.put(b"{}\n")
    _put(sink, _names(0, 2))
    sink.put(b"\n")
    sink.close(PATIENCE)
    assert _names(0, 2) == target.records()
    assert {"failed": 2, "written": 2} == _results(telemetry)


def test_a_full_disk(
    target: Any, telemetry: Telemetry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that is full ends the sink or holds up the intake, or what it costs is not counted."""
    real, full, noticed = os.pwrite, threading.Event(), threading.Semaphore(0)

    def pwrite(file: int, data: bytes, offset: int) -> int:
        if full.is_set():
            noticed.release()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    sink = _open(target, telemetry, tmp_path)
    _put(sink, _names(0, 10))
    target.await_records(10)
    full.set()
    # One after the other: what waits at one time is written, and lost, together.
    for names in (_names(10, 11), _names(11, 20)):
        _put(sink, names)
        assert noticed.acquire(timeout=PATIENCE)
    full.clear()
    sink.close(PATIENCE)
    arrived = target.records()
    results = _results(telemetry)
    assert 20 == results["written"] + results["failed"]
    assert results["written"] == len(arrived)
    assert _names(0, 10) == arrived[:10]
    assert "a sink fails; what it loses is counted" in [record.message for record in caplog.records]


class _Broken:
    """A transport with a fault that nobody foresaw."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def send(self, body: bytes) -> Any:
        """Fail once."""
        self.bodies.append(body)
        if len(self.bodies) == 1:
            message = "unforeseen"
            raise RuntimeError(message)
        return Delivered()

    def abort(self) -> None:
        """Nothing is on its way."""

    def close(self) -> None:
        """Nothing is open."""


def test_an_unforeseen_fault(telemetry: Telemetry) -> None:
    """A fault in a transport ends the thread that sends, and with it the sink, without a word."""
    transport = _Broken()
    queue = MemoryQueue(1000)
    sink = ForwardSink("forward:x", telemetry.sink_records, queue, transport, attributes={}, backoff=_Attempts())
    _put(sink, _names(0, 1))
    sink.close(PATIENCE)
    assert {"written": 1} == _results(telemetry)
    assert 2 == len(transport.bodies)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who signs certificates."""
    return Authority(tmp_path / "pki")


def _serve_securely(authority: Authority, protocol: str) -> Any:
    pair = authority.issue_server("target", "IP:127.0.0.1")
    if protocol == "http":
        return HttpTarget(pair)
    credentials = grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.certificate.read_bytes())])
    return GrpcTarget(credentials)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_tls(authority: Authority, telemetry: Telemetry, protocol: str) -> None:
    """Records go to a server whose certificate is not trusted, or to none that is."""
    target = _serve_securely(authority, protocol)
    target.start()
    endpoint = f"https://127.0.0.1:{target.port}"
    attempts = _Attempts()
    stranger = _open(target, telemetry, None, attempts, endpoint=endpoint)
    _put(stranger, _names(0, 1))
    attempts.await_failures(1)
    stranger.close(grace=0.01)
    assert ({"failed": 1}, 0) == (_results(telemetry), target.tries)
    trusting = _open(target, telemetry, None, endpoint=endpoint, ca_file=authority.own.certificate)
    _put(trusting, _names(1, 2))
    trusting.close(PATIENCE)
    target.stop()
    assert _names(1, 2) == target.records()


def test_the_disk_is_told_to_keep_what_waits(
    telemetry: Telemetry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for a target that is away is lost when the machine fails."""
    synced = threading.Event()
    real = os.fsync

    def fsync(file: int) -> None:
        real(file)
        if Path(f"/proc/self/fd/{file}").readlink().name == "segment-1":
            synced.set()

    monkeypatch.setattr(os, "fsync", fsync)
    target = GrpcTarget()
    target.start()
    target.stop()
    sink = _open(target, telemetry, tmp_path)
    _put(sink, _names(0, 1))
    assert synced.wait(PATIENCE)
    sink.close(PATIENCE)
