"""The values' schema: what a user may write, and that a typing error is refused before anything is installed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from install.helm import CHART, TREE, Helm

_TO_RECEIVER = {"create": True}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"operater": {}}, "operater"),
        ({"operator": {"replicas": 2}}, "replicas"),
        ({"operator": {"image": {"tags": "1"}}}, "tags"),
        ({"operator": {"image": {"tag": 1}}}, "/operator/image/tag"),
        ({"operator": {"image": {"digest": "latest"}}}, "/operator/image/digest"),
        ({"operator": {"image": {"pullPolicy": "always"}}}, "/operator/image/pullPolicy"),
        ({"operator": {"namespaces": "default"}}, "/operator/namespaces"),
        ({"operator": {"namespaces": ["Default"]}}, "/operator/namespaces/0"),
        ({"operator": {"namespaces": ["a", "a"]}}, "/operator/namespaces"),
        ({"operator": {"resync": 0}}, "/operator/resync"),
        ({"operator": {"resync": "300"}}, "/operator/resync"),
        ({"operator": {"logLevel": "loud"}}, "/operator/logLevel"),
        ({"operator": {"extraArgs": [1]}}, "/operator/extraArgs/0"),
        ({"operator": {"extraEnv": [{"value": "x"}]}}, "/operator/extraEnv/0"),
        ({"operator": {"extraEnv": {"A": "x"}}}, "/operator/extraEnv"),
        ({"operator": {"resources": {"limit": {}}}}, "limit"),
        ({"operator": {"tolerations": {}}}, "/operator/tolerations"),
        ({"operator": {"podLabels": {"app.kubernetes.io/name": "x"}}}, "app.kubernetes.io/name"),
        ({"operator": {"podMonitor": {"enabled": "yes"}}}, "/operator/podMonitor/enabled"),
        ({"operator": {"serviceMonitor": {"interval": "1 minute"}}}, "/operator/serviceMonitor/interval"),
        ({"commonLabels": {"helm.sh/chart": "x"}}, "helm.sh/chart"),
        ({"commonLabels": {"a": True}}, "/commonLabels/a"),
        ({"imagePullSecrets": ["registry"]}, "/imagePullSecrets/0"),
        ({"crds": {"keep": "false"}}, "/crds/keep"),
        ({"defaultReceiver": {"name": "1st"}}, "/defaultReceiver/name"),
        ({"defaultReceiver": {"spec": {"shard": 2}}}, "shard"),
        ({"defaultReceiver": {"spec": {"shards": 65}}}, "/defaultReceiver/spec/shards"),
        ({"defaultReceiver": {"spec": {"storage": {"class": "x"}}}}, "class"),
        ({"gateways": [{"name": "g"}]}, "/gateways/0"),
        ({"gateways": ["default/g"]}, "/gateways/0"),
        ({"policy": {"spec": {"targetRefs": []}}}, "targetRefs"),
        ({"policy": {"spec": {"metrics": {"temporality": "Delta"}}}}, "/policy/spec/metrics/temporality"),
        ({"policy": {"spec": {"naming": "OAP"}}}, "/policy/spec/naming"),
        ({"prometheusRule": {"enabled": None, "lables": {}}}, "lables"),
        ({"hooks": {"uninstall": {"timeout": 30}}}, "/hooks/uninstall/timeout"),
        ({"test": {"receiver": {"namespace": "a", "shard": 1}}}, "shard"),
        # Not the schema's, but no less of an error.
        ({"gateways": [{"namespace": "a"}]}, "say where their telemetry goes"),
        (
            {"operator": {"namespaces": ["a"]}, "defaultReceiver": {"create": True}},
            "TelemetryReceiver default is in namespace aigw-telemetry, which is not among them",
        ),
    ],
)
def test_refused(helm: Helm, values: dict[str, Any], said: str) -> None:
    """A typing error is taken in silence, or the message does not say where it is."""
    assert said in helm.refusal(values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"global": {"anything": 1}},
        {"prometheusRule": {"enabled": False}},
        {"gateways": [{"namespace": "a"}], "defaultReceiver": _TO_RECEIVER},
        {"gateways": [{"namespace": "a"}], "policy": {"spec": {"endpoint": {"url": "http://oap.skywalking:11800"}}}},
        {"gateways": [{"namespace": "a"}], "policy": {"spec": {"receiverRef": {"name": "r", "namespace": "ns"}}}},
        {"defaultReceiver": {"create": True, "spec": {"configuration": {"log": {"level": "info"}}}}},
        {"test": {"receiver": {"name": "r", "namespace": "ns"}}},
    ],
)
def test_taken(each_helm: Helm, values: dict[str, Any]) -> None:
    """Values that are right are refused."""
    assert "" == each_helm.refusal(values)


@pytest.mark.parametrize("document", ["telemetryreceiver.yaml", "telemetrypolicy.yaml"])
def test_specs_of_the_examples(helm: Helm, document: str) -> None:
    """The specs that the chart takes are not those of the two kinds."""
    for item in yaml.safe_load_all(Path(TREE, "examples", document).read_text()):
        if item["kind"] == "TelemetryReceiver":
            values: dict[str, Any] = {"defaultReceiver": {"create": True, "spec": item["spec"]}}
        else:
            spec = {key: value for key, value in item["spec"].items() if not key.startswith("target")}
            values = {"policy": {"spec": spec}, "gateways": [{"namespace": "a"}]}
        assert "" == helm.refusal(values)


def test_each_value_is_described() -> None:
    """A value of values.yaml is not in the schema, or the other way round."""

    def keys(node: Any) -> Any:
        return {key: keys(value) for key, value in node.items()} if isinstance(node, dict) else None

    def known(schema: Any) -> Any:
        found = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        return {key: known(value) for key, value in found["properties"].items()} if "properties" in found else None

    schema = yaml.safe_load(Path(CHART, "values.schema.json").read_text())
    definitions = schema["definitions"]
    described, written = known(schema), keys(yaml.safe_load(Path(CHART, "values.yaml").read_text()))
    assert {"global"} == set(described) - set(written)

    def differ(below: Any, above: Any, path: str) -> list[str]:
        # What is empty by default, or free in form, has no keys to compare.
        if not below or not above:
            return []
        missing = [f"{path}.{key}" for key in set(below) ^ (set(above) - {"claims", "global"})]
        return missing + [
            each for key in set(below) & set(above) for each in differ(below[key], above[key], f"{path}.{key}")
        ]

    assert [] == differ(written, described, "")
