"""`python -m install.images FOLDER`: builds both images from the checkout as archives, on a machine without a registry.

The base image is a Debian of debootstrap with python3, imported under the name that the Dockerfile's FROM says. buildah
gets a store of its own in FOLDER, so nothing else on the machine changes. Needs root, and the Debian packages of
`PACKAGES`. A FOLDER that was used before keeps its base; the images are always built anew.
"""

import argparse
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from install import parts

TREE: Final = Path(__file__).parents[2]
TARGETS: Final = ("operator", "receiver")
PACKAGES: Final = "buildah runc debootstrap fuse-overlayfs netavark uidmap"
_REGISTRY: Final = "docker.io/library/"
_INCLUDED: Final = "python3,python3-pip,python3-venv,ca-certificates"
_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_BUILD_SECONDS: Final = 1800.0

# Neither limits that the machine forbids, nor networks and cgroups that a build does not need.
_CONTAINERS: Final = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""
# Debian's suite is the one of the default base image.
_SUITE: Final = "bookworm"


class ImageError(Exception):
    """An image could not be built; the message says what to do."""


def version() -> str:
    """The version of the project, which is the tag of the images."""
    return str(tomllib.loads((TREE / "pyproject.toml").read_text())["project"]["version"])


def base_name() -> str:
    """The base image's name, as the Dockerfile has it by default."""
    found = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", (TREE / "Dockerfile").read_text(), re.MULTILINE)
    if found is None:
        message = "the Dockerfile names no base image"
        raise ImageError(message)
    return found[1]


@dataclasses.dataclass(frozen=True, slots=True)
class Builder:
    """Builds in one folder and tells of each step by `say`."""

    folder: Path
    say: Callable[[str], None]

    def build(self, *, revision: str, epoch: int) -> dict[str, Path]:
        """Both images as docker-archives, by target; their names are docker.io/library/aigw-TARGET:VERSION."""
        (self.folder / "containers.conf").write_text(_CONTAINERS)
        store = f'[storage]\ndriver = "overlay"\ngraphroot = "{self.folder}/graph"\nrunroot = "{self.folder}/run"\n'
        (self.folder / "storage.conf").write_text(store)
        self._import_base()
        found = {}
        for target in TARGETS:
            self.say(f"building aigw-{target} …")
            name, archive = f"{_REGISTRY}aigw-{target}:{version()}", self.folder / f"aigw-{target}.tar"
            arguments = {"SOURCE_DATE_EPOCH": str(epoch), "VERSION": version(), "REVISION": revision}
            self._run(
                *("buildah", "bud", "--quiet", "--format", "docker", "--pull=never", "--network", "host"),
                *("--volume", f"{_AUTHORITIES}:{_AUTHORITIES}:ro", "--target", target, "--timestamp", str(epoch)),
                *(part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")),
                *("--tag", name, str(TREE)),
            )
            archive.unlink(missing_ok=True)
            self._run("buildah", "push", "--quiet", name, f"docker-archive:{archive}:{name}")
            found[target] = archive
        return found

    def _import_base(self) -> None:
        present = self._run("buildah", "images", "--format", "{{.Name}}:{{.Tag}}").split()
        if base_name() in present:
            return
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".making-") as scratch:
            shutil.copy2(self._rootfs(), Path(scratch, "rootfs.tar"))
            recipe = Path(scratch, "Dockerfile")
            recipe.write_text('FROM scratch\nADD rootfs.tar /\nCMD ["python3"]\n')
            self._run("buildah", "bud", "--quiet", "--format", "docker", "--tag", base_name(), scratch)

    def _rootfs(self) -> Path:
        """The files of the base image, made once for all folders."""
        kept = parts.cache_folder().parent / f"base-{_SUITE}.tar"
        if kept.is_file():
            return kept
        self.say("debootstrap …")
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".making-") as scratch:
            root, made = Path(scratch, "root"), Path(scratch, "made.tar")
            self._run("debootstrap", "--variant=minbase", f"--include={_INCLUDED}", _SUITE, str(root))
            left_out = ("./dev/*", "./proc/*", "./sys/*", "./var/cache/apt/*", "./var/lib/apt/lists/*")
            self._run("tar", "-C", str(root), "-cf", str(made), *(f"--exclude={each}" for each in left_out), ".")
            return made.replace(kept)

    def _run(self, *command: str) -> str:
        if shutil.which(command[0]) is None:
            message = f"{command[0]} is missing: apt-get install --no-install-recommends {PACKAGES}"
            raise ImageError(message)
        environment = {
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
        }
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=_BUILD_SECONDS,
        )
        if done.returncode:
            message = f"this failed: {' '.join(command)}\n{done.stderr[-4000:]}"
            raise ImageError(message)
        return done.stdout


def main() -> int:
    """Build, and say where the archives are."""
    parser = argparse.ArgumentParser(prog="python -m install.images", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the archives and buildah's store go")
    folder: Path = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    revision, _, epoch = _git("log", "-1", "--format=%H %ct").partition(" ")
    try:
        archives = Builder(folder, _say).build(revision=revision, epoch=int(epoch))
    except ImageError as error:
        _say(f"error: {error}")
        return 1
    for archive in archives.values():
        sys.stdout.write(f"{archive}\n")
    return 0


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(TREE), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
