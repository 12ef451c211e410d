"""The shipped manifest says what the code does: its rules, its ports, its limits."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from aigw_operator import settings
from aigw_operator.core import manifests, model
from aigw_operator.shell import kinds

_FILE = Path(__file__).parents[2] / "manifests" / "operator.yaml"


def _documents() -> dict[tuple[str, str], Any]:
    documents = yaml.safe_load_all(_FILE.read_text())
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def _verbs(role: str) -> dict[tuple[str, str], set[str]]:
    return {
        (group, resource): set(rule["verbs"])
        for rule in _documents()["ClusterRole", role]["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


# What the plans write: the actions of the core, by kind.
_CREATED = {model.GATEWAY_CONFIG, model.ENVOY_PROXY, model.BACKEND, *kinds.CHILDREN}
_PATCHED = {model.GATEWAY, model.DEPLOYMENT}


def test_rules_are_what_is_used() -> None:
    """A rule grants what the code does not do, or the code does what no rule grants."""
    expected: dict[tuple[str, str], set[str]] = {}
    for scope in (*kinds.WATCHED, *kinds.LISTED):
        kind = scope.kind
        verbs = {"list"} | ({"watch"} if scope in kinds.WATCHED else set())
        verbs |= {"create", "patch", "delete"} if kind in _CREATED else {"patch"} if kind in _PATCHED else set()
        expected[kind.group, kind.plural] = verbs
    for kind in (model.POLICY, model.RECEIVER):
        expected[kind.group, f"{kind.plural}/status"] = {"patch"}
    expected["events.k8s.io", "events"] = {"create"}
    expected["apiextensions.k8s.io", "customresourcedefinitions"] = {"list", "watch"}

    cluster, namespaced = _verbs("aigw-operator-cluster"), _verbs("aigw-operator")
    assert expected == {**cluster, **namespaced}
    unscoped = {(kind.group, kind.plural) for kind in (model.NAMESPACE, model.GATEWAY_CLASS, model.DEFINITION)}
    assert unscoped == set(cluster)


@pytest.mark.parametrize("name", ["aigw-operator", "aigw-operator-cluster"])
def test_bindings(name: str) -> None:
    """The rules are bound to nobody, or to somebody else."""
    documents = _documents()
    binding = documents["ClusterRoleBinding", name]
    account = documents["ServiceAccount", "aigw-operator"]["metadata"]

    assert name == binding["roleRef"]["name"]
    assert [{"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}] == binding[
        "subjects"
    ]


def test_deployment() -> None:
    """The pod would be refused as not restricted, run twice, or be probed where nothing listens."""
    deployment = _documents()["Deployment", "aigw-operator"]["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]

    assert (1, {"type": "Recreate"}) == (deployment["replicas"], deployment["strategy"])
    assert {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}.items() <= pod[
        "securityContext"
    ].items()
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == container["securityContext"]
    assert [settings.Settings().http.port] == [port["containerPort"] for port in container["ports"]]
    assert {
        name.removeprefix(settings.ENVIRONMENT_PREFIX).lower() for name in (item["name"] for item in container["env"])
    } <= set(settings.KEYS)
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"].items() <= labels.items()
    # A receiver's NetworkPolicy lets pods with these in.
    assert manifests.OPERATOR_LABELS.items() <= labels.items()
