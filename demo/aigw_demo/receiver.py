"""The receiver as a child: started as a user starts it, waited for by its readiness, ended by SIGTERM.

It must not import the receiver's package: the program and its ports are all that the demo knows of it.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import yaml

from aigw_demo.account import PRICES, SLOW_SECONDS

PROGRAM: Final = "aigw-receiver"
# The product's own ports: OTLP/gRPC, OTLP/HTTP, the gateways' metrics, the receiver's own telemetry.
DEFAULT_PORTS: Final = (4317, 4318, 8080, 8081)
HOST: Final = "127.0.0.1"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.05
SHOWN_LOG_LINES: Final = 5
# Three times this must pass before a pod has ended.
SILENCE_SECONDS: Final = 20
# In the directory of a run.
KEPT: Final = "kept.jsonl"


class StartError(Exception):
    """A program of the demo could not be started; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a receiver listens: OTLP/gRPC, OTLP/HTTP, the gateways' metrics, its own telemetry."""

    grpc: str
    otlp_http: str
    http: str
    telemetry: str

    async def scrape(self) -> str:
        """The gateways' series as they stand, as a browser would see them."""
        async with aiohttp.ClientSession() as session, session.get(self.http + "/metrics") as response:
            response.raise_for_status()
            return await response.text()


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver."""

    addresses: Addresses
    process: asyncio.subprocess.Process
    kept: Path
    """the file of the access logs that it kept"""


def find_program(name: str) -> str:
    """The program of this environment, or else one on the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        message = f"{name} is not installed: run `make install`"
        raise StartError(message)
    return found


def choose_ports(preferred: tuple[int, ...]) -> tuple[int, ...]:
    """Each preferred port where it is free, and any other free one where it is not."""
    with contextlib.ExitStack() as stack:
        chosen = []
        for port in preferred:
            listener = stack.enter_context(socket.socket())
            # A port that an earlier run has just left is free; one that somebody listens on is not.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except OSError:
                listener.bind((HOST, 0))
            chosen.append(int(listener.getsockname()[1]))
        return tuple(chosen)


def choose_addresses(preferred: tuple[int, ...]) -> Addresses:
    """Addresses for a receiver on loopback; while the start lock is held, nobody else's demo chooses them."""
    grpc, otlp_http, http, telemetry = (f"{HOST}:{port}" for port in choose_ports(preferred))
    return Addresses(grpc, f"http://{otlp_http}", f"http://{http}", f"http://{telemetry}")


@contextlib.asynccontextmanager
async def start_receiver(addresses: Addresses, prometheus: str = "") -> AsyncIterator[Receiver]:
    """A receiver that is ready at these addresses, and is ended with the block.

    `prometheus` is the address of one that scrapes it, if there is one.
    """
    with tempfile.TemporaryDirectory(prefix="aigw-demo-") as directory:
        log = Path(directory) / "receiver.log"
        receiver = await launch_receiver(Path(directory), log, addresses, prometheus)
        try:
            await wait_until_ready("the receiver", receiver.process, addresses.telemetry + "/readyz", log)
            yield receiver
        finally:
            await stop_process(receiver.process)


@contextlib.asynccontextmanager
async def hold_start_lock() -> AsyncIterator[None]:
    """One start at a time on this machine.

    A port that was seen to be free is only taken when the receiver listens; without the lock two demos that start
    together would choose the same ports, and one would take the other's receiver for its own.
    """
    path = Path(tempfile.gettempdir()) / f"aigw-demo-{os.getuid()}.lock"
    with path.open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


async def launch_receiver(directory: Path, log: Path, addresses: Addresses, prometheus: str) -> Receiver:
    """Start the program.

    In a session of its own: Ctrl-C in the terminal goes to every process of the foreground, and the receiver must
    still answer the last scrape then.
    """
    config = directory / "receiver.yaml"
    config.write_text(yaml.safe_dump(build_configuration(directory / KEPT, prometheus)))
    otlp_http, http, telemetry = (
        address.removeprefix("http://") for address in (addresses.otlp_http, addresses.http, addresses.telemetry)
    )
    flags = ["--config", str(config)]
    flags += ["--otlp-grpc", addresses.grpc, "--otlp-http", otlp_http, "--http", http, "--telemetry", telemetry]
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(find_program(PROGRAM), "serve", *flags, "--data-dir", str(directory)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            start_new_session=True,
        )
    return Receiver(addresses, process, directory / KEPT)


def build_configuration(kept: Path, prometheus: str) -> dict[str, object]:
    """The receiver's configuration: the default rules but for `slow`.

    Nobody wants to wait here for what is slow by default. And what is slow for its model is learned from more requests
    than a short run has, and from the durations that the gateway saw: on a machine that is busy a long run would keep
    requests of which its driver cannot know that they were kept.

    A pod that counts in delta and has nothing to tell is silent, and the demo's pods export so often that one would be
    taken for ended in the seconds between the last request and the last scrape.
    """
    rules = {"slow": {"llm": f"{SLOW_SECONDS:.0f}s", "adaptive": False}}
    return {
        "access_logs": {"stdout": False, "file": {"path": str(kept)}, "rules": rules},
        "expiry": {"minimum_interval": f"{SILENCE_SECONDS}s"},
        "prices": {"file": str(PRICES)},
        "page": {"prometheus": {"url": prometheus} if prometheus else {}},
    }


async def wait_until_ready(name: str, process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    """Wait until it answers 200; an end of the process before that is told with its last words."""
    async with aiohttp.ClientSession() as session:
        for _ in range(int(START_SECONDS / POLL_SECONDS)):
            if process.returncode is not None:
                words = " | ".join(log.read_text(errors="replace").splitlines()[-SHOWN_LOG_LINES:])
                message = f"{name} ended with status {process.returncode}: {words}"
                raise StartError(message)
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(POLL_SECONDS)
    message = f"{name} was not ready after {START_SECONDS:.0f} s"
    raise StartError(message)


async def stop_process(process: asyncio.subprocess.Process) -> None:
    """End a child by SIGTERM, and by force only where that does not help."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        # Each child leads a process group of its own, so this ends its children too.
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
