"""The objects of a receiver: goldens for whole receivers, and the rules that must hold for every one of them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from aigw_operator.core import manifests, parse_ours
from aigw_operator.core.manifests import Templates
from aigw_operator.core.model import Capabilities, Raw, Receiver
from receiver_objects import INSTALLATION, WITH_MONITOR, build, one, receiver, receiver_of_file, templates

_GOLDEN = Path(__file__).parent / "golden" / "receiver"
# Set to anything, the golden files are written instead of compared.
_REGENERATE = "REGENERATE_GOLDEN"
_CASES = ("defaults", "shards", "all", "least")


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such, since it is to be read."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def _case(name: str) -> Receiver:
    return receiver_of_file(_GOLDEN / f"{name}.in.yaml")


def _names(objects: tuple[Raw, ...]) -> list[tuple[str, str]]:
    return [(item["kind"], item["metadata"]["name"]) for item in objects]


@pytest.mark.parametrize("name", _CASES)
def test_golden(name: str) -> None:
    """What is applied to the cluster changes, and nobody has looked at it."""
    rendered = yaml.dump_all(build(_case(name)), Dumper=_Dumper, sort_keys=False, width=120, explicit_start=True)
    golden = _GOLDEN / f"{name}.out.yaml"
    if os.environ.get(_REGENERATE):
        golden.write_text(rendered)
    assert golden.read_text() == rendered


@pytest.mark.parametrize("name", _CASES)
def test_inputs_are_accepted(name: str) -> None:
    """A receiver that can run is refused."""
    assert () == parse_ours.parse_receiver(_case(name).raw).errors


def test_order_of_application() -> None:
    """A StatefulSet comes before what its pods need, or an object has another name than the others count on."""
    expected = [
        ("ServiceAccount", "r-receiver"),
        ("ConfigMap", "r"),
        ("Service", "r-headless"),
        ("Service", "r-0"),
        ("Service", "r-1"),
        ("Service", "r"),
        ("NetworkPolicy", "r"),
        ("PodDisruptionBudget", "r"),
        ("StatefulSet", "r"),
        ("ServiceMonitor", "r"),
    ]
    assert expected == _names(build(receiver({"shards": 2})))


@pytest.mark.parametrize(
    ("spec", "capabilities", "kind"),
    [
        ({}, Capabilities(), "ServiceMonitor"),
        ({"serviceMonitor": {"enabled": False}}, WITH_MONITOR, "ServiceMonitor"),
        ({"networkPolicy": {"enabled": False}}, WITH_MONITOR, "NetworkPolicy"),
        ({"podDisruptionBudget": {"enabled": False}}, WITH_MONITOR, "PodDisruptionBudget"),
    ],
)
def test_objects_that_are_left_out(spec: Mapping[str, Any], capabilities: Capabilities, kind: str) -> None:
    """An object is applied that the user does not want, or that the cluster does not know."""
    every = {kind for kind, _ in _names(build(receiver({})))}
    assert every - {kind} == {kind for kind, _ in _names(build(receiver(spec), capabilities))}


@pytest.mark.parametrize("name", _CASES)
def test_built_twice(name: str) -> None:
    """Two reconciles of one state differ, and the second one writes."""
    assert build(_case(name)) == build(_case(name))


@pytest.mark.parametrize("name", _CASES)
def test_nothing_that_an_api_server_drops(name: str) -> None:
    """An empty list or a null is written: the live object lacks it, and looks changed for ever."""

    def check(value: Any, path: str) -> None:
        assert value is not None, path
        assert value != [], path
        if isinstance(value, Mapping):
            for key, item in value.items():
                check(item, f"{path}.{key}")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                check(item, f"{path}[{index}]")

    for item in build(_case(name)):
        check(item, item["kind"])


@pytest.mark.parametrize("name", _CASES)
def test_restricted_pod_security(name: str) -> None:
    """The pods are refused in a namespace that enforces the Restricted profile of the Pod Security Standards.

    kubernetes.io/docs/concepts/security/pod-security-standards, all controls of Baseline and Restricted.
    """
    pod = one(build(_case(name)), "StatefulSet")["spec"]["template"]
    spec = pod["spec"]
    volumes = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert volumes <= {"configMap", "emptyDir", "persistentVolumeClaim"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "initContainers"} & set(spec)
    assert not [key for key in pod["metadata"]["annotations"] if "seccomp" in key or "apparmor" in key]
    pod_context = spec["securityContext"]
    allowed = {"runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy", "seccompProfile"}
    assert allowed == set(pod_context)
    assert (True, 10001, {"type": "RuntimeDefault"}) == (
        pod_context["runAsNonRoot"],
        pod_context["runAsUser"],
        pod_context["seccompProfile"],
    )
    for container in spec["containers"]:
        expected = {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert expected == container["securityContext"]
        assert not [port for port in container["ports"] if "hostPort" in port]
        assert not [probe for probe in ("lifecycle",) if probe in container]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert {"path", "port"} == set(container[probe]["httpGet"])


def test_no_token_in_the_pod() -> None:
    """A receiver that is broken into holds a key to the API server."""
    objects = build(receiver({}))
    account = one(objects, "ServiceAccount")
    spec = one(objects, "StatefulSet")["spec"]["template"]["spec"]
    assert account["metadata"]["name"] == spec["serviceAccountName"]
    assert (False, False) == (account["automountServiceAccountToken"], spec["automountServiceAccountToken"])


def test_receiver_called_default() -> None:
    """The namespace's own ServiceAccount is taken over, and with the receiver it is deleted."""
    objects = build(receiver({}, name="default"))
    assert "default-receiver" == one(objects, "ServiceAccount")["metadata"]["name"]


@pytest.mark.parametrize("name", _CASES)
def test_services_reach_the_pods(name: str) -> None:
    """A Service, policy or budget selects other pods than the StatefulSet makes, or a port that they do not have."""
    objects = build(_case(name))
    stateful_set = one(objects, "StatefulSet")
    template = stateful_set["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    services = [item for item in objects if item["kind"] == "Service"]
    for service in services:
        selector = dict(service["spec"]["selector"])
        pod = selector.pop("statefulset.kubernetes.io/pod-name", None)
        index = service["metadata"]["name"].removeprefix(f"{stateful_set['metadata']['name']}-")
        assert (service["metadata"]["name"] if index.isdigit() else None) == pod
        assert selector.items() <= labels
        assert ports == {port["targetPort"]: port["port"] for port in service["spec"]["ports"]}
    assert stateful_set["spec"]["serviceName"] in [service["metadata"]["name"] for service in services]
    assert stateful_set["spec"]["replicas"] == len(services) - 2
    assert stateful_set["spec"]["selector"]["matchLabels"].items() <= labels
    for kind, field in (("NetworkPolicy", "podSelector"), ("PodDisruptionBudget", "selector")):
        for item in (item for item in objects if item["kind"] == kind):
            assert item["spec"][field]["matchLabels"] == stateful_set["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("name", ["defaults", "shards", "all"])
def test_every_pod_is_scraped_once(name: str) -> None:
    """The ServiceMonitor finds a pod behind several Services, and each of its series is stored more than once."""
    objects = build(_case(name))
    monitor = one(objects, "ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    found = [item for item in objects if item["kind"] == "Service" and wanted <= item["metadata"]["labels"].items()]
    assert [f"{monitor['metadata']['name']}-headless"] == [service["metadata"]["name"] for service in found]
    ports = {port["name"]: port["port"] for port in found[0]["spec"]["ports"]}
    assert [8080, 8081] == [ports[endpoint["port"]] for endpoint in monitor["spec"]["endpoints"]]


@pytest.mark.parametrize("name", ["defaults", "shards", "all"])
def test_network_policy_lets_every_port_in(name: str) -> None:
    """A port that is served cannot be reached, or one that is not served can."""
    objects = build(_case(name))
    policy = one(objects, "NetworkPolicy")["spec"]
    container = one(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    opened = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    assert {port["containerPort"] for port in container["ports"]} == opened
    assert (["Ingress", "Egress"], False) == (policy["policyTypes"], "egress" in policy)


def test_network_policy_lets_the_operator_in() -> None:
    """Who restricts the scrapes locks the operator out, and no Gateway's telemetry is ever found."""
    peers: list[Raw] = [{"podSelector": {}}]
    rules = one(build(receiver({"networkPolicy": {"scrapeFrom": peers}})), "NetworkPolicy")["spec"]["ingress"]
    operator = {"namespaceSelector": {}, "podSelector": {"matchLabels": dict(manifests.OPERATOR_LABELS)}}
    metrics = [{"port": 8080, "protocol": "TCP"}, {"port": 8081, "protocol": "TCP"}]
    assert [{"ports": metrics, "from": peers}, {"ports": metrics[:1], "from": [operator]}] == rules[1:]
    assert "from" not in rules[0]


def _hash(spec: Mapping[str, Any]) -> str:
    template = one(build(receiver(spec)), "StatefulSet")["spec"]["template"]
    return str(template["metadata"]["annotations"][manifests.CONFIG_HASH])


def test_configuration_rolls_the_pods() -> None:
    """A new configuration is not read, since no pod starts anew; or pods start anew for nothing."""
    assert _hash({}) != _hash({"configuration": {"log": {"level": "debug"}}})
    assert _hash({}) != _hash({"extraOtlpGrpcPorts": [11800]})
    assert _hash({}) == _hash({"shards": 5, "serviceMonitor": {"enabled": False}})


def test_more_shards_roll_no_pod() -> None:
    """A receiver that grows starts the shards anew that it has."""
    few, many = (one(build(receiver({"shards": shards})), "StatefulSet")["spec"] for shards in (1, 5))
    assert few["template"] == many["template"]


def test_owner() -> None:
    """An object outlives its TelemetryReceiver, or garbage collection takes one that has no owner."""
    owner = {
        "apiVersion": "telemetry.aigw.dev/v1alpha1",
        "kind": "TelemetryReceiver",
        "name": "r",
        "uid": "u",
        "controller": True,
    }
    for item in build(receiver({}, uid="u")):
        assert [owner] == item["metadata"]["ownerReferences"]
        assert ("n", "aigw-telemetry") == (
            item["metadata"]["namespace"],
            item["metadata"]["labels"]["app.kubernetes.io/managed-by"],
        )
    assert not [item for item in build(receiver({})) if "ownerReferences" in item["metadata"]]


@pytest.mark.parametrize(
    "text", ["yes", "1", "1e3", "null", "~", "{{ name }}", "a: b", '"', "\n---\n", "# no", "é\x85"]
)
def test_values_keep_their_type(text: str) -> None:
    """A value of the user becomes another type, another key or another document on its way through YAML."""
    spec = {"image": text, "nodeSelector": {text: text}, "podAnnotations": {text: text}, "tolerations": [{"key": text}]}
    template = one(build(receiver(spec)), "StatefulSet")["spec"]["template"]
    pod = template["spec"]
    assert [text, {text: text}, text, [{"key": text}]] == [
        pod["containers"][0]["image"],
        pod["nodeSelector"],
        template["metadata"]["annotations"][text],
        pod["tolerations"],
    ]


def test_null_is_absent() -> None:
    """A field that is null in the spec takes the default away."""
    fields = ("resources", "storage", "networkPolicy", "configuration", "topologySpreadConstraints", "podLabels")
    assert build(receiver({})) == build(receiver(dict.fromkeys(fields)))


def test_every_template_is_used() -> None:
    """A template lies in the package that nothing renders, and a reader takes it for what runs."""
    texts = dict(templates().texts)
    rendered = []

    class Watched(dict[str, str]):
        def __getitem__(self, key: str) -> str:
            rendered.append(key)
            return super().__getitem__(key)

    manifests.build_receiver(receiver({}), Templates(Watched(texts)), INSTALLATION, WITH_MONITOR, load=yaml.safe_load)
    assert sorted(texts) == sorted(set(rendered))
