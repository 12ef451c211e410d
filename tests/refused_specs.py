"""Specs of our two kinds that cannot be used: one table for the parser, the schemas in crds/, and API servers."""

import copy
from typing import Any, Final, NamedTuple

from aigw_operator.core import parse_fields, parse_ours
from structural_schema import UNIQUE, UNKNOWN

POLICY: Final[dict[str, Any]] = {"targetRefs": [{"name": "gw"}], "receiverRef": {"name": "default"}}
"""A spec that is right, to which each case adds one fault."""

RULE: Final = "x-kubernetes-validations"
"""The keyword of rules in CEL."""


class Case(NamedTuple):
    """One fault: the spec that has it, where and how the parser reports it, and which keyword of the schema refuses it.

    For a rule in CEL, the message that the parser reports begins with the rule's own.
    """

    kind: str
    spec: Any
    path: str
    says: str
    keyword: str = RULE
    name: str = "some-name"


def _policy(path: str, says: str, keyword: str = RULE, /, **spec: Any) -> Case:
    merged = copy.deepcopy(POLICY) | spec
    return Case(
        "TelemetryPolicy", {key: value for key, value in merged.items() if value is not ...}, path, says, keyword
    )


def _receiver(path: str, says: str, keyword: str = RULE, /, **spec: Any) -> Case:
    return Case("TelemetryReceiver", spec, path, says, keyword)


def _url(url: object, says: str, keyword: str = RULE) -> Case:
    return _policy("spec.endpoint.url", says, keyword, receiverRef=..., endpoint={"url": url})


def _interval(interval: object, keyword: str = RULE) -> Case:
    return _policy("spec.metrics.interval", parse_fields.DURATION, keyword, metrics={"interval": interval})


def _expression(says: str, path: str = "", keyword: str = RULE, /, **expression: Any) -> Case:
    selectors = [{"matchExpressions": [expression]}]
    return _policy(f"spec.targetSelectors[0].matchExpressions[0]{path}", says, keyword, targetSelectors=selectors)


_ONE_OF: Final = "expected one of In, NotIn, Exists, DoesNotExist"
_LONG: Final = "x" * 300

POLICIES: Final = (
    _policy("spec", parse_ours.TARGETS, targetRefs=...),
    _policy("spec", parse_ours.TARGETS, targetRefs=[], targetSelectors=[]),
    _policy("spec", parse_ours.DESTINATION, receiverRef=...),
    _policy("spec", parse_ours.DESTINATION, endpoint={"url": "http://a.b:1"}),
    _policy("spec.targetRefs[0]", parse_ours.TARGET, targetRefs=[{"kind": "HTTPRoute", "name": "a"}]),
    _policy("spec.targetRefs[0]", parse_ours.TARGET, targetRefs=[{"group": "", "name": "a"}]),
    _policy("spec.targetSelectors[0]", parse_ours.TARGET, targetSelectors=[{"kind": "Service"}]),
    _policy("spec.targetRefs[1]", "a duplicate of", UNIQUE, targetRefs=[{"name": "a"}, {"name": "a"}]),
    _policy("spec.targetRefs[0].name", "expected text of 1 to 253", "required", targetRefs=[{}]),
    _policy("spec.targetRefs[0].name", "expected text of 1 to 253", "maxLength", targetRefs=[{"name": _LONG}]),
    _policy("spec.targetRefs[0].name", "expected text of 1 to 253", "minLength", targetRefs=[{"name": ""}]),
    _policy(
        "spec.targetRefs",
        "expected at most 64 entries, got 65",
        "maxItems",
        targetRefs=[{"name": f"g{index}"} for index in range(65)],
    ),
    _policy("spec.targetRefs", "expected a list, got {'name': 'a'}", "type", targetRefs={"name": "a"}),
    _policy("spec.targetRefs[0]", "expected an object, got 'a'", "type", targetRefs=["a"]),
    _policy("spec.targetSelectors", "expected at most 16 entries, got 17", "maxItems", targetSelectors=[{}] * 17),
    _policy(
        "spec.targetSelectors[0].matchLabels.a",
        "expected a label's value",
        "pattern",
        targetSelectors=[{"matchLabels": {"a": "-"}}],
    ),
    _policy(
        "spec.targetSelectors[0].matchLabels.a",
        "expected text of at most 63",
        "maxLength",
        targetSelectors=[{"matchLabels": {"a": "a" * 64}}],
    ),
    _policy(
        "spec.targetSelectors[0].matchLabels",
        "expected at most 16 entries",
        "maxProperties",
        targetSelectors=[{"matchLabels": {f"a{index}": "" for index in range(17)}}],
    ),
    _expression(parse_fields.EXPRESSION, key="a", operator="In"),
    _expression(parse_fields.EXPRESSION, key="a", operator="Exists", values=["b"]),
    _expression(_ONE_OF, ".operator", "enum", key="a", operator="Gt", values=["1"]),
    _expression(_ONE_OF, ".operator", "required", key="a"),
    _expression("expected text of 1 to 317 characters", ".key", "required", operator="Exists"),
    _expression(
        "expected text of at most 63 characters", ".values[0]", "maxLength", key="a", operator="In", values=["a" * 64]
    ),
    _policy("spec.receiverRef.name", "expected text of 1 to 253 characters, got None", "required", receiverRef={}),
    _policy(
        "spec.receiverRef.namespace",
        "expected text of 1 to 63",
        "maxLength",
        receiverRef={"name": "a", "namespace": _LONG},
    ),
    _policy(
        "spec.receiverRef.port",
        "unknown field; expected one of name, namespace",
        UNKNOWN,
        receiverRef={"name": "a", "port": 1},
    ),
    _policy("spec.endpoint.url", "expected text of 1 to 266", "required", receiverRef=..., endpoint={}),
    _url(1, "expected text of 1 to 266 characters, got 1", "type"),
    _url("http://" + _LONG + ":1", "expected text of 1 to 266", "maxLength"),
    _url("https://oap.skywalking:11800", parse_ours.HTTPS),
    *(
        _url(url, parse_ours.URL)
        for url in (
            "oap:11800",
            "grpc://oap:11800",
            "http://oap",
            "http://oap:0",
            "http://oap:65536",
            "http://oap:01",
            "http://oap:11800/",
            "http://oap:11800/v1/metrics",
            "http://Oap:11800",
            "http://u@oap:1",
            "http://oap.:1",
            "http://-oap:1",
            "http://o_p:1",
            "http://::1:4317",
            "http://oap:1\n",
            "http://:1",
        )
    ),
    _policy(
        "spec.endpoint.protocol",
        "expected one of grpc, http/protobuf, got 'http/json'",
        "enum",
        receiverRef=...,
        endpoint={"url": "http://a.b:1", "protocol": "http/json"},
    ),
    _policy("spec.mode", "expected one of Apply, Preview, got 'DryRun'", "enum", mode="DryRun"),
    _policy("spec.naming", "expected one of Gateway, SkyWalking, got 'gateway'", "enum", naming="gateway"),
    *(_interval(text) for text in ("10", "10d", "999ms", "1h1ms", "61m", "1.5s", "-1s", "1s1m", "1 s", "123456s")),
    _interval("", "minLength"),
    _interval(10, "type"),
    _policy(
        "spec.metrics.temporality",
        "expected one of cumulative, delta, got 'lowmemory'",
        "enum",
        metrics={"temporality": "lowmemory"},
    ),
    _policy("spec.metrics.intervall", "unknown field", UNKNOWN, metrics={"intervall": "10s"}),
    _policy("spec.accessLogs.enabled", "expected true or false, got 'yes'", "type", accessLogs={"enabled": "yes"}),
    _policy("spec.traces", "expected an object, got True", "type", traces=True),
    _policy(
        "spec.resourceAttributes",
        f"{parse_ours.RESERVED}; got job_name, service.name",
        resourceAttributes={"service.name": "a", "job_name": "b", "c": "d"},
    ),
    *(
        _policy("spec.resourceAttributes", parse_ours.ATTRIBUTE_KEY, resourceAttributes={key: "a"})
        for key in ("", "a=b", "a,b", "1a", "a b", "é", "a" * 129)
    ),
    _policy("spec.resourceAttributes.a", "expected text of at most 256", "maxLength", resourceAttributes={"a": _LONG}),
    _policy(
        "spec.resourceAttributes.a",
        "expected text of at most 256 characters, got 1",
        "type",
        resourceAttributes={"a": 1},
    ),
    _policy(
        "spec.resourceAttributes",
        "expected at most 32 entries, got 33",
        "maxProperties",
        resourceAttributes={f"a{index}": "" for index in range(33)},
    ),
    _policy("spec.sampling", "unknown field", UNKNOWN, sampling={}),
    Case("TelemetryPolicy", None, "spec", "expected an object", "required"),
)

_PEERS: Final[list[Any]] = [{"podSelector": {}}]

RECEIVERS: Final = (
    *(
        Case("TelemetryReceiver", {}, "metadata.name", parse_ours.RECEIVER_NAME, RULE, name)
        for name in ("a" * 53, "1a", "a.b")
    ),
    *(
        _receiver("spec.shards", "expected a whole number from 1 to 64", keyword, shards=shards)
        for shards, keyword in ((0, "minimum"), (65, "maximum"), ("2", "type"), (True, "type"), (1.5, "type"))
    ),
    _receiver("spec.image", "expected text of 1 to 512 characters, got ''", "minLength", image=""),
    _receiver("spec.imagePullPolicy", "expected one of Always, IfNotPresent, Never", "enum", imagePullPolicy="Maybe"),
    _receiver("spec.imagePullSecrets[0].name", "expected text", "required", imagePullSecrets=[{}]),
    _receiver("spec.imagePullSecrets[1]", "a duplicate", UNIQUE, imagePullSecrets=[{"name": "a"}, {"name": "a"}]),
    _receiver("spec.resources", "expected an object, got '1Gi'", "type", resources="1Gi"),
    _receiver("spec.nodeSelector.a", "expected text of at most 63", "type", nodeSelector={"a": True}),
    _receiver("spec.tolerations[0]", "expected an object, got 'a'", "type", tolerations=["a"]),
    _receiver("spec.affinity", "expected an object, got []", "type", affinity=[]),
    _receiver(
        "spec.topologySpreadConstraints", "expected at most 16 entries", "maxItems", topologySpreadConstraints=[{}] * 17
    ),
    _receiver("spec.priorityClassName", "expected text of 1 to 253", "type", priorityClassName=1),
    _receiver(
        "spec.podLabels",
        f"{parse_ours.POD_LABELS}; got app.kubernetes.io/name",
        podLabels={"app.kubernetes.io/name": "a", "b": "c"},
    ),
    _receiver("spec.podLabels", parse_ours.POD_LABELS, podLabels={"telemetry.aigw.dev/a": "b"}),
    _receiver("spec.podLabels.a", "expected a label's value, got 'b c'", "pattern", podLabels={"a": "b c"}),
    _receiver("spec.podAnnotations", parse_ours.POD_ANNOTATIONS, podAnnotations={"telemetry.aigw.dev/a": "b"}),
    _receiver(
        "spec.podAnnotations",
        "expected at most 32 entries",
        "maxProperties",
        podAnnotations={f"a{index}": "" for index in range(33)},
    ),
    _receiver(
        "spec.allowedNamespaces.from", "expected one of Same, All, Selector", "enum", allowedNamespaces={"from": "None"}
    ),
    _receiver("spec.allowedNamespaces", parse_ours.NAMESPACES, allowedNamespaces={"from": "Selector"}),
    _receiver("spec.allowedNamespaces", parse_ours.NAMESPACES, allowedNamespaces={"from": "All", "selector": {}}),
    _receiver("spec.allowedNamespaces", parse_ours.NAMESPACES, allowedNamespaces={"selector": {}}),
    _receiver(
        "spec.allowedNamespaces.selector.matchExpressions[0]",
        parse_fields.EXPRESSION,
        allowedNamespaces={
            "from": "Selector",
            "selector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": []}]},
        },
    ),
    _receiver(
        "spec.allowedNamespaces.selector.labels",
        "unknown field",
        UNKNOWN,
        allowedNamespaces={"from": "Selector", "selector": {"labels": {}}},
    ),
    _receiver("spec.storage", parse_ours.STORAGE, storage={"storageClassName": "standard"}),
    *(
        _receiver("spec.storage.size", "expected a quantity such as 2Gi, got", keyword, storage={"size": size})
        for size, keyword in (
            ("2 Gi", "pattern"),
            ("0", "pattern"),
            ("-1Gi", "pattern"),
            ("0.0Gi", "pattern"),
            (2, "type"),
            ("9" * 33, "maxLength"),
        )
    ),
    _receiver("spec.extraOtlpGrpcPorts", parse_ours.PORTS, extraOtlpGrpcPorts=[11800, 4317]),
    _receiver("spec.extraOtlpGrpcPorts[0]", "expected a whole number from 1024", "minimum", extraOtlpGrpcPorts=[80]),
    _receiver("spec.extraOtlpGrpcPorts[0]", "expected a whole number", "maximum", extraOtlpGrpcPorts=[65536]),
    _receiver("spec.extraOtlpGrpcPorts[1]", "a duplicate of", UNIQUE, extraOtlpGrpcPorts=[11800, 11800]),
    _receiver(
        "spec.extraOtlpGrpcPorts",
        "expected at most 8 entries, got 9",
        "maxItems",
        extraOtlpGrpcPorts=list(range(2000, 2009)),
    ),
    _receiver("spec.configuration.listen", "the operator owns it; further", configuration={"listen": {}}),
    _receiver("spec.configuration.data_dir", "the operator owns it; spec.", configuration={"data_dir": "/data"}),
    _receiver("spec.configuration", "expected a mapping, got 'a'", "type", configuration="a"),
    _receiver("spec.serviceMonitor.interval", parse_fields.DURATION, serviceMonitor={"interval": "1d"}),
    _receiver("spec.serviceMonitor.enabled", "expected true or false", "type", serviceMonitor={"enabled": 1}),
    _receiver(
        "spec.serviceMonitor.labels.a", "expected a label's value", "pattern", serviceMonitor={"labels": {"a": "é"}}
    ),
    _receiver(
        "spec.networkPolicy.scrapeFrom",
        "expected at most 32 entries, got 33",
        "maxItems",
        networkPolicy={"scrapeFrom": _PEERS * 33},
    ),
    _receiver(
        "spec.networkPolicy.telemetryFrom[0]",
        "expected an object, got None",
        "type",
        networkPolicy={"telemetryFrom": [None]},
    ),
    _receiver(
        "spec.podDisruptionBudget.maxUnavailable", "unknown field", UNKNOWN, podDisruptionBudget={"maxUnavailable": 2}
    ),
    _receiver("spec.replicas", "unknown field", UNKNOWN, replicas=2),
    Case("TelemetryReceiver", [], "spec", "expected an object, got []", "type"),
)

CASES: Final = POLICIES + RECEIVERS


def build(case: Case) -> dict[str, Any]:
    """The whole object of a case; a spec of None is one that is missing."""
    metadata = {"name": case.name, "namespace": "default"}
    spec = {} if case.spec is None else {"spec": copy.deepcopy(case.spec)}
    return {"apiVersion": "telemetry.aigw.dev/v1alpha1", "kind": case.kind, "metadata": metadata, **spec}
