"""The scene of the cluster tests itself: every part works, and the stand-in does what AI Gateway was seen to do."""

import concurrent.futures
import contextlib
from typing import Any, Final

import pytest

from cluster import (
    ai_gateway,
    api,
    control_plane,
    envoy_gateway,
    extproc,
    fault_proxy,
    faults,
    gateway_config_crd,
    gateways,
)
from cluster.conftest import StartAiGateway

_LLM: Final = "request.headers['x-ai-eg-model'] != ''"
# A rollout of the stand-in comes within a second, or within the 5 s after which it looks again.
_QUIET_SECONDS: Final = 7.0


def _env(envoy: envoy_gateway.EnvoyGateway, namespace: str, gateway: str) -> list[Any]:
    """The env of extproc in each pod of a Gateway; None for a pod without it."""
    found = [extproc.find_container(pod) for pod in envoy.pods(namespace, gateway)]
    return [None if each is None else each.get("env") for each in found]


def test_deployment_runs_and_a_service_account_is_refused(plane: control_plane.ControlPlane, namespace: str) -> None:
    """Without it no pod would ever run, or RBAC and the audit log would prove nothing."""
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod}
    metadata = {"name": "web", "namespace": namespace}
    plane.api.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    plane.api.wait_for("apps/v1", "Deployment", namespace, "web", lambda item: item["status"].get("readyReplicas") == 2)
    mark = plane.audit.mark()
    account = plane.account_api(namespace, "default")
    with pytest.raises(api.ApiError) as refused:
        account.items("v1", "Pod", namespace)

    assert 403 == refused.value.status

    def seen() -> list[tuple[str, str, str, int]]:
        requests = plane.audit.of_service_account(namespace, "default", mark)
        return [(each.verb, each.resource, each.namespace, each.code) for each in requests if each.resource]

    plane.api.wait_until(lambda: bool(seen()), "an audit record")
    assert [("list", "pods", namespace, 403)] == seen()


def test_envoy_gateway_programs_a_gateway_with_its_access_logs(
    plane: control_plane.ControlPlane, envoy: envoy_gateway.EnvoyGateway, namespace: str
) -> None:
    """Without it nothing could be said of what Envoy is told."""
    sink = {
        "backendRefs": [{"group": "gateway.envoyproxy.io", "kind": "Backend", "name": "receiver", "port": 4317}],
        "resourceAttributes": {"aigw.service": "gw"},
    }
    setting = {
        "format": {"type": "JSON", "json": {"code": "%RESPONSE_CODE%"}},
        "matches": [_LLM],
        "sinks": [{"type": "OpenTelemetry", "openTelemetry": sink}],
    }
    spec = {"telemetry": {"accessLog": {"settings": [setting]}}}
    plane.api.apply(gateways.backend(namespace, "receiver", "receiver.mon.svc.cluster.local", 4317))
    plane.api.apply(gateways.envoy_proxy(namespace, "proxy", spec))
    plane.api.apply(gateways.gateway(namespace, "gw", proxy="proxy"))
    envoy.give_address(namespace, "gw")
    envoy.wait_programmed(namespace, "gw")

    logs = [each for each in envoy.access_logs(namespace, "gw") if each.of_routes]
    assert [(f"{namespace}/gw/http", "open_telemetry", (_LLM,), (("receiver.mon.svc.cluster.local", 4317),))] == [
        (each.listener, each.sink, each.expressions, each.endpoints) for each in logs
    ]
    assert {"aigw.service": "gw"} == logs[0].resource
    assert "%RESPONSE_CODE%" == logs[0].attributes["code"]


def _gateway_with_config(
    plane: control_plane.ControlPlane, ai: ai_gateway.AiGateway, namespace: str, env: list[dict[str, Any]]
) -> dict[str, Any]:
    """A Gateway with a route that is annotated with a GatewayConfig; the latter."""
    config = gateways.gateway_config(namespace, "config", env, api_version=ai.api_version)
    plane.api.apply(config)
    plane.api.apply(gateways.gateway(namespace, "gw", annotations={extproc.CONFIG_ANNOTATION: "config"}))
    plane.api.apply(ai.route(namespace, "gw"))
    return config


def test_stand_in_v1_1_rolls_pods_for_a_changed_spec_and_for_nothing_else(
    plane: control_plane.ControlPlane,
    envoy: envoy_gateway.EnvoyGateway,
    start_ai_gateway: StartAiGateway,
    namespace: str,
) -> None:
    """Without it the operator would be tested against a gateway that does not behave as the real one."""
    ai = start_ai_gateway(extproc.Settings("v1.1", global_env="B=global;A=global"))
    config = _gateway_with_config(plane, ai, namespace, [{"name": "A", "value": "1"}, {"name": "C", "value": "3"}])
    merged = [{"name": "B", "value": "global"}, {"name": "A", "value": "1"}, {"name": "C", "value": "3"}]
    plane.api.wait_until(lambda: _env(envoy, namespace, "gw") == [merged], "the env in the pods")
    accepted = plane.api.get(ai.api_version, "GatewayConfig", namespace, "config")
    assert "True" == api.condition(accepted, "Accepted")

    def pods() -> list[str]:
        return [pod["metadata"]["uid"] for pod in envoy.pods(namespace, "gw")]

    # What it put off while the first rollout went on would take the edits below along.
    plane.api.settles(pods, _QUIET_SECONDS)
    for kind, name in ("GatewayConfig", "config"), ("AIGatewayRoute", "gw"):
        plane.api.patch(ai.api_version, kind, namespace, name, {"metadata": {"annotations": {"edited": "yes"}}})
    taken_off = {"metadata": {"annotations": {extproc.CONFIG_ANNOTATION: None}}}
    plane.api.patch(envoy_gateway.GATEWAY_API, "Gateway", namespace, "gw", taken_off)
    plane.api.stays(pods, _QUIET_SECONDS)

    config["spec"]["extProc"]["kubernetes"]["env"] = [{"name": "C", "value": "4"}]
    plane.api.apply(gateways.gateway(namespace, "gw", annotations={extproc.CONFIG_ANNOTATION: "config"}))
    plane.api.apply(config)
    merged = [{"name": "B", "value": "global"}, {"name": "A", "value": "global"}, {"name": "C", "value": "4"}]
    plane.api.wait_until(lambda: _env(envoy, namespace, "gw") == [merged], "the new env in new pods")


@pytest.mark.parametrize("release", ["v0.5", "v1.0"])
def test_stand_in_before_v1_1_brings_a_changed_env_only_to_new_pods(
    release: gateway_config_crd.Release,
    plane: control_plane.ControlPlane,
    envoy: envoy_gateway.EnvoyGateway,
    start_ai_gateway: StartAiGateway,
    namespace: str,
) -> None:
    """Without it the operator's own rollout would not be tested at all."""
    ai = start_ai_gateway(extproc.Settings(release))
    config = _gateway_with_config(plane, ai, namespace, [{"name": "A", "value": "1"}])
    plane.api.wait_until(lambda: _env(envoy, namespace, "gw") == [[{"name": "A", "value": "1"}]], "the env in the pods")

    config["spec"]["extProc"]["kubernetes"]["env"] = [{"name": "A", "value": "2"}]
    plane.api.apply(config)
    plane.api.stays(lambda: _env(envoy, namespace, "gw"), _QUIET_SECONDS)
    assert [[{"name": "A", "value": "1"}]] == _env(envoy, namespace, "gw")

    deployment = envoy.deployment(namespace, "gw")
    assert deployment is not None
    patch = {"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}
    plane.api.patch("apps/v1", "Deployment", envoy_gateway.NAMESPACE, deployment["metadata"]["name"], patch)
    plane.api.wait_until(lambda: _env(envoy, namespace, "gw") == [[{"name": "A", "value": "2"}]], "the env in new pods")


def test_no_pod_is_created_while_the_stand_in_is_down(
    plane: control_plane.ControlPlane,
    envoy: envoy_gateway.EnvoyGateway,
    start_ai_gateway: StartAiGateway,
    namespace: str,
) -> None:
    """Without it an outage of AI Gateway would look like any other missing pod."""
    ai = start_ai_gateway(extproc.Settings("v1.1"))
    ai.stop()
    plane.api.apply(gateways.gateway(namespace, "gw"))

    def refused() -> bool:
        deployment = envoy.deployment(namespace, "gw")
        return deployment is not None and api.condition(deployment, "ReplicaFailure") == "True"

    plane.api.wait_until(refused, "a Deployment whose pods are refused")
    ai.start()
    plane.api.wait_until(lambda: bool(envoy.pods(namespace, "gw")), "pods after the outage", seconds=90)


def _writer(plane: control_plane.ControlPlane, proxy: fault_proxy.FaultProxy, namespace: str) -> api.Api:
    """A client that goes through the proxy as a ServiceAccount that may edit its namespace."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "writer", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
    }
    plane.api.apply(binding)
    return api.Api(proxy.url, plane.authority.client_context(), plane.token(namespace, "default"))


def _write(client: api.Api, namespace: str, number: int) -> int:
    """The status of creating a ConfigMap; 0 where there was no answer."""
    metadata = {"name": f"written-{number}", "namespace": namespace}
    try:
        client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    except api.ApiError as error:
        return error.status
    except OSError:
        return 0
    return 201


def test_fault_proxy_fails_the_nth_write_and_notes_all(
    plane: control_plane.ControlPlane, proxy: fault_proxy.FaultProxy, namespace: str
) -> None:
    """Without it the operator's faults would be played by something that does not break anything."""
    client = _writer(plane, proxy, namespace)
    seen: list[int] = []
    proxy.after_write.append(lambda request: seen.append(request.number))
    proxy.fail(409, faults.writing, nth=2)
    proxy.hang_up(faults.writing, nth=3)

    assert [201, 409, 0, 201] == [_write(client, namespace, number) for number in range(4)]
    assert [("create", "configmaps", namespace, status) for status in (201, 409, 0, 201)] == [
        (request.verb, request.resource, request.namespace, request.status) for request in proxy.writes()
    ]
    first, *_, last = proxy.writes()
    assert [first.number, last.number] == seen


@pytest.mark.parametrize(("when", "done"), [("before", [0]), ("after", [0, 1])])
def test_fault_proxy_holds_the_kth_write(
    when: faults.When,
    done: list[int],
    plane: control_plane.ControlPlane,
    proxy: fault_proxy.FaultProxy,
    namespace: str,
) -> None:
    """Without it an operator could not be killed at each of its writes."""
    client = _writer(plane, proxy, namespace)
    hold = proxy.hold_at_write(2, when)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        work = pool.submit(lambda: [_write(client, namespace, number) for number in range(3)])
        assert hold.reached.wait(30)
        written = [f"written-{number}" for number in done]
        there = [item["metadata"]["name"] for item in plane.api.items("v1", "ConfigMap", namespace)]
        assert written == [name for name in there if name.startswith("written-")]
        hold.release()
        assert [201, 0, 201] == work.result(30)


def test_fault_proxy_ends_watches(
    plane: control_plane.ControlPlane, proxy: fault_proxy.FaultProxy, namespace: str
) -> None:
    """Without it an operator would never see a watch that is cut, or that has expired."""
    client, mark = _writer(plane, proxy, namespace), plane.audit.mark()

    def watched() -> bool:
        return any(each.verb == "watch" for each in plane.audit.of_service_account(namespace, "default", mark))

    with contextlib.closing(client.watch(client.path("v1", "ConfigMap", namespace))) as events:
        assert "ADDED" == next(events)["type"]
        plane.api.wait_until(watched, "an audit record of a watch that is open")
        assert 1 == proxy.expire_watches()
        last = list(events)[-1]
        assert ("ERROR", 410) == (last["type"], last["object"]["code"])
    with contextlib.closing(client.watch(client.path("v1", "ConfigMap", namespace))) as events:
        assert "ADDED" == next(events)["type"]
        assert 1 == proxy.cut_watches()
        assert [] == list(events)
