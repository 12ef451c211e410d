"""The list of sources says who was heard and when, in units and an order that do not change."""

import pytest

from aigw_receiver.core.model import Identity
from aigw_receiver.core.source_list import list_sources
from aigw_receiver.core.sources import Expiry, Source
from otlp_messages import NOW, SECOND


def _source(namespace: str, name: str, pod: str) -> Source:
    return Source(0, Identity(namespace, name, pod), {}, NOW, NOW, NOW, NOW)


def test_nobody_was_heard() -> None:
    """A list without pods has another shape than one with pods."""
    assert {"now": NOW / SECOND, "sources": []} == list_sources([], Expiry(), NOW)


def test_one_pod() -> None:
    """A time is given in nanoseconds, or is that of another event than the last export."""
    source = _source("default", "gateway", "pod-1")
    for at in (10, 20, 30):
        source.hear(NOW + at * SECOND + SECOND // 4)
    source.streams = 12
    source.ended = True
    expected = {
        "now": 1_700_000_060.5,
        "sources": [
            {
                "gateway_namespace": "default",
                "gateway_name": "gateway",
                "gateway_pod": "pod-1",
                "ended": True,
                "streams": 12,
                "signals": {"metrics": {"last": 1_700_000_030.25, "interval": 10.0}},
            }
        ],
    }
    assert expected == list_sources([source], Expiry(), NOW + 60 * SECOND + SECOND // 2)


def test_order() -> None:
    """The order is that of arrival, so that two answers about one state differ."""
    names = [("b", "a", "a"), ("a", "b", "b"), ("a", "b", "a"), ("", "z", ""), ("a", "a", "z")]
    listed = list_sources([_source(*name) for name in names], Expiry(), NOW)["sources"]
    keys = [(entry["gateway_namespace"], entry["gateway_name"], entry["gateway_pod"]) for entry in listed]
    assert sorted(names) == keys


def test_access_logs() -> None:
    """A pod that sends logs is not said to, or its logs make another pod of it."""
    both, logs_only = Identity("default", "gateway", "pod-1"), Identity("default", "gateway", "pod-0")
    logs = {both: NOW + SECOND // 2, logs_only: NOW}
    listed = list_sources([_source("default", "gateway", "pod-1")], Expiry(), NOW, logs)["sources"]
    assert [
        ("pod-0", False, 0, {"logs": {"last": NOW / SECOND}}),
        (
            "pod-1",
            False,
            0,
            {
                "metrics": {"last": NOW / SECOND, "interval": 60.0},
                "logs": {"last": NOW / SECOND + 0.5},
            },
        ),
    ] == [(one["gateway_pod"], one["ended"], one["streams"], one["signals"]) for one in listed]


@pytest.mark.parametrize(("arrivals", "interval"), [((), 30.0), ((5,), 5.0)])
def test_interval_until_it_is_learned(arrivals: tuple[int, ...], interval: float) -> None:
    """A pod that has sent once is said to send at some other interval than the configured one."""
    source = _source("default", "gateway", "pod-1")
    for at in arrivals:
        source.hear(NOW + at * SECOND)
    listed = list_sources([source], Expiry(default_interval=30 * SECOND), NOW)
    assert interval == listed["sources"][0]["signals"]["metrics"]["interval"]
