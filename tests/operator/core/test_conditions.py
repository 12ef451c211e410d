"""What the status of a policy says of a Gateway, by what stands in a cluster: each reason, with its message.

The plans that lead there are tested in test_gateway_plan.py; here is what a person reads.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import paper_cluster as paper
from aigw_operator.core.model import (
    ENVOY_PROXY,
    GATEWAY,
    GATEWAY_CLASS,
    GATEWAY_CONFIG,
    POLICY,
    RECEIVER,
    NamespacedName,
    ObjectKey,
    Pod,
    Source,
    Sources,
)
from aigw_operator.core.policy_plan import plan_policy

GW = NamespacedName("default", "gw")
ALL = ObjectKey(POLICY, NamespacedName("default", "all"))
DEFAULT = NamespacedName("aigw-telemetry", "default")
CONFIG = ObjectKey(GATEWAY_CONFIG, NamespacedName("default", "gw-aigw-telemetry"))
ANNOTATION = "aigateway.envoyproxy.io/gateway-config"
CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"

Row = tuple[str, str, str]
"""Status, reason and message of a condition."""

Change = Callable[[paper.PaperCluster], None]


class Careless(paper.PaperCluster):
    """A cluster whose user has left a reference dangling: it does not look for any."""

    def check(self) -> None:
        """Whatever the user has written stays."""


def cluster(*raws: dict[str, Any], kind: type[paper.PaperCluster] = paper.PaperCluster) -> paper.PaperCluster:
    """A class, a receiver, a policy for all Gateways of a namespace, and these objects; nothing is wired yet."""
    found = kind()
    found.put(paper.gateway_class(), paper.receiver(), paper.policy(), *raws)
    return found


def conditions(found: paper.PaperCluster, policy: ObjectKey = ALL, gateway: str = "gw") -> dict[str, Row]:
    """The conditions of a Gateway in a policy's status, by type."""
    for entry in found.objects[policy]["status"]["ancestors"]:
        if entry["ancestorRef"]["name"] == gateway:
            return {item["type"]: (item["status"], item["reason"], item["message"]) for item in entry["conditions"]}
    return {}


def overall(found: paper.PaperCluster, policy: ObjectKey = ALL) -> Row:
    """The policy's own condition."""
    (item,) = found.objects[policy]["status"]["conditions"]
    assert "Accepted" == item["type"]
    return item["status"], item["reason"], item["message"]


def put(*raws: dict[str, Any]) -> Change:
    """Put objects in."""
    return lambda found: found.put(*raws)


def remove(kind: Any, name: NamespacedName) -> Change:
    """Take an object out."""
    return lambda found: found.remove(ObjectKey(kind, name))


def merging(found: paper.PaperCluster) -> None:
    """A class whose EnvoyProxy merges all its Gateways."""
    reference = {"group": ENVOY_PROXY.group, "kind": "EnvoyProxy", "name": "merging", "namespace": "x"}
    found.put(paper.proxy("merging", namespace="x", mergeGateways=True), paper.gateway_class(parametersRef=reference))


def same_only(found: paper.PaperCluster) -> None:
    """A receiver that admits its own namespace only."""
    found.edit(ObjectKey(RECEIVER, DEFAULT), {"spec": {"allowedNamespaces": {"from": "Same"}}})


def older_policy(found: paper.PaperCluster) -> None:
    """Another policy for the same Gateway that has been there for longer."""
    found.put(paper.merged(paper.policy("older"), {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}}))


NOT_ACCEPTED: dict[str, tuple[Change, str, str]] = {
    "receiver missing": (
        remove(RECEIVER, DEFAULT),
        "ReceiverNotFound",
        "TelemetryReceiver aigw-telemetry/default does not exist; create it, or correct receiverRef",
    ),
    "wrong namespace": (
        same_only,
        "RefNotPermitted",
        (
            "TelemetryReceiver aigw-telemetry/default does not admit policies of namespace default; its "
            "allowedNamespaces would have to"
        ),
    ),
    "Gateway of another class": (
        put(paper.gateway_class(controller="example.com/other")),
        "UnsupportedGatewayClass",
        (
            "its GatewayClass eg belongs to example.com/other; only Gateways of Envoy Gateway "
            f"({CONTROLLER}) carry AI Gateway's traffic"
        ),
    ),
    "class missing": (
        remove(GATEWAY_CLASS, NamespacedName("", "eg")),
        "GatewayClassNotFound",
        "its GatewayClass eg does not exist; create it, or correct gatewayClassName",
    ),
    "mergeGateways": (
        merging,
        "UnsupportedMergeGateways",
        (
            "EnvoyProxy x/merging of its class merges Gateways, which AI Gateway does not support: its pods belong to "
            "no Gateway. Give this Gateway a class without mergeGateways"
        ),
    ),
    "two policies": (
        older_policy,
        "Conflicted",
        "TelemetryPolicy older governs this Gateway: it is older; delete one of the two",
    ),
    "a spec that cannot be used": (
        put(paper.policy(metrics={"interval": "soon"})),
        "Invalid",
        "spec.metrics.interval: expected a duration from 1s to 1h such as 10s or 1m30s",
    ),
}


@pytest.mark.parametrize("reason", NOT_ACCEPTED)
def test_not_accepted(reason: str) -> None:
    """A person would not be told why a policy does not hold for a Gateway, or be told of things that follow from it."""
    change, expected, message = NOT_ACCEPTED[reason]
    found = cluster(paper.gateway("gw"))
    change(found)
    found.settle()

    assert {"Accepted": ("False", expected, message)} == conditions(found)
    status = found.objects[ALL]["status"]
    assert ("1", "0/1", "0/1") == (status["gateways"], status["injected"], status["receiving"])


def test_a_gateway_that_is_not_there() -> None:
    """A typing error in targetRefs would not be seen, or hide the Gateways that are there."""
    reference = {"group": GATEWAY.group, "kind": "Gateway", "name": "gone"}
    found = cluster(paper.gateway("gw"), paper.policy(targetRefs=[reference]))
    found.settle()

    message = "Gateway gone does not exist in namespace default; create it"
    assert {"Accepted": ("False", "TargetNotFound", message)} == conditions(found, gateway="gone")
    assert ("False", "PartlyAccepted", "accepted for 1 of 2 Gateways") == overall(found)


OVERALL: dict[str, tuple[Change, Row]] = {
    "all is well": (lambda _: None, ("True", "Accepted", "accepted for 1 of 1 Gateways")),
    "no Gateway": (
        remove(GATEWAY, GW),
        ("False", "TargetNotFound", "it selects no Gateway of its namespace"),
    ),
    "none accepted": (remove(RECEIVER, DEFAULT), ("False", "NotAccepted", "accepted for 0 of 1 Gateways")),
    "a spec that cannot be used": (
        put(paper.policy(naming="Mine")),
        ("False", "Invalid", "spec.naming: expected one of Gateway, SkyWalking, got 'Mine'"),
    ),
}


@pytest.mark.parametrize("reason", OVERALL)
def test_the_policy_as_a_whole(reason: str) -> None:
    """Whoever looks at the policy's own condition would not see whether it can be used and selects anything."""
    change, expected = OVERALL[reason]
    found = cluster(paper.gateway("gw"))
    change(found)
    found.settle()

    assert expected == overall(found)


def capable(**changes: Any) -> Change:
    """Other versions installed, or none."""

    def change(found: paper.PaperCluster) -> None:
        found.capabilities = dataclasses.replace(found.capabilities, **changes)

    return change


def refers_to_config(name: str) -> dict[str, Any]:
    """The Gateway, annotated with a GatewayConfig."""
    return paper.gateway("gw", metadata={"annotations": {ANNOTATION: name}})


def refers_to_proxy(name: str, kind: str = "EnvoyProxy", gateway: str = "gw") -> dict[str, Any]:
    """The Gateway, with an EnvoyProxy of its own."""
    reference = {"group": "gateway.envoyproxy.io", "kind": kind, "name": name}
    return paper.gateway(gateway, spec={"infrastructure": {"parametersRef": reference}})


def targets_only_gw() -> dict[str, Any]:
    """A policy for that one Gateway."""
    return paper.policy(targetSelectors=None, targetRefs=[{"name": "gw"}])


SHARED_CONFIG = (
    paper.config("mine"),
    refers_to_config("mine"),
    paper.gateway("other", metadata={"annotations": {ANNOTATION: "mine"}}),
    targets_only_gw(),
)
SHARED_PROXY = (
    paper.proxy("mine"),
    refers_to_proxy("mine"),
    refers_to_proxy("mine", gateway="other"),
    targets_only_gw(),
)
UNFIT: dict[str, tuple[Change, str, Row]] = {
    "AI Gateway missing": (
        capable(gateway_config=""),
        "Injected",
        (
            "False",
            "AIGatewayMissing",
            "the CRD gatewayconfigs.aigateway.envoyproxy.io is not installed; install Envoy AI Gateway",
        ),
    ),
    "AI Gateway missing: access logs": (
        capable(gateway_config=""),
        "AccessLogsWired",
        ("False", "AIGatewayMissing", "without AI Gateway no request carries the headers that are matched"),
    ),
    "AI Gateway missing: costs": (
        capable(gateway_config="", global_costs=False),
        "CostsConfigured",
        (
            "False",
            "AIGatewayMissing",
            "the CRD gatewayconfigs.aigateway.envoyproxy.io is not installed; install Envoy AI Gateway",
        ),
    ),
    "AI Gateway v0.5": (
        capable(gateway_config="v1alpha1", global_costs=False),
        "CostsConfigured",
        (
            "False",
            "Unsupported",
            (
                "this AI Gateway (before v0.6) has no globalLLMRequestCosts; for tokens in access logs, put "
                "llmRequestCosts into each AIGatewayRoute"
            ),
        ),
    ),
    "Envoy Gateway without Backend": (
        capable(backend=""),
        "AccessLogsWired",
        ("False", "EnvoyGatewayMissing", "the CRDs of Envoy Gateway (EnvoyProxy, Backend) are not installed"),
    ),
    "GatewayConfig missing": (
        put(refers_to_config("gone")),
        "Injected",
        (
            "False",
            "GatewayConfigNotFound",
            f"its annotation {ANNOTATION} names gone, which does not exist; create it, or remove it",
        ),
    ),
    "GatewayConfig of our name": (
        put(paper.config("gw-aigw-telemetry")),
        "Injected",
        (
            "False",
            "NameTaken",
            "GatewayConfig gw-aigw-telemetry exists, is not ours, and nothing refers to it; rename or annotate it",
        ),
    ),
    "shared GatewayConfig": (
        put(*SHARED_CONFIG),
        "Injected",
        (
            "False",
            "SharedGatewayConfig",
            (
                "GatewayConfig mine also serves other, for which no policy, or another one, speaks; let one policy "
                "select them all, or give this Gateway a GatewayConfig of its own"
            ),
        ),
    ),
    "shared GatewayConfig: costs": (
        put(*SHARED_CONFIG),
        "CostsConfigured",
        (
            "False",
            "SharedGatewayConfig",
            (
                "GatewayConfig mine also serves other, for which no policy, or another one, speaks; let one policy "
                "select them all, or give this Gateway a GatewayConfig of its own"
            ),
        ),
    ),
    "shared EnvoyProxy": (
        put(*SHARED_PROXY),
        "AccessLogsWired",
        (
            "False",
            "SharedEnvoyProxy",
            (
                "EnvoyProxy default/mine also serves other, for which no policy, or another one, speaks; let one "
                "policy select them all, or give this Gateway an EnvoyProxy of its own"
            ),
        ),
    ),
    "EnvoyProxy missing": (
        put(refers_to_proxy("gone")),
        "AccessLogsWired",
        ("False", "EnvoyProxyNotFound", "its EnvoyProxy default/gone does not exist; create it"),
    ),
    "parameters of another kind": (
        put(refers_to_proxy("mine", "ConfigMap")),
        "AccessLogsWired",
        ("False", "UnsupportedParameters", "its parametersRef names a ConfigMap, not an EnvoyProxy"),
    ),
    "EnvoyProxy of our name": (
        put(paper.proxy("gw-aigw-telemetry")),
        "AccessLogsWired",
        (
            "False",
            "NameTaken",
            "EnvoyProxy gw-aigw-telemetry exists and is not ours; rename it, or let the Gateway refer to it",
        ),
    ),
    "access logs switched off": (
        put(paper.policy(accessLogs={"enabled": False})),
        "AccessLogsWired",
        ("False", "Disabled", "the policy asks for no access logs"),
    ),
    "access logs switched off: costs": (
        put(paper.policy(accessLogs={"enabled": False})),
        "CostsConfigured",
        ("False", "Disabled", "the policy asks for no access logs, which alone need them"),
    ),
    "endpoint without gRPC": (
        put(paper.policy(receiverRef=None, endpoint={"url": "http://a:4318", "protocol": "http/protobuf"})),
        "AccessLogsWired",
        ("False", "EndpointNotGrpc", "Envoy sends access logs by OTLP/gRPC only; give the policy a gRPC endpoint"),
    ),
    "a key of the user's": (
        put(
            paper.config("mine", globalLLMRequestCosts=[{"metadataKey": "llm_input_token", "type": "OutputToken"}]),
            refers_to_config("mine"),
        ),
        "CostsConfigured",
        (
            "False",
            "KeyConflict",
            (
                "globalLLMRequestCosts of the GatewayConfig counts something else as llm_input_token, which stays; "
                "access logs show that in place of tokens: give it another metadataKey"
            ),
        ),
    ),
    "mode Preview": (
        put(paper.policy(mode="Preview")),
        "Injected",
        ("False", "Preview", "the policy has mode: Preview; status.preview shows what would be written"),
    ),
}


@pytest.mark.parametrize("reason", UNFIT)
def test_what_cannot_be_wired(reason: str) -> None:
    """A person would not be told which part of the wiring is missing, or what to do about it."""
    change, kind, expected = UNFIT[reason]
    found = cluster(paper.gateway("gw"), kind=Careless)
    change(found)
    found.settle()

    assert expected == conditions(found)[kind]
    assert "True" == conditions(found)["Accepted"][0]


def test_ai_gateway_that_comes_later() -> None:
    """An AI Gateway that is installed after us would be noticed at a restart only."""
    found = cluster(paper.gateway("gw"))
    capable(gateway_config="")(found)
    found.settle()
    capable(gateway_config="v1beta1")(found)
    found.settle()

    assert CONFIG in found.objects
    wired = "EnvoyProxy default/gw-aigw-telemetry sends them to default-0.aigw-telemetry.svc.cluster.local:4317"
    assert {
        "Accepted": ("True", "Accepted", "telemetry goes to TelemetryReceiver aigw-telemetry/default, shard 0"),
        "Injected": ("Unknown", "NoPods", "the Gateway has no Envoy pods yet"),
        "AccessLogsWired": ("True", "Wired", wired),
        "CostsConfigured": ("True", "Configured", "the token keys that access logs need are in the GatewayConfig"),
        "TelemetryReceived": (
            "Unknown",
            "ReceiverUnreachable",
            "the sources of TelemetryReceiver aigw-telemetry/default are not known: not asked yet",
        ),
    } == conditions(found)


def test_on_the_way() -> None:
    """A person who looks while it happens would think that it is stuck."""
    found = cluster(paper.gateway("gw"))

    def say() -> dict[str, Row]:
        plan = plan_policy(found.snapshot(), ALL.name, found.installation, {}, found.now)
        for action in plan.actions:
            found.perform(action)
        return conditions(found)

    assert ("False", "Pending", "next: the Gateway has none") == say()["Injected"]
    assert (
        "False",
        "Pending",
        "next: the address of access logs, default-0.aigw-telemetry.svc.cluster.local:4317",
    ) == say()["AccessLogsWired"]


def test_a_write_that_is_refused() -> None:
    """What the API server refuses would look as if it were only on its way."""
    found = cluster(paper.gateway("gw"))
    failures = {ObjectKey(GATEWAY, GW): "403: gatewayconfigs is forbidden"}
    plan = plan_policy(found.snapshot(), ALL.name, found.installation, failures, found.now)
    for action in plan.actions:
        found.perform(action)

    expected = ("False", "WriteFailed", "403: gatewayconfigs is forbidden; it is tried again")
    assert [expected] * 3 == [conditions(found)[kind] for kind in ("Injected", "AccessLogsWired", "CostsConfigured")]


def wired(*pods: str, old: tuple[str, ...] = (), bare: tuple[str, ...] = ()) -> paper.PaperCluster:
    """A wired Gateway with pods that carry the env, that are from before, and that have no external processor."""
    found = cluster(paper.gateway("gw"))
    found.settle()
    env = tuple(found.objects[CONFIG]["spec"]["extProc"]["kubernetes"]["env"])
    for names, carried in ((pods, env), (old, ()), (bare, None)):
        for name in names:
            place = NamespacedName("envoy-gateway-system", name)
            found.pods[place] = Pod(place, GW, carried, ready=True)
    return found


INJECTED: dict[str, tuple[dict[str, Any], tuple[str, ...], Row]] = {
    "all": ({}, ("a", "b"), ("True", "Injected", "2 of 2 live pods carry this environment")),
    "some": (
        {"old": ("c",)},
        ("a", "b"),
        ("False", "RollingOut", "2 of 3 live pods carry this environment; the others are to be replaced"),
    ),
    "no external processor": (
        {"bare": ("a", "b")},
        (),
        (
            "False",
            "NoSidecar",
            (
                "none of its 2 pods has the container ai-gateway-extproc: no AIGatewayRoute or MCPRoute refers to this "
                "Gateway, or AI Gateway's webhook did not see the pods"
            ),
        ),
    ),
    "none": ({}, (), ("Unknown", "NoPods", "the Gateway has no Envoy pods yet")),
}


@pytest.mark.parametrize("reason", INJECTED)
def test_injected(reason: str) -> None:
    """Injected would be said of pods that do not carry the env, or not be said of those that do."""
    others, pods, expected = INJECTED[reason]
    found = wired(*pods, **others)
    found.settle()

    assert expected == conditions(found)["Injected"]
    assert ("1/1" if expected[0] == "True" else "0/1") == found.objects[ALL]["status"]["injected"]


def test_pods_whose_order_of_variables_is_wrong() -> None:
    """A pod in which references do not resolve would be rolled again and again, or be called well."""
    found = wired("a")
    (place,) = found.pods
    env = found.pods[place].env or ()
    found.pods[place] = dataclasses.replace(found.pods[place], env=(*env[1:], env[0]))
    found.settle()

    status, reason, message = conditions(found)["Injected"]
    assert ("False", "GlobalEnvOrder") == (status, reason)
    assert message.startswith("0 of 1 live pods carry this environment; ")


def source(pod: str, *, metrics: float | None, logs: float | None = None, gateway: NamespacedName = GW) -> Source:
    """A pod that was heard so many seconds ago."""
    times = [None if age is None else paper.NOON + 1000 - age for age in (metrics, logs)]
    return Source(gateway, pod, times[0], times[1], 10.0)


RECEIVED: dict[str, tuple[Sources | None, Row]] = {
    "not asked yet": (
        None,
        (
            "Unknown",
            "ReceiverUnreachable",
            "the sources of TelemetryReceiver aigw-telemetry/default are not known: not asked yet",
        ),
    ),
    "not ready": (
        Sources((), "default-0 cannot be reached"),
        (
            "Unknown",
            "ReceiverUnreachable",
            "the sources of TelemetryReceiver aigw-telemetry/default are not known: default-0 cannot be reached",
        ),
    ),
    "nothing": (
        Sources(),
        (
            "False",
            "NoExports",
            (
                "metrics from 0 of 2 pods, no access logs yet; see Injected, and whether a NetworkPolicy keeps the "
                "pods from the receiver"
            ),
        ),
    ),
    "another Gateway's": (
        Sources((source("a", metrics=1, gateway=NamespacedName("other", "gw")),)),
        (
            "False",
            "NoExports",
            (
                "metrics from 0 of 2 pods, no access logs yet; see Injected, and whether a NetworkPolicy keeps the "
                "pods from the receiver"
            ),
        ),
    ),
    "one": (
        Sources((source("a", metrics=1),)),
        ("False", "SomePodsSilent", "metrics from 1 of 2 pods, no access logs yet; silent: b"),
    ),
    "both": (
        Sources((source("a", metrics=1), source("b", metrics=44, logs=2))),
        ("True", "Receiving", "metrics from 2 of 2 pods, access logs from 1 of 2"),
    ),
    "no more": (
        Sources((source("a", metrics=46), source("b", metrics=1000))),
        (
            "False",
            "Silent",
            "metrics from 0 of 2 pods, no access logs yet; last export at 2026-11-18T11:22:34Z",
        ),
    ),
}


@pytest.mark.parametrize("reason", RECEIVED)
def test_received(reason: str) -> None:
    """Whether telemetry arrives would be claimed, or denied, against what the receiver has heard."""
    answer, expected = RECEIVED[reason]
    found = wired("a", "b")
    found.clock = paper.NOON + 1000
    if answer is not None:
        found.sources[DEFAULT] = answer
    found.settle()

    assert paper.NOON + 1000 == found.clock
    assert expected == conditions(found)["TelemetryReceived"]
    assert ("1/1" if expected[0] == "True" else "0/1") == found.objects[ALL]["status"]["receiving"]


def test_an_endpoint_that_cannot_be_asked() -> None:
    """A policy with an endpoint of its own would look broken for ever."""
    found = cluster(paper.gateway("gw"), paper.policy(receiverRef=None, endpoint={"url": "http://oap:11800"}))
    found.settle()

    message = "the policy's endpoint is not a TelemetryReceiver; whether it receives anything cannot be seen from here"
    assert ("Unknown", "ExternalEndpoint", message) == conditions(found)["TelemetryReceived"]
    assert ("True", "Accepted", "telemetry goes to http://oap:11800") == conditions(found)["Accepted"]


def test_one_broken_policy_holds_a_shared_config() -> None:
    """Two Gateways that share a GatewayConfig would lose their env with a receiver that comes back."""
    found = cluster(
        paper.config("mine"),
        refers_to_config("mine"),
        paper.gateway("b", metadata={"annotations": {ANNOTATION: "mine"}}),
    )
    found.settle()
    other = paper.policy("other", targetSelectors=None, targetRefs=[{"name": "b"}], receiverRef={"name": "gone"})
    found.put(paper.policy(targetSelectors=None, targetRefs=[{"name": "gw"}]), other)
    before = found.objects[ObjectKey(GATEWAY_CONFIG, NamespacedName("default", "mine"))]["spec"]
    found.settle()

    assert before == found.objects[ObjectKey(GATEWAY_CONFIG, NamespacedName("default", "mine"))]["spec"]
    message = "another Gateway that shares its configuration is held as it is"
    assert ("False", "Held", message) == conditions(found)["Injected"]


def test_the_same_state_is_the_same_status() -> None:
    """The status would be written again and again, or its times move without any change."""
    found = wired("a")
    found.sources[DEFAULT] = Sources((source("a", metrics=-990),))
    found.settle()
    before = found.objects[ALL]["status"]
    found.clock += 20
    assert 0 == found.settle()
    assert before == found.objects[ALL]["status"]

    found.sources[DEFAULT] = Sources()
    found.settle()
    times = {
        item["type"]: item["lastTransitionTime"] for item in found.objects[ALL]["status"]["ancestors"][0]["conditions"]
    }
    assert found.now.text == times.pop("TelemetryReceived")
    assert found.now.text not in times.values()
