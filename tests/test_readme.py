"""The README's quickstart for the laptop, run from the README's own text."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from receiver_program import Ports, Receiver

_TREE: Final = Path(__file__).parents[1]
_LIMIT_SECONDS: Final = 300

# What needs a cluster, and what this test is a part of.
_NOT_HERE: Final = ("helm", "kubectl", "make test")

# Programs that do not end by themselves.
_DEMO: Final = "make demo"
_SERVE: Final = ".venv/bin/aigw-receiver serve"


def _commands() -> Iterator[str]:
    """Every command of the README, without its comment; continued lines are one."""
    for block in re.findall(r"^```sh\n(.*?)^```", (_TREE / "README.md").read_text(), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            command = " ".join(shlex.split(line, comments=True))
            # A block of variables is no command.
            if command and not re.match(r"[A-Z_]+=", command):
                yield command


_HERE: Final = [command for command in dict.fromkeys(_commands()) if not command.startswith(_NOT_HERE)]


def _run(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        shlex.split(command), cwd=_TREE, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False
    )


def test_what_is_run() -> None:
    """The README tells of a command that nobody runs, or no longer of one."""
    assert [_DEMO, ".venv/bin/aigw-operator render demo/manifests", "make install", _SERVE] == sorted(
        _HERE, key=lambda command: (command != _DEMO, "render" not in command, command != "make install")
    )


@pytest.mark.parametrize("command", [command for command in _HERE if command not in (_DEMO, _SERVE)])
def test_commands_that_end(command: str) -> None:
    """A newcomer's command fails."""
    ran = _run(command)
    assert (0, "") == (ran.returncode, ran.stderr if ran.returncode else "")


def test_demo() -> None:
    """The first thing that a newcomer sees is a failure."""
    assert "`make demo SECONDS=30` ends by itself" in (_TREE / "README.md").read_text()
    ran = _run(f"{_DEMO} SECONDS=6")
    assert (0, True) == (ran.returncode, "decisions and cost equal what was sent" in ran.stdout), ran.stdout[-4000:]


def test_receiver(tmp_path: Path) -> None:
    """The receiver does not start as the README says, or does not serve what it says."""
    ports = Ports.free()
    addresses = {
        "AIGW_RECEIVER_OTLP_GRPC": f"127.0.0.1:{ports.grpc[0]}",
        "AIGW_RECEIVER_OTLP_HTTP": f"127.0.0.1:{ports.otlp_http}",
        "AIGW_RECEIVER_HTTP": f"127.0.0.1:{ports.http}",
        "AIGW_RECEIVER_TELEMETRY": f"127.0.0.1:{ports.telemetry}",
    }
    log = tmp_path / "receiver.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            shlex.split(_SERVE), cwd=_TREE, stdout=output, stderr=output, env={**os.environ, **addresses}
        )
        receiver = Receiver(process, ports, log)
        try:
            receiver.wait_ready()
            assert "# TYPE target_info gauge" in receiver.scrape()
        finally:
            assert 0 == receiver.stop()
