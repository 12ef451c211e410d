"""The wheel, as hatchling builds it from the checkout: what of the page is in it, and that it can be built again."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from install.helm import TREE

_SOURCE: Final = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "hatch_build.py", "operator", "receiver")
_PAGE: Final = "aigw_receiver/page"
_VENDOR: Final = f"receiver/{_PAGE}/vendor"
_SECONDS: Final = 300.0
# Any time will do; this is one that a zip file can hold.
_EPOCH: Final = "1700000000"


def copy(target: Path, source: Path = TREE) -> Path:
    """What the image's build gets of the checkout, in a folder of its own."""
    for name in _SOURCE:
        if (source / name).is_dir():
            leave = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(source / name, target / name, ignore=leave, copy_function=shutil.copyfile)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
    return target


def run(
    tree: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run Python there."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )


def build(tree: Path, kind: str, environment: Mapping[str, str] | None = None) -> Path:
    """Build a wheel or an sdist of a tree."""
    done = run(tree, "-m", "hatchling", "build", "-t", kind, "-d", str(tree / "dist"), environment=environment)
    assert (0, "") == (done.returncode, done.stderr if done.returncode else "")
    (built,) = (tree / "dist").glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


def test_page_is_in_the_wheel(tmp_path: Path) -> None:
    """A file of the page, or its chart library, is not installed with the receiver; or what only a check reads is."""
    tree = copy(tmp_path / "tree")
    wheel = build(tree, "wheel")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith(_PAGE)}
    page = tree / "receiver" / _PAGE
    there = {f"{_PAGE}/{path.relative_to(page).as_posix()}" for path in page.rglob("*") if path.is_file()}
    assert {name for name in there if not name.endswith(".d.ts")} == packed
    vendor = {"LICENSE", "origin.json", "uPlot.esm.js", "uPlot.min.css"}
    assert vendor == {name.rpartition("/")[2] for name in packed if name.startswith(f"{_PAGE}/vendor/")}


def test_same_bytes_again_and_from_an_sdist(tmp_path: Path) -> None:
    """A release cannot be verified by building it again, or its source archive cannot be built without npm."""
    other = copy(tmp_path / "an-other", copy(tmp_path / "first"))
    first = build(tmp_path / "first", "wheel")
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    assert first.read_bytes() == build(other, "wheel").read_bytes()
    archive = build(other, "sdist")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    (tree,) = (tmp_path / "unpacked").iterdir()
    assert first.read_bytes() == build(tree, "wheel", {"PATH": ""}).read_bytes()


def test_damaged_library_is_brought_again(tmp_path: Path) -> None:
    """What somebody has changed in the folder of the chart library is shipped."""
    tree = copy(tmp_path / "tree")
    script, extra = tree / _VENDOR / "uPlot.esm.js", tree / _VENDOR / "uPlot.min.css"
    whole = script.read_bytes()
    script.write_bytes(whole + b"\n")
    extra.unlink()
    done = run(tree, "hatch_build.py")
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    assert whole == script.read_bytes()
    assert (TREE / _VENDOR / "uPlot.min.css").read_bytes() == extra.read_bytes()
    origin = json.loads((tree / _VENDOR / "origin.json").read_text())
    lock = json.loads((tree / "receiver/page/package-lock.json").read_text())["packages"]["node_modules/uplot"]
    assert (lock["version"], lock["integrity"]) == (origin["version"], origin["integrity"])


def test_library_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    """A build without a network ends in a traceback that tells nobody what to do, or makes a wheel without charts."""
    tree = copy(tmp_path / "tree")
    shutil.rmtree(tree / _VENDOR)
    nowhere = {
        "NPM_CONFIG_REGISTRY": "http://127.0.0.1:9/",
        "NPM_CONFIG_CACHE": str(tmp_path / "cache"),
        "NPM_CONFIG_FETCH_RETRIES": "0",
    }
    done = run(tree, "-m", "hatchling", "build", "-t", "wheel", environment=nowhere)
    assert 0 != done.returncode
    assert not list(tree.glob("dist/*.whl"))
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    for words in ("could not be had from npm", "ECONNREFUSED", "NPM_CONFIG_REGISTRY", _VENDOR):
        assert words in said


@pytest.mark.parametrize("name", ["package.json", "package-lock.json", ".npmrc"])
def test_no_address_of_a_registry(name: str) -> None:
    """A build inside of a company's network goes past its mirror."""
    assert "://" not in (TREE / "receiver" / "page" / name).read_text()
