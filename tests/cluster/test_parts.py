"""Where the programs of the cluster tests are found, and that they are what the version file says."""

from pathlib import Path

import pytest

from cluster.parts import builder, catalog


def test_module_agrees_with_the_versions() -> None:
    """Without it a new version would be named in one place and built from the other."""
    builder.check_module()


def test_ready_folder_comes_before_assets_and_cache(tmp_path: Path) -> None:
    """Without it a developer's own binaries would be ignored."""
    ready, assets, cache = (tmp_path / name for name in ("ready", "assets", "cache"))
    environment = {catalog.READY_FOLDER: str(ready), catalog.ASSETS_FOLDER: str(assets), "XDG_CACHE_HOME": str(cache)}
    built = catalog.cache_folder(environment)
    for folder in (ready, assets, built):
        folder.mkdir(parents=True)

    assert catalog.find("etcd", environment) is None
    found = []
    for folder in (built, assets, ready):
        (folder / "etcd").touch()
        found.append(catalog.find("etcd", environment))
    assert [built / "etcd", assets / "etcd", ready / "etcd"] == found


def test_assets_hold_only_what_they_are_known_for(tmp_path: Path) -> None:
    """Without it a program of another version could come from a folder that promises only three."""
    (tmp_path / "kwok").touch()

    assert catalog.find("kwok", {catalog.ASSETS_FOLDER: str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}) is None


def test_missing_go_is_said_with_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it a developer without Go would see a stack trace."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in (catalog.READY_FOLDER, catalog.ASSETS_FOLDER):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(builder.BuildError, match=r"^Go is missing: install Go 1\.26 or newer"):
        builder.Builder(tmp_path, print).build(["etcd"])
    assert [".lock"] == [path.name for path in tmp_path.iterdir()]
