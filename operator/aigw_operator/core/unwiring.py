"""The way back of a Gateway's access logs: our settings leave its EnvoyProxy, or it leaves an EnvoyProxy of ours.

It never adds a sink and deletes nothing (core/sweep.py does). What somebody else has changed in an EnvoyProxy of ours
makes the object theirs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aigw_operator.core import access_log, actions, envoy_proxy, patch, record
from aigw_operator.core.actions import Step
from aigw_operator.core.model import ENVOY_PROXY, GATEWAY, Document, Gateway, ObjectKey, Raw
from aigw_operator.core.note import Note
from aigw_operator.core.snapshot import Snapshot

# What Envoy Gateway's CRD fills in by itself, which tells nothing about a user's will.
_DEFAULT_LOGGING: Final = {"level": {"default": "warn"}}

# With this an EnvoyProxy of ours that copies no class-level one leaves Envoy Gateway's own defaults in force.
MERGE_TYPE: Final = "StrategicMerge"


def users_of_proxy(snapshot: Snapshot, gateway: Gateway) -> list[Gateway]:
    """All Gateways that the EnvoyProxy of this one serves, itself included: by their own reference or their class's."""
    parameters = gateway.parameters
    if parameters is None:
        return [gateway]
    classes = snapshot.classes_of(parameters.name)
    users = list(snapshot.gateways_by_parameters.get(parameters.name, ()))
    if classes:
        everyone = snapshot.gateways.values()
        users += [peer for peer in everyone if peer.parameters is None and peer.class_name in classes]
    return [gateway, *(peer for peer in users if peer.meta.name != gateway.meta.name)]


def build(snapshot: Snapshot, gateway: Gateway, settings: Sequence[Raw]) -> Raw | Note:
    """The EnvoyProxy that we make for a Gateway: its class's settings, and these access-log settings."""
    of_class = snapshot.class_proxy(gateway)
    name = record.own_name(gateway.meta.name)
    return envoy_proxy.build_own(
        name,
        record.LABELS,
        settings,
        of_class.spec if of_class else None,
        snapshot.capabilities.envoy_proxy,
        class_namespace=of_class.meta.name.namespace if of_class else name.namespace,
        merge_type=MERGE_TYPE if snapshot.capabilities.merge_type else "",
    )


def plan(snapshot: Snapshot, gateway: Gateway) -> Step:
    """What the undo of a Gateway's access logs needs next."""
    if gateway.parameters is None:
        return Step()
    live = snapshot.proxies.get(gateway.parameters.name)
    if gateway.parameters.name == record.own_name(gateway.meta.name) and "parametersRef" in record.read(gateway.meta):
        if live is None or not record.is_ours(live.meta):
            return Step(_unreference(gateway, keep=live is not None))
        return _leave(snapshot, gateway, live)
    return Step(undo(live)) if live is not None else Step()


def undo(live: Document) -> tuple[actions.Patch, ...]:
    """Take what is ours out of an EnvoyProxy of somebody else."""
    noted = record.read(live.meta)
    if "proxy" not in noted:
        return ()
    desired = record.write({**live.raw, "spec": envoy_proxy.undo(live.spec, noted["proxy"])}, {})
    return actions.change(ObjectKey(ENVOY_PROXY, live.meta.name), live, desired, why="undo the access-log sink")


def _leave(snapshot: Snapshot, gateway: Gateway, live: Document) -> Step:
    """The Gateway refers to an EnvoyProxy that we made for it."""
    bare = without_ours(live.spec)
    made = build(snapshot, gateway, ())
    expected = without_ours(made["spec"]) if not isinstance(made, Note) else {}
    added = {name: part for name, part in bare.items() if not patch.covers(expected.get(name), part)}
    if added and added != {"logging": _DEFAULT_LOGGING}:
        desired = record.disown({**live.raw, "spec": bare})
        key = ObjectKey(ENVOY_PROXY, live.meta.name)
        return Step(actions.change(key, live, desired, why="it holds what somebody else has put into it"))
    return Step(_unreference(gateway, keep=False))


def without_ours(spec: Raw) -> dict[str, Any]:
    """The spec of an EnvoyProxy that we made, without our settings and the stdout log that stood in for none."""
    telemetry: Mapping[str, Any] = spec.get("telemetry") or {}
    logs: Mapping[str, Any] = telemetry.get("accessLog") or {}
    settings = [setting for setting in logs.get("settings") or () if not access_log.is_ours(setting)]
    if len(settings) == 1 and patch.covers(access_log.STDOUT, settings[0]):
        settings = []
    rest = {name: part for name, part in logs.items() if name != "settings"} | (
        {"settings": settings} if settings else {}
    )
    above = {name: part for name, part in telemetry.items() if name != "accessLog"} | (
        {"accessLog": rest} if rest else {}
    )
    return {name: part for name, part in spec.items() if name != "telemetry"} | ({"telemetry": above} if above else {})


def _unreference(gateway: Gateway, *, keep: bool) -> tuple[actions.Patch, ...]:
    """Forget that we set the Gateway's parametersRef; with `keep` it stays."""
    noted = record.read(gateway.meta)
    created = noted.pop("infrastructure", False)
    noted.pop("parametersRef", None)
    spec = dict(gateway.raw.get("spec") or {})
    if not keep:
        spec["infrastructure"] = {
            name: part for name, part in spec["infrastructure"].items() if name != "parametersRef"
        }
        if created and not spec["infrastructure"]:
            del spec["infrastructure"]
    key = ObjectKey(GATEWAY, gateway.meta.name)
    desired = record.write({**gateway.raw, "spec": spec}, noted)
    return actions.change(key, gateway, desired, why="undo the reference to our EnvoyProxy")
