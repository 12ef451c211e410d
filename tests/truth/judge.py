"""Prints both numbers, and fails where they differ."""

from collections.abc import Callable, Sequence

from truth.compare import gateway_totals, mismatches
from truth.ledger import Series
from truth.pods import Pod
from truth.programs import Scene


def recorded_by(pods: Sequence[Pod]) -> dict[Series, int]:
    """Everything that these pods recorded, as the samples it must become."""
    return {series: value for pod in pods for series, value in pod.samples().items()}


def assert_exact(scene: Scene, pods: Sequence[Pod], report: Callable[[str], None]) -> None:
    """Every server of the scene, each having scraped the last values, holds exactly what the pods recorded."""
    recorded = recorded_by(pods)
    stored = [server.series(pods[0].namespace) for server in scene.servers]
    for line in gateway_totals(recorded, stored):
        report(line)
    report(f"{len(pods)} pods, {len(recorded)} series compared, {sum(map(len, stored))} stored")
    wrong = [
        f"{server.name or 'unnamed'} every {server.interval_seconds} s, failed at {server.scrapes(up=0)}: {line}"
        for server, series in zip(scene.servers, stored, strict=True)
        for line in mismatches(recorded, series)
    ]
    assert not wrong, "\n".join(wrong)
