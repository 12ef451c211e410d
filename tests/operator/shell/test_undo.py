"""Undo: step after step until nothing is left, past what fails, and an end in any case."""

import asyncio
from pathlib import Path

import kmock
import pytest

from aigw_operator.core import model
from aigw_operator.settings import Settings
from aigw_operator.shell import undo, workqueue
from aigw_operator.shell.kube import KubeClient
from aigw_operator.shell.undo import Undo, UndoError
from api_server import ApiServer, Fault, write_kubeconfig
from fake_planner import FakePlanner


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are there for the sake of a real cluster only."""
    monkeypatch.setattr(workqueue, "_FIRST", 0.0)
    monkeypatch.setattr(undo, "_PAUSE", 0.0)


def _undo(folder: Path, *faults: Fault, timeout: float = 10.0) -> tuple[list[str], set[str]]:
    said: list[str] = []

    async def run() -> set[str]:
        async with ApiServer() as server, kmock.Server(server):
            definition = {
                "metadata": {"name": "gatewayconfigs.aigateway.envoyproxy.io"},
                "spec": {"group": "aigateway.envoyproxy.io", "versions": [{"name": "v1beta1", "served": True}]},
                "status": {"conditions": [{"type": "Established", "status": "True"}]},
            }
            server.have(model.DEFINITION, definition)
            for name in ("a", "b"):
                server.have(model.GATEWAY_CONFIG, {"metadata": {"namespace": "ns", "name": name}, "spec": {}})
            server.faults += faults
            settings = Settings(kubeconfig=write_kubeconfig(folder / "config", str(server.url)))
            async with KubeClient(settings) as client:
                await Undo(settings, client, planner=FakePlanner()).run(timeout, said.append)
            return {name for path, _, name in server.objects if path.endswith("gatewayconfigs")}

    return said, asyncio.run(run())


_SAID = ["delete GatewayConfig ns/a: undo", "delete GatewayConfig ns/b: undo"]


def test_undo(tmp_path: Path) -> None:
    """Something is left, or not said."""
    assert (_SAID, set()) == _undo(tmp_path)


@pytest.mark.parametrize("status", [409, 500])
def test_undo_past_a_failure(tmp_path: Path, status: int) -> None:
    """One refused write ends the undo half done."""
    assert (_SAID, set()) == _undo(tmp_path, Fault(lambda request: request.method == "DELETE", status, times=2))


def test_undo_that_cannot_be_done(tmp_path: Path) -> None:
    """An undo that cannot be done never ends, or does not say what is left."""
    fault = Fault(lambda request: request.name == "b", 403, times=10**6)
    expected = r"not done within 0\.3 s; last: delete GatewayConfig ns/b: undo: 403: a fault of the test"
    with pytest.raises(UndoError, match=expected):
        _undo(tmp_path, fault, timeout=0.3)
