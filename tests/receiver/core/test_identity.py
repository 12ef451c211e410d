"""A resource is given to the right gateway and pod, whoever wrote its attributes."""

import pytest

from aigw_receiver.core.identity import identify
from aigw_receiver.core.model import Identity


@pytest.mark.parametrize(
    ("attributes", "identity"),
    [
        ({}, Identity("", "unknown", "")),
        # injected by our operator
        (
            {
                "aigw.gateway.namespace": "ns",
                "aigw.gateway.name": "gw",
                "k8s.pod.name": "pod",
                "service.name": "ai-gateway",
            },
            Identity("ns", "gw", "pod"),
        ),
        # SkyWalking's recipe
        (
            {"aigw.service": "gw", "service.name": "envoy-ai-gateway", "service.instance.id": "pod", "job_name": "x"},
            Identity("", "gw", "pod"),
        ),
        # any OpenTelemetry SDK
        (
            {"service.namespace": "shop", "service.name": "app", "service.instance.id": "0815"},
            Identity("shop", "app", "0815"),
        ),
        # each part is looked for on its own, and the more specific attribute wins whatever the order
        (
            {
                "service.namespace": "a",
                "k8s.namespace.name": "b",
                "service.name": "c",
                "aigw.service": "d",
                "service.instance.id": "e",
                "k8s.pod.name": "f",
            },
            Identity("b", "d", "f"),
        ),
        ({"aigw.gateway.namespace": "a", "k8s.namespace.name": "b"}, Identity("a", "unknown", "")),
        ({"aigw.gateway.name": "a", "aigw.service": "b"}, Identity("", "a", "")),
        # an empty value is none
        ({"aigw.gateway.name": "", "service.name": "app", "k8s.pod.name": ""}, Identity("", "app", "")),
        ({"telemetry.sdk.language": "go"}, Identity("", "unknown", "")),
    ],
)
def test_identity(attributes: dict[str, str], identity: Identity) -> None:
    """The series of one gateway appear under the name of another, or two pods become one."""
    assert identity == identify(attributes)
