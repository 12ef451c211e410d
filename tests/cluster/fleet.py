"""Hundreds of Gateways with Envoy pods, for measurements. It measures nothing.

With the real Envoy Gateway, that one makes the Deployments. Without it they are made here, with the labels that it
puts on them; nobody gives the Gateways a status then, and no EnvoyProxy is read. Either way Kubernetes' own controllers
make and roll the pods, and the stand-in for AI Gateway injects into them.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from cluster import ai_gateway, ai_gateway_controller, control_plane, envoy_gateway, extproc, gateways

_POLL_SECONDS: Final = 1.0
# A pod of Envoy Gateway: facts of its label contract, the same in all its releases.
_LABELS: Final = {
    "app.kubernetes.io/name": "envoy",
    "app.kubernetes.io/component": "proxy",
    "app.kubernetes.io/managed-by": "envoy-gateway",
}


class Fleet:
    """Gateways spread evenly over namespaces, in the order of their names."""

    def __init__(
        self, plane: control_plane.ControlPlane, ai: ai_gateway.AiGateway, *, size: int, namespaces: int, by_hand: bool
    ) -> None:
        self.namespaces = [f"team-{number}" for number in range(namespaces)]
        self.names = [(self.namespaces[number % namespaces], f"gw-{number:03}") for number in range(size)]
        self._plane = plane
        self._ai = ai
        self._by_hand = by_hand

    def create(self, seconds: float) -> None:
        """Create all, and return once each has one pod with an external processor and nothing rolls any more."""
        api = self._plane.api
        for namespace in self.namespaces:
            api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for namespace, name in self.names:
            api.create(gateways.gateway(namespace, name))
            api.create(self._ai.route(namespace, name))
        if self._by_hand:
            for key in self.names:
                secret = {"namespace": envoy_gateway.NAMESPACE, "name": ai_gateway_controller.filter_config_name(key)}
                api.create({"apiVersion": "v1", "kind": "Secret", "metadata": secret})
                api.create(_deployment(*key, extproc.config_hash(self._ai.settings, None)))
        await_until(self.is_steady, f"{len(self.names)} pods with an external processor", seconds)

    def is_steady(self) -> bool:
        """Whether AI Gateway has seen every Deployment, and every Gateway has one pod, with an external processor."""
        found = self._plane.api.items("apps/v1", "Deployment", envoy_gateway.NAMESPACE, _SELECTOR)
        seen = [
            item
            for item in found
            if extproc.HASH_ANNOTATION in (item["spec"]["template"]["metadata"].get("annotations") or {})
            and item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]
        ]
        if len(seen) < len(self.names):
            return False
        pods = self._plane.api.items("v1", "Pod", envoy_gateway.NAMESPACE, _SELECTOR)
        return len(pods) == len(self.names) and all(extproc.find_container(pod) for pod in pods)


_SELECTOR: Final = "app.kubernetes.io/managed-by=envoy-gateway,app.kubernetes.io/component=proxy"


def await_until(holds: Callable[[], bool], what: str, seconds: float) -> None:
    """Return once something holds; looked at rarely, as a list of hundreds of objects is work for the API server."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            message = f"not within {seconds:.0f} s: {what}"
            raise TimeoutError(message)
        time.sleep(_POLL_SECONDS)


def _deployment(namespace: str, name: str, injected: str) -> dict[str, Any]:
    """What Envoy Gateway makes for a Gateway, as far as anybody reads it, and AI Gateway's hash of what it injects.

    With the hash, and the Secret that the webhook wants to see, the first pod is right, and nothing is rolled.
    """
    label = "gateway.envoyproxy.io/owning-gateway"
    labels = {**_LABELS, f"{label}-namespace": namespace, f"{label}-name": name}
    template = {
        "metadata": {"labels": labels, "annotations": {extproc.HASH_ANNOTATION: injected}},
        "spec": {"containers": [{"name": "envoy", "image": "docker.io/envoyproxy/envoy:distroless"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": envoy_gateway.NAMESPACE, "name": f"envoy-{namespace}-{name}", "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
