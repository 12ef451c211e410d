"""Any traffic, exactly stored: pods that restart, reset, end and come back, in every temporality, beside each other."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from truth.compare import late_mismatches
from truth.judge import assert_exact, recorded_by
from truth.pods import Life, Mark, Pod, Reset, Traffic, TrafficUntil, playing
from truth.programs import Endpoints, Scene, running_prometheus
from truth.relay import running_relay
from truth.waiting import DEADLINE_SECONDS

_SOME: Final = Traffic(50, 1.2, ("gpt-5-nano", "small"))
_MORE: Final = Traffic(50, 1.2, ("gpt-5-nano", "big", "slow"))

# How long a pod may stay away: its series leave after three export intervals, of which none counts less than 1 s.
_AWAY_SECONDS: Final = 3.5

_EVERYTHING: Final = (Life((_SOME, Reset(), _MORE)), Life((_MORE,)), Life((_SOME,), pause_seconds=_AWAY_SECONDS))
# What a pod does, and its export interval; the pods of a case take turns.
_STORIES: Final = (
    ((Life((_SOME, Reset(), _MORE, Reset(), _SOME)),), 0.3),
    ((Life((_SOME,)), Life((_MORE,))), 0.5),
    ((Life((_SOME,)), Life((_MORE,), pause_seconds=_AWAY_SECONDS)), 1.0),
    ((Life((_SOME, _MORE)),), 2.0),
)


_CASTS: Final = {"1 client": 1, "3 clients": 3, "20 clients": 20, "lost answers": 4}


def _cast(namespace: str, count: int) -> list[Pod]:
    pods = []
    for number in range(count):
        lives, interval = _STORIES[number % 4] if number else (_EVERYTHING, 0.3)
        pods.append(
            Pod(
                namespace=namespace,
                gateway=f"gateway-{number % 3}",
                name=f"pod-{number}",
                seed=count * 100 + number,
                lives=lives,
                temporality=("mixed", "delta", "cumulative")[number % 3],
                protocol="http" if number % 5 in (1, 4) else "grpc",
                interval_seconds=interval,
            )
        )
    return pods


@pytest.fixture(scope="module")
def played(steady_scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Pod]]:
    """Play all casts at once, which takes no longer than the greatest alone; the last of them through lossy relays."""
    casts = {namespace: _cast(namespace, count) for namespace, count in _CASTS.items()}
    folder = tmp_path_factory.mktemp("clients")
    receiver = steady_scene.receiver
    with running_relay(receiver.grpc, nth=7) as grpc, running_relay(receiver.otlp_http, nth=3) as http:
        lossy = Endpoints(grpc.address, http.address)
        with ExitStack() as plays:
            for namespace, pods in casts.items():
                endpoints = lossy if namespace == "lost answers" else receiver.endpoints
                plays.enter_context(playing(pods, endpoints, folder))
        assert grpc.lost
        assert http.lost
    steady_scene.wait_for_last_values()
    return casts


@pytest.mark.parametrize("cast", _CASTS)
def test_any_traffic_is_stored_exactly(
    cast: str, played: dict[str, list[Pod]], steady_scene: Scene, report: Callable[[str], None]
) -> None:
    """A first increment is lost, or an export, a retry, a reset, a restart or a return counts twice or not at all."""
    assert_exact(steady_scene, played[cast], report)


def test_a_scraper_that_comes_later_counts_from_its_first_scrape(
    steady_scene: Scene, tmp_path: Path, report: Callable[[str], None]
) -> None:
    """A Prometheus that is added shows all of the past as one jump, since it was told that old streams were at 0."""
    joined = threading.Event()
    marks = [Mark() for _ in range(3)]
    pods = [
        Pod(
            namespace="third",
            gateway="gateway",
            name=f"pod-{number}",
            seed=3000 + number,
            lives=(Life((_SOME, mark, TrafficUntil(joined), _MORE)),),
            temporality=("delta", "cumulative", "mixed")[number],
            protocol=("grpc", "http", "grpc")[number],
            interval_seconds=0.4,
        )
        for number, mark in enumerate(marks)
    ]
    with ExitStack() as stack:
        with playing(pods, steady_scene.receiver.endpoints, tmp_path):
            try:
                for mark in marks:
                    assert mark.reached.wait(DEADLINE_SECONDS)
                steady_scene.servers[0].wait_for_scrapes(2, since=time.time())
                third = stack.enter_context(running_prometheus(tmp_path / "third", steady_scene.receiver, 1))
                third.wait_for_scrapes(1, since=0)
            finally:
                joined.set()
        Scene(steady_scene.receiver, (*steady_scene.servers, third)).wait_for_last_values()
        assert_exact(steady_scene, pods, report)
        began, late, early = third.scrapes()[0], third.series("third"), steady_scene.servers[0].series("third")
        older = sum(raw.value_before(began) > 0 for raw in early.values())
        report(f"of {len(late)} series {older} are older than the third server")
        assert 0 < older < len(late)
        wrong = late_mismatches(recorded_by(pods), late, early, began)
        assert not wrong, "\n".join(wrong)
