"""Objects of others, as API servers give them and as they never should."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigw_operator.core import parse
from aigw_operator.core.model import (
    Condition,
    Deployment,
    Document,
    Gateway,
    GatewayClass,
    Meta,
    NamespacedName,
    ParametersRef,
    Pod,
)

_ENVOY_LABELS: Final = {
    "app.kubernetes.io/name": "envoy",
    "app.kubernetes.io/component": "proxy",
    "app.kubernetes.io/managed-by": "envoy-gateway",
    "gateway.envoyproxy.io/owning-gateway-name": "gw1",
    "gateway.envoyproxy.io/owning-gateway-namespace": "default",
}
_PARSERS: Final = (
    parse.meta,
    parse.parse_gateway,
    parse.parse_gateway_class,
    parse.parse_document,
    parse.parse_namespace,
    parse.parse_pod,
    parse.parse_deployment,
)


def _metadata(**more: Any) -> dict[str, Any]:
    return {"name": "a", "namespace": "b", **more}


def test_meta() -> None:
    """A field of the metadata is read into another, or not at all."""
    raw = {
        "metadata": {
            "namespace": "b",
            "name": "a",
            "uid": "u",
            "generation": 3,
            "resourceVersion": "77",
            "creationTimestamp": "2026-11-22T10:00:00Z",
            "deletionTimestamp": "2026-11-22T11:00:00Z",
            "labels": {"l": "1"},
            "annotations": {"n": "2"},
        }
    }
    name = NamespacedName("b", "a")
    assert Meta(name, "u", 3, "77", "2026-11-22T10:00:00Z", {"l": "1"}, {"n": "2"}, deleting=True) == parse.meta(raw)


def test_gateway() -> None:
    """A Gateway's class, GatewayConfig, EnvoyProxy or conditions get lost."""
    raw = {
        "metadata": _metadata(annotations={"aigateway.envoyproxy.io/gateway-config": "config"}),
        "spec": {
            "gatewayClassName": "eg",
            "infrastructure": {
                "parametersRef": {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "proxy"}
            },
        },
        "status": {
            "conditions": [
                {
                    "type": "Accepted",
                    "status": "False",
                    "reason": "InvalidParameters",
                    "message": "no",
                    "observedGeneration": 2,
                    "lastTransitionTime": "2026-11-22T10:00:00Z",
                }
            ]
        },
    }
    expected = Gateway(
        parse.meta(raw),
        raw,
        class_name="eg",
        config="config",
        parameters=ParametersRef("gateway.envoyproxy.io", "EnvoyProxy", NamespacedName("b", "proxy")),
        conditions=(Condition("Accepted", "False", "InvalidParameters", "no", 2, "2026-11-22T10:00:00Z"),),
    )
    assert expected == parse.parse_gateway(raw)


@pytest.mark.parametrize("annotations", [None, {}, {"aigateway.envoyproxy.io/gateway-config": ""}])
def test_gateway_without_config(annotations: Any) -> None:
    """An empty annotation passes for the name of a GatewayConfig."""
    raw = {"metadata": _metadata(annotations=annotations), "spec": {"gatewayClassName": "eg"}}
    assert Gateway(parse.meta(raw), raw, "eg") == parse.parse_gateway(raw)


@pytest.mark.parametrize(
    ("reference", "parameters"),
    [
        (None, None),
        (
            {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "p", "namespace": "n"},
            ParametersRef("gateway.envoyproxy.io", "EnvoyProxy", NamespacedName("n", "p")),
        ),
        ({"group": "x", "kind": "Cluster", "name": "p"}, ParametersRef("x", "Cluster", NamespacedName("", "p"))),
    ],
)
def test_gateway_class(reference: Any, parameters: ParametersRef | None) -> None:
    """A GatewayClass loses its controller, or the namespace of its EnvoyProxy."""
    raw = {
        "metadata": {"name": "eg"},
        "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller", "parametersRef": reference},
    }
    expected = GatewayClass("eg", "gateway.envoyproxy.io/gatewayclass-controller", parameters)
    assert expected == parse.parse_gateway_class(raw)


def test_document() -> None:
    """What we do not know of an object does not survive, or a missing spec raises."""
    raw = {"metadata": _metadata(), "spec": {"x": [1]}, "other": {"y": 2}}
    assert Document(Meta(NamespacedName("b", "a")), raw) == parse.parse_document(raw)
    assert {} == parse.parse_document({"metadata": _metadata()}).spec


def test_namespace() -> None:
    """A selector of namespaces sees no labels."""
    raw = {"metadata": {"name": "n", "labels": {"kubernetes.io/metadata.name": "n"}}}
    assert ("n", {"kubernetes.io/metadata.name": "n"}) == parse.parse_namespace(raw)


_ENV: Final = [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "A"}]
_ENVOY: Final = {"name": "envoy", "env": [{"name": "ENVOY_POD_NAME"}]}


@pytest.mark.parametrize(
    ("reason", "spec", "env"),
    [
        ("a native sidecar", {"initContainers": [{"name": "ai-gateway-extproc", "env": _ENV}]}, tuple(_ENV)),
        ("a plain container", {"containers": [_ENVOY, {"name": "ai-gateway-extproc", "env": _ENV}]}, tuple(_ENV)),
        ("without env", {"containers": [_ENVOY, {"name": "ai-gateway-extproc"}]}, ()),
        ("not mutated", {"containers": [_ENVOY]}, None),
    ],
)
def test_pod(reason: str, spec: Any, env: Any) -> None:
    """The environment of the AI Gateway's container is not found, or another container's is taken for it."""
    raw = {"metadata": {"namespace": "eg", "name": "envoy-1", "labels": _ENVOY_LABELS}, "spec": spec}
    expected = Pod(NamespacedName("eg", "envoy-1"), NamespacedName("default", "gw1"), env)
    assert expected == parse.parse_pod(raw), reason


@pytest.mark.parametrize(
    ("conditions", "deletion", "ready", "deleting"),
    [
        ([{"type": "Ready", "status": "True"}], None, True, False),
        ([{"type": "Ready", "status": "False"}], None, False, False),
        ([{"type": "ContainersReady", "status": "True"}], "2026-11-22T10:00:00Z", False, True),
    ],
)
def test_pod_life(conditions: Any, deletion: Any, ready: bool, deleting: bool) -> None:
    """A pod that starts or ends is counted among the live ones."""
    raw = {
        "metadata": {"labels": _ENVOY_LABELS, "deletionTimestamp": deletion},
        "status": {"conditions": conditions},
    }
    pod = parse.parse_pod(raw)
    assert pod is not None
    assert (ready, deleting) == (pod.ready, pod.deleting)


@pytest.mark.parametrize("label", sorted(_ENVOY_LABELS))
@pytest.mark.parametrize("parser", [parse.parse_pod, parse.parse_deployment])
def test_not_of_a_gateway(parser: Any, label: str) -> None:
    """A pod of something else, or one of a merged GatewayClass, is taken for a Gateway's."""
    labels = {key: value for key, value in _ENVOY_LABELS.items() if key != label}
    assert None is parser({"metadata": _metadata(labels=labels)})
    assert None is parser({"metadata": _metadata(labels=labels | {label: ""})})


def test_deployment() -> None:
    """The annotations of the Deployment are taken for those of its pods."""
    raw = {
        "metadata": {"namespace": "eg", "name": "d", "labels": _ENVOY_LABELS, "annotations": {"a": "1"}},
        "spec": {"template": {"metadata": {"annotations": {"telemetry.aigw.dev/env-hash": "x"}}}},
    }
    expected = Deployment(parse.meta(raw), NamespacedName("default", "gw1"), {"telemetry.aigw.dev/env-hash": "x"})
    assert expected == parse.parse_deployment(raw)


_KEYS: Final = st.sampled_from(
    [
        *("metadata", "name", "namespace", "labels", "annotations", "generation", "spec", "infrastructure"),
        *("parametersRef", "status", "conditions", "type", "containers", "initContainers", "env", "template"),
    ]
)
_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("ai-gateway-extproc"),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_KEYS, below, max_size=4),
    max_leaves=12,
)


@given(raw=st.dictionaries(_KEYS, _JSON, max_size=4), spec=_JSON)
def test_odd_input(raw: Any, spec: Any) -> None:
    """An object that no API server would give raises."""
    for parser in _PARSERS:
        parser(raw)
        parser({"metadata": {"labels": _ENVOY_LABELS}, "spec": spec, "status": raw})
