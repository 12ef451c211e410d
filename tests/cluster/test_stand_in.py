"""The pure parts of the scene: the env that AI Gateway gives to extproc, and how requests are read."""

from typing import Any

import pytest

from cluster import extproc, requests_seen


def _entries(text: str) -> list[dict[str, Any]]:
    return [dict(zip(("name", "value"), pair.split("=", 1), strict=True)) for pair in text.split()]


@pytest.mark.parametrize(
    ("global_env", "config_env", "merged"),
    [
        pytest.param("", "A=1 B=2", "A=1 B=2", id="the list as it is"),
        pytest.param("G=g;H=h", "A=1", "G=g H=h A=1", id="the controller's own first"),
        pytest.param("OTEL=g;H=h", "POD=p OTEL=$(POD)", "OTEL=$(POD) H=h POD=p", id="in place, before what it needs"),
        pytest.param("", "A=1 B=2 A=3", "A=3 B=2", id="a duplicate has the first place and the last value"),
        pytest.param(" G=a,b=c ; ", "", "G=a,b=c", id="blanks and equals signs"),
    ],
)
def test_env_is_merged_in_place(global_env: str, config_env: str, merged: str) -> None:
    """Without it the traps of the order of env would not be there in tests."""
    assert _entries(merged) == extproc.merge_env(extproc.parse_global_env(global_env), _entries(config_env))


def test_hash_follows_the_order_of_env_and_nothing_outside_of_ext_proc() -> None:
    """Without it a reordered list would roll nothing, or a cost would roll pods."""
    settings = extproc.Settings("v1.1")

    def hash_of(env: str, **spec: Any) -> str:
        ext_proc = {"kubernetes": {"env": _entries(env)}}
        return extproc.config_hash(settings, {"spec": {"extProc": ext_proc, **spec}})

    assert hash_of("A=1 B=2") != hash_of("B=2 A=1")
    assert hash_of("A=1") == hash_of("A=1", globalLLMRequestCosts=[{"metadataKey": "k", "type": "InputToken"}])
    assert extproc.config_hash(settings, None) != hash_of("A=1")


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/api/v1/pods?labelSelector=a%3Db", ("list", "", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/n/pods?watch=true", ("watch", "", "pods", "n", "", "")),
        ("GET", "/api/v1/namespaces/n", ("get", "", "namespaces", "", "n", "")),
        ("PATCH", "/apis/g.io/v1/namespaces/n/things/x/status", ("patch", "g.io", "things", "n", "x", "status")),
        ("DELETE", "/apis/g.io/v1/namespaces/n/things", ("deletecollection", "g.io", "things", "n", "", "")),
        ("PUT", "/api/v1/namespaces/n/finalize", ("update", "", "namespaces", "", "n", "finalize")),
        ("GET", "/apis/g.io/v1", ("get", "g.io", "", "", "", "")),
        ("GET", "/version", ("get", "", "", "", "", "")),
    ],
)
def test_request_is_read_as_the_api_server_does(method: str, target: str, expected: tuple[str, ...]) -> None:
    """Without it a fault would hit another request than the one meant."""
    request = requests_seen.read(0, method, target)

    fields = (request.verb, request.group, request.resource, request.namespace, request.name, request.subresource)
    assert expected == fields
