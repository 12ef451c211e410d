"""The stand-ins as one set: the provider, and a gateway pod for each pod of the fleet, all on loopback.

It must not send requests: that is the traffic.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from aigw_demo.fleet import PODS
from aigw_demo.gateway_standin import Gateway
from aigw_demo.llm_standin import add_llm_routes
from aigw_demo.mcp_standin import add_mcp_routes
from aigw_demo.receiver import HOST, Addresses
from aigw_demo.series import SeriesMap
from aigw_demo.telemetry import ObservedExporter, PodTelemetry, build_exporter
from aigw_demo.traffic import RESEARCH, STOREFRONT, Target

# Requests under way may still finish when a server is closed; the slowest takes little more than a second.
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
    """A gateway pod that serves: its telemetry, the exporter of it, and what to close."""

    telemetry: PodTelemetry
    exporter: ObservedExporter
    address: str
    server: contextlib.AsyncExitStack


class StandinGateways:
    """All pods of the fleet."""

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


@contextlib.asynccontextmanager
async def start_standins(addresses: Addresses) -> AsyncIterator[StandinGateways]:
    """The provider and all gateway pods, pushing to the receiver."""
    async with serve_provider() as provider, contextlib.AsyncExitStack() as servers:
        pods = []
        for pod in PODS:
            exporter = build_exporter(pod, f"http://{addresses.grpc}")
            telemetry = PodTelemetry(pod, exporter)
            server = await servers.enter_async_context(contextlib.AsyncExitStack())
            address = await server.enter_async_context(serve(Gateway(telemetry, provider).build_app()))
            pods.append(RunningPod(telemetry, exporter, address, server))
        yield StandinGateways(pods)
