"""An API server for tests: kmock's HTTP and discovery, and what kmock lacks of the rest. It is no real one.

It keeps uid, resourceVersion and generation, refuses stale writes, knows label and field selectors, chunks, server-side
apply (as a merge), the status subresource, watches from a version on, and the faults that a test asks for.
"""

import asyncio
import copy
import dataclasses
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp.web
import kmock

from aigw_operator.core import model, patch
from aigw_operator.core.model import Kind
from aigw_operator.shell import kinds

Raw = dict[str, Any]

KINDS: Final[dict[Kind, str]] = {
    **{scope.kind: "v1" for scope in (*kinds.WATCHED, *kinds.LISTED)},
    model.DEFINITION: "apiextensions.k8s.io/v1",
    model.GATEWAY: "gateway.networking.k8s.io/v1",
    model.GATEWAY_CLASS: "gateway.networking.k8s.io/v1",
    model.GATEWAY_CONFIG: "aigateway.envoyproxy.io/v1beta1",
    model.ENVOY_PROXY: "gateway.envoyproxy.io/v1alpha1",
    model.BACKEND: "gateway.envoyproxy.io/v1alpha1",
    model.POLICY: "telemetry.aigw.dev/v1alpha1",
    model.RECEIVER: "telemetry.aigw.dev/v1alpha1",
    model.DEPLOYMENT: "apps/v1",
    model.STATEFUL_SET: "apps/v1",
    model.DISRUPTION_BUDGET: "policy/v1",
    model.NETWORK_POLICY: "networking.k8s.io/v1",
    model.SERVICE_MONITOR: "monitoring.coreos.com/v1",
}
"""The apiVersion of each kind here."""

# kopf watches nothing, and says nothing, unless these are served (with namespaces and CustomResourceDefinitions).
_EVENTS: Final = {"v1/events": "Event", "events.k8s.io/v1/events": "Event"}
_VERBS: Final = {"get", "list", "watch", "create", "patch", "delete"}


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """A request, taken apart: kmock cannot (its parser fails at /api/v1/namespaces)."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    data: Any
    collection: str = ""
    """VERSION/PLURAL or GROUP/VERSION/PLURAL, "" for what is no request of objects"""
    plural: str = ""
    namespace: str | None = None
    name: str = ""
    subresource: str = ""

    @property
    def watches(self) -> bool:
        """Whether it asks for a watch."""
        return "watch" in self.params


# /api/v1/… or /apis/GROUP/VERSION/…, then namespaces/NAMESPACE/ or not, and PLURAL[/NAME[/SUBRESOURCE]]
_PATH: Final = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    # What goes to the proxy of a Service is no request of an object.
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<subresource>[^/]+))?)?"
)


async def _parse(raw: aiohttp.web.BaseRequest) -> Request:
    body = await raw.read()
    data = json.loads(body) if body else None
    common = (raw.method, raw.path, dict(raw.query), dict(raw.headers), data)
    match = _PATH.fullmatch(raw.path)
    if match is None:
        return Request(*common)
    parts = [match["group"], match["version"], match["plural"]]
    return Request(
        *common,
        collection="/".join(filter(None, parts)),
        plural=match["plural"],
        namespace=match["namespace"],
        name=match["name"] or "",
        subresource=match["subresource"] or "",
    )


class Fault:
    """What the server answers to requests that fit, so many times, before it would do anything."""

    def __init__(self, fits: Callable[[Request], bool], status: int, *, times: int = 1, retry_after: str = "") -> None:
        self.fits = fits
        self.status = status
        self.times = times
        self.retry_after = retry_after


class ApiServer(kmock.KubernetesScaffold):
    """The server; `objects` is what it holds, by resource path, namespace and name."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.objects: dict[tuple[str, str, str], Raw] = {}
        self.asked: list[Request] = []
        self.faults: list[Fault] = []
        self.chunk = 10**9
        self.forget_history = False
        self._version = 1000
        self._history: list[tuple[int, str, Raw]] = []
        self._watches: set[asyncio.Queue[tuple[str, Raw] | None]] = set()
        for kind, api_version in KINDS.items():
            self.serve(kind, api_version)
        for path, name in _EVENTS.items():
            self.resources[path] = kmock.ResourceInfo(namespaced=True, kind=name, verbs=_VERBS)

    def serve(self, kind: Kind, api_version: str) -> None:
        """Have a kind discovered."""
        self.resources[f"{api_version}/{kind.plural}"] = kmock.ResourceInfo(
            namespaced=kind.namespaced, kind=kind.kind, verbs=_VERBS
        )

    def withdraw(self, kind: Kind) -> None:
        """Serve a kind no longer."""
        del self.resources[f"{KINDS[kind]}/{kind.plural}"]

    def have(self, kind: Kind, raw: Raw, *, told: bool = True) -> Raw:
        """Create or change an object as somebody else would; watches are not told where `told` is false."""
        raw = copy.deepcopy(raw)
        raw.setdefault("apiVersion", KINDS[kind])
        raw.setdefault("kind", kind.kind)
        metadata = raw["metadata"]
        return self._store(self._key(kind, metadata.get("namespace", ""), metadata["name"]), raw, told=told)

    def remove(self, kind: Kind, namespace: str, name: str, *, told: bool = True) -> None:
        """Delete an object as somebody else would."""
        self._drop(self._key(kind, namespace, name), told=told)

    def find(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        """A live object."""
        return self.objects.get(self._key(kind, namespace, name))

    def cut_watches(self) -> None:
        """End all streams, as a restart of the server does."""
        for queue in self._watches:
            queue.put_nowait(None)

    def seen(self, method: str, plural: str = "") -> list[Request]:
        """The requests so far with this method, for a resource where one is given."""
        return [request for request in self.asked if request.method == method and plural in ("", request.plural)]

    async def __call__(self, raw_request: aiohttp.web.BaseRequest) -> aiohttp.web.StreamResponse:
        """Answer one request."""
        request = await _parse(raw_request)
        self.asked.append(request)
        for fault in self.faults:
            if fault.times and fault.fits(request):
                fault.times -= 1
                headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
                return _status(fault.status, "a fault of the test", headers)
        if not request.collection:
            return await super().__call__(raw_request)
        if request.collection not in self.resources:
            return _status(404, "no such resource")
        if request.watches:
            response = aiohttp.web.StreamResponse()
            await response.prepare(raw_request)
            async for event in self._events(request):
                await response.write(json.dumps(event).encode() + b"\n")
            return response
        return self._respond(request)

    def _respond(self, request: Request) -> aiohttp.web.StreamResponse:
        key = (request.collection, request.namespace or "", request.name)
        body = request.data
        match request.method:
            case "GET" if request.name:
                return self._answer(self.objects.get(key))
            case "GET":
                return self._list(request)
            case "POST":
                name = body["metadata"].get("name") or f"{body['metadata']['generateName']}{self._version}"
                body["metadata"]["name"] = name
                key = (request.collection, request.namespace or "", name)
                return _status(409, f"{name} already exists") if key in self.objects else self._write(key, body)
            case "PATCH":
                return self._patch(key, request)
            case "DELETE":
                return self._delete(key, body or {})
        return _status(405, "no such verb")

    def _list(self, request: Request) -> aiohttp.web.Response:
        items = [raw for key, raw in sorted(self.objects.items()) if _selects(request, key, raw)]
        start = int(request.params.get("continue") or 0)
        end = start + (self.chunk if "limit" in request.params else 10**9)
        metadata = {"resourceVersion": str(self._version), "continue": str(end) if end < len(items) else ""}
        # Lists of built-in kinds do not say what their items are.
        page = [{name: part for name, part in raw.items() if name not in ("apiVersion", "kind")} for raw in items]
        return aiohttp.web.json_response({"metadata": metadata, "items": page[start:end]})

    async def _events(self, request: Request) -> AsyncIterator[Raw]:
        if self.forget_history:
            self.forget_history = False
            yield {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
            return
        queue: asyncio.Queue[tuple[str, Raw] | None] = asyncio.Queue()
        since = int(request.params.get("resourceVersion") or 0)
        for version, path, event in self._history:
            if version > since:
                queue.put_nowait((path, event))
        self._watches.add(queue)
        try:
            while (item := await queue.get()) is not None:
                path, event = item
                metadata = event["object"]["metadata"]
                if _selects(request, (path, metadata.get("namespace", ""), metadata["name"]), event["object"]):
                    yield event
        finally:
            self._watches.discard(queue)

    def _patch(self, key: tuple[str, str, str], request: Request) -> aiohttp.web.Response:
        live, body = self.objects.get(key), request.data
        if "apply-patch" in request.headers["Content-Type"]:
            live = live or {"metadata": {"name": key[2], **({"namespace": key[1]} if key[1] else {})}}
        elif live is None:
            return _status(404, "no such object")
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if wanted and wanted != live["metadata"].get("resourceVersion"):
            return _status(409, "the object has been modified")
        changes = {"status": body["status"]} if request.subresource == "status" else body
        return self._write(key, patch.apply_merge_patch(live, changes))

    def _delete(self, key: tuple[str, str, str], options: Raw) -> aiohttp.web.Response:
        live = self.objects.get(key)
        if live is None:
            return _status(404, "no such object")
        if any(live["metadata"][name] != value for name, value in (options.get("preconditions") or {}).items()):
            return _status(409, "a precondition failed")
        self._drop(key)
        return aiohttp.web.json_response({"kind": "Status", "status": "Success"})

    def _write(self, key: tuple[str, str, str], raw: Raw) -> aiohttp.web.Response:
        return self._answer(self._store(key, raw))

    def _answer(self, raw: Raw | None) -> aiohttp.web.Response:
        return _status(404, "no such object") if raw is None else aiohttp.web.json_response(raw)

    def _store(self, key: tuple[str, str, str], raw: Raw, *, told: bool = True) -> Raw:
        live = self.objects.get(key)
        known = live["metadata"] if live else {"uid": f"uid-{self._version}", "generation": 0}
        kept = {name: known[name] for name in ("uid", "generation", "resourceVersion") if name in known}
        raw["metadata"] = {**raw["metadata"], **kept}
        raw["metadata"].setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        if raw == live:
            return raw
        if live is None or raw.get("spec") != live.get("spec"):
            raw["metadata"]["generation"] += 1
        self._version += 1
        raw["metadata"]["resourceVersion"] = str(self._version)
        self.objects[key] = raw
        self._tell(key[0], {"type": "MODIFIED" if live else "ADDED", "object": copy.deepcopy(raw)}, told=told)
        return raw

    def _drop(self, key: tuple[str, str, str], *, told: bool = True) -> None:
        raw = copy.deepcopy(self.objects.pop(key))
        self._version += 1
        raw["metadata"]["resourceVersion"] = str(self._version)
        self._tell(key[0], {"type": "DELETED", "object": raw}, told=told)

    def _tell(self, path: str, event: Raw, *, told: bool) -> None:
        if told:
            self._history.append((self._version, path, event))
            for queue in self._watches:
                queue.put_nowait((path, event))

    def _key(self, kind: Kind, namespace: str, name: str) -> tuple[str, str, str]:
        return f"{KINDS[kind]}/{kind.plural}", namespace, name


def write_kubeconfig(path: Path, server: str) -> str:
    """A kubeconfig for a server without credentials."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "users": [{"name": "test", "user": {"token": "secret"}}],
    }
    path.write_text(json.dumps(document))
    return str(path)


def _selects(request: Request, key: tuple[str, str, str], raw: Raw) -> bool:
    path, namespace, name = key
    labels = raw["metadata"].get("labels") or {}
    wanted = [part.partition("=") for part in request.params.get("labelSelector", "").split(",") if part]
    fields = [part.partition("=") for part in request.params.get("fieldSelector", "").split(",") if part]
    return (
        path == request.collection
        and request.namespace in (None, namespace)
        and all(labels.get(label) == value for label, _, value in wanted)
        and all(field == "metadata.name" and name == value for field, _, value in fields)
    )


def _status(code: int, message: str, headers: Mapping[str, str] | None = None) -> aiohttp.web.Response:
    body = {"kind": "Status", "message": message, "code": code}
    return aiohttp.web.json_response(body, status=code, headers=headers)
