"""From the bytes of a request to its metrics, each with its data points still as bytes. It reads no data point.

The envelope of `wire` is parsed down to the points; `points` reads a point in full, `batches` reads many by heart.
Repeated fields are copied by `[:]`: to iterate over one ends with an error that protobuf words in full (measured).
"""

import functools
import hashlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from aigw_receiver.core import points, wire
from aigw_receiver.core.model import Kind, MetricHeader

_KINDS: Final = {kind.value: kind for kind in Kind}
# One of the enumeration, without its look-up.
_SUM: Final = Kind.SUM

# Bytes of a scope up to which its digest is remembered; real ones have some dozens.
_MEMORABLE: Final = 1024

# Only these say a temporality: a gauge has none, and a summary is always cumulative.
WITH_TEMPORALITY: Final = frozenset({Kind.SUM, Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM})


class Metric(NamedTuple):
    """One `Metric` of a request."""

    header: MetricHeader
    description: bytes
    points: list[bytes]


def read_request(body: bytes) -> Iterator[tuple[bytes, Iterator[Metric | None]]]:
    """The resources of an ExportMetricsServiceRequest, as bytes, each with its metrics.

    None stands for a metric whose bytes cannot be parsed; the others are not touched by that. Raises
    `wire.DecodeError`, before anything is given, where the envelope cannot be parsed.
    """
    try:
        request = wire.EnvelopeRequest.FromString(body)
    except wire.DecodeError:
        request = wire.LooseEnvelopeRequest.FromString(body)
    return ((b"".join(item.resource), _read_metrics(item.scope_metrics)) for item in request.resource_metrics[:])


def _read_metrics(scopes: Any) -> Iterator[Metric | None]:
    for scope_metrics in scopes[:]:
        scope = _canonical_scope(b"".join(scope_metrics.scope))
        for metric in scope_metrics.metrics[:]:
            try:
                parsed = wire.EnvelopeMetric.FromString(metric) if isinstance(metric, bytes) else metric
            except wire.DecodeError:
                yield None
            else:
                yield _read_metric(scope, parsed)


def _read_metric(scope: bytes, metric: Any) -> Metric:
    """One metric; without data it has no points, whatever its header says."""
    field = metric.WhichOneof("data")
    kind = _KINDS[field or "gauge"]
    holder = getattr(metric, kind)
    temporality = holder.aggregation_temporality if kind in WITH_TEMPORALITY else 0
    monotonic = kind is _SUM and holder.is_monotonic
    header = MetricHeader(scope, metric.name, metric.unit, kind, temporality, monotonic)
    return Metric(header, metric.description, holder.data_points[:])


def _canonical_scope(scope: bytes) -> bytes:
    """A digest that is the same for all spellings of a scope; what cannot be parsed is its own."""
    return _digest_known(scope) if len(scope) <= _MEMORABLE else _digest(scope)


def _digest(scope: bytes) -> bytes:
    try:
        message = wire.InstrumentationScope.FromString(scope)
    except wire.DecodeError:
        return hashlib.blake2b(scope, digest_size=16).digest()
    pairs, _ = points.read_attributes(message.attributes)
    text = repr((message.name, message.version, sorted(pairs, key=lambda item: item[0])))
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).digest()


_digest_known = functools.lru_cache(maxsize=1024)(_digest)
