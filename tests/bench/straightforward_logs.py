"""The intake of access logs that one writes first, as the yardstick: generated classes, dicts of attributes, json.

Each record becomes a dictionary of its attributes, and one of what they mean; the rules look at that, it is counted,
and what a rule keeps becomes a line of JSON. Only what is kept is put into its final form.

Run as a program it serves OTLP/gRPC and /metrics on free ports of the loopback interface, prints them, appends kept
records to a file, and ends when its standard input is closed. It applies the rules of the receiver that concern the
traffic of the benchmark, and none of its bounds. It must not be made cleverer: the bars of the project are ratios to
it.
"""

import argparse
import collections
import datetime as dt
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any, Final

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.common.v1 import common_pb2
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily

SLOW: Final = 30_000.0  # milliseconds
TOTAL: Final = 10_000
SECRETS: Final = frozenset({"authorization", "cookie", "x-api-key"})
# Attributes that have names of ours; the others are written under their own.
NAMED: Final = frozenset(
    {
        *("ai_route_type", "k8s.pod.name", "response_code", "response_flags", "method", "request.path", "duration"),
        *("gen_ai.request.model", "gen_ai.response.model", "ai_service_backend_name", "route_name", "x-request-id"),
        *("gen_ai.usage.input_tokens", "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.output_tokens"),
        *("gen_ai.usage.total_tokens", "upstream_host", "upstream_transport_failure_reason", "user-agent"),
        *("bytes_received", "bytes_sent"),
    }
)
FAMILIES: Final = {
    "aigw_requests": ("ai_route_type", "backend", "status_code", "ending", "gateway_namespace", "gateway_name"),
    "aigw_access_logs": ("decision", "rule", "ai_route_type", "gateway_namespace", "gateway_name"),
}

Labels = tuple[str, ...]


class Straightforward(logs_service_pb2_grpc.LogsServiceServicer):
    """Takes exports, counts their records, and hands on those that are kept."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.lock = threading.Lock()
        self.write = write
        self.counts: dict[str, collections.Counter[Labels]] = {name: collections.Counter() for name in FAMILIES}
        self.tokens: dict[str, collections.Counter[Labels]] = {
            name: collections.Counter() for name in ("input_tokens", "output_tokens")
        }

    # The name is given by the service.
    def Export(  # noqa: N802
        self,
        request: logs_service_pb2.ExportLogsServiceRequest,
        context: grpc.ServicerContext | None,  # noqa: ARG002
    ) -> logs_service_pb2.ExportLogsServiceResponse:
        """Take one export."""
        with self.lock:
            for resource_logs in request.resource_logs:
                resource = {item.key: self.text(item.value) for item in resource_logs.resource.attributes}
                for scope_logs in resource_logs.scope_logs:
                    for record in scope_logs.log_records:
                        attributes = {item.key: self.text(item.value) for item in record.attributes}
                        self.take(resource, attributes, record.time_unix_nano)
        return logs_service_pb2.ExportLogsServiceResponse()

    def take(self, resource: dict[str, str], attributes: dict[str, str], time: int) -> None:
        """Understand one record, decide, count it, and write it where it is kept."""
        clean = {
            name: value.partition("?")[0] if "path" in name else value
            for name, value in attributes.items()
            if value not in ("", "-", "<nil>") and name not in SECRETS
        }
        log = self.understand(resource, clean)
        rules = self.decide(log)
        gateway = (log["gateway_namespace"], log["gateway_name"])
        route_type, status = log["ai_route_type"], "none" if log["status"] is None else str(log["status"])
        decision = ("kept", rules[0]) if rules else ("dropped", "none")
        self.counts["aigw_requests"][route_type, log["backend"], status, log["ending"], *gateway] += 1
        self.counts["aigw_access_logs"][*decision, route_type, *gateway] += 1
        for name, counter in self.tokens.items():
            counter[*gateway, log["requested_model"]] += log[name] or 0
        if rules:
            line = {
                "time": dt.datetime.fromtimestamp(time / 1e9, dt.UTC).isoformat(),
                **{name: value for name, value in log.items() if value},
                "rules": ",".join(rules),
                **{f"attributes.{name}": value for name, value in clean.items() if name not in NAMED},
            }
            self.write(json.dumps(line).encode() + b"\n")

    def understand(self, resource: dict[str, str], clean: dict[str, str]) -> dict[str, Any]:
        """What a record says, under our names."""
        status = self.number(clean.get("response_code"))
        flags = clean.get("response_flags", "")
        return {
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
        }

    @staticmethod
    def decide(log: dict[str, Any]) -> list[str]:
        """The rules that keep a record."""
        names = []
        if log["status"] is None or log["status"] >= 400 or log["response_flags"] in ("UF", "UT", "NR"):
            names.append("errors")
        if log["upstream_failure_reason"] or log["response_flags"] in ("UF", "UT"):
            names.append("upstream_failure")
        if (log["duration_ms"] or 0) >= SLOW:
            names.append("slow")
        if (log["total_tokens"] or 0) >= TOTAL:
            names.append("tokens")
        if log["ending"] == "aborted":
            names.append("aborted")
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

    def describe(self) -> Sequence[CounterMetricFamily]:
        """Nothing is known before the first export."""
        return ()

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The counters, under the names that the receiver gives them."""
        for name, labels in FAMILIES.items():
            family = CounterMetricFamily(name, name, labels=labels)
            with self.lock:
                for values, count in self.counts[name].items():
                    family.add_metric(values, count)
            yield family


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--file", type=Path, required=True, help="where kept records are appended")
    arguments = parser.parse_args()
    with arguments.file.open("ab") as file:
        intake = Straightforward(file.write)
        registry = CollectorRegistry()
        registry.register(intake)
        http: Any = start_http_server(0, addr="127.0.0.1", registry=registry)[0]
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=arguments.workers))
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(intake, server)  # type: ignore[no-untyped-call]
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        print(f"127.0.0.1:{port} http://127.0.0.1:{http.server_port}", flush=True)
        sys.stdin.read()
        server.stop(0).wait()


if __name__ == "__main__":
    main()
