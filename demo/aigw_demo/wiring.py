"""The chapter on the operator: what it would write for a Gateway, by `aigw-operator render`. No cluster is needed.

It must not import the operator's package: the program and its output are all that the demo knows of it.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from aigw_demo.receiver import StartError, find_program

PROGRAM: Final = "aigw-operator"
MANIFESTS: Final = Path(__file__).parents[1] / "manifests"
# Kinds of the objects that a Gateway gets; all others are the receiver's.
WIRING: Final = frozenset({"GatewayConfig", "Backend", "EnvoyProxy", "Gateway"})


async def render_manifests() -> str:
    """What the program prints for the demo's manifests."""
    process = await asyncio.create_subprocess_exec(
        find_program(PROGRAM),
        *("render", str(MANIFESTS)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, error = await process.communicate()
    if process.returncode != 0:
        message = f"{PROGRAM} render {MANIFESTS} ended with status {process.returncode}: {error.decode().strip()}"
        raise StartError(message)
    return output.decode()


def render_variable(variable: dict[str, Any]) -> list[str]:
    """A variable as a shell would show it, a field of the pod in <>, each pair of a list on a line of its own."""
    if "value" not in variable:
        return [f"  {variable['name']}=<{variable['valueFrom']['fieldRef']['fieldPath']}>"]
    first, *others = str(variable["value"]).split(",")
    lines = [f"  {variable['name']}={first}", *(f"      {pair}" for pair in others)]
    return [f"{line}," for line in lines[:-1]] + lines[-1:]


def count_kinds(objects: Sequence[dict[str, Any]], *, wiring: bool) -> str:
    """How many objects there are of each kind, in their order."""
    counts = Counter(raw["kind"] for raw in objects if (raw["kind"] in WIRING) == wiring)
    return ", ".join(kind if number == 1 else f"{number} {kind}s" for kind, number in counts.items())


def build_chapter(stream: str) -> list[str]:
    """The lines of the chapter, from what the program printed."""
    objects = list(yaml.safe_load_all(stream))
    (config,) = (raw for raw in objects if raw["kind"] == "GatewayConfig")
    variables = config["spec"]["extProc"]["kubernetes"]["env"]
    return [
        "On a cluster nobody sets this up by hand. For a Gateway, a TelemetryPolicy and a TelemetryReceiver",
        f"(demo/manifests) the operator would write {len(objects)} objects:",
        "",
        f"  for the Gateway   {count_kinds(objects, wiring=True)}",
        f"  for the receiver  {count_kinds(objects, wiring=False)}",
        "",
        f"and give the Gateway's pods this environment (GatewayConfig {config['metadata']['name']}):",
        "",
        *(line for variable in variables for line in render_variable(variable)),
        "",
        f"all of it: .venv/bin/{PROGRAM} render demo/manifests",
    ]
