"""Gateways in particular places: with a class's settings, where Envoy Gateway refuses, in a list of namespaces."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from aigw_operator.core import patch
from cluster import control_plane, envoy_gateway, gateways, history, operator_program, processes, scene

_BINDING: Final = "rbac.authorization.k8s.io/v1"


def test_render_says_what_is_written(set_scene: scene.Build, programs: processes.Programs, tmp_path: Path) -> None:
    """`render`, and with it the core on paper, would promise something else than what the API server then holds."""
    found = set_scene()
    manifests = [
        gateways.gateway(found.namespace, "gw"),
        scene.receiver(found.namespace, shards=2),
        scene.policy(found.namespace, resourceAttributes={"env": "test"}),
    ]
    for manifest in manifests:
        found.plane.api.apply(manifest)
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    command = [
        sys.executable,
        "-m",
        "aigw_operator.main",
        "render",
        "--receiver-image",
        "aigw-receiver:test",
        str(file),
    ]
    promised = list(yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout))
    kinds = sorted(item["kind"] for item in promised)
    with operator_program.running(found.plane, programs):
        found.wait(scene.WIRED)
        found.plane.api.wait_until(lambda: not _differing(found, promised), "all that was rendered")
    assert [
        *("Backend", "ConfigMap", "EnvoyProxy", "Gateway", "GatewayConfig", "NetworkPolicy", "PodDisruptionBudget"),
        *("Service", "Service", "Service", "Service", "ServiceAccount", "StatefulSet"),
    ] == kinds


def _differing(found: scene.Scene, promised: list[dict[str, Any]]) -> list[str]:
    """The rendered objects that the API server does not hold so; the note's time is no part of the promise."""
    names = []
    for item in promised:
        name = item["metadata"]["name"]
        live = found.plane.api.find(item["apiVersion"], item["kind"], found.namespace, name) or {}
        wanted = {key: part for key, part in item.items() if key != "metadata"}
        wanted["metadata"] = {"labels": item["metadata"].get("labels", {})}
        if not patch.covers({**live, "metadata": {"labels": {}, **live.get("metadata", {})}}, wanted):
            names.append(f"{item['kind']} {name}")
    return names


def test_settings_of_the_class_are_carried_over(
    set_scene: scene.Build, namespace: str, programs: processes.Programs
) -> None:
    """A Gateway would lose what its class gives it, since an EnvoyProxy of its own takes the place of the class's."""
    of_class = gateways.envoy_proxy(envoy_gateway.NAMESPACE, f"class-{namespace}", {"concurrency": 3})
    reference = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": f"class-{namespace}"}
    gateway_class = {
        "apiVersion": envoy_gateway.GATEWAY_API,
        "kind": "GatewayClass",
        "metadata": {"name": namespace},
        "spec": {
            "controllerName": envoy_gateway.CONTROLLER,
            "parametersRef": {**reference, "namespace": envoy_gateway.NAMESPACE},
        },
    }
    found = set_scene(scene.V1_1, of_class, gateway_class, of_class=namespace)
    api = found.plane.api
    try:
        before = found.objects()
        with history.following(found.plane, namespace) as past, operator_program.running(found.plane, programs):
            api.apply(scene.receiver(namespace))
            found.apply_policy()
            found.wait(scene.WIRED)
            assert 3 == api.get(*history.PROXY, namespace, "gw-aigw-telemetry")["spec"]["concurrency"]

            api.apply(gateways.envoy_proxy(envoy_gateway.NAMESPACE, f"class-{namespace}", {"concurrency": 4}))

            def followed() -> bool:
                return bool(api.get(*history.PROXY, namespace, "gw-aigw-telemetry")["spec"]["concurrency"] == 4)

            api.wait_until(followed, "the class's new setting in our EnvoyProxy")
            found.delete_policy()
            found.wait_for_objects(before)
            assert [] == past.dangling()
            assert [] == past.unaccepted("gw")
    finally:
        api.delete(envoy_gateway.GATEWAY_API, "Gateway", namespace, "gw")
        api.delete(envoy_gateway.GATEWAY_API, "GatewayClass", "", namespace)
        api.delete(*history.PROXY, envoy_gateway.NAMESPACE, f"class-{namespace}")


def test_what_envoy_gateway_refuses_is_taken_back(
    set_scene: scene.Build, envoy: envoy_gateway.EnvoyGateway, programs: processes.Programs
) -> None:
    """A Gateway that was healthy would stay un-accepted because of us, where Backends are switched off."""
    found = set_scene()
    envoy.stop()
    envoy.start(enable_backend=False)
    try:
        with operator_program.running(found.plane, programs):
            found.plane.api.apply(scene.receiver(found.namespace))
            found.apply_policy()
            found.wait({"Injected": ("True", "Injected"), "AccessLogsWired": ("False", "RejectedByGateway")})
            envoy.wait_programmed(found.namespace, "gw")
            gateway = found.plane.api.get(scene.GATEWAY_API, "Gateway", found.namespace, "gw")
            assert "infrastructure" not in gateway["spec"]
            operator_program.settle(8)
            assert ("False", "RejectedByGateway") == found.conditions()["AccessLogsWired"]
    finally:
        envoy.stop()
        envoy.start()


def test_a_list_of_namespaces_is_enough(set_scene: scene.Build, programs: processes.Programs) -> None:
    """An operator for some namespaces would need rules for all of them, or look into others."""
    found = set_scene()
    account = (found.namespace, "scoped")
    api = found.plane.api
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": account[0], "name": account[1]}})
    for place in (found.namespace, envoy_gateway.NAMESPACE):
        api.apply(_binding("RoleBinding", "aigw-operator", account, place))
    api.apply(_binding("ClusterRoleBinding", "aigw-operator-cluster", account, ""))
    mark = found.plane.audit.mark()
    try:
        scope = ("--namespaces", f"{found.namespace},{envoy_gateway.NAMESPACE}")
        with operator_program.running(found.plane, programs, arguments=scope, account=account):
            api.apply(scene.receiver(found.namespace))
            found.apply_policy()
            found.wait(scene.WIRED)
    finally:
        api.delete(_BINDING, "ClusterRoleBinding", "", _name(account))
        api.delete(_BINDING, "RoleBinding", envoy_gateway.NAMESPACE, _name(account))
    seen = found.plane.audit.of_service_account(*account, mark)
    assert [] == [(each.verb, each.resource, each.namespace) for each in seen if each.code == 403]
    spaces = {each.namespace for each in seen if each.resource in ("gateways", "pods", "telemetrypolicies")}
    assert {found.namespace, envoy_gateway.NAMESPACE} == spaces


def _name(account: tuple[str, str]) -> str:
    return f"{account[1]}-{account[0]}"


def _binding(kind: str, role: str, account: tuple[str, str], namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": _BINDING,
        "kind": kind,
        "metadata": {"name": _name(account), **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": account[0], "name": account[1]}],
    }


def test_two_gateways_of_one_name_are_told_apart(
    set_scene: scene.Build, plane: control_plane.ControlPlane, programs: processes.Programs
) -> None:
    """Gateways that are called alike in two namespaces would count into one another's series."""
    found = set_scene()
    with operator_program.running(plane, programs):
        plane.api.apply(scene.receiver(found.namespace))
        found.apply_policy()
        found.wait(scene.WIRED)
        names = [
            (entry["name"], entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath"))
            for entry in found.env()[0][:3]
        ]
    label = "metadata.labels['gateway.envoyproxy.io/owning-gateway-{}']"
    assert [
        ("POD_NAME", "metadata.name"),
        ("GATEWAY_NAME", label.format("name")),
        ("GATEWAY_NAMESPACE", label.format("namespace")),
    ] == names
