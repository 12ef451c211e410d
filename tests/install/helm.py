"""Runs Helm for the tests: what it renders, and what it refuses. It asserts nothing."""

import dataclasses
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

TREE: Final = Path(__file__).parents[2]
CHART: Final = TREE / "charts" / "aigw-telemetry"
RELEASE: Final = "aigw"
NAMESPACE: Final = "aigw-telemetry"
_SECONDS: Final = 120.0

Raw = dict[str, Any]
Key = tuple[str, str, str]
"""kind, namespace ("" where the text has none), and name"""


@dataclasses.dataclass(frozen=True, slots=True)
class Helm:
    """One Helm program."""

    program: Path

    def run(self, *arguments: str, values: Mapping[str, Any] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a command with values; whatever comes of it."""
        command = [str(self.program), *arguments, *([] if values is None else ["--values", "-"])]
        text = None if values is None else yaml.safe_dump(dict(values))
        return subprocess.run(command, input=text or "", capture_output=True, text=True, check=False, timeout=_SECONDS)

    def template(self, values: Mapping[str, Any], *arguments: str) -> dict[Key, Raw]:
        """The objects that values lead to, hooks and tests too."""
        done = self.run("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *arguments, values=values)
        if done.returncode:
            raise RuntimeError(done.stderr)
        found: dict[Key, Raw] = {}
        for item in yaml.safe_load_all(done.stdout):
            if item:
                key = (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"])
                if key in found:
                    message = f"{key} is rendered twice"
                    raise RuntimeError(message)
                found[key] = item
        return found

    def refusal(self, values: Mapping[str, Any]) -> str:
        """What it says against values; "" where it takes them."""
        done = self.run("template", RELEASE, str(CHART), "--namespace", NAMESPACE, values=values)
        return done.stderr if done.returncode else ""


def hook(item: Raw) -> str:
    """The moments at which Helm creates an object; "" for one of the release itself."""
    return str(item["metadata"].get("annotations", {}).get("helm.sh/hook", ""))


def release(objects: Mapping[Key, Raw]) -> dict[Key, Raw]:
    """What is not made for a moment only."""
    return {key: item for key, item in objects.items() if not hook(item)}


def pod_specs(objects: Mapping[Key, Raw]) -> dict[Key, Raw]:
    """The spec of every pod that the objects lead to."""
    found: dict[Key, Raw] = {}
    for key, item in objects.items():
        if key[0] == "Pod":
            found[key] = item["spec"]
        elif key[0] in ("Deployment", "Job"):
            found[key] = item["spec"]["template"]["spec"]
    return found


def containers(spec: Raw) -> Sequence[Raw]:
    """All containers of a pod."""
    return [*spec.get("initContainers", ()), *spec["containers"]]
