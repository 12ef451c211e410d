"""All that the receiver knows of the gateways' metrics, and the way of one export into it.

One thread at a time; the caller holds the lock, gives the time of arrival, and writes nothing here itself.
"""

import collections
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core import batches, bulk, decode, identity, naming, points, wire
from aigw_receiver.core.batches import Batch
from aigw_receiver.core.decode import Metric
from aigw_receiver.core.limits import OTHER, LabelValues, Limits
from aigw_receiver.core.model import (
    AttributeValue,
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

# Identities of pods that were forgotten, for telling a pod that returns from a new one.
_FORGOTTEN: Final = 10_000

# Bytes of a resource up to which it is known again by them; a larger one is parsed each time.
_MEMORABLE: Final = 16_384

# Bytes of a metric's description that become its help text.
_HELP_LENGTH: Final = 1024

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
        self.keys: dict[bytes, bytes] = {}
        """the keys of the streams of all tables (see `batches`), so that each is held once"""
        self.label_values: dict[tuple[str, str], LabelValues] = {}
        self.forgotten: collections.OrderedDict[Identity, int] = collections.OrderedDict()
        self.next_number = 0
        self.live: npt.NDArray[np.bool_] = np.zeros(64, np.bool_)
        """by source number, whether the streams of the pod are shown"""
        self.before_forget: Callable[[Source], None] | None = None
        """told of a pod before its streams are released"""
        self._sources_by_resource: dict[bytes, Source] = {}

    def export(self, body: bytes, now: int) -> Outcome:
        """Take in one ExportMetricsServiceRequest that arrived at `now` (nanoseconds since 1970).

        Raises `wire.DecodeError` where the envelope cannot be parsed; then nothing was taken.
        """
        outcome = Outcome()
        pending: dict[int, Batch] = {}
        for resource, metrics in decode.read_request(body):
            source = self._source(resource, now)
            for metric in metrics:
                if metric is None:
                    outcome.reject(DropReason.MALFORMED_POINT, 1, "a metric that cannot be parsed")
                elif metric.points:
                    self._observe_metric(source, metric, pending, now, outcome)
        self._count_pending(pending, now, outcome)
        return outcome

    def _source(self, resource: bytes, now: int) -> Source | None:
        """The pod that speaks for this resource, marked as heard; None where there are too many."""
        source = self._sources_by_resource.get(resource)
        if source is None:
            source = self._meet(resource, now)
            if source is None:
                return None
        source.hear(now)
        if source.ended:
            self.show(source, live=True)
        return source

    def show(self, source: Source, *, live: bool) -> None:
        """Let the streams of a pod enter the scrapes, or leave them."""
        source.ended = not live
        if source.number >= len(self.live):
            self.live = np.concatenate((self.live, np.zeros(source.number + 1, np.bool_)))
        self.live[source.number] = live

    def _meet(self, resource: bytes, now: int) -> Source | None:
        try:
            pairs, _ = points.read_attributes(wire.Resource.FromString(resource).attributes)
        except wire.DecodeError:
            pairs = ()
        who = identity.identify({key: naming.label_value(value) for key, value in pairs})
        if max(len(who.namespace), len(who.name), len(who.pod)) > self.limits.name_length:
            return None
        source = self.sources.get(who)
        if source is None:
            if len(self.sources) >= self.limits.pods:
                return None
            source = Source(self.next_number, who, {}, now, now, now, now, self.forgotten.pop(who, 0))
            self.sources[who] = source
            self.next_number += 1
            self.show(source, live=True)
        source.labels = self._target_labels(pairs)
        if len(resource) > _MEMORABLE:
            return source
        if len(self._sources_by_resource) >= _ENCODINGS * self.limits.pods:
            self._sources_by_resource.clear()
        self._sources_by_resource[resource] = source
        return source

    def _target_labels(self, pairs: tuple[tuple[str, AttributeValue], ...]) -> dict[str, str]:
        """The labels of target_info: as many as a stream may have, and as long."""
        limits = self.limits
        labels = naming.labels_of([pair for pair in pairs if len(pair[0]) <= limits.name_length][: limits.labels])
        return {name: value if len(value) <= limits.label_length else OTHER for name, value in labels.items()}

    def _observe_metric(
        self, source: Source | None, metric: Metric, pending: dict[int, Batch], now: int, outcome: Outcome
    ) -> None:
        """Count the data points of one metric one by one, or leave them in `pending`, to be counted with others.

        Points of one stream are counted in the order in which they stand, whichever way they take.
        """
        header, description, data = metric
        table = self.table(source, header, description)
        if isinstance(table, DropReason):
            outcome.reject(table, len(data), header.name[: self.limits.name_length].decode(errors="replace"))
            return
        if id(table) in pending:
            self._count_pending(pending, now, outcome)
        batch, left = batches.recognise(table, data)
        if batch is not None:
            pending[id(table)] = batch
        if not left:
            return
        located = self._locate(table, left, now, outcome)
        if batch is not None:
            rows = set(batch.found)
            if any(found.row in rows and found.rows is table.rows for _, found in located):
                del pending[id(table)]
                order = {id(point): place for place, point in enumerate(data)}
                located += self._locate(table, batch.points, now, outcome)
                located.sort(key=lambda item: order[id(item[0])])
        self._count(table, located, now, outcome)
        self._keep(table)

    def _count_pending(self, pending: dict[int, Batch], now: int, outcome: Outcome) -> None:
        """Count the batches together; what is out of its normal course is counted point by point."""
        if pending:
            for batch in bulk.count(list(pending.values()), now, outcome):
                self._count(batch.table, self._locate(batch.table, batch.points, now, outcome), now, outcome)
            pending.clear()

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
        for point, found in located:
            try:
                if table.count(found, now, outcome):
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
        if max(len(header.name), len(header.unit)) > self.limits.name_length:
            return DropReason.NAME_TOO_LONG
        metric = header.name.decode(errors="replace")
        if not naming.is_admitted(metric, self.admit):
            return DropReason.METRIC_NOT_ADMITTED
        if header.kind is Kind.SUMMARY:
            return DropReason.UNSUPPORTED_TYPE
        if header.kind in decode.WITH_TEMPORALITY and header.temporality not in (
            Temporality.DELTA,
            Temporality.CUMULATIVE,
        ):
            return DropReason.UNSPECIFIED_TEMPORALITY
        name = naming.family_name(
            metric,
            header.unit.decode(errors="replace"),
            description[:_HELP_LENGTH].decode(errors="replace"),
            _family_type(header),
        )
        family = self.families.get(name.name) or Family(name)
        if (
            name.name in naming.OUR_FAMILIES
            or family.name.type is not name.type
            or any(self._family_that_writes(sample) not in (None, family) for sample in family.sample_names())
        ):
            return DropReason.TYPE_CONFLICT
        gateway = (source.identity.namespace, source.identity.name)
        values = self.label_values.setdefault(gateway, LabelValues())
        return StreamTable(header, metric, family, source, values, self.census, self.limits, self.scrapers, self.keys)

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
        self._forget_ended(now)
        for source in self.live_sources():
            if source.is_silent(now, self.expiry) and self.scrapers.have_all_seen(
                source.last_change, source.newest_birth, now
            ):
                self.show(source, live=False)
                ended.append(source.identity)
        return ended

    def _forget_ended(self, now: int) -> None:
        gone = [one for one in self.sources.values() if one.ended and now - one.last_seen > self.expiry.retention]
        for source in gone:
            self._forget(source)
        if gone:
            self.keys.clear()
            self.keys.update((key, key) for table in self.tables.values() for key in table.known)

    def _forget(self, source: Source) -> None:
        if self.before_forget is not None:
            self.before_forget(source)
        for family in self.families.values():
            for rows in family.layouts.values():
                self.census.streams -= rows.release_owned(source.number)
            family.layouts = {bounds: rows for bounds, rows in family.layouts.items() if rows.index}
        self.families = {name: family for name, family in self.families.items() if family.layouts}
        self.tables = {key: table for key, table in self.tables.items() if table.source is not source}
        self._sources_by_resource = {key: one for key, one in self._sources_by_resource.items() if one is not source}
        del self.sources[source.identity]
        gateway = (source.identity.namespace, source.identity.name)
        if not any((who.namespace, who.name) == gateway for who in self.sources):
            self.label_values.pop(gateway, None)
        self.forgotten[source.identity] = source.last_seen
        if len(self.forgotten) > _FORGOTTEN:
            self.forgotten.popitem(last=False)

    def live_sources(self) -> Iterator[Source]:
        """The pods whose streams are shown."""
        return (source for source in self.sources.values() if not source.ended)


def _family_type(header: MetricHeader) -> FamilyType:
    """The Prometheus type of an OTLP metric: only a sum that cannot fall is a counter."""
    if header.kind in (Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM):
        return FamilyType.HISTOGRAM
    return FamilyType.COUNTER if header.kind is Kind.SUM and header.monotonic else FamilyType.GAUGE
