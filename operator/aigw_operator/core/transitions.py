"""A condition as it is written, and the event of one that has turned: the same for both of our kinds.

A condition keeps its time while its status stays (Gateway API, apis/v1/policy_types.go), so that the same state twice
is the same status twice.
"""

from collections.abc import Mapping
from typing import Any

from aigw_operator.core import conditions
from aigw_operator.core.actions import Event
from aigw_operator.core.model import Condition, Moment, ObjectKey, Policy, Raw, Receiver


def render(item: Condition, before: Mapping[str, Raw], generation: int, now: Moment) -> dict[str, Any]:
    """A condition as JSON; it keeps the time of the one `before`, by type, while the status is the same."""
    old = before.get(item.type, {})
    since = old.get("lastTransitionTime") if old.get("status") == item.status else None
    return {
        "type": item.type,
        "status": item.status,
        "reason": item.reason,
        "message": item.message,
        "observedGeneration": generation,
        "lastTransitionTime": since or now.text,
    }


def is_news(item: Condition, old: str | None) -> bool:
    """Whether a status that was `old` is worth an event.

    At birth only what is good, or not accepted at all, is: the rest is on its way.
    """
    return old != item.status and (old is not None or item.status == "True" or item.type == conditions.ACCEPTED)


def event(key: ObjectKey, regarding: Policy | Receiver, item: Condition, reason: str, message: str) -> Event:
    """The event of a condition that has turned."""
    kind = "Normal" if item.status == "True" else "Warning"
    return Event(key, regarding.raw["apiVersion"], regarding.meta.uid, kind, reason, message, item.type)
