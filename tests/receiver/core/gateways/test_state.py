"""What a gateway does, by what was heard of its pods, and what a person is told to do."""

import pytest

from aigw_receiver.core.gateways import state
from aigw_receiver.core.gateways.state import Heard, State
from aigw_receiver.core.model import Identity
from aigw_receiver.core.sources import Expiry
from aigw_receiver.core.store import Store
from otlp_messages import NOW, SECOND, counter, export, number, pod

_DOCTOR = "`aigw-operator doctor` names the broken link"


def _pod(name: str = "pod-1", *, age: int | None = 5, log: int | None = None, ended: bool = False) -> Heard:
    """A pod that exports each 10 s, whose last export came `age` seconds ago and whose last log `log` seconds ago."""
    return Heard(
        pod=name,
        ended=ended,
        silent=not ended and age is not None and age > 15,
        last_export=None if age is None else NOW - age * SECOND,
        last_log=None if log is None else NOW - log * SECOND,
        interval=None if age is None else 10 * SECOND,
        streams=0 if age is None else 7,
    )


_CASES = {
    "active": ([_pod()], True, State.ACTIVE, "Exports arrive, with requests in this window."),
    "idle": ([_pod()], False, State.IDLE, "Exports arrive; no requests in this window."),
    "one of its pods is late": (
        [_pod("a"), _pod("b", age=20), _pod("c")],
        True,
        State.ACTIVE,
        "Exports arrive, with requests in this window. 1 of 3 pods has missed an export: see the pods.",
    ),
    "two of its pods are late, one has ended": (
        [_pod("a"), _pod("b", age=20), _pod("c", age=25), _pod("d", age=90, ended=True)],
        False,
        State.IDLE,
        "Exports arrive; no requests in this window. 2 of 3 pods have missed an export: see the pods.",
    ),
    "silent": (
        [_pod(age=25)],
        True,
        State.SILENT,
        (
            "No export for 25 s, though one is due each 10 s. If pod pod-1 still runs, look whether this receiver can"
            f" be reached from there, and at the log of the gateway's extProc; {_DOCTOR}."
        ),
    ),
    "silent, with several pods": (
        [_pod("a", age=28), _pod("b", age=22), _pod("c", age=100, ended=True)],
        False,
        State.SILENT,
        (
            "No export for 22 s, though one is due each 10 s. If its pods still run, look whether this receiver can be"
            f" reached from there, and at the log of the gateway's extProc; {_DOCTOR}."
        ),
    ),
    "ended": (
        [_pod(age=600, log=605, ended=True)],
        True,
        State.ENDED,
        "All its pods have ended; the last export came 10 min ago. If it should run, look at its pods in the cluster.",
    ),
    "ended, yet logs come": (
        [_pod(age=600, log=2, ended=True)],
        True,
        State.ENDED,
        (
            "All its pods have ended; the last export came 10 min ago. Access logs came since: its metrics are lost on"
            f" the way, {_DOCTOR}. If it should run, look at its pods in the cluster."
        ),
    ),
    "logs only": (
        [_pod(age=None, log=3)],
        False,
        State.LOGS_ONLY,
        (
            "Access logs arrive, but no metrics. Let OTEL_EXPORTER_OTLP_ENDPOINT of the gateway's extProc name port"
            f" 4317 (OTLP/gRPC) or 4318 (OTLP/HTTP) of this receiver; in a cluster the operator does that, and"
            f" {_DOCTOR}."
        ),
    ),
    "logs of a new pod, metrics of one that ended": (
        [_pod("a", age=100, ended=True), _pod("b", age=None, log=3)],
        False,
        State.LOGS_ONLY,
        (
            "Access logs arrive, but no metrics. Let OTEL_EXPORTER_OTLP_ENDPOINT of the gateway's extProc name port"
            f" 4317 (OTLP/gRPC) or 4318 (OTLP/HTTP) of this receiver; in a cluster the operator does that, and"
            f" {_DOCTOR}."
        ),
    ),
    "logs of a pod that was there before": (
        [_pod("a", age=7300, ended=True), _pod("b", age=None, log=8000)],
        False,
        State.ENDED,
        "All its pods have ended; the last export came 2 h ago. If it should run, look at its pods in the cluster.",
    ),
    "a pod whose metrics live, one of which only logs are known": (
        [_pod("a"), _pod("b", age=None, log=3)],
        True,
        State.ACTIVE,
        "Exports arrive, with requests in this window.",
    ),
    "no pod is remembered": (
        [],
        True,
        State.ENDED,
        (
            "No pod of it is remembered: nothing has come since this receiver started, or for longer than"
            f" `expiry.retention`. If it should run, {_DOCTOR}."
        ),
    ),
}


@pytest.mark.parametrize(("pods", "busy", "expected", "reason"), _CASES.values(), ids=_CASES)
def test_gateways(pods: list[Heard], expected: State, reason: str, *, busy: bool) -> None:
    """A gateway that is in trouble looks well, or the other way round, or nobody is told what to do."""
    assert state.Judgement(expected, reason) == state.judge(pods, NOW, busy=busy)


@pytest.mark.parametrize(
    ("heard", "busy", "expected"),
    [
        (_pod(), True, State.ACTIVE),
        (_pod(), False, State.IDLE),
        (_pod(age=25), True, State.SILENT),
        (_pod(age=100, ended=True), True, State.ENDED),
        (_pod(age=None, log=1), False, State.LOGS_ONLY),
        (Heard("forgotten", True, False, None, None, None, 0), True, State.ENDED),
    ],
)
def test_pods(heard: Heard, expected: State, *, busy: bool) -> None:
    """A pod that sends is taken for gone, or one that is gone for alive."""
    assert expected == state.state_of_pod(heard, busy=busy)


def test_collected() -> None:
    """A pod is listed with another gateway, twice, or without what was heard of it."""
    store = Store(NOW, expiry=Expiry())
    store.export(export(counter(number(1, {"a": "1"})), resource=pod("b")), NOW)
    store.export(export(resource=pod("a")), NOW)
    store.export(export(resource=pod("a")), NOW + 10 * SECOND)
    store.export(export(resource=pod("b", "other")), NOW)
    logs = {Identity("default", "gateway", "b"): NOW + 3, Identity("", "logs", "c"): NOW + 4}

    found = state.collect(store.sources.values(), store.expiry, logs, NOW + 26 * SECOND)

    expected = {
        ("default", "gateway"): [
            Heard("a", False, True, NOW + 10 * SECOND, None, 10 * SECOND, 0),
            Heard("b", False, False, NOW, NOW + 3, 60 * SECOND, 1),
        ],
        ("default", "other"): [Heard("b", False, False, NOW, None, 60 * SECOND, 0)],
        ("", "logs"): [Heard("c", False, False, None, NOW + 4, None, 0)],
    }
    assert expected == found
    for gateway in (*expected, ("default", "nobody")):
        one = state.collect(store.sources.values(), store.expiry, logs, NOW + 26 * SECOND, gateway)
        assert {key: pods for key, pods in expected.items() if key == gateway} == one


@pytest.mark.parametrize(("seconds", "silent"), [(90, False), (91, True), (181, False)])
def test_silence(seconds: int, *, silent: bool) -> None:
    """A pod that is late by a breath is called silent, or one that has missed an export is not."""
    store = Store(NOW, expiry=Expiry())
    store.export(export(resource=pod("a")), NOW)
    store.expire(NOW + seconds * SECOND)
    ((heard,),) = state.collect(store.sources.values(), store.expiry, {}, NOW + seconds * SECOND).values()
    assert (silent, seconds > 180) == (heard.silent, heard.ended)
