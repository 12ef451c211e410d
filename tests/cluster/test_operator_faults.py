"""The operator when something fails: killed at each write, refused, cut off. It ends where it would have ended."""

from collections.abc import Callable
from typing import Final

import pytest

from cluster import control_plane, fault_proxy, history, operator_program, processes, requests_seen, scene

# A Gateway alone takes six writes to wire (docs/adr/0008-order-of-writes.md) and eight to undo.
_WIRING: Final = 6
_UNDOING: Final = 8


def _counts(request: requests_seen.Request) -> bool:
    """Whether a write is one of a Gateway's wiring: not an event, a status, or an object of the receiver."""
    wiring = ("gateways", "gatewayconfigs", "envoyproxies", "backends")
    return request.writes and request.resource in wiring


def test_writes_are_as_many_as_the_next_test_kills_at(
    set_scene: scene.Build, programs: processes.Programs, proxy: fault_proxy.FaultProxy
) -> None:
    """The test that kills the operator at each write would leave some of them out."""
    found = set_scene()
    found.plane.api.apply(scene.receiver(found.namespace))
    before = found.objects()
    with operator_program.running(found.plane, programs, server=proxy.url):
        found.apply_policy()
        found.wait(scene.WIRED)
        wiring = _done(proxy)
        found.delete_policy()
        found.wait_for_objects(before)
        undoing = _done(proxy)[len(wiring) :]

    assert [
        ("create", "gatewayconfigs", 201),
        ("patch", "gateways", 200),
        ("patch", "gatewayconfigs", 200),
        ("patch", "backends", 201),
        ("patch", "envoyproxies", 201),
        ("patch", "gateways", 200),
    ] == wiring
    assert _UNDOING == len(undoing)
    assert _WIRING == len(wiring)


def _done(proxy: fault_proxy.FaultProxy) -> list[tuple[str, str, int]]:
    """The writes that were taken. One may be refused (409) when a controller has written a status just before."""
    return [(each.verb, each.resource, each.status) for each in proxy.writes() if _counts(each) and each.status < 300]


@pytest.mark.parametrize("k", range(1, _UNDOING + 1))
def test_killed_after_the_kth_write_it_ends_in_the_same_state(
    k: int, set_scene: scene.Build, programs: processes.Programs, proxy: fault_proxy.FaultProxy
) -> None:
    """A node that fails at the wrong moment would leave a Gateway half wired, or with a dangling reference."""
    found = set_scene()
    plane = found.plane
    plane.api.apply(scene.receiver(found.namespace))
    before = found.objects()
    with history.following(plane, found.namespace) as past:
        if k <= _WIRING:
            _kill_at(plane, programs, proxy, k, found.apply_policy)
        found.apply_policy()
        with operator_program.running(plane, programs, name="second"):
            found.wait(scene.WIRED)
            assert {
                "Gateway/gw",
                "GatewayConfig/gw-aigw-telemetry",
                "EnvoyProxy/gw-aigw-telemetry",
            } < found.objects().keys()
            assert 4 == len(found.objects())
        _kill_at(plane, programs, proxy, k, found.delete_policy)
        with operator_program.running(plane, programs, name="third"):
            found.wait_for_objects(before)
        assert [] == past.dangling()
        assert [] == past.unaccepted("gw")


def _kill_at(
    plane: control_plane.ControlPlane,
    programs: processes.Programs,
    proxy: fault_proxy.FaultProxy,
    k: int,
    act: Callable[[], None],
) -> None:
    """Run an operator until its k-th write has been done, then kill it before it hears of that."""
    operator = operator_program.start(plane, programs, name=f"killed-at-{k}", server=proxy.url)
    hold = proxy.hold_at_write(k, "after", _counts)
    act()
    assert hold.reached.wait(60)
    operator.kill()
    hold.release()
    proxy.heal()
    programs.end(operator.program)


def test_refusals_and_cuts_cost_time_and_nothing_else(
    set_scene: scene.Build, programs: processes.Programs, proxy: fault_proxy.FaultProxy
) -> None:
    """A server under load would make the operator give up, write twice, or forget what it saw."""
    found = set_scene()
    found.plane.api.apply(scene.receiver(found.namespace))
    before = found.objects()
    with (
        history.following(found.plane, found.namespace) as past,
        operator_program.running(found.plane, programs, server=proxy.url) as operator,
    ):
        for nth, status in enumerate((409, 500, 429, 503), 1):
            proxy.fail(status, _counts, nth=2 * nth)
        proxy.hang_up(_counts, nth=9)
        found.apply_policy()
        found.wait(scene.WIRED, seconds=120)
        assert proxy.expire_watches() > 0
        found.plane.api.wait_until(lambda: proxy.cut_watches() > 0, "watches that were begun anew")
        found.delete_policy()
        found.wait_for_objects(before)
        assert operator.program.running
        assert [] == past.dangling()
        assert [] == past.unaccepted("gw")


def test_an_object_of_somebody_elses_is_not_taken_over(set_scene: scene.Build, programs: processes.Programs) -> None:
    """A ConfigMap that happens to be called like the receiver would be overwritten, and deleted with it."""
    found = set_scene()
    metadata = {"namespace": found.namespace, "name": "default"}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"precious": "yes"}}
    found.plane.api.apply(theirs)
    with operator_program.running(found.plane, programs):
        found.plane.api.apply(scene.receiver(found.namespace))

        def said() -> bool:
            status = found.plane.api.get(scene.TELEMETRY, "TelemetryReceiver", found.namespace, "default").get(
                "status", {}
            )
            texts = {item["reason"]: item["message"] for item in status.get("conditions", ())}
            return "exists already and is not ours" in texts.get("WriteFailed", "")

        found.plane.api.wait_until(said, "a condition that names the ConfigMap")
        live = found.plane.api.get("v1", "ConfigMap", found.namespace, "default")
        assert {"precious": "yes"} == live["data"]
