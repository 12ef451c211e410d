"""CPU time of a log record in process: from the bytes of a request to what is dropped, counted and kept.

Requests of 20 records with 26 attributes, written as Envoy writes them; 1 of 20 concerns a rule. The straightforward
design is what one writes first: the generated classes, a dictionary of the attributes, a dictionary of what they mean,
the rules on that, and `json` for what is kept. Both apply the same rules, count the same things (requests and tokens by
gateway, backend, model, status and ending) and make a line of JSON of each kept record; that they decided and counted
alike is checked.
"""

import collections
import datetime as dt
import json
import random
import time
from collections.abc import Iterator
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.common.v1 import common_pb2

from aigw_receiver.core.access_logs import fast, flat, rule_settings, rules
from aigw_receiver.core.access_logs.glance import SUMS, Group
from aigw_receiver.core.access_logs.model import AccessLog, Kept
from bench import report

RECORDS: Final = 20
KEPT: Final = 0.05
BAR: Final = 6.0
NOW: Final = 1_795_353_600_000_000_000
# Enough requests that their numbers are new to the memos, as they are in traffic.
REQUESTS: Final = 400
SLOW: Final = 30_000.0
TOTAL: Final = 10_000
COUNTED: Final = ("requests", "input", "cached", "output", "total")
WARM_UP: Final = 2
NAME: Final = "access-logs-in-process"

# Names that the straightforward design leaves out, and those that it has names of its own for.
SECRETS: Final = frozenset({"authorization", "cookie", "x-api-key"})
NAMED: Final = frozenset(
    {
        *("ai_route_type", "k8s.pod.name", "response_code", "response_flags", "method", "request.path", "duration"),
        *("gen_ai.request.model", "gen_ai.response.model", "ai_service_backend_name", "route_name", "x-request-id"),
        *("gen_ai.usage.input_tokens", "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.output_tokens"),
        *("gen_ai.usage.total_tokens", "upstream_host", "upstream_transport_failure_reason", "user-agent"),
        *("bytes_received", "bytes_sent"),
    }
)

Key = tuple[str, ...]
Counts = collections.Counter[tuple[Key, str]]

MODELS: Final = ("gpt-5-nano", "gpt-5-mini", "claude-sonnet-4-5", "gemini-2.5-flash", "llama-3.3-70b")
FAILURES: Final = (("503", "UF"), ("504", "UT"), ("200", "DC"), ("404", "NR"), ("429", "-"), ("500", "-"))


def record(rng: random.Random) -> dict[str, str]:
    """The 26 attributes of one request; most end well."""
    model = rng.choice(MODELS)
    kept = rng.random() < KEPT
    code, flags = rng.choice(FAILURES) if kept else ("200", "-")
    good = code == "200" and flags == "-"
    given, cached, answered = (int(rng.lognormvariate(*shape)) for shape in ((6, 0.8), (4, 1), (5, 0.8)))
    given, answered = min(given, 8_000), min(answered, 1_900)

    def count(value: int) -> str:
        return str(value) if good else "-"

    return {
        "k8s.pod.name": "envoy-default-main-76d02f2b-5d4f7b9c6-x2k4j",
        "ai_route_type": "llm",
        "ai_service_backend_name": f"default/{model.partition('-')[0]}",
        "bytes_received": str(rng.randrange(200, 40_000)),
        "bytes_sent": str(rng.randrange(200, 40_000)),
        "connection_termination_details": "-",
        "downstream_remote_address": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}:{rng.randrange(65536)}",
        "duration": str(int(rng.lognormvariate(7, 0.7))),
        "gen_ai.request.model": model,
        "gen_ai.response.model": f"{model}-2026-01-01" if good else "-",
        "gen_ai.usage.cache_read.input_tokens": count(min(cached, given)),
        "gen_ai.usage.input_tokens": count(given),
        "gen_ai.usage.output_tokens": count(answered),
        "gen_ai.usage.total_tokens": count(given + answered),
        "method": "POST",
        "request.path": "/v1/chat/completions",
        "response_code": code,
        "response_flags": flags,
        "route_name": "default/chat",
        "start_time": f"2026-11-22T13:{rng.randrange(60):02}:{rng.randrange(60):02}.{rng.randrange(1000):03}Z",
        "upstream_cluster": "httproute/default/chat/rule/0",
        "upstream_host": f"10.1.0.{rng.randrange(1, 5)}:443",
        "upstream_transport_failure_reason": "delayed_connect_error:_111" if flags == "UF" else "-",
        "user-agent": "openai-python/1.99",
        "x-forwarded-for": f"192.0.2.{rng.randrange(256)}",
        "x-request-id": f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4b8a-9d54-{rng.getrandbits(48):012x}",
    }


def requests(seed: int, count: int = REQUESTS) -> Iterator[bytes]:
    """Bodies of exports of one gateway pod."""
    rng = random.Random(seed)
    resource = {
        "log_name": "otel_envoy_accesslog",
        "zone_name": "",
        "cluster_name": "default/main",
        "node_name": "envoy-default-main-76d02f2b-5d4f7b9c6-x2k4j",
        "aigw.gateway.namespace": "default",
        "aigw.gateway.name": "main",
    }
    for number in range(count):
        request = logs_service_pb2.ExportLogsServiceRequest()
        logs = request.resource_logs.add()
        fill(logs.resource.attributes, resource)
        scope = logs.scope_logs.add()
        for index in range(RECORDS):
            item = scope.log_records.add(time_unix_nano=NOW + number * 1_000_000_000 + index * 1_000_000)
            fill(item.attributes, record(rng))
        yield request.SerializeToString()


def fill(attributes: Any, values: dict[str, str]) -> None:
    """Add texts as attributes."""
    for key, value in values.items():
        attributes.add(key=key).value.string_value = value


class Straightforward:
    """What one writes first. It must not be made cleverer: the bar is a ratio to it."""

    def __init__(self) -> None:
        self.counts: Counts = collections.Counter()
        self.lines: list[bytes] = []

    def export(self, body: bytes) -> None:
        """Take one export."""
        request = logs_service_pb2.ExportLogsServiceRequest.FromString(body)
        for resource_logs in request.resource_logs:
            resource = {attribute.key: self.text(attribute.value) for attribute in resource_logs.resource.attributes}
            for scope_logs in resource_logs.scope_logs:
                for item in scope_logs.log_records:
                    attributes = {attribute.key: self.text(attribute.value) for attribute in item.attributes}
                    self.take(resource, attributes, item.time_unix_nano)

    def take(self, resource: dict[str, str], attributes: dict[str, str], time: int) -> None:
        """Understand one record, count it, and keep it where a rule says so."""
        log = self.understand(resource, attributes, time)
        key = (
            log["gateway_namespace"],
            log["gateway_name"],
            log["backend"],
            log["requested_model"],
            str(log["status"]),
            log["ending"],
        )
        self.counts[key, "requests"] += 1
        for name in ("input", "cached", "output", "total"):
            self.counts[key, name] += log["cached_input_tokens" if name == "cached" else f"{name}_tokens"] or 0
        log["rules"] = self.decide(log)
        if log["rules"]:
            self.lines.append(json.dumps({name: value for name, value in log.items() if value}).encode() + b"\n")

    def understand(self, resource: dict[str, str], attributes: dict[str, str], time: int) -> dict[str, Any]:
        """The record under our names, without what is missing and what is secret."""
        clean = {
            name: value.partition("?")[0] if "path" in name else value
            for name, value in attributes.items()
            if value not in ("", "-", "<nil>") and name not in SECRETS
        }
        status = self.number(clean.get("response_code"))
        flags = clean.get("response_flags", "")
        return {
            "time": dt.datetime.fromtimestamp(time / 1e9, dt.UTC).isoformat(),
            "ai_route_type": clean.get("ai_route_type", ""),
            "gateway_namespace": resource.get("aigw.gateway.namespace", ""),
            "gateway_name": resource.get("aigw.gateway.name", ""),
            "gateway_pod": clean.get("k8s.pod.name", ""),
            "ending": self.ending(int(status or 0), flags),
            "method": clean.get("method", ""),
            "path": clean.get("request.path", ""),
            "status": None if status is None else int(status),
            "response_flags": flags,
            "duration_ms": self.number(clean.get("duration")),
            "requested_model": clean.get("gen_ai.request.model", ""),
            "answered_model": clean.get("gen_ai.response.model", ""),
            "backend": clean.get("ai_service_backend_name", ""),
            "route": clean.get("route_name", ""),
            "input_tokens": self.number(clean.get("gen_ai.usage.input_tokens")),
            "cached_input_tokens": self.number(clean.get("gen_ai.usage.cache_read.input_tokens")),
            "output_tokens": self.number(clean.get("gen_ai.usage.output_tokens")),
            "total_tokens": self.number(clean.get("gen_ai.usage.total_tokens")),
            "upstream_host": clean.get("upstream_host", ""),
            "upstream_failure_reason": clean.get("upstream_transport_failure_reason", ""),
            "request_id": clean.get("x-request-id", ""),
            "user_agent": clean.get("user-agent", ""),
            "bytes_received": self.number(clean.get("bytes_received")),
            "bytes_sent": self.number(clean.get("bytes_sent")),
            **{f"attributes.{name}": value for name, value in clean.items() if name not in NAMED},
        }

    @staticmethod
    def decide(log: dict[str, Any]) -> list[str]:
        """The rules that keep a record."""
        names = []
        if log["status"] is None or log["status"] >= 400 or log["response_flags"] in ("UF", "UT", "NR"):
            names.append("errors")
        if log["upstream_failure_reason"] or log["response_flags"] in ("UF", "UT"):
            names.append("upstream_failure")
        if log["ending"] == "aborted":
            names.append("aborted")
        if (log["duration_ms"] or 0) >= SLOW:
            names.append("slow")
        if (log["total_tokens"] or 0) >= TOTAL:
            names.append("tokens")
        return names

    @staticmethod
    def text(value: common_pb2.AnyValue) -> str:
        """An attribute's value as text."""
        kind = value.WhichOneof("value")
        return str(getattr(value, kind)) if kind else ""

    @staticmethod
    def number(text: str | None) -> float | None:
        """A number as Envoy writes it."""
        return None if text is None else float(text)

    @staticmethod
    def ending(status: int, flags: str) -> str:
        """How a request ended, of those that there are here."""
        by_flag = {"DC": "aborted", "UT": "timeout", "UF": "upstream_error", "NR": "gateway_error"}
        if flags in by_flag:
            return by_flag[flags]
        return "ok" if status < 400 else "client_error" if status < 500 else "upstream_error"


class Ours:
    """The receiver's own way: records at a glance, sums by shape, decisions on what is not ordinary."""

    def __init__(self) -> None:
        # The straightforward design has no learned thresholds; both have the same rules here.
        slow = rule_settings.Slow(adaptive=False, llm=int(SLOW) * 1_000_000)
        self.rules = rules.Rules(rule_settings.RuleSettings(slow=slow))
        self.reader = fast.Reader(limit=self.limit)
        self.lines: list[bytes] = []

    def export(self, body: bytes) -> None:
        """Take one export."""
        glances, _ = self.reader.read(body)
        for glance in glances:
            verdict = self.rules.decide(glance, NOW, 1.0)
            if verdict.rules:
                log = glance.read()
                if isinstance(log, AccessLog):
                    self.lines.append(flat.to_json_line(Kept(log, verdict)))

    def limit(self, group: Group) -> None:
        """Say up to where no rule is about the records of a group."""
        group.duration_below, group.tokens_below = self.rules.ordinary_below(group.shape)

    @property
    def counts(self) -> Counts:
        """The sums as the straightforward design has them."""
        counts: Counts = collections.Counter()
        for shape, sums, *_ in self.reader.drain():
            identity, status = shape.identity, str(shape.status)
            labels = (shape.backend, shape.requested_model, status, shape.ending.value)
            key = (identity.namespace, identity.name, *labels)
            for name, value in zip(SUMS, sums, strict=True):
                if name in COUNTED:
                    counts[key, name] += value
        return counts


def measure(rounds: int) -> tuple[list[report.Row], list[str]]:
    """Measure in interleaved rounds of the same requests: the line of the table, and what was wrong."""
    plain, ours = Straightforward(), Ours()
    costs: dict[str, list[float]] = {"plain": [], "ours": []}
    for number in range(WARM_UP + rounds):
        bodies = list(requests(number))
        for name, design in (("plain", plain), ("ours", ours)):
            begin = time.process_time()
            for body in bodies:
                design.export(body)
            cost = (time.process_time() - begin) / (REQUESTS * RECORDS) * 1e6
            if number >= WARM_UP:
                costs[name].append(cost)
    row = report.compared(NAME, costs["ours"], costs["plain"], unit="us/record", against="straightforward", bar=BAR)
    return [row], wrong(plain, ours)


def wrong(plain: Straightforward, ours: Ours) -> list[str]:
    """What the two designs did not agree on."""
    complaints = []
    if +plain.counts != +ours.counts:
        complaints.append(f"{NAME}: the counts differ")
    if len(plain.lines) != len(ours.lines):
        complaints.append(f"{NAME}: {len(plain.lines)} records were kept by one design, {len(ours.lines)} by the other")
    return complaints
