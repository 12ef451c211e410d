"""The objects of a receiver, from its TelemetryReceiver and the templates in templates/receiver/. It reads no file.

A template shows the YAML as it will run: whatever `{{ … }}` puts in is written as quoted YAML, so a value can neither
break out of its place nor change its type. What an API server would drop or spell otherwise ([], a quantity of 2048Mi)
is not written, so that the live object says what was asked for.

    TelemetryReceiver.spec: shards, image, imagePullPolicy, imagePullSecrets[], resources{}, nodeSelector{},
        tolerations[], affinity{}, topologySpreadConstraints[], priorityClassName, podLabels{}, podAnnotations{},
        storage{size, storageClassName}, extraOtlpGrpcPorts[], configuration{}, serviceMonitor{enabled, labels{},
        interval}, networkPolicy{enabled, scrapeFrom[], telemetryFrom[]}, podDisruptionBudget{enabled}
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import jinja2

from aigw_operator.core import patch, receiver_config, record, yaml_text
from aigw_operator.core.model import DOMAIN, Capabilities, Installation, NamespacedName, Raw, Receiver

API_VERSION: Final = f"{DOMAIN}/v1alpha1"

CONFIG_HASH: Final = f"{DOMAIN}/config-hash"
"""The annotation of the pods by which a new configuration rolls them: the receiver reads its file only at the start."""

OPERATOR_LABELS: Final[Mapping[str, str]] = {
    "app.kubernetes.io/component": "operator",
    "app.kubernetes.io/part-of": record.OWNER,
}
"""The labels of the operator's own pods, which a NetworkPolicy lets in."""

# The scrape by annotations of the widely used job "kubernetes-pods". It knows one port a pod: that of the gateways'
# series; what concerns the receiver itself (8081) takes a ServiceMonitor or a job of one's own. They do not depend on
# the ServiceMonitor: else the pods, and with them their emptyDirs, would end when somebody installs its CRD. Where one
# Prometheus follows both, podAnnotations with prometheus.io/scrape: "false" ends the double scrape.
_SCRAPE: Final = {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": str(receiver_config.HTTP_PORT),
    "prometheus.io/path": "/metrics",
}

# What an emptyDir has beside what the data directory may hold.
_SPARE: Final = 1 << 30

# The fields of the spec that templates name whole; one that the user left out is None there.
_FIELDS: Final = (
    *("image", "imagePullPolicy", "imagePullSecrets", "resources", "nodeSelector", "tolerations", "affinity"),
    *("topologySpreadConstraints", "priorityClassName", "podLabels", "podAnnotations", "storage"),
    *("extraOtlpGrpcPorts", "configuration", "serviceMonitor", "networkPolicy", "podDisruptionBudget"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Templates:
    """The templates' texts by file name, as they lie in templates/receiver/."""

    texts: Mapping[str, str]


def shard_endpoint(receiver: NamespacedName, shard: int, installation: Installation) -> str:
    """The host of one shard, by the Service that is its own; its OTLP/gRPC port is receiver_config.OTLP_GRPC_PORT."""
    return f"{receiver.name}-{shard}.{receiver.namespace}.svc.{installation.cluster_domain}"


def receiver_configuration(receiver: Receiver) -> Raw:
    """The configuration that the receiver reads: what the operator owns, and what the user wrote."""
    return receiver_config.build(_spec(receiver))


def image(receiver: Receiver, installation: Installation) -> str:
    """The image that a receiver runs; "" where neither it nor the operator's settings name one."""
    return str(_spec(receiver).get("image") or installation.receiver_image)


def build_receiver(
    receiver: Receiver,
    templates: Templates,
    installation: Installation,
    capabilities: Capabilities,
    *,
    load: Callable[[str], Any],
) -> tuple[Raw, ...]:
    """The objects of a receiver whose spec has no errors (core/parse_ours.py), in the order of application.

    `load` parses YAML. An object that the spec switches off is missing, and is to be deleted where it exists. Without
    the TelemetryReceiver's uid (in a rendering from files) no object has an ownerReference.
    """
    spec = _spec(receiver)
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(templates.texts),
        undefined=jinja2.StrictUndefined,
        finalize=yaml_text.flow,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    context = _context(receiver, installation, capabilities)

    def render(template: str, **more: object) -> Raw:
        manifest: dict[str, Any] = load(environment.get_template(f"{template}.yaml.j2").render(context, **more))
        return _owned(manifest, receiver)

    manifests = [render("service-account"), render("config-map"), render("headless-service")]
    manifests += [render("shard-service", shard=shard) for shard in range(receiver.shards)]
    manifests.append(render("client-service"))
    if _enabled(spec, "networkPolicy"):
        manifests.append(render("network-policy"))
    if _enabled(spec, "podDisruptionBudget"):
        manifests.append(render("pod-disruption-budget"))
    manifests.append(render("stateful-set"))
    if capabilities.service_monitor and _enabled(spec, "serviceMonitor"):
        manifests.append(render("service-monitor"))
    return tuple(manifests)


def must_be_replaced(live: Raw, desired: Raw) -> bool:
    """Whether no update turns a live object of a receiver into the desired one: then it must be deleted first.

    An API server never changes the volume claims of a StatefulSet; everything else that differs can be applied.
    """
    return bool(desired["kind"] == "StatefulSet" and _claims(live) != _claims(desired))


def _claims(stateful_set: Raw) -> list[tuple[str, str | None, Any]]:
    """The volume claims by name, class and size, which has many spellings."""
    return [
        (
            claim["metadata"]["name"],
            claim["spec"].get("storageClassName"),
            patch.quantity(str(claim["spec"]["resources"]["requests"]["storage"])),
        )
        for claim in stateful_set["spec"].get("volumeClaimTemplates") or ()
    ]


def _spec(receiver: Receiver) -> Raw:
    """The spec without what is null: in Kubernetes such a field is not there."""
    spec: Raw = receiver.raw.get("spec") or {}
    return {key: value for key, value in spec.items() if value is not None}


def _enabled(spec: Raw, field: str) -> bool:
    return spec.get(field, {}).get("enabled") is not False


def _context(receiver: Receiver, installation: Installation, capabilities: Capabilities) -> dict[str, Any]:
    """What the templates may name; a field that the user left out is None."""
    spec = _spec(receiver)
    name = receiver.meta.name.name
    selector = {"app.kubernetes.io/name": "aigw-receiver", "app.kubernetes.io/instance": name}
    labels = {**selector, "app.kubernetes.io/component": "receiver", **record.LABELS}
    configuration = yaml_text.block(receiver_configuration(receiver))
    config_hash = hashlib.sha256(configuration.encode()).hexdigest()
    return {
        "name": name,
        "namespace": receiver.meta.name.namespace,
        "labels": labels,
        "selector": selector,
        "pod_labels": {**spec.get("podLabels", {}), **labels},
        "pod_annotations": {**_SCRAPE, **spec.get("podAnnotations", {}), CONFIG_HASH: config_hash},
        "spec": {**dict.fromkeys(_FIELDS), **spec},
        "shards": receiver.shards,
        "image": image(receiver, installation),
        "extra_ports": spec.get("extraOtlpGrpcPorts", []),
        "configuration": configuration,
        "storage": {"size": None, "storageClassName": None, **spec.get("storage", {})},
        "size_limit": _binary_quantity(_SPARE + receiver_config.data_size(spec)),
        "network": {"scrapeFrom": None, "telemetryFrom": None, **spec.get("networkPolicy", {})},
        "operator_labels": OPERATOR_LABELS,
        "monitor": {"labels": None, "interval": None, **spec.get("serviceMonitor", {})},
        "service_monitor": capabilities.service_monitor,
    }


def _binary_quantity(size: int) -> str:
    """Bytes as a Kubernetes quantity, rounded up to whole MiB, in the one spelling that an API server answers with."""
    number, units = -(-size // (1 << 20)), iter(("Mi", "Gi", "Ti", "Pi"))
    unit = next(units)
    while number % 1024 == 0 and unit != "Pi":
        number, unit = number // 1024, next(units)
    return f"{number}{unit}"


def _owned(manifest: Raw, receiver: Receiver) -> Raw:
    """The object as the TelemetryReceiver's own: garbage collection takes it away with that one."""
    if not receiver.meta.uid:
        return manifest
    owner = {
        "apiVersion": API_VERSION,
        "kind": "TelemetryReceiver",
        "name": receiver.meta.name.name,
        "uid": receiver.meta.uid,
        "controller": True,
    }
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [owner]}}
