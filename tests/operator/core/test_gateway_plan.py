"""The plans of Gateways and namespaces, carried out on a paper cluster: wiring, undo, what is shared or broken."""

import copy
import dataclasses
from typing import Any

import pytest

import paper_cluster as paper
from aigw_operator.core import rollout
from aigw_operator.core.actions import Patch
from aigw_operator.core.model import (
    BACKEND,
    DEPLOYMENT,
    ENVOY_PROXY,
    GATEWAY,
    GATEWAY_CONFIG,
    POLICY,
    RECEIVER,
    Deployment,
    Kind,
    Meta,
    NamespacedName,
    ObjectKey,
    Pod,
)

SETTING = {"sinks": [{"type": "File", "file": {"path": "/var/log/access"}}]}


def key(kind: Kind, name: str, namespace: str = "default") -> ObjectKey:
    """The key of an object in the namespace that most of them are in."""
    return ObjectKey(kind, NamespacedName(namespace, name))


def cluster(*raws: dict[str, Any]) -> paper.PaperCluster:
    """A cluster with a class, a receiver, a policy for all Gateways of the default namespace, and these objects."""
    found = paper.PaperCluster()
    found.put(paper.gateway_class(), paper.receiver(), paper.policy(), *raws)
    return found


def views(found: paper.PaperCluster) -> dict[ObjectKey, dict[str, Any]]:
    """All objects but ours by name, as their users wrote them."""
    return {item: paper.users_view(raw) for item, raw in found.objects.items() if item.kind != POLICY}


def conditions(found: paper.PaperCluster, gateway: str, policy: str = "all") -> dict[str, tuple[str, str]]:
    """Status and reason of each condition of a Gateway, as the policy's status has them."""
    for entry in found.objects[key(POLICY, policy)]["status"]["ancestors"]:
        if entry["ancestorRef"]["name"] == gateway:
            return {item["type"]: (item["status"], item["reason"]) for item in entry["conditions"]}
    return {}


USERS: dict[str, tuple[dict[str, Any], ...]] = {
    "a Gateway alone": (paper.gateway("gw"),),
    "two Gateways": (paper.gateway("a"), paper.gateway("b")),
    "a GatewayConfig of the user's": (
        paper.config(
            "mine",
            extProc={"kubernetes": {"env": [{"name": "LEVEL", "value": "x"}], "resources": {"limits": {"cpu": "1"}}}},
            globalLLMRequestCosts=[{"metadataKey": "llm_input_token", "type": "InputToken"}],
        ),
        paper.gateway("gw", metadata={"annotations": {"aigateway.envoyproxy.io/gateway-config": "mine"}}),
    ),
    "an empty GatewayConfig, shared": (
        paper.config("mine"),
        paper.gateway("a", metadata={"annotations": {"aigateway.envoyproxy.io/gateway-config": "mine"}}),
        paper.gateway("b", metadata={"annotations": {"aigateway.envoyproxy.io/gateway-config": "mine"}}),
    ),
    "an EnvoyProxy of the user's with settings": (
        paper.proxy("mine", telemetry={"accessLog": {"settings": [SETTING]}}),
        paper.gateway(
            "gw",
            spec={
                "infrastructure": {
                    "labels": {"team": "x"},
                    "parametersRef": {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "mine"},
                }
            },
        ),
    ),
    "an EnvoyProxy of the user's without telemetry": (
        paper.proxy("mine", concurrency=2),
        paper.gateway(
            "gw",
            spec={
                "infrastructure": {
                    "parametersRef": {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "mine"}
                }
            },
        ),
    ),
    "infrastructure without a reference": (
        paper.gateway("gw", spec={"infrastructure": {"annotations": {"cost-centre": "7"}}}),
    ),
    "a class with an EnvoyProxy": (
        paper.gateway_class(
            parametersRef={
                "group": "gateway.envoyproxy.io",
                "kind": "EnvoyProxy",
                "namespace": "envoy-gateway-system",
                "name": "of-class",
            }
        ),
        paper.proxy("of-class", namespace="envoy-gateway-system", concurrency=4),
        paper.gateway("gw"),
    ),
}


@pytest.mark.parametrize("reason", USERS)
def test_undo_restores_everything(reason: str) -> None:
    """A policy that is deleted would leave something of ours behind, or take something of the user's with it."""
    found = cluster(*USERS[reason])
    before = views(found)
    assert found.settle() > 0
    assert before != views(found)
    assert 0 == found.settle()

    found.remove(key(POLICY, "all"))
    found.settle()

    assert before == views(found)


def test_a_gateway_alone_is_wired_in_this_order() -> None:
    """A reference would be written before the object that it names, or the spec before the annotation."""
    found = cluster(paper.gateway("gw"))
    found.settle()

    writes = [(type(action).__name__, str(action.key)) for action in found.log if action.key.kind != POLICY]
    backend = next(item for item in found.objects if item.kind == BACKEND)
    assert [
        ("Create", "GatewayConfig default/gw-aigw-telemetry"),
        ("Patch", "Gateway default/gw"),
        ("Patch", "GatewayConfig default/gw-aigw-telemetry"),
        ("Apply", str(backend)),
        ("Apply", "EnvoyProxy default/gw-aigw-telemetry"),
        ("Patch", "Gateway default/gw"),
    ] == writes


def test_undo_goes_the_other_way_round() -> None:
    """An object would be deleted while something still refers to it."""
    found = cluster(paper.gateway("gw"))
    found.settle()
    found.remove(key(POLICY, "all"))
    found.log.clear()
    found.settle()

    backend = key(BACKEND, next(action.key.name.name for action in found.log if action.key.kind == BACKEND))
    assert [
        ("Patch", "GatewayConfig default/gw-aigw-telemetry"),
        ("Patch", "Gateway default/gw"),
        ("Delete", "GatewayConfig default/gw-aigw-telemetry"),
        ("Patch", "Gateway default/gw"),
        ("Patch", "EnvoyProxy default/gw-aigw-telemetry"),
        ("Delete", "EnvoyProxy default/gw-aigw-telemetry"),
        ("Patch", str(backend)),
        ("Delete", str(backend)),
    ] == [(type(action).__name__, str(action.key)) for action in found.log]


def test_class_settings_are_carried_over() -> None:
    """A Gateway-level EnvoyProxy would take from a Gateway what its class gave it."""
    found = cluster(*USERS["a class with an EnvoyProxy"])
    found.settle()

    assert 4 == found.objects[key(ENVOY_PROXY, "gw-aigw-telemetry")]["spec"]["concurrency"]
    found.edit(key(ENVOY_PROXY, "of-class", "envoy-gateway-system"), {"spec": {"concurrency": 8}})
    found.settle()
    assert 8 == found.objects[key(ENVOY_PROXY, "gw-aigw-telemetry")]["spec"]["concurrency"]


def test_users_additions_to_our_objects_survive_undo() -> None:
    """What a user put into an object that we made would be deleted with it."""
    found = cluster(paper.gateway("gw"))
    found.settle()
    limits = {"resources": {"limits": {"cpu": "2"}}}
    found.edit(key(GATEWAY_CONFIG, "gw-aigw-telemetry"), {"spec": {"extProc": {"kubernetes": limits}}})
    found.edit(key(ENVOY_PROXY, "gw-aigw-telemetry"), {"spec": {"concurrency": 3}})
    found.settle()
    found.remove(key(POLICY, "all"))
    found.settle()

    config = paper.users_view(found.objects[key(GATEWAY_CONFIG, "gw-aigw-telemetry")])
    assert {"extProc": {"kubernetes": limits}} == config["spec"]
    assert {"namespace": "default", "name": "gw-aigw-telemetry"} == config["metadata"]
    proxy = paper.users_view(found.objects[key(ENVOY_PROXY, "gw-aigw-telemetry")])
    assert 3 == proxy["spec"]["concurrency"]
    assert "telemetry" not in proxy["spec"]
    gateway = paper.users_view(found.objects[key(GATEWAY, "gw")])
    assert {"aigateway.envoyproxy.io/gateway-config": "gw-aigw-telemetry"} == gateway["metadata"]["annotations"]
    assert "gw-aigw-telemetry" == gateway["spec"]["infrastructure"]["parametersRef"]["name"]


def test_a_deleted_gateway_leaves_nothing() -> None:
    """Objects made for a Gateway would stay when it goes."""
    found = cluster(paper.gateway("gw"), paper.gateway("other"))
    found.settle()
    found.remove(key(GATEWAY, "gw"))
    found.settle()

    names = {str(item) for item in found.objects if item.kind in (GATEWAY_CONFIG, ENVOY_PROXY)}
    assert {"GatewayConfig default/other-aigw-telemetry", "EnvoyProxy default/other-aigw-telemetry"} == names


def test_a_config_that_no_gateway_uses_any_more_is_restored() -> None:
    """Our env would stay in a user's GatewayConfig whose last Gateway is gone."""
    found = cluster(*USERS["a GatewayConfig of the user's"])
    before = views(found)[key(GATEWAY_CONFIG, "mine")]
    found.settle()
    found.remove(key(GATEWAY, "gw"))
    found.settle()

    assert before == views(found)[key(GATEWAY_CONFIG, "mine")]


def test_an_unselected_gateway_is_undone_and_the_other_is_not() -> None:
    """A label taken off would not undo a Gateway, or would undo its neighbour."""
    wired: dict[str, Any] = {"metadata": {"labels": {"telemetry": "yes"}}}
    found = paper.PaperCluster()
    selector = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "matchLabels": {"telemetry": "yes"}}
    found.put(paper.gateway_class(), paper.receiver(), paper.policy(targetSelectors=[selector]))
    found.put(paper.gateway("a", **wired), paper.gateway("b", **wired))
    found.settle()
    found.edit(key(GATEWAY, "a"), {"metadata": {"labels": None}})
    found.settle()

    assert paper.gateway("a") == views(found)[key(GATEWAY, "a")]
    assert key(GATEWAY_CONFIG, "b-aigw-telemetry") in found.objects
    assert key(GATEWAY_CONFIG, "a-aigw-telemetry") not in found.objects


def test_a_shared_config_needs_all_its_gateways() -> None:
    """A Gateway that no policy selects would be wired along with one that shares its GatewayConfig."""
    found = paper.PaperCluster()
    reference = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}
    found.put(paper.gateway_class(), paper.receiver(), paper.policy(targetSelectors=None, targetRefs=[reference]))
    found.put(*USERS["an empty GatewayConfig, shared"])
    before = views(found)[key(GATEWAY_CONFIG, "mine")]
    found.settle()

    assert before == views(found)[key(GATEWAY_CONFIG, "mine")]
    assert ("False", "SharedGatewayConfig") == conditions(found, "a")["Injected"]


@pytest.mark.parametrize(
    ("change", "reason", "wired"),
    [
        ({"metadata": {"namespace": "aigw-telemetry", "name": "gone"}}, "ReceiverNotFound", True),
        ({"spec": {"allowedNamespaces": {"from": "Same"}}}, "RefNotPermitted", False),
    ],
)
def test_a_receiver_that_cannot_be_used(change: dict[str, Any], reason: str, wired: bool) -> None:
    """A missing receiver would tear down what works; one that is forbidden would go on being used."""
    found = cluster(paper.gateway("gw"))
    found.settle()
    found.remove(key(RECEIVER, "default", "aigw-telemetry"))
    found.put(paper.merged(paper.receiver(), change))
    found.settle()

    assert {"Accepted": ("False", reason)} == conditions(found, "gw")
    assert wired == (key(GATEWAY_CONFIG, "gw-aigw-telemetry") in found.objects)


def test_a_broken_policy_holds_what_it_wired() -> None:
    """A typing error in a policy would unwire every Gateway, and restart all pods."""
    found = cluster(paper.gateway("gw"))
    found.settle()
    before = views(found)
    found.edit(key(POLICY, "all"), {"spec": {"metrics": {"interval": "soon"}}})
    found.settle()

    assert before == views(found)
    assert {"Accepted": ("False", "Invalid")} == conditions(found, "gw")


@pytest.mark.parametrize(
    ("gateway_class", "reason"),
    [
        (paper.gateway_class(controller="example.com/other"), "UnsupportedGatewayClass"),
        (
            paper.gateway_class(
                parametersRef={
                    "group": "gateway.envoyproxy.io",
                    "kind": "EnvoyProxy",
                    "name": "merging",
                    "namespace": "x",
                }
            ),
            "UnsupportedMergeGateways",
        ),
    ],
)
def test_classes_that_cannot_be_wired(gateway_class: dict[str, Any], reason: str) -> None:
    """A Gateway of another controller would be written to, or one of merged Gateways become un-accepted."""
    found = cluster(paper.gateway("gw"))
    found.put(paper.proxy("merging", namespace="x", mergeGateways=True), gateway_class)
    before = views(found)
    found.settle()

    assert before == views(found)
    assert {"Accepted": ("False", reason)} == conditions(found, "gw")


def test_of_two_policies_the_older_governs() -> None:
    """Two policies would write in turns, and restart pods each time."""
    found = cluster(paper.gateway("gw"))
    found.clock += 10
    found.put(paper.policy("younger", metrics={"interval": "30s"}))
    found.settle()

    assert {"Accepted": ("False", "Conflicted")} == conditions(found, "gw", "younger")
    assert ("True", "Accepted") == conditions(found, "gw")["Accepted"]
    found.remove(key(POLICY, "all"))
    found.settle()
    assert ("True", "Accepted") == conditions(found, "gw", "younger")["Accepted"]


def test_a_rejected_wiring_is_taken_back_once() -> None:
    """A Gateway that Envoy Gateway does not accept because of us would stay unaccepted, or be wired again and again."""
    found = cluster(paper.gateway("gw"))
    found.settle()
    refusal = {"type": "Accepted", "status": "False", "reason": "InvalidParameters", "message": "no Backend API"}
    since = {**refusal, "lastTransitionTime": found.now.text}
    found.edit(key(GATEWAY, "gw"), {"status": {"conditions": [since]}})
    found.clock += 60
    for _ in range(3):
        plan = found.plans()[0]()
        for action in plan.actions:
            found.perform(action)
    assert "infrastructure" not in found.objects[key(GATEWAY, "gw")]["spec"]
    accepted = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "lastTransitionTime": found.now.text,
    }
    found.edit(key(GATEWAY, "gw"), {"status": {"conditions": [accepted]}})
    found.settle()

    assert ("False", "RejectedByGateway") == conditions(found, "gw")["AccessLogsWired"]
    assert "infrastructure" not in found.objects[key(GATEWAY, "gw")]["spec"]
    found.remove(key(POLICY, "all"))
    found.settle()
    assert paper.gateway("gw") == {**views(found)[key(GATEWAY, "gw")]}


def test_an_unaccepted_gateway_gets_no_access_logs() -> None:
    """A Gateway that is broken already would be changed further, and the blame be ours."""
    found = cluster(paper.gateway("gw"))
    refusal = {"type": "Accepted", "status": "False", "reason": "Invalid", "message": "x", "lastTransitionTime": ""}
    found.edit(key(GATEWAY, "gw"), {"status": {"conditions": [refusal]}})
    found.settle()

    assert ("False", "GatewayNotAccepted") == conditions(found, "gw")["AccessLogsWired"]
    assert 0 == found.written(ENVOY_PROXY)


def _with_pods(found: paper.PaperCluster, env: tuple[dict[str, Any], ...], *, rolls_itself: bool) -> None:
    name = NamespacedName("envoy-gateway-system", "envoy-default-gw")
    found.pods[name] = Pod(name, NamespacedName("default", "gw"), env, ready=True)
    hashes = {"aigateway.envoyproxy.io/extproc-config-hash": "1"} if rolls_itself else {}
    found.deployments[name] = Deployment(Meta(name, resource_version="1"), NamespacedName("default", "gw"), hashes)


@pytest.mark.parametrize(("rolls_itself", "wait"), [(False, 0.0), (True, rollout.GRACE)])
def test_pods_are_rolled_once(rolls_itself: bool, wait: float) -> None:
    """Pods before AI Gateway v1.1 would never get the env, those of v1.1 be rolled twice, or all of them in a loop."""
    found = cluster(paper.gateway("gw"))
    _with_pods(found, (), rolls_itself=rolls_itself)
    began = found.clock
    while not found.written(DEPLOYMENT):
        for make in found.plans():
            plan = make()
            for action in plan.actions:
                found.perform(action)
        found.clock += 1
        assert found.clock < began + rollout.GRACE + 20
    assert found.clock - began >= wait
    for _ in range(30):
        for make in found.plans():
            for action in make().actions:
                found.perform(action)
        found.clock += 10

    assert 1 == found.written(DEPLOYMENT)
    assert ("False", "RollingOut") == conditions(found, "gw")["Injected"]
    pods = copy.copy(found.pods)
    env = found.objects[key(GATEWAY_CONFIG, "gw-aigw-telemetry")]["spec"]["extProc"]["kubernetes"]["env"]
    for name, pod in pods.items():
        found.pods[name] = dataclasses.replace(pod, env=tuple(env))
    found.settle()
    assert 1 == found.written(DEPLOYMENT)
    assert ("True", "Injected") == conditions(found, "gw")["Injected"]


def test_undo_takes_our_mark_off_the_deployment() -> None:
    """A pod template would keep our annotation, and pods our env, when nothing of ours is left elsewhere."""
    found = cluster(paper.gateway("gw"))
    _with_pods(found, (), rolls_itself=False)
    for _ in range(10):
        for make in found.plans():
            for action in make().actions:
                found.perform(action)
        found.clock += 1
    (name,) = found.deployments
    assert ["telemetry.aigw.dev/env-hash"] == list(found.deployments[name].template_annotations)

    found.remove(key(POLICY, "all"))
    found.settle()
    assert {} == dict(found.deployments[name].template_annotations)


def test_v0_5_has_no_global_costs() -> None:
    """A field that the installed CRD does not have would be written, and pruned, for ever."""
    found = cluster(paper.gateway("gw"))
    found.capabilities = dataclasses.replace(found.capabilities, gateway_config="v1alpha1", global_costs=False)
    found.settle()

    config = found.objects[key(GATEWAY_CONFIG, "gw-aigw-telemetry")]
    assert "aigateway.envoyproxy.io/v1alpha1" == config["apiVersion"]
    assert ["extProc"] == list(config["spec"])
    assert ("False", "Unsupported") == conditions(found, "gw")["CostsConfigured"]


def test_without_ai_gateway_nothing_is_written() -> None:
    """A cluster without AI Gateway would be written to, and the user not be told what is missing."""
    found = cluster(paper.gateway("gw"))
    before = views(found)
    found.capabilities = dataclasses.replace(found.capabilities, gateway_config="")
    found.settle()

    assert before == views(found)
    assert ("False", "AIGatewayMissing") == conditions(found, "gw")["Injected"]
    assert ("False", "AIGatewayMissing") == conditions(found, "gw")["AccessLogsWired"]


def test_preview_shows_and_writes_nothing() -> None:
    """A preview would write, or show something else than what Apply does."""
    found = cluster(paper.gateway("gw"))
    found.put(paper.policy(mode="Preview"))
    before = views(found)
    found.settle()
    shown = found.objects[key(POLICY, "all")]["status"]["preview"]
    assert before == views(found)

    found.put(paper.policy(mode="Apply"))
    found.settle()
    written = {
        (item.kind.kind, item.name.name): paper.users_view(raw)["spec"]
        for item, raw in found.objects.items()
        if item.kind in (GATEWAY_CONFIG, BACKEND, ENVOY_PROXY, GATEWAY)
    }
    default = {"logging": {"level": {"default": "warn"}}}  # filled in by the API server
    assert written == {
        (item["kind"], item["name"]): item["manifest"]["spec"] | (default if item["kind"] == "EnvoyProxy" else {})
        for item in shown
    }


def test_switching_access_logs_off_keeps_metrics() -> None:
    """Access logs that are switched off would stay wired, or take the metrics with them."""
    found = cluster(paper.gateway("gw"))
    found.settle()
    found.edit(key(POLICY, "all"), {"spec": {"accessLogs": {"enabled": False}}})
    found.settle()

    assert [] == [str(item) for item in found.objects if item.kind in (ENVOY_PROXY, BACKEND)]
    assert ["extProc"] == list(found.objects[key(GATEWAY_CONFIG, "gw-aigw-telemetry")]["spec"])
    assert ("False", "Disabled") == conditions(found, "gw")["AccessLogsWired"]


def test_every_patch_is_refused_when_stale() -> None:
    """A write would overwrite what somebody else has written meanwhile."""
    found = cluster(paper.gateway("gw"))
    found.settle()
    found.remove(key(POLICY, "all"))
    found.settle()

    for action in found.log:
        if isinstance(action, Patch):
            assert action.body["metadata"]["resourceVersion"]
