"""Shared parts of the truth tests: one scene for all cases that leave the receiver running, and the printed numbers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from truth.programs import Scene, find_program, running_scene

# Prometheus servers by name and interval. All scrape from the same address, so that those without a name can only be
# told apart by their connections.
_UNNAMED: Final = ((None, 1), (None, 3))
_LINES: Final[list[str]] = []


@pytest.fixture(scope="session")
def steady_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Give one receiver and two Prometheus servers that run through several cases."""
    find_program("prometheus")
    with running_scene(tmp_path_factory.mktemp("truth"), _UNNAMED) as scene:
        yield scene


@pytest.fixture
def restart_scene(tmp_path: Path) -> Iterator[Scene]:
    """Give a scene of the test's own, whose receiver keeps its state in a folder; one of its servers has a name."""
    find_program("prometheus")
    with running_scene(tmp_path, (*_UNNAMED, ("named", 2)), tmp_path / "data") as scene:
        yield scene


@pytest.fixture
def memory_scene(tmp_path: Path) -> Iterator[Scene]:
    """Give a scene of the test's own, whose receiver keeps nothing over a restart."""
    find_program("prometheus")
    with running_scene(tmp_path, _UNNAMED) as scene:
        yield scene


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line at once (seen with -s), and once more in pytest's summary."""

    def say(line: str) -> None:
        print(line)
        _LINES.append(f"{request.node.name}: {line}")

    return say


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print both numbers of every gateway."""
    if _LINES:
        terminalreporter.section("truth: what clients recorded / what each Prometheus stored")
        for line in _LINES:
            terminalreporter.line(line)
