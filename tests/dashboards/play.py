"""A real receiver that the driver has sent to, and a real Prometheus that has scraped it and evaluated the rules.

It asks what panels ask, with their variables filled in, and judges nothing.
"""

import contextlib
import dataclasses
import http.server
import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

import otlp_messages as otlp
from dashboards import traffic
from dashboards.seen import MINUTES, Labels
from receiver_program import Receiver, start_receiver
from truth.ports import address
from truth.programs import find_program
from truth.waiting import DEADLINE_SECONDS, answers, get, post, wait_until

TREE: Final = Path(__file__).parents[2]

# A pod that exports so often has ended after three times that.
_EXPORT_SECONDS: Final = 1.0
_SCRAPE_SECONDS: Final = 0.5
_PROTOBUF: Final = "application/x-protobuf"

# A gateway whose metrics do not come is known as such after two minutes only, so a receiver that has run for longer is
# played by a page.
_BLIND: Final = b"""\
# TYPE aigw_telemetry_completeness_ratio gauge
aigw_telemetry_completeness_ratio{gateway_namespace="prod",gateway_name="blind",model="m",check="metrics"} 0
"""

_VARIABLE: Final = re.compile(r"\$(\w+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """A Prometheus that holds everything, and the moments to ask it for."""

    web: str
    scraped: float
    """the last sample of the gateways' series: an increase up to here is what was counted, nothing is extrapolated"""
    observed: float
    """the last sample of the receiver's own series"""
    recorded: float
    """when all rules had seen the last values"""
    age: float
    """seconds for which the gateways' series have been there"""

    @property
    def stretch(self) -> float:
        """By which share a recorded rate may be too large: it adds what may have come since the last scrape."""
        return 2 * _SCRAPE_SECONDS / self.age

    def ask(self, expr: str, variables: Mapping[str, str]) -> dict[Labels, float]:
        """What a panel shows; a variable that is not given is All."""
        moment, width = self._moment(expr)
        known = {"__rate_interval": f"{MINUTES}m", "__range": width, **variables}
        filled = _VARIABLE.sub(lambda found: known.get(found[1], ".*"), expr)
        rows = self._get("query", query=filled, time=f"{moment:.3f}")["result"]
        found = {tuple(sorted(row["metric"].items())): float(row["value"][1]) for row in rows}
        assert len(found) == len(rows)
        return found

    def values(self, query: str, variables: Mapping[str, str]) -> list[str]:
        """What a variable can be chosen from, asked as Grafana asks."""
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()  # type: ignore[union-attr]
        filled = _VARIABLE.sub(lambda found: variables[found[1]], selector)
        answer = self._get(f"label/{label}/values", **{"match[]": filled, "start": f"{self.scraped - 300:.3f}"})
        return list(answer)

    def is_past(self, expr: str) -> bool:
        """Whether it is asked for a moment that has gone by, so that all is there and nothing is added."""
        return "[$__range:1m]" not in expr

    def widened(self, expr: str) -> float:
        """How much larger an amount of the whole time range is than what has happened."""
        return 1.0 if self.is_past(expr) else _MINUTES_RECORDED / MINUTES

    def _moment(self, expr: str) -> tuple[float, str]:
        if not self.is_past(expr):
            # Two whole minutes after the end, at which the last recorded values are still seen.
            last = (self.recorded // 60 + 3) * 60
            return float(last), "90s"
        if re.search(r"\bgateway_pod\w*:", expr):
            return self.recorded, f"{MINUTES}m"
        return self.observed if "aigw_receiver_" in expr else self.scraped, f"{MINUTES}m"

    def _get(self, path: str, **parameters: str) -> Any:
        return _api(self.web, path, parameters)


_MINUTES_RECORDED: Final = 2


def _api(web: str, path: str, parameters: Mapping[str, str]) -> Any:
    return json.loads(get(f"http://{web}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))["data"]


@contextlib.contextmanager
def playing(folder: Path) -> Iterator[Scene]:
    """Play everything, and give the scene to ask."""
    find_program("prometheus")
    book = folder / "prices.yaml"
    book.write_text(yaml.safe_dump(traffic.PRICE_BOOK))
    with contextlib.ExitStack() as serving, _blind_receiver() as blind:
        receiver = serving.enter_context(start_receiver(config={**traffic.CONFIG, "prices": {"file": str(book)}}))
        with _prometheus(folder, receiver, blind) as web:
            wait_until(lambda: len(_last(web, "gateways")) == 1, "the first scrape")
            yield _drive(receiver, web, serving.close)


def _drive(receiver: Receiver, web: str, end: Callable[[], None]) -> Scene:
    began = time.time()
    metrics, logs = f"{receiver.otlp_http}/v1/metrics", f"{receiver.otlp_http}/v1/logs"
    starts: dict[tuple[str, str], int] = {}
    ended = otlp.export(resource=traffic.resource("prod", "e", "ended"))

    def export() -> None:
        for pod in traffic.PODS:
            post(metrics, traffic.metrics(*pod, starts.get(pod, int(began * 1e9)), time.time_ns()), _PROTOBUF)
        post(metrics, otlp.export(resource=traffic.resource("prod", "q", "quiet")), _PROTOBUF)

    def refused() -> None:
        post(metrics, traffic.refused_points(), _PROTOBUF)
        post(logs, traffic.refused_records(), _PROTOBUF)
        with contextlib.suppress(urllib.error.HTTPError):
            post(metrics, b"no protobuf", _PROTOBUF)

    def told() -> bool:
        export()
        time.sleep(_EXPORT_SECONDS)
        ratios = _ask(web, "aigw_telemetry_completeness_ratio{gateway_name='chat'}")
        return len(ratios) == _RATIOS and not _ask(web, "target_info{gateway_name='ended'}")

    wait_until(lambda: bool(_ask(web, "aigw_receiver_points_rejected_total")), "the receiver's own zeros are scraped")
    for body in traffic.access_logs():
        post(logs, body, _PROTOBUF)
    post(metrics, ended, _PROTOBUF)
    export()
    refused()
    wait_until(lambda: bool(_ask(web, 'aigw_receiver_requests_total{result="400"}')), "the first refusals are scraped")
    time.sleep(_EXPORT_SECONDS)
    post(metrics, ended, _PROTOBUF)
    refused()
    starts |= dict.fromkeys(traffic.LIVES, time.time_ns())
    wait_until(told, "the receiver has compared metrics and logs, and a pod has ended")
    return _settled(web, began, export, end)


_RATIOS: Final = 3 * len(traffic.CHECKS)
"""Of two models of one gateway, and one of the other."""


def _settled(web: str, began: float, export: Callable[[], None], end: Callable[[], None]) -> Scene:
    last = time.time()

    def seen() -> bool:
        # However slow the scrapes are, no pod may have ended at the last one.
        export()
        return min(_values(web, "timestamp(up)")) > last

    wait_until(seen, "a scrape of everything")
    (scraped,), (observed,) = _last(web, "gateways"), _last(web, "receiver")
    # A scrape that comes in between two rules of a group is seen by the second alone: their rates would differ by it.
    end()
    ended = time.time()
    groups = len(yaml.safe_load((TREE / "rules" / "meters.yaml").read_text())["groups"])

    def evaluated() -> bool:
        times = _values(web, "prometheus_rule_group_last_evaluation_timestamp_seconds")
        return len(times) == groups and min(times) > ended + _SETTLING

    wait_until(evaluated, "all rules are evaluated")
    # A moment at which no group was in the middle of its rules: each has been evaluated again since.
    return Scene(web, scraped, observed, ended + _SETTLING - 1, scraped - began)


_SETTLING: Final = 4.0
"""Seconds; groups are evaluated every second, each at its own time."""


def _ask(web: str, query: str) -> list[Any]:
    found: list[Any] = _api(web, "query", {"query": query})["result"]
    return found


def _values(web: str, query: str) -> list[float]:
    return [float(row["value"][1]) for row in _ask(web, query)]


def _last(web: str, job: str) -> list[float]:
    return _values(web, f'timestamp(up{{job="{job}"}})')


@contextlib.contextmanager
def _blind_receiver() -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        """The one page."""

        def do_GET(self) -> None:
            """Answer it."""
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(_BLIND)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _prometheus(folder: Path, receiver: Receiver, blind: str) -> Iterator[str]:
    web = address()
    targets = {
        "gateways": receiver.http.removeprefix("http://"),
        "receiver": receiver.telemetry.removeprefix("http://"),
        "blind": blind,
        "prometheus": web,
    }
    interval = f"{_SCRAPE_SECONDS * 1000:.0f}ms"
    config = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": "1s"},
        "rule_files": [str(TREE / "rules" / "meters.yaml")],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [target], "labels": {"instance": job}}]}
            for job, target in targets.items()
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = [find_program("prometheus"), f"--config.file={folder}/prometheus.yml"]
    command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address={web}", "--log.level=warn"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(
            lambda: answers(f"http://{web}/-/ready"), "Prometheus is ready", (folder / "prometheus.log").read_text
        )
        yield web
    finally:
        process.kill()
        process.wait(DEADLINE_SECONDS)
