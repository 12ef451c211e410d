"""What the receiver says of itself is exact, and tells when it is ready."""

import asyncio
import gzip
import json
import urllib.error
import urllib.request
from typing import Any

import prometheus_client
import pytest
from aiohttp.test_utils import TestClient, TestServer

import otlp_messages as otlp
from aigw_receiver.core import status
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.limits import Limits
from aigw_receiver.core.model import DropReason, FoldReason
from aigw_receiver.core.store import Store
from aigw_receiver.shell import telemetry
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from otlp_messages import CUMULATIVE, INTERVAL, NOW
from receiver_program import Receiver, start_receiver


def _own(own: Telemetry) -> dict[str, float]:
    """All samples but for those of the process, of durations, and of start times."""
    text = prometheus_client.generate_latest(own.registry).decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {
        key.removeprefix("aigw_receiver_"): float(value)
        for key, _, value in lines
        if key.startswith("aigw_receiver_") and "_duration_seconds" not in key and "_created" not in key
    }


def _ingest(**limits: int) -> tuple[Ingest, Telemetry]:
    own = Telemetry()
    store = Store(NOW - INTERVAL, limits=Limits(**limits))
    own.watch(store)
    return Ingest(store, own, None), own


_NOTHING = {
    "streams": 0.0,
    'pods{state="live"}': 0.0,
    'pods{state="ended"}': 0.0,
    "scrapers": 0.0,
    "journal_size_bytes": 0.0,
    "store_set_aside_total": 0.0,
    **dict.fromkeys(
        [
            *(
                f'requests_total{{result="{result}",transport="{transport}"}}'
                for transport in ("grpc", "http")
                for result in ("partial", "success")
            ),
            *(f'received_bytes_total{{transport="{transport}"}}' for transport in ("grpc", "http")),
            *(
                f'points_total{{result="{result}"}}'
                for result in ("accepted", "duplicate", "outdated", "overlap", "rejected", "reset")
            ),
            *(f'points_rejected_total{{reason="{reason}"}}' for reason in DropReason),
            *(f'labels_folded_total{{reason="{reason}"}}' for reason in FoldReason),
            *(f'points_decoded_total{{path="{path}"}}' for path in ("fast", "full")),
            *(f'log_records_total{{result="{result}"}}' for result in ("accepted", "rejected")),
            *(f'log_records_rejected_total{{reason="{reason}"}}' for reason in LogDropReason),
        ],
        0.0,
    ),
}


def test_nothing_happened() -> None:
    """A fresh receiver counts something, or does not show what it can count: `rate` would miss the first increment."""
    assert _NOTHING == _own(_ingest()[1])


def test_counts_of_exports() -> None:
    """A count of the receiver's own is wrong, or has no reason beside it."""
    ingest, own = _ingest(label_values=2)
    model = "gen_ai.request.model"
    first = otlp.export(otlp.counter(*(otlp.number(1, {model: at}) for at in range(4))))
    other = otlp.export(otlp.counter(otlp.number(1), otlp.number(2), name="http.x"), otlp.counter(otlp.number(-1)))
    ingest.export_metrics(first, "grpc")
    ingest.export_metrics(first, "grpc")
    ingest.export_metrics(other, "http")
    ingest.export_metrics(otlp.export(), "http")
    assert {
        **_NOTHING,
        "streams": 5.0,
        'pods{state="live"}': 1.0,
        'requests_total{result="success",transport="grpc"}': 2.0,
        'requests_total{result="partial",transport="http"}': 1.0,
        'requests_total{result="success",transport="http"}': 1.0,
        'received_bytes_total{transport="grpc"}': 2.0 * len(first),
        'received_bytes_total{transport="http"}': float(len(other) + len(otlp.export())),
        'points_total{result="accepted"}': 8.0,
        'points_total{result="duplicate"}': 4.0,
        'points_total{result="rejected"}': 3.0,
        'points_rejected_total{reason="metric_not_admitted"}': 2.0,
        'points_rejected_total{reason="negative_increment"}': 1.0,
        'labels_folded_total{reason="too_many_label_values"}': 4.0,
        'points_decoded_total{path="full"}': 9.0,
    } == _own(own)


def test_counts_of_what_is_out_of_the_ordinary() -> None:
    """Resets, overlaps and outdated points are counted wrongly, or as refused."""
    ingest, own = _ingest()
    for value, start, time in ((5, NOW, NOW + 2), (4, NOW, NOW + 1), (2, NOW + 3, NOW + 4)):
        point = otlp.number(value, start=start, time=time)
        ingest.export_metrics(otlp.export(otlp.counter(point, temporality=CUMULATIVE)), "grpc")
    for start, time in ((NOW, NOW + 10), (NOW + 5, NOW + 15)):
        metric = otlp.counter(otlp.number(1, start=start, time=time), name="mcp.progress.notifications")
        ingest.export_metrics(otlp.export(metric), "grpc")
    counts = {key: value for key, value in _own(own).items() if key.startswith("points_total")}
    assert {
        'points_total{result="accepted"}': 5.0,
        'points_total{result="duplicate"}': 0.0,
        'points_total{result="outdated"}': 1.0,
        'points_total{result="overlap"}': 1.0,
        'points_total{result="rejected"}': 0.0,
        'points_total{result="reset"}': 1.0,
    } == counts


def test_decode_paths() -> None:
    """Points that take the fast path are counted as parsed, or the other way round."""
    ingest, own = _ingest()
    for at in range(3):
        times: otlp.Interval = {"start": NOW + at * INTERVAL, "time": NOW + (at + 1) * INTERVAL}
        points = [otlp.buckets((1, 0, 0), 1.0, {"a": number}, **times) for number in range(10)]
        ingest.export_metrics(otlp.export(otlp.histogram(*points)), "grpc")
    own_samples = _own(own)
    assert (20.0, 10.0) == (
        own_samples['points_decoded_total{path="fast"}'],
        own_samples['points_decoded_total{path="full"}'],
    )


def test_request_that_cannot_be_decoded() -> None:
    """A request that is refused as a whole is counted as taken in."""
    ingest, own = _ingest()
    with pytest.raises(status.RefusedError) as error:
        ingest.export_metrics(b"\xff", "grpc")
    assert status.BAD_DATA.code == error.value.failure.code
    own.count_refusal("grpc", "invalid_argument")
    assert {**_NOTHING, 'requests_total{result="invalid_argument",transport="grpc"}': 1.0} == _own(own)


def test_ended_pods_are_told_apart() -> None:
    """A pod that has ended counts as live."""
    ingest, own = _ingest()
    ingest.store.export(otlp.export(otlp.counter(otlp.number(1))), NOW)
    ingest.store.expire(NOW + 1000 * INTERVAL)
    samples = _own(own)
    assert (0.0, 1.0) == (samples['pods{state="live"}'], samples['pods{state="ended"}'])


def test_durations() -> None:
    """An export or a scrape is not timed."""
    ingest, own = _ingest()
    ingest.export_metrics(otlp.export(), "grpc")
    own.count_scrape(0.5)
    value = own.registry.get_sample_value
    assert 1.0 == value("aigw_receiver_export_duration_seconds_count", {"transport": "grpc"})
    assert 0.5 == value("aigw_receiver_scrape_duration_seconds_sum")
    assert 0.0 == value("aigw_receiver_scrape_duration_seconds_bucket", {"le": "0.25"})
    assert 1.0 == value("aigw_receiver_scrape_duration_seconds_bucket", {"le": "0.5"})


def test_listener() -> None:
    """The listener for the receiver itself says that it is ready when it is not, or is dead when it is not ready."""
    own = Telemetry()
    ready: list[bool] = []

    async def run() -> list[tuple[str, int, str, str]]:
        app = telemetry.build_app(own.registry, lambda: bool(ready))
        answers = []
        async with TestClient(TestServer(app)) as client:
            for path in ("/readyz", "/livez", "ready", "/readyz", "/livez", "/nothing", "/metrics"):
                if path == "ready":
                    ready.append(True)
                    continue
                async with client.get(path) as response:
                    answers.append((path, response.status, response.content_type, await response.text()))
        return answers

    answers = asyncio.run(run())
    assert [503, 200, 200, 200, 404, 200] == [answer[1] for answer in answers]
    assert ["not ready: starting or shutting down\n", "ok\n", "ok\n", "ok\n"] == [answer[3] for answer in answers[:4]]
    assert "text/plain" == answers[-1][2]
    assert "process_cpu_seconds_total" in answers[-1][3]


def test_format_of_own_metrics() -> None:
    """A Prometheus that asks for OpenMetrics does not get it."""

    async def run() -> tuple[str, str]:
        app = telemetry.build_app(Telemetry().registry, lambda: True)
        headers = {"Accept": "application/openmetrics-text;version=1.0.0"}
        async with TestClient(TestServer(app)) as client, client.get("/metrics", headers=headers) as response:
            return response.content_type, await response.text()

    content_type, text = asyncio.run(run())
    assert "application/openmetrics-text" == content_type
    assert text.endswith("# EOF\n")


def _post(receiver: Receiver, body: bytes, path: str = "/v1/metrics", **headers: str) -> tuple[int, Any]:
    content_type = headers.pop("type", "application/x-protobuf")
    request = urllib.request.Request(
        f"{receiver.otlp_http}{path}", data=body, headers={"Content-Type": content_type, **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_running_receiver_counts_every_request() -> None:
    """A request that reaches a running receiver, taken or refused, is missing from its own counts."""
    body = otlp.export(otlp.counter(otlp.number(5)))
    zipped = gzip.compress(body)
    with start_receiver(config={"limits": {"http_body": 1000}}) as receiver:
        assert 200 == _post(receiver, body)[0]
        assert (200, b"{}") == _post(receiver, b"{}", type="application/json")
        assert 200 == _post(receiver, zipped, **{"Content-Encoding": "gzip"})[0]
        assert 400 == _post(receiver, b"\xff")[0]
        code, answer = _post(receiver, b"[]", type="application/json")
        assert (400, "the request is not a JSON object") == (code, json.loads(answer)["message"])
        assert 404 == _post(receiver, body, "/v1/traces")[0]
        assert 413 == _post(receiver, bytes(1001))[0]
        assert 415 == _post(receiver, body, type="text/plain")[0]
        receiver.scrape()
        text = receiver.own_metrics()
        assert 0 == receiver.stop()
    lines = set(text.splitlines())
    for result, count in (("success", 3), ("400", 2), ("404", 1), ("413", 1), ("415", 1)):
        assert f'aigw_receiver_requests_total{{result="{result}",transport="http"}} {count}.0' in lines
    assert f'aigw_receiver_received_bytes_total{{transport="http"}} {2 * len(body)}.0' in lines
    assert 'aigw_receiver_points_total{result="accepted"} 2.0' in lines
    assert 'aigw_receiver_points_total{result="duplicate"} 1.0' in lines
    assert "aigw_receiver_streams 1.0" in lines
    assert "aigw_receiver_scrape_duration_seconds_count 1.0" in lines
