"""What would be written for a set of manifests, without a cluster: the core of `aigw-operator render`.

What the files do not say is taken to be as on a cluster of today: the newest AI Gateway and Envoy Gateway, classes that
belong to Envoy Gateway. It reads no file and prints nothing.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final

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
    Document,
    Gateway,
    GatewayClass,
    Installation,
    Kind,
    Moment,
    NamespacedName,
    ObjectKey,
    Policy,
    Raw,
)
from aigw_operator.core.snapshot import Snapshot

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

# Objects in files have been there for long: plans wait for those that have just been made.
_BORN: Final = "1970-01-01T00:00:00Z"
_START: Final = Moment(86400.0, "1970-01-02T00:00:00Z")

# Sorts after every time: a policy that only previews governs where no other one does.
_LATEST: Final = "~"


@dataclasses.dataclass(frozen=True, slots=True)
class Rendering:
    """The objects as they would stand, in the order of writing, and what is to be said of them."""

    objects: tuple[Raw, ...]
    problems: tuple[str, ...]
    """what keeps a policy from having its way"""
    notes: tuple[str, ...] = ()
    """what a user had set otherwise, and stays"""


def render(
    raws: Iterable[Raw], installation: Installation, templates: Templates, load: receiver_plan.Load
) -> Rendering:
    """Every object that the operator would write for these manifests."""
    snapshot = read(raws, installation)
    objects, problems = _receivers(snapshot, installation, templates, load)
    problems += _policies(snapshot)
    for name, gateway in sorted(snapshot.gateways.items()):
        decided = effective.decide(snapshot, gateway, installation)
        if decided.policy is not None and not decided.policy.errors and not decided.accepted:
            problems.append(f"Gateway {name}: {decided.note.message}")
    outcome = simulate.play(snapshot, tuple(sorted(snapshot.gateways)), installation, _START)
    problems += outcome.problems
    objects += _written(snapshot, outcome.snapshot)
    return Rendering(tuple(objects), tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(outcome.notes)))


def _receivers(
    snapshot: Snapshot, installation: Installation, templates: Templates, load: receiver_plan.Load
) -> tuple[list[Raw], list[str]]:
    """The objects of the receivers, whether they are among the files or not, and what is wrong with a receiver."""
    objects: dict[ObjectKey, Raw] = {}
    problems: list[str] = []
    for name, receiver in sorted(snapshot.receivers.items()):
        errors = list(receiver.errors)
        if not manifests.image(receiver, installation):
            errors.append("spec.image: expected an image, since none is given for receivers (--receiver-image)")
        if not errors:
            built = manifests.build_receiver(receiver, templates, installation, snapshot.capabilities, load=load)
            made = {receiver_plan.key_of(manifest): manifest for manifest in built}
            errors += [f"{key} belongs to another receiver as well" for key in made if key in objects]
            objects |= {} if errors else made
        problems += [f"TelemetryReceiver {name}: {error}" for error in errors]
    return list(objects.values()), problems


def _policies(snapshot: Snapshot) -> list[str]:
    """What is wrong with a policy, and where it selects in vain."""
    problems: list[str] = []
    for name, policy in sorted(snapshot.policies.items()):
        found = attachment.targets(snapshot, policy)
        errors = list(policy.errors)
        errors += [f"Gateway {target} is not among the files" for target in found.missing]
        if not errors and not found.gateways:
            errors.append("it selects no Gateway among the files")
        for target in found.gateways:
            governing = attachment.governing(snapshot, snapshot.gateways[target])
            if not policy.errors and governing is not None and governing.meta.name != name:
                errors.append(f"TelemetryPolicy {governing.meta.name} governs Gateway {target}: it is older")
        problems += [f"TelemetryPolicy {name}: {error}" for error in errors]
    return problems


def _written(before: Snapshot, after: Snapshot) -> list[Raw]:
    """The objects of Gateways that differ from those in the files by more than the time of a write."""
    tables: Mapping[Kind, Mapping[NamespacedName, Document | Gateway]] = {
        GATEWAY: before.gateways,
        GATEWAY_CONFIG: before.configs,
        ENVOY_PROXY: before.proxies,
        BACKEND: before.backends,
    }
    found: list[Raw] = []
    for action, key, content in simulate.changed(before, after):
        live = tables[key.kind].get(key.name)
        written = _timeless(content)
        if action != "Delete" and (live is None or written != _timeless(simulate.bare(live.raw))):
            found.append(written)
    return found


def read(raws: Iterable[Raw], installation: Installation) -> Snapshot:
    """A snapshot of manifests. Kinds that do not concern us are passed over."""
    by_kind: dict[tuple[str, str], list[Raw]] = {}
    for raw in raws:
        group = str(raw.get("apiVersion", "")).rpartition("/")[0]
        by_kind.setdefault((group, str(raw.get("kind"))), []).append(raw)

    def of(kind: Kind) -> list[Raw]:
        return by_kind.get((kind.group, kind.kind), [])

    def documents(kind: Kind) -> dict[NamespacedName, Document]:
        return {item.meta.name: item for item in map(parse.parse_document, map(_old, of(kind)))}

    gateways = {item.meta.name: item for item in map(parse.parse_gateway, of(GATEWAY))}
    classes = {item.name: item for item in map(parse.parse_gateway_class, of(GATEWAY_CLASS))}
    assumed = {
        item.class_name: GatewayClass(item.class_name, installation.gateway_controller) for item in gateways.values()
    }
    return Snapshot(
        capabilities=_capabilities(of(DEFINITION)),
        gateways=gateways,
        classes={**assumed, **classes},
        configs=documents(GATEWAY_CONFIG),
        proxies=documents(ENVOY_PROXY),
        backends=documents(BACKEND),
        policies={item.meta.name: _applied(item) for item in map(parse_ours.parse_policy, of(POLICY))},
        receivers={item.meta.name: item for item in map(parse_ours.parse_receiver, of(RECEIVER))},
        namespaces=_namespaces(of(NAMESPACE)),
    )


def _old(raw: Raw) -> Raw:
    return {**raw, "metadata": {**raw.get("metadata", {}), "creationTimestamp": _BORN}}


def _applied(policy: Policy) -> Policy:
    """A policy as if its mode were Apply; it still gives way to one whose mode is."""
    if not policy.preview:
        return policy
    created = _LATEST + policy.meta.created
    return dataclasses.replace(policy, preview=False, meta=dataclasses.replace(policy.meta, created=created))


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
