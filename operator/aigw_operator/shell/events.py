"""Tells people of a transition by an Event (events.k8s.io/v1) at the object. A lost Event is logged, and no failure."""

import logging
from typing import Any, Final

from aigw_operator.core.actions import Event
from aigw_operator.core.model import DOMAIN, Moment
from aigw_operator.shell import errors
from aigw_operator.shell.kube import Cluster

logger = logging.getLogger(__name__)

# Where Events about objects without a namespace are kept, as the client libraries of Kubernetes do it.
_NO_NAMESPACE: Final = "default"

# The limits of the API, of `note` and of the two names, in bytes; ours are ASCII but for what they quote.
_NOTE: Final = 1024
_INSTANCE: Final = 128

_CONTROLLER: Final = f"{DOMAIN}/operator"


def build_event(event: Event, instance: str, now: Moment) -> dict[str, Any]:
    """The manifest of an Event; `instance` is the name of our pod."""
    name = event.regarding.name
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": f"{name.name[:200].rstrip('.-')}-", "namespace": name.namespace or _NO_NAMESPACE},
        # A MicroTime must have all six digits.
        "eventTime": now.text.removesuffix("Z") + ".000000Z",
        "reportingController": _CONTROLLER,
        "reportingInstance": instance[:_INSTANCE],
        "type": event.type,
        "reason": event.reason,
        "action": event.action,
        "note": _cut(event.message, _NOTE),
        "regarding": {
            "apiVersion": event.api_version,
            "kind": event.regarding.kind.kind,
            "namespace": name.namespace,
            "name": name.name,
            "uid": event.uid,
        },
    }


async def post(cluster: Cluster, event: Event, instance: str, now: Moment) -> None:
    """Post one Event."""
    body = build_event(event, instance, now)
    try:
        await cluster.post_event(body["metadata"]["namespace"], body)
    except errors.KubeError as error:
        logger.warning("an Event at %s is lost", event.regarding, extra={"reason": event.reason, "error": str(error)})


def _cut(text: str, size: int) -> str:
    """At most so many bytes of a text, whole characters only."""
    return text.encode()[:size].decode(errors="ignore")
