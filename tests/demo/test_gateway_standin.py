"""The gateway stand-in against exports of the real AI Gateway: the same requests, the same streams.

Both get the requests that the captures' run got (tests/captures/README.md). It must not test the receiver.
"""

import asyncio
from collections import Counter
from typing import Final

import aiohttp
import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from aigw_demo.fleet import PODS, Pod
from aigw_demo.gateway_metrics import parse_token_usage
from aigw_demo.gateway_standin import Gateway
from aigw_demo.instruments import INSTRUMENTS
from aigw_demo.mcp_standin import SESSION_HEADER
from aigw_demo.series import HistogramValue, SeriesValue
from aigw_demo.standin import serve, serve_provider
from aigw_demo.telemetry import PodTelemetry, choose_temporality
from aigw_demo.traffic import build_message
from demo.exports import Export, parse_export, read_capture

# The last export of the run that counted cumulatively holds every stream of the run.
CAPTURE: Final = "aigw-cumulative-metrics-006.pb"
DELTA_CAPTURE: Final = "aigw-delta-metrics-004.pb"
TOKEN_USAGE: Final = "gen_ai.client.token.usage"

LARGE: Final = {"prompt_tokens": "2006", "completion_tokens": "300"}
CHATS: Final = (
    *[{"model": "gpt-5-nano", "metadata": LARGE}] * 3,
    *[{"model": "gpt-5-nano", "metadata": LARGE, "stream": True}] * 2,
    {"model": "small", "metadata": {"prompt_tokens": "31", "completion_tokens": "3"}},
    {"model": "big", "metadata": {"prompt_tokens": "100000", "completion_tokens": "3"}},
    *({"model": model} for model in ("missing", "limited", "broken")),
    {"model": "slow", "metadata": LARGE},
)
MCP_CALLS: Final = (
    ("notifications/initialized", None),
    ("tools/list", None),
    ("tools/call", "everything__echo"),
    ("tools/call", "everything__add"),
    ("tools/call", "everything__fail"),
    ("tools/call", "everything__fail"),
    ("prompts/list", None),
    ("resources/list", None),
    ("ping", None),
)


class KeepingExporter(MetricExporter):
    """Keeps the bytes of the last export instead of sending them."""

    last: bytes = b""

    def export(self, metrics_data: MetricsData, *_: object, **__: object) -> MetricExportResult:
        """Encode one export as the exporter over gRPC does."""
        self.last = encode_metrics(metrics_data).SerializeToString()
        return MetricExportResult.SUCCESS

    def force_flush(self, *_: object, **__: object) -> bool:
        """Nothing waits here."""
        return True

    def shutdown(self, *_: object, **__: object) -> None:
        """Nothing to close."""


async def send_llm_requests(client: aiohttp.ClientSession, gateway: str) -> None:
    """The GenAI requests of the captures' run."""
    for body in CHATS:
        async with client.post(f"{gateway}/v1/chat/completions", json=body) as response:
            await response.read()
    words = {"model": "text-embedding-3-small", "input": "one two three four five six seven eight nine"}
    for path, document in (("/v1/embeddings", words), ("/v1/unknown", words)):
        async with client.post(gateway + path, json=document) as response:
            await response.read()
    aborted = {"model": "longstream", "stream": True}
    async with client.post(f"{gateway}/v1/chat/completions", json=aborted) as response:
        await response.content.readany()
        response.close()


async def send_mcp_requests(client: aiohttp.ClientSession, gateway: str) -> None:
    """The MCP requests of the captures' run."""
    start = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"capabilities": {}}}
    async with client.post(f"{gateway}/mcp", json=start) as response:
        headers = {SESSION_HEADER: response.headers[SESSION_HEADER]}
    for number, (method, tool) in enumerate(MCP_CALLS, start=1):
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": {"name": tool} if tool else {}}
        async with client.post(f"{gateway}/mcp", json=message, headers=headers) as response:
            await response.read()


async def record_run(exporter: MetricExporter) -> None:
    """One pod of the stand-in gets the whole run, with the one MCP server that the run had."""
    telemetry = PodTelemetry(Pod("default", "gw1", "pod-0"), exporter)
    async with serve_provider() as provider:
        async with (
            serve(Gateway(telemetry, provider, ("everything",)).build_app()) as gateway,
            aiohttp.ClientSession() as client,
        ):
            await send_llm_requests(client, gateway)
            await send_mcp_requests(client, gateway)
        await asyncio.to_thread(telemetry.close)


@pytest.fixture(scope="module")
def captured() -> Export:
    """What the real gateway exported."""
    return read_capture(CAPTURE)


@pytest.fixture(scope="module")
def exported() -> Export:
    """What the stand-in exported after the same requests."""
    exporter = KeepingExporter()
    asyncio.run(record_run(exporter))
    return parse_export(ExportMetricsServiceRequest.FromString(exporter.last))


def count(value: SeriesValue) -> float:
    """How often a stream was recorded."""
    return value.count if isinstance(value, HistogramValue) else value


@pytest.mark.parametrize("name", [instrument.name for instrument in INSTRUMENTS[:-1]])
def test_instrument_is_the_gateways(name: str, captured: Export, exported: Export) -> None:
    """A name, unit, description, type, scope or bound that the real gateway does not have would make the demo a lie."""
    assert captured.definitions[name] == exported.definitions[name]


def test_no_instrument_is_missing_or_too_many(captured: Export, exported: Export) -> None:
    """An instrument of the gateway that the stand-in lacks would never be shown by the demo."""
    assert captured.definitions.keys() == exported.definitions.keys()


def test_same_requests_give_the_same_streams_and_counts(captured: Export, exported: Export) -> None:
    """A wrong attribute, a missing token type, or a point too many for any kind of request would show here."""
    expected = {stream: count(value) for stream, value in captured.streams.items()}
    actual = {stream: count(value) for stream, value in exported.streams.items()}
    assert expected == actual


def test_same_requests_give_the_same_tokens(captured: Export, exported: Export) -> None:
    """Tokens of the wrong type or in the wrong bucket would make the demo's totals wrong."""
    expected = {stream: value for stream, value in captured.streams.items() if stream.name == TOKEN_USAGE}
    actual = {stream: value for stream, value in exported.streams.items() if stream.name == TOKEN_USAGE}
    assert expected == actual


def test_an_aborted_stream_leaves_only_its_first_token(exported: Export) -> None:
    """A duration or tokens of a stream that the client aborted would hide what the real gateway misses."""
    names = [stream.name for stream in exported.streams if ("gen_ai.request.model", "longstream") in stream.attributes]
    assert names == ["gen_ai.server.time_to_first_token"]


@pytest.mark.parametrize(("capture", "delta"), [(CAPTURE, False), (DELTA_CAPTURE, True)])
def test_pods_count_in_the_temporality_of_the_gateway(capture: str, delta: bool) -> None:
    """A delta pod that sent cumulative points would leave half of the receiver untested."""
    exporter = KeepingExporter(preferred_temporality=choose_temporality(Pod("ns", "gw", "pod", delta=delta)))
    telemetry = PodTelemetry(Pod("ns", "gw", "pod", delta=delta), exporter)
    for instrument in INSTRUMENTS:
        telemetry.record(instrument, 1, {})
    telemetry.close()
    actual = parse_export(ExportMetricsServiceRequest.FromString(exporter.last)).temporalities
    assert read_capture(capture).temporalities == actual


def test_fleet_has_what_the_demo_promises() -> None:
    """Without two gateways, a second pod and both temporalities the demo would not show what the receiver does."""
    assert Counter({("shop", "storefront", False): 2, ("data", "research", True): 1}) == Counter(
        (pod.namespace, pod.gateway, pod.delta) for pod in PODS
    )


def test_resource_has_every_attribute_of_the_captured_one(captured: Export, exported: Export) -> None:
    """A resource attribute that gateways send and the stand-in does not would leave the identity untested."""
    assert {"aigw.gateway.name", "aigw.gateway.namespace", "k8s.pod.name"} == (
        exported.resource.keys() - captured.resource.keys()
    )
    assert set() == captured.resource.keys() - exported.resource.keys()


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("notifications/progress", {"progressToken": "1__i__everything"}, ("everything", "success", "")),
        ("notifications/progress", {"progressToken": "1"}, ("", "error", "internal_error")),
        ("tools/call", {"name": "everything__nothing"}, ("everything", "error", "invalid_param")),
        ("tools/call", {"name": "nowhere__echo"}, ("nowhere", "error", "invalid_param")),
        ("sampling/createMessage", {}, ("", "error", "unsupported_method")),
    ],
)
def test_mcp_outcomes_that_the_captures_do_not_have(
    method: str, params: dict[str, str], expected: tuple[str, str, str]
) -> None:
    """A protocol error counted as a tool's failure, or under no backend, would show the wrong row in the table."""
    telemetry = PodTelemetry(Pod("ns", "gw", "pod"), KeepingExporter())
    asyncio.run(call_in_session(telemetry, method, params))
    telemetry.close()
    series = telemetry.ledger.series()
    (outcome,) = (key for key in series if key.label("mcp_method_name") == method)
    failed = [key for key in series if key.label("error_type")]
    assert expected == (
        outcome.label("mcp_backend"),
        outcome.label("status"),
        failed[0].label("error_type") if failed else "",
    )
    progress = [value for key, value in series.items() if key.family == "mcp_progress_notifications_total"]
    assert ([1.0] if method == "notifications/progress" else []) == progress


async def call_in_session(telemetry: PodTelemetry, method: str, params: dict[str, str]) -> None:
    """Open an MCP session and send one message in it."""
    start = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"capabilities": {}}}
    async with (
        serve_provider() as provider,
        serve(Gateway(telemetry, provider).build_app()) as gateway,
        aiohttp.ClientSession() as client,
    ):
        async with client.post(f"{gateway}/mcp", json=start) as response:
            headers = {SESSION_HEADER: response.headers[SESSION_HEADER]}
        message = build_message(method, {**params}, None if method.startswith("notifications/") else 1)
        async with client.post(f"{gateway}/mcp", json=message, headers=headers) as response:
            await response.read()


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, {}),
        ({"prompt_tokens": 9, "total_tokens": 9}, {"input": 9}),
        ({"prompt_tokens": 31, "completion_tokens": 3}, {"input": 31, "output": 3}),
        (
            {
                "prompt_tokens": 2006,
                "completion_tokens": 300,
                "prompt_tokens_details": {"cached_tokens": 1920},
                "completion_tokens_details": {"reasoning_tokens": 128},
            },
            {"input": 2006, "output": 300, "cached_input": 1920, "cache_creation_input": 0, "reasoning": 128},
        ),
    ],
)
def test_token_types_come_from_what_the_provider_tells(usage: dict[str, object], expected: dict[str, int]) -> None:
    """A token type that the provider did not tell of must not appear, not even as 0."""
    assert expected == parse_token_usage(usage)
