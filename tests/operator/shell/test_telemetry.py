"""The operator's own metrics and probes, as Prometheus and a kubelet see them."""

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from aigw_operator.shell import telemetry
from aigw_operator.shell.telemetry import Telemetry


def _get(path: str, *, unready: str = "", dead: str = "") -> tuple[int, str]:
    own = Telemetry()
    own.writes.labels("GatewayConfig", "create", "ok").inc()
    own.queue_depth.set_function(lambda: 3)

    async def run() -> tuple[int, str]:
        app = telemetry.build_app(own.registry, lambda: unready, lambda: dead)
        async with TestClient(TestServer(app)) as client:
            answer = await client.get(path)
            return answer.status, await answer.text()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "unready", "dead", "expected"),
    [
        ("/readyz", "", "a watch is dead", (200, "ok\n")),
        ("/readyz", "not listed yet", "", (503, "not listed yet\n")),
        ("/livez", "not listed yet", "", (200, "ok\n")),
        ("/livez", "", "a watch is dead", (503, "a watch is dead\n")),
    ],
)
def test_probes(path: str, unready: str, dead: str, expected: tuple[int, str]) -> None:
    """A probe answers for the other one, or does not say why it fails."""
    assert expected == _get(path, unready=unready, dead=dead)


def test_metrics() -> None:
    """A family of our own has another name or another label than it is documented with."""
    status, text = _get("/metrics")
    lines = text.splitlines()

    assert 200 == status
    assert 'aigw_operator_api_writes_total{kind="GatewayConfig",result="ok",verb="create"} 1.0' in lines
    assert "aigw_operator_queue_depth 3.0" in lines
    families = {line.split()[2] for line in lines if line.startswith("# TYPE aigw_operator")}
    assert {
        "aigw_operator_api_writes_total",
        "aigw_operator_last_resync_timestamp_seconds",
        "aigw_operator_queue_depth",
        "aigw_operator_reconcile_duration_seconds",
        "aigw_operator_reconciles_total",
        "aigw_operator_resync_repairs_total",
        "aigw_operator_watch_events_total",
    } == {family for family in families if not family.endswith("_created")}
