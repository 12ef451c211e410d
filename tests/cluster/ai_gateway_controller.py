"""The controller loop of the stand-in for AI Gateway (see ai_gateway.py): what it watches, and when it rolls pods.

Its caches are fed by watches, one by kind, and so are as far behind each other as those of a real controller.
"""

import asyncio
import contextlib
import datetime as dt
import json
import logging
import ssl
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import aiohttp

from cluster import extproc, gateway_config_crd

_LOG: Final = logging.getLogger(__name__)
_REQUEUE_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0
_WATCH_SECONDS: Final = 300
_NOT_FOUND: Final = 404
_EXPIRED: Final = 410

Key = tuple[str, str]
"""namespace and name"""


class Client:
    """The API server, for the length of one run."""

    def __init__(self, session: aiohttp.ClientSession, server: str, context: ssl.SSLContext) -> None:
        self._session = session
        self._server = server
        self._context = context

    async def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """The answer as JSON; None for 404."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        url = f"{self._server}{path}"
        async with self._session.request(method, url, data=data, headers=headers, ssl=self._context) as response:
            if response.status == _NOT_FOUND:
                return None
            response.raise_for_status()
            return await response.json()

    async def merge(self, path: str, patch: Mapping[str, Any]) -> Any:
        """Merge-patch an object, or its status."""
        return await self.call("PATCH", path, patch, "application/merge-patch+json")

    async def follow(self, path: str, version: str) -> Any:
        """The events after a resource version, until the server ends the watch."""
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(_WATCH_SECONDS)}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_REQUEUE_SECONDS)
        url = f"{self._server}{path}"
        async with self._session.get(url, params=query, ssl=self._context, timeout=timeout) as response:
            response.raise_for_status()
            # Lines can be longer than what the stream's own line reader takes.
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)


class Cache:
    """All objects of a kind. `changed` is told of a new, a deleted, or a differently specified one, and of no other.

    That is what the real controllers filter their events by (the generation), so that an edit of labels, annotations or
    status sets nothing off.
    """

    def __init__(
        self, path: str, changed: Callable[[Key, "dict[str, Any] | None", "dict[str, Any] | None"], None]
    ) -> None:
        self.objects: dict[Key, dict[str, Any]] = {}
        self.synced = asyncio.Event()
        self._path = path
        self._changed = changed

    async def run(self, client: Client) -> None:
        """List and watch until cancelled."""
        while True:
            try:
                listed = await client.call("GET", self._path)
                if listed is None:
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                self._replace(listed["items"])
                self.synced.set()
                await self._watch(client, listed["metadata"]["resourceVersion"])
            except (aiohttp.ClientError, TimeoutError) as error:
                _LOG.info("watch of %s: %s", self._path, error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _watch(self, client: Client, version: str) -> None:
        async with contextlib.aclosing(client.follow(self._path, version)) as events:
            async for event in events:
                if event["type"] == "ERROR":
                    return
                self._put(event["object"], deleted=event["type"] == "DELETED")

    def _replace(self, items: list[dict[str, Any]]) -> None:
        present = {_key(item) for item in items}
        for key in self.objects.keys() - present:
            self._put(self.objects[key], deleted=True)
        for item in items:
            self._put(item)

    def _put(self, item: dict[str, Any], *, deleted: bool = False) -> None:
        key = _key(item)
        before = self.objects.pop(key, None)
        if deleted:
            self._changed(key, before, None)
            return
        self.objects[key] = item
        if before is None or before["metadata"].get("generation") != item["metadata"].get("generation"):
            self._changed(key, before, item)


class Controller:
    """Reconciles Gateways, one at a time."""

    def __init__(self, client: Client, settings: extproc.Settings, envoy_namespace: str) -> None:
        self._client = client
        self._settings = settings
        self._envoy_namespace = envoy_namespace
        self._queue: asyncio.Queue[tuple[str, Key]] = asyncio.Queue()
        self._waiting: set[tuple[str, Key]] = set()
        self._root = f"/apis/{gateway_config_crd.version(settings.release)}"
        self.gateways = Cache("/apis/gateway.networking.k8s.io/v1/gateways", self._gateway_changed)
        self.configs = Cache(f"{self._root}/gatewayconfigs", self._config_changed)
        self.routes = Cache(f"{self._root}/aigatewayroutes", self._route_changed)

    async def run(self, ready: Callable[[], None]) -> None:
        """Work until cancelled; `ready` is told when all is listed."""
        async with asyncio.TaskGroup() as group:
            for cache in (self.gateways, self.configs, self.routes):
                group.create_task(cache.run(self._client))
            for cache in (self.gateways, self.configs, self.routes):
                await cache.synced.wait()
            ready()
            await self._work()

    def config_of(self, gateway: Key) -> dict[str, Any] | None:
        """The GatewayConfig that a Gateway's annotation names; None for no annotation, and for a missing object."""
        found = self.gateways.objects.get(gateway)
        name = _annotations(found).get(extproc.CONFIG_ANNOTATION) if found else None
        return self.configs.objects.get((gateway[0], name)) if name else None

    def has_route(self, gateway: Key) -> bool:
        """Whether an AIGatewayRoute refers to a Gateway; without one its pods are left alone."""
        return any(gateway in _parents(route) for route in self.routes.objects.values())

    def _gateway_changed(self, key: Key, _: object, after: object) -> None:
        if after:
            self._enqueue("Gateway", key)

    def _config_changed(self, key: Key, _: object, after: object) -> None:
        # A deleted one sets nothing off: its env stays in the pods until they are rolled for another reason.
        if after:
            self._enqueue("GatewayConfig", key)

    def _route_changed(self, _: Key, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        for route in (before, after):
            for gateway in _parents(route) if route else ():
                self._enqueue("Gateway", gateway)

    def _enqueue(self, kind: str, key: Key) -> None:
        if (kind, key) not in self._waiting:
            self._waiting.add((kind, key))
            self._queue.put_nowait((kind, key))

    def _enqueue_later(self, kind: str, key: Key, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._enqueue, kind, key)

    async def _work(self) -> None:
        while True:
            kind, key = await self._queue.get()
            self._waiting.discard((kind, key))
            try:
                if kind == "Gateway":
                    await self._reconcile_gateway(key)
                else:
                    await self._reconcile_config(key)
            except (aiohttp.ClientError, TimeoutError) as error:
                _LOG.info("%s %s: %s", kind, key, error)
                self._enqueue_later(kind, key, _RETRY_SECONDS)

    async def _reconcile_config(self, key: Key) -> None:
        # Who refers to it is looked up now: a Gateway that is annotated later is not told.
        namespace, name = key
        for gateway, item in self.gateways.objects.items():
            if gateway[0] == namespace and _annotations(item).get(extproc.CONFIG_ANNOTATION) == name:
                self._enqueue("Gateway", gateway)
        condition = {
            "type": "Accepted",
            "status": "True",
            "reason": "Accepted",
            "message": "GatewayConfig reconciled successfully",
            "lastTransitionTime": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        path = f"{self._root}/namespaces/{namespace}/gatewayconfigs/{name}/status"
        await self._client.merge(path, {"status": {"conditions": [condition]}})

    async def _reconcile_gateway(self, key: Key) -> None:
        if key not in self.gateways.objects:
            return
        pods = await self._owned(key, "/api/v1", "pods")
        deployments = await self._owned(key, "/apis/apps/v1", "deployments")
        if not pods and not deployments:
            # Where they will be is known once Envoy Gateway has made them.
            self._enqueue_later("Gateway", key, _REQUEUE_SECONDS)
            return
        has_route, config = self.has_route(key), self.config_of(key)
        await self._write_filter_config(key, (deployments or pods)[0]["metadata"]["namespace"])
        if any(_is_rolling(each) for each in deployments):
            self._enqueue_later("Gateway", key, _REQUEUE_SECONDS)
            return
        mark = str(uuid.uuid4())
        live = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        for pod in live:
            # The real one does so for kubelets to look at the Secret sooner.
            await self._client.merge(_path("/api/v1", "pods", pod), _annotate({extproc.UUID_ANNOTATION: mark}))
        right = {extproc.has_sidecar(pod, self._settings, config) for pod in live}
        wrong_state = len(right) > 1 or has_route != (right == {True})
        for deployment in deployments:
            annotations = self._template_annotations(deployment, has_route, wrong_state, config, mark)
            if annotations:
                patch = {"spec": {"template": _annotate(annotations)}}
                await self._client.merge(_path("/apis/apps/v1", "deployments", deployment), patch)

    def _template_annotations(
        self,
        deployment: Mapping[str, Any],
        has_route: bool,
        wrong_state: bool,
        config: dict[str, Any] | None,
        mark: str,
    ) -> dict[str, str]:
        annotations = {extproc.UUID_ANNOTATION: mark} if wrong_state else {}
        if has_route and self._settings.rolls_on_change:
            wanted = extproc.config_hash(self._settings, config)
            if _annotations(deployment["spec"]["template"]).get(extproc.HASH_ANNOTATION) != wanted:
                annotations[extproc.HASH_ANNOTATION] = wanted
        return annotations

    async def _owned(self, gateway: Key, root: str, plural: str) -> list[dict[str, Any]]:
        label = "gateway.envoyproxy.io%2Fowning-gateway"
        query = f"labelSelector={label}-name%3D{gateway[1]}%2C{label}-namespace%3D{gateway[0]}"
        found = []
        for namespace in dict.fromkeys((gateway[0], self._envoy_namespace)):
            found += (await self._client.call("GET", f"{root}/namespaces/{namespace}/{plural}?{query}"))["items"]
        return found

    async def _write_filter_config(self, gateway: Key, namespace: str) -> None:
        name = filter_config_name(gateway)
        path = f"/api/v1/namespaces/{namespace}/secrets"
        if await self._client.call("GET", f"{path}/{name}") is None:
            await self._client.call("POST", path, {"metadata": {"name": name}, "stringData": {"config": "{}"}})


def filter_config_name(gateway: Key) -> str:
    """The Secret without which the webhook leaves a pod alone: it is written once there is a Deployment or a pod."""
    return f"ai-gateway-filter-config-{gateway[0]}-{gateway[1]}"


def _is_rolling(deployment: Mapping[str, Any]) -> bool:
    status = deployment.get("status", {})
    behind = status.get("observedGeneration", 0) < deployment["metadata"]["generation"]
    return bool(behind or status.get("replicas", 0) > status.get("updatedReplicas", 0))


def _parents(route: Mapping[str, Any]) -> Iterator[Key]:
    for parent in route.get("spec", {}).get("parentRefs") or ():
        yield parent.get("namespace") or route["metadata"]["namespace"], parent["name"]


def _annotations(item: Mapping[str, Any]) -> Mapping[str, str]:
    return item.get("metadata", {}).get("annotations") or {}


def _annotate(annotations: Mapping[str, str]) -> dict[str, Any]:
    return {"metadata": {"annotations": dict(annotations)}}


def _path(root: str, plural: str, item: Mapping[str, Any]) -> str:
    return f"{root}/namespaces/{item['metadata']['namespace']}/{plural}/{item['metadata']['name']}"


def _key(item: Mapping[str, Any]) -> Key:
    return item["metadata"]["namespace"], item["metadata"]["name"]
