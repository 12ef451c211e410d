"""Helm, old and new, and kubectl; where one is missing its tests are skipped, and fail in CI."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

from install import parts
from install.helm import Helm


def _cannot(reason: str) -> NoReturn:
    # In CI nothing may be missing.
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _find(name: str) -> Path:
    path = parts.find(name)
    if path is None:
        _cannot(f"{name} is missing: {parts.COMMAND}")
    return path


@pytest.fixture(scope="session", params=["helm-3", "helm-4"])
def each_helm(request: pytest.FixtureRequest) -> Helm:
    """Give each Helm in turn."""
    return Helm(_find(str(request.param)))


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Give the newest Helm."""
    return Helm(_find("helm-4"))


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """Give kubectl."""
    return _find("kubectl")
