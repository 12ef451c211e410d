"""From a real Envoy with the settings that the operator writes into the real receiver: each request is counted once."""

import http.client
import json
import re
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

from aigw_operator.core import access_log
from aigw_operator.core.model import Capabilities
from dataplane import envoy_gateway, loopback_servers, real_envoy
from dataplane.loopback_servers import PATIENCE
from dataplane.test_access_log_formats import NODE, SECRET, build_bootstrap
from receiver_program import Receiver, start_receiver

SETTINGS = access_log.build_settings(
    "aigw-telemetry-0123456789",
    4317,
    capabilities=Capabilities(resource_attributes=True),
    service_attributes=(
        ("service.name", "chat"),
        ("aigw.gateway.namespace", "default"),
        ("aigw.gateway.name", "chat"),
    ),
)
# More than one flush of Envoy's buffer (16 KiB) of them.
_ORDINARY = 200


def _request(port: int, headers: dict[str, str], *, path: str = "/v1/chat/completions") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", f"{path}?api_key={SECRET}", b"{}", headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _requests(receiver: Receiver) -> dict[tuple[str, ...], int]:
    """Requests by route type, status and ending."""
    counts: Counter[tuple[str, ...]] = Counter()
    for labels, value in re.findall(r"^aigw_requests_total\{(.*)\} (\S+)$", receiver.scrape(), re.MULTILINE):
        named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        counts[named["ai_route_type"], named["status_code"], named["ending"]] += int(float(value))
    return counts


def _wait_for(receiver: Receiver, total: int) -> dict[tuple[str, ...], int]:
    """The counts once there are as many, or when patience is at its end."""
    deadline = time.monotonic() + PATIENCE
    while sum((counts := _requests(receiver)).values()) < total and time.monotonic() < deadline:
        time.sleep(0.1)
    return counts


def _dead_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def test_every_request_is_counted_once(tmp_path: Path) -> None:
    """A request of a gateway is lost on its way, counted twice, or the wrong ones are kept."""
    kept = tmp_path / "kept.jsonl"
    # The stand-in for ext_proc notes 100,300 tokens of each request.
    rules: dict[str, Any] = {"tokens": {"total": 200_000}}
    config = {"access_logs": {"file": {"path": str(kept)}, "rules": rules}}
    with loopback_servers.serve_upstream() as (upstream, _), start_receiver(config=config) as receiver:
        logs = receiver.ports.grpc[0]
        with real_envoy.run(build_bootstrap(SETTINGS, logs_port=logs, upstream_port=upstream), NODE, tmp_path) as ports:
            gateway = ports[envoy_gateway.LISTENER]
            for _ in range(_ORDINARY):
                assert 200 == _request(gateway, {"x-ai-eg-model": "gpt-5-nano"})
            for _ in range(5):
                assert 200 == _request(gateway, {"x-ai-eg-mcp-backend": "everything"}, path="/mcp")
            # Neither route of AI Gateway.
            assert 200 == _request(gateway, {})
            assert 404 == _request(gateway, {"x-ai-eg-model": "gpt-5-nano"}, path="/nowhere")
            counts = _wait_for(receiver, _ORDINARY + 6)
        broken = tmp_path / "broken"
        broken.mkdir()
        refusing = build_bootstrap(SETTINGS, logs_port=logs, upstream_port=_dead_port())
        with real_envoy.run(refusing, NODE, broken) as ports:
            assert 503 == _request(ports[envoy_gateway.LISTENER], {"x-ai-eg-model": "gpt-5-nano"})
            counts = _wait_for(receiver, _ORDINARY + 7)
        assert 0 == receiver.stop()
    assert {
        ("llm", "200", "ok"): _ORDINARY,
        ("mcp", "200", "ok"): 5,
        ("llm", "404", "gateway_error"): 1,
        ("llm", "503", "upstream_error"): 1,
    } == counts
    lines = [json.loads(line) for line in kept.read_bytes().splitlines()]
    assert [(404, "errors"), (503, "errors,upstream_failure")] == [(line["status"], line["rules"]) for line in lines]
    assert {("default", "chat", NODE.pod)} == {
        (line["gateway_namespace"], line["gateway_name"], line["gateway_pod"]) for line in lines
    }
    assert SECRET.encode() not in kept.read_bytes()
