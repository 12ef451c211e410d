"""The exposition is byte for byte what prometheus-client writes for the same data, in both text formats."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import prometheus_client
import pytest
from prometheus_client import core as prometheus_core
from prometheus_client import registry, utils
from prometheus_client.openmetrics import exposition as openmetrics_exposition

import otlp_messages as otlp
from aigw_receiver.core import exposition
from aigw_receiver.core.exposition import OPENMETRICS, TEXT, Format
from aigw_receiver.core.store import Store
from otlp_messages import CUMULATIVE, NOW, SECOND

# Bounds and how Go writes them; OpenMetrics asks for what prometheus-client's floatToGoString gives.
_GO_BOUNDS = {
    -2.5: "-2.5",
    0.0: "0",
    0.01: "0.01",
    0.1: "0.1",
    1.0: "1",
    2.5: "2.5",
    4.0: "4",
    1000.0: "1000",
    262144.0: "262144",
    1048576.0: "1.048576e+06",
    67108864.0: "6.7108864e+07",
    1e10: "1e+10",
    math.inf: "+Inf",
}

_START, _CREATED = NOW - 3 * SECOND + 500_000_000, 1_699_999_997.5
_IDENTITY = {"gateway_namespace": "default", "gateway_name": "gateway", "gateway_pod": "pod-1"}
_TARGET = {"aigw_gateway_namespace": "default", "aigw_gateway_name": "gateway", "k8s_pod_name": "pod-1"}


def _as_prometheus_client(value: float) -> str:
    text: str = utils.floatToGoString(value)  # type: ignore[no-untyped-call]
    return text


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Expected(registry.Collector):
    """Families for prometheus-client to write."""

    families: Iterable[prometheus_core.Metric]

    def collect(self) -> Iterator[prometheus_core.Metric]:
        """The families, sorted by name as the receiver sorts them."""
        return iter(sorted(self.families, key=lambda family: family.name))


def _add_histogram(
    family: prometheus_core.Metric,
    labels: Mapping[str, str],
    bounds: Sequence[float],
    counts: Sequence[int],
    total: float,
    text_format: Format,
) -> None:
    cumulated = list(itertools.accumulate(counts))
    for bound, count in zip((*bounds, math.inf), cumulated, strict=True):
        le = _as_prometheus_client(bound) if text_format.openmetrics else _GO_BOUNDS[bound]
        family.add_sample(f"{family.name}_bucket", {**labels, "le": le}, count)
    family.add_sample(f"{family.name}_count", dict(labels), cumulated[-1])
    family.add_sample(f"{family.name}_sum", dict(labels), total)
    family.add_sample(f"{family.name}_created", dict(labels), _CREATED)


def _target(*pods: Mapping[str, str]) -> prometheus_core.Metric:
    family = prometheus_core.InfoMetricFamily("target", "Target metadata")
    for labels in pods:
        family.add_metric([], dict(labels))
    return family


def _oracle(families: Iterable[prometheus_core.Metric], text_format: Format) -> bytes:
    own = prometheus_client.CollectorRegistry()
    own.register(Expected(list(families)))
    if not text_format.openmetrics:
        return prometheus_client.generate_latest(own)
    text: bytes = openmetrics_exposition.generate_latest(own)  # type: ignore[no-untyped-call]
    return text


def _rendered(store: Store, text_format: Format, mark: int | None = None) -> bytes:
    return b"".join(exposition.render(store, text_format, mark))


def _histogram_family(name: str, text: str, unit: str = "") -> prometheus_core.Metric:
    return prometheus_core.Metric(name, text, "histogram", unit)


_TOKENS = ("gen_ai_client_token_usage", "Number of tokens processed.")
_DURATION = (
    "gen_ai_server_request_duration_seconds",
    "Generative AI server request duration such as time-to-last byte or last output token.",
    "seconds",
)
_MCP = ("mcp_request_duration_seconds", "Duration of MCP requests", "seconds")

# Label sets in every position beside `le`, with everything that must be escaped.
_LABELS: Sequence[tuple[dict[str, str], dict[str, str]]] = (
    ({}, {}),
    ({"gen_ai.request.model": "gpt-5-nano"}, {"gen_ai_request_model": "gpt-5-nano"}),
    ({"mcp.method.name": "tools/call"}, {"mcp_method_name": "tools/call"}),
    (
        {"error.type": "_OTHER", "server.address": "10.0.0.1", "mcp.backend": "a"},
        {"error_type": "_OTHER", "server_address": "10.0.0.1", "mcp_backend": "a"},
    ),
    (
        {"a": 'quote " backslash \\ newline \n both \\n', "z": '"'},
        {"a": 'quote " backslash \\ newline \n both \\n', "z": '"'},
    ),
    ({"a": "grün 模型 🦜", "z": "ß"}, {"a": "grün 模型 🦜", "z": "ß"}),
    ({"a": "100% %d %s {0} \0".replace("\0", "\r\t"), "z": "%(x)s"}, {"a": "100% %d %s {0} \r\t", "z": "%(x)s"}),
    ({"a": '"},le="1', "z": ',le="1"}'}, {"a": '"},le="1', "z": ',le="1"}'}),
    ({"empty": "", "zero": ""}, {"empty": "", "zero": ""}),
    ({"le": "5"}, {"exported_le": "5"}),
)

_COUNTS: Sequence[tuple[Sequence[int], float]] = (
    ((0, 0, 0), 0.0),
    ((1, 2, 3), 7.5),
    ((999_998, 1, 0), 999_999.0),
    ((999_999, 1, 0), 1_000_000.0),
    ((0, 0, 1_000_001), 1_000_001.5),
    ((1, 2**40, 2**41 + 1), 1.25e16),
    ((2**52, 1, 2**51), -0.001),
    ((5, 0, 0), 123_456_789.125),
    ((7, 0, 0), 1e-9),
    ((8, 1, 1), -1_234_567.0),
)


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
@pytest.mark.parametrize(
    "bounds",
    [(1.0, 4.0), (0.01, 2.5), (-2.5, 0.0), (1048576.0, 67108864.0), (0.1, 1e10), (1000.0, 262144.0)],
    ids=str,
)
def test_histograms(bounds: tuple[float, float], text_format: Format) -> None:
    """A histogram's lines differ from prometheus-client's for some labels, bounds, counts or sums."""
    store = Store(NOW)
    points = [
        otlp.buckets(counts, total, labels, bounds=bounds, start=_START)
        for (labels, _), (counts, total) in zip(_LABELS, _COUNTS, strict=True)
    ]
    store.export(otlp.export(otlp.histogram(*points)), NOW)
    family = _histogram_family(*_TOKENS)
    for (_, shown), (counts, total) in zip(_LABELS, _COUNTS, strict=True):
        _add_histogram(family, _IDENTITY | shown, bounds, counts, total, text_format)
    assert (
        _oracle([family, _target(_IDENTITY | _TARGET)], text_format).decode() == _rendered(store, text_format).decode()
    )


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def test_infinite_bound_and_no_bounds(text_format: Format) -> None:
    """A bound of +Inf is written twice, or a histogram that has only a count has no +Inf bucket."""
    store = Store(NOW)
    points = [
        otlp.buckets((1, 2, 3), 7.5, {"a": "explicit"}, bounds=(1.0, math.inf), start=_START),
        otlp.buckets((4, 5), 9.0, {"a": "implied"}, bounds=(1.0,), start=_START),
    ]
    plain = otlp.buckets((6,), 60.0, {"a": "plain"}, bounds=(), start=_START)
    store.export(otlp.export(otlp.histogram(*points), otlp.histogram(plain, name=otlp.DURATION)), NOW)
    tokens, duration = _histogram_family(*_TOKENS), _histogram_family(*_DURATION)
    _add_histogram(tokens, _IDENTITY | {"a": "explicit"}, (1.0,), (1, 5), 7.5, text_format)
    _add_histogram(tokens, _IDENTITY | {"a": "implied"}, (1.0,), (4, 5), 9.0, text_format)
    _add_histogram(duration, _IDENTITY | {"a": "plain"}, (), (6,), 60.0, text_format)
    expected = _oracle([tokens, duration, _target(_IDENTITY | _TARGET)], text_format)
    assert expected.decode() == _rendered(store, text_format).decode()


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def test_counters_gauges_units_and_help(text_format: Format) -> None:
    """A counter, gauge, UNIT line or escaped help text differs from prometheus-client's."""
    store = Store(NOW, admit=("x.*",))
    values = (0, 1, 2.5, 999_999, 1_000_000, 123_456_789, 2**40, 2**53 - 1, 1e16, 1.5e300)
    counters = [otlp.number(value, {"n": str(at)}, start=_START) for at, value in enumerate(values)]
    gauges = [
        otlp.number(sign * value, {"n": f"{sign}{at}", "a": "x\\"}, start=_START)
        for at, value in enumerate(values)
        for sign in (1, -1)
    ]
    text = 'A "help" with \\ and\na second line'
    metrics = (
        otlp.counter(*counters),
        otlp.counter(*counters, name="x.bytes.sent", unit="By", description=text),
        otlp.gauge(*gauges, name="x.temperature", unit="Cel", description=text),
        otlp.gauge(otlp.number(1.0, start=_START), name="x.share", unit="1", description="A share"),
    )
    store.export(otlp.export(*metrics), NOW)
    methods = prometheus_core.Metric("mcp_method_count", "Total number of MCP methods invoked", "counter")
    sent = prometheus_core.Metric("x_bytes_sent", text, "counter")
    for family in (methods, sent):
        for at, value in enumerate(values):
            family.add_sample(f"{family.name}_total", _IDENTITY | {"n": str(at)}, value)
            family.add_sample(f"{family.name}_created", _IDENTITY | {"n": str(at)}, _CREATED)
    temperature = prometheus_core.Metric("x_temperature_celsius", text, "gauge", "celsius")
    for at, value in enumerate(values):
        for sign in (1, -1):
            temperature.add_sample(temperature.name, _IDENTITY | {"n": f"{sign}{at}", "a": "x\\"}, sign * value)
    share = prometheus_core.Metric("x_share_ratio", "A share", "gauge", "ratio")
    share.add_sample(share.name, dict(_IDENTITY), 1.0)
    expected = _oracle([methods, sent, temperature, share, _target(_IDENTITY | _TARGET)], text_format)
    assert expected.decode() == _rendered(store, text_format).decode()


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def test_several_pods_resets_and_two_sets_of_bounds(text_format: Format) -> None:
    """Streams of several pods, of two sets of bounds, or with a base from before a reset are written wrongly."""
    store = Store(NOW - otlp.INTERVAL)

    def cumulative(pod: str, counts: tuple[int, int, int], start: int, end: int, low: float = 1.0) -> None:
        point = otlp.buckets(counts, sum(counts) * 1.5, {"a": pod}, bounds=(low, 4.0), start=start, time=end)
        body = otlp.export(otlp.histogram(point, temporality=CUMULATIVE), resource=otlp.pod(pod))
        assert store.export(body, end).rejected == {}

    cumulative("one", (1, 2, 3), _START, NOW)
    cumulative('tw"o', (999_999, 0, 0), _START, NOW, low=0.1)
    cumulative("three", (0, 0, 1), _START, NOW)
    cumulative("one", (1, 1, 1), NOW, NOW + SECOND)
    cumulative('tw"o', (1, 0, 0), NOW, NOW + SECOND, low=0.1)
    family = _histogram_family(*_TOKENS)
    rows: tuple[tuple[str, float, tuple[int, int, int], float], ...] = (
        ("one", 1.0, (2, 3, 4), 13.5),
        ("three", 1.0, (0, 0, 1), 1.5),
        ('tw"o', 0.1, (1_000_000, 0, 0), 1_500_000.0),
    )
    for pod, low, counts, total in rows:
        _add_histogram(family, _IDENTITY | {"gateway_pod": pod, "a": pod}, (low, 4.0), counts, total, text_format)
    target = _target(
        *(_IDENTITY | _TARGET | {"gateway_pod": pod, "k8s_pod_name": pod} for pod in ("one", 'tw"o', "three"))
    )
    assert _oracle([family, target], text_format).decode() == _rendered(store, text_format).decode()


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def test_more_streams_than_one_piece(text_format: Format) -> None:
    """A stream at the edge of a piece is lost or written twice."""
    store = Store(NOW)
    points = [otlp.buckets((at, 1, 0), at / 7, {"at": str(at)}, start=_START) for at in range(300)]
    counters = [otlp.number(at, {"zz": str(at)}, start=_START) for at in range(300)]
    store.export(otlp.export(otlp.histogram(*points, name="mcp.request.duration"), otlp.counter(*counters)), NOW)
    family = _histogram_family(*_MCP)
    methods = prometheus_core.Metric("mcp_method_count", "Total number of MCP methods invoked", "counter")
    for at in range(300):
        _add_histogram(family, _IDENTITY | {"at": str(at)}, (1.0, 4.0), (at, 1, 0), at / 7, text_format)
        methods.add_sample("mcp_method_count_total", _IDENTITY | {"zz": str(at)}, at)
        methods.add_sample("mcp_method_count_created", _IDENTITY | {"zz": str(at)}, _CREATED)
    expected = _oracle([family, methods, _target(_IDENTITY | _TARGET)], text_format)
    assert expected.decode() == _rendered(store, text_format).decode()
    assert len(list(exposition.render(store, text_format, None))) > 10


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
@pytest.mark.parametrize("character", [chr(code) for code in range(1, 32)] + ["\x7f", "\x85", "\u2028"], ids=ascii)
def test_control_characters(character: str, text_format: Format) -> None:
    """A control character in a label value, which any client can send as a model's name, changes the other labels."""
    store = Store(NOW)
    labels = {"a": f"x{character}y", "z": f"{character}{character}"}
    metrics = (
        otlp.histogram(otlp.buckets((1, 2, 3), 7.5, labels, start=_START)),
        otlp.counter(otlp.number(1, labels, start=_START)),
    )
    store.export(otlp.export(*metrics), NOW)
    family = _histogram_family(*_TOKENS)
    _add_histogram(family, _IDENTITY | labels, (1.0, 4.0), (1, 2, 3), 7.5, text_format)
    methods = prometheus_core.Metric("mcp_method_count", "Total number of MCP methods invoked", "counter")
    methods.add_sample("mcp_method_count_total", _IDENTITY | labels, 1)
    methods.add_sample("mcp_method_count_created", _IDENTITY | labels, _CREATED)
    expected = _oracle([family, methods, _target(_IDENTITY | _TARGET)], text_format)
    assert expected.decode() == _rendered(store, text_format).decode()


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (1_699_999_997_250_000_000, "1.69999999725e+09"),
        (1_763_800_000_123_456_789, "1.7638000001234567e+09"),
        (1_700_000_000_000_000_000, "1.7e+09"),
        (1_000_000, "0.001"),
    ],
)
def test_created_is_the_nearest_number_of_seconds(nanoseconds: int, text: str) -> None:
    """A start time is rounded twice, to nanoseconds that a float can hold and then to seconds."""
    store = Store(NOW)
    store.export(otlp.export(otlp.counter(otlp.number(1, start=nanoseconds))), NOW)
    line = next(
        line for line in _rendered(store, TEXT).decode().splitlines() if line.startswith("mcp_method_count_created")
    )
    assert text == line.rpartition(" ")[2]


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def test_target_info_carries_the_resource(text_format: Format) -> None:
    """`target_info` loses or misnames what the resource says, or waits for more than a heartbeat."""
    store = Store(NOW)
    resource: otlp.Attributes = {
        **otlp.POD,
        "service.name": "ai",
        "gateway_pod": "x",
        "count": 3,
        "le": "l",
        "up": True,
        "z": 'a"b',
    }
    store.export(otlp.export(resource=resource), NOW)
    shown = (
        _IDENTITY
        | _TARGET
        | {"service_name": "ai", "exported_gateway_pod": "x", "count": "3", "up": "true", "z": 'a"b'}
    )
    shown["exported_le"] = "l"
    assert _oracle([_target(shown)], text_format).decode() == _rendered(store, text_format).decode()


def test_empty_store() -> None:
    """A receiver that has heard nothing answers a scrape with something that is not a valid exposition."""
    head = "# HELP target Target metadata\n# TYPE target info\n# EOF\n"
    assert head == _rendered(Store(NOW), OPENMETRICS).decode()
    assert "# HELP target_info Target metadata\n# TYPE target_info gauge\n" == _rendered(Store(NOW), TEXT).decode()


_NUMBERS = (
    (
        0.0,
        -0.0,
        0.1,
        1.0,
        999999.0,
        999999.5,
        1e6,
        1000000.5,
        1234567.0,
        9999999.999,
        1e9,
        1e10,
        2.0**40,
        2.0**53,
        1e15,
    ),
    (123456789012345.6, 9999999999999998.0, 1e16, 1e21, 1e100, 5e-324, 1e-7, 1.7976931348623157e308),
    (-1.0, -1e6, -1234567.5, -1e16, math.inf, -math.inf, math.nan),
)


@pytest.mark.parametrize("value", [*itertools.chain(*_NUMBERS)])
def test_go_float(value: float) -> None:
    """A number is written otherwise than by prometheus-client."""
    assert _as_prometheus_client(value) == exposition.go_float(value)
