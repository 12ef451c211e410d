"""TelemetryPolicy and TelemetryReceiver, from JSON into the model. The reference of their fields is docs/kinds.md.

It refuses what the CRDs refuse, in the same words, since an object may come from a file, or from an API server with an
older CRD. Nothing raises: what cannot be used stands in `errors`, as "path: what was expected".
"""

import re
from collections.abc import Mapping
from typing import Final

from aigw_operator.core import parse, receiver_config
from aigw_operator.core.model import GATEWAY, NamespacedName, Policy, Raw, Receiver, Selector
from aigw_operator.core.parse_fields import LABEL_VALUE, Fields

RESERVED_ATTRIBUTES: Final = (
    "service.name",
    "service.instance.id",
    "service.layer",
    "job_name",
    "aigw.service",
    "aigw.gateway.name",
    "aigw.gateway.namespace",
    "k8s.pod.name",
)
"""The resource attributes that the operator sets itself."""

# A rule of a CRD each, word by word.
TARGETS: Final = "expected at least one entry in targetRefs or targetSelectors"
DESTINATION: Final = "expected exactly one of receiverRef and endpoint"
TARGET: Final = "a TelemetryPolicy attaches to kind Gateway of group gateway.networking.k8s.io only"
HTTPS: Final = (
    "https is not possible, since neither the AI Gateway nor the access log of Envoy could be given the certificate "
    "authority to trust"
)
URL: Final = (
    "expected http://HOST:PORT without a path; HOST is a DNS name in lower case or an IP address (IPv6 in brackets)"
)
RESERVED: Final = (
    "the operator itself sets service.name, service.instance.id, service.layer, job_name, aigw.service, "
    "aigw.gateway.name, aigw.gateway.namespace and k8s.pod.name"
)
ATTRIBUTE_KEY: Final = "expected keys of at most 128 characters: a letter, then letters, digits and -_./"
RECEIVER_NAME: Final = (
    "expected a name of at most 52 characters: a letter, then letters, digits and -, since Services and pods are named "
    "after it"
)
POD_LABELS: Final = "the operator itself sets the keys below app.kubernetes.io/ and telemetry.aigw.dev/"
POD_ANNOTATIONS: Final = "the operator itself sets the keys below telemetry.aigw.dev/"
NAMESPACES: Final = "expected a selector with from Selector, and none with Same and All"
STORAGE: Final = "expected a size with storageClassName, since only a volume claim has a class"
PORTS: Final = "the receiver itself listens on 4317, 4318, 8080 and 8081"

# A DNS name is what Envoy Gateway's Backend takes as the hostname of an endpoint.
_URL: Final = re.compile(
    r"http://([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*|\[[0-9a-f:.]{2,45}\]):"
    r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_URL_LENGTH: Final = 266
_ATTRIBUTE_KEY: Final = re.compile(r"[A-Za-z][-A-Za-z0-9_./]{0,127}")
_QUANTITY: Final = re.compile(r"([1-9][0-9]*(\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*)([kMGTPE]|[KMGTPE]i)?")

# 63 characters of a label's value, less those of the revision that a StatefulSet appends to its name for its pods.
_RECEIVER_NAME: Final = re.compile(r"(?=.{1,52}$)[a-z]([-a-z0-9]*[a-z0-9])?", re.DOTALL)
_NAME: Final = 253
_NAMESPACE: Final = 63


def parse_policy(raw: Raw) -> Policy:
    """A TelemetryPolicy with the defaults of its CRD."""
    meta = parse.meta(raw)
    errors: list[str] = []
    if not isinstance(raw.get("spec"), Mapping):
        return Policy(meta, raw, errors=("spec: expected an object",))
    spec = Fields("", raw, errors).section("spec")
    spec.expect(
        *("targetRefs", "targetSelectors", "receiverRef", "endpoint", "mode", "naming", "metrics", "accessLogs"),
        *("traces", "resourceAttributes"),
    )
    names, selectors = _targets(spec)
    receiver, endpoint, protocol = _destination(spec, meta.name.namespace)
    metrics, access_logs, traces = spec.section("metrics"), spec.section("accessLogs"), spec.section("traces")
    metrics.expect("interval", "temporality")
    access_logs.expect("enabled")
    traces.expect("enabled")
    return Policy(
        meta=meta,
        raw=raw,
        target_names=names,
        target_selectors=selectors,
        receiver=receiver,
        endpoint=endpoint,
        protocol=protocol,
        interval_ms=metrics.duration("interval", 10_000),
        temporality=metrics.choice("temporality", ("cumulative", "delta"), "cumulative"),
        naming=spec.choice("naming", ("Gateway", "SkyWalking"), "Gateway"),
        access_logs=access_logs.flag("enabled", True),
        traces=traces.flag("enabled", False),
        attributes=_attributes(spec),
        preview=spec.choice("mode", ("Apply", "Preview"), "Apply") == "Preview",
        errors=tuple(errors),  # last, since what is read above adds to it
    )


def _targets(spec: Fields) -> tuple[tuple[str, ...], tuple[Selector, ...]]:
    names, selectors = [], []
    for fields in spec.sections("targetRefs", 64):
        fields.expect("group", "kind", "name")
        _gateways_only(fields)
        names.append(fields.text("name", _NAME, required=True))
    for fields in spec.sections("targetSelectors", 16):
        fields.expect("group", "kind", "matchLabels", "matchExpressions")
        _gateways_only(fields)
        selectors.append(fields.selector())
    if not spec.raw.get("targetRefs") and not spec.raw.get("targetSelectors"):
        spec.refuse("", TARGETS)
    spec.unique("targetRefs", names)
    return tuple(names), tuple(selectors)


def _gateways_only(fields: Fields) -> None:
    group, kind = fields.raw.get("group"), fields.raw.get("kind")
    if group not in (None, GATEWAY.group) or kind not in (None, GATEWAY.kind):
        fields.refuse("", TARGET)


def _destination(spec: Fields, namespace: str) -> tuple[NamespacedName | None, str | None, str]:
    reference, endpoint = spec.section("receiverRef"), spec.section("endpoint")
    protocol = endpoint.choice("protocol", ("grpc", "http/protobuf"), "grpc")
    if spec.has("receiverRef") == spec.has("endpoint"):
        spec.refuse("", DESTINATION)
    receiver = url = None
    if spec.has("receiverRef"):
        reference.expect("name", "namespace")
        name = reference.text("name", _NAME, required=True)
        receiver = NamespacedName(reference.text("namespace", _NAMESPACE, namespace), name)
    if spec.has("endpoint"):
        endpoint.expect("url", "protocol")
        url = endpoint.text("url", _URL_LENGTH, required=True) or None
        if url is not None and url.startswith("https://"):
            endpoint.refuse("url", HTTPS)
        elif url is not None and _URL.fullmatch(url) is None:
            endpoint.refuse("url", URL)
    return receiver, url, protocol


def _attributes(spec: Fields) -> tuple[tuple[str, str], ...]:
    attributes = spec.texts("resourceAttributes", 32, 256)
    keys = [str(key) for key in spec.section("resourceAttributes").raw]
    spec.refuse_keys("resourceAttributes", [key for key in keys if key in RESERVED_ATTRIBUTES], RESERVED)
    odd = [key for key in keys if _ATTRIBUTE_KEY.fullmatch(key) is None]
    spec.refuse_keys("resourceAttributes", odd, ATTRIBUTE_KEY)
    return attributes


def parse_receiver(raw: Raw) -> Receiver:
    """A TelemetryReceiver with the defaults of its CRD; what only its manifests need is checked and stays in `raw`."""
    meta = parse.meta(raw)
    errors: list[str] = []
    root = Fields("", raw, errors)
    if _RECEIVER_NAME.fullmatch(meta.name.name) is None:
        root.refuse("metadata.name", RECEIVER_NAME)
    spec = root.section("spec")
    spec.expect(
        *("shards", "image", "imagePullPolicy", "imagePullSecrets", "resources", "nodeSelector", "tolerations"),
        *("affinity", "topologySpreadConstraints", "priorityClassName", "podLabels", "podAnnotations"),
        *("allowedNamespaces", "storage", "extraOtlpGrpcPorts", "configuration", "serviceMonitor", "networkPolicy"),
        "podDisruptionBudget",
    )
    allowed_from, allowed_selector = _allowed(spec.section("allowedNamespaces"))
    _check_pods(spec)
    _check_storage(spec.section("storage"))
    _check_ports(spec)
    _check_objects(spec)
    if spec.has("configuration"):
        errors.extend(receiver_config.errors(spec.raw["configuration"], "spec.configuration"))
    return Receiver(
        meta=meta,
        raw=raw,
        shards=spec.number("shards", 1, 64, 1),
        allowed_from=allowed_from,
        allowed_selector=allowed_selector,
        errors=tuple(errors),  # last, since what is read above adds to it
    )


def _allowed(fields: Fields) -> tuple[str, Selector]:
    fields.expect("from", "selector")
    allowed = fields.choice("from", ("Same", "All", "Selector"), "All")
    selector = fields.section("selector")
    selector.expect("matchLabels", "matchExpressions")
    if (allowed == "Selector") != fields.has("selector"):
        fields.refuse("", NAMESPACES)
    return allowed, selector.selector()


def _check_pods(spec: Fields) -> None:
    spec.text("image", 512)
    spec.choice("imagePullPolicy", ("Always", "IfNotPresent", "Never"))
    secrets = spec.sections("imagePullSecrets", 16)
    for secret in secrets:
        secret.expect("name")
    spec.unique("imagePullSecrets", [secret.text("name", _NAME, required=True) for secret in secrets])
    spec.section("resources")
    spec.texts("nodeSelector", 32, 63)
    spec.sections("tolerations", 64)
    spec.section("affinity")
    spec.sections("topologySpreadConstraints", 16)
    spec.text("priorityClassName", _NAME)
    labels = [key for key, _ in spec.texts("podLabels", 32, 63, LABEL_VALUE)]
    annotations = [key for key, _ in spec.texts("podAnnotations", 32, 16_384)]
    ours = [key for key in labels if key.startswith(("app.kubernetes.io/", "telemetry.aigw.dev/"))]
    spec.refuse_keys("podLabels", ours, POD_LABELS)
    ours = [key for key in annotations if key.startswith("telemetry.aigw.dev/")]
    spec.refuse_keys("podAnnotations", ours, POD_ANNOTATIONS)


def _check_storage(fields: Fields) -> None:
    fields.expect("size", "storageClassName")
    size = fields.raw.get("size")
    quantity = isinstance(size, str) and len(size) <= 32 and _QUANTITY.fullmatch(size) is not None
    if size is not None and not quantity:
        fields.unlike("size", "a quantity such as 2Gi", size)
    fields.text("storageClassName", _NAME)
    if fields.has("storageClassName") and not fields.has("size"):
        fields.refuse("", STORAGE)


def _check_ports(spec: Fields) -> None:
    ports = spec.items("extraOtlpGrpcPorts", 8)
    for index, port in enumerate(ports):
        if not isinstance(port, int) or isinstance(port, bool) or not 1024 <= port <= 65535:
            spec.refuse(f"extraOtlpGrpcPorts[{index}]", f"expected a whole number from 1024 to 65535, got {port!r}")
    if any(port in receiver_config.PORTS for port in ports):
        spec.refuse("extraOtlpGrpcPorts", PORTS)
    spec.unique("extraOtlpGrpcPorts", map(str, ports))


def _check_objects(spec: Fields) -> None:
    monitor, policy = spec.section("serviceMonitor"), spec.section("networkPolicy")
    budget = spec.section("podDisruptionBudget")
    monitor.expect("enabled", "labels", "interval")
    monitor.flag("enabled", True)
    monitor.texts("labels", 32, 63, LABEL_VALUE)
    monitor.duration("interval", 0)
    policy.expect("enabled", "scrapeFrom", "telemetryFrom")
    policy.flag("enabled", True)
    policy.sections("scrapeFrom", 32)
    policy.sections("telemetryFrom", 32)
    budget.expect("enabled")
    budget.flag("enabled", True)
