"""All sinks of one running receiver: each gets every kept record, and what one of them suffers is its own."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from access_log_bodies import failed_requests
from aigw_receiver.shell.sinks import segment_files
from aigw_receiver.shell.sinks.store import FILE
from otlp_targets import GrpcTarget, HttpTarget
from receiver_program import Ports, Receiver, fetch, start_receiver

_RECORDS: Final = 400
_DEADLINE_SECONDS: Final = 60.0


def _send(receiver: Receiver, first: int, count: int) -> list[str]:
    """Requests that failed, so that each is kept; answers their ids."""
    body, ids = failed_requests(first, count)
    request = urllib.request.Request(
        f"{receiver.otlp_http}/v1/logs", data=body, headers={"Content-Type": "application/x-protobuf"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        assert b"" == response.read()
    return ids


def _stored(receiver: Receiver) -> list[str]:
    """The ids of all records that the store has, oldest first."""
    ids: list[str] = []
    cursor = ""
    while True:
        page: dict[str, Any] = json.loads(fetch(f"{receiver.http}/api/logs?limit=150{cursor}"))
        ids += [log["request_id"] for log in page["logs"]]
        if page["next"] is None:
            return ids[::-1]
        cursor = f"&cursor={page['next']}"


def _await(expected: list[str], read: Callable[[], list[str]]) -> list[str]:
    """What is read once it is as many as expected, or when patience is at its end."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while len(found := read()) < len(expected) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _written(file: Path) -> list[str]:
    return [json.loads(line)["request_id"] for line in file.read_bytes().splitlines()]


def _config(file: Path, up: GrpcTarget, down: HttpTarget) -> dict[str, Any]:
    forward = {
        "up": {"endpoint": f"http://127.0.0.1:{up.port}"},
        "down": {"endpoint": f"http://127.0.0.1:{down.port}", "protocol": "http"},
    }
    return {"access_logs": {"stdout": False, "file": {"path": str(file)}, "forward": forward}}


def test_a_target_that_is_down_over_a_kill(tmp_path: Path) -> None:
    """A target that is down costs the others records, or a kill costs what waited for it."""
    up, down = GrpcTarget(), HttpTarget()
    up.start()
    down.start()
    down.stop()
    file, data = tmp_path / "kept.jsonl", tmp_path / "data"
    ports = Ports.free()
    with start_receiver(config=_config(file, up, down), data_dir=data, ports=ports) as receiver:
        sent = _send(receiver, 0, _RECORDS)
        sent += _send(receiver, _RECORDS, _RECORDS)
        assert sent == _await(sent, lambda: _written(file))
        assert sent == _await(sent, lambda: _stored(receiver))
        assert sent == up.await_records(len(sent))
        size = float(file.stat().st_size + len(sent) * segment_files.HEAD)
        waiting = f'aigw_receiver_sink_queue_size_bytes{{sink="forward:down"}} {size}\n'
        assert [waiting] == _await([waiting], lambda: [waiting] if waiting in receiver.own_metrics() else [])
        receiver.kill()
    down.start()
    with start_receiver(config=_config(file, up, down), data_dir=data, ports=ports) as receiver:
        assert sent == down.await_records(len(sent))
        sent += _send(receiver, 2 * _RECORDS, _RECORDS)
        assert sent == _await(sent, lambda: _stored(receiver))
        assert sent == down.await_records(len(sent))
        assert sorted(sent) == sorted(set(up.await_records(len(sent))))
        assert 0 == receiver.stop()
    assert sent == _written(file)
    for target in (up, down):
        target.stop()


def test_a_store_that_is_damaged_at_the_start(tmp_path: Path) -> None:
    """A damaged database keeps the receiver from starting, or the other sinks from their records."""
    file, data = tmp_path / "kept.jsonl", tmp_path / "data"
    data.mkdir()
    (data / FILE).write_bytes(b"this is no database" * 1000)
    config = {"access_logs": {"stdout": False, "file": {"path": str(file)}}}
    with start_receiver(config=config, data_dir=data) as receiver:
        sent = _send(receiver, 0, 20)
        assert sent == _await(sent, lambda: _stored(receiver))
        assert "aigw_receiver_store_set_aside_total 1.0\n" in receiver.own_metrics()
        assert 0 == receiver.stop()
    assert sent == _written(file)
    assert 1 == len(list(data.glob(f"{FILE}.corrupt-*")))


def test_without_a_store(tmp_path: Path) -> None:
    """Who switches the store off gets a failure that does not say why nothing can be searched."""
    config = {"access_logs": {"stdout": False, "store": {"enabled": False}}}
    with start_receiver(config=config, data_dir=tmp_path) as receiver:
        try:
            fetch(f"{receiver.http}/api/logs")
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
            error.close()
        assert 0 == receiver.stop()
    assert 404 == status
    assert "access_logs.store.enabled is false" in text
    assert not (tmp_path / FILE).exists()
