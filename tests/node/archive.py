"""Writes images as docker-archives out of files, one layer each: for programs that are one static file."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def write(target: Path, name: str, files: Mapping[str, Path], entrypoint: Sequence[str], *, user: str = "") -> None:
    """An image of the given files by their paths in it, with the folders /tmp and /run."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in ("tmp", "run"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
        for path, source in sorted(files.items()):
            _add(tar, path.lstrip("/"), source.read_bytes(), 0o755)
    content = layer.getvalue()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": list(entrypoint), "User": user, "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
    }
    described = json.dumps(config).encode()
    described_name = f"{hashlib.sha256(described).hexdigest()}.json"
    manifest = [{"Config": described_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as archive:
        _add(archive, described_name, described, 0o644)
        _add(archive, "manifest.json", json.dumps(manifest).encode(), 0o644)
        _add(archive, "layer.tar", content, 0o644)


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
