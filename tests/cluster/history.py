"""Everything that happened to some objects of a namespace, in the order in which the API server wrote it.

Watches of several kinds come in at different speeds; resourceVersions of one etcd give them one order.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cluster import api as api_
from cluster import control_plane

GATEWAY: Final = ("gateway.networking.k8s.io/v1", "Gateway")
PROXY: Final = ("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy")
BACKEND: Final = ("gateway.envoyproxy.io/v1alpha1", "Backend")
CONFIG: Final = ("aigateway.envoyproxy.io/v1beta1", "GatewayConfig")

Key = tuple[str, str]
"""kind and name"""


class History:
    """Events of Gateways and of what they refer to."""

    def __init__(self, plane: control_plane.ControlPlane, namespace: str, kinds: tuple[tuple[str, str], ...]) -> None:
        self._lock = threading.Lock()
        self._events: list[tuple[int, str, str, dict[str, Any]]] = []
        self._api = plane.api
        self._namespace = namespace
        self._ended = threading.Event()
        self._began = 0
        """what was written up to here was there before, all at one time, whatever was written last"""
        self._kinds = kinds
        self._threads = [threading.Thread(target=self._follow, args=kind, daemon=True) for kind in kinds]

    def start(self) -> None:
        """Begin to follow."""
        there = [item for kind in self._kinds for item in self._api.items(*kind, self._namespace)]
        self._began = max((int(item["metadata"]["resourceVersion"]) for item in there), default=0)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Follow no longer than to the next event, or to the end of the watch that is open."""
        self._ended.set()

    def _follow(self, api_version: str, kind: str) -> None:
        while not self._ended.is_set():
            # A watch that was quiet for a minute ends; the next one begins with what is there.
            with contextlib.suppress(OSError, ValueError):
                self._read(api_version, kind)

    def _read(self, api_version: str, kind: str) -> None:
        with contextlib.closing(self._api.watch(self._api.path(api_version, kind, self._namespace))) as events:
            for event in events:
                if self._ended.is_set():
                    return
                item = dict(event["object"])
                with self._lock:
                    version = int(item["metadata"]["resourceVersion"])
                    self._events.append((version, kind, str(event["type"]), item))

    def events(self) -> list[tuple[int, str, str, dict[str, Any]]]:
        """All events so far, in the order of writing: version, kind, type, object."""
        with self._lock:
            return sorted(self._events, key=lambda event: event[0])

    def dangling(self) -> list[str]:
        """Every moment at which a Gateway or an EnvoyProxy referred to something that did not exist."""
        there: dict[Key, dict[str, Any]] = {}
        found = []
        for version, kind, change, item in self.events():
            key = (kind, str(item["metadata"]["name"]))
            if change == "DELETED":
                there.pop(key, None)
            else:
                there[key] = item
            if version >= self._began:
                found += [f"{version}: {problem}" for problem in _problems(there)]
        return found

    def unaccepted(self, gateway: str) -> list[str]:
        """Every state of a Gateway in which Envoy Gateway did not accept it, once it had."""
        accepted, found = False, []
        for version, kind, _, item in self.events():
            if kind != "Gateway" or item["metadata"]["name"] != gateway:
                continue
            status = api_.condition(item, "Accepted")
            if accepted and status == "False":
                found.append(f"{version}: {item.get('status')}")
            accepted = accepted or status == "True"
        return found


def _problems(there: Mapping[Key, Mapping[str, Any]]) -> Iterator[str]:
    for (kind, name), item in there.items():
        if kind == "Gateway":
            config = item["metadata"].get("annotations", {}).get("aigateway.envoyproxy.io/gateway-config")
            reference = (item["spec"].get("infrastructure") or {}).get("parametersRef")
            if config and ("GatewayConfig", config) not in there:
                yield f"Gateway {name} refers to GatewayConfig {config}"
            if reference and ("EnvoyProxy", reference["name"]) not in there:
                yield f"Gateway {name} refers to EnvoyProxy {reference['name']}"
        if kind == "EnvoyProxy":
            for backend in backends_of(item):
                if ("Backend", backend) not in there:
                    yield f"EnvoyProxy {name} refers to Backend {backend}"


def backends_of(proxy: Mapping[str, Any]) -> Iterator[str]:
    """The Backends that the access-log sinks of an EnvoyProxy refer to."""
    logs = (proxy["spec"].get("telemetry") or {}).get("accessLog") or {}
    for setting in logs.get("settings") or ():
        for sink in setting.get("sinks") or ():
            for reference in (sink.get("openTelemetry") or {}).get("backendRefs") or ():
                if reference.get("kind") == "Backend":
                    yield reference["name"]


@contextlib.contextmanager
def following(
    plane: control_plane.ControlPlane,
    namespace: str,
    kinds: tuple[tuple[str, str], ...] = (GATEWAY, PROXY, BACKEND, CONFIG),
) -> Iterator[History]:
    """Follow while the block runs. The threads end with the next event, or a minute later."""
    history = History(plane, namespace, kinds)
    history.start()
    try:
        yield history
    finally:
        history.stop()
