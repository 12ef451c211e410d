"""The demo's chapter on the operator: what a newcomer without a cluster is shown of it."""

import asyncio

import pytest
import yaml

from aigw_demo import wiring
from aigw_demo.fleet import PODS
from aigw_demo.receiver import StartError

CHAPTER = """\
On a cluster nobody sets this up by hand. For a Gateway, a TelemetryPolicy and a TelemetryReceiver
(demo/manifests) the operator would write 12 objects:

  for the Gateway   GatewayConfig, Backend, EnvoyProxy, Gateway
  for the receiver  ServiceAccount, ConfigMap, 3 Services, NetworkPolicy, PodDisruptionBudget, StatefulSet

and give the Gateway's pods this environment (GatewayConfig storefront-aigw-telemetry):

  POD_NAME=<metadata.name>
  GATEWAY_NAME=<metadata.labels['gateway.envoyproxy.io/owning-gateway-name']>
  GATEWAY_NAMESPACE=<metadata.labels['gateway.envoyproxy.io/owning-gateway-namespace']>
  OTEL_SERVICE_NAME=$(GATEWAY_NAME)
  OTEL_RESOURCE_ATTRIBUTES=job_name=envoy-ai-gateway,
      service.instance.id=$(POD_NAME),
      service.layer=ENVOY_AI_GATEWAY,
      aigw.service=$(GATEWAY_NAME),
      aigw.gateway.namespace=$(GATEWAY_NAMESPACE),
      aigw.gateway.name=$(GATEWAY_NAME),
      k8s.pod.name=$(POD_NAME)
  OTEL_EXPORTER_OTLP_ENDPOINT=http://default-0.aigw-telemetry.svc.cluster.local:4317
  OTEL_EXPORTER_OTLP_PROTOCOL=grpc
  OTEL_METRICS_EXPORTER=otlp
  OTEL_METRIC_EXPORT_INTERVAL=10000
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative
  OTEL_TRACES_EXPORTER=none

all of it: .venv/bin/aigw-operator render demo/manifests
"""


def stream() -> str:
    """What the real program prints."""
    return asyncio.run(wiring.render_manifests())


def test_chapter() -> None:
    """A newcomer would not be shown what the operator writes, or something else than it writes."""
    assert CHAPTER.splitlines() == wiring.build_chapter(stream())


def test_stand_in_sends_what_the_operator_injects() -> None:
    """The demo's pods would identify themselves in another way than the pods of a cluster."""
    pod = PODS[0]
    values = {"$(POD_NAME)": pod.name, "$(GATEWAY_NAME)": pod.gateway, "$(GATEWAY_NAMESPACE)": pod.namespace}
    (config,) = (raw for raw in yaml.safe_load_all(stream()) if raw["kind"] == "GatewayConfig")
    (text,) = (
        variable["value"]
        for variable in config["spec"]["extProc"]["kubernetes"]["env"]
        if variable["name"] == "OTEL_RESOURCE_ATTRIBUTES"
    )

    injected = dict(pair.split("=") for pair in text.split(","))
    assert {key: values.get(value, value) for key, value in injected.items()} == {
        key: value for key, value in pod.resource.items() if key != "service.name"
    }


def test_a_rendering_that_fails_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken manifest would end the demo in a traceback."""
    monkeypatch.setattr(wiring, "MANIFESTS", wiring.MANIFESTS / "gone.yaml")
    with pytest.raises(StartError, match=r"aigw-operator render .*gone\.yaml ended with status 2: .*No such file"):
        asyncio.run(wiring.render_manifests())


def test_access_logs_are_what_the_operator_writes() -> None:
    """The demo's Envoys would log other fields, or to another gateway's name, than those of a cluster."""
    gateways = {(pod.namespace, pod.gateway) for pod in PODS}
    rendered = asyncio.run(wiring.render_access_logs(gateways))
    (ours,) = (raw for raw in yaml.safe_load_all(stream()) if raw["kind"] == "EnvoyProxy")
    formats = [each["format"] for each in ours["spec"]["telemetry"]["accessLog"]["settings"] if "format" in each]

    assert gateways == rendered.keys()
    for (namespace, name), settings in rendered.items():
        targets = [setting["sinks"][0]["openTelemetry"]["resourceAttributes"] for setting in settings]
        assert formats == [setting["format"] for setting in settings]
        assert [(namespace, name)] * 2 == [
            (target["aigw.gateway.namespace"], target["aigw.gateway.name"]) for target in targets
        ]
