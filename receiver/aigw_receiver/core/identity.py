"""Which gateway a resource speaks for: one table of attributes, in order of preference. It asks nobody else."""

from collections.abc import Mapping
from typing import Final

from aigw_receiver.core.model import Identity

# Our own attributes, which the operator injects, come first; then those of SkyWalking's SWIP-10 recipe
# (aigw.service, service.instance.id); then OpenTelemetry's general ones.
NAMESPACE: Final = ("aigw.gateway.namespace", "k8s.namespace.name", "service.namespace")
NAME: Final = ("aigw.gateway.name", "aigw.service", "service.name")
POD: Final = ("k8s.pod.name", "service.instance.id")

# A gateway that says nothing of itself is still shown, under a name that can be searched for.
UNKNOWN_NAME: Final = "unknown"


def identify(attributes: Mapping[str, str]) -> Identity:
    """The identity in the attributes of a resource; an empty value counts as absent."""
    return Identity(
        namespace=_first(attributes, NAMESPACE),
        name=_first(attributes, NAME) or UNKNOWN_NAME,
        pod=_first(attributes, POD),
    )


def _first(attributes: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((attributes[key] for key in keys if attributes.get(key)), "")
