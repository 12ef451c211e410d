"""The benchmark's bodies, read by the official protobuf parser: a server that refuses them would be right otherwise."""

import itertools

import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2

from bench import bodies

NOW = 1_795_000_000_000_000_000
Request = metrics_service_pb2.ExportMetricsServiceRequest
StreamKey = tuple[int, str, str]
Points = list[tuple[StreamKey, metrics_pb2.HistogramDataPoint]]
TEMPORALITIES = [bodies.DELTA, bodies.CUMULATIVE]


def fleet_of(temporality: int) -> bodies.Fleet:
    """Two pods of a hundred series that send 80 of them."""
    return bodies.Fleet(200, 80, temporality=temporality, now=NOW)


def points_of(pod: int, body: bytes) -> Points:
    """All points of a body with the key of their stream."""
    return [
        ((pod, metric.name, str(point.attributes)), point)
        for resource_metrics in Request.FromString(body).resource_metrics
        for scope_metrics in resource_metrics.scope_metrics
        for metric in scope_metrics.metrics
        for point in metric.histogram.data_points
    ]


def sent_by(fleet: bodies.Fleet) -> list[Points]:
    """Every series once, then ten exports, as lists of points."""
    exports = itertools.chain(fleet.everything(NOW), fleet.exports(10, NOW))
    return [points_of(pod, body) for pod, body in exports]


@pytest.mark.parametrize("temporality", TEMPORALITIES)
def test_bytes_are_in_go_s_order(temporality: int) -> None:
    """Broken, the bodies would not be what the gateway sends: serialized again in field order they are the same."""
    for _, body in fleet_of(temporality).exports(4, NOW):
        assert Request.FromString(body).SerializeToString(deterministic=True) == body


@pytest.mark.parametrize("temporality", TEMPORALITIES)
def test_points_are_consistent(temporality: int) -> None:
    """Broken, a receiver would refuse points: the count is the buckets' sum, and the sum lies between the extremes."""
    for points in sent_by(fleet_of(temporality)):
        for (_, name, _), point in points:
            bounds = next(metric.bounds for metric in bodies.METRICS if metric.name == name)
            assert sum(point.bucket_counts) == point.count > 0
            assert bounds == tuple(point.explicit_bounds)
            assert len(bounds) + 1 == len(point.bucket_counts)
            assert point.count * point.min <= point.sum <= point.count * point.max
            assert point.start_time_unix_nano < point.time_unix_nano


def test_requests_have_the_size_that_is_measured() -> None:
    """Broken, a figure `a point` would be of another batch size: 80 points, of four metrics, all of other streams."""
    exports = sent_by(fleet_of(bodies.DELTA))[2:]

    assert [len({key for key, _ in points}) for points in exports] == [80] * 10
    assert len({tuple(key for key, _ in points) for points in exports}) == 10


def test_delta_intervals_of_a_pod_are_contiguous() -> None:
    """Broken, delta points would overlap or leave gaps: each export of a pod begins where the one before ended."""
    ends: dict[int, int] = {0: NOW, 1: NOW}
    for points in sent_by(fleet_of(bodies.DELTA)):
        pod = points[0][0][0]
        assert {ends[pod]} == {point.start_time_unix_nano for _, point in points}
        ends[pod] = points[0][1].time_unix_nano


def test_cumulative_values_rise_from_one_start() -> None:
    """Broken, a receiver would see resets: the start stays, and time, count, sum and buckets never fall."""
    last: dict[StreamKey, metrics_pb2.HistogramDataPoint] = {}
    for points in sent_by(fleet_of(bodies.CUMULATIVE)):
        for key, point in points:
            assert point.start_time_unix_nano == NOW
            if key in last:
                assert last[key].time_unix_nano < point.time_unix_nano
                assert last[key].count < point.count
                assert last[key].sum < point.sum
                assert all(a <= b for a, b in zip(last[key].bucket_counts, point.bucket_counts, strict=True))
            last[key] = point
    assert len(last) == 200


@pytest.mark.parametrize("temporality", TEMPORALITIES)
def test_totals_are_what_was_sent(temporality: int) -> None:
    """Broken, a server with right totals would fail the run: the fleet's sums equal those of its points."""
    fleet = fleet_of(temporality)
    sent: dict[StreamKey, list[float]] = {}
    for points in sent_by(fleet):
        for key, point in points:
            values = [point.count, point.sum, *itertools.accumulate(point.bucket_counts)]
            before = sent.get(key, [0] * len(values)) if temporality == bodies.DELTA else [0] * len(values)
            sent[key] = [a + b for a, b in zip(before, values, strict=True)]

    expected: dict[str, tuple[int, float]] = {}
    for metric in bodies.METRICS:
        streams = [values for (_, name, _), values in sent.items() if name == metric.name]
        expected[metric.family + "_count"] = (50, sum(values[0] for values in streams))
        expected[metric.family + "_sum"] = (50, sum(values[1] for values in streams))
        expected[metric.family + "_bucket"] = (50 * (len(metric.bounds) + 1), sum(sum(v[2:]) for v in streams))
    assert expected == fleet.totals()
