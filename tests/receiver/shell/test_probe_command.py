"""`aigw-receiver probe` tells a receiver that takes exports from one that does not."""

import re
import subprocess

from receiver_program import Ports, command, start_receiver


def _probe(ports: Ports, *arguments: str) -> "subprocess.CompletedProcess[str]":
    where = ("--otlp-http-port", str(ports.otlp_http), "--http-port", str(ports.http))
    return subprocess.run(
        command("probe", "127.0.0.1", *where, *arguments), capture_output=True, text=True, check=False, timeout=60
    )


def test_probe_of_a_receiver() -> None:
    """A receiver that works is said not to, or two probes get in each other's way."""
    with start_receiver() as receiver:
        for _ in range(2):
            done = _probe(receiver.ports)
            assert (0, "") == (done.returncode, done.stderr)
            assert re.search(r"gen_ai_probe_total of probe-[0-9a-f]{8} is 7$", done.stdout)


def test_probe_of_a_receiver_that_refuses() -> None:
    """A receiver that refuses the export passes for one that takes it."""
    with start_receiver(config={"limits": {"name_length": 5}}) as receiver:
        done = _probe(receiver.ports, "--timeout", "1")
    assert 1 == done.returncode
    assert "refused the point" in done.stderr


def test_probe_of_nothing() -> None:
    """Where nothing listens the probe passes, or never ends."""
    done = _probe(Ports.free(), "--timeout", "0.1")
    assert (1, "") == (done.returncode, done.stdout)
    assert "Connection refused" in done.stderr
