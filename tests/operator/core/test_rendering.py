"""What would be written for manifests, without a cluster: the same as is written on one, and what stands against it."""

from typing import Any

import pytest
import yaml

import paper_cluster as paper
from aigw_operator.core import rendering
from aigw_operator.core.model import (
    BACKEND,
    ENVOY_PROXY,
    GATEWAY,
    GATEWAY_CONFIG,
    Installation,
    Raw,
)
from aigw_operator.core.rendering import Rendering
from aigw_operator.shell.templates import load_templates

TEMPLATES = load_templates()
INSTALLATION = Installation(receiver_image="receiver:1")
RECEIVER_OBJECTS = [
    ("ServiceAccount", "default-receiver"),
    ("ConfigMap", "default"),
    ("Service", "default-headless"),
    ("Service", "default-0"),
    ("Service", "default"),
    ("NetworkPolicy", "default"),
    ("PodDisruptionBudget", "default"),
    ("StatefulSet", "default"),
]


def render(*raws: Raw, installation: Installation = INSTALLATION) -> Rendering:
    """A rendering with the templates as they are."""
    return rendering.render(raws, installation, TEMPLATES, yaml.safe_load)


def names(found: Rendering) -> list[tuple[str, str]]:
    """Kind and name of each object, in order."""
    return [(raw["kind"], raw["metadata"]["name"]) for raw in found.objects]


def definition(kind: str, group: str, version: str) -> dict[str, Any]:
    """A CustomResourceDefinition as a file has it, with a schema that knows no field."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind}.{group}"},
        "spec": {"group": group, "versions": [{"name": version, "served": True}]},
    }


def test_everything_in_the_order_of_writing() -> None:
    """A newcomer would not see all that is written, or see it in an order in which references dangle."""
    found = render(paper.policy(), paper.gateway("gw"), paper.receiver())

    assert ((), ()) == (found.problems, found.notes)
    assert [
        *RECEIVER_OBJECTS,
        ("GatewayConfig", "gw-aigw-telemetry"),
        ("Backend", "aigw-telemetry-736c4a9d9c"),
        ("EnvoyProxy", "gw-aigw-telemetry"),
        ("Gateway", "gw"),
    ] == names(found)


USERS: dict[str, tuple[dict[str, Any], ...]] = {
    "a Gateway alone": (paper.gateway("gw"),),
    "a GatewayConfig of the user's": (
        paper.config("mine", extProc={"kubernetes": {"env": [{"name": "OTEL_METRIC_EXPORT_INTERVAL", "value": "5"}]}}),
        paper.gateway("gw", metadata={"annotations": {"aigateway.envoyproxy.io/gateway-config": "mine"}}),
    ),
    "an EnvoyProxy of the user's": (
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
}


@pytest.mark.parametrize("reason", USERS)
def test_the_same_as_on_a_cluster(reason: str) -> None:
    """A rendering would show something else than what is written."""
    cluster = paper.PaperCluster()
    cluster.put(paper.gateway_class(), paper.receiver(), paper.policy(), *USERS[reason])
    cluster.settle()
    written = {
        key: _without_time(paper.users_view(raw))
        for key, raw in cluster.objects.items()
        if key.kind in (GATEWAY, GATEWAY_CONFIG, ENVOY_PROXY, BACKEND)
    }

    found = render(paper.gateway_class(), paper.receiver(), paper.policy(), *USERS[reason])
    shown = {paper.key_of(raw): _without_time(_as_stored(raw)) for raw in found.objects[len(RECEIVER_OBJECTS) :]}
    assert written == {**{key: raw for key, raw in written.items() if key not in shown}, **shown}
    assert {(GATEWAY_CONFIG, True), (BACKEND, True), (ENVOY_PROXY, True)} <= {(key.kind, True) for key in shown}


def _without_time(raw: dict[str, Any]) -> dict[str, Any]:
    """Without the moment of the write in our note."""
    note = raw["metadata"].get("annotations", {}).get("telemetry.aigw.dev/applied")
    if note is None:
        return raw
    content = {name: part for name, part in yaml.safe_load(note).items() if name != "since"}
    return paper.merged(raw, {"metadata": {"annotations": {"telemetry.aigw.dev/applied": repr(content)}}})


def _as_stored(raw: Any) -> dict[str, Any]:
    """With the default that an API server fills into an EnvoyProxy."""
    if raw["kind"] != "EnvoyProxy":
        return dict(raw)
    return {**raw, "spec": paper.merged({"logging": {"level": {"default": "warn"}}}, raw["spec"])}


def test_what_is_rendered_renders_no_more() -> None:
    """Files that are a rendering already, or that were taken from a cluster, would be rendered again or halfway."""
    before = (paper.gateway("gw"), paper.policy(), paper.receiver())
    first = render(*before)
    again = render(*first.objects, *before[1:])

    assert RECEIVER_OBJECTS == names(again)
    assert () == again.problems


def test_a_part_of_what_is_there_is_finished() -> None:
    """A Backend among the files, whose age nobody knows, would be waited for without end."""
    before = (paper.gateway("gw"), paper.policy(), paper.receiver())
    whole = render(*before)
    backend = next(raw for raw in whole.objects if raw["kind"] == "Backend")

    found = render(*before, dict(backend))
    assert [name for name in names(whole) if name[0] != "Backend"] == names(found)


def test_nothing_that_changes_from_run_to_run() -> None:
    """A rendering under version control would differ each time, or hold the time of a write that never was."""
    first = render(paper.gateway("gw"), paper.policy(), paper.receiver())
    second = render(paper.receiver(), paper.policy(), paper.gateway("gw"))

    assert first == second
    config = next(raw for raw in first.objects if raw["kind"] == "GatewayConfig")
    assert ["costs", "env", "paths"] == list(
        yaml.safe_load(config["metadata"]["annotations"]["telemetry.aigw.dev/applied"])
    )


def test_preview_is_shown_as_it_would_be_applied() -> None:
    """A policy that only previews would render as nothing."""
    kinds = [kind for kind, _ in names(render(paper.gateway("gw"), paper.policy(mode="Preview"), paper.receiver()))]

    assert ["GatewayConfig", "Backend", "EnvoyProxy", "Gateway"] == kinds[len(RECEIVER_OBJECTS) :]


def test_preview_gives_way_to_what_is_applied() -> None:
    """A policy that previews would win against one that applies, other than on a cluster."""
    earlier = paper.merged(
        paper.policy("a", mode="Preview"), {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}
    )
    later = paper.merged(paper.policy("b"), {"metadata": {"creationTimestamp": "2026-02-01T00:00:00Z"}})
    found = render(paper.gateway("gw"), earlier, later, paper.receiver())

    expected = "TelemetryPolicy default/a: TelemetryPolicy default/b governs Gateway default/gw: it is older"
    assert (expected,) == found.problems


def test_definitions_among_the_files_count() -> None:
    """An older AI Gateway would be shown objects that it does not have."""
    old = definition("gatewayconfigs", "aigateway.envoyproxy.io", "v1alpha1")
    found = render(old, paper.gateway("gw"), paper.policy(), paper.receiver())

    config = next(raw for raw in found.objects if raw["kind"] == "GatewayConfig")
    assert ("aigateway.envoyproxy.io/v1alpha1", ["extProc"]) == (config["apiVersion"], list(config["spec"]))


def test_what_stays_of_the_user_is_a_note() -> None:
    """A remark would fail a pipeline, or be lost."""
    env = [{"name": "OTEL_EXPORTER_OTLP_HEADERS", "value": "a=b"}]
    found = render(
        paper.config("mine", extProc={"kubernetes": {"env": env}}),
        paper.gateway("gw", metadata={"annotations": {"aigateway.envoyproxy.io/gateway-config": "mine"}}),
        paper.policy(),
        paper.receiver(),
    )

    assert () == found.problems
    (note,) = found.notes
    assert note.startswith("Gateway default/gw: OTEL_EXPORTER_OTLP_HEADERS is sent to ")


MERGED = paper.gateway_class(
    parametersRef={"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "class", "namespace": "x"}
)
PROBLEMS: dict[str, tuple[tuple[dict[str, Any], ...], tuple[str, ...]]] = {
    "no Gateway": (
        (paper.policy(), paper.receiver()),
        ("TelemetryPolicy default/all: it selects no Gateway among the files",),
    ),
    "a Gateway that is not there": (
        (
            paper.policy(targetSelectors=None, targetRefs=[{"name": "gone"}]),
            paper.receiver(),
        ),
        ("TelemetryPolicy default/all: Gateway default/gone is not among the files",),
    ),
    "a receiver that is not there": (
        (paper.policy(), paper.gateway("gw")),
        (
            (
                "Gateway default/gw: TelemetryReceiver aigw-telemetry/default does not exist; create it, or correct "
                "receiverRef"
            ),
        ),
    ),
    "a policy that cannot be used": (
        (paper.policy(mode="Later"), paper.gateway("gw"), paper.receiver()),
        ("TelemetryPolicy default/all: spec.mode: expected one of Apply, Preview, got 'Later'",),
    ),
    "a receiver that cannot be used": (
        (paper.policy(), paper.gateway("gw"), paper.receiver(shards=0)),
        ("TelemetryReceiver aigw-telemetry/default: spec.shards: expected a whole number from 1 to 64, got 0",),
    ),
    "merged Gateways": (
        (
            paper.policy(),
            paper.gateway("gw"),
            paper.receiver(),
            MERGED,
            paper.proxy("class", namespace="x", mergeGateways=True),
        ),
        (
            (
                "Gateway default/gw: EnvoyProxy x/class of its class merges Gateways, which AI Gateway does not "
                "support: its pods belong to no Gateway. Give this Gateway a class without mergeGateways"
            ),
        ),
    ),
    "a GatewayConfig that is not there": (
        (
            paper.policy(accessLogs={"enabled": False}),
            paper.gateway("gw", metadata={"annotations": {"aigateway.envoyproxy.io/gateway-config": "gone"}}),
            paper.receiver(),
        ),
        (
            (
                "Gateway default/gw: its annotation aigateway.envoyproxy.io/gateway-config names gone, which does not "
                "exist; create it, or remove it"
            ),
        ),
    ),
}


@pytest.mark.parametrize("reason", PROBLEMS)
def test_problems(reason: str) -> None:
    """A policy that cannot have its way would pass a pipeline."""
    raws, expected = PROBLEMS[reason]
    assert expected == render(*raws).problems


def test_a_receiver_without_an_image() -> None:
    """A StatefulSet without an image would be shown, which no API server takes."""
    found = render(paper.receiver(), installation=Installation())

    expected = (
        "TelemetryReceiver aigw-telemetry/default: spec.image: expected an image, since none is given for receivers "
        "(--receiver-image)"
    )
    assert ((), (expected,)) == (found.objects, found.problems)


def test_receivers_whose_objects_collide() -> None:
    """One receiver would take over a Service of another."""
    other = paper.merged(paper.receiver(), {"metadata": {"name": "default-0"}})
    found = render(paper.receiver(), other)

    expected = (
        "TelemetryReceiver aigw-telemetry/default-0: Service aigw-telemetry/default-0 belongs to another receiver"
    )
    assert (f"{expected} as well",) == found.problems
    assert RECEIVER_OBJECTS == names(found)
