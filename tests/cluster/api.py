"""A small client of the Kubernetes API for tests, JSON in and JSON out; not the operator's: it shares no mistake."""

import contextlib
import copy
import functools
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

Object = dict[str, Any]
"""A Kubernetes object as JSON"""

WAIT_SECONDS: Final = 60.0
_REQUEST_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05
_NOT_FOUND: Final = 404
_OPENERS_PROXY: Final = urllib.request.ProxyHandler({})
MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY: Final = "application/apply-patch+yaml"


class ApiError(Exception):
    """An answer that is no success: `status` is HTTP's, `body` the Status object."""

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        super().__init__(f"{method} {path}: {status} {body[:600]}")
        self.status = status
        self.body = body


class _Resource(NamedTuple):
    plural: str
    namespaced: bool


class Api:
    """One user's view of the API server at `server`."""

    def __init__(self, server: str, context: ssl.SSLContext, token: str | None = None) -> None:
        self.server = server
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._opener = urllib.request.build_opener(_OPENERS_PROXY, urllib.request.HTTPSHandler(context=context))
        self._resources: dict[tuple[str, str], _Resource] = {}

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> str:
        """The answer's text; ApiError where it is no success."""
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, "Accept": "application/json", "Content-Type": content_type}
        request = urllib.request.Request(f"{self.server}{path}", data, headers, method=method)
        try:
            with self._opener.open(request, timeout=_REQUEST_SECONDS) as response:
                text: str = response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(method, path, error.code, error.read().decode(errors="replace")) from error
        return text

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Object:
        """The answer as JSON."""
        answer: Object = json.loads(self.request(method, path, body, content_type))
        return answer

    def watch(self, path: str) -> Generator[Object, None, None]:
        """The events of a watch, from the objects that are there now on; it is closed with the generator."""
        headers = {**self._headers, "Accept": "application/json"}
        request = urllib.request.Request(f"{self.server}{path}?watch=true", headers=headers)
        with self._opener.open(request, timeout=_REQUEST_SECONDS) as response:
            while line := response.readline():
                yield json.loads(line)

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of an object, or of a list where name is empty; over all namespaces where namespace is, too."""
        resource = self._resource(api_version, kind)
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        scope = f"/namespaces/{namespace}" if resource.namespaced and namespace else ""
        return root + scope + "".join(f"/{part}" for part in (resource.plural, name, subresource) if part)

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Object:
        """An object; ApiError 404 where there is none."""
        return self.call("GET", self.path(api_version, kind, namespace, name))

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
        """An object, or None."""
        return self.find_path(self.path(api_version, kind, namespace, name))

    def find_path(self, path: str) -> Object | None:
        """What is at a path, or None."""
        try:
            return self.call("GET", path)
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            return None

    def items(self, api_version: str, kind: str, namespace: str = "", selector: str = "") -> list[Object]:
        """The objects of a kind, of one namespace or of all."""
        query = urllib.parse.urlencode({"labelSelector": selector})
        items: list[Object] = self.call("GET", f"{self.path(api_version, kind, namespace)}?{query}")["items"]
        return items

    def create(self, manifest: Mapping[str, Any]) -> Object:
        """Create an object."""
        return self.call("POST", self.path(*_of(manifest)[:3]), manifest)

    def apply(self, manifest: Mapping[str, Any], manager: str = "tests") -> Object:
        """Apply an object on the server's side, by force."""
        query = urllib.parse.urlencode({"fieldManager": manager, "force": "true"})
        return self.call("PATCH", f"{self.path(*_of(manifest))}?{query}", manifest, APPLY)

    def replace(self, manifest: Mapping[str, Any]) -> Object:
        """Replace an object."""
        return self.call("PUT", self.path(*_of(manifest)), manifest)

    def patch(
        self, api_version: str, kind: str, namespace: str, name: str, patch: Any, *, subresource: str = ""
    ) -> Object:
        """Merge-patch an object; with a list, apply it as a JSON patch."""
        content_type = JSON_PATCH if isinstance(patch, Sequence) else MERGE
        return self.call("PATCH", self.path(api_version, kind, namespace, name, subresource), patch, content_type)

    def delete(self, api_version: str, kind: str, namespace: str, name: str, *, wait: bool = True) -> None:
        """Delete an object, if it is there, and wait until it is gone."""
        with _none_where_absent():
            self.call("DELETE", self.path(api_version, kind, namespace, name))
        if wait:
            self.wait_until(lambda: self.find(api_version, kind, namespace, name) is None, f"{kind} {name} is gone")

    def delete_all(self, group: str, namespace: str) -> None:
        """Delete the objects of all kinds of an API group in a namespace, and wait until they are gone."""
        served = self.find_path(f"/apis/{group}")
        version = served["preferredVersion"]["groupVersion"] if served else ""
        kinds = self.call("GET", f"/apis/{version}")["resources"] if version else ()
        for kind in [each["kind"] for each in kinds if each["namespaced"] and "deletecollection" in each["verbs"]]:
            self.call("DELETE", self.path(version, kind, namespace))
            gone = functools.partial(self._is_empty, version, kind, namespace)
            self.wait_until(gone, f"no {kind} is left in {namespace}")

    def apply_file(self, file: Path, manager: str = "tests") -> list[Object]:
        """Apply every object of a YAML file, in its order."""
        with file.open() as stream:
            documents = [each for each in yaml.load_all(stream, yaml.CSafeLoader) if each]
        return [self.apply(each, manager) for each in documents]

    def wait_for(
        self,
        api_version: str,
        kind: str,
        namespace: str,
        name: str,
        holds: Callable[[Object], bool],
        *,
        seconds: float = WAIT_SECONDS,
    ) -> Object:
        """The object once something holds of it; AssertionError with the object otherwise."""
        seen: list[Object | None] = [None]

        def reached() -> bool:
            seen[0] = self.find(api_version, kind, namespace, name)
            return seen[0] is not None and holds(seen[0])

        self.wait_until(reached, f"{kind} {namespace}/{name}", seconds=seconds, why=lambda: _readable(seen[0]))
        assert seen[0] is not None
        return seen[0]

    def wait_until(
        self, holds: Callable[[], bool], what: str, *, seconds: float = WAIT_SECONDS, why: Callable[[], str] = str
    ) -> None:
        """Return once something holds; AssertionError with `what` and `why` otherwise."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what} {why()}"
            time.sleep(_POLL_SECONDS)

    def stays(self, observe: Callable[[], Any], seconds: float) -> None:
        """Return after a while in which what is observed stayed the same; AssertionError with the difference otherwise.

        This and `settles` are the places that wait for time to pass: that nothing happens cannot be awaited.
        """
        before, deadline = observe(), time.monotonic() + seconds
        while time.monotonic() < deadline:
            now = observe()
            assert before == now, f"{before} became {now}"
            time.sleep(_POLL_SECONDS)

    def settles(self, observe: Callable[[], Any], quiet: float, *, seconds: float = WAIT_SECONDS) -> None:
        """Return once what is observed has stayed the same for a while; AssertionError where it never does."""
        last, began = observe(), time.monotonic()
        since = began
        while time.monotonic() < since + quiet:
            assert time.monotonic() < began + seconds, f"not within {seconds:.0f} s: {quiet:.0f} s without a change"
            time.sleep(_POLL_SECONDS)
            now = observe()
            if now != last:
                last, since = now, time.monotonic()

    def forget_kinds(self) -> None:
        """Look up the served kinds anew, after CRDs have changed."""
        self._resources.clear()

    def _is_empty(self, api_version: str, kind: str, namespace: str) -> bool:
        return not self.items(api_version, kind, namespace)

    def _resource(self, api_version: str, kind: str) -> _Resource:
        if (api_version, kind) not in self._resources:
            root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            for each in self.call("GET", root)["resources"]:
                if "/" not in each["name"]:
                    self._resources[api_version, each["kind"]] = _Resource(each["name"], each["namespaced"])
        return self._resources[api_version, kind]


def condition(item: Mapping[str, Any], kind: str) -> str | None:
    """The status of a condition of an object ("True", "False", "Unknown"), or None."""
    conditions = item.get("status", {}).get("conditions") or ()
    return next((each["status"] for each in conditions if each["type"] == kind), None)


def without_bookkeeping(item: Mapping[str, Any]) -> Object:
    """What of an object its writers decide: without status and what the API server notes in its metadata."""
    kept = copy.deepcopy(dict(item))
    kept.pop("status", None)
    for key in ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid", "selfLink"):
        kept["metadata"].pop(key, None)
    return kept


def _of(manifest: Mapping[str, Any]) -> tuple[str, str, str, str]:
    metadata = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def _readable(item: Object | None) -> str:
    if item is None:
        return "does not exist"
    shown = {**item, "metadata": {**item["metadata"], "managedFields": None}}
    return yaml.safe_dump(shown, sort_keys=False)


@contextlib.contextmanager
def _none_where_absent() -> Any:
    try:
        yield
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
