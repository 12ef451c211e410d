"""The way of an export into the store: what is taken, refused, kept and forgotten."""

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint, Sum, Summary, SummaryDataPoint

import otlp_messages as otlp
from aigw_receiver.core import exposition, wire
from aigw_receiver.core.model import DropReason, FoldReason, Identity, Outcome
from aigw_receiver.core.sources import Expiry
from aigw_receiver.core.store import Store
from otlp_messages import CUMULATIVE, DELTA, INTERVAL, NOW, SECOND

_LATER: otlp.Interval = {"start": NOW, "time": NOW + INTERVAL}
_TOTAL = "mcp_method_count_total"


def _shown(store: Store, *names: str, with_identity: bool = False) -> dict[str, float]:
    text = b"".join(exposition.render(store, exposition.TEXT, None)).decode()
    return otlp.samples(text, *names, with_identity=with_identity)


def _rejected(outcome: Outcome) -> tuple[dict[DropReason, int], int, dict[str, str]]:
    return outcome.rejected, outcome.accepted, outcome.examples


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (otlp.counter(otlp.number(1), otlp.number(2), name="http.server.count"), DropReason.METRIC_NOT_ADMITTED),
        (
            Metric(name="mcp.x", summary=Summary(data_points=[SummaryDataPoint(time_unix_nano=NOW)] * 2)),
            DropReason.UNSUPPORTED_TYPE,
        ),
        (
            otlp.counter(otlp.number(1), otlp.number(2), temporality=otlp.UNSPECIFIED),
            DropReason.UNSPECIFIED_TEMPORALITY,
        ),
        (
            otlp.histogram(otlp.buckets((1, 0, 0), 1), otlp.buckets((1, 0, 0), 1), temporality=otlp.UNSPECIFIED),
            DropReason.UNSPECIFIED_TEMPORALITY,
        ),
        (otlp.counter(otlp.number(-1), otlp.number(-0.5)), DropReason.NEGATIVE_INCREMENT),
        (otlp.counter(otlp.number(-1), otlp.number(-0.5), temporality=CUMULATIVE), DropReason.NEGATIVE_INCREMENT),
        (otlp.counter(otlp.number(1, time=0), otlp.number(1, time=0)), DropReason.NO_TIME),
    ],
)
def test_bad_points_beside_good_ones(metric: Metric, reason: DropReason) -> None:
    """A bad point costs a good one of the same request, or is refused without a word."""
    store = Store(NOW)
    good = otlp.counter(otlp.number(5), name="mcp.progress.notifications")
    assert ({reason: 2}, 1, {reason.value: metric.name}) == _rejected(store.export(otlp.export(metric, good), NOW))
    assert {"mcp_progress_notifications_total": 5.0} == _shown(store, "mcp_progress_notifications_total")
    assert ["mcp_progress_notifications"] == list(store.families)
    assert 1 == store.census.streams


def test_envelope_that_cannot_be_parsed() -> None:
    """A request that cannot be parsed is taken in part."""
    store = Store(NOW)
    body = otlp.export(otlp.counter(otlp.number(5)))
    for broken in (b"\xff", body[:-1], body + b"\x0a"):
        with pytest.raises(wire.DecodeError):
            store.export(broken, NOW)
    assert (0, {}) == (store.census.streams, store.sources)


@pytest.mark.parametrize(
    "body", [b"", ExportMetricsServiceRequest().SerializeToString(), b"\x0a\x00", b"\x0a\x02\x12\x00"]
)
def test_empty_requests(body: bytes) -> None:
    """An empty request is an error."""
    assert ({}, 0, {}) == _rejected(Store(NOW).export(body, NOW))


def test_metric_that_cannot_be_parsed() -> None:
    """One broken metric costs the others of its request."""
    metric = otlp.gauge(otlp.number(1), name="mcp.x")
    text = metric.SerializeToString()
    body = otlp.export(otlp.counter(otlp.number(5)), metric).replace(text, b"\xff" * len(text))
    outcome = Store(NOW).export(body, NOW)
    assert ({DropReason.MALFORMED_POINT: 1}, 1) == (outcome.rejected, outcome.accepted)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (otlp.counter(otlp.number(1), name="mcp.x"), otlp.gauge(otlp.number(1), name="mcp.x")),
        (otlp.gauge(otlp.number(1), name="mcp.x"), otlp.histogram(otlp.buckets((1, 0, 0), 1), name="mcp.x")),
        (otlp.histogram(otlp.buckets((1, 0, 0), 1), name="mcp.x"), otlp.counter(otlp.number(1), name="mcp.x")),
        # families of other names that would write samples of one name
        (otlp.histogram(otlp.buckets((1, 0, 0), 1), name="mcp.x"), otlp.gauge(otlp.number(1), name="mcp.x.count")),
        (otlp.gauge(otlp.number(1), name="mcp.x.sum"), otlp.histogram(otlp.buckets((1, 0, 0), 1), name="mcp.x")),
        (otlp.counter(otlp.number(1), name="mcp.x"), otlp.gauge(otlp.number(1), name="mcp.x.created")),
        (otlp.counter(otlp.number(1), name="mcp.x"), otlp.gauge(otlp.number(1), name="mcp.x_total")),
        (otlp.gauge(otlp.number(1), name="mcp.x_bucket"), otlp.histogram(otlp.buckets((1, 0, 0), 1), name="mcp.x")),
    ],
)
def test_type_conflict(first: Metric, second: Metric) -> None:
    """Two families write samples of one name, and Prometheus refuses the whole scrape."""
    store = Store(NOW)
    assert {} == store.export(otlp.export(first), NOW).rejected
    for resource in (otlp.POD, otlp.pod("other")):
        outcome = store.export(otlp.export(second, resource=resource), NOW)
        assert ({DropReason.TYPE_CONFLICT: 1}, 0, {"type_conflict": second.name}) == _rejected(outcome)
    assert 1 == len(store.families)


@pytest.mark.parametrize("name", ["target", "target.info", "target_info"])
def test_nothing_takes_the_place_of_target_info(name: str) -> None:
    """An admitted metric replaces `target_info`, or writes its samples a second time."""
    store = Store(NOW, admit=("*",))
    outcome = store.export(otlp.export(otlp.gauge(otlp.number(7), name=name)), NOW)
    assert {DropReason.TYPE_CONFLICT: 1} == outcome.rejected
    assert [1.0] == list(_shown(store, "target_info").values())


def test_names_that_fall_together_and_agree() -> None:
    """Two metrics that have one name in Prometheus, and the same labels, take counts from each other."""
    store = Store(NOW)
    metrics = (otlp.counter(otlp.number(1), name="mcp.x.y"), otlp.counter(otlp.number(10), name="mcp.x_y"))
    assert {} == store.export(otlp.export(*metrics), NOW).rejected
    assert {"mcp_x_y_total": 11.0} == _shown(store, "mcp_x_y_total")


def test_admit_list() -> None:
    """An admitted metric is refused, or one that is not admitted is taken."""
    store = Store(NOW, admit=("http.server.duration", "x.*"))
    names = ("http.server.duration", "http.server.size", "x.a", "xa")
    outcome = store.export(otlp.export(*(otlp.gauge(otlp.number(1), name=name) for name in names)), NOW)
    assert ({DropReason.METRIC_NOT_ADMITTED: 2}, 2, {"metric_not_admitted": "http.server.size"}) == _rejected(outcome)
    assert {"http_server_duration", "x_a"} == store.families.keys()


def test_family_is_kept_only_with_a_stream() -> None:
    """A metric without a valid point takes its name from others, or shows a family without a sample."""
    store = Store(NOW)
    store.export(otlp.export(otlp.counter(otlp.number(-1), name="mcp.x"), otlp.gauge(name="mcp.y")), NOW)
    assert ({}, {}) == (store.families, store.tables)
    assert {} == store.export(otlp.export(otlp.gauge(otlp.number(1), name="mcp.x")), NOW).rejected
    assert ["mcp_x"] == list(store.families)


def test_last_member_of_a_oneof_wins() -> None:
    """A metric that holds two kinds of data is read as the first one, or as both."""
    first = Metric(name="mcp.x", gauge=Gauge(data_points=[otlp.number(1), otlp.number(2)]))
    second = Metric(sum=Sum(data_points=[otlp.number(5)], aggregation_temporality=DELTA, is_monotonic=True))
    for parts, expected in (((first, second), {"mcp_x_total": 5.0}), ((second, first), {"mcp_x": 2.0})):
        store = Store(NOW)
        joined = b"".join(part.SerializeToString() for part in parts)
        placeholder = Metric(name="mcp.x", description="p" * (len(joined) - 9))
        assert len(joined) == len(placeholder.SerializeToString())
        body = otlp.export(placeholder).replace(placeholder.SerializeToString(), joined)
        outcome = store.export(body, NOW)
        assert ({}, len(expected) if expected == {"mcp_x_total": 5.0} else 2) == (outcome.rejected, outcome.accepted)
        assert expected == _shown(store, "mcp_x", "mcp_x_total")


def test_two_encodings_of_one_pod() -> None:
    """A pod that sends its resource in another order, or with more attributes, becomes two pods."""
    store = Store(NOW)
    turned = dict(reversed(list(otlp.POD.items())))
    for at, resource in enumerate((dict(otlp.POD), turned, turned | {"extra": "x"})):
        point = otlp.number(1, start=NOW + at, time=NOW + at + 1)
        store.export(otlp.export(otlp.counter(point), resource=resource), NOW)
    assert [Identity("default", "gateway", "pod-1")] == list(store.sources)
    assert {_TOTAL: 3.0} == _shown(store, _TOTAL)
    assert 'extra="x"' in next(iter(_shown(store, "target_info")))


def test_two_pods_with_one_resource() -> None:
    """Two replicas that say nothing of their pod are one stream, and each resets the other: their sum must be right."""
    store = Store(NOW - INTERVAL)
    for at in range(1, 6):
        for replica, step in ((1, 10), (2, 100)):
            point = otlp.number(step * at, start=NOW + replica, time=NOW + at * INTERVAL + replica)
            body = otlp.export(otlp.counter(point, temporality=CUMULATIVE), resource={"service.name": "x"})
            assert {} == store.export(body, NOW + at * INTERVAL).rejected
            assert 1 == len(_shown(store, _TOTAL))
    assert {_TOTAL: 550.0} == _shown(store, _TOTAL)


def test_two_scopes_with_one_metric() -> None:
    """One metric of two scopes is one stream, whose points overwrite each other."""
    store = Store(NOW)
    for at in range(3):
        for scope, value in (("a", 1), ("b", 10)):
            point = otlp.number(value * (at + 1), start=NOW, time=NOW + (at + 1) * INTERVAL)
            body = otlp.export(otlp.counter(point, temporality=CUMULATIVE), scope=scope)
            assert (1, 0) == (store.export(body, NOW).accepted, len(store.forgotten))
    assert {_TOTAL: 33.0} == _shown(store, _TOTAL)


def test_temporality_is_followed_stream_by_stream() -> None:
    """A stream that changes its temporality is added to what it replaces."""
    store = Store(NOW - INTERVAL)
    store.export(otlp.export(otlp.counter(otlp.number(5, {"a": "delta"}), otlp.number(2, {"a": "both"}))), NOW)
    cumulative = otlp.counter(
        otlp.number(7, {"a": "cumulative"}, **_LATER), otlp.number(3, {"a": "both"}, **_LATER), temporality=CUMULATIVE
    )
    store.export(otlp.export(cumulative), NOW)
    store.export(otlp.export(otlp.counter(otlp.number(5, {"a": "delta"}, **_LATER))), NOW)
    expected = {'{a="delta"}': 10.0, '{a="cumulative"}': 7.0, '{a="both"}': 5.0}
    assert {f"{_TOTAL}{labels}": value for labels, value in expected.items()} == _shown(store, _TOTAL)


def test_gauges_and_sums_that_fall() -> None:
    """A gauge shows an old value, is added up, or is refused when it falls."""
    store = Store(NOW)
    for value, time in ((5.0, NOW), (-2.5, NOW + 2), (9.0, NOW + 1)):
        metrics = (
            otlp.gauge(otlp.number(value, time=time), name="mcp.x"),
            otlp.counter(otlp.number(value, time=time), name="mcp.y", temporality=CUMULATIVE, monotonic=False),
            otlp.counter(otlp.number(value, start=time - 1, time=time), name="mcp.z", monotonic=False),
        )
        assert {} == store.export(otlp.export(*metrics), NOW).rejected
    assert {"mcp_x": -2.5, "mcp_y": -2.5, "mcp_z": 11.5} == _shown(store, "mcp_x", "mcp_y", "mcp_z")


def test_no_recorded_value_hides_a_stream() -> None:
    """A stream whose sender says that it has no value now is shown, or has forgotten its counts when it returns."""
    store = Store(NOW)
    store.export(otlp.export(otlp.counter(otlp.number(5))), NOW)
    store.export(otlp.export(otlp.counter(NumberDataPoint(time_unix_nano=NOW + 1, flags=1))), NOW)
    assert {} == _shown(store, _TOTAL)
    store.export(otlp.export(otlp.counter(otlp.number(2, **_LATER))), NOW)
    assert {_TOTAL: 7.0} == _shown(store, _TOTAL)


def test_no_recorded_value_begins_no_stream() -> None:
    """A point without a value makes a series, or a birth that no scraper will see."""
    store = Store(NOW)
    outcome = store.export(otlp.export(otlp.counter(NumberDataPoint(time_unix_nano=NOW, flags=1))), NOW)
    assert (1, {}, 0, {}) == (outcome.accepted, outcome.rejected, store.census.streams, _shown(store, _TOTAL))


def test_bounds_that_change() -> None:
    """A sender that changes its bounds gets a second series of the same labels, or loses counts."""
    store = Store(NOW)
    store.export(otlp.export(otlp.histogram(otlp.buckets((1, 2, 3), 7.5))), NOW)
    more = otlp.buckets((10, 20, 30, 40), 100.0, bounds=(0.5, 1.0, 2.0), **_LATER)
    assert {} == store.export(otlp.export(otlp.histogram(more)), NOW).rejected
    name = "gen_ai_client_token_usage"
    assert {
        f'{name}_bucket{{le="1"}}': 31.0,
        f'{name}_bucket{{le="4"}}': 63.0,
        f'{name}_bucket{{le="+Inf"}}': 106.0,
        f"{name}_sum": 107.5,
    } == _shown(store, f"{name}_bucket", f"{name}_sum")


def test_invalid_utf8_is_kept_and_told() -> None:
    """A model's name that is no UTF-8 costs the request, or two such names become one stream that loses counts."""
    store = Store(NOW)
    body = otlp.export(otlp.counter(otlp.number(5, {"a": "xyz"}), otlp.number(7, {"a": "uvw"})))
    outcome = store.export(body.replace(b"xyz", b"x\xfez").replace(b"uvw", b"x\xffz"), NOW)
    assert ({}, {FoldReason.INVALID_UTF8: 2}, 2) == (outcome.rejected, outcome.folded, outcome.accepted)
    assert {f'{_TOTAL}{{a="x\ufffdz"}}': 12.0} == _shown(store, _TOTAL)


def test_late_delta_points() -> None:
    """A delta point that is too old to be told from a duplicate is counted, or refused without a word."""
    store = Store(NOW)
    for at in range(3):
        store.export(otlp.export(otlp.counter(otlp.number(1, start=NOW + at, time=NOW + at + 1))), NOW)
    late = otlp.counter(otlp.number(100, start=NOW, time=NOW + 1))
    assert ({DropReason.LATE: 1}, 0, {"late": "mcp.method.count"}) == _rejected(store.export(otlp.export(late), NOW))
    assert {_TOTAL: 3.0} == _shown(store, _TOTAL)


def test_totals_stay_exact() -> None:
    """A total grows beyond what Prometheus can hold exactly, and single tokens are lost without a word."""
    store = Store(NOW)
    half = otlp.buckets((2**52, 0, 0), 1.0)
    again = otlp.buckets((2**52, 0, 0), 1.0, **_LATER)
    assert {} == store.export(otlp.export(otlp.histogram(half)), NOW).rejected
    assert {DropReason.OUT_OF_RANGE: 1} == store.export(otlp.export(otlp.histogram(again)), NOW).rejected
    name = "gen_ai_client_token_usage"
    assert {f"{name}_count": 2.0**52, f"{name}_sum": 1.0} == _shown(store, f"{name}_count", f"{name}_sum")


def test_reset_continues_the_counter() -> None:
    """A pod that restarts takes what it had counted out of the totals."""
    store = Store(NOW - INTERVAL)
    values = ((10, NOW), (12, NOW), (3, NOW + 5), (4, NOW + 5), (1, NOW + 9))
    shown = []
    for at, (value, start) in enumerate(values):
        point = otlp.number(value, start=start, time=NOW + (at + 1) * INTERVAL)
        outcome = store.export(otlp.export(otlp.counter(point, temporality=CUMULATIVE)), NOW)
        assert ({}, int(at in (2, 4))) == (outcome.rejected, outcome.resets)
        shown.append(_shown(store, _TOTAL)[_TOTAL])
    assert [10.0, 12.0, 15.0, 16.0, 17.0] == shown


def test_forgotten_pod_leaves_others_alone() -> None:
    """The end of one pod takes rows of another with it, or a new pod takes over the numbers of the old one."""
    store = Store(NOW, expiry=Expiry(default_interval=SECOND, retention=10 * SECOND))
    for pod, value in (("one", 1), ("two", 2)):
        points = [otlp.number(value, {"a": at}) for at in range(3)]
        store.export(otlp.export(otlp.counter(*points), resource=otlp.pod(pod)), NOW)
    for at in range(1, 30):
        store.export(otlp.export(resource=otlp.pod("two")), NOW + at * SECOND)
        store.expire(NOW + at * SECOND)
    assert [Identity("default", "gateway", "two")] == list(store.sources)
    assert 3 == store.census.streams
    third = otlp.counter(otlp.number(30, {"a": 0}, **_LATER), otlp.number(40, {"a": 9}, **_LATER))
    store.export(otlp.export(third, resource=otlp.pod("three")), NOW + 30 * SECOND)
    shown = _shown(store, _TOTAL, with_identity=True)
    values = {"two": (2.0, 2.0, 2.0), "three": (30.0, 40.0)}
    for pod, expected in values.items():
        assert expected == tuple(sorted(value for key, value in shown.items() if f'gateway_pod="{pod}"' in key))
    assert 5 == len(shown)


def test_family_leaves_with_its_last_stream() -> None:
    """A metric that once had another type, before an upgrade, is refused for as long as the receiver runs."""
    store = Store(NOW, expiry=Expiry(retention=SECOND))
    store.export(otlp.export(otlp.gauge(otlp.number(1), name="mcp.x")), NOW)
    store.expire(NOW + 1000 * SECOND)
    store.expire(NOW + 1001 * SECOND)
    assert (0, {}) == (store.census.streams, store.families)
    metric = otlp.counter(otlp.number(1), name="mcp.x")
    assert {} == store.export(otlp.export(metric, resource=otlp.pod("new")), NOW + 1002 * SECOND).rejected
    assert {"mcp_x_total": 1.0} == _shown(store, "mcp_x_total")
