"""What the operator may do to the cluster: four kinds of writes, as values. Nothing here performs one."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from aigw_operator.core import patch
from aigw_operator.core.model import Document, Gateway, ObjectKey, Raw
from aigw_operator.core.note import Note


@dataclasses.dataclass(frozen=True, slots=True)
class Create:
    """Create an object that must not exist yet. `why` is for logs and previews, in all actions."""

    key: ObjectKey
    body: Raw
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Patch:
    """A JSON merge patch (RFC 7386). Its metadata.resourceVersion makes the API server refuse a stale one (409)."""

    key: ObjectKey
    api_version: str
    body: Raw
    why: str
    subresource: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Apply:
    """A server-side apply of a whole object that is ours alone, under our field manager, forced."""

    key: ObjectKey
    body: Raw
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Delete:
    """Delete one object, if it is still the one that was looked at (uid and resourceVersion as preconditions)."""

    key: ObjectKey
    api_version: str
    uid: str
    resource_version: str
    why: str


Action = Create | Patch | Apply | Delete


def change(key: ObjectKey, live: Document | Gateway, desired: Raw, *, why: str) -> tuple[Patch, ...]:
    """The patch that turns a live object into the desired one, refused if that has changed meanwhile; () if none is."""
    body = patch.merge_patch(live.raw, desired)
    if not body:
        return ()
    metadata: dict[str, Any] = {**body.get("metadata", {}), "resourceVersion": live.meta.resource_version}
    return (Patch(key, live.raw["apiVersion"], {**body, "metadata": metadata}, why),)


def removal(key: ObjectKey, live: Document, *, why: str) -> Delete:
    """The deletion of a live object, refused if it has changed meanwhile."""
    return Delete(key, live.raw["apiVersion"], live.meta.uid, live.meta.resource_version, why)


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What one part of a Gateway's wiring needs next, and what is to be said of it.

    Without actions, a problem and a recheck, that part is as it shall be. `held` tells that it was left as it is.
    """

    actions: tuple[Action, ...] = ()
    recheck_after: float | None = None
    problem: Note | None = None
    notes: tuple[Note, ...] = ()
    held: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """An event to post about an object, because a condition turned. `type` is Normal or Warning."""

    regarding: ObjectKey
    api_version: str
    uid: str
    type: str
    reason: str
    message: str
    action: str


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What to do next about one object, in this order. After actions were taken, a new plan says what comes then.

    `recheck_after` (seconds) asks for a new plan later although nothing may happen until then.
    """

    actions: tuple[Action, ...] = ()
    recheck_after: float | None = None
    events: tuple[Event, ...] = ()


Failures = Mapping[ObjectKey, str]
"""What the API server refused last, by the key of the queue whose plan it was."""
