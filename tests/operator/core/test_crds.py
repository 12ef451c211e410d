"""The two CRDs: bounded, explained, and of one mind with the parser. A real API server tries them in tests/cluster."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

import refused_specs
import structural_schema
from aigw_operator.core import parse_ours
from aigw_operator.core.model import Policy, Receiver
from refused_specs import RULE, Case

_TREE: Final = Path(__file__).parents[3]
_FILES: Final = {
    "TelemetryPolicy": "telemetrypolicies.telemetry.aigw.dev",
    "TelemetryReceiver": "telemetryreceivers.telemetry.aigw.dev",
}
_EXAMPLES: Final = ("telemetrypolicy.yaml", "telemetryreceiver.yaml")


@functools.cache
def _definition(kind: str) -> Any:
    plural, _, group = _FILES[kind].partition(".")
    return yaml.safe_load((_TREE / "crds" / f"{group}_{plural}.yaml").read_text())


def _schema(kind: str) -> Any:
    return _definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def _examples() -> list[Any]:
    return [doc for name in _EXAMPLES for doc in yaml.safe_load_all((_TREE / "examples" / name).read_text())]


def _parse(raw: Any) -> Policy | Receiver:
    return parse_ours.parse_policy(raw) if raw["kind"] == "TelemetryPolicy" else parse_ours.parse_receiver(raw)


def _rules(kind: str) -> Iterator[tuple[str, str]]:
    """The rules in CEL: the path that a fault is reported under, and the message."""
    for path, schema in structural_schema.nodes(_schema(kind), ""):
        for rule in schema.get(RULE, ()):
            yield (path or "metadata.name") + rule.get("fieldPath", ""), rule["message"]


def _generic(path: str) -> str:
    return re.sub(r"\[\d+\]", "[]", path)


def _is_tried(path: str, message: str, case: Case) -> bool:
    return _generic(case.path) == path and (case.says.startswith(message) or message.startswith(case.says))


def _explain(case: Case) -> str:
    return f"{case.path}-{case.keyword}"


@pytest.mark.parametrize("case", refused_specs.CASES, ids=_explain)
def test_refused_by_both(case: Case) -> None:
    """A spec is refused by an API server and taken from a file, or the other way round, or in other words."""
    raw = refused_specs.build(case)
    errors = _parse(raw).errors
    assert 1 == len(errors), errors
    assert errors[0].startswith(f"{case.path}: {case.says}")

    found = set(structural_schema.violations(_schema(case.kind), raw, ""))
    if case.keyword == RULE:
        assert set() == found
        assert any(_is_tried(path, message, case) for path, message in _rules(case.kind))
    else:
        assert {(case.path, case.keyword)} == found


@pytest.mark.parametrize("kind", _FILES)
def test_every_rule_is_tried(kind: str) -> None:
    """A rule in CEL has no case, so nobody knows whether the parser has it too."""
    cases = [case for case in refused_specs.CASES if case.kind == kind and case.keyword == RULE]
    tried = {rule for rule in _rules(kind) if any(_is_tried(*rule, case) for case in cases)}
    assert set(_rules(kind)) == tried


@pytest.mark.parametrize("raw", _examples(), ids=lambda raw: raw["metadata"]["name"])
def test_examples(raw: Any) -> None:
    """An example is refused, by the parser or by the schema."""
    assert () == _parse(raw).errors
    assert [] == list(structural_schema.violations(_schema(raw["kind"]), raw, ""))


@pytest.mark.parametrize("kind", _FILES)
def test_examples_show_everything(kind: str) -> None:
    """A field of the spec is in no example, so a reader does not see how it is written."""
    shown = [raw["spec"] for raw in _examples() if raw["kind"] == kind]
    fields = set(_schema(kind)["properties"]["spec"]["properties"])
    assert fields - {"image", "imagePullPolicy", "imagePullSecrets", "affinity", "receiverRef"} <= set(shown[1])
    assert set(shown[0]) <= fields


@pytest.mark.parametrize("kind", _FILES)
def test_defaults_agree(kind: str) -> None:
    """A default of the CRD differs from the parser's, so a file means something else than the cluster."""
    raws = [raw for raw in _examples() if raw["kind"] == kind]
    least: dict[str, Any] = refused_specs.POLICY if kind == "TelemetryPolicy" else {}
    raws.append({"kind": kind, "metadata": {"name": "a", "namespace": "b"}, "spec": least})
    for raw in raws:
        defaulted = structural_schema.with_defaults(_schema(kind), raw)
        bare, full = _parse(raw), _parse(defaulted)
        ignored = {"raw": None}
        assert _values(bare) | ignored == _values(full) | ignored


def _values(parsed: Policy | Receiver) -> dict[str, Any]:
    return {name: getattr(parsed, name) for name in type(parsed).__dataclass_fields__}


@pytest.mark.parametrize(
    ("kind", "spec", "defaulted"),
    [
        (
            "TelemetryPolicy",
            refused_specs.POLICY,
            {
                "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}],
                "receiverRef": {"name": "default"},
                "mode": "Apply",
                "naming": "Gateway",
                "metrics": {"interval": "10s", "temporality": "cumulative"},
                "accessLogs": {"enabled": True},
                "traces": {"enabled": False},
            },
        ),
        (
            "TelemetryReceiver",
            {},
            {
                "shards": 1,
                "allowedNamespaces": {"from": "All"},
                "serviceMonitor": {"enabled": True},
                "networkPolicy": {"enabled": True},
                "podDisruptionBudget": {"enabled": True},
            },
        ),
    ],
)
def test_defaults(kind: str, spec: Any, defaulted: Any) -> None:
    """A spec that says little gets other values than those that the documentation names."""
    assert defaulted == structural_schema.with_defaults(_schema(kind)["properties"]["spec"], spec)


@pytest.mark.parametrize("kind", _FILES)
def test_bounded_and_explained(kind: str) -> None:
    """A field has no bound, which the cost limit of CEL needs, or `kubectl explain` has nothing to say of it."""
    unbounded, unexplained = [], []
    for path, schema in structural_schema.nodes(_schema(kind), ""):
        if path in ("apiVersion", "kind", "metadata"):
            continue
        bounds = {
            "string": {"maxLength", "enum", "format"},
            "array": {"maxItems"},
            "object": {"maxProperties", "properties", "x-kubernetes-preserve-unknown-fields"},
        }
        if schema["type"] in bounds and not bounds[schema["type"]] & set(schema):
            unbounded.append(path)
        if not path.endswith("[]") and not schema.get("description"):
            unexplained.append(path)
    assert [] == unbounded
    assert [] == unexplained


@pytest.mark.parametrize("kind", _FILES)
def test_lists_say_how_they_merge(kind: str) -> None:
    """A list has no list type, so that server-side apply replaces the entries of others."""
    lists = [schema for _, schema in structural_schema.nodes(_schema(kind), "") if schema["type"] == "array"]
    assert {"atomic", "map", "set"} >= {schema.get(structural_schema.UNIQUE) for schema in lists}


@pytest.mark.parametrize(
    ("kind", "short", "columns"),
    [
        (
            "TelemetryPolicy",
            "tpol",
            [
                ("Gateways", ".status.gateways", 0),
                ("Injected", ".status.injected", 0),
                ("Receiving", ".status.receiving", 0),
                ("Mode", ".spec.mode", 1),
                ("Age", ".metadata.creationTimestamp", 0),
            ],
        ),
        (
            "TelemetryReceiver",
            "trecv",
            [
                ("Shards", ".spec.shards", 0),
                ("Ready", ".status.readyShards", 0),
                ("Available", '.status.conditions[?(@.type=="Available")].status', 0),
                ("Endpoint", ".status.endpoint", 1),
                ("Age", ".metadata.creationTimestamp", 0),
            ],
        ),
    ],
)
def test_what_kubectl_shows(kind: str, short: str, columns: list[tuple[str, str, int]]) -> None:
    """`kubectl get` lacks a column, or does not know the short name or the category."""
    definition = _definition(kind)
    names, version = definition["spec"]["names"], definition["spec"]["versions"][0]
    assert _FILES[kind] == definition["metadata"]["name"]
    assert ([short], ["aigw-telemetry"]) == (names["shortNames"], names["categories"])
    assert ("v1alpha1", True, True) == (version["name"], version["served"], version["storage"])
    assert {"status": {}} == version["subresources"]
    shown = [(item["name"], item["jsonPath"], item.get("priority", 0)) for item in version["additionalPrinterColumns"]]
    assert columns == shown


def test_reserved_attributes() -> None:
    """The message of the rule on reserved attributes names others than the rule refuses."""
    for key in parse_ours.RESERVED_ATTRIBUTES:
        assert key in parse_ours.RESERVED
    rules = _schema("TelemetryPolicy")["properties"]["spec"]["properties"]["resourceAttributes"][RULE]
    assert list(parse_ours.RESERVED_ATTRIBUTES) == re.findall(r"'([a-z0-9._]+)'", rules[0]["rule"])
