"""EnvoyProxy: our access-log settings put into a user's own, taken out again, and an object of ours. Specs only.

What may not happen here: that a user's setting moves, that stdout goes quiet, or that a spec differs from the live one
where the live one already says what it should.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aigw_operator.core import access_log, patch
from aigw_operator.core.backend import build_api_version
from aigw_operator.core.model import ENVOY_PROXY, NamespacedName, Raw
from aigw_operator.core.note import Note

MOST_SETTINGS: Final = 50
"""maxItems of accessLog.settings in the CRD"""

# EnvoyProxy.spec (gateway.envoyproxy.io/v1alpha1), as far as it is read here:
#   mergeGateways: whether all Gateways of the class share one Envoy
#   mergeType: Replace | StrategicMerge | JSONMerge                    Envoy Gateway 1.8 and later
#   backendTLS: {clientCertificateRef: {name, namespace?}}             must be of the EnvoyProxy's namespace
#   telemetry: {accessLog: {disable: bool, settings: [1..50]}, tracing: {…}, metrics: {…}}
#     with backendRefs: [{name, namespace?, …}]                        the EnvoyProxy's namespace is the default
_PATH: Final = ("telemetry", "accessLog", "settings")
_ATTRIBUTE_KEYS: Final = ("resourceAttributes", "resources")


@dataclasses.dataclass(frozen=True, slots=True)
class ProxyMerge:
    """A spec as it shall be, and what to note of it on the object: {} where nothing in the spec is ours.

    The record is {"created": the outermost key of telemetry.accessLog.settings that we made, or "", "stdout": whether
    we added that}.
    """

    spec: Raw
    record: Raw
    error: Note | None = None


def extend(live_spec: Raw, settings: Sequence[Raw], record: Raw | None = None) -> ProxyMerge:
    """The user's own EnvoyProxy with our settings: behind theirs where they are new, else in the places that they have.

    A live setting of ours that says what it should is left as it is, with all that the API server filled in. Attributes
    and sinks that the user added to one of ours stay. `record` is what the last call noted; a stdout of ours that the
    user has removed stays removed. With an error, the spec is the one without us.
    """
    live = _settings(live_spec)
    wired = any(map(access_log.is_ours, live))
    noted = record if record and wired else {}
    merged = _merge(live, settings)
    stdout = bool(noted.get("stdout"))
    if not stdout and all(map(access_log.is_ours, live)):
        merged = [access_log.STDOUT, *merged]
        stdout = True
    if error := _refuse(live_spec, len(merged)):
        return ProxyMerge(undo(live_spec, noted), {}, error)
    noted = {"created": noted.get("created", _missing_key(live_spec)), "stdout": stdout}
    return ProxyMerge(live_spec if merged == live else _with_settings(live_spec, merged), noted)


def undo(live_spec: Raw, record: Raw) -> Raw:
    """The spec without what is ours: our settings, the stdout that we added, and keys that we made and that are empty.

    The CRD wants at least one setting, so an empty list goes in any case. What the user did meanwhile stays.
    """
    live = _settings(live_spec)
    rest = [left for setting in live if (left := _without_our_sinks(setting))]
    if record.get("stdout") and access_log.STDOUT in rest:
        rest.remove(access_log.STDOUT)
    if rest == live:
        return live_spec
    if rest:
        return _with_settings(live_spec, rest)
    telemetry = dict(live_spec["telemetry"])
    telemetry["accessLog"] = {key: value for key, value in telemetry["accessLog"].items() if key != "settings"}
    created = record.get("created")
    if not telemetry["accessLog"] and created in {"telemetry", "accessLog"}:
        del telemetry["accessLog"]
    if not telemetry and created == "telemetry":
        return {key: value for key, value in live_spec.items() if key != "telemetry"}
    return {**live_spec, "telemetry": telemetry}


def build_own(
    name: NamespacedName,
    labels: Mapping[str, str],
    settings: Sequence[Raw],
    class_spec: Raw | None,
    api_version: str,
    *,
    class_namespace: str,
    merge_type: str = "",
) -> Raw | Note:
    """An EnvoyProxy of ours for a Gateway that had none, or why there can be none.

    It replaces the one of the class, so it carries that one's whole spec; `class_namespace` is where that one lives.
    `merge_type` is set where there is no such spec: with it (Envoy Gateway 1.8 and later) the defaults in Envoy
    Gateway's own configuration still hold.
    """
    spec = {"mergeType": merge_type} if class_spec is None and merge_type else class_spec or {}
    if error := _refuse_class(spec, class_namespace == name.namespace):
        return error
    if class_namespace != name.namespace and "telemetry" in spec:
        spec = {**spec, "telemetry": _qualify(spec["telemetry"], class_namespace)}
    merge = extend(spec, settings)
    if merge.error:
        return merge.error
    return {
        "apiVersion": build_api_version(ENVOY_PROXY, api_version),
        "kind": ENVOY_PROXY.kind,
        "metadata": {"name": name.name, "namespace": name.namespace, "labels": dict(labels)},
        "spec": merge.spec,
    }


def _refuse(spec: Raw, count: int) -> Note | None:
    """Why our settings cannot be in this spec, or None."""
    if _access_log(spec).get("disable"):
        message = (
            "its EnvoyProxy has spec.telemetry.accessLog.disable: true, which holds for our settings as well; remove "
            "it, or set accessLogs.enabled: false in the policy"
        )
        return Note("DisabledByUser", message)
    if count > MOST_SETTINGS:
        message = (
            f"with ours, its EnvoyProxy would have {count} access-log settings, and {MOST_SETTINGS} is the most; "
            f"remove {count - MOST_SETTINGS}"
        )
        return Note("TooManySettings", message)
    return None


def _refuse_class(spec: Raw, same_namespace: bool) -> Note | None:
    """Why the spec of a class cannot be carried over to an EnvoyProxy of one Gateway, or None."""
    if spec.get("mergeGateways"):
        message = (
            "its GatewayClass has mergeGateways: true in its EnvoyProxy; then no Gateway may have an EnvoyProxy of its "
            "own, and AI Gateway does not support it"
        )
        return Note("UnsupportedMergeGateways", message)
    certificate = (spec.get("backendTLS") or {}).get("clientCertificateRef")
    if certificate and not same_namespace:
        message = (
            f"the EnvoyProxy of its GatewayClass names the Secret {certificate.get('name')} (backendTLS), which one "
            "in the Gateway's namespace cannot: give the Gateway an EnvoyProxy of its own, and we extend it"
        )
        return Note("UnsupportedClassSecret", message)
    return None


def _merge(live: Sequence[Raw], settings: Sequence[Raw]) -> list[Raw]:
    """The live list with ours brought up to date in their places; missing ones are appended, and surplus ones go."""
    wanted = list(settings)
    places = [place for place, setting in enumerate(live) if access_log.is_ours(setting)]
    pairs: dict[int, Raw] = {}
    for place in places:
        for setting in wanted:
            if setting["matches"] == live[place].get("matches"):
                pairs[place] = setting
                wanted.remove(setting)
                break
    for place in places:
        if place not in pairs and wanted:
            pairs[place] = wanted.pop(0)
    merged: list[Raw] = []
    for place, setting in enumerate(live):
        if place in pairs:
            merged.append(_update(setting, pairs[place]))
        elif left := _without_our_sinks(setting):
            merged.append(left)
    return merged + wanted


def _update(live: Raw, desired: Raw) -> Raw:
    """One live setting of ours as it should be; itself, where it is so already."""
    added = {
        name: value
        for name, value in ((live.get("format") or {}).get("json") or {}).items()
        if name not in access_log.OUR_FIELDS
    }
    attributes = dict(sorted({**desired["format"]["json"], **added}.items()))
    wanted = {
        **live,
        **desired,
        "format": {**desired["format"], "json": attributes},
        "sinks": list(_update_sinks(live["sinks"], desired["sinks"][0])),
    }
    # `covers` lets a map have more than it must; in these two that would be fields that we no longer want.
    exact = live.get("format") == wanted["format"] and _resource(live) == _resource(wanted)
    return live if exact and patch.covers(live, wanted) else wanted


def _update_sinks(live: Sequence[Raw], desired: Raw) -> Iterator[Raw]:
    """The sinks of one setting: ours once, in its place and with the options that the user gave it, among theirs."""
    found = False
    for sink in live:
        if not access_log.is_our_sink(sink):
            yield sink
        elif not found:
            found = True
            options = {key: value for key, value in sink["openTelemetry"].items() if key not in _ATTRIBUTE_KEYS}
            yield {**desired, "openTelemetry": {**options, **desired["openTelemetry"]}}


def _resource(setting: Raw) -> list[Any]:
    """The resource attributes of our sink in a setting, under either of their names."""
    ours = next(sink["openTelemetry"] for sink in setting["sinks"] if access_log.is_our_sink(sink))
    return [ours.get(key) for key in _ATTRIBUTE_KEYS]


def _without_our_sinks(setting: Raw) -> Raw | None:
    """The setting without our sink: itself where it had none, None where nothing is left."""
    if not access_log.is_ours(setting):
        return setting
    sinks = [sink for sink in setting["sinks"] if not access_log.is_our_sink(sink)]
    return {**setting, "sinks": sinks} if sinks else None


def _qualify(value: Any, namespace: str) -> Any:
    """The same with a namespace at every backendRef, since one without is looked up where its EnvoyProxy lives."""
    if isinstance(value, Mapping):
        qualified = {key: _qualify(inner, namespace) for key, inner in value.items()}
        if "backendRefs" in qualified:
            qualified["backendRefs"] = [{"namespace": namespace, **reference} for reference in qualified["backendRefs"]]
        return qualified
    return [_qualify(item, namespace) for item in value] if isinstance(value, list) else value


def _access_log(spec: Raw) -> Raw:
    """spec.telemetry.accessLog, {} where there is none."""
    section: Raw = (spec.get("telemetry") or {}).get("accessLog") or {}
    return section


def _settings(spec: Raw) -> list[Raw]:
    """spec.telemetry.accessLog.settings, [] where there are none."""
    return list(_access_log(spec).get("settings") or ())


def _with_settings(spec: Raw, settings: Sequence[Raw]) -> Raw:
    """The spec with these access-log settings, all else as it was."""
    section = {**_access_log(spec), "settings": list(settings)}
    return {**spec, "telemetry": {**(spec.get("telemetry") or {}), "accessLog": section}}


def _missing_key(spec: Raw) -> str:
    """The outermost key on the way to the settings that the spec does not have; "" where it has all."""
    for key in _PATH:
        if key not in spec:
            return key
        spec = spec[key]
    return ""
