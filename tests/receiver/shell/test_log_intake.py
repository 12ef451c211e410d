"""What the intake of access logs adds to the core: the clock, who was heard, and what is handed on."""

import json

import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from aigw_receiver.core.model import Identity
from aigw_receiver.core.store import Store
from aigw_receiver.shell import log_intake
from aigw_receiver.shell.log_intake import LogIntake
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.sinks.base import Sink
from otlp_messages import NOW, SECOND


class _Kept(Sink):
    """Remembers what it was given, in the thread that gave it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.lines: list[bytes] = []
        super().__init__("kept", telemetry.sink_records)

    def put(self, line: bytes) -> None:
        """Remember a line."""
        self.lines.append(line)

    def write(self, lines: list[bytes]) -> int:
        """Nothing comes here."""
        return len(lines)


def _body(pod: str, status: str = "500", *, time: int = 0) -> bytes:
    request = logs_service_pb2.ExportLogsServiceRequest()
    logs = request.resource_logs.add()
    for key, value in (("aigw.gateway.name", "main"), ("k8s.pod.name", pod)):
        logs.resource.attributes.add(key=key).value.string_value = value
    record = logs.scope_logs.add().log_records.add(time_unix_nano=time)
    for key, value in (("ai_route_type", "llm"), ("response_code", status), ("gen_ai.request.model", "m")):
        record.attributes.add(key=key).value.string_value = value
    return request.SerializeToString()


def test_a_record_without_a_time() -> None:
    """A record that says no time is kept as one of 1970."""
    telemetry = Telemetry()
    sink = _Kept(telemetry)
    intake = LogIntake(Store(NOW), telemetry, None, sinks=[sink])
    for time in (0, NOW - SECOND):
        assert {} == intake.take(_body("a", time=time), NOW)
    sink.close()
    assert ["2023-11-14T22:13:20.000000000Z", "2023-11-14T22:13:19.000000000Z"] == [
        json.loads(line)["time"] for line in sink.lines
    ]


def test_who_was_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod is said to send logs long after its last one, or the list of pods grows without end."""
    monkeypatch.setattr(log_intake, "_PODS", 3)
    store = Store(NOW)
    intake = LogIntake(store, Telemetry(), None)
    a, b, c, d, e = (Identity("", "main", pod) for pod in "abcde")
    for second, pod in enumerate("abca"):
        intake.take(_body(pod, "200"), NOW)
        intake.settle(NOW + second * SECOND)
    assert {b: NOW + SECOND, c: NOW + 2 * SECOND, a: NOW + 3 * SECOND} == intake.heard
    intake.take(_body("d"), NOW)
    intake.settle(NOW + 4 * SECOND)
    assert [c, a, d] == list(intake.heard)
    later = NOW + 3 * SECOND + store.expiry.retention
    intake.take(_body("e"), later)
    intake.settle(later)
    assert [a, d, e] == list(intake.heard)
    intake.settle(later + SECOND)
    assert [d, e] == list(intake.heard)
