"""A Gateway of the real Envoy Gateway in a namespace of its own, what is applied to it, and the means to look at it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from cluster import ai_gateway, control_plane, envoy_gateway, extproc, gateways, history
from cluster import api as api_

TELEMETRY: Final = "telemetry.aigw.dev/v1alpha1"
GATEWAY_API: Final = envoy_gateway.GATEWAY_API
V1_1: Final = extproc.Settings("v1.1")
POLICY: Final = "ai-gateways"

WIRED: Final[Mapping[str, tuple[str, str]]] = {
    "Accepted": ("True", "Accepted"),
    "Injected": ("True", "Injected"),
    "AccessLogsWired": ("True", "Wired"),
    "CostsConfigured": ("True", "Configured"),
}
"""The conditions of a Gateway that is wired, but for what is received."""


class Build(Protocol):
    """Sets a scene: an AI Gateway of some release, objects of the user's, and a Gateway that becomes Programmed."""

    def __call__(self, settings: extproc.Settings = V1_1, *objects: Mapping[str, Any], **gateway: Any) -> "Scene":
        """Set it; `gateway` goes to gateways.gateway."""


def receiver(namespace: str, **spec: Any) -> dict[str, Any]:
    """A TelemetryReceiver, with every default unless the spec says otherwise."""
    metadata = {"namespace": namespace, "name": "default"}
    return {"apiVersion": TELEMETRY, "kind": "TelemetryReceiver", "metadata": metadata, "spec": spec}


def policy(namespace: str, **spec: Any) -> dict[str, Any]:
    """A TelemetryPolicy for every Gateway of a namespace, with its receiver there too."""
    content = {
        "targetSelectors": [{"group": "gateway.networking.k8s.io", "kind": "Gateway"}],
        "receiverRef": {"name": "default", "namespace": namespace},
        **spec,
    }
    metadata = {"namespace": namespace, "name": POLICY}
    return {"apiVersion": TELEMETRY, "kind": "TelemetryPolicy", "metadata": metadata, "spec": content}


class Scene:
    """What a test does to its namespace, and sees of it."""

    def __init__(
        self,
        plane: control_plane.ControlPlane,
        envoy: envoy_gateway.EnvoyGateway,
        ai: ai_gateway.AiGateway | None,
        namespace: str,
    ) -> None:
        self.plane = plane
        self.envoy = envoy
        self.ai = ai
        self.namespace = namespace

    @property
    def version(self) -> str:
        """The apiVersion of GatewayConfigs."""
        assert self.ai is not None
        return self.ai.api_version

    def apply_policy(self, **spec: Any) -> None:
        """Apply a policy as its user."""
        self.plane.api.apply(policy(self.namespace, **spec))

    def delete_policy(self) -> None:
        """Delete the policy as its user."""
        self.plane.api.delete(TELEMETRY, "TelemetryPolicy", self.namespace, POLICY)

    def conditions(self, gateway: str = "gw") -> dict[str, tuple[str, str]]:
        """Status and reason of each condition that the policy's status has for a Gateway."""
        found = self.plane.api.find(TELEMETRY, "TelemetryPolicy", self.namespace, POLICY) or {}
        for entry in found.get("status", {}).get("ancestors", ()):
            if entry["ancestorRef"]["name"] == gateway:
                return {item["type"]: (item["status"], item["reason"]) for item in entry["conditions"]}
        return {}

    def wait(self, wanted: Mapping[str, tuple[str, str]], *, gateway: str = "gw", seconds: float = 90) -> None:
        """Wait for conditions of a Gateway."""

        def reached() -> bool:
            found = self.conditions(gateway)
            return all(found.get(kind) == value for kind, value in wanted.items())

        try:
            self.plane.api.wait_until(reached, f"conditions {dict(wanted)}", seconds=seconds)
        except Exception as error:
            message = f"wanted {dict(wanted)}, found {self.conditions(gateway)}"
            raise AssertionError(message) from error

    def env(self, gateway: str = "gw") -> list[Any]:
        """The env of the external processor in each pod of a Gateway; None for a pod without one."""
        found = [extproc.find_container(pod) for pod in self.envoy.pods(self.namespace, gateway)]
        return [None if each is None else each.get("env", []) for each in found]

    def objects(self) -> dict[str, Any]:
        """Every Gateway, GatewayConfig, EnvoyProxy and Backend of the namespace, without what controllers write."""
        kinds = [(GATEWAY_API, "Gateway"), history.PROXY, history.BACKEND]
        if self.ai is not None:
            kinds.append((self.ai.api_version, "GatewayConfig"))
        return {
            f"{kind}/{item['metadata']['name']}": api_.without_bookkeeping(item)
            for version, kind in kinds
            for item in self.plane.api.items(version, kind, self.namespace)
        }

    def wait_for_objects(self, wanted: Mapping[str, Any], *, seconds: float = 120) -> None:
        """Wait until the namespace holds exactly these objects."""
        self.plane.api.wait_until(lambda: self.objects() == wanted, "everything as it was before", seconds=seconds)

    def sinks(self, gateway: str = "gw") -> list[tuple[str, tuple[tuple[str, int], ...]]]:
        """The access-log sinks of a Gateway's routes, as Envoy Gateway tells Envoy."""
        logs = self.envoy.access_logs(self.namespace, gateway)
        return sorted((each.sink, each.endpoints) for each in logs if each.of_routes)

    def receiver_host(self, shard: int = 0) -> str:
        """The DNS name of a shard of the receiver."""
        return f"default-{shard}.{self.namespace}.svc.cluster.local"


@contextlib.contextmanager
def builder(
    plane: control_plane.ControlPlane,
    envoy: envoy_gateway.EnvoyGateway,
    start_ai_gateway: Callable[[extproc.Settings], ai_gateway.AiGateway],
    namespace: str,
) -> Iterator[Build]:
    """Give a function that sets the scene of one test."""

    def build(settings: extproc.Settings = V1_1, *objects: Mapping[str, Any], **gateway: Any) -> Scene:
        ai = start_ai_gateway(settings)
        for manifest in objects:
            plane.api.apply(manifest)
        plane.api.apply(gateways.gateway(namespace, "gw", **gateway))
        plane.api.apply(ai.route(namespace, "gw"))
        envoy.give_address(namespace, "gw")
        envoy.wait_programmed(namespace, "gw")
        return Scene(plane, envoy, ai, namespace)

    yield build
