"""The client speaks the Kubernetes API: its requests, its errors, its login."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import kmock
import pytest

from aigw_operator.core import model
from aigw_operator.core.model import NamespacedName, ObjectKey
from aigw_operator.settings import Settings, SettingsError
from aigw_operator.shell import credentials, errors
from aigw_operator.shell.kube import KubeClient
from api_server import ApiServer, Fault, write_kubeconfig

Result = TypeVar("Result")

_KEY = ObjectKey(model.GATEWAY_CONFIG, NamespacedName("ns", "a"))
_VERSION = "aigateway.envoyproxy.io/v1beta1"
_BODY = {"apiVersion": _VERSION, "kind": "GatewayConfig", "metadata": {"namespace": "ns", "name": "a"}, "spec": {}}
_PATH = "/apis/aigateway.envoyproxy.io/v1beta1/namespaces/ns/gatewayconfigs"


def _with_client(folder: Path, test: Callable[[ApiServer, KubeClient], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with ApiServer() as server, kmock.Server(server):
            settings = Settings(kubeconfig=write_kubeconfig(folder / "config", str(server.url)))
            async with KubeClient(settings) as client:
                return await test(server, client)

    return asyncio.run(run())


def test_requests(tmp_path: Path) -> None:
    """A verb goes to another path, with another content type, body or query than the API has it."""

    async def test(server: ApiServer, client: KubeClient) -> list[tuple[Any, ...]]:
        created = await client.create(_KEY, _BODY)
        await client.merge_patch(_KEY, _VERSION, {"spec": {"extProc": {}}})
        await client.merge_patch(_KEY, _VERSION, {"status": {"a": 1}}, subresource="status")
        await client.apply(_KEY, _BODY)
        await client.post_event("ns", {"metadata": {"generateName": "a."}})
        live = await client.get(_KEY, _VERSION)
        metadata = live["metadata"]
        assert ({"extProc": {}}, {"a": 1}, "2") == (live["spec"], live["status"], str(metadata["generation"]))
        assert created["metadata"]["uid"] == metadata["uid"]

        await client.delete(_KEY, _VERSION, uid=metadata["uid"], resource_version=metadata["resourceVersion"])
        assert server.find(model.GATEWAY_CONFIG, "ns", "a") is None
        assert {"secret"} == {request.headers["Authorization"].removeprefix("Bearer ") for request in server.asked}
        return [
            (request.method, request.path, request.headers["Content-Type"], request.params) for request in server.asked
        ]

    write = {"fieldManager": "telemetry.aigw.dev", "fieldValidation": "Strict"}
    merge = "application/merge-patch+json"
    expected = [
        ("POST", _PATH, "application/json", write),
        ("PATCH", f"{_PATH}/a", merge, write),
        ("PATCH", f"{_PATH}/a/status", merge, write),
        ("PATCH", f"{_PATH}/a", "application/apply-patch+yaml", {**write, "force": "true"}),
        ("POST", "/apis/events.k8s.io/v1/namespaces/ns/events", "application/json", {}),
        ("GET", f"{_PATH}/a", "application/json", {}),
        ("DELETE", f"{_PATH}/a", "application/json", {}),
    ]
    assert expected == _with_client(tmp_path, test)


def test_list_in_chunks(tmp_path: Path) -> None:
    """A list loses a chunk, an item does not say what it is, or a selector is not sent."""

    async def test(server: ApiServer, client: KubeClient) -> list[str]:
        server.chunk = 2
        for name in "abcde":
            labels = {"app.kubernetes.io/managed-by": "envoy-gateway"} if name != "c" else {}
            server.have(model.POD, {"metadata": {"namespace": "ns", "name": name, "labels": labels}})
        listing = await client.list(model.POD, "v1", labels="app.kubernetes.io/managed-by=envoy-gateway")
        assert {("v1", "Pod")} == {(item["apiVersion"], item["kind"]) for item in listing.items}
        assert {"500"} == {request.params["limit"] for request in server.asked}
        return [item["metadata"]["name"] for item in listing.items]

    assert ["a", "b", "d", "e"] == _with_client(tmp_path, test)


def test_list_that_changes_too_fast(tmp_path: Path) -> None:
    """A list of which the server has forgotten the rest (410) ends in the middle, or names an object twice."""

    async def test(server: ApiServer, client: KubeClient) -> list[str]:
        server.chunk = 2
        for name in "abc":
            server.have(model.POD, {"metadata": {"namespace": "ns", "name": name}})
        server.faults.append(Fault(lambda request: "continue" in request.params, 410))
        return [item["metadata"]["name"] for item in (await client.list(model.POD, "v1", namespace="ns")).items]

    assert ["a", "b", "c"] == _with_client(tmp_path, test)


@pytest.mark.parametrize(
    ("status", "kind", "retry_after"),
    [
        (400, errors.InvalidError, None),
        (403, errors.ForbiddenError, None),
        (404, errors.NotFoundError, None),
        (409, errors.ConflictError, None),
        (410, errors.GoneError, None),
        (422, errors.InvalidError, None),
        (429, errors.ThrottledError, 7.0),
        (500, errors.UnavailableError, None),
        (503, errors.UnavailableError, 7.0),
    ],
)
def test_errors(tmp_path: Path, status: int, kind: type[errors.KubeError], retry_after: float | None) -> None:
    """A status becomes another error than the tree says, or loses its message or its Retry-After."""

    async def test(server: ApiServer, client: KubeClient) -> tuple[Any, ...]:
        server.faults.append(Fault(lambda _: True, status, retry_after="7" if retry_after else ""))
        with pytest.raises(errors.KubeError) as caught:
            await client.get(_KEY, _VERSION)
        return type(caught.value), str(caught.value), caught.value.status, caught.value.retry_after

    assert (kind, f"{status}: a fault of the test", status, retry_after) == _with_client(tmp_path, test)


def test_no_server(tmp_path: Path) -> None:
    """A server that cannot be reached is another error than one that fails."""

    async def run() -> None:
        settings = Settings(kubeconfig=write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1"))
        async with KubeClient(settings) as client:
            await client.get_path("/version")

    with pytest.raises(errors.UnavailableError, match="GET /version: ClientConnectorError"):
        asyncio.run(run())


def test_login_again(tmp_path: Path) -> None:
    """Credentials that have expired (401) are not read anew, or a second refusal is tried for ever."""

    async def test(server: ApiServer, client: KubeClient) -> list[str]:
        document = json.loads((tmp_path / "config").read_text())
        document["users"][0]["user"]["token"] = "renewed"
        (tmp_path / "config").write_text(json.dumps(document))
        server.faults.append(Fault(lambda _: True, 401))
        await client.get_path("/version")
        server.faults.append(Fault(lambda _: True, 401, times=2))
        with pytest.raises(errors.ForbiddenError):
            await client.get_path("/version")
        return [request.headers["Authorization"] for request in server.asked]

    assert ["Bearer secret", *["Bearer renewed"] * 3] == _with_client(tmp_path, test)


def test_many_requests_login_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of many refused requests logs in for itself, and closes the connections of the others."""
    loads: list[Settings] = []
    load = credentials.load

    async def count(settings: Settings) -> Any:
        loads.append(settings)
        return await load(settings)

    async def test(server: ApiServer, client: KubeClient) -> int:
        server.faults.append(Fault(lambda _: True, 401, times=8))
        answers = await asyncio.gather(*(client.get_path("/version") for _ in range(8)))
        assert ["1"] * 8 == [answer["major"] for answer in answers]
        return len(loads)

    monkeypatch.setattr(credentials, "load", count)
    assert 2 == _with_client(tmp_path, test)


def test_login_that_fails(tmp_path: Path) -> None:
    """A kubeconfig that is gone when it is needed again is a defect, and not an error of the API."""

    async def test(server: ApiServer, client: KubeClient) -> None:
        (tmp_path / "config").unlink()
        server.faults.append(Fault(lambda _: True, 401))
        with pytest.raises(errors.ForbiddenError, match="no way to the API server"):
            await client.get_path("/version")

    _with_client(tmp_path, test)


def test_closed_client() -> None:
    """A request after the end is a stack trace."""
    with pytest.raises(errors.UnavailableError, match="GET /version: the client is closed"):
        asyncio.run(KubeClient(Settings()).get_path("/version"))


def test_token_of_an_exec_plugin(tmp_path: Path) -> None:
    """A kubeconfig whose user is a program is not understood."""
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from-a-program"},
    }
    path = Path(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1"))
    document = json.loads(path.read_text())
    plugin = {"apiVersion": answer["apiVersion"], "command": "echo", "args": [json.dumps(answer)]}
    document["users"][0]["user"] = {"exec": plugin}
    path.write_text(json.dumps(document))

    async def run() -> tuple[str | None, str | None, str]:
        info = await credentials.connection_info(await credentials.load(Settings(kubeconfig=str(path))))
        return info.scheme, info.token, info.server

    assert ("Bearer", "from-a-program", "http://127.0.0.1:1") == asyncio.run(run())


def test_token_of_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod the ServiceAccount is not used, or its token is kept although the kubelet has replaced it."""
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_text("a certificate")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    loader = "kubernetes.aio.config.incluster_config"
    monkeypatch.setattr(f"{loader}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{loader}.SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))

    async def run() -> list[str | None]:
        first = await credentials.connection_info(await credentials.load(Settings()))
        (tmp_path / "token").write_text("second")
        second = await credentials.connection_info(await credentials.load(Settings()))
        return [first.server, first.scheme, first.token, second.token]

    assert ["https://10.0.0.1:443", "bearer", "first", "second"] == asyncio.run(run())


def test_no_credentials(tmp_path: Path) -> None:
    """A missing kubeconfig is a stack trace, and not a setting that cannot be used."""
    with pytest.raises(SettingsError, match="no way to the API server"):
        asyncio.run(credentials.load(Settings(kubeconfig=str(tmp_path / "missing"))))
