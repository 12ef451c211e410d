"""The bytes of real senders give the totals that the real gateway's own `/metrics` gave."""

from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from aigw_receiver.core import exposition
from aigw_receiver.core.model import Identity
from aigw_receiver.core.store import Store
from otlp_messages import NOW
from replay import Replayed, compare_totals, totals_of

_CAPTURES = Path(__file__).parents[2] / "captures"
_SENDERS = ("aigw-cumulative", "aigw-delta", "sdk-grpc-cumulative", "sdk-grpc-delta", "sdk-http-delta")


def _replay(sender: str) -> Store:
    store = Store(NOW)
    files = sorted(_CAPTURES.glob(f"{sender}-metrics-*.pb"))
    assert files
    for file in files:
        outcome = store.export(file.read_bytes(), NOW)
        assert ({}, {}, 0, 0) == (outcome.rejected, outcome.folded, outcome.duplicates, outcome.overlaps)
    return store


def _shown(store: Store) -> Replayed:
    return totals_of(b"".join(exposition.render(store, exposition.TEXT, None)).decode())


@pytest.mark.parametrize("sender", _SENDERS)
def test_every_capture_is_accepted_whole(sender: str) -> None:
    """A data point that a real sender sends is refused, changed, or taken for a duplicate."""
    assert _replay(sender).census.streams > 0


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_totals_of_the_gateway(temporality: str) -> None:
    """A count, sum, bucket, help text or type differs from what the gateway itself showed at the end of the run."""
    truth = totals_of((_CAPTURES / f"aigw-{temporality}-metrics.txt").read_text())
    shown = _shown(_replay(f"aigw-{temporality}"))
    assert len(truth.samples) > 500
    compare_totals(truth, shown, relative=0.0 if temporality == "cumulative" else 1e-12)


def _points_in(body: bytes) -> int:
    metrics = (
        metric
        for resource_metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics
        for scope_metrics in resource_metrics.scope_metrics
        for metric in scope_metrics.metrics
    )
    return sum(len(getattr(metric, metric.WhichOneof("data") or "").data_points) for metric in metrics)


@pytest.mark.parametrize("sender", _SENDERS)
def test_no_point_is_lost(sender: str) -> None:
    """The number of data points in a capture and the number that was accepted differ."""
    store = Store(NOW)
    bodies = [file.read_bytes() for file in sorted(_CAPTURES.glob(f"{sender}-metrics-*.pb"))]
    assert [_points_in(body) for body in bodies] == [store.export(body, NOW).accepted for body in bodies]


@pytest.mark.parametrize(
    ("sender", "identity"),
    [
        ("aigw-cumulative", Identity("", "aigw-demo", "demo-pod-0")),
        ("aigw-delta", Identity("", "aigw-demo", "demo-pod-0")),
        ("sdk-grpc-cumulative", Identity("", "my-ai-gateway", "pod-1")),
        ("sdk-grpc-delta", Identity("", "my-ai-gateway", "pod-1")),
        ("sdk-http-delta", Identity("", "my-ai-gateway", "pod-1")),
    ],
)
def test_identity_of_captures(sender: str, identity: Identity) -> None:
    """The pod that sent a capture is not recognised by its resource."""
    assert [identity] == list(_replay(sender).sources)


@pytest.mark.parametrize("sender", _SENDERS)
def test_a_second_replay_changes_nothing(sender: str) -> None:
    """A sender that repeats everything, as after a lost answer, is counted twice."""
    store = _replay(sender)
    before = _shown(store)
    last = max(_CAPTURES.glob(f"{sender}-metrics-*.pb"))
    outcome = store.export(last.read_bytes(), NOW)
    assert outcome.accepted == outcome.duplicates
    assert before == _shown(store)
