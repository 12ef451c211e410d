"""Runs the program `aigw-operator` against the control plane, as the ServiceAccount and under the rules that it ships.

Its Deployment is not applied: there is no image here, and kwok's pods run nothing. It asserts nothing.
"""

import contextlib
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

import receiver_program
from cluster import control_plane, processes

ROOT: Final = Path(__file__).parents[2]
NAMESPACE: Final = "aigw-telemetry"
ACCOUNT: Final = "aigw-operator"
_START_SECONDS: Final = 60.0


def install(plane: control_plane.ControlPlane) -> None:
    """Apply the two kinds, and everything of manifests/operator.yaml but the program itself."""
    for file in sorted((ROOT / "crds").glob("*.yaml")):
        plane.api.apply_file(file)
    plane.api.forget_kinds()
    for manifest in shipped():
        if manifest["kind"] != "Deployment":
            plane.api.apply(manifest)


def shipped() -> list[dict[str, Any]]:
    """The objects of manifests/operator.yaml."""
    return [item for item in yaml.safe_load_all((ROOT / "manifests" / "operator.yaml").read_text()) if item]


class Operator:
    """One run of the program."""

    def __init__(self, program: processes.Program, http: str) -> None:
        self.program = program
        self.http = http

    def kill(self) -> None:
        """End it at once, as a node that fails does."""
        self.program.kill()

    def is_ready(self) -> bool:
        """Whether it has listed everything."""
        try:
            with urllib.request.urlopen(f"http://{self.http}/readyz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def metrics(self) -> str:
        """Its own metrics."""
        with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=5) as response:
            text: str = response.read().decode()
            return text


def start(
    plane: control_plane.ControlPlane,
    programs: processes.Programs,
    *,
    name: str = "operator",
    server: str | None = None,
    arguments: Sequence[str] = (),
    account: tuple[str, str] = (NAMESPACE, ACCOUNT),
) -> Operator:
    """Start it, by way of `server` where that is given, and wait until it is ready."""
    kubeconfig = plane.account_kubeconfig(*account, server=server)
    http = f"127.0.0.1:{receiver_program.free_ports(1)[0]}"
    command = [
        *(sys.executable, "-m", "aigw_operator.main", "run", "--kubeconfig", str(kubeconfig), "--http", http),
        *("--receiver-image", "aigw-receiver:test", "--log-level", "debug", *arguments),
    ]
    found = Operator(programs.start(name, command), http)
    with programs.deadline(_START_SECONDS, "the operator is ready") as deadline:
        while not found.is_ready():
            deadline.tick()
    return found


@contextlib.contextmanager
def running(
    plane: control_plane.ControlPlane,
    programs: processes.Programs,
    *,
    name: str = "operator",
    server: str | None = None,
    arguments: Sequence[str] = (),
    account: tuple[str, str] = (NAMESPACE, ACCOUNT),
) -> Iterator[Operator]:
    """Run it while the block runs."""
    found = start(plane, programs, name=name, server=server, arguments=arguments, account=account)
    try:
        yield found
    finally:
        if found.program.running:
            programs.end(found.program)


def settle(seconds: float) -> None:
    """Let time pass that nothing announces: what must not happen cannot be awaited."""
    time.sleep(seconds)
