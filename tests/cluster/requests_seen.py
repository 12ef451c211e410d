"""What a request to the Kubernetes API asks for, read from its method and path; for the fault proxy and its users."""

import dataclasses
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# Questions that are asked by POST.
_REVIEWS: Final = frozenset({"authorization.k8s.io", "authentication.k8s.io"})
_NAMESPACED_AT: Final = 2


@dataclasses.dataclass(slots=True)
class Request:
    """One request. What is not about objects (discovery, health) has an empty resource."""

    number: int
    method: str
    path: str
    query: Mapping[str, str]
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    content_type: str = ""
    agent: str = ""
    body: bytes = dataclasses.field(default=b"", repr=False)
    status: int = 0
    """of the answer; 0 while there is none, and where the connection was cut"""

    @property
    def writes(self) -> bool:
        """Whether it is one that changes objects."""
        return (
            bool(self.resource) and self.verb in {*_VERBS.values(), "deletecollection"} and self.group not in _REVIEWS
        )

    @property
    def json(self) -> Any:
        """The body, where it is JSON; None where there is none."""
        return json.loads(self.body) if self.body else None

    def __str__(self) -> str:
        target = "/".join(part for part in (self.namespace, self.name, self.subresource) if part)
        return f"{self.verb} {self.resource or self.path} {target} → {self.status}"


# /api/v1/… or /apis/GROUP/VERSION/…, then [namespaces/NAMESPACE/]RESOURCE[/NAME[/SUBRESOURCE]]:
# https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
def read(number: int, method: str, target: str) -> Request:
    """A request by its method and its path with query, both as sent."""
    url = urllib.parse.urlsplit(target)
    query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
    group, parts = _split(url.path)
    namespace = ""
    if parts[:1] == ["namespaces"] and len(parts) > _NAMESPACED_AT and parts[2] not in ("status", "finalize"):
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource, *_ = [*parts, "", "", ""]
    return Request(
        number=number,
        method=method,
        path=url.path,
        query=query,
        verb=_verb(method, query, name) if resource else method.lower(),
        group=group,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )


def _split(path: str) -> tuple[str, list[str]]:
    """The API group, and what follows the version."""
    parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
    match parts:
        case ["api", _, *rest]:
            return "", rest
        case ["apis", group, _, *rest]:
            return group, rest
        case _:
            return "", []


def _verb(method: str, query: Mapping[str, str], name: str) -> str:
    if method == "GET":
        watches = query.get("watch", "") not in ("", "false", "0")
        return "watch" if watches else "get" if name else "list"
    verb = _VERBS.get(method, method.lower())
    return "deletecollection" if verb == "delete" and not name else verb
