"""The chain from a Gateway to its last export: the first broken link, what is wrong with it, and what mends it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import paper_cluster as paper
from aigw_operator.core import doctor
from aigw_operator.core.doctor import Link, State
from aigw_operator.core.model import (
    GATEWAY,
    GATEWAY_CONFIG,
    POLICY,
    RECEIVER,
    STATEFUL_SET,
    Document,
    Meta,
    NamespacedName,
    ObjectKey,
    Pod,
    Source,
    Sources,
)
from aigw_operator.core.snapshot import Snapshot

GW = NamespacedName("default", "gw")
RECEIVED_BY = NamespacedName("aigw-telemetry", "default")
POD = NamespacedName("envoy-gateway-system", "envoy-default-gw-0")
URL = "http://default-0.aigw-telemetry.svc.cluster.local:4317"
TITLES = [
    *("CRDs", "Gateway", "TelemetryPolicy", "Operator", "Receiver"),
    *("Injected", "AccessLogsWired", "CostsConfigured", "TelemetryReceived"),
]


@dataclasses.dataclass
class Scene:
    """A cluster where every link holds, for a test to break one."""

    cluster: paper.PaperCluster
    ready: int | None = 1
    """ready shards; None where there is no StatefulSet"""

    def snapshot(self) -> Snapshot:
        """What doctor would find."""
        found = self.cluster.snapshot()
        if self.ready is None:
            return found
        live = Document(Meta(RECEIVED_BY), {"status": {"readyReplicas": self.ready}})
        return dataclasses.replace(found, children={ObjectKey(STATEFUL_SET, RECEIVED_BY): live})

    def edit(self, kind: Any, changes: dict[str, Any], name: NamespacedName = GW) -> None:
        """Change an object, by default of the Gateway's name."""
        self.cluster.edit(ObjectKey(kind, name), changes)

    def examine(self, name: NamespacedName = GW) -> tuple[Link, ...]:
        """The chain as it is now."""
        return doctor.examine(self.snapshot(), name, self.cluster.installation, self.cluster.now)


def whole() -> Scene:
    """One Gateway, wired, with one pod that exports."""
    cluster = paper.PaperCluster()
    cluster.put(paper.gateway_class(), paper.receiver(), paper.policy(), paper.gateway("gw"))
    accepted = [{"type": kind, "status": "True", "reason": kind, "message": ""} for kind in ("Accepted", "Programmed")]
    cluster.edit(ObjectKey(GATEWAY, GW), {"status": {"conditions": accepted}})
    cluster.settle()
    config = cluster.objects[ObjectKey(GATEWAY_CONFIG, NamespacedName("default", "gw-aigw-telemetry"))]
    cluster.pods[POD] = Pod(POD, GW, tuple(config["spec"]["extProc"]["kubernetes"]["env"]), ready=True)
    cluster.sources[RECEIVED_BY] = Sources((Source(GW, POD.name, cluster.clock - 3, cluster.clock - 1, 10.0),))
    cluster.settle()
    return Scene(cluster)


def test_every_link_holds() -> None:
    """A whole chain would be called broken, or not be told link by link."""
    wired = "EnvoyProxy default/gw-aigw-telemetry sends them to default-0.aigw-telemetry.svc.cluster.local:4317"
    assert [
        ("CRDs", "GatewayConfig v1beta1 and EnvoyProxy are served"),
        ("Gateway", "accepted and programmed by Envoy Gateway"),
        ("TelemetryPolicy", "default/all: telemetry goes to TelemetryReceiver aigw-telemetry/default, shard 0"),
        ("Operator", "has seen the policy as it stands now"),
        (
            "Receiver",
            f"1 of 1 shards of TelemetryReceiver aigw-telemetry/default are ready; this Gateway sends to {URL}",
        ),
        ("Injected", "Injected: 1 of 1 live pods carry this environment"),
        ("AccessLogsWired", f"Wired: {wired}"),
        ("CostsConfigured", "Configured: the token keys that access logs need are in the GatewayConfig"),
        ("TelemetryReceived", "Receiving: metrics from 1 of 1 pods, access logs from 1 of 1"),
    ] == [(link.title, link.message) for link in whole().examine() if link.state is State.HOLDS]


def _without(kind: Any, name: NamespacedName = GW) -> Callable[[Scene], None]:
    return lambda scene: scene.cluster.remove(ObjectKey(kind, name))


def _capabilities(**changes: Any) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        scene.cluster.capabilities = dataclasses.replace(scene.cluster.capabilities, **changes)

    return change


def _gateway_status(kind: str, status: str) -> Callable[[Scene], None]:
    conditions = [
        {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""},
        {"type": "Programmed", "status": "True", "reason": "Programmed", "message": ""},
    ]
    said = [
        item if item["type"] != kind else {**item, "status": status, "reason": "No", "message": "why"}
        for item in conditions
    ]
    return lambda scene: scene.edit(GATEWAY, {"status": {"conditions": said}})


def _policy(**spec: Any) -> Callable[[Scene], None]:
    """A policy that was changed, and looked at again by the operator."""

    def change(scene: Scene) -> None:
        scene.edit(POLICY, {"spec": spec}, NamespacedName("default", "all"))
        scene.cluster.settle()

    return change


def _unseen(scene: Scene) -> None:
    scene.edit(POLICY, {"spec": {"naming": "SkyWalking"}}, NamespacedName("default", "all"))


def _shards(ready: int | None) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        scene.ready = ready

    return change


def _pods(*pods: Pod) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        scene.cluster.pods = {pod.name: pod for pod in pods}

    return change


def _sources(*entries: Source, error: str = "") -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        scene.cluster.sources[RECEIVED_BY] = Sources(entries, error)

    return change


def _refused_write(scene: Scene) -> None:
    scene.edit(GATEWAY_CONFIG, {"spec": {"extProc": None}}, NamespacedName("default", "gw-aigw-telemetry"))
    policy = scene.cluster.objects[ObjectKey(POLICY, NamespacedName("default", "all"))]
    said = {"type": "Injected", "status": "False", "reason": "WriteFailed", "message": "403: no; it is tried again"}
    ancestors = [{**policy["status"]["ancestors"][0], "conditions": [said]}]
    scene.edit(POLICY, {"status": {"ancestors": ancestors}}, NamespacedName("default", "all"))


BROKEN: dict[str, tuple[Callable[[Scene], None], str, str]] = {
    "no AI Gateway": (
        _capabilities(gateway_config=""),
        "CRDs",
        "not installed: Envoy AI Gateway; install it, with its CRDs",
    ),
    "neither of the two": (
        _capabilities(gateway_config="", envoy_proxy=""),
        "CRDs",
        "not installed: Envoy Gateway, Envoy AI Gateway; install it, with its CRDs",
    ),
    "no such Gateway": (_without(GATEWAY), "Gateway", "default/gw does not exist; look with kubectl get gateways -A"),
    "a Gateway that is not accepted": (_gateway_status("Accepted", "False"), "Gateway", "Accepted is False, No: why"),
    "no policy": (
        _without(POLICY, NamespacedName("default", "all")),
        "TelemetryPolicy",
        "no TelemetryPolicy of its namespace selects it; write one, or correct targetRefs or targetSelectors",
    ),
    "no receiver": (
        _without(RECEIVER, RECEIVED_BY),
        "TelemetryPolicy",
        "default/all: TelemetryReceiver aigw-telemetry/default does not exist; create it, or correct receiverRef",
    ),
    "an operator that has not looked": (
        _unseen,
        "Operator",
        "the operator has not looked at the policy as it stands now; does its pod run, and for this namespace?",
    ),
    "a receiver that cannot be used": (
        lambda scene: scene.edit(RECEIVER, {"spec": {"storage": {"size": "much"}}}, RECEIVED_BY),
        "Receiver",
        (
            "TelemetryReceiver aigw-telemetry/default cannot be used: spec.storage.size: expected a quantity such as "
            "2Gi, got 'much'"
        ),
    ),
    "a receiver that the operator refused": (
        lambda scene: scene.edit(
            RECEIVER,
            {"status": {"conditions": [{"type": "Accepted", "status": "False", "message": "why"}]}},
            RECEIVED_BY,
        ),
        "Receiver",
        "TelemetryReceiver aigw-telemetry/default cannot be used: why",
    ),
    "a receiver that was not made": (
        _shards(None),
        "Receiver",
        (
            "TelemetryReceiver aigw-telemetry/default has no StatefulSet; does the operator run, and for namespace "
            "aigw-telemetry?"
        ),
    ),
    "a receiver that is not ready": (
        _shards(0),
        "Receiver",
        (
            "0 of 1 shards of TelemetryReceiver aigw-telemetry/default are ready; see kubectl -n aigw-telemetry "
            "describe statefulset default, and its pods"
        ),
    ),
    "a policy in mode Preview": (
        _policy(mode="Preview"),
        "Injected",
        "Preview: the policy has mode: Preview; status.preview shows what would be written",
    ),
    "a write that was refused": (_refused_write, "Injected", "WriteFailed: 403: no; it is tried again"),
    "a GatewayConfig that was emptied": (
        lambda scene: scene.edit(
            GATEWAY_CONFIG, {"spec": {"extProc": None}}, NamespacedName("default", "gw-aigw-telemetry")
        ),
        "Injected",
        (
            "Pending: next: the environment and the token costs of the policy; it takes seconds; if it stays so, see "
            "the log of the operator's pod"
        ),
    ),
    "no pods": (
        _pods(),
        "Injected",
        "NoPods: the Gateway has no Envoy pods yet; see why Envoy Gateway makes none: kubectl describe the Gateway",
    ),
    "a pod from before": (
        _pods(Pod(POD, GW, (), ready=True)),
        "Injected",
        (
            "RollingOut: 0 of 1 live pods carry this environment; the others are to be replaced; it takes a rollout; if"
            " it stays so, see kubectl describe of the Deployment of its Envoy pods"
        ),
    ),
    "a pod without the external processor": (
        _pods(Pod(POD, GW, None, ready=True)),
        "Injected",
        (
            "NoSidecar: none of its 1 pods has the container ai-gateway-extproc: no AIGatewayRoute or MCPRoute refers "
            "to this Gateway, or AI Gateway's webhook did not see the pods"
        ),
    ),
    "a receiver that does not answer": (
        _sources(error="503: no endpoints"),
        "TelemetryReceived",
        (
            "ReceiverUnreachable: the sources of TelemetryReceiver aigw-telemetry/default are not known: 503: no "
            "endpoints; see the receiver's pods"
        ),
    ),
    "no exports": (
        _sources(),
        "TelemetryReceived",
        (
            "NoExports: metrics from 0 of 1 pods, no access logs yet; see Injected, and whether a NetworkPolicy keeps "
            "the pods from the receiver"
        ),
    ),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_first_broken_link(reason: str) -> None:
    """What is wrong would not be said, be said of another link, or be buried under its consequences."""
    change, title, message = BROKEN[reason]
    scene = whole()
    change(scene)
    links = scene.examine()

    assert Link(title, State.BROKEN, message) == links[-1]
    assert TITLES[: len(links)] == [link.title for link in links]
    assert {State.BROKEN} & {link.state for link in links[:-1]} == set()


NOTED: dict[str, tuple[Callable[[Scene], None], str, str]] = {
    "a Gateway that is not programmed": (
        _gateway_status("Programmed", "False"),
        "Gateway",
        "Programmed is False, No: why",
    ),
    "a Gateway that nobody has looked at": (
        _gateway_status("Accepted", "Unknown"),
        "Gateway",
        "Envoy Gateway has not said whether it is Accepted; does its controller run?",
    ),
    "access logs that are switched off": (
        _policy(accessLogs={"enabled": False}),
        "AccessLogsWired",
        "Disabled: the policy asks for no access logs",
    ),
}


@pytest.mark.parametrize("reason", NOTED)
def test_links_that_carry(reason: str) -> None:
    """A remark would count as a broken link and fail a script, or hide what comes after it."""
    change, title, message = NOTED[reason]
    scene = whole()
    change(scene)
    links = scene.examine()

    assert Link(title, State.NOTED, message) in links
    assert TITLES == [link.title for link in links]
    assert State.BROKEN not in {link.state for link in links}


def test_metrics_do_not_depend_on_access_logs() -> None:
    """Access logs that cannot be wired would hide whether metrics arrive."""
    scene = whole()
    _capabilities(backend="")(scene)
    links = {link.title: link for link in scene.examine()}

    message = "EnvoyGatewayMissing: the CRDs of Envoy Gateway (EnvoyProxy, Backend) are not installed"
    assert Link("AccessLogsWired", State.BROKEN, message) == links["AccessLogsWired"]
    assert State.HOLDS is links["TelemetryReceived"].state


def test_what_a_user_had_set_is_a_remark() -> None:
    """An endpoint of the user's own, by which nothing arrives, would look as good as ours."""
    scene = whole()
    name = NamespacedName("default", "mine")
    env = [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://elsewhere:4317"}]
    scene.cluster.put(paper.config("mine", extProc={"kubernetes": {"env": env}}))
    scene.edit(GATEWAY, {"metadata": {"annotations": {"aigateway.envoyproxy.io/gateway-config": "mine"}}})
    scene.cluster.pods = {}
    scene.cluster.settle()
    live = scene.cluster.objects[ObjectKey(GATEWAY_CONFIG, name)]["spec"]["extProc"]["kubernetes"]["env"]
    scene.cluster.pods = {POD: Pod(POD, GW, tuple(live), ready=True)}
    links = {link.title: link for link in scene.examine()}

    assert State.NOTED is links["Injected"].state
    assert links["Injected"].message.startswith("UserEndpoint: 1 of 1 live pods carry this environment; ")


def test_an_endpoint_of_ones_own() -> None:
    """Without a receiver, doctor would look for one."""
    scene = whole()
    _policy(receiverRef=None, endpoint={"url": "http://oap.skywalking:11800"})(scene)
    scene.cluster.pods = {}
    live = scene.cluster.objects[ObjectKey(GATEWAY_CONFIG, NamespacedName("default", "gw-aigw-telemetry"))]
    scene.cluster.pods = {POD: Pod(POD, GW, tuple(live["spec"]["extProc"]["kubernetes"]["env"]), ready=True)}
    links = {link.title: link for link in scene.examine()}

    message = "an endpoint of your own, http://oap.skywalking:11800; what arrives there is not seen here"
    assert Link("Receiver", State.NOTED, message) == links["Receiver"]
    assert State.NOTED is links["TelemetryReceived"].state


def test_which_gateways_are_looked_at() -> None:
    """Without a name the wrong Gateways would be looked at, or those of a typing error in targetRefs be passed over."""
    cluster = paper.PaperCluster()
    reference = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gone"}
    cluster.put(paper.gateway("a"), paper.gateway("b", namespace="other"), paper.gateway("free", namespace="third"))
    cluster.put(paper.policy(), paper.policy(namespace="other", targetRefs=[reference]), paper.receiver())
    found = cluster.snapshot()
    a, b = NamespacedName("default", "a"), NamespacedName("other", "b")

    assert (a, b, NamespacedName("other", "gone")) == doctor.targets(found, "")
    assert (a,) == doctor.targets(found, "default")
    assert (NamespacedName("third", "free"),) == doctor.named(found, "", "free")
    assert (NamespacedName("third", "x"),) == doctor.named(found, "third", "x")
    assert (NamespacedName("", "x"),) == doctor.named(found, "", "x")
    assert (RECEIVED_BY,) == doctor.receivers(found, (a, b, NamespacedName("other", "gone")))
    assert () == doctor.receivers(found, (NamespacedName("third", "free"),))
