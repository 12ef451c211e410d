"""The operator on a real control plane: it wires a Gateway, proves it, and undoes it, under the rules that it ships."""

from typing import Any, Final

import pytest

import receiver_program
from cluster import extproc, gateway_config_crd, gateway_pod, gateways, history, operator_program, processes, scene

_STDOUT: Final = ("file", ())

# How often the operator asks receivers for their sources: shell/sources.py.
_POLL: Final = 15.0


def _operator_hears(found: scene.Scene, programs: processes.Programs, heard: receiver_program.Receiver) -> Any:
    address = heard.http.removeprefix("http://")
    return operator_program.running(found.plane, programs, arguments=("--receiver-address", address))


def test_one_policy_wires_proves_and_undoes(set_scene: scene.Build, programs: processes.Programs) -> None:
    """The product would not do what it is for."""
    found = set_scene()
    before = found.objects()
    with (
        receiver_program.start_receiver() as heard,
        history.following(found.plane, found.namespace) as past,
        _operator_hears(found, programs, heard),
    ):
        found.plane.api.apply(scene.receiver(found.namespace))
        found.apply_policy()
        found.wait(scene.WIRED)
        target = ("open_telemetry", ((found.receiver_host(), 4317),))
        found.plane.api.wait_until(
            lambda: found.sinks() == [_STDOUT, target, target], "the sinks in Envoy's configuration"
        )
        _send_as_pods_do(found, heard)
        found.wait({"TelemetryReceived": ("True", "Receiving")})
        status = found.plane.api.get(scene.TELEMETRY, "TelemetryPolicy", found.namespace, scene.POLICY)["status"]
        assert ("1", "1/1", "1/1") == (status["gateways"], status["injected"], status["receiving"])

        found.delete_policy()
        found.wait_for_objects(before)
        found.plane.api.wait_until(lambda: found.env() == [[]], "pods without our env")
        assert [] == past.dangling()
        assert [] == past.unaccepted("gw")


def _send_as_pods_do(found: scene.Scene, heard: receiver_program.Receiver) -> None:
    """One export from each live pod, as its env has it; the receiver shows it under the Gateway's name."""
    for pod in found.envoy.pods(found.namespace, "gw"):
        values = gateway_pod.environment(pod)
        url = f"http://{found.receiver_host()}:4317"
        assert (url, "grpc") == (values["OTEL_EXPORTER_OTLP_ENDPOINT"], values["OTEL_EXPORTER_OTLP_PROTOCOL"])
        gateway_pod.export(pod, heard.otlp_http, requests=7)
        labels = {
            "gateway_name": "gw",
            "gateway_namespace": found.namespace,
            "gateway_pod": pod["metadata"]["name"],
            "mcp_method_name": "tools/call",
        }
        text = ",".join(f'{name}="{value}"' for name, value in labels.items())
        assert f"mcp_method_count_total{{{text}}} 7.0" in heard.scrape().splitlines()


@pytest.mark.parametrize(("release", "costs"), [("v0.5", ("False", "Unsupported")), ("v1.0", ("True", "Configured"))])
def test_older_gateways_are_rolled_by_us(
    release: gateway_config_crd.Release,
    costs: tuple[str, str],
    set_scene: scene.Build,
    programs: processes.Programs,
) -> None:
    """Pods of an AI Gateway that does not roll them would never send anything, or be rolled again and again."""
    found = set_scene(extproc.Settings(release))
    before = found.objects()
    with operator_program.running(found.plane, programs):
        found.plane.api.apply(scene.receiver(found.namespace))
        found.apply_policy()
        found.wait({**scene.WIRED, "CostsConfigured": costs})
        deployment = found.envoy.deployment(found.namespace, "gw")
        found.plane.api.stays(lambda: _uids(found), 8)
        assert deployment is not None
        assert "telemetry.aigw.dev/env-hash" in deployment["spec"]["template"]["metadata"]["annotations"]

        found.delete_policy()
        found.wait_for_objects(before)
        found.plane.api.wait_until(lambda: found.env() == [[]], "pods without our env")
        found.plane.api.stays(lambda: _uids(found), 8)
        deployment = found.envoy.deployment(found.namespace, "gw")
        assert deployment is not None
        assert "telemetry.aigw.dev/env-hash" not in deployment["spec"]["template"]["metadata"].get("annotations", {})


def _uids(found: scene.Scene) -> list[str]:
    return sorted(pod["metadata"]["uid"] for pod in found.envoy.pods(found.namespace, "gw"))


def test_users_objects_are_extended_and_restored(
    set_scene: scene.Build, namespace: str, programs: processes.Programs
) -> None:
    """What a user wrote would be lost, reordered, or not given back."""
    env = [{"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "team=search"}, {"name": "LEVEL", "value": "1"}]
    config = gateways.gateway_config(namespace, "mine", env, api_version="aigateway.envoyproxy.io/v1beta1")
    setting = {"sinks": [{"type": "File", "file": {"path": "/dev/stderr"}}]}
    proxy = gateways.envoy_proxy(
        namespace, "mine", {"concurrency": 2, "telemetry": {"accessLog": {"settings": [setting]}}}
    )
    found = set_scene(scene.V1_1, proxy, proxy="mine", annotations={extproc.CONFIG_ANNOTATION: "mine"})
    found.plane.api.apply(config)
    before = found.objects()
    with history.following(found.plane, namespace) as past, operator_program.running(found.plane, programs):
        found.plane.api.apply(scene.receiver(namespace))
        found.apply_policy(resourceAttributes={"env": "test"})
        found.wait(scene.WIRED)
        (values,) = (gateway_pod.resource(pod) for pod in found.envoy.pods(namespace, "gw"))
        assert ("search", "test", "gw") == (values["team"], values["env"], values["aigw.gateway.name"])

        added = {"name": "ADDED", "value": "meanwhile"}
        live = found.plane.api.get(found.version, "GatewayConfig", namespace, "mine")
        edited = [*live["spec"]["extProc"]["kubernetes"]["env"], added]
        patch = {"spec": {"extProc": {"kubernetes": {"env": edited}}}}
        found.plane.api.patch(found.version, "GatewayConfig", namespace, "mine", patch)
        found.delete_policy()
        before["GatewayConfig/mine"]["spec"]["extProc"]["kubernetes"]["env"].append(added)
        found.wait_for_objects(before)
        assert [] == past.dangling()
        assert [] == past.unaccepted("gw")


def test_ai_gateway_installed_later_is_noticed(set_scene: scene.Build, programs: processes.Programs) -> None:
    """An operator that was there first would have to be restarted by hand."""
    found = set_scene()
    assert found.ai is not None
    found.ai.stop()
    found.ai.uninstall()
    with operator_program.running(found.plane, programs):
        found.plane.api.apply(scene.receiver(found.namespace))
        found.apply_policy()
        found.wait({"Accepted": ("True", "Accepted"), "Injected": ("False", "AIGatewayMissing")})
        found.ai.install()
        found.ai.start()
        found.plane.api.apply(found.ai.route(found.namespace, "gw"))
        found.wait(scene.WIRED)


def test_a_restart_writes_nothing(set_scene: scene.Build, programs: processes.Programs) -> None:
    """Each restart of the operator would restart every Envoy, or at least load the API server for nothing."""
    found = set_scene()
    with operator_program.running(found.plane, programs, arguments=("--resync", "2")):
        found.plane.api.apply(scene.receiver(found.namespace))
        found.apply_policy()
        found.wait(scene.WIRED)
        operator_program.settle(_POLL + 3)  # until the receiver, which nobody runs here, has been asked in vain
        mark = found.plane.audit.mark()
        operator_program.settle(8)
    with operator_program.running(found.plane, programs, name="restarted"):
        operator_program.settle(_POLL + 3)
    seen = found.plane.audit.of_service_account(operator_program.NAMESPACE, operator_program.ACCOUNT, mark)
    assert [] == [(each.verb, each.resource, each.name) for each in seen if each.writes]
    assert seen != []
