"""What the operator would write for a Gateway, by `aigw-operator render`: a chapter for the reader, and the access-log
settings that the demo's Envoys run with. No cluster is needed.

It must not import the operator's package: the program and its output are all that the demo knows of it.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from aigw_demo.receiver import StartError, find_program

PROGRAM: Final = "aigw-operator"
MANIFESTS: Final = Path(__file__).parents[1] / "manifests"
# Kinds of the objects that a Gateway gets; all others are the receiver's.
WIRING: Final = frozenset({"GatewayConfig", "Backend", "EnvoyProxy", "Gateway"})
# Kinds of the manifests of which each Gateway has its own.
NAMESPACED: Final = frozenset({"Gateway", "TelemetryPolicy"})

GatewayName = tuple[str, str]
"""namespace and name"""


async def render_manifests(manifests: str = "") -> str:
    """What the program prints for these manifests, or else for the demo's own as they are."""
    process = await asyncio.create_subprocess_exec(
        find_program(PROGRAM),
        *("render", "-" if manifests else str(MANIFESTS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, error = await process.communicate(manifests.encode())
    if process.returncode != 0:
        message = f"{PROGRAM} render {MANIFESTS} ended with status {process.returncode}: {error.decode().strip()}"
        raise StartError(message)
    return output.decode()


async def render_access_logs(gateways: Collection[GatewayName]) -> dict[GatewayName, list[dict[str, Any]]]:
    """The access-log settings that Gateways of these names get, but for the one to standard output."""
    objects = list(yaml.safe_load_all(await render_manifests(build_manifests(gateways))))
    proxies = {get_name(raw): raw["spec"] for raw in objects if raw["kind"] == "EnvoyProxy"}
    found = {}
    for raw in objects:
        if raw["kind"] == "Gateway":
            namespace, name = get_name(raw)
            spec = proxies[namespace, raw["spec"]["infrastructure"]["parametersRef"]["name"]]
            settings = spec["telemetry"]["accessLog"]["settings"]
            found[namespace, name] = [each for each in settings if each["sinks"][0]["type"] == "OpenTelemetry"]
    return found


def get_name(raw: dict[str, Any]) -> GatewayName:
    """Namespace and name of an object."""
    return raw["metadata"]["namespace"], raw["metadata"]["name"]


def build_manifests(gateways: Collection[GatewayName]) -> str:
    """The demo's manifests, with these Gateways in the place of theirs, and a policy in the namespace of each."""
    written = [raw for file in sorted(MANIFESTS.glob("*.yaml")) for raw in yaml.safe_load_all(file.read_text())]
    objects = [raw for raw in written if raw["kind"] not in NAMESPACED]
    for namespace, name in gateways:
        for raw in written:
            if raw["kind"] == "Gateway":
                objects.append({**raw, "metadata": {"namespace": namespace, "name": name}})
            elif raw["kind"] == "TelemetryPolicy":
                objects.append({**raw, "metadata": {**raw["metadata"], "namespace": namespace}})
    return yaml.safe_dump_all(objects)


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
