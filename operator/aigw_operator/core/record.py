"""How we know what is ours: the label of objects that we made, and the note that we leave on objects of others.

The note is one annotation, so that undo needs nothing but the object itself: no memory, no finalizer, no third object.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from aigw_operator.core.model import DOMAIN, Meta, NamespacedName, Raw

APPLIED: Final = f"{DOMAIN}/applied"
"""The annotation that notes what we changed in an object of somebody else, as compact JSON."""

UNUSED_SINCE: Final = f"{DOMAIN}/unused-since"
"""The annotation that marks an object of ours that nothing refers to any more, with the time when it was seen."""

REJECTED: Final = f"{DOMAIN}/rejected"
"""The annotation on a Gateway that names the access-log wiring (its hash) that Envoy Gateway did not accept."""

HASH: Final = f"{DOMAIN}/hash"
"""The annotation on an object that is ours alone: the hash of what we want, so that a field we drop is seen missing."""

ENV_HASH: Final = f"{DOMAIN}/env-hash"
"""The annotation on a pod template by which we roll Envoy's pods: the hash of the env that they shall carry."""

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
OWNER: Final = "aigw-telemetry"
LABELS: Final[Mapping[str, str]] = {MANAGED_BY: OWNER, "app.kubernetes.io/part-of": OWNER}


def own_name(maker: NamespacedName) -> NamespacedName:
    """The name of what we make for a Gateway that has none of its own: its GatewayConfig, and its EnvoyProxy."""
    return NamespacedName(maker.namespace, f"{maker.name}-{OWNER}")


def is_ours(meta: Meta) -> bool:
    """Whether we created this object."""
    return meta.labels.get(MANAGED_BY) == OWNER


def read(meta: Meta, annotation: str = APPLIED) -> dict[str, Any]:
    """What we noted on an object; {} where there is no note, or one that somebody has spoiled."""
    try:
        content = json.loads(meta.annotations.get(annotation, "{}"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def write(raw: Raw, content: Raw) -> dict[str, Any]:
    """The object with the note; an empty one is no note at all."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":")) if content else None
    return annotate(raw, {APPLIED: text})


def annotate(raw: Raw, changes: Mapping[str, str | None]) -> dict[str, Any]:
    """The object with these annotations set, or removed where the value is None."""
    annotations = dict(raw.get("metadata", {}).get("annotations") or {})
    for name, value in changes.items():
        if value is None:
            annotations.pop(name, None)
        else:
            annotations[name] = value
    metadata = {**raw.get("metadata", {}), "annotations": annotations}
    if not annotations:
        del metadata["annotations"]
    return {**raw, "metadata": metadata}


def disown(raw: Raw) -> dict[str, Any]:
    """The object without our labels and annotations: from now on it is the user's."""
    metadata = dict(raw.get("metadata", {}))
    for field, ours in (("labels", LABELS), ("annotations", {APPLIED: "", UNUSED_SINCE: "", HASH: ""})):
        kept = {name: value for name, value in (metadata.get(field) or {}).items() if name not in ours}
        metadata[field] = kept
        if not kept:
            del metadata[field]
    return {**raw, "metadata": metadata}


def digest(*parts: object) -> str:
    """16 hex digits that change with any part of some JSON content."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
