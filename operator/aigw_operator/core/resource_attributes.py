"""OTEL_RESOURCE_ATTRIBUTES: what is in it, what we add to it, and how that is taken out again.

The text is read as the gateway's SDK reads it (opentelemetry-go, sdk/resource/env.go): split at commas, each pair cut
at its first "=", blanks around key and value dropped, the value percent-decoded or, where that fails, taken as it
stands. A pair without "=" is an error there, upon which the gateway's external processor ends: such a text is never
written.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aigw_operator.core import expansion
from aigw_operator.core.model import Raw
from aigw_operator.core.note import Note

NAME: Final = "OTEL_RESOURCE_ATTRIBUTES"

# What stays as it is in a value: RFC 3986's unreserved characters and three that say nothing to the SDK. A dollar sign
# is encoded, since a kubelet would take $(NAME) in it for a reference.
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:@")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")

# Keys are not decoded, so what would end one, or start a reference, cannot be in it.
_KEY: Final = re.compile(r"[^\s,=%$]+")

# Fields of a pod that can hold a comma, and with it a pair without "=". All others are names, numbers or one address.
_FREE_TEXT: Final = ("metadata.annotations", "status.podIPs", "status.hostIPs")


@dataclasses.dataclass(frozen=True, slots=True)
class Extension:
    """The entry as it shall be, and the note that `withdraw` needs; with `error` the entry must not be written."""

    entry: Raw
    record: Raw = dataclasses.field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    error: Note | None = None


def encode(value: str) -> str:
    """A value percent-encoded, so that the SDK reads back exactly this text."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in value.encode())


def decode(value: str) -> str:
    """A value as the SDK reads it (Go's url.PathUnescape), blanks around it dropped unless it cannot be decoded."""
    raw = value.strip().encode()
    if _BAD_ESCAPE.search(raw):
        return value
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw).decode(errors="replace")


def parse(text: str) -> tuple[dict[str, str], list[str]]:
    """The attributes in an expanded text, and the pairs that have no "="; of equal keys the last counts."""
    attributes: dict[str, str] = {}
    malformed: list[str] = []
    for pair in text.strip().split(",") if text.strip() else ():
        key, equals, value = pair.partition("=")
        if equals:
            attributes[key.strip()] = decode(value)
        else:
            malformed.append(pair)
    return attributes, malformed


def extend(
    env: Sequence[Raw], ours: Mapping[str, str], fields: Mapping[str, str], live: Raw | None = None
) -> Extension:
    """The last OTEL_RESOURCE_ATTRIBUTES of a list with those of our attributes at its end that it has not.

    `env` is the list as it shall be, with the user's own entry, or a bare one, in its place; `ours` are keys and texts,
    which may refer to other variables; `fields` stand for what a pod will have. `live` is the entry as it is now: where
    nothing but the order of its pairs differs it stays, since another order would restart every pod for nothing.
    """
    entry = next(entry for entry in reversed(env) if entry["name"] == NAME)
    if error := _unusable(env, entry, ours):
        return Extension(entry, error=error)
    values = expansion.expand(expansion.gateway_env((), env), fields)
    users, malformed = parse(values[NAME])
    if malformed:
        return Extension(entry, error=_malformed(malformed[0]))
    intended = {key: decode(expansion.substitute(text, values)) for key, text in ours.items()}
    pairs = [f"{key}={text}" for key, text in ours.items() if key not in users]
    text = entry.get("value") or ""
    extended = {**entry, "value": ",".join([text, *pairs] if text.strip() else pairs)} if pairs else entry
    if live is not None and _pieces(live) == _pieces(extended):
        extended = live
    if _read_back(env, extended, fields) != {**intended, **users}:
        return Extension(entry, error=Note("MalformedAttributes", f'{NAME} has a "$(" without ")"; write "$$(" for it'))
    record: dict[str, Any] = {"pairs": pairs} if pairs else {}
    if pairs and not text.strip():
        record["blank"] = dict(entry)
    return Extension(extended, record, _overruled(users, intended))


def withdraw(entry: Raw, pairs: Sequence[str]) -> Raw:
    """The entry without our pairs, as far as they are there exactly as we wrote them."""
    pieces = (entry.get("value") or "").split(",")
    for pair in reversed(pairs):
        for at in reversed(range(len(pieces))):
            if pieces[at].strip() == pair:
                del pieces[at]
                break
    return {**entry, "value": ",".join(pieces)}


def holds(entry: Raw, pairs: Sequence[str]) -> bool:
    """Whether any of our pairs is in the entry."""
    return entry["name"] == NAME and not _pieces(entry).keys().isdisjoint(pairs)


def _pieces(entry: Raw) -> Counter[str]:
    return Counter(piece.strip() for piece in (entry.get("value") or "").split(","))


def _read_back(env: Sequence[Raw], extended: Raw, fields: Mapping[str, str]) -> dict[str, str]:
    """What the SDK will find once the last entry is this one."""
    written = expansion.gateway_env((), [*env, extended])
    attributes, malformed = parse(expansion.expand(written, fields)[NAME])
    return {} if malformed else attributes


def _unusable(env: Sequence[Raw], entry: Raw, ours: Mapping[str, str]) -> Note | None:
    """Why nothing can be said about the text before a pod runs, or nothing added to it."""
    if bad := [key for key in ours if not _KEY.fullmatch(key)]:
        message = f"resource attribute {bad[0]!r} of the policy: a key can hold no blank and none of , = % $; rename it"
        return Note("InvalidAttribute", message)
    if entry.get("valueFrom"):
        message = f"{NAME} comes from a valueFrom, to which nothing can be added; write it as a value"
        return Note("UnreadableAttributes", message)
    unreadable: set[str] = set()
    for each in expansion.gateway_env((), env):
        text = each.get("value") or ""
        if unreadable.intersection(expansion.references(text)) or (
            not text and _free_text(each.get("valueFrom") or {})
        ):
            unreadable.add(each["name"])
    if NAME not in unreadable:
        return None
    message = (
        f"{NAME} refers to a Secret, a ConfigMap or another free text; a comma in there would stop the gateway's "
        "external processor, so nothing was written; write it as a value"
    )
    return Note("UnreadableAttributes", message)


def _free_text(source: Raw) -> bool:
    field = source.get("fieldRef")
    if isinstance(field, Mapping):
        return str(field.get("fieldPath", "")).startswith(_FREE_TEXT)
    return bool(source) and "resourceFieldRef" not in source


def _malformed(pair: str) -> Note:
    message = (
        f'{NAME} has the pair {pair.strip()!r} without "="; once an endpoint is set it would stop the gateway\'s '
        "external processor, so nothing was written; give it a value, or take it out (a comma at the end makes a pair)"
    )
    return Note("MalformedAttributes", message)


def _overruled(users: Mapping[str, str], intended: Mapping[str, str]) -> tuple[Note, ...]:
    differing = [key for key, value in intended.items() if users.get(key, value) != value]
    if not differing:
        return ()
    message = (
        f"{NAME} of the GatewayConfig sets {', '.join(differing)} to another value, which stays; "
        "take it out if the telemetry is not found under its Gateway"
    )
    return (Note("UserAttributes", message),)
