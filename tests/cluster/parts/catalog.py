"""The programs and files that the cluster tests need: their versions, and where each of them is found.

Looks only; building is in builder.py.
"""

import dataclasses
import hashlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
MODULE: Final = HERE / "module"
BUILD_COMMAND: Final = "make cluster-parts"

READY_FOLDER: Final = "AIGW_TELEMETRY_PARTS"
"""names a folder of ready programs, which are taken before any other"""
ASSETS_FOLDER: Final = "KUBEBUILDER_ASSETS"
"""what controller developers have already: etcd, kube-apiserver and kubectl"""
_ASSETS: Final = frozenset({"etcd", "kube-apiserver", "kubectl"})

PROGRAMS: Final = (
    "kubectl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
    "kwok",
    "envoy-gateway",
)
"""in the order in which they are built: what most others share comes first"""
CRDS: Final = "envoy-gateway-crds.yaml"
PARTS: Final = (*PROGRAMS, CRDS)


class MissingPartError(Exception):
    """A part is neither in a named folder nor in the cache; the message names the command that adds it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Versions:
    """What versions.toml says."""

    kubernetes: str
    etcd: str
    kwok: str
    envoy_gateway: str
    kubectl: str


def versions() -> Versions:
    """The versions of all parts."""
    read = tomllib.loads((HERE / "versions.toml").read_text())
    return Versions(**{key.replace("-", "_"): str(value) for key, value in read.items()})


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where built parts are kept, outside of the work tree; another version of anything is another folder."""
    digest = hashlib.sha256()
    for file in (HERE / "versions.toml", MODULE / "go.mod"):
        digest.update(file.read_bytes())
    root = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "aigw-telemetry" / f"parts-{digest.hexdigest()[:12]}"


def find(part: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Path of a part; None where it is not there."""
    folders = [environment.get(READY_FOLDER)]
    if part in _ASSETS:
        folders.append(environment.get(ASSETS_FOLDER))
    candidates = [Path(folder, part) for folder in folders if folder]
    return next((path for path in [*candidates, cache_folder(environment) / part] if path.is_file()), None)


def path_of(part: str) -> Path:
    """Path of a part that must be there."""
    path = find(part)
    if path is None:
        message = f"{part} is missing: {BUILD_COMMAND}"
        raise MissingPartError(message)
    return path


def missing() -> list[str]:
    """The parts that are not there."""
    return [part for part in PARTS if find(part) is None]
