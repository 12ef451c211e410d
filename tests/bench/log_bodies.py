"""Exports of access logs as a gateway's Envoy writes them: the same for every server that is measured."""

import random
from collections.abc import Iterator
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

RECORDS: Final = 20
KEPT: Final = 0.05
NOW: Final = 1_795_353_600_000_000_000

MODELS: Final = ("gpt-5-nano", "gpt-5-mini", "claude-sonnet-4-5", "gemini-2.5-flash", "llama-3.3-70b")
FAILURES: Final = (("503", "UF"), ("504", "UT"), ("200", "DC"), ("404", "NR"), ("429", "-"), ("500", "-"))


def requests(seed: int, count: int, pod: str = "x2k4j") -> Iterator[bytes]:
    """Bodies of exports of one gateway pod."""
    rng = random.Random(seed)
    node = f"envoy-default-main-76d02f2b-5d4f7b9c6-{pod}"
    resource = {
        "log_name": "otel_envoy_accesslog",
        "zone_name": "",
        "cluster_name": "default/main",
        "node_name": node,
        "aigw.gateway.namespace": "default",
        "aigw.gateway.name": "main",
    }
    for number in range(count):
        request = logs_service_pb2.ExportLogsServiceRequest()
        logs = request.resource_logs.add()
        fill(logs.resource.attributes, resource)
        scope = logs.scope_logs.add()
        for index in range(RECORDS):
            item = scope.log_records.add(time_unix_nano=NOW + number * 1_000_000_000 + index * 1_000_000)
            fill(item.attributes, record(rng, node))
        yield request.SerializeToString()


def record(rng: random.Random, node: str) -> dict[str, str]:
    """The 26 attributes of one request; most end well."""
    model = rng.choice(MODELS)
    kept = rng.random() < KEPT
    code, flags = rng.choice(FAILURES) if kept else ("200", "-")
    good = code == "200" and flags == "-"
    given, cached, answered = (int(rng.lognormvariate(*shape)) for shape in ((6, 0.8), (4, 1), (5, 0.8)))
    given, answered = min(given, 8_000), min(answered, 1_900)

    def count(value: int) -> str:
        return str(value) if good else "-"

    return {
        "k8s.pod.name": node,
        "ai_route_type": "llm",
        "ai_service_backend_name": f"default/{model.partition('-')[0]}",
        "bytes_received": str(rng.randrange(200, 40_000)),
        "bytes_sent": str(rng.randrange(200, 40_000)),
        "connection_termination_details": "-",
        "downstream_remote_address": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}:{rng.randrange(65536)}",
        "duration": str(int(rng.lognormvariate(7, 0.7))),
        "gen_ai.request.model": model,
        "gen_ai.response.model": f"{model}-2026-01-01" if good else "-",
        "gen_ai.usage.cache_read.input_tokens": count(min(cached, given)),
        "gen_ai.usage.input_tokens": count(given),
        "gen_ai.usage.output_tokens": count(answered),
        "gen_ai.usage.total_tokens": count(given + answered),
        "method": "POST",
        "request.path": "/v1/chat/completions",
        "response_code": code,
        "response_flags": flags,
        "route_name": "default/chat",
        "start_time": f"2026-11-22T13:{rng.randrange(60):02}:{rng.randrange(60):02}.{rng.randrange(1000):03}Z",
        "upstream_cluster": "httproute/default/chat/rule/0",
        "upstream_host": f"10.1.0.{rng.randrange(1, 5)}:443",
        "upstream_transport_failure_reason": "delayed_connect_error:_111" if flags == "UF" else "-",
        "user-agent": "openai-python/1.99",
        "x-forwarded-for": f"192.0.2.{rng.randrange(256)}",
        "x-request-id": f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4b8a-9d54-{rng.getrandbits(48):012x}",
    }


def fill(attributes: Any, values: dict[str, str]) -> None:
    """Add texts as attributes."""
    for key, value in values.items():
        attributes.add(key=key).value.string_value = value
