"""The program as it is called: its flags, its exit statuses, what it prints, and its end by a signal."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import kmock
import pytest
import yaml

from aigw_operator import main, settings
from aigw_operator.core import model
from api_server import ApiServer, write_kubeconfig


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, log_of_the_tests: None) -> None:
    """No settings of the machine, and the log back to the tests afterwards."""
    del log_of_the_tests
    for name in settings.KEYS:
        monkeypatch.delenv(settings.ENVIRONMENT_PREFIX + name.upper(), raising=False)


_OBJECTS = [
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "gw", "namespace": "ns", "annotations": {"made": "2026-01-01"}},
        "spec": {"gatewayClassName": "eg"},
    },
    None,
    {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "telemetry.aigw.dev/v1alpha1",
                "kind": "TelemetryPolicy",
                "metadata": {"name": "p", "namespace": "ns"},
                "spec": {
                    "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}],
                    "endpoint": {"url": "http://oap.skywalking:11800"},
                },
            }
        ],
    },
]


def _write(folder: Path) -> str:
    path = folder / "gateway.yaml"
    # Without quotes a date is no text to YAML, but it is to an API server.
    path.write_text(yaml.safe_dump_all(_OBJECTS).replace("'2026-01-01'", "2026-01-01"))
    return str(path)


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """A setting has no flag, or the help does not tell its default."""
    with pytest.raises(SystemExit) as caught:
        main.main(["run", "--help"])
    text = " ".join(capsys.readouterr().out.split())

    assert 0 == caught.value.code
    assert [name for name in settings.KEYS if settings.flag(name) not in text] == []
    assert "seconds between two lists of everything (default 300)" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--resync", "5m"], "--resync: expected seconds, from 1 to 86400, got '5m'"),
        (["run", "--kubeconfig", "/nowhere/config"], "no way to the API server: "),
        (["render", "/nowhere/gateway.yaml"], "/nowhere/gateway.yaml: No such file"),
    ],
)
def test_what_cannot_be_used(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong call is a stack trace, or has the exit status of a failure."""
    assert 2 == main.main(arguments)
    assert f"aigw-operator: {message}" in capsys.readouterr().err


def test_render(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What would be written is not printed as YAML that an API server takes, or a time is no text any more."""
    status = main.main(["render", _write(tmp_path)])
    printed = capsys.readouterr()
    objects = list(yaml.safe_load_all(printed.out))

    assert (0, "") == (status, printed.err)
    assert ["GatewayConfig", "Backend", "EnvoyProxy", "Gateway"] == [raw["kind"] for raw in objects]
    assert {"made": "2026-01-01"}.items() <= objects[-1]["metadata"]["annotations"].items()


def test_render_with_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script does not learn that a policy selects nothing."""
    documents = _OBJECTS[1:]
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    with path.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        status = main.main(["render", "-"])

    assert 1 == status
    assert "aigw-operator: TelemetryPolicy ns/p: Gateway ns/gw is not among the files\n" == capsys.readouterr().err


def _seed(server: ApiServer) -> None:
    for kind, version in ((model.GATEWAY, "v1"), (model.GATEWAY_CONFIG, "v1beta1"), (model.ENVOY_PROXY, "v1alpha1")):
        raw = {
            "metadata": {"name": f"{kind.plural}.{kind.group}"},
            "spec": {"group": kind.group, "versions": [{"name": version, "served": True}]},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        }
        server.have(model.DEFINITION, raw)
    server.have(model.GATEWAY, {"metadata": {"namespace": "ns", "name": "gw"}, "spec": {"gatewayClassName": "eg"}})


def _call(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the program beside an API server; answers its exit status and what it printed."""

    async def run() -> tuple[int, str, str]:
        async with ApiServer() as server, kmock.Server(server):
            _seed(server)
            config = write_kubeconfig(folder / "config", str(server.url))
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-W", "error", "-m", "aigw_operator.main", *arguments, "--kubeconfig", config),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            if "run" in arguments:
                while not [request for request in server.asked if request.watches and request.plural == "pods"]:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
                process.send_signal(signal.SIGTERM)
            out, err = await asyncio.wait_for(process.communicate(), 30)
            return process.returncode or 0, out.decode(), err.decode()

    return asyncio.run(run())


def test_run_and_stop(tmp_path: Path) -> None:
    """A signal does not end the program in good order, or a line of its log is no JSON."""
    status, out, err = _call(tmp_path, "run", "--http", "127.0.0.1:0")
    lines: list[dict[str, Any]] = [json.loads(line) for line in err.splitlines()]

    assert (0, "") == (status, out)
    assert {"time", "level", "logger", "message", "capabilities"} == set(lines[0])
    assert ("info", "shell.operator", "the cluster is known") == tuple(
        lines[0][name] for name in ("level", "logger", "message")
    )
    assert [] == [line for line in lines if line["level"] in ("error", "critical")]


def test_doctor(tmp_path: Path) -> None:
    """The first broken link is not named, what comes after it is, or a script does not learn of it."""
    status, out, _ = _call(tmp_path, "doctor", "-n", "ns", "gw")

    assert 1 == status
    assert "Gateway ns/gw" in out
    assert "no TelemetryPolicy of its namespace selects it" in out


def test_undo_needs_an_answer(tmp_path: Path) -> None:
    """An undo that was not confirmed is done, where there is nobody to ask."""
    expected = (1, "", "aigw-operator: nothing was changed; --yes answers the question\n")
    assert expected == _call(tmp_path, "undo", "--all")


def test_undo(tmp_path: Path) -> None:
    """A cluster that has nothing of ours cannot be undone."""
    assert (0, "everything is undone\n", "") == _call(tmp_path, "undo", "--all", "--yes")
