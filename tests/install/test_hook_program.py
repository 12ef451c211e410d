"""What the program of the chart's hooks does at an API server, and what it makes of the answers."""

import http.server
import importlib.util
import json
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from install.helm import CHART

_GROUP = "/apis/telemetry.aigw.dev/v1alpha1"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("objects", CHART / "files" / "hooks" / "objects.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


objects = _load()


class Server:
    """An API server, as far as the hooks ask of it: objects by path, and answers that a test prescribes."""

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, Any] = {}
        self.asked: list[str] = []
        self.first: list[tuple[str, int]] = []
        """Requests that begin so are answered so, once each."""
        (folder / "token").write_text("secret\n")
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Hands over."""

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                assert self.headers["Authorization"] == "Bearer secret"
                status, answer = outer.answer(self.command, self.path, json.loads(body) if body else None)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PATCH = do_DELETE = _answer  # noqa: N815 (the names that the server calls)

            def log_message(self, *_: Any) -> None:
                """Be silent."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.cluster = objects.Cluster(f"http://127.0.0.1:{self._http.server_port}", folder, pause=0.0)

    def answer(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        """Status and body."""
        path, _, query = url.partition("?")
        self.asked.append(f"{method} {path}")
        for index, (beginning, status) in enumerate(self.first):
            if self.asked[-1].startswith(beginning):
                del self.first[index]
                return status, {"message": "a fault of the test"}
        if method == "GET":
            wanted = dict(urllib.parse.parse_qsl(query))["labelSelector"].split(",")
            prefix, _, plural = path.rpartition("/")
            return 200, {
                "items": [
                    item
                    for where, item in self.objects.items()
                    if where.startswith(prefix)
                    and f"/{plural}/" in where
                    and set(wanted) <= {f"{key}={value}" for key, value in item["metadata"]["labels"].items()}
                ]
            }
        if method == "DELETE":
            return (200, {}) if self.objects.pop(path, None) else (404, {})
        if path.endswith("/scale"):
            name = path.removesuffix("/scale")
            if name not in self.objects:
                return 404, {}
            # Its pods end when somebody has looked at them once more.
            self.objects[name] = body
            return 200, body
        self.objects[path] = body
        return 200, body

    def stop(self) -> None:
        """End it."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Give an API server of the test's own."""
    running = Server(tmp_path)
    yield running
    running.stop()


def _item(kind: str, name: str, **labels: str) -> dict[str, Any]:
    metadata = {"namespace": "n", "name": name, "labels": labels or {"telemetry.aigw.dev/release": "n.r"}}
    return {"apiVersion": "telemetry.aigw.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": {}}


def _path(plural: str, name: str, namespace: str = "n") -> str:
    return f"{_GROUP}/namespaces/{namespace}/{plural}/{name}"


def test_apply(server: Server) -> None:
    """An object is not applied, or stays when it is no longer wanted; or a user's own policy is deleted."""
    mine = _path("telemetrypolicies", "users-own")
    server.objects[mine] = _item("TelemetryPolicy", "users-own", a="b")
    wanted = [_item("TelemetryPolicy", "p"), _item("TelemetryReceiver", "r"), _item("TelemetryPolicy", "q")]

    objects.apply(server.cluster, "n.r", wanted, [])
    assert {
        mine,
        _path("telemetryreceivers", "r"),
        _path("telemetrypolicies", "p"),
        _path("telemetrypolicies", "q"),
    } == set(server.objects)
    # The receiver goes first.
    assert f"PATCH {_path('telemetryreceivers', 'r')}" == server.asked[0]

    objects.apply(server.cluster, "n.r", wanted[:1], ["n"])
    assert {mine, _path("telemetrypolicies", "p")} == set(server.objects)
    objects.apply(server.cluster, "n.r", [], [])
    assert {mine} == set(server.objects)


def test_apply_where_kinds_come_later(server: Server) -> None:
    """CRDs that were created a moment ago, or an API server that is busy, end the install."""
    server.first += [("PATCH", 404), ("PATCH", 403), ("PATCH", 503), ("GET", 404), ("GET", 500)]
    objects.apply(server.cluster, "n.r", [_item("TelemetryReceiver", "r")], [])
    assert {_path("telemetryreceivers", "r")} == set(server.objects)
    assert 4 == sum(each.startswith("PATCH") for each in server.asked)


def test_delete_where_kinds_are_gone(server: Server) -> None:
    """An uninstall waits for ever because somebody has deleted the CRDs."""
    server.first += [("GET", 404), ("GET", 404)]
    objects.apply(server.cluster, "n.r", [], [])
    assert 2 == len(server.asked)


def test_refused(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An object that the API server refuses is tried until the deadline, and nobody is told why."""
    server.first += [("PATCH", 422)]
    file = tmp_path / "objects.json"
    file.write_text(json.dumps([_item("TelemetryReceiver", "r")]))
    assert 1 == objects.main(["apply", "n.r", str(file)], lambda: server.cluster)
    assert "422: " in (said := capsys.readouterr().err)
    assert "a fault of the test" in said


def test_stop(server: Server) -> None:
    """The wiring is undone while a pod of the operator still runs."""
    deployment, pod = "/apis/apps/v1/namespaces/n/deployments/d", "/api/v1/namespaces/n/pods/p"
    server.objects[deployment] = {"metadata": {"labels": {}}}
    server.objects[pod] = {"metadata": {"name": "p", "labels": {"a": "b"}}, "status": {"phase": "Running"}}
    server.objects[f"{pod}2"] = {"metadata": {"name": "p2", "labels": {"a": "b"}}, "status": {"phase": "Failed"}}
    server.objects[f"{pod}3"] = {"metadata": {"name": "p3", "labels": {"a": "c"}}, "status": {"phase": "Running"}}
    stopping = threading.Thread(
        target=objects.stop, args=(server.cluster, "d", "n", "a=b"), kwargs={"pause": 0.01}, daemon=True
    )
    stopping.start()
    stopping.join(0.2)
    assert stopping.is_alive()
    assert {"spec": {"replicas": 0}} == server.objects[deployment]
    del server.objects[pod]
    stopping.join(10)
    assert not stopping.is_alive()


def test_stop_of_what_is_gone(server: Server) -> None:
    """An uninstall after an install that failed early waits for a Deployment that never was."""
    assert 0 == objects.main(["stop", "d", "n", "a=b"], lambda: server.cluster)
    assert 2 == len(server.asked)


def test_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    """A template that calls the program wrongly is taken for one that succeeded."""
    assert 2 == objects.main(["undo"], lambda: pytest.fail("it asked the cluster"))
    assert "objects.py apply RELEASE FILE" in capsys.readouterr().err
