"""What the API server noted of every request: its audit policy, and a reader of the log.

The control plane's own requests are left out of the log: they are many, and nobody asks for them.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

POLICY: Final[dict[str, Any]] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # A watch is to be seen when it begins, anything else when it is answered.
    "omitStages": ["RequestReceived"],
    "omitManagedFields": True,
    "rules": [
        {
            "level": "None",
            "users": ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "kwok"],
        },
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata"},
    ],
}
"""https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/"""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One request. What has no object (discovery, say) has an empty resource and only `path`. Times are RFC 3339."""

    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    path: str
    agent: str
    received: str
    allowed_by: str
    """why RBAC allowed it: the binding and the role"""

    @property
    def writes(self) -> bool:
        """Whether it was one that changes something."""
        return self.verb not in ("get", "list", "watch")


# audit.k8s.io/v1 Event, one a line: stage, requestURI, verb, user.username, userAgent, responseStatus.code,
# objectRef{resource, subresource, namespace, name, apiGroup}, requestReceivedTimestamp,
# annotations["authorization.k8s.io/reason"].
def parse(line: str) -> Request | None:
    """A line of the log; None for the end of a watch, of which the beginning was told."""
    event = json.loads(line)
    if event["verb"] == "watch" and event["stage"] != "ResponseStarted":
        return None
    target = event.get("objectRef") or {}
    return Request(
        user=event["user"].get("username", ""),
        verb=event["verb"],
        group=target.get("apiGroup", ""),
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        path=event["requestURI"],
        agent=event.get("userAgent", ""),
        received=event["requestReceivedTimestamp"],
        allowed_by=event.get("annotations", {}).get("authorization.k8s.io/reason", ""),
    )


class Audit:
    """The log, which grows."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def mark(self) -> int:
        """Where the log ends now."""
        return self._log.stat().st_size if self._log.exists() else 0

    def requests(self, since: int = 0, where: Callable[[Request], bool] = lambda _: True) -> list[Request]:
        """The requests that were answered after a mark, in the order of their answers."""
        if not self._log.exists():
            return []
        with self._log.open("rb") as log:
            log.seek(since)
            # The last line may be half written.
            lines = [line for line in log if line.endswith(b"\n")]
        return [each for each in (parse(line.decode()) for line in lines) if each and where(each)]

    def of_service_account(self, namespace: str, name: str, since: int = 0) -> list[Request]:
        """The requests of a ServiceAccount."""
        user = f"system:serviceaccount:{namespace}:{name}"
        return self.requests(since, lambda each: each.user == user)
