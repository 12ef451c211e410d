"""The streams of one metric of one pod: from the labels of a data point to its row.

This is the way of every stream's first point, and of every point that is out of the ordinary; `batches` takes the
others. What a point does to the numbers of its row stands in `accumulate`.
"""

import dataclasses
import hashlib
from typing import NamedTuple

from aigw_receiver.core import accumulate, histogram, layouts, naming
from aigw_receiver.core.limits import LabelValues, Limits
from aigw_receiver.core.model import (
    DropReason,
    FamilyType,
    FoldReason,
    MetricHeader,
    Outcome,
    Point,
    PointError,
    Temporality,
)
from aigw_receiver.core.scrapers import Scrapers
from aigw_receiver.core.series import NO_FINGERPRINT, Family, Rows
from aigw_receiver.core.sources import Source, is_new_stream


@dataclasses.dataclass(slots=True)
class Census:
    """What all streams share: how many there are, the number of the newest, and since when births are noticed."""

    known_since: int
    streams: int = 0
    newest: int = 0


class Located(NamedTuple):
    """A data point and the row of its stream."""

    rows: Rows
    row: int
    point: Point


@dataclasses.dataclass(slots=True)
class StreamTable:
    """The streams of one metric of one pod.

    `rows` are those of the bounds that the metric came with first. `known` maps the bytes that all points of a
    stream have in common (their key) to its row there; `keys` holds those of all tables, each once, by themselves.
    Both are written and read by `batches`.
    """

    header: MetricHeader
    metric: str
    family: Family
    source: Source
    label_values: LabelValues
    census: Census
    limits: Limits
    scrapers: Scrapers
    keys: dict[bytes, bytes]
    rows: Rows | None = None
    known: dict[bytes, int] = dataclasses.field(default_factory=dict)
    spelling: layouts.Spelling | None = None
    """how the points of `known` are spelled, all alike (see `batches`)"""

    def locate(self, point: Point, now: int, outcome: Outcome) -> "Located | None":
        """The row of the stream of a point that arrived at `now`, made if there is none yet.

        None for a point without a value whose stream is not known: it begins none. Raises PointError where the point
        cannot be counted, so that no stream is made for it.
        """
        if self.family.name.type is FamilyType.COUNTER and point.value < 0:
            raise PointError(DropReason.NEGATIVE_INCREMENT)
        if any(len(key) > self.limits.name_length for key, _ in point.attributes):
            raise PointError(DropReason.NAME_TOO_LONG)
        labels = naming.labels_of(point.attributes)
        folded = self.label_values.fold(labels, self.limits, outcome, self.metric)
        if point.invalid_utf8:
            outcome.fold(FoldReason.INVALID_UTF8, self.metric)
        text = naming.render_labels(labels | naming.identity_labels(self.source.identity))
        fingerprint = self._fingerprint(point)
        found = self.family.find(text)
        if found is None:
            if point.no_value:
                return None
            self._count_stream()
            rows = self.family.rows_for(point.bounds)
            row = rows.add(text, NO_FINGERPRINT if folded else fingerprint, owner=self.source.number)
            self._begin(rows, row, point, now)
        else:
            rows, row = found
        if self.rows is None:
            self.rows = rows
        if int(rows.fingerprint[row]) != fingerprint:
            row = self._child(rows, row, fingerprint)
        if rows.bounds is not None and rows.bounds != point.bounds:
            counts = histogram.rebucket(point.counts, point.bounds, rows.bounds)
            point = dataclasses.replace(point, counts=counts, bounds=rows.bounds)
        return Located(rows, row, point)

    def count(self, located: "Located", now: int, outcome: Outcome) -> bool:
        """Count a point that arrived at `now`; raises PointError where it cannot be.

        Answers whether `batches` could count the next one of its stream: it has a series of its own, and the bounds
        of `rows`.
        """
        rows, row, point = located.rows, located.row, located.point
        if point.no_value:
            self._hide(rows, row)
            outcome.accepted += 1
            return False
        if self.header.temporality == Temporality.DELTA:
            accumulate.observe_delta(rows, row, point, outcome)
        elif self.family.name.type is FamilyType.GAUGE:
            accumulate.observe_last(rows, row, point, outcome)
        else:
            accumulate.observe_cumulative(rows, row, point, outcome, known_since=self.census.known_since)
        outcome.accepted += 1
        self.source.last_change = now
        if rows.parent[row] >= 0:
            return False
        rows.visible[row] = True
        return rows is self.rows

    def _child(self, rows: Rows, parent: int, fingerprint: int) -> int:
        """The row of a stream whose labels are another stream's as well."""
        child = rows.children.get((parent, fingerprint))
        if child is None:
            # A flood of folded values must leave room for streams that have a series of their own.
            if 2 * self.source.children >= self.limits.streams_per_pod:
                raise PointError(DropReason.STREAM_LIMIT)
            self._count_stream()
            self.source.children += 1
            child = rows.add(None, fingerprint, owner=self.source.number, parent=parent)
        return child

    def _count_stream(self) -> None:
        if self.source.streams >= self.limits.streams_per_pod or self.census.streams >= self.limits.streams:
            raise PointError(DropReason.STREAM_LIMIT)
        self.source.streams += 1
        self.census.streams += 1

    def _begin(self, rows: Rows, row: int, point: Point, now: int) -> None:
        """A new series: when it was created, and whether it is to be shown from zero."""
        rows.created[row] = point.start or now
        if self.family.name.type is FamilyType.GAUGE:
            return
        if self.header.temporality == Temporality.DELTA or is_new_stream(
            self.source, point.start, now, known_since=self.census.known_since
        ):
            self.census.newest += 1
            rows.birth[row] = self.source.newest_birth = self.census.newest
            self.scrapers.bear(self.census.newest, now)

    def _fingerprint(self, point: Point) -> int:
        """64 bits of what makes streams with equal labels differ: attributes as sent, scope, type, temporality."""
        text = repr((self.header, sorted(point.attributes, key=lambda item: item[0])))
        digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "little") or 1

    def _hide(self, rows: Rows, row: int) -> None:
        """The sender says that the stream has no value now: it leaves the scrapes until it has one again."""
        rows.visible[row] = False
        self.known = {key: known for key, known in self.known.items() if known != row}
