"""What would be written for a set of manifests, without a cluster: the core of `aigw-operator render`.

What the files do not say is taken to be as on a cluster of today: the newest AI Gateway and Envoy Gateway, classes that
belong to Envoy Gateway. It reads no file and prints nothing.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aigw_operator.core import (
    attachment,
    capabilities,
    effective,
    manifests,
    parse,
    parse_ours,
    receiver_plan,
    record,
    simulate,
)
from aigw_operator.core.manifests import Templates
from aigw_operator.core.model import (
    BACKEND,
    DEFINITION,
    ENVOY_PROXY,
    GATEWAY,
    GATEWAY_CLASS,
    GATEWAY_CONFIG,
    NAMESPACE,
    POLICY,
    RECEIVER,
    Capabilities,
    GatewayClass,
    Installation,
    Moment,
    Raw,
    Snapshot,
)

NEWEST: Final = Capabilities(
    gateway_config="v1beta1",
    global_costs=True,
    gateway_api="v1",
    envoy_proxy="v1alpha1",
    backend="v1alpha1",
    resource_attributes=True,
    merge_type=True,
)
"""AI Gateway v1.1 with Envoy Gateway v1.8."""

_START: Final = Moment(0.0, "1970-01-01T00:00:00Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Rendering:
    """The objects as they would stand, in the order of writing, and what keeps a policy from having its way."""

    objects: tuple[Raw, ...]
    problems: tuple[str, ...]


def render(
    raws: Iterable[Raw], installation: Installation, templates: Templates, load: receiver_plan.Load
) -> Rendering:
    """Every object that the operator would write for these manifests."""
    snapshot = read(raws, installation)
    objects: list[Raw] = []
    problems: list[str] = []
    for name, receiver in sorted(snapshot.receivers.items()):
        problems += [f"TelemetryReceiver {name}: {error}" for error in receiver.errors]
        if not receiver.errors:
            objects += manifests.build_receiver(receiver, templates, installation, snapshot.capabilities, load=load)
    for name, policy in sorted(snapshot.policies.items()):
        problems += [f"TelemetryPolicy {name}: {error}" for error in policy.errors]
        missing = attachment.targets(snapshot, policy).missing
        problems += [f"TelemetryPolicy {name}: Gateway {target} is not among the files" for target in missing]
    for name, gateway in sorted(snapshot.gateways.items()):
        decided = effective.decide(snapshot, gateway, installation)
        if decided.policy is not None and not decided.policy.errors and not decided.accepted:
            problems.append(f"Gateway {name}: {decided.note.message}")
    outcome = simulate.play(snapshot, tuple(sorted(snapshot.gateways)), installation, _START)
    problems += outcome.problems
    objects += [
        _timeless(content) for action, _, content in simulate.changed(snapshot, outcome.snapshot) if action != "Delete"
    ]
    return Rendering(tuple(objects), tuple(dict.fromkeys(problems)))


def read(raws: Iterable[Raw], installation: Installation) -> Snapshot:
    """A snapshot of manifests. Kinds that do not concern us are passed over."""
    by_kind: dict[tuple[str, str], list[Raw]] = {}
    for raw in raws:
        group = str(raw.get("apiVersion", "")).rpartition("/")[0]
        by_kind.setdefault((group, str(raw.get("kind"))), []).append(raw)

    def of(kind: Any) -> list[Raw]:
        return by_kind.get((kind.group, kind.kind), [])

    gateways = {item.meta.name: item for item in map(parse.parse_gateway, of(GATEWAY))}
    classes = {item.name: item for item in map(parse.parse_gateway_class, of(GATEWAY_CLASS))}
    assumed = {
        item.class_name: GatewayClass(item.class_name, installation.gateway_controller) for item in gateways.values()
    }
    definitions = of(DEFINITION)
    return Snapshot(
        capabilities=_capabilities(definitions),
        gateways=gateways,
        classes={**assumed, **classes},
        configs={item.meta.name: item for item in map(parse.parse_document, of(GATEWAY_CONFIG))},
        proxies={item.meta.name: item for item in map(parse.parse_document, of(ENVOY_PROXY))},
        backends={item.meta.name: item for item in map(parse.parse_document, of(BACKEND))},
        policies={
            item.meta.name: dataclasses.replace(item, preview=False)
            for item in map(parse_ours.parse_policy, of(POLICY))
        },
        receivers={item.meta.name: item for item in map(parse_ours.parse_receiver, of(RECEIVER))},
        namespaces=_namespaces(of(NAMESPACE)),
    )


def _namespaces(raws: list[Raw]) -> Mapping[str, Mapping[str, str]]:
    return dict(parse.parse_namespace(raw) for raw in raws)


def _capabilities(definitions: list[Raw]) -> Capabilities:
    """As the CRDs among the files say; what they do not define is taken to be of today."""
    known = capabilities.read_capabilities(definitions)
    said = {field.name: getattr(known, field.name) for field in dataclasses.fields(known)}
    if not known.gateway_config:
        said |= {"gateway_config": NEWEST.gateway_config, "global_costs": True}
    if not known.envoy_proxy:
        said |= {"envoy_proxy": NEWEST.envoy_proxy, "resource_attributes": True, "merge_type": True}
    said |= {"gateway_api": known.gateway_api or NEWEST.gateway_api, "backend": known.backend or NEWEST.backend}
    return Capabilities(**said)


def _timeless(content: Raw) -> Raw:
    """Without the time of the write, so that the same files give the same text."""
    noted = record.read(parse.meta(content))
    if "since" not in noted:
        return content
    del noted["since"]
    return record.write(content, noted)
