"""The real gateway: `aigw run` in front of the stand-in provider, pushing to the receiver.

The truth here is its own /metrics, in the receiver's names. It must not be told anything that the operator would not
tell a gateway in a cluster, but for the provider and the ports.
"""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp

from aigw_demo.fleet import REAL_POD
from aigw_demo.instruments import MCP_INITIALIZATION_DURATION, MCP_REQUEST_DURATION
from aigw_demo.mcp_standin import SERVERS
from aigw_demo.receiver import SHOWN_LOG_LINES, Addresses, StartError, choose_ports, stop_process
from aigw_demo.series import SeriesMap, build_key, parse_exposition
from aigw_demo.standin import serve_provider
from aigw_demo.telemetry import EXPORT_INTERVAL_SECONDS
from aigw_demo.traffic import RESEARCH, STOREFRONT, Target

PROGRAM: Final = "aigw"
# `aigw run` has fixed ports; 8081 is its health port, so the receiver's telemetry has to go elsewhere.
LISTENER: Final = "http://127.0.0.1:1975"
ADMIN: Final = "http://127.0.0.1:1064"
FIXED_PORTS: Final = (1975, 1064)
RECEIVER_PORTS: Final = (4317, 4318, 8080, 8082)
# Its first start may download Envoy.
START_SECONDS: Final = 180.0
POLL_SECONDS: Final = 0.5
# One export may have left just before the last request was recorded, and one more may be under way.
SETTLE_INTERVALS: Final = 2.5
# The names that its own /metrics gives to two histograms; the receiver puts their units right.
RENAMED: Final = {
    "mcp_request_duration": MCP_REQUEST_DURATION.family,
    "mcp_initialization_duration_token": MCP_INITIALIZATION_DURATION.family,
}
MEASURED_PREFIXES: Final = ("gen_ai_", "mcp_")


def find_gateway() -> str:
    """The program, or one clear line that it is not there or cannot listen."""
    found = shutil.which(PROGRAM)
    if found is None:
        message = f"{PROGRAM} is not on the PATH: install it, or run the demo without GATEWAY={PROGRAM}"
        raise StartError(message)
    if choose_ports(FIXED_PORTS) != FIXED_PORTS:
        message = f"one of the ports {', '.join(map(str, FIXED_PORTS))}, which {PROGRAM} needs, is in use"
        raise StartError(message)
    return found


def build_environment(addresses: Addresses, provider: str, directory: str) -> dict[str, str]:
    """What a gateway gets from the operator, and the provider; traces and logs stay off."""
    resource = ",".join(f"{name}={value}" for name, value in REAL_POD.resource.items() if name != "service.name")
    # What the user's shell says about OpenTelemetry must not lead the numbers elsewhere.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return inherited | {
        "OPENAI_BASE_URL": f"{provider}/v1",
        "OPENAI_API_KEY": "x",
        "OTEL_SERVICE_NAME": REAL_POD.gateway,
        "OTEL_RESOURCE_ATTRIBUTES": resource,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{addresses.grpc}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": str(int(EXPORT_INTERVAL_SECONDS * 1000)),
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "AIGW_STATE_HOME": f"{directory}/state",
        "AIGW_RUNTIME_DIR": f"{directory}/run",
    }


def build_mcp_config(provider: str) -> str:
    """The MCP servers, as --mcp-json takes them."""
    servers = {name: {"type": "http", "url": f"{provider}/mcp/{name}"} for name in SERVERS}
    return json.dumps({"mcpServers": servers})


def parse_own_metrics(text: str) -> SeriesMap:
    """The gateway's own /metrics under the receiver's names and identity."""
    return {
        build_key(RENAMED.get(key.family, key.family), {**dict(key.labels), **REAL_POD.labels}): value
        for key, value in parse_exposition(text).items()
        if key.family.startswith(MEASURED_PREFIXES)
    }


class RealGateway:
    """One `aigw run`; its access logs stay off."""

    has_access_logs: Final = False
    targets: Final = (Target((LISTENER,), STOREFRONT), Target((LISTENER,), RESEARCH))

    async def settle(self) -> SeriesMap:
        """Wait for the export of the last values, and read what it says itself."""
        await asyncio.sleep(SETTLE_INTERVALS * EXPORT_INTERVAL_SECONDS)
        async with aiohttp.ClientSession() as session, session.get(f"{ADMIN}/metrics") as response:
            response.raise_for_status()
            return parse_own_metrics(await response.text())

    def describe_failures(self) -> list[str]:
        """It does not tell whether its exports were acknowledged."""
        return []


async def wait_until_ready(process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until it is healthy and its listener answers; no request of this is measured."""
    async with aiohttp.ClientSession() as session:
        for _ in range(int(START_SECONDS / POLL_SECONDS)):
            if process.returncode is not None:
                words = " | ".join(log.read_text(errors="replace").splitlines()[-SHOWN_LOG_LINES:])
                message = f"{PROGRAM} ended with status {process.returncode}: {words}"
                raise StartError(message)
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{ADMIN}/health") as health, session.get(LISTENER):
                    if health.status == 200:
                        return
            await asyncio.sleep(POLL_SECONDS)
    message = f"{PROGRAM} was not ready after {START_SECONDS:.0f} s"
    raise StartError(message)


@contextlib.asynccontextmanager
async def start_gateway(addresses: Addresses) -> AsyncIterator[RealGateway]:
    """The provider, and the real gateway in front of it."""
    program = find_gateway()
    async with serve_provider() as provider:
        with tempfile.TemporaryDirectory(prefix="aigw-demo-") as directory:
            log = Path(directory) / "aigw.log"
            with log.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *(program, "run", "--mcp-json", build_mcp_config(provider)),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=build_environment(addresses, provider, directory),
                    start_new_session=True,
                )
            try:
                await wait_until_ready(process, log)
                yield RealGateway()
            finally:
                await stop_process(process)
