"""The cluster of one real node, made once for all tests; where it cannot be they are skipped, and fail in CI."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Final, NoReturn

import pytest

from cluster.parts import catalog
from install import images as shipped
from install import parts as install_parts
from node import cluster_node, images, machine, parts, scene

_VERSION: Final = "next"
"""the tag of the images that the chart is upgraded to"""


def _cannot(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Give a way past pytest's capture: all of this takes minutes."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{line}")
            sys.stderr.flush()

    return tell


@pytest.fixture(scope="session")
def the_scene(say: Callable[[str], None]) -> Iterator[scene.Scene]:
    """Give a node with Envoy Gateway, AI Gateway's stand-in and two Gateways that serve; our chart is not installed."""
    try:
        machine.check()
    except machine.CannotError as error:
        _cannot(str(error))
    if absent := [
        *parts.missing(),
        *catalog.missing(),
        *(n for n in ("helm-3", "helm-4") if not install_parts.find(n)),
    ]:
        _cannot(f"{', '.join(absent)} missing: make node-parts")
    log = ["git", "-C", str(images.TREE), "log", "-1", "--format=%H %ct"]
    revision, epoch = subprocess.run(log, capture_output=True, text=True, check=True).stdout.split()
    try:
        built = images.build(parts.cache_folder() / "images", revision=revision, epoch=int(epoch), say=say)
    except shipped.ImageError as error:
        _cannot(str(error))
    logs = parts.cache_folder() / "logs"
    with cluster_node.running([*built.others, built.operator, built.receiver], say, logs) as node:
        for target in shipped.TARGETS:
            name = f"docker.io/library/aigw-{target}"
            node.tag(f"{name}:{shipped.version()}", f"{name}:{_VERSION}")
        made = scene.Scene(node, say)
        made.prepare()
        yield made
