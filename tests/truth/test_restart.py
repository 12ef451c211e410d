"""The receiver goes and comes back in the middle of traffic, and the numbers stay exact."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from truth.judge import assert_exact
from truth.pods import Await, Life, Mark, Pod, RepeatUntil, Settle, Traffic, TrafficUntil, playing
from truth.programs import Receiver, Scene
from truth.waiting import DEADLINE_SECONDS, wait_until

_BEFORE: Final = Traffic(50, 1.5, ("gpt-5-nano", "small"))
_AFTER: Final = Traffic(50, 1.5, ("gpt-5-nano", "big", "slow"))


def _restart(scene: Scene, end: Callable[[Receiver], int], down: threading.Event) -> int:
    """End the receiver, leave it away until each server has missed it, and start it again; its exit status."""
    status = end(scene.receiver)
    down.set()
    wait_until(lambda: all(server.scrapes(up=0) for server in scene.servers), "every server has missed the receiver")
    scene.receiver.start()
    return status


@pytest.mark.parametrize(
    ("end", "expected"),
    [pytest.param(Receiver.stop, 0, id="SIGTERM"), pytest.param(Receiver.kill, -signal.SIGKILL, id="SIGKILL")],
)
def test_a_restart_neither_loses_nor_doubles_an_export(
    end: Callable[[Receiver], int],
    expected: int,
    restart_scene: Scene,
    tmp_path: Path,
    report: Callable[[str], None],
) -> None:
    """An acknowledged export is lost with the process, or a retried one is counted twice."""
    down, up = threading.Event(), threading.Event()
    marks = [Mark() for _ in range(5)]
    stays = [(Life((_BEFORE, mark, TrafficUntil(up), _AFTER)),) for mark in marks[:4]]
    # This one ends while there is no receiver, so that its last export is a retry, and comes back with the receiver.
    leaves = (Life((_BEFORE, marks[4], Await(down))), Life((_AFTER,)))
    pods = [
        Pod(
            namespace="restart",
            gateway=f"gateway-{number % 2}",
            name=f"pod-{number}",
            seed=4000 + number,
            lives=lives,
            temporality=("delta", "cumulative", "mixed", "delta", "delta")[number],
            protocol=("grpc", "grpc", "http", "http", "grpc")[number],
            interval_seconds=(0.3, 0.5, 0.4, 1.0, 0.5)[number],
        )
        for number, lives in enumerate((*stays, leaves))
    ]
    with playing(pods, restart_scene.receiver.endpoints, tmp_path):
        try:
            for mark in marks:
                assert mark.reached.wait(DEADLINE_SECONDS)
            status = _restart(restart_scene, end, down)
        finally:
            down.set()
            up.set()
    restart_scene.wait_for_last_values()
    assert_exact(restart_scene, pods, report)
    assert expected == status


def test_a_receiver_without_memory_counts_nothing_twice(
    memory_scene: Scene, tmp_path: Path, report: Callable[[str], None]
) -> None:
    """Cumulative streams that were exported before the restart jump from 0 to their whole past once more."""
    down, up = threading.Event(), threading.Event()
    marks = [Mark() for _ in range(3)]
    pods = [
        Pod(
            namespace="memory",
            gateway=f"gateway-{number % 2}",
            name=f"pod-{number}",
            seed=5000 + number,
            # Only streams that both servers know go on while the receiver is away: nobody could tell whether one
            # that began in that time had been scraped before.
            lives=(Life((_BEFORE, Settle(), mark, Await(down), RepeatUntil(up), _AFTER)),),
            protocol=("grpc", "http", "grpc")[number],
            interval_seconds=(0.3, 0.5, 1.0)[number],
        )
        for number, mark in enumerate(marks)
    ]
    with playing(pods, memory_scene.receiver.endpoints, tmp_path):
        try:
            for mark in marks:
                assert mark.reached.wait(DEADLINE_SECONDS)
            memory_scene.wait_for_last_values()
            _restart(memory_scene, Receiver.stop, down)
        finally:
            down.set()
            up.set()
    memory_scene.wait_for_last_values()
    assert_exact(memory_scene, pods, report)
