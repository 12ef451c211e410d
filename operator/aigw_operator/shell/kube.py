"""A small client of the Kubernetes API in raw JSON. It decides nothing, retries nothing but a login, and keeps nothing.

Objects are dicts as the server sends them; errors are those of `errors`. Transport and login are the asyncio part of
the library `kubernetes`; its typed models are not used, since what they do not know they would drop.
"""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol, Self
from urllib import parse

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client import rest

from aigw_operator.core import model
from aigw_operator.core.model import Kind, ObjectKey, Raw
from aigw_operator.settings import Settings, SettingsError
from aigw_operator.shell import credentials, errors, kinds

# As many objects as client-go asks for at once.
_CHUNK: Final = "500"

# The API server itself gives up after 60 s; a healthy one answers in well under one.
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=10)

_JSON: Final = "application/json"
# Strict: a field that the installed version does not have is an error that is seen, and not one that is dropped in
# silence and written again for ever.
_WRITE: Final[Mapping[str, str]] = {"fieldManager": model.DOMAIN, "fieldValidation": "Strict"}


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """The objects of a list, each with its apiVersion and kind."""

    items: tuple[dict[str, Any], ...]


class Cluster(Protocol):
    """What the shell asks of an API server. All raise `errors.KubeError`."""

    async def get(self, key: ObjectKey, api_version: str) -> dict[str, Any]:
        """One object."""

    async def list(
        self, kind: Kind, api_version: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> Listing:
        """All objects of a kind, by label and field selectors; in all namespaces where none is given."""

    async def create(self, key: ObjectKey, body: Raw) -> dict[str, Any]:
        """Create what must not exist yet."""

    async def merge_patch(
        self, key: ObjectKey, api_version: str, body: Raw, *, subresource: str = ""
    ) -> dict[str, Any]:
        """A JSON merge patch of an object, or of its subresource."""

    async def apply(self, key: ObjectKey, body: Raw) -> dict[str, Any]:
        """A server-side apply under our name, forced."""

    async def delete(self, key: ObjectKey, api_version: str, *, uid: str, resource_version: str) -> None:
        """Delete an object if it is still the one that was looked at; dependents go in the background."""

    async def post_event(self, namespace: str, body: Raw) -> None:
        """Create an Event of events.k8s.io."""

    async def get_path(self, path: str) -> dict[str, Any]:
        """The JSON at a path, such as /version."""


class KubeClient:
    """A Cluster over HTTP. Used as an async context manager, since it is the owner of connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._configuration: client.Configuration | None = None
        self._rest: rest.RESTClientObject | None = None
        self._retired: rest.RESTClientObject | None = None
        self._logging_in = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._login()
        return self

    async def __aexit__(self, *_: object) -> None:
        for used in filter(None, (self._retired, self._rest)):
            await used.close()
        self._retired = self._rest = None

    async def get(self, key: ObjectKey, api_version: str) -> dict[str, Any]:
        """One object."""
        return await self._request("GET", kinds.object_path(key, api_version))

    async def list(
        self, kind: Kind, api_version: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> Listing:
        """All objects of a kind, in chunks; where the list changes too fast for that (410), in one piece."""
        path = kinds.path(kind, api_version, namespace)
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        query = {name: value for name, value in selectors.items() if value}
        items: list[dict[str, Any]] = []
        token: str | None = None
        while token != "":
            chunk = {"limit": _CHUNK, "continue": token} if token else {"limit": _CHUNK}
            try:
                page = await self._request("GET", path, query={**query, **chunk})
            except errors.GoneError:
                if not token:
                    raise
                page, items = await self._request("GET", path, query=query), []
            items += page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue") or ""
        for item in items:
            # Items of lists of built-in kinds do not say what they are.
            item.setdefault("apiVersion", api_version)
            item.setdefault("kind", kind.kind)
        return Listing(tuple(items))

    async def create(self, key: ObjectKey, body: Raw) -> dict[str, Any]:
        """Create what must not exist yet."""
        path = kinds.path(key.kind, str(body["apiVersion"]), key.name.namespace)
        return await self._request("POST", path, query=_WRITE, body=body)

    async def merge_patch(
        self, key: ObjectKey, api_version: str, body: Raw, *, subresource: str = ""
    ) -> dict[str, Any]:
        """A JSON merge patch of an object, or of its subresource."""
        path = kinds.object_path(key, api_version, subresource)
        return await self._request("PATCH", path, query=_WRITE, body=body, content="application/merge-patch+json")

    async def apply(self, key: ObjectKey, body: Raw) -> dict[str, Any]:
        """A server-side apply under our name, forced."""
        path = kinds.object_path(key, str(body["apiVersion"]))
        query = {**_WRITE, "force": "true"}
        # JSON is YAML: the server wants the latter's name here.
        return await self._request("PATCH", path, query=query, body=body, content="application/apply-patch+yaml")

    async def delete(self, key: ObjectKey, api_version: str, *, uid: str, resource_version: str) -> None:
        """Delete an object if it is still the one that was looked at; dependents go in the background."""
        known = {"uid": uid, "resourceVersion": resource_version}
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {name: value for name, value in known.items() if value},
        }
        await self._request("DELETE", kinds.object_path(key, api_version), body=body)

    async def post_event(self, namespace: str, body: Raw) -> None:
        """Create an Event of events.k8s.io."""
        await self._request("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", body=body)

    async def get_path(self, path: str) -> dict[str, Any]:
        """The JSON at a path, such as /version."""
        return await self._request("GET", path)

    async def _login(self) -> None:
        configuration = await credentials.load(self._settings)
        if self._retired is not None:
            await self._retired.close()
        # Requests may still be on their way by the connections before: these are closed a login later.
        self._retired, self._rest = self._rest, rest.RESTClientObject(configuration)
        self._configuration = configuration

    async def _login_again(self, refused: client.Configuration | None) -> None:
        """Once for all requests that were refused with the same credentials."""
        async with self._logging_in:
            if self._configuration is refused:
                try:
                    await self._login()
                except SettingsError as error:
                    raise errors.ForbiddenError(str(error), status=401) from error

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Raw | None = None,
        content: str = _JSON,
    ) -> dict[str, Any]:
        url = f"{path}?{parse.urlencode(query)}" if query else path
        used = self._configuration
        status, text, retry_after = await self._send(method, url, body, content)
        if status == 401:
            # An exec plugin's or a token file's credentials have expired: they are only read at a login.
            await self._login_again(used)
            status, text, retry_after = await self._send(method, url, body, content)
        if status >= 400:
            raise errors.from_status(status, _message(text), retry_after)
        try:
            answer = json.loads(text)
        except ValueError as error:
            message = f"{method} {path}: the answer is no JSON"
            raise errors.UnavailableError(message, status=status) from error
        return dict(answer)

    async def _send(self, method: str, url: str, body: Raw | None, content: str) -> tuple[int, bytes, str | None]:
        headers = {"Accept": _JSON, "Content-Type": content, "User-Agent": "aigw-operator"}
        configuration = self._configuration
        if configuration is not None and (token := await configuration.get_api_key_with_prefix("BearerToken")):
            headers["Authorization"] = token
        if self._rest is None or configuration is None:
            message = f"{method} {url}: the client is closed"
            raise errors.UnavailableError(message)
        address = configuration.host.rstrip("/") + url
        try:
            response = await self._rest.request(  # type: ignore[no-untyped-call]
                method, address, headers=headers, body=body, _request_timeout=_TIMEOUT
            )
            data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            message = f"{method} {url}: {type(error).__name__}: {error}"
            raise errors.UnavailableError(message) from error
        return response.status, data, response.getheader("Retry-After")


def _message(text: bytes) -> str:
    """The message of a metav1.Status, else the beginning of whatever a proxy in between has said."""
    try:
        message = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        return text[:200].decode(errors="replace")
    return str(message)
