"""The receiver's own telemetry, by prometheus-client. It counts what it is told and decides nothing."""

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import prometheus_client
from prometheus_client import core as prometheus_core
from prometheus_client import process_collector, registry

from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.model import DropReason, FoldReason, Outcome
from aigw_receiver.core.store import Store

# From a heartbeat's export to a scrape of 100,000 streams.
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


_TRANSPORTS: Final = ("grpc", "http")


def _zeros(labels: Iterable[str]) -> collections.Counter[str]:
    return collections.Counter(dict.fromkeys(labels, 0))


class _Exports(registry.Collector):
    """Counts of exports, in plain dictionaries: they are raised with every request.

    What can be counted is there from the start, at 0: of a series that begins with its first increment, `rate` misses
    just that. Only the results of requests that are refused, of which there are many kinds, begin as they come.
    """

    def __init__(self) -> None:
        results = itertools.product(_TRANSPORTS, ("success", "partial"))
        self.requests: collections.Counter[tuple[str, str]] = collections.Counter(dict.fromkeys(results, 0))
        self.bytes = _zeros(_TRANSPORTS)
        self.points = _zeros(("accepted", "duplicate", "outdated", "overlap", "rejected", "reset"))
        self.rejected = _zeros([reason.value for reason in DropReason])
        self.folded = _zeros([reason.value for reason in FoldReason])
        self.paths = _zeros(("fast", "full"))
        self.logs = _zeros(("accepted", "rejected"))
        self.logs_rejected = _zeros([reason.value for reason in LogDropReason])

    def collect(self) -> Iterator[prometheus_core.Metric]:
        """The families of these counts."""
        counter = prometheus_core.CounterMetricFamily
        requests = counter(
            "aigw_receiver_requests",
            "OTLP requests, by transport and by what they came to",
            labels=["transport", "result"],
        )
        for labels, count in sorted(self.requests.items()):
            requests.add_metric(list(labels), count)
        yield requests
        for name, text, label, counts in (
            ("aigw_receiver_received_bytes", "Bytes of OTLP messages, after inflating", "transport", self.bytes),
            (
                "aigw_receiver_points",
                "Data points by what became of them; duplicates, outdated ones, overlaps and resets are accepted too",
                "result",
                self.points,
            ),
            ("aigw_receiver_points_rejected", "Data points that were refused, by reason", "reason", self.rejected),
            ("aigw_receiver_labels_folded", "Labels that were changed, by reason", "reason", self.folded),
            ("aigw_receiver_points_decoded", "Data points by the way they were decoded", "path", self.paths),
            ("aigw_receiver_log_records", "Records of access logs by what became of them", "result", self.logs),
            (
                "aigw_receiver_log_records_rejected",
                "Log records that were refused, by reason",
                "reason",
                self.logs_rejected,
            ),
        ):
            family = counter(name, text, labels=[label])
            for value, count in sorted(counts.items()):
                family.add_metric([value], count)
            yield family


class _State(registry.Collector):
    """How much the store holds, read when it is scraped."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[prometheus_core.Metric]:
        """The families of what is held."""
        gauge = prometheus_core.GaugeMetricFamily
        yield gauge("aigw_receiver_streams", "Streams that are held", self._store.census.streams)
        pods = gauge("aigw_receiver_pods", "Gateway pods that are known", labels=["state"])
        ended = sum(source.ended for source in list(self._store.sources.values()))
        pods.add_metric(["live"], len(self._store.sources) - ended)
        pods.add_metric(["ended"], ended)
        yield pods
        yield gauge("aigw_receiver_scrapers", "Scrapers that are known", len(self._store.scrapers.known))


class Telemetry:
    """Everything that the receiver says of itself."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self._exports = _Exports()
        self.registry.register(self._exports)
        process_collector.ProcessCollector(registry=self.registry)
        self._export_seconds = prometheus_client.Histogram(
            "aigw_receiver_export_duration_seconds",
            "Time to take in one export",
            ["transport"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._export_seconds_of = {transport: self._export_seconds.labels(transport) for transport in _TRANSPORTS}
        self._scrape_seconds = prometheus_client.Histogram(
            "aigw_receiver_scrape_duration_seconds",
            "Time to serve one scrape of the gateways' series",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.journal_bytes = prometheus_client.Gauge(
            "aigw_receiver_journal_size_bytes", "Size of the journal since the last snapshot", registry=self.registry
        )
        self.snapshots = prometheus_client.Counter(
            "aigw_receiver_snapshots", "Snapshots that were tried", ["result"], registry=self.registry
        )
        self.sink_records = prometheus_client.Counter(
            "aigw_receiver_sink_records",
            "Kept access logs by sink, and by what became of them",
            ["sink", "result"],
            registry=self.registry,
        )

        self.store_set_aside = prometheus_client.Counter(
            "aigw_receiver_store_set_aside",
            "Files of kept access logs that could not be read and were set aside",
            registry=self.registry,
        )
        self._queue_bytes = prometheus_client.Gauge(
            "aigw_receiver_sink_queue_size_bytes", "What waits to be forwarded", ["sink"], registry=self.registry
        )

    def watch_queue(self, sink: str, size: Callable[[], float]) -> None:
        """Say from now on how much waits in the queue of a sink."""
        self._queue_bytes.labels(sink).set_function(size)

    def watch(self, store: Store) -> None:
        """Say from now on how much this store holds."""
        self.registry.register(_State(store))

    def watch_prices(self, is_current: Callable[[], bool]) -> None:
        """Say from now on whether the price book's file, as it is, is in use."""
        prometheus_client.Gauge(
            "aigw_receiver_price_book_current",
            "1 where the price book is in use as its file is now, 0 where the file was refused",
            registry=self.registry,
        ).set_function(lambda: float(is_current()))

    def count_export(self, transport: str, size: int, outcome: Outcome, seconds: float) -> None:
        """Count one export that was taken in, in whole or in part."""
        exports = self._exports
        exports.requests[transport, "partial" if outcome.rejected else "success"] += 1
        exports.bytes[transport] += size
        exports.points["accepted"] += outcome.accepted
        exports.paths["fast"] += outcome.fast
        exports.paths["full"] += outcome.full
        if outcome.full:
            exports.points["duplicate"] += outcome.duplicates
            exports.points["outdated"] += outcome.outdated
            exports.points["overlap"] += outcome.overlaps
            exports.points["reset"] += outcome.resets
        if outcome.rejected:
            exports.points["rejected"] += outcome.rejected_points
            exports.rejected.update({reason.value: count for reason, count in outcome.rejected.items()})
        if outcome.folded:
            exports.folded.update({reason.value: count for reason, count in outcome.folded.items()})
        self._export_seconds_of[transport].observe(seconds)

    def count_logs(self, transport: str, size: int, rejected: Mapping[LogDropReason, int], seconds: float) -> None:
        """Count one export of logs that was taken in, in whole or in part."""
        exports = self._exports
        exports.requests[transport, "partial" if rejected else "success"] += 1
        exports.bytes[transport] += size
        if rejected:
            exports.logs["rejected"] += sum(rejected.values())
            exports.logs_rejected.update({reason.value: count for reason, count in rejected.items()})
        self._export_seconds_of[transport].observe(seconds)

    def count_accepted_logs(self, count: int) -> None:
        """Count log records that were understood."""
        self._exports.logs["accepted"] += count

    def count_refusal(self, transport: str, result: str) -> None:
        """Count one request that was refused as a whole."""
        self._exports.requests[transport, result] += 1

    def count_scrape(self, seconds: float) -> None:
        """Count one scrape of the gateways' series."""
        self._scrape_seconds.observe(seconds)
