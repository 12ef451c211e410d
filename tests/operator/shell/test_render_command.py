"""`aigw-operator render`: which files are read, and the YAML that comes out."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import paper_cluster as paper
from aigw_operator import main
from aigw_operator.core.model import Installation
from aigw_operator.shell import render_command
from aigw_operator.shell.render_command import ManifestError
from aigw_operator.shell.templates import load_templates

IMAGE = "receiver:1"
pytestmark = pytest.mark.usefixtures("log_of_the_tests")


def _write(path: Path, *manifests: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump_all(manifests))
    return str(path)


def _read(*names: str, stdin: str = "") -> list[str]:
    """Namespace and name of each manifest that is read."""
    found = render_command.read(names, io.StringIO(stdin), namespace="default")
    return [f"{raw['metadata'].get('namespace', '')}/{raw['metadata']['name']}" for raw in found]


def _bare(kind: str, name: str, api_version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


def test_files_folders_and_stdin(tmp_path: Path) -> None:
    """What a user names would not be read, or in another order than they named it."""
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    _write(folder / "b.yaml", _bare("A", "b1"), _bare("A", "b2"))
    (folder / "a.json").write_text('{"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}}')
    _write(folder / "notes.txt", _bare("A", "no"))
    _write(folder / "below" / "c.yaml", _bare("A", "no"))
    one = _write(tmp_path / "one", _bare("A", "one"))

    stdin = "---\n# nothing\n---\napiVersion: v1\nkind: A\nmetadata: {name: piped, namespace: there}\n"
    expected = ["default/one", "there/piped", "default/a", "default/b1", "default/b2"]
    assert expected == _read(one, "-", str(folder), stdin=stdin)


def test_lists_and_namespaces() -> None:
    """What `kubectl get -o yaml` writes would not be read, or a manifest be in no namespace."""
    classes = _bare("GatewayClass", "eg", "gateway.networking.k8s.io/v1")
    document = {"apiVersion": "v1", "kind": "List", "items": [_bare("Gateway", "gw"), classes, _bare("Namespace", "n")]}

    assert ["default/gw", "/eg", "/n"] == _read("-", stdin=yaml.safe_dump(document))


def test_a_date_is_a_text() -> None:
    """A creationTimestamp would be no JSON, and neither be compared nor written."""
    stdin = "apiVersion: v1\nkind: A\nmetadata: {name: a, creationTimestamp: 2026-01-01T00:00:00Z}\n"
    (manifest,) = render_command.read(["-"], io.StringIO(stdin), namespace="default")

    assert "2026-01-01T00:00:00Z" == manifest["metadata"]["creationTimestamp"]


UNREADABLE = {
    "a: [": r"-: while parsing",
    "text": r"-: document 1: expected an object with apiVersion and kind",
    "kind: A\nmetadata: {name: a}": r"-: document 1: expected an object with apiVersion and kind",
    "apiVersion: v1\nkind: A\nmetadata: {name: 1}": r"-: document 1: expected metadata\.name, a text",
    "apiVersion: v1\nkind: List\nitems: [1]": r"-: document 1, item 1: expected an object with apiVersion and kind",
}


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable_text(text: str) -> None:
    """A typing error would be passed over, or end in a traceback."""
    with pytest.raises(ManifestError, match=UNREADABLE[text]):
        _read("-", stdin=text)


def test_unreadable_files(tmp_path: Path) -> None:
    """A file that is not there would be passed over, and a folder without manifests look like nothing to do."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff")
    empty = tmp_path / "empty"
    empty.mkdir()
    for name, expected in (
        (tmp_path / "gone", "No such file or directory"),
        (binary, "'utf-8' codec can't decode"),
        (empty, r"no file that ends with \.yaml, \.yml, \.json"),
    ):
        with pytest.raises(ManifestError, match=f"{name}: {expected}"):
            _read(str(name))


def test_a_manifest_without_the_form_of_its_kind() -> None:
    """A file that no API server would take would end in a traceback."""
    manifests = [paper.gateway("gw"), paper.policy(), paper.receiver()]
    manifests.append(paper.config("gw-aigw-telemetry", extProc={"kubernetes": {"env": ["POD_NAME"]}}))
    manifests[0]["metadata"]["annotations"] = {"aigateway.envoyproxy.io/gateway-config": "gw-aigw-telemetry"}

    with pytest.raises(ManifestError, match="a manifest has not the form of its kind: "):
        render_command.render(manifests, Installation(receiver_image=IMAGE), load_templates())


def test_the_text_is_plain_yaml() -> None:
    """A number would not stay a text, a text be folded, a file in a ConfigMap be unreadable, or an anchor be left."""
    shared = {"a": "1"}
    raw = {
        "z": "10000",
        "yes": "yes",
        "n": 1,
        "long": "word " * 60 + "end",
        "file": "a: 1\nb: 2\n",
        "x": shared,
        "y": shared,
    }
    text = render_command.dump([raw, {"ü": []}])

    lines = ["---", "z: '10000'", "'yes': 'yes'", "n: 1", f"long: {'word ' * 60}end", "file: |", "  a: 1", "  b: 2"]
    assert [*lines, "x:", "  a: '1'", "y:", "  a: '1'", "---", "ü: []"] == text.splitlines()
    assert [raw, {"ü": []}] == list(yaml.safe_load_all(text))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The stream would hold something else than objects, or the exit status not tell that all is well."""
    path = _write(tmp_path / "all.yaml", paper.gateway("gw"), paper.policy(), paper.receiver())
    status = main.main(["render", "--receiver-image", IMAGE, path])

    output = capsys.readouterr()
    assert (0, "") == (status, output.err)
    objects = list(yaml.safe_load_all(output.out))
    assert (12, "Gateway") == (len(objects), objects[-1]["kind"])


def test_the_command_with_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline would go on with a policy that cannot have its way, or not be told why."""
    path = _write(tmp_path / "all.yaml", paper.gateway("gw"), paper.policy())

    expected = (
        "aigw-operator: Gateway default/gw: TelemetryReceiver aigw-telemetry/default does not exist; create it, or "
        "correct receiverRef\n"
    )
    assert (1, ("", expected)) == (main.main(["render", path]), capsys.readouterr())


def test_the_command_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a user had set and what stays would not be said, or fail a pipeline."""
    env = [{"name": "OTEL_EXPORTER_OTLP_HEADERS", "value": "a=b"}]
    config = paper.config("mine", extProc={"kubernetes": {"env": env}})
    gateway = paper.gateway("gw", metadata={"annotations": {"aigateway.envoyproxy.io/gateway-config": "mine"}})
    path = _write(tmp_path / "all.yaml", gateway, config, paper.policy(), paper.receiver(image=IMAGE))

    assert 0 == main.main(["render", path])
    assert capsys.readouterr().err.startswith(
        "aigw-operator: note: Gateway default/gw: OTEL_EXPORTER_OTLP_HEADERS is sent to "
    )


def test_the_command_with_an_unreadable_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline could not tell a file that is missing from a policy that cannot have its way."""
    status = main.main(["render", str(tmp_path / "gone.yaml")])
    expected = f"aigw-operator: {tmp_path / 'gone.yaml'}: No such file or directory\n"
    assert (2, ("", expected)) == (status, capsys.readouterr())


def test_the_program_needs_no_cluster(tmp_path: Path) -> None:
    """A person without a kubeconfig could not use it, or a reader that ends early would get a traceback."""
    manifests = yaml.safe_dump_all([paper.gateway("gw"), paper.policy(), paper.receiver(image=IMAGE)])
    command = [sys.executable, "-m", "aigw_operator.main", "render", "-"]
    environment = {"HOME": str(tmp_path), "PATH": "", "KUBECONFIG": str(tmp_path / "none")}
    done = subprocess.run(
        command, input=manifests, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert 12 == len(list(yaml.safe_load_all(done.stdout)))


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    """`aigw-operator render … | head` would end in a traceback."""
    path = _write(
        tmp_path / "all.yaml",
        *(paper.gateway(f"gw-{number}") for number in range(40)),
        paper.policy(),
        paper.receiver(),
    )
    command = [sys.executable, "-m", "aigw_operator.main", "render", "--receiver-image", IMAGE, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        error = program.stderr.read()

    assert (0, b"") == (program.returncode, error)
