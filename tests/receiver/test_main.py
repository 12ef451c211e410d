"""The command line: how it ends when it cannot start, and what it says then."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from aigw_receiver import main
from receiver_program import command, free_ports

_LISTENERS = ("--otlp-grpc", "--otlp-http", "--http", "--telemetry")


pytestmark = pytest.mark.usefixtures("log_of_the_tests")


def _addresses(**taken: int) -> list[str]:
    arguments = ["serve"]
    for flag, port in zip(_LISTENERS, free_ports(4), strict=True):
        arguments += [flag, f"127.0.0.1:{taken.get(flag, port)}"]
    return arguments


@pytest.mark.parametrize("flag", _LISTENERS)
def test_port_in_use(flag: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A port in use does not end the start, or ends it with more or less than one clear line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert 1 == main.main(_addresses(**{flag: port}))
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"aigw-receiver: cannot listen on 127.0.0.1:{port}: ")
    assert "in use" in line


def test_two_listeners_on_one_port(capfd: pytest.CaptureFixture[str]) -> None:
    """A port that is given twice is shared, and each listener gets half of the requests."""
    (port,) = free_ports(1)
    assert 1 == main.main(_addresses(**{"--http": port, "--telemetry": port}))
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"aigw-receiver: cannot listen on 127.0.0.1:{port}: ")


def test_address_of_another_machine(capfd: pytest.CaptureFixture[str]) -> None:
    """An address that is not this machine's does not end the start with one line."""
    for flag in _LISTENERS:
        arguments = _addresses()
        arguments[arguments.index(flag) + 1] = "192.0.2.1:4317"  # RFC 5737: of no machine
        assert 1 == main.main(arguments)
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith("aigw-receiver: cannot listen on 192.0.2.1:4317: ")


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """The lock on a file, held by another process: a process never conflicts with its own."""
    program = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); "
        "print(flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.communicate()


@pytest.mark.parametrize("kind", ["file", "below a file", "locked"])
def test_unusable_data_directory(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A data directory that cannot be used is passed over, and a restart loses everything."""
    directory = tmp_path / "data"
    expected = {
        "file": "File exists",
        "below a file": "Not a directory",
        "locked": "another receiver uses this directory",
    }
    with contextlib.ExitStack() as stack:
        if kind == "locked":
            directory.mkdir()
            stack.enter_context(_locked(directory / "lock"))
        else:
            directory.touch()
            directory = directory / "below" if kind == "below a file" else directory
        assert 1 == main.main([*_addresses(), "--data-dir", str(directory)])
    (line,) = capfd.readouterr().err.splitlines()
    assert f"aigw-receiver: cannot use the data directory {directory}: {expected[kind]}" == line


def test_missing_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A configuration that is not there is passed over."""
    assert 2 == main.main(["serve", "--config", str(tmp_path / "no.yaml")])
    assert f"aigw-receiver: {tmp_path / 'no.yaml'}: No such file or directory\n" == capfd.readouterr().err


def test_bad_setting(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A mistake in the file or in a flag ends the start with a traceback, or not at all."""
    file = tmp_path / "config.yaml"
    file.write_text("limits: {streams: 0}")
    assert 2 == main.main(["serve", "--config", str(file)])
    expected = f"aigw-receiver: {file}: limits.streams: expected a whole number of at least 1, got 0\n"
    assert expected == capfd.readouterr().err
    assert 2 == main.main(["serve", "--http", "8080"])
    assert "aigw-receiver: listen.http: expected HOST:PORT, got '8080'\n" == capfd.readouterr().err


def test_bad_environment(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A mistake in an environment variable is passed over."""
    monkeypatch.setenv("AIGW_RECEIVER_TELEMETRY", "x")
    assert 2 == main.main(["serve"])
    assert "aigw-receiver: listen.telemetry: expected HOST:PORT, got 'x'\n" == capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "end"), [([], "required: COMMAND"), (["run"], "'run' (choose from 'price', 'probe', 'serve')")]
)
def test_wrong_call(arguments: list[str], end: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A wrong call does not end with the status that shells use for it."""
    with pytest.raises(SystemExit) as error:
        main.main(arguments)
    assert 2 == error.value.code
    assert end.replace("'", "") in capfd.readouterr().err.replace("'", "")


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    """The program does not say which version it is."""
    with pytest.raises(SystemExit) as error:
        main.main(["--version"])
    assert (0, metadata.version("aigw-telemetry")) == (error.value.code, capfd.readouterr().out.strip())


def test_help(capfd: pytest.CaptureFixture[str]) -> None:
    """A flag has no help text, or the help names another default than there is."""
    with pytest.raises(SystemExit) as error:
        main.main(["serve", "--help"])
    text = " ".join(capfd.readouterr().out.split())
    assert 0 == error.value.code
    for word in (*_LISTENERS, "--config", "--data-dir", "0.0.0.0:4317", "0.0.0.0:4318", "0.0.0.0:8080", "0.0.0.0:8081"):
        assert word in text
    with pytest.raises(SystemExit):
        main.main(["--help"])
    assert "serve" in capfd.readouterr().out


def test_price(capfd: pytest.CaptureFixture[str]) -> None:
    """The command does not say what tokens cost, or ends with a status that a script cannot tell apart."""
    expected = {
        ("gpt-5-nano", "--input", "1000", "--output", "10"): (0, "cost                  0.000054 USD", ""),
        ("no-such-model", "--input", "1"): (1, "(unknown_model)", ""),
        ("gpt-5-nano", "--at", "today"): (2, "", "--at: expected a date"),
        ("gpt-5-nano", "--book", "/no/such/file"): (2, "", "/no/such/file: cannot be read"),
    }
    for arguments, (status, out, err) in expected.items():
        assert status == main.main(["price", *arguments])
        printed = capfd.readouterr()
        assert (bool(out), bool(err)) == (bool(printed.out), bool(printed.err))
        assert out in printed.out
        assert err in printed.err


def test_program_as_it_is_installed() -> None:
    """The program ends with another status, or says more, when it is a process of its own."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            command(*_addresses(**{"--otlp-grpc": port})), capture_output=True, text=True, timeout=60, check=False
        )
    assert (1, "", 1) == (ended.returncode, ended.stdout, len(ended.stderr.splitlines()))
    assert ended.stderr.startswith(f"aigw-receiver: cannot listen on 127.0.0.1:{port}: ")
