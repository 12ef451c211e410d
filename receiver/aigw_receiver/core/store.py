"""All that the receiver knows of the gateways' metrics, and the way of one export into it.

One thread at a time; the caller holds the lock, gives the time of arrival, and writes nothing here itself.
"""

import collections
import functools
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core import batches, identity, naming, points, wire
from aigw_receiver.core.limits import LabelValues, Limits
from aigw_receiver.core.model import (
    DropReason,
    FamilyType,
    Identity,
    Kind,
    MetricHeader,
    Outcome,
    PointError,
    Temporality,
)
from aigw_receiver.core.scrapers import Scrapers
from aigw_receiver.core.series import Family
from aigw_receiver.core.sources import Expiry, Source
from aigw_receiver.core.streams import Census, Located, StreamTable

_KINDS: Final = tuple((kind, kind.value) for kind in Kind)
_WITH_TEMPORALITY: Final = (Kind.SUM, Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM)

# Identities of pods that were forgotten, for telling a pod that returns from a new one.
_FORGOTTEN: Final = 10_000

# Encodings of resources that are remembered for each pod that may be known; more only cost a parse.
_ENCODINGS: Final = 4


class Store:
    """Sources, families and streams; `export` is the only way in."""

    def __init__(
        self,
        now: int,
        *,
        limits: Limits | None = None,
        expiry: Expiry | None = None,
        admit: tuple[str, ...] = (),
    ) -> None:
        self.limits = limits or Limits()
        self.expiry = expiry or Expiry()
        self.admit = admit
        self.census = Census(known_since=now)
        self.scrapers = Scrapers()
        self.families: dict[str, Family] = {}
        self.sources: dict[Identity, Source] = {}
        self.tables: dict[tuple[int, MetricHeader], StreamTable] = {}
        self.label_values: dict[tuple[str, str], LabelValues] = {}
        self.forgotten: collections.OrderedDict[Identity, int] = collections.OrderedDict()
        self.next_number = 0
        self._sources_by_resource: dict[bytes, Source] = {}

    def export(self, body: bytes, now: int) -> Outcome:
        """Take in one ExportMetricsServiceRequest that arrived at `now` (nanoseconds since 1970).

        Raises `wire.DecodeError` where the envelope cannot be parsed; then nothing was taken.
        """
        request = wire.EnvelopeRequest.FromString(body)
        outcome = Outcome()
        for resource_metrics in request.resource_metrics:
            source = self._source(b"".join(resource_metrics.resource), now)
            for scope_metrics in resource_metrics.scope_metrics:
                scope = b"".join(scope_metrics.scope)
                for metric in scope_metrics.metrics:
                    self._observe_metric(source, scope, metric, now, outcome)
        return outcome

    def _source(self, resource: bytes, now: int) -> Source | None:
        """The pod that speaks for this resource, marked as heard; None where there are too many."""
        source = self._sources_by_resource.get(resource)
        if source is None:
            source = self._meet(resource, now)
            if source is None:
                return None
        source.hear(now)
        source.ended = False
        return source

    def _meet(self, resource: bytes, now: int) -> Source | None:
        try:
            pairs, _ = points.read_attributes(wire.Resource.FromString(resource).attributes)
        except wire.DecodeError:
            pairs = ()
        who = identity.identify({key: naming.label_value(value) for key, value in pairs})
        source = self.sources.get(who)
        if source is None:
            if len(self.sources) >= self.limits.pods:
                return None
            source = Source(self.next_number, who, {}, now, now, now, now, self.forgotten.pop(who, 0))
            self.sources[who] = source
            self.next_number += 1
        source.labels = naming.labels_of(pairs[: self.limits.labels])
        if len(self._sources_by_resource) >= _ENCODINGS * self.limits.pods:
            self._sources_by_resource.clear()
        self._sources_by_resource[resource] = source
        return source

    def _observe_metric(self, source: Source | None, scope: bytes, metric: bytes, now: int, outcome: Outcome) -> None:
        """Count the data points of one metric: those on the fast path together, the others one by one.

        Where two of them belong to one stream, they are counted in the order in which they stand.
        """
        try:
            header, description, data = _read_metric(scope, metric)
        except wire.DecodeError:
            outcome.reject(DropReason.MALFORMED_POINT, 1, "a metric that cannot be parsed")
            return
        if header is None or not data:
            return
        table = self.table(source, header, description)
        if isinstance(table, DropReason):
            outcome.reject(table, len(data), header.name.decode(errors="replace"))
            return
        batch, left = batches.recognise(table, data) if batches.can_batch(table) else (None, data)
        located = self._locate(table, left, now, outcome)
        if batch is not None:
            rows = set(batch.found)
            apart = not any(found.row in rows and found.rows is table.rows for _, found in located)
            if not (apart and batches.count(table, batch, now, outcome)):
                order = {id(point): place for place, point in enumerate(data)}
                located += self._locate(table, batch.points, now, outcome)
                located.sort(key=lambda item: order[id(item[0])])
        self._count(table, located, now, outcome)
        if left:
            self._keep(table)

    def _locate(self, table: StreamTable, data: list[bytes], now: int, outcome: Outcome) -> list[tuple[bytes, Located]]:
        """Read data points by the full parser and find their streams; those that cannot be taken end here."""
        outcome.full += len(data)
        located = []
        for point in data:
            try:
                found = table.locate(points.read_point(table.header.kind, point), now, outcome)
            except PointError as error:
                outcome.reject(error.reason, 1, table.metric)
                continue
            if found is None:
                outcome.accepted += 1
            else:
                located.append((point, found))
        return located

    def _count(self, table: StreamTable, located: list[tuple[bytes, Located]], now: int, outcome: Outcome) -> None:
        """Count data points one by one, and remember how their streams spell them."""
        fast = batches.can_batch(table)
        for point, found in located:
            try:
                if table.count(found, now, outcome) and fast:
                    batches.learn(table, point, found.row)
            except PointError as error:
                outcome.reject(error.reason, 1, table.metric)

    def table(self, source: Source | None, header: MetricHeader, description: bytes) -> StreamTable | DropReason:
        """The table of this metric of this pod, or why there can be none. A new one is kept once it has a stream."""
        if source is None:
            return DropReason.RESOURCE_LIMIT
        table = self.tables.get((source.number, header))
        if table is not None:
            return table
        metric = header.name.decode(errors="replace")
        if not naming.is_admitted(metric, self.admit):
            return DropReason.METRIC_NOT_ADMITTED
        if header.kind is Kind.SUMMARY:
            return DropReason.UNSUPPORTED_TYPE
        if header.kind in _WITH_TEMPORALITY and header.temporality not in (Temporality.DELTA, Temporality.CUMULATIVE):
            return DropReason.UNSPECIFIED_TEMPORALITY
        name = naming.family_name(
            metric, header.unit.decode(errors="replace"), description.decode(errors="replace"), _family_type(header)
        )
        family = self.families.get(name.name) or Family(name)
        if family.name.type is not name.type or any(
            self._family_that_writes(sample) not in (None, family) for sample in family.sample_names()
        ):
            return DropReason.TYPE_CONFLICT
        gateway = (source.identity.namespace, source.identity.name)
        values = self.label_values.setdefault(gateway, LabelValues())
        return StreamTable(header, metric, family, source, values, self.census, self.limits, self.scrapers)

    def _family_that_writes(self, sample: str) -> Family | None:
        """The family that has a sample of this name."""
        for suffix in ("", "_bucket", "_count", "_sum", "_total", "_created"):
            family = self.families.get(sample.removesuffix(suffix) if suffix else sample)
            if sample.endswith(suffix) and family is not None and sample in family.sample_names():
                return family
        return None

    def _keep(self, table: StreamTable) -> None:
        if table.rows is not None:
            self.tables[table.source.number, table.header] = table
            self.families.setdefault(table.family.name.name, table.family)

    def expire(self, now: int) -> list[Identity]:
        """End the pods that are silent, and forget those that ended long ago. Answers the pods that ended just now.

        A pod's last values are kept in the scrapes until every scraper has had them.
        """
        ended = []
        self.scrapers.open(now)
        for source in list(self.sources.values()):
            if source.ended:
                if now - source.last_seen > self.expiry.retention:
                    self._forget(source)
            elif source.is_silent(now, self.expiry) and self.scrapers.have_all_seen(
                source.last_change, source.newest_birth, now
            ):
                source.ended = True
                ended.append(source.identity)
        return ended

    def _forget(self, source: Source) -> None:
        for family in self.families.values():
            for rows in family.layouts.values():
                self.census.streams -= rows.release_owned(source.number)
        self.tables = {key: table for key, table in self.tables.items() if table.source is not source}
        self._sources_by_resource = {key: one for key, one in self._sources_by_resource.items() if one is not source}
        del self.sources[source.identity]
        gateway = (source.identity.namespace, source.identity.name)
        if not any((who.namespace, who.name) == gateway for who in self.sources):
            self.label_values.pop(gateway, None)
        self.forgotten[source.identity] = source.last_seen
        if len(self.forgotten) > _FORGOTTEN:
            self.forgotten.popitem(last=False)

    def live_owners(self) -> npt.NDArray[np.bool_]:
        """By source number, whether its streams are shown."""
        live = np.zeros(self.next_number, np.bool_)
        live[[source.number for source in self.sources.values() if not source.ended]] = True
        return live

    def live_sources(self) -> Iterator[Source]:
        """The pods whose streams are shown."""
        return (source for source in self.sources.values() if not source.ended)


def _read_metric(scope: bytes, data: bytes) -> tuple[MetricHeader | None, bytes, list[bytes]]:
    """The header, description and data points of one `Metric`; the header is None where it holds no data.

    `Metric.data` is a oneof, of which the last on the wire counts; the envelope does not know which that was, so a
    metric with more than one goes through the full parser.
    """
    metric = wire.EnvelopeMetric.FromString(data)
    kinds = [item for item in _KINDS if metric.HasField(item[1])]
    if not kinds:
        return None, b"", []
    kind, field = kinds[0]
    holder: Any = getattr(metric, field)
    found = list(holder.data_points)
    if len(kinds) > 1:
        metric = wire.Metric.FromString(data)
        kind = Kind(metric.WhichOneof("data"))
        holder = getattr(metric, kind.value)
        found = [point.SerializeToString() for point in holder.data_points]
    temporality = holder.aggregation_temporality if kind in _WITH_TEMPORALITY else 0
    monotonic = holder.is_monotonic if kind is Kind.SUM else False
    return (
        MetricHeader(_canonical_scope(scope), metric.name, metric.unit, kind, temporality, monotonic),
        metric.description,
        found,
    )


@functools.lru_cache(maxsize=1024)
def _canonical_scope(scope: bytes) -> bytes:
    """One spelling for each scope, whatever the order of its fields; what cannot be parsed stays as it is."""
    try:
        message = wire.InstrumentationScope.FromString(scope)
    except wire.DecodeError:
        return scope
    pairs, _ = points.read_attributes(message.attributes)
    return repr((message.name, message.version, sorted(pairs, key=lambda item: item[0]))).encode(
        errors="surrogateescape"
    )


def _family_type(header: MetricHeader) -> FamilyType:
    """The Prometheus type of an OTLP metric: only a sum that cannot fall is a counter."""
    if header.kind in (Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM):
        return FamilyType.HISTOGRAM
    return FamilyType.COUNTER if header.kind is Kind.SUM and header.monotonic else FamilyType.GAUGE
