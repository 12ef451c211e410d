"""The environment of a Gateway's external processor: what the user wrote, with what a policy needs, and the way back.

The list is GatewayConfig's `spec.extProc.kubernetes.env`. It is atomic to the API server, and any change of it restarts
every Envoy pod that it serves; so a list that says all that is wanted stays as it is, to the last place. Variables
that say who a pod is come first, since a kubelet resolves references from earlier entries only; our others come last.

This is the whole of it put together; it knows no variable's effect (otel_variables.py) and no list's ways
(arrangement.py, expansion.py).
"""

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aigw_operator.core import arrangement, expansion, otel_variables, resource_attributes
from aigw_operator.core.expansion import check_pod, env_hash, expand, gateway_env
from aigw_operator.core.model import Raw
from aigw_operator.core.note import Note
from aigw_operator.core.otel_variables import EnvSettings

__all__ = ["EnvMerge", "EnvSettings", "check_pod", "env_hash", "expand", "gateway_env", "merge_env", "undo_env"]

# Stand-ins for what a pod will have, in texts that are read before there is one.
_STAND_INS: Final = {path: f"<{name}>" for name, path in expansion.FIELDS.items()}

# How many different lists with their notes are kept in mind: one for each shard and policy, and what users made of it.
_REMEMBERED: Final = 256

_ATTRIBUTES: Final = resource_attributes.NAME
_SERVICE_NAME: Final = "OTEL_SERVICE_NAME"

# SkyWalking's recipe for Envoy AI Gateway (SWIP-10): its rules pick what has this job_name (from service.name, where
# there is no job_name), put it into this layer, and call a service as aigw.service and an instance as
# service.instance.id say.
_JOB: Final = "envoy-ai-gateway"
_LAYER: Final = "ENVOY_AI_GATEWAY"


@dataclasses.dataclass(frozen=True, slots=True)
class EnvMerge:
    """The list as it shall be, and the note on what is ours in it ({}: nothing); with `error` write neither."""

    env: tuple[Raw, ...]
    record: Raw
    users: tuple[Raw, ...]
    """what `undo_env` makes of the live list"""
    notes: tuple[Note, ...] = ()
    error: Note | None = None


def merge_env(live: Sequence[Raw], settings: EnvSettings, record: Raw | None = None) -> EnvMerge:
    """The whole list with what the policy needs; `record` is the note that stands on the object, if any."""
    return _merge(json.dumps([live, record or {}]), settings)


# Our texts name the Gateway by references, so the lists of most Gateways are the same to the last character.
@functools.lru_cache(_REMEMBERED)
def _merge(text: str, settings: EnvSettings) -> EnvMerge:
    """The merge for a list and its note, as JSON."""
    live, record = json.loads(text)
    found = arrangement.places(live, record)
    users = _without_ours(found)
    identity = arrangement.identify(found)
    held = _held_attributes([*identity.front, *users])
    ours = frozenset(place.live["name"] for place in found if place.users is None)
    choice = otel_variables.choose(expansion.known_values(users), settings, ours)
    wanted: dict[str, Raw] = {name: {"name": name, "value": value} for name, value in choice.variables.items()}
    wanted = _identifying(users, held, settings, identity.names) | wanted
    items = arrangement.arrange(found, identity, wanted)
    last = max(at for at, item in enumerate(items) if item.entry["name"] == _ATTRIBUTES)
    listed = [item.entry for item in items]
    extension = resource_attributes.extend(listed, _attributes(settings, identity.names), _STAND_INS, items[last].live)
    notes = (*choice.notes, *_service_notes(users, held, settings), *extension.notes)
    if error := choice.error or extension.error:
        return EnvMerge(tuple(live), record, users, notes, error)
    listed[last] = extension.entry
    return EnvMerge(tuple(listed), _record(items, last, extension.record), users, notes)


def undo_env(live: Sequence[Raw], record: Raw) -> tuple[Raw, ...]:
    """The list without what is still exactly ours."""
    return _without_ours(arrangement.places(live, record))


def _without_ours(found: Sequence[arrangement.Place]) -> tuple[Raw, ...]:
    return tuple(place.users for place in found if place.users is not None)


def _record(items: Sequence[arrangement.Item], last: int, extension: Raw) -> dict[str, Any]:
    """What to note of a list; `last` is the place of the attributes that count."""
    entries = [item.entry for at, item in enumerate(items) if item.ours and at != last]
    attributes = {"pairs": extension["pairs"], "made": True} if items[last].ours else extension
    return {name: part for name, part in (("entries", entries), ("attributes", attributes)) if part}


def _identifying(
    users: Sequence[Raw], held: Mapping[str, str], settings: EnvSettings, names: Mapping[str, str]
) -> dict[str, Raw]:
    """OTEL_SERVICE_NAME and a bare OTEL_RESOURCE_ATTRIBUTES, where the user has none.

    The former would beat a service.name in the latter, so it is left out where the user has that.
    """
    present = {entry["name"] for entry in users}
    entries: dict[str, Raw] = {}
    if _SERVICE_NAME not in present and "service.name" not in held:
        name = _JOB if settings.naming == "SkyWalking" else f"$({names['GATEWAY_NAME']})"
        entries[_SERVICE_NAME] = {"name": _SERVICE_NAME, "value": name}
    if _ATTRIBUTES not in present:
        entries[_ATTRIBUTES] = {"name": _ATTRIBUTES}
    return entries


def _attributes(settings: EnvSettings, names: Mapping[str, str]) -> dict[str, str]:
    """The resource attributes that a policy wants, in their order: keys, and texts that refer to these names."""
    pod, gateway, namespace = (f"$({names[name]})" for name in expansion.FIELDS)
    fixed = {
        "job_name": _JOB,
        "service.instance.id": pod,
        "service.layer": _LAYER,
        "aigw.service": gateway,
        "aigw.gateway.namespace": namespace,
        "aigw.gateway.name": gateway,
        "k8s.pod.name": pod,
    }
    further = {key: resource_attributes.encode(value) for key, value in sorted(settings.attributes)}
    return fixed | {key: text for key, text in further.items() if key not in fixed}


def _held_attributes(users: Sequence[Raw]) -> dict[str, str]:
    """The attributes that the user's own text sets."""
    values = expansion.expand(expansion.gateway_env((), users), _STAND_INS)
    return resource_attributes.parse(values.get(_ATTRIBUTES, ""))[0]


def _service_notes(users: Sequence[Raw], held: Mapping[str, str], settings: EnvSettings) -> tuple[Note, ...]:
    name = expansion.known_values(users).get(_SERVICE_NAME, "") or held.get("service.name", _JOB)
    if settings.naming != "SkyWalking" or name == _JOB:
        return ()
    message = (
        f"the GatewayConfig names the service {name}, which stays; SkyWalking's rules look for {_JOB} where they do "
        f"not read job_name: take {_SERVICE_NAME}, or service.name in {_ATTRIBUTES}, out"
    )
    return (Note("UserServiceName", message),)
