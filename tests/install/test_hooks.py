"""The chart's hooks: which objects they apply by values, when they run, and by which rights."""

import json
from typing import Any

import pytest

from install import helm as helm_
from install.helm import NAMESPACE, RELEASE, Helm

_LABEL = {"telemetry.aigw.dev/release": f"{NAMESPACE}.{RELEASE}"}
_RECEIVER = {"create": True}
_JOBS = {f"aigw-operator-{name}" for name in ("apply", "uninstall")}


def _applied(helm: Helm, values: dict[str, Any]) -> list[Any]:
    config = helm.template(values)["ConfigMap", NAMESPACE, "aigw-operator-hooks"]
    applied: list[Any] = json.loads(config["data"]["objects.json"])
    return applied


def _targets(helm: Helm, gateways: list[dict[str, str]]) -> dict[str, Any]:
    found = _applied(helm, {"gateways": gateways, "defaultReceiver": _RECEIVER})[1:]
    return {item["metadata"]["namespace"]: item["spec"] for item in found}


_GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
_TO_DEFAULT = {"receiverRef": {"name": "default", "namespace": NAMESPACE}}


def test_objects_by_values(helm: Helm) -> None:
    """A Gateway of the values is not selected, or one that is not among them."""
    a, b = {**_GATEWAY, "name": "a"}, {**_GATEWAY, "name": "b"}
    assert {
        "one": {"targetRefs": [a], **_TO_DEFAULT},
        "two": {"targetRefs": [a, b], **_TO_DEFAULT},
        "all": {"targetSelectors": [_GATEWAY], **_TO_DEFAULT},
    } == _targets(
        helm,
        [
            {"namespace": "one", "name": "a"},
            {"namespace": "two", "name": "a"},
            {"namespace": "two", "name": "b"},
            {"namespace": "two", "name": "a"},
            {"namespace": "all", "name": "a"},
            {"namespace": "all"},
        ],
    )
    assert [] == _applied(helm, {})
    (receiver,) = _applied(helm, {"defaultReceiver": {"create": True, "name": "r", "spec": {"shards": 3}}})
    assert ("TelemetryReceiver", "r", NAMESPACE, {"shards": 3}) == (
        receiver["kind"],
        receiver["metadata"]["name"],
        receiver["metadata"]["namespace"],
        receiver["spec"],
    )
    assert _LABEL.items() <= receiver["metadata"]["labels"].items()


def test_target_of_policies(helm: Helm) -> None:
    """A policy with a target of its own is sent to the default receiver as well, and refused by the API server."""
    for spec in ({"endpoint": {"url": "http://oap:11800"}, "naming": "SkyWalking"}, {"receiverRef": {"name": "r"}}):
        values = {"defaultReceiver": _RECEIVER, "gateways": [{"namespace": "a"}], "policy": {"name": "p", "spec": spec}}
        policy = _applied(helm, values)[1]
        assert ("p", {"targetSelectors": [_GATEWAY], **spec}) == (policy["metadata"]["name"], policy["spec"])


@pytest.mark.parametrize(
    ("values", "moments"),
    [
        ({}, {"apply": "post-upgrade,post-rollback", "uninstall": "pre-delete"}),
        (
            {"defaultReceiver": _RECEIVER},
            {"apply": "post-install,post-upgrade,post-rollback", "uninstall": "pre-delete"},
        ),
        ({"hooks": {"uninstall": {"enabled": False}}}, {"apply": "post-upgrade,post-rollback"}),
    ],
)
def test_moments(helm: Helm, values: dict[str, Any], moments: dict[str, str]) -> None:
    """A hook runs for nothing or does not run; or something that it needs is not there yet, or stays behind."""
    found = {key: item for key, item in helm.template(values).items() if helm_.hook(item) not in ("", "test")}
    jobs = {key[2]: item for key, item in found.items() if key[0] == "Job"}
    assert {f"aigw-operator-{name}": moment for name, moment in moments.items()} == {
        name: helm_.hook(job) for name, job in jobs.items()
    }
    needed = {moment for job in jobs.values() for moment in helm_.hook(job).split(",")}
    for (kind, _, name), item in found.items():
        annotations = item["metadata"]["annotations"]
        assert "before-hook-creation,hook-succeeded" == annotations["helm.sh/hook-delete-policy"]
        if kind != "Job":
            assert "-5" == annotations["helm.sh/hook-weight"]
            expected = {"pre-delete"} if name.endswith("-uninstall") else needed
            assert expected == set(annotations["helm.sh/hook"].split(","))


def test_rules_of_hooks(helm: Helm) -> None:
    """A hook may do more than it does, or less; or where the operator may do nothing."""
    everywhere = helm.template({})
    rules = everywhere["ClusterRole", "", "aigw-operator-hooks"]["rules"]
    assert [
        {
            "apiGroups": ["telemetry.aigw.dev"],
            "resources": ["telemetrypolicies", "telemetryreceivers"],
            "verbs": ["list", "create", "patch", "delete"],
        }
    ] == rules
    assert [
        {
            "apiGroups": ["apps"],
            "resources": ["deployments/scale"],
            "resourceNames": ["aigw-operator"],
            "verbs": ["patch"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ] == everywhere["Role", NAMESPACE, "aigw-operator-uninstall"]["rules"]
    assert ("ClusterRoleBinding", "", "aigw-operator-hooks") in everywhere

    some = helm.template({"operator": {"namespaces": ["a", "b"]}})
    assert {"a", "b"} == {key[1] for key in some if key[0] == "RoleBinding" and key[2] == "aigw-operator-hooks"}
    assert ("ClusterRoleBinding", "", "aigw-operator-hooks") not in some
    for name in _JOBS:
        (container,) = some["Job", NAMESPACE, name]["spec"]["template"]["spec"]["containers"]
        assert ["a", "b"] == container["args"]


def test_way_out(helm: Helm) -> None:
    """The wiring is undone while the operator still runs, or it takes longer than the Job may."""
    job = helm.template({"hooks": {"uninstall": {"timeout": 100}}})["Job", NAMESPACE, "aigw-operator-uninstall"]["spec"]
    pod = job["template"]["spec"]
    stop, undo, delete = helm_.containers(pod)
    assert (100, "Never", ["stop", "undo"]) == (
        job["activeDeadlineSeconds"],
        pod["restartPolicy"],
        [container["name"] for container in pod["initContainers"]],
    )
    assert ["python", "/hooks/objects.py", "stop", "aigw-operator", NAMESPACE] == stop["command"]
    selector = helm.template({})["Deployment", NAMESPACE, "aigw-operator"]["spec"]["selector"]["matchLabels"]
    assert selector == dict(pair.split("=") for pair in stop["args"][0].split(","))
    assert ["undo", "--all", "--yes", "--timeout", "70"] == undo["args"]
    assert ["python", "/hooks/objects.py", "apply", f"{NAMESPACE}.{RELEASE}", "/dev/null"] == delete["command"]


def test_probe(helm: Helm) -> None:
    """helm test asks another receiver, or a shard that another pod's request may not reach."""
    key = ("Pod", NAMESPACE, "aigw-operator-probe")
    assert key not in helm.template({})
    for values, expected in (
        ({"defaultReceiver": _RECEIVER}, f"default-0.{NAMESPACE}.svc.cluster.local"),
        (
            {"test": {"receiver": {"name": "r", "namespace": "ns"}}, "operator": {"clusterDomain": "c.example"}},
            "r-0.ns.svc.c.example",
        ),
    ):
        (container,) = helm.template(values)[key]["spec"]["containers"]
        assert ["aigw-receiver"] == container["command"]
        assert ["probe", expected, "--timeout", "120"] == container["args"]
