"""The rules that the operator ships are enough for all it does, and no more; and the API server takes what it ships."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

import yaml

import refused_specs
from cluster import api as api_
from cluster import control_plane, extproc, fault_proxy, operator_program, processes, requests_seen, scene
from cluster.parts import catalog

Rule = tuple[str, str, str]
"""API group, resource (with subresource), verb"""

_MONITORS: Final[dict[str, Any]] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {
            "kind": "ServiceMonitor",
            "listKind": "ServiceMonitorList",
            "plural": "servicemonitors",
            "singular": "servicemonitor",
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def _granted() -> set[Rule]:
    return {
        (group, resource, verb)
        for manifest in operator_program.shipped()
        if manifest["kind"] == "ClusterRole"
        for rule in manifest["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def _used(plane: control_plane.ControlPlane, mark: int) -> Iterator[Rule]:
    for each in plane.audit.of_service_account(operator_program.NAMESPACE, operator_program.ACCOUNT, mark):
        if not each.resource:
            continue  # discovery, which every account may do
        resource = f"{each.resource}/{each.subresource}" if each.subresource else each.resource
        yield each.group, resource, each.verb
        if each.verb == "patch" and each.code == 201:
            # A server-side apply that creates needs the right to create; the log calls it a patch.
            yield each.group, resource, "create"


def test_every_rule_is_used_and_nothing_else_is_tried(
    set_scene: scene.Build, programs: processes.Programs, proxy: fault_proxy.FaultProxy
) -> None:
    """The operator would be refused something on a user's cluster, or be given what it does not need."""
    found = set_scene(extproc.Settings("v1.0"))  # it does not roll pods itself
    plane, namespace = found.plane, found.namespace
    mark = plane.audit.mark()
    plane.api.apply(_MONITORS)
    try:
        with operator_program.running(plane, programs, server=proxy.url):
            proxy.fail(409, _writes_gateways)
            plane.api.apply(scene.receiver(namespace, shards=2))
            found.apply_policy()
            found.wait(scene.WIRED)
            _wait_for_children(found, "Service", 4)
            off = {"enabled": False}
            smaller = {
                "networkPolicy": off,
                "podDisruptionBudget": off,
                "serviceMonitor": off,
                "storage": {"size": "1Gi"},
            }
            plane.api.apply(scene.receiver(namespace, **smaller))
            _wait_for_children(found, "Service", 3)
        _undo(plane)
    finally:
        plane.api.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", _MONITORS["metadata"]["name"])
    assert [] == [item for kind in ("Service", "ConfigMap", "ServiceAccount") for item in _children(found, kind)]

    seen = plane.audit.of_service_account(operator_program.NAMESPACE, operator_program.ACCOUNT, mark)
    assert [] == [(each.verb, each.resource, each.name) for each in seen if each.code == 403]
    used = set(_used(plane, mark))
    assert (set(), set()) == (used - _granted(), _granted() - used)


def _writes_gateways(request: requests_seen.Request) -> bool:
    return request.writes and request.resource == "gateways"


_API: Final = {"Service": "v1", "ConfigMap": "v1", "ServiceAccount": "v1"}


def _children(found: scene.Scene, kind: str) -> list[dict[str, Any]]:
    return found.plane.api.items(_API[kind], kind, found.namespace, "app.kubernetes.io/managed-by=aigw-telemetry")


def _wait_for_children(found: scene.Scene, kind: str, count: int) -> None:
    found.plane.api.wait_until(lambda: len(_children(found, kind)) == count, f"{count} objects of kind {kind}")


def _undo(plane: control_plane.ControlPlane) -> None:
    """Run `aigw-operator undo --all` as the same account."""
    kubeconfig = plane.account_kubeconfig(operator_program.NAMESPACE, operator_program.ACCOUNT)
    command = [sys.executable, "-m", "aigw_operator.main", "undo", "--all", "--yes", "--kubeconfig", str(kubeconfig)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)


def test_the_api_server_refuses_bad_specs(plane: control_plane.ControlPlane) -> None:
    """A typing error would be stored, and show only as something that does not work."""
    operator_program.install(plane)
    taken, statuses = [], set()
    for case in refused_specs.CASES:
        manifest = refused_specs.build(case)
        path = plane.api.path(scene.TELEMETRY, case.kind, "default")
        try:
            plane.api.call("POST", f"{path}?dryRun=All&fieldValidation=Strict", manifest)
        except api_.ApiError as error:
            statuses.add(error.status)
        else:
            taken.append(case)
    assert ([], {422, 400}) == (taken, statuses)
    assert len(refused_specs.CASES) > 100


def test_kubectl_shows_what_matters(set_scene: scene.Build, programs: processes.Programs) -> None:
    """A person would have to read YAML to see whether a Gateway is wired."""
    found = set_scene()
    with operator_program.running(found.plane, programs):
        found.plane.api.apply(scene.receiver(found.namespace))
        found.apply_policy()
        found.wait(scene.WIRED)

        def table(kind: str) -> list[list[str]]:
            command = [str(catalog.path_of("kubectl")), "--kubeconfig", str(found.plane.kubeconfig()), "get", kind]
            text = subprocess.run(
                [*command, "-n", found.namespace], check=True, capture_output=True, text=True, timeout=30
            )
            return [line.split() for line in text.stdout.splitlines()]

        header, row = table("tpol")
        assert ["NAME", "GATEWAYS", "INJECTED", "RECEIVING", "AGE"] == header
        assert ["ai-gateways", "1", "1/1", "0/1"] == row[:4]
        found.plane.api.wait_until(
            lambda: table("trecv")[1][:4] == ["default", "1", "1", "True"], "a receiver that is available"
        )
        names = {item[0] for item in table("aigw-telemetry") if item}
        assert {
            "telemetrypolicy.telemetry.aigw.dev/ai-gateways",
            "telemetryreceiver.telemetry.aigw.dev/default",
        } <= names


def test_examples_are_taken(plane: control_plane.ControlPlane, namespace: str) -> None:
    """What the documentation shows would not work."""
    operator_program.install(plane)
    for file in sorted((operator_program.ROOT / "examples").glob("telemetry*.yaml")):
        for manifest in yaml.safe_load_all(file.read_text()):
            manifest["metadata"]["namespace"] = namespace
            plane.api.apply(manifest)
