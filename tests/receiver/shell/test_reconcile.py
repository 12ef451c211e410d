"""Metrics beside logs, from the bytes of both to the ratio: with the clock of the test, and in a running receiver."""

import json
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics
from prometheus_client import parser

import otlp_messages as otlp
from aigw_receiver.core.exposition import TEXT
from aigw_receiver.core.store import Store
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.journal import Journal
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.reconcile import Reconcile
from gateway_captures import metrics_since
from otlp_messages import CUMULATIVE, DELTA, NOW, SECOND, Temporality
from receiver_program import Ports, Receiver, start_receiver

_CAPTURES: Final = Path(__file__).parents[2] / "captures"
_PERIOD: Final = 5
_DEADLINE_SECONDS: Final = 90.0
_RATIO: Final = "aigw_telemetry_completeness_ratio"
_COMPLETE: Final = {"access_logs": 1.0, "metrics": 1.0, "tokens": 1.0, "access_log_tokens": 1.0}

# Tokens of each good request.
_INPUT, _OUTPUT = 26, 4

# Requests and input tokens of one run of the real gateway, but for the stream that was aborted (tests/captures).
_TRAFFIC: Final = {
    "gpt-5-nano": (5, 10_030),
    "small": (1, 31),
    "big": (1, 100_000),
    "slow": (1, 2_006),
    "text-embedding-3-small": (1, 9),
    "missing": (1, 0),
    "limited": (1, 0),
    "broken": (1, 0),
}


def _metrics(gateway: str, good: int, failed: int, *, start: int, end: int, temporality: Temporality) -> bytes:
    """An export of a pod: so many good requests, and so many that failed."""
    model = {"gen_ai.original.model": "m"}

    def point(count: int, total: float, labels: Mapping[str, str]) -> Any:
        return otlp.buckets((0, count, 0), total, {**model, **labels}, start=start, time=end)

    durations = [point(good, 2.0 * good, {})] if good else []
    durations += [point(failed, 1.0 * failed, {"error.type": "_OTHER"})] if failed else []
    tokens = [
        point(good, good * each, {"gen_ai.token.type": kind})
        for kind, each in (("input", _INPUT), ("output", _OUTPUT))
        if good
    ]
    return otlp.export(
        *[otlp.histogram(*durations, name=otlp.DURATION, unit="s", temporality=temporality)] * bool(durations),
        *[otlp.histogram(*tokens, unit="token", temporality=temporality)] * bool(tokens),
        resource=otlp.pod("pod-1", gateway),
    )


def _logs(gateway: str, good: int, failed: int = 0, aborted: int = 0) -> bytes:
    """An export of Envoy: so many records of each kind."""
    request = logs_service_pb2.ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    for key, value in otlp.pod("pod-1", gateway).items():
        resource.resource.attributes.add(key=key).value.string_value = value
    records = resource.scope_logs.add().log_records
    used = {"gen_ai.usage.input_tokens": str(_INPUT), "gen_ai.usage.output_tokens": str(_OUTPUT)}
    for count, own in (
        (good, {"response_code": "200", "response_flags": "-", **used}),
        (failed, {"response_code": "429", "response_flags": "-", "upstream_host": "10.0.0.1:443"}),
        (aborted, {"response_code": "200", "response_flags": "DC"}),
    ):
        for _ in range(count):
            record = records.add()
            for key, value in {"ai_route_type": "llm", "gen_ai.request.model": "m", **own}.items():
                record.attributes.add(key=key).value.string_value = value
    return request.SerializeToString()


class _Run:
    """One run of a receiver without its listeners; times are seconds after NOW."""

    def __init__(self, directory: Path | None = None, *, at: int = 0) -> None:
        telemetry = Telemetry()
        self.now = NOW + at * SECOND
        self._journal = None if directory is None else Journal(directory, telemetry, max_size=1 << 20)
        if self._journal is None:
            self.store = Store(self.now)
        else:
            self.store = self._journal.restore(lambda: Store(self.now), self.now)
        self.ingest = Ingest(self.store, telemetry, self._journal)
        self.reconcile = Reconcile(self.ingest)
        self.reconcile.observe(self.now)

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        for _ in range(seconds // _PERIOD):
            self.now += _PERIOD * SECOND
            self.store.expire(self.now)
            self.reconcile.observe(self.now)

    def metrics(self, body: bytes) -> None:
        """An export of metrics that arrives."""
        assert {} == self.store.export(body, self.now).rejected
        if self._journal is not None:
            self._journal.append_export(body, self.now, self.store)

    def logs(self, body: bytes) -> None:
        """An export of logs that arrives."""
        assert {} == self.ingest.logs.take(body, self.now)

    def end(self) -> None:
        """End in order."""
        assert self._journal is not None
        self.ingest.logs.close(self.now)
        self._journal.close(self.store)

    def ratios(self, gateway: str = "gateway") -> dict[str, float]:
        """By check; what /metrics and the API say is the same."""
        shown = _ratios(b"".join(self.reconcile.render(TEXT)).decode())
        models = self.reconcile.document(self.now)["models"]
        assert shown == {model["gateway_name"]: model["completeness"] for model in models if model["completeness"]}
        return shown.get(gateway, {})


def _ratios(text: str) -> dict[str, dict[str, float]]:
    """The ratios of an exposition, by gateway and check."""
    found: dict[str, dict[str, float]] = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == _RATIO:
                labels = dict(sample.labels)
                assert ("default", "m") == (labels["gateway_namespace"], labels["model"])
                found.setdefault(labels["gateway_name"], {})[labels["check"]] = sample.value
    return found


@pytest.mark.parametrize("interval", [10, 60])
@pytest.mark.parametrize("temporality", [CUMULATIVE, DELTA])
def test_a_restart(temporality: Temporality, interval: int, tmp_path: Path) -> None:
    """After a restart requests that both sides had before it, or that were on their way, are held against one side."""
    began, last, good, exported = NOW + SECOND, NOW + SECOND, 0, 0
    run = _Run(tmp_path)
    for step in range(120):
        good += 2
        run.logs(_logs("gateway", 2))
        run.wait(_PERIOD)
        at = _PERIOD * (step + 1)
        if at % interval == 0:
            count, start = (good, began) if temporality == CUMULATIVE else (good - exported, last)
            run.metrics(_metrics("gateway", count, 0, start=start, end=run.now, temporality=temporality))
            last, exported = run.now, good
        assert set(run.ratios().values()) <= {1.0}
        if at in (95, 245):
            # Five seconds before and five after an export that each 10 s brings; in the middle of a minute.
            run.end()
            run = _Run(tmp_path, at=at)
            assert {} == run.ratios()
    run.wait(20)
    assert _COMPLETE == run.ratios()


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_what_a_real_gateway_sent(temporality: str) -> None:
    """The metrics and logs of the real gateway are not those of one another: of another name, model or number."""
    run = _Run()
    requests = metrics_since(temporality, NOW + SECOND)
    for file in sorted(_CAPTURES.glob(f"aigw-{temporality}-logs-*.pb")):
        run.logs(file.read_bytes())
    resource = requests[0].resource_metrics[0].resource
    for request in (*requests, ExportMetricsServiceRequest(resource_metrics=[ResourceMetrics(resource=resource)])):
        run.wait(_PERIOD)
        run.metrics(request.SerializeToString())
    run.wait(20)
    models = {model["model"]: model for model in run.reconcile.document(run.now)["models"]}
    # Its own format of records has no flags, so the stream that was aborted looks like a success without tokens.
    assert {"metrics": 0.0, "tokens": 0.0, "access_log_tokens": 0.0} == models.pop("longstream")["completeness"]
    assert _TRAFFIC == {
        name: (model["metrics"]["answered"], model["metrics"]["input_tokens"]) for name, model in models.items()
    }
    for model in models.values():
        assert model["metrics"] | {"aborted": 0} == model["access_logs"]
        assert {1.0} == set(model["completeness"].values())


def test_a_restart_without_a_data_directory() -> None:
    """A receiver that forgets everything accuses all gateways after each start."""
    run = _Run()
    for step in range(60):
        run.logs(_logs("gateway", 3))
        run.wait(_PERIOD)
        if step % 12 == 7:
            count = 1000 + 3 * step
            run.metrics(_metrics("gateway", count, 0, start=NOW - 3600 * SECOND, end=run.now, temporality=CUMULATIVE))
        assert set(run.ratios().values()) <= {1.0}
    run.wait(20)
    assert 1.0 == run.ratios()["access_logs"]


def test_a_receiver_that_is_killed(tmp_path: Path) -> None:
    """Where nobody scrapes, a receiver that is killed loses all access logs that it has counted."""
    run = _Run(tmp_path)
    run.logs(_logs("gateway", 3))
    run.wait(_PERIOD)
    run.logs(_logs("gateway", 4))
    again = _Run(tmp_path, at=2 * _PERIOD)
    text = b"".join(again.ingest.logs.render(TEXT, None)).decode()
    assert [3.0] == list(otlp.samples(text, "aigw_requests_total").values())


def test_no_metrics_at_all() -> None:
    """A gateway whose metrics are not wired looks complete; or it is accused before they can have come."""
    run = _Run()
    run.wait(10)
    run.logs(_logs("gateway", 10))
    run.wait(60)
    assert {"access_log_tokens": 1.0} == run.ratios()
    run.wait(90)
    assert {"metrics": 0.0, "tokens": 1.0, "access_log_tokens": 1.0} == run.ratios()


def test_an_idle_gateway() -> None:
    """The ratio of a gateway that is idle stays for ever."""
    run = _Run()
    run.metrics(_metrics("gateway", 10, 0, start=NOW + SECOND, end=NOW + 2 * SECOND, temporality=CUMULATIVE))
    run.logs(_logs("gateway", 9))
    for _ in range(6):
        run.wait(10)
        run.metrics(otlp.export(resource=otlp.pod("pod-1")))
    assert 0.9 == run.ratios()["access_logs"]
    for _ in range(366):
        run.wait(10)
        run.metrics(otlp.export(resource=otlp.pod("pod-1")))
    assert {} == run.ratios()
    assert [] == run.reconcile.document(run.now)["models"]


class _Gateways:
    """Gateways that send to a running receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._began = time.time_ns()

    def metrics(self, gateway: str, good: int, failed: int = 0) -> None:
        """All that a pod has counted until now."""
        end = time.time_ns()
        self._send("metrics", _metrics(gateway, good, failed, start=self._began, end=end, temporality=CUMULATIVE))

    def logs(self, gateway: str, good: int, failed: int = 0, aborted: int = 0) -> None:
        """The logs that arrive of a pod."""
        self._send("logs", _logs(gateway, good, failed, aborted))

    def _send(self, signal: str, body: bytes) -> None:
        request = urllib.request.Request(
            f"{self._receiver.otlp_http}/v1/{signal}", body, {"Content-Type": "application/x-protobuf"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            assert b"" == response.read()


def _document(receiver: Receiver) -> dict[str, Any]:
    with urllib.request.urlopen(f"{receiver.http}/api/reconciliation", timeout=30) as response:
        assert "no-store" == response.headers["Cache-Control"]
        document: dict[str, Any] = json.load(response)
    return document


def test_a_running_receiver(tmp_path: Path) -> None:
    """Complete telemetry, lost logs, missing wiring, and aborted streams are not told apart; or a restart is a loss."""
    good = {"complete": (17, 3), "lossy": (80, 20), "no-logs": (5, 0), "aborting": (9, 0)}
    expected = {
        "complete": _COMPLETE,
        # Of 100 requests 10 logs were lost; of the 80 good ones, 2.
        "lossy": _COMPLETE | {"access_logs": 0.9},
        "no-logs": {"access_logs": 0.0, "tokens": 1.0},
        "aborting": _COMPLETE | {"tokens": 0.9},
        # Without metrics for two minutes only; see test_no_metrics_at_all.
        "no-metrics": {"access_log_tokens": 1.0},
    }
    with start_receiver(data_dir=tmp_path) as receiver:
        gateways = _Gateways(receiver)
        gateways.logs("complete", 17, 3)
        gateways.logs("lossy", 78, 12)
        gateways.logs("aborting", 9, aborted=1)
        gateways.logs("no-metrics", 7)
        deadline, shown = time.monotonic() + _DEADLINE_SECONDS, dict[str, dict[str, float]]()
        while shown != expected and time.monotonic() < deadline:
            # Metrics come again and again, as those of a pod do; the logs of a moment are compared with a later one.
            for gateway, counts in good.items():
                gateways.metrics(gateway, *counts)
            time.sleep(1)
            shown = _ratios(receiver.scrape())
        assert expected == shown
        requests = otlp.samples(receiver.scrape(), "aigw_telemetry_requests", with_identity=True)
        tokens = otlp.samples(receiver.scrape(openmetrics=False), "aigw_telemetry_tokens", with_identity=True)
        document = _document(receiver)
        assert 0 == receiver.stop()
        ports: Ports = receiver.ports
    labels = 'gateway_name="lossy",gateway_namespace="default"'
    assert (100.0, 90.0) == tuple(
        requests[f'aigw_telemetry_requests{{{labels},model="m",source="{source}"}}']
        for source in ("metrics", "access_logs")
    )
    assert (80.0 * _INPUT, 78.0 * _INPUT) == tuple(
        tokens[f'aigw_telemetry_tokens{{{labels},gen_ai_token_type="input",model="m",source="{source}"}}']
        for source in ("metrics", "access_logs")
    )
    models = {model["gateway_name"]: model for model in document["models"]}
    assert expected == {name: model["completeness"] for name, model in models.items()}
    assert (1, 9) == (models["aborting"]["access_logs"]["aborted"], models["aborting"]["access_logs"]["good"])
    assert 3600.0 == document["window"]
    with start_receiver(data_dir=tmp_path, ports=ports) as receiver:
        for gateway, (count, failed) in good.items():
            gateways.metrics(gateway, count + 3, failed)
        since = _document(receiver)["since"]
        # Two looks later the requests of before would be held against the logs.
        while _document(receiver)["now"] < since + 2 * _PERIOD + 1:
            time.sleep(1)
        assert {} == _ratios(receiver.scrape())
