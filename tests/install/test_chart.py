"""The chart, rendered by Helm: which values lead to which objects, and that a cluster would take each of them."""

import json
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from aigw_operator import settings
from install import helm as helm_
from install.helm import CHART, NAMESPACE, TREE, Helm

_KUBERNETES = ("1.29", "1.36")
"""The oldest that Chart.yaml takes, and the one that the other tests run."""

# Everything that can be switched on.
EVERYTHING: dict[str, Any] = {
    "commonLabels": {"team": "platform"},
    "imagePullSecrets": [{"name": "registry"}],
    "crds": {"annotations": {"a": "b"}},
    "operator": {
        "image": {"repository": "registry.example/aigw-operator", "digest": "sha256:" + "0" * 64},
        "namespaces": ["default", "all", "envoy-gateway-system", NAMESPACE],
        "gatewayController": "example.com/gateways",
        "clusterDomain": "cluster.example",
        "resync": 60,
        "logLevel": "debug",
        "extraArgs": ["--context", ""],
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraVolumes": [{"name": "scratch", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
        "serviceAccount": {"annotations": {"a": "b"}},
        "labels": {"l": "1"},
        "annotations": {"a": "1"},
        "podLabels": {"l": "2"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
        ],
        "priorityClassName": "system-cluster-critical",
        "service": {"enabled": True},
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "1m30s"},
    },
    "receiver": {"image": {"repository": "registry.example/aigw-receiver", "tag": "1.2.3"}},
    "defaultReceiver": {"create": True, "spec": {"shards": 2, "storage": {"size": "1Gi"}}},
    "gateways": [{"namespace": "default", "name": "a"}, {"namespace": "default", "name": "b"}, {"namespace": "all"}],
    "policy": {"spec": {"metrics": {"interval": "30s"}}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True, "recordingRules": True, "namespace": "grafana", "annotations": {"folder": "AI"}},
}

_NAME = "aigw-operator"
_PLAIN_DASHBOARDS = {("ConfigMap", NAMESPACE, f"{_NAME}-dashboards-{name}") for name in ("overview", "gateway")}
_RULES_DASHBOARDS = {(kind, namespace, f"{name}-rules") for kind, namespace, name in _PLAIN_DASHBOARDS}
_ALWAYS = {
    ("ClusterRole", "", _NAME),
    ("ClusterRole", "", f"{_NAME}-cluster"),
    ("ClusterRoleBinding", "", f"{_NAME}-cluster"),
    ("Deployment", NAMESPACE, _NAME),
}
_ACCOUNT = {("ServiceAccount", NAMESPACE, _NAME)}
_EVERYWHERE = {("ClusterRoleBinding", "", _NAME)}
_CRDS = {
    ("CustomResourceDefinition", "", f"{plural}.telemetry.aigw.dev")
    for plural in ("telemetrypolicies", "telemetryreceivers")
}
_DEFAULT = _ALWAYS | _ACCOUNT | _EVERYWHERE | _CRDS
_MONITORING = "monitoring.coreos.com/v1"


@pytest.mark.parametrize(
    ("values", "apis", "expected"),
    [
        ({}, [], _DEFAULT),
        ({"crds": {"install": False}}, [], _DEFAULT - _CRDS),
        ({"operator": {"serviceAccount": {"create": False, "name": "mine"}}}, [], _DEFAULT - _ACCOUNT),
        (
            {"operator": {"namespaces": ["a", "b"]}},
            [],
            _DEFAULT - _EVERYWHERE | {("RoleBinding", "a", _NAME), ("RoleBinding", "b", _NAME)},
        ),
        ({"operator": {"service": {"enabled": True}}}, [], _DEFAULT | {("Service", NAMESPACE, _NAME)}),
        (
            {"operator": {"serviceMonitor": {"enabled": True}}},
            [],
            _DEFAULT | {("Service", NAMESPACE, _NAME), ("ServiceMonitor", NAMESPACE, _NAME)},
        ),
        ({}, ["PodMonitor"], _DEFAULT | {("PodMonitor", NAMESPACE, _NAME)}),
        ({"operator": {"podMonitor": {"enabled": False}}}, ["PodMonitor"], _DEFAULT),
        ({}, ["PrometheusRule"], _DEFAULT | {("PrometheusRule", NAMESPACE, _NAME)}),
        ({"prometheusRule": {"enabled": False}}, ["PrometheusRule"], _DEFAULT),
        ({"prometheusRule": {"enabled": True}}, [], _DEFAULT | {("PrometheusRule", NAMESPACE, _NAME)}),
        ({"dashboards": {"enabled": True}}, [], _DEFAULT | _PLAIN_DASHBOARDS),
        (
            {"dashboards": {"enabled": True, "recordingRules": True}},
            [],
            _DEFAULT | _PLAIN_DASHBOARDS | _RULES_DASHBOARDS,
        ),
        (
            {"dashboards": {"enabled": True}},
            ["PrometheusRule"],
            _DEFAULT | _PLAIN_DASHBOARDS | _RULES_DASHBOARDS | {("PrometheusRule", NAMESPACE, _NAME)},
        ),
        (
            {"dashboards": {"enabled": True, "recordingRules": False}},
            ["PrometheusRule"],
            _DEFAULT | _PLAIN_DASHBOARDS | {("PrometheusRule", NAMESPACE, _NAME)},
        ),
        # The kinds come with the release, so their objects are no part of it.
        ({"defaultReceiver": {"create": True}, "gateways": [{"namespace": "a"}]}, [], _DEFAULT),
    ],
)
def test_objects_of_a_release(helm: Helm, values: dict[str, Any], apis: list[str], expected: set[helm_.Key]) -> None:
    """A value has no effect, or one that nobody asked for."""
    arguments = [part for api in apis for part in ("--api-versions", f"{_MONITORING}/{api}")]
    assert expected == set(helm_.release(helm.template(values, *arguments)))


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_lint(each_helm: Helm, values: dict[str, Any]) -> None:
    """A Helm that we name does not take the chart."""
    done = each_helm.run("lint", "--strict", str(CHART), values=values)
    assert (0, "") == (done.returncode, done.stdout.partition("[ERROR]")[2])


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
@pytest.mark.parametrize("version", _KUBERNETES)
def test_fields_are_known(each_helm: Helm, values: dict[str, Any], version: str) -> None:
    """An API server would drop a field, or refuse the object."""
    for key, item in each_helm.template(values).items():
        if not item["apiVersion"].startswith("monitoring.coreos.com/"):
            assert kubernetes_validate.validate(item, version, strict=True), key


def test_same_by_each_helm(each_helm: Helm, helm: Helm) -> None:
    """An old Helm installs something else than a new one."""
    assert helm.template(EVERYTHING) == each_helm.template(EVERYTHING)


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_pods_are_restricted(helm: Helm, values: dict[str, Any]) -> None:
    """A namespace that enforces the pod security standard "restricted" refuses a pod, or one may write its root."""
    pods = helm_.pod_specs(helm.template({**values, "defaultReceiver": {"create": True}}))
    assert {"Deployment", "Job", "Pod"} == {kind for kind, _, _ in pods}
    for spec in pods.values():
        context = spec["securityContext"]
        assert (True, 10001, 10001) == (context["runAsNonRoot"], context["runAsUser"], context["runAsGroup"])
        assert {"type": "RuntimeDefault"} == context["seccompProfile"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert {"configMap", "emptyDir"} >= {kind for each in spec.get("volumes", ()) for kind in set(each) - {"name"}}
        for container in helm_.containers(spec):
            assert {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            } == container["securityContext"]
            assert {"requests", "limits"} == set(container["resources"])


def test_everything_reaches_the_pod(helm: Helm) -> None:
    """A value of the operator's pod is lost on the way."""
    deployment = helm.template(EVERYTHING)["Deployment", NAMESPACE, _NAME]
    wanted, pod = EVERYTHING["operator"], deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]

    assert wanted["labels"].items() <= deployment["metadata"]["labels"].items()
    assert wanted["annotations"] == deployment["metadata"]["annotations"]
    assert wanted["podLabels"].items() <= pod["metadata"]["labels"].items()
    for field in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "priorityClassName"):
        assert wanted[field] == pod["spec"][field]
    assert EVERYTHING["imagePullSecrets"] == pod["spec"]["imagePullSecrets"]
    assert wanted["extraVolumes"] == pod["spec"]["volumes"]
    assert wanted["extraVolumeMounts"] == container["volumeMounts"]
    assert "registry.example/aigw-operator@sha256:" + "0" * 64 == container["image"]
    assert ["run", "--context", ""] == container["args"]
    assert {
        "AIGW_OPERATOR_RECEIVER_IMAGE": "registry.example/aigw-receiver:1.2.3",
        "AIGW_OPERATOR_NAMESPACES": f"default,all,envoy-gateway-system,{NAMESPACE}",
        "AIGW_OPERATOR_GATEWAY_CONTROLLER": "example.com/gateways",
        "AIGW_OPERATOR_CLUSTER_DOMAIN": "cluster.example",
        "AIGW_OPERATOR_RESYNC": "60",
        "AIGW_OPERATOR_LOG_LEVEL": "debug",
        "HTTPS_PROXY": "http://proxy:3128",
    } == {item["name"]: item["value"] for item in container["env"]}


def test_defaults_of_the_operator(helm: Helm) -> None:
    """The chart's defaults are no longer the operator's, so a value that the chart leaves out means something else."""
    values = helm.run("show", "values", str(CHART)).stdout
    ours = settings.Settings()
    assert f"clusterDomain: {ours.cluster_domain}\n" in values
    assert f"resync: {ours.resync:.0f}\n" in values
    assert f"logLevel: {ours.log_level}\n" in values


def test_labels(helm: Helm) -> None:
    """An object cannot be found by the labels of the chart, or another component's pod is taken for the operator."""
    objects = helm.template(EVERYTHING)
    selector = objects["Deployment", NAMESPACE, _NAME]["spec"]["selector"]["matchLabels"]
    expected = {
        "app.kubernetes.io/instance": "aigw",
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/part-of": "aigw-telemetry",
        "team": "platform",
    }
    for key, item in objects.items():
        assert expected.items() <= item["metadata"]["labels"].items(), key
        if key[0] in ("Pod", "Job"):
            template = item["spec"]["template"] if key[0] == "Job" else item
            assert not selector.items() <= template["metadata"]["labels"].items(), key


def test_crds_are_kept_unless_asked(helm: Helm) -> None:
    """An uninstall takes everybody's policies along, or CRDs can never be got rid of."""
    for keep, expected in ((True, {"keep"}), (False, {None})):
        objects = helm.template({"crds": {"keep": keep}})
        found = [item for key, item in objects.items() if key[0] == "CustomResourceDefinition"]
        policies = {item["metadata"].get("annotations", {}).get("helm.sh/resource-policy") for item in found}
        assert (2, expected) == (len(found), policies)


def test_dashboards_are_json(helm: Helm) -> None:
    """Grafana's sidecar cannot read a dashboard, or one has changed on its way through the chart."""
    objects = helm.template(EVERYTHING)
    found = [item for (kind, namespace, _), item in objects.items() if (kind, namespace) == ("ConfigMap", "grafana")]
    data = {name: json.loads(text) for item in found for name, text in item["data"].items()}
    assert {file.name: json.loads(file.read_text()) for file in (TREE / "dashboards").glob("*.json")} == data
    assert 4 == len(data)
