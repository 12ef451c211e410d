"""The scene of the cluster tests: one control plane and one Envoy Gateway for all of them, a namespace for each test.

A session pays for them once: 11 s for the control plane, 10 s more for Envoy Gateway.
"""

import contextlib
import os
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final, NoReturn

import pytest

from cluster import ai_gateway, control_plane, envoy_gateway, extproc, fault_proxy, operator_program, processes, scene
from cluster.parts import catalog

_WATCHED_GROUPS: Final = (
    "telemetry.aigw.dev",
    "gateway.networking.k8s.io",
    "gateway.envoyproxy.io",
    "aigateway.envoyproxy.io",
)

StartAiGateway = Callable[[extproc.Settings], ai_gateway.AiGateway]
"""installs and starts a stand-in for AI Gateway; it is gone at the end of the test"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the control plane, so that `-m "not cluster"` leaves it out."""
    for item in items:
        if isinstance(item, pytest.Function) and "plane" in item.fixturenames:
            item.add_marker(pytest.mark.cluster)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a test that failed what the control plane and the test's programs wrote last."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for name in ("plane", "programs"):
            value = item.funcargs.get(name)
            if isinstance(value, control_plane.ControlPlane):
                report.sections.append((f"logs in {value.folder}", value.programs.tails()))
            elif isinstance(value, processes.Programs):
                report.sections.append((f"logs in {value.folder}", value.tails()))
    return report


def _cannot(reason: str) -> NoReturn:
    # In CI nothing may be missing.
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane.ControlPlane]:
    """Give the control plane; all tests share it."""
    missing = catalog.missing()
    if missing:
        _cannot(f"{', '.join(missing)} missing: {catalog.BUILD_COMMAND}")
    with control_plane.running(tmp_path_factory.mktemp("plane")) as running:
        yield running


@pytest.fixture(scope="session")
def envoy(plane: control_plane.ControlPlane) -> Iterator[envoy_gateway.EnvoyGateway]:
    """Give the Envoy Gateway; all tests share it, so whoever stops it starts it again."""
    try:
        envoy_gateway.check_sandbox()
    except envoy_gateway.NoSandboxError as error:
        _cannot(str(error))
    with envoy_gateway.running(plane) as running:
        yield running


@pytest.fixture
def start_ai_gateway(plane: control_plane.ControlPlane, envoy: envoy_gateway.EnvoyGateway) -> Iterator[StartAiGateway]:
    """Give a function that starts a stand-in for AI Gateway with settings; one at a time."""
    assert envoy
    with contextlib.ExitStack() as stack:
        yield lambda settings: stack.enter_context(ai_gateway.running(plane, settings))


@pytest.fixture
def namespace(plane: control_plane.ControlPlane) -> Iterator[str]:
    """Give a namespace of the test's own; nothing that an operator would look at is left of it for the next test."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    plane.api.wait_for("v1", "ServiceAccount", name, "default", lambda _: True)
    yield name
    for group in _WATCHED_GROUPS:
        plane.api.delete_all(group, name)
    # The rest takes the namespace controller 5 s, which is nobody's business.
    plane.api.delete("v1", "Namespace", "", name, wait=False)


@pytest.fixture
def set_scene(
    plane: control_plane.ControlPlane,
    envoy: envoy_gateway.EnvoyGateway,
    start_ai_gateway: StartAiGateway,
    namespace: str,
) -> Iterator[scene.Build]:
    """Give a function that sets the scene of an operator's test, with the two kinds and the shipped rules in place."""
    operator_program.install(plane)
    with scene.builder(plane, envoy, start_ai_gateway, namespace) as build:
        yield build


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[processes.Programs]:
    """Give a place for programs of the test's own, which are ended with it."""
    started = processes.Programs(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def proxy(plane: control_plane.ControlPlane) -> Iterator[fault_proxy.FaultProxy]:
    """Give a fault proxy of the test's own before the API server."""
    with fault_proxy.running(plane) as running:
        yield running
