"""The access logs of the demo's Envoy against those of the real AI Gateway: the same requests, the same records.

Both got the requests that the captures' run got (tests/captures/README.md).
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import aiohttp
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from aigw_demo.fleet import Pod
from aigw_demo.standin import serve_provider, start_pod
from aigw_demo.wiring import render_access_logs
from dataplane import loopback_servers, real_envoy
from demo.exports import CAPTURES
from demo.test_gateway_standin import send_llm_requests, send_mcp_requests

Records = Counter[tuple[tuple[str, str], ...]]

# What both formats have, but for addresses and times; the captured run called tools of other names.
LLM_FIELDS: Final = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.provider.name",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "response_code",
    "request.path",
    "x-envoy-origin-path",
)
MCP_FIELDS: Final = ("mcp.method.name", "mcp.provider.name", "response_code")
GATEWAY: Final = ("default", "aigw-run")
POD: Final = Pod(*GATEWAY, "pod-0")


def select(body: bytes, fields: tuple[str, ...]) -> Iterator[tuple[tuple[str, str], ...]]:
    """These fields of the records of an export that have the first of them."""
    for group in ExportLogsServiceRequest.FromString(body).resource_logs:
        for scope in group.scope_logs:
            for record in scope.log_records:
                values = {each.key: each.value.string_value for each in record.attributes}
                if fields[0] in values:
                    yield tuple((field, values.get(field, "")) for field in fields)


def count_all(bodies: list[bytes], fields: tuple[str, ...]) -> Records:
    """How often each record came."""
    return Counter(record for body in bodies for record in select(body, fields))


async def record_run(logs: str, done: "asyncio.Event") -> None:
    """One pod gets the whole run; its Envoy lives until all records are there."""
    settings = (await render_access_logs({GATEWAY}))[GATEWAY]
    async with serve_provider() as provider, contextlib.AsyncExitStack() as servers:
        pod = await start_pod(servers, POD, settings, logs, provider)
        async with aiohttp.ClientSession() as client:
            await send_llm_requests(client, pod.address)
            await send_mcp_requests(client, pod.address)
        await done.wait()
        await asyncio.to_thread(pod.telemetry.close)


@pytest.fixture(scope="module")
def captured() -> list[bytes]:
    """What the real gateway exported."""
    return [file.read_bytes() for file in sorted(CAPTURES.glob("aigw-cumulative-logs-*.pb"))]


def is_to_search(record: tuple[tuple[str, str], ...]) -> bool:
    """Whether a record is of the server that the captured run did not have."""
    return ("mcp.provider.name", "search") in record


def total(bodies: list[bytes]) -> int:
    """How many records there are of what the captured run had."""
    found = count_all(bodies, LLM_FIELDS) + count_all(bodies, MCP_FIELDS)
    return sum(count for record, count in found.items() if not is_to_search(record))


@pytest.fixture(scope="module")
def exported(captured: list[bytes]) -> list[bytes]:
    """What the demo's Envoy exported after the same requests."""
    real_envoy.find_envoy()
    bodies: list[bytes] = []

    async def run(port: int, queue: Any) -> None:
        done = asyncio.Event()
        recording = asyncio.create_task(record_run(f"127.0.0.1:{port}", done))
        while total(bodies) < total(captured):
            bodies.append(await asyncio.to_thread(queue.get, timeout=loopback_servers.PATIENCE))
        done.set()
        await recording

    with loopback_servers.serve_logs() as (port, queue):
        asyncio.run(run(port, queue))
        bodies += [queue.get() for _ in range(queue.qsize())]
    return bodies


def test_llm_records_are_the_gateways(captured: list[bytes], exported: list[bytes]) -> None:
    """Tokens where the real gateway notes none, or none where it notes them, would make the demo a lie."""
    assert count_all(captured, LLM_FIELDS) == count_all(exported, LLM_FIELDS)


def test_mcp_records_are_the_gateways(captured: list[bytes], exported: list[bytes]) -> None:
    """One record for each request to a server, not for each of a client, is what the real gateway logs."""
    actual = count_all(exported, MCP_FIELDS)
    to_search = set(filter(is_to_search, actual))
    assert {"initialize", "notifications/initialized", "tools/list"} == {
        dict(each)[MCP_FIELDS[0]] for each in to_search
    }
    assert count_all(captured, MCP_FIELDS) == Counter({each: n for each, n in actual.items() if each not in to_search})
