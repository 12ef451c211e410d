"""The chart in a real cluster, from the install to the uninstall: the tests are one story, and run in this order."""

from pathlib import Path
from typing import Final

import pytest

from install import images
from node import dump, scene

pytestmark = pytest.mark.cluster

_PODS: Final = {"operator": "app.kubernetes.io/component=operator", "receiver": "app.kubernetes.io/instance=default"}
_STATUS: Final = (
    "import os; keys = ('CapEff', 'NoNewPrivs', 'Seccomp', 'Uid'); print(os.access('/', os.W_OK), "
    "*(' '.join(line.split()[:2]) for line in open('/proc/self/status') if line.split(':')[0] in keys))"
)
_BEFORE: dump.Dump = {}
# What an uninstall keeps: the CRDs, and a policy that no chart has made.
_LEFT: Final = [
    "has come: APIService//v1alpha1.telemetry.aigw.dev",
    "has come: CustomResourceDefinition//telemetrypolicies.telemetry.aigw.dev",
    "has come: CustomResourceDefinition//telemetryreceivers.telemetry.aigw.dev",
    "has come: TelemetryPolicy/aigw-delta/delta",
]


def _verify(the_scene: scene.Scene, ledger: Path, *arguments: str) -> None:
    done = the_scene.kind("verify", "--ledger", str(ledger), *arguments)
    # The summary is to be read in CI.
    the_scene.say(f"{done.stdout}{done.stderr}")
    assert 0 == done.returncode


def test_install(the_scene: scene.Scene) -> None:
    """The chart does not come up under the standard "restricted", or a policy does not wire real Envoy pods."""
    namespace = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": scene.NAMESPACE, "labels": namespace}
    the_scene.node.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
    _BEFORE.update(dump.take(the_scene.node))
    the_scene.install()


@pytest.mark.parametrize("program", [*_PODS])
def test_rights_of_pods(the_scene: scene.Scene, program: str) -> None:
    """A pod of ours runs as another user than 10001, with capabilities, without seccomp, or may write to its root."""
    (pod,) = the_scene.node.get("pods", "-n", scene.NAMESPACE, "-l", _PODS[program])["items"]
    command = ("exec", "-n", scene.NAMESPACE, pod["metadata"]["name"], "--", "python3", "-c", _STATUS)
    said = the_scene.node.kubectl(*command)
    assert "False Uid: 10001 CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2" == said.strip()


def test_numbers(the_scene: scene.Scene, tmp_path: Path) -> None:
    """The receiver shows other numbers, seen through its Service, than were sent through real Envoy pods."""
    assert 0 == the_scene.kind("traffic", "--ledger", str(tmp_path / "ledger.json")).returncode
    _verify(the_scene, tmp_path / "ledger.json")


def test_policies_tell_of_telemetry(the_scene: scene.Scene) -> None:
    """A policy does not say that what its Gateways send arrives."""
    the_scene.until("all policies are receiving", the_scene.is_receiving)


def test_wrong_ledger(the_scene: scene.Scene, tmp_path: Path) -> None:
    """The checks pass whatever the receiver shows."""
    ledger = tmp_path / "ledger.json"
    assert 0 == the_scene.kind("traffic", "--ledger", str(ledger), "--rounds", "1").returncode
    ledger.write_text(ledger.read_text().replace('"output": 200', '"output": 201'))
    done = the_scene.kind("verify", "--ledger", str(ledger), "--seconds", "8")
    failed = {line.split(": ")[0] for line in done.stdout.splitlines() if line.startswith("FAIL")}
    assert 1 == done.returncode
    assert {"FAIL  aigw-demo/gw output tokens", "FAIL  aigw-delta/gw output tokens"} <= failed


def test_helm_test(the_scene: scene.Scene) -> None:
    """`helm test` does not find a receiver that takes exports."""
    assert "Phase:          Succeeded" in the_scene.helm("test", scene.RELEASE, "--namespace", scene.NAMESPACE)


def test_pods_killed_under_traffic(the_scene: scene.Scene, tmp_path: Path) -> None:
    """A receiver and an operator that are killed cost numbers that the gateways still have, or bring some in twice."""
    ledger = tmp_path / "ledger.json"
    with the_scene.traffic(ledger, seconds=25):
        for selector in _PODS.values():
            the_scene.kill_pods(selector)
        the_scene.until("the receiver and the operator are back", the_scene.is_running)
    _verify(the_scene, ledger, "--outage")
    assert 0 == the_scene.kind("traffic", "--ledger", str(ledger)).returncode
    _verify(the_scene, ledger)


def test_upgrade_under_traffic(the_scene: scene.Scene, tmp_path: Path) -> None:
    """An upgrade to other images costs numbers, or restarts Envoy pods."""
    pods = the_scene.envoy_pod_names()
    ledger = tmp_path / "ledger.json"
    with the_scene.traffic(ledger, seconds=40):
        the_scene.install("--set", "operator.image.tag=next", "--set", "receiver.image.tag=next")
        the_scene.until("both run the new images", lambda: the_scene.tags() == {"next"})
    _verify(the_scene, ledger, "--outage")
    assert 0 == the_scene.kind("traffic", "--ledger", str(ledger)).returncode
    _verify(the_scene, ledger)
    assert pods == the_scene.envoy_pod_names()


def test_rollback(the_scene: scene.Scene, tmp_path: Path) -> None:
    """`helm rollback` does not bring the earlier images back, or numbers are wrong afterwards."""
    the_scene.helm("rollback", scene.RELEASE, "1", "--namespace", scene.NAMESPACE, "--wait", "--timeout", "3m")
    the_scene.until(
        "both run the old images", lambda: the_scene.tags() == {images.version()} and the_scene.is_running()
    )
    assert 0 == the_scene.kind("traffic", "--ledger", str(tmp_path / "ledger.json")).returncode
    _verify(the_scene, tmp_path / "ledger.json")


def test_uninstall(the_scene: scene.Scene) -> None:
    """An uninstall leaves something behind, or does not bring something back, but for CRDs and what users wrote."""
    wired = dump.differences(_BEFORE, dump.take(the_scene.node))
    assert [] != [line for line in wired if line.startswith("changed: Gateway/aigw-demo/gw: ")]
    assert [] != [line for line in wired if line.startswith("changed: EnvoyProxy/aigw-demo/two-pods: ")]
    _uninstall(the_scene)


def _uninstall(the_scene: scene.Scene) -> None:
    the_scene.helm("uninstall", scene.RELEASE, "--namespace", scene.NAMESPACE, "--wait", "--timeout", "5m")
    found: list[str] = []

    def is_undone() -> bool:
        found[:] = dump.differences(_BEFORE, dump.take(the_scene.node))
        return found == _LEFT

    try:
        # Envoy's old pods drain, and what belongs to the receiver is collected.
        the_scene.until("everything is as it was", is_undone, seconds=90)
    finally:
        assert _LEFT == found


def test_the_older_helm(the_scene: scene.Scene) -> None:
    """Helm 3 does not install, test, upgrade, roll back or uninstall the chart, or leaves something else behind."""
    the_scene.use_helm("helm-3")
    the_scene.install()
    assert "Phase:          Succeeded" in the_scene.helm("test", scene.RELEASE, "--namespace", scene.NAMESPACE)
    the_scene.install("--set", "operator.image.tag=next", "--set", "receiver.image.tag=next")
    the_scene.until("both run the new images", lambda: the_scene.tags() == {"next"})
    the_scene.helm("rollback", scene.RELEASE, "1", "--namespace", scene.NAMESPACE, "--wait", "--timeout", "3m")
    the_scene.until(
        "both run the old images", lambda: the_scene.tags() == {images.version()} and the_scene.is_running()
    )
    _uninstall(the_scene)
