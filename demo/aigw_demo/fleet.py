"""The gateways of the demo and their pods, with the identity that each pod sends. It must not open a port or send."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a gateway: what it is called, and how it counts."""

    namespace: str
    gateway: str
    name: str
    delta: bool = False

    @property
    def labels(self) -> dict[str, str]:
        """The identity labels that every series of this pod must carry."""
        return {"gateway_namespace": self.namespace, "gateway_name": self.gateway, "gateway_pod": self.name}

    @property
    def resource(self) -> dict[str, str]:
        """The resource attributes that the operator injects into a gateway's pod."""
        return {
            "service.name": self.gateway,
            "aigw.service": self.gateway,
            "job_name": "envoy-ai-gateway",
            "service.layer": "ENVOY_AI_GATEWAY",
            "service.instance.id": self.name,
            "aigw.gateway.namespace": self.namespace,
            "aigw.gateway.name": self.gateway,
            "k8s.pod.name": self.name,
        }


# Pod names have the shape that Envoy Gateway gives them: envoy-NAMESPACE-GATEWAY-HASH and a Deployment's two suffixes.
PODS: Final = (
    Pod("shop", "storefront", "envoy-shop-storefront-3f1c9a52-6d9f7c5b88-7kq2x"),
    Pod("shop", "storefront", "envoy-shop-storefront-3f1c9a52-6d9f7c5b88-w4mzd"),
    Pod("data", "research", "envoy-data-research-b07e41d6-5c8d96f4b7-tx9hn", delta=True),
)

# The pod that stands for a real gateway on this machine.
REAL_POD: Final = Pod("default", "aigw-run", "aigw-run-0")
