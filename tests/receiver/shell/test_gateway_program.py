"""The API of the page as the program serves it: what was sent over OTLP, before and after a restart."""

import json
import time
from pathlib import Path
from typing import Any

import openapi_answers
from access_log_bodies import failed_requests
from api_traffic import UNPRICED, Call, Message, Pod, Traffic, expected, shortened
from otlp_messages import SECOND
from receiver_program import Ports, Receiver, fetch, start_receiver
from truth.waiting import post, wait_until

_ONE = "/api/gateways/{namespace}/{name}"
_CHEAP, _DEAR = Call(model=UNPRICED, provider="house"), Call(seconds=1.5, input=4000, cached=1024, output=300)
_FIRST = Traffic([_CHEAP, _DEAR, Call(failed=True)], [Message(), Message(status="failed")])
# However busy the machine is, no pod falls silent meanwhile.
_CONFIG: dict[str, Any] = {"expiry": {"minimum_interval": "600s"}}
_SECOND = Traffic([_DEAR] * 3, [Message("tools/list", "error", "jira", None)])


def _get(receiver: Receiver, path: str, described: str) -> Any:
    document = json.loads(fetch(f"{receiver.http}{path}"))
    assert [] == openapi_answers.violations(described, 200, document)
    return document


def _send(receiver: Receiver, pod: Pod, traffic: Traffic) -> None:
    post(f"{receiver.otlp_http}/v1/metrics", pod.export(traffic, time.time_ns()), "application/x-protobuf")


def _wait_for(receiver: Receiver, *sent: Traffic) -> Any:
    """The gateway, once the list shows as many requests as were sent: each ten seconds the receiver takes a reading."""
    requests = sum(len(traffic.calls) for traffic in sent)

    def shown() -> bool:
        listed = _get(receiver, "/api/gateways", "/api/gateways")["gateways"]
        return [requests] == [gateway["totals"]["requests"] for gateway in listed]

    wait_until(shown, f"{requests} requests are shown")
    return _get(receiver, "/api/gateways/default/gateway", _ONE)


def test_what_was_sent(tmp_path: Path) -> None:
    """The page shows other numbers than the gateways sent, or forgets them when the receiver is restarted."""
    ports, a, b = Ports.free(), Pod("a"), Pod("b")
    began = time.time_ns() // SECOND
    with start_receiver(data_dir=tmp_path, ports=ports, config=_CONFIG) as receiver:
        _send(receiver, a, _FIRST)
        _send(receiver, b, _SECOND)
        found = _wait_for(receiver, _FIRST, _SECOND)
        assert expected(_FIRST + _SECOND) == shortened(found["gateway"]["totals"])
        _send(receiver, a, _SECOND)
        assert 0 == receiver.stop()
    with start_receiver(data_dir=tmp_path, ports=ports, config=_CONFIG) as receiver:
        _send(receiver, b, _FIRST)
        found = _wait_for(receiver, _FIRST, _SECOND, _FIRST, _SECOND)
        path = f"/api/gateways/default/gateway/series?view=pod&values=requests,mcp_errors&from={began}"
        series = _get(receiver, path, f"{_ONE}/series")
    both = _FIRST + _SECOND
    assert expected(both + both) == shortened(found["gateway"]["totals"])
    assert [("a", "active", expected(both)), ("b", "active", expected(both))] == [
        (pod["pod"], pod["state"], shortened(pod["totals"])) for pod in found["pods"]
    ]
    assert {pod: (len(both.calls), 2) for pod in ("a", "b")} == {
        row["key"]["pod"]: tuple(sum(number or 0 for number in numbers) for numbers in row["values"].values())
        for row in series["series"]
    }


def test_other_paths() -> None:
    """An answer of the API is not what its description says, and clients that were made from it fail."""
    with start_receiver() as receiver:
        _send(receiver, Pod(), _FIRST)
        body, ids = failed_requests(0, 3)
        post(f"{receiver.otlp_http}/v1/logs", body, "application/x-protobuf")
        wait_until(lambda: len(_get(receiver, "/api/logs", "/api/logs")["logs"]) == 3, "three records are kept")
        found = _get(receiver, "/api/logs", "/api/logs")
        one = _get(receiver, f"/api/logs/{found['ids'][0]}", "/api/logs/{id}")
        _get(receiver, "/api/reconciliation", "/api/reconciliation")
        sources = _get(receiver, "/api/sources", "/api/sources")
        _get(receiver, "/api/openapi.json", "/api/openapi.json")
    assert (found["logs"][0], ids[2]) == (one["log"], one["log"]["request_id"])
    assert {"gateway", "main"} == {source["gateway_name"] for source in sources["sources"]}
