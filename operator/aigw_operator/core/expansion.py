"""What becomes of an environment on its way into a pod: AI Gateway's own merge, then the kubelet's expansion.

It says what is, for status, previews and tests; what the environment should be is decided in env.py.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from aigw_operator.core.model import Raw
from aigw_operator.core.note import Note

# One entry (core/v1 EnvVar):
#   {name, value}                                   value may hold $(NAME)
#   {name, valueFrom: {fieldRef: {fieldPath, apiVersion}, resourceFieldRef: {resource, containerName, divisor},
#                      configMapKeyRef | secretKeyRef: {name, key, optional}, fileKeyRef: {…}}}

FIELDS: Final[Mapping[str, str]] = {
    "POD_NAME": "metadata.name",
    "GATEWAY_NAME": "metadata.labels['gateway.envoyproxy.io/owning-gateway-name']",
    "GATEWAY_NAMESPACE": "metadata.labels['gateway.envoyproxy.io/owning-gateway-namespace']",
}
"""The variables that say who a pod is, and the fields that hold it; the labels are Envoy Gateway's, on all its pods."""

ALIAS: Final = "AIGW_"
"""What begins the other names of these variables, for where the user's own stand for something else."""

# The syntax of Kubernetes' expansion: $$ is a dollar sign, $(NAME) a reference; a dollar sign before anything else, an
# unclosed reference among it, is text.
_DOLLAR: Final = re.compile(r"\$(?:\$|\(([^)]*)\)|[\s\S])")

# What an API server puts into the entries of a pod by itself (SetDefaults_* of core/v1).
_FIELD_VERSION: Final = "v1"
_DIVISOR: Final = "0"


def of_pod(name: str, path: str) -> Raw:
    """The entry of a variable that holds a field of the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def references(text: str) -> Iterator[str]:
    """The names that a value refers to."""
    if "$" not in text:
        return iter(())
    return (found[1] for found in _DOLLAR.finditer(text) if found[1] is not None)


def substitute(text: str, values: Mapping[str, str]) -> str:
    """A value with its references resolved; one that cannot be stays as it is written."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return found[0] if found[1] is None else values.get(found[1], found[0])

    return _DOLLAR.sub(one, text)


def gateway_env(global_env: Sequence[Raw], config_env: Sequence[Raw]) -> tuple[Raw, ...]:
    """The list that AI Gateway puts into a pod, from its controller's --extProcExtraEnvVars and a GatewayConfig's env.

    The flags come first. A name that is there already is replaced where it stands: the first one's place, the last
    one's value (mergeEnvVars, the same in v0.5 to v1.1; duplicates among the flags themselves all stay).
    """
    merged = list(global_env)
    index = {entry["name"]: at for at, entry in enumerate(merged)}
    for entry in config_env:
        if entry["name"] in index:
            merged[index[entry["name"]]] = entry
        else:
            index[entry["name"]] = len(merged)
            merged.append(entry)
    return tuple(merged)


def expand(env: Sequence[Raw], fields: Mapping[str, str]) -> dict[str, str]:
    """The values that a kubelet gives a container: `fields` are the pod's, by fieldPath.

    References resolve from earlier entries only (services' own variables are left out here). What comes from elsewhere
    than a field of the pod is shown by a placeholder, "<secretKeyRef name/key>".
    """
    values: dict[str, str] = {}
    for entry in env:
        text = entry.get("value") or ""
        source = entry.get("valueFrom")
        values[entry["name"]] = _sourced(source, fields) if source and not text else substitute(text, values)
    return values


def _sourced(source: Raw, fields: Mapping[str, str]) -> str:
    kind, reference = next(iter(source.items()))
    if kind == "fieldRef":
        path = reference.get("fieldPath", "")
        if path in fields:
            return fields[path]
        if path.startswith(("metadata.labels[", "metadata.annotations[")):
            return ""  # that is what a kubelet makes of a label that the pod does not have
        return f"<fieldRef {path}>"
    words = [
        reference[key] for key in ("name", "containerName", "volumeName", "path", "key", "resource") if key in reference
    ]
    return f"<{kind} {'/'.join(words)}>"


def known_values(env: Sequence[Raw]) -> dict[str, str | None]:
    """The expanded value of every name, as the SDK will read it; None where only the pod will know it."""
    values: dict[str, str] = {}
    unknown: set[str] = set()
    for entry in gateway_env((), env):
        name, text = entry["name"], entry.get("value") or ""
        if (entry.get("valueFrom") and not text) or any(found in unknown for found in references(text)):
            unknown.add(name)
        else:
            values[name] = substitute(text, values)
    return {entry["name"]: values.get(entry["name"]) for entry in env}


def normalized(entry: Raw) -> dict[str, Any]:
    """An entry without what means nothing: an empty value, and what an API server fills in by itself."""
    plain = {key: part for key, part in entry.items() if part or key == "name"}
    source = plain.get("valueFrom")
    if isinstance(source, Mapping):
        plain["valueFrom"] = {
            kind: {
                key: part
                for key, part in reference.items()
                if (key, part) not in (("apiVersion", _FIELD_VERSION), ("divisor", _DIVISOR))
            }
            for kind, reference in source.items()
            if isinstance(reference, Mapping)
        }
    return plain


def env_hash(env: Sequence[Raw]) -> str:
    """16 hex digits that stand for what a list means: equal for lists that differ in what means nothing only."""
    plain = [normalized(entry) for entry in gateway_env((), env)]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_pod(pod_env: Sequence[Raw], config_env: Sequence[Raw]) -> Note | None:
    """Why a pod's external processor does not run with this GatewayConfig's env; None where it does.

    Further entries may come from the controller's flags or from somebody else's webhook and are no difference. Only
    those that say who the pod is, as we write them, are known to be left over from an earlier GatewayConfig.
    """
    wanted = {entry["name"]: entry for entry in config_env}
    carried = {entry["name"]: entry for entry in pod_env}
    if missing := [name for name in wanted if name not in carried]:
        return Note("EnvMissing", f"the pod lacks {_some(missing)}; it was made before, and has to be restarted")
    outdated = [
        name
        for name, entry in wanted.items()
        if carried[name] != entry and normalized(carried[name]) != normalized(entry)
    ]
    outdated += [name for name, entry in carried.items() if name not in wanted and _left_over(name, entry)]
    if outdated:
        message = f"the pod carries an earlier {_some(outdated)}; it was made before, and has to be restarted"
        return Note("EnvOutdated", message)
    if len(pod_env) == len(carried) and list(carried) == list(wanted):
        # The same entries in the same order: what does not resolve in the pod was not meant to.
        return None
    intended = _unresolved(gateway_env((), config_env))
    broken = sorted(found for found in _unresolved(pod_env) - intended if found[0] in wanted)
    if not broken:
        return None
    name, reference = broken[0]
    message = (
        f"{name} refers to {reference}, which comes after it in the pod, so that the text $({reference}) is sent; "
        f"take {name} out of the AI Gateway controller's flag --extProcExtraEnvVars (chart value extProc.extraEnvVars)"
    )
    return Note("GlobalEnvOrder", message)


def _left_over(name: str, entry: Raw) -> bool:
    ours = name in FIELDS or name.startswith(ALIAS)
    return ours and any(normalized(entry) == of_pod(name, path) for path in FIELDS.values())


def _unresolved(env: Iterable[Raw]) -> set[tuple[str, str]]:
    """Names, with the references in their values that no earlier entry resolves."""
    seen: set[str] = set()
    found: set[tuple[str, str]] = set()
    for entry in env:
        found |= {(entry["name"], name) for name in references(entry.get("value") or "") if name not in seen}
        seen.add(entry["name"])
    return found


def _some(names: Sequence[str], most: int = 3) -> str:
    """Names for a message: the first few, and how many more there are."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
