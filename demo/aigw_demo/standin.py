"""The stand-ins as one set: the provider, and for each pod of the fleet a gateway and its Envoy, all on loopback.

Requests go to the Envoy, which writes the access logs as the operator configures them, and from there to the gateway.

It must not send requests: that is the traffic.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from aigw_demo import envoy_config
from aigw_demo.envoy import Node, start_envoy
from aigw_demo.envoy_config import Raw, Route
from aigw_demo.fleet import PODS, Pod
from aigw_demo.gateway_standin import OPERATIONS, Gateway
from aigw_demo.llm_standin import add_llm_routes
from aigw_demo.mcp_standin import add_mcp_routes
from aigw_demo.receiver import HOST, Addresses
from aigw_demo.series import SeriesMap
from aigw_demo.telemetry import ObservedExporter, PodTelemetry, build_exporter
from aigw_demo.traffic import RESEARCH, STOREFRONT, Target
from aigw_demo.wiring import render_access_logs

# Requests under way may still finish when a server is closed; the slowest takes little more than two seconds.
CLOSE_SECONDS: Final = 5.0
# The mix of each gateway, by its name.
MIXES: Final = {"storefront": STOREFRONT, "research": RESEARCH}


@contextlib.asynccontextmanager
async def serve(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on a free loopback port; its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        port = runner.addresses[0][1]
        yield f"http://{HOST}:{port}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def serve_provider() -> AsyncIterator[str]:
    """The LLM stand-in and the MCP servers; their address."""
    app = web.Application()
    add_llm_routes(app)
    add_mcp_routes(app)
    async with serve(app) as address:
        yield address


@dataclass(slots=True)
class RunningPod:
    """A gateway pod that serves: its telemetry, the exporter of it, its Envoy's address, and what to close."""

    telemetry: PodTelemetry
    exporter: ObservedExporter
    address: str
    server: contextlib.AsyncExitStack


class StandinGateways:
    """All pods of the fleet."""

    has_access_logs: Final = True

    def __init__(self, pods: list[RunningPod]) -> None:
        self._pods = pods

    @property
    def targets(self) -> tuple[Target, ...]:
        """Each gateway with the addresses of its pods and the mix that it gets."""
        return tuple(
            Target(tuple(pod.address for pod in self._pods if pod.telemetry.pod.gateway == gateway), kinds)
            for gateway, kinds in MIXES.items()
        )

    async def settle(self) -> SeriesMap:
        """Answer what is under way, let every pod export its last values, and tell what they recorded."""
        await asyncio.gather(*(pod.server.aclose() for pod in self._pods))
        # The SDK blocks while it exports; each pod in a thread, as they would in processes of their own.
        await asyncio.gather(*(asyncio.to_thread(pod.telemetry.close) for pod in self._pods))
        recorded: SeriesMap = {}
        for pod in self._pods:
            recorded |= pod.telemetry.ledger.series()
        return recorded

    def describe_failures(self) -> list[str]:
        """The pods of which an export was not acknowledged."""
        return [
            f"{pod.telemetry.pod.name}: {pod.exporter.failures} exports failed"
            for pod in self._pods
            if pod.exporter.failures
        ]


def get_port(address: str) -> int:
    """The port of an address with a scheme."""
    return int(address.rpartition(":")[2])


def build_node(pod: Pod) -> Node:
    """What Envoy Gateway tells the Envoy of a pod."""
    environment = {"ENVOY_POD_NAME": pod.name, "ENVOY_POD_NAMESPACE": pod.namespace}
    return Node(pod.name, f"{pod.namespace}/{pod.gateway}", "", environment)


def build_envoy(pod: Pod, settings: Sequence[Raw], *, logs: str, gateway: str, provider: str) -> dict[str, object]:
    """The configuration of the Envoy of a pod, in front of this gateway."""
    backend = f"{pod.namespace}/openai/route/{pod.gateway}/rule/0/ref/0"
    genai = [Route(path, get_port(gateway), backend=backend) for path in OPERATIONS]
    return envoy_config.build_bootstrap(
        settings,
        logs_port=get_port(logs),
        routes=[*genai, Route("/mcp", get_port(gateway))],
        mcp_port=get_port(provider),
    )


async def start_pod(
    servers: contextlib.AsyncExitStack, pod: Pod, settings: Sequence[Raw], logs: str, provider: str
) -> RunningPod:
    """A gateway and its Envoy. The gateway may be ended by itself; all is ended with the servers."""
    exporter = build_exporter(pod, f"http://{logs}")
    telemetry = PodTelemetry(pod, exporter)
    gateway = Gateway(telemetry, provider)
    server = await servers.enter_async_context(contextlib.AsyncExitStack())
    address = await server.enter_async_context(serve(gateway.build_app()))
    config = build_envoy(pod, settings, logs=logs, gateway=address, provider=provider)
    listeners = await servers.enter_async_context(start_envoy(config, build_node(pod)))
    gateway.mcp.upstream = f"http://{HOST}:{listeners[envoy_config.MCP_LISTENER]}"
    return RunningPod(telemetry, exporter, f"http://{HOST}:{listeners[envoy_config.LISTENER]}", server)


@contextlib.asynccontextmanager
async def start_standins(addresses: Addresses) -> AsyncIterator[StandinGateways]:
    """The provider and all gateway pods, pushing to the receiver."""
    settings = await render_access_logs({(pod.namespace, pod.gateway) for pod in PODS})
    async with serve_provider() as provider, contextlib.AsyncExitStack() as servers:
        starting = (
            start_pod(servers, pod, settings[pod.namespace, pod.gateway], addresses.grpc, provider) for pod in PODS
        )
        yield StandinGateways([await each for each in starting])
