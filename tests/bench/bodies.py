"""Export requests of a fleet of gateway pods, written byte for byte as the gateway's SDK writes them.

Four GenAI histograms with the gateway's own bounds. A request holds four fifths of its pod's series, others each time
and in another order, as Go's maps give them. Every point is valid: delta intervals of
a pod follow each other without a gap, cumulative values only rise. The fleet remembers what it made, so that a server's
totals can be checked. It must not use a protobuf library: making the bodies has to be cheap, and the test checks them
with the official one.
"""

import dataclasses
import itertools
import random
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

DELTA: Final = 1
CUMULATIVE: Final = 2
MILLISECOND: Final = 1_000_000
# Different increments of one metric; a prime, so that a series does not meet the same one in step with the rounds.
INCREMENTS: Final = 61
# All observed values are multiples of it, so that sums of them are exact in any order.
GRAIN: Final = 1 / 8192


class Metric(NamedTuple):
    """One histogram of the gateway: its OTLP name, its name on /metrics, unit, help text and bounds."""

    name: str
    family: str
    unit: str
    description: str
    bounds: tuple[float, ...]


# fmt: off
FIRST_TOKEN_BOUNDS: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0,
    60.0,
)
# fmt: on
METRICS: Final = (
    Metric(
        "gen_ai.client.token.usage",
        "gen_ai_client_token_usage",
        "token",
        "Number of tokens processed.",
        tuple(float(4**exponent) for exponent in range(14)),
    ),
    Metric(
        "gen_ai.server.request.duration",
        "gen_ai_server_request_duration_seconds",
        "s",
        "Generative AI server request duration such as time-to-last byte or last output token.",
        (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    ),
    Metric(
        "gen_ai.server.time_to_first_token",
        "gen_ai_server_time_to_first_token_seconds",
        "s",
        "Time to receive first token in streaming responses.",
        (
            *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0),
            *(2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
        ),
    ),
    Metric(
        "gen_ai.server.time_per_output_token",
        "gen_ai_server_time_per_output_token_seconds",
        "s",
        "Time per output token generated after the first token for successful responses.",
        (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5),
    ),
)
PROVIDERS: Final = ("openai", "aws.bedrock", "gcp.vertex_ai", "anthropic", "azure.openai")
OPERATIONS: Final = ("chat", "completion", "embeddings")
TOKEN_TYPES: Final = ("input", "output", "cached_input", "reasoning")
MODELS: Final = (
    "gpt-5-nano",
    "gpt-4o-mini",
    "claude-sonnet-4-5",
    "llama-3.3-70b-instruct",
    "mistral-large",
    "qwen3-235b",
)


def varint(value: int) -> bytes:
    """`value` as a protobuf varint."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def attribute(number: int, key: str, value: str) -> bytes:
    """A `KeyValue` with a string value, as field `number`."""
    return field(number, field(1, key.encode()) + field(2, field(1, value.encode())))


def attributes_of(metric: int, index: int) -> list[tuple[str, str]]:
    """The attributes of series `index` of a metric, sorted by key; every pod has the same ones."""
    model, token_type = divmod(index, len(TOKEN_TYPES)) if metric == 0 else (index, 0)
    name = f"{MODELS[model % len(MODELS)]}-{model}"
    pairs = [
        ("gen_ai.operation.name", OPERATIONS[model % len(OPERATIONS)]),
        ("gen_ai.original.model", name),
        ("gen_ai.provider.name", PROVIDERS[model % len(PROVIDERS)]),
        ("gen_ai.request.model", name),
        ("gen_ai.response.model", f"{name}-2026-01-01"),
    ]
    return [*pairs, ("gen_ai.token.type", TOKEN_TYPES[token_type])] if metric == 0 else pairs


@dataclasses.dataclass(frozen=True, slots=True)
class Increment:
    """What one interval adds to one series."""

    count: int
    total: float
    counts: tuple[int, ...]
    least: float
    most: float


def increments_of(bounds: tuple[float, ...], rnd: random.Random) -> list[Increment]:
    """Intervals of 1 to 60 observations in four neighbouring buckets."""
    edges = (0.0, *bounds, 2 * bounds[-1])
    values = [round((low + high) / 2 / GRAIN) * GRAIN for low, high in itertools.pairwise(edges)]
    made = []
    for _ in range(INCREMENTS):
        first = rnd.randrange(len(values) - 3)
        hits = [first + rnd.randrange(4) for _ in range(rnd.randint(1, 60))]
        counts = tuple(hits.count(bucket) for bucket in range(len(values)))
        made.append(
            Increment(len(hits), sum(values[hit] for hit in hits), counts, values[min(hits)], values[max(hits)])
        )
    return made


@dataclasses.dataclass(slots=True)
class Series:
    """One stream of a pod: its fixed bytes, and its running totals."""

    prefix: bytes
    tail: bytes
    count: int
    total: float
    counts: list[int]
    least: float
    most: float

    def add(self, increment: Increment) -> None:
        """Take one interval into the running totals."""
        self.count += increment.count
        self.total += increment.total
        self.counts = [a + b for a, b in zip(self.counts, increment.counts, strict=True)]
        self.least = min(self.least, increment.least)
        self.most = max(self.most, increment.most)


class Layout:
    """How the points of one metric are laid out: the fields in the ascending order in which Go writes them."""

    # opentelemetry/proto/metrics/v1/metrics.proto, HistogramDataPoint: start 2, time 3, count 4, sum 5 (all eight
    # bytes), bucket_counts 6, explicit_bounds 7 (packed), attributes 9, min 11, max 12.
    EXTREMES: Final = struct.Struct("<BdBd")

    def __init__(self, number: int, rnd: random.Random) -> None:
        self.metric = METRICS[number]
        size = len(self.metric.bounds) + 1
        self.buckets = varint(6 << 3 | 2) + varint(8 * size)
        self.head = struct.Struct(f"<BQBQBQBd{len(self.buckets)}s{size}Q")
        self.bounds = field(7, struct.pack(f"<{size - 1}d", *self.metric.bounds))
        self.increments = increments_of(self.metric.bounds, rnd)
        self.number = number

    def series(self, index: int) -> Series:
        """Series `index`, as yet without a value."""
        tail = self.bounds + b"".join(attribute(9, key, value) for key, value in attributes_of(self.number, index))
        length = self.head.size + len(tail) + self.EXTREMES.size
        zeros = [0] * (len(self.metric.bounds) + 1)
        return Series(b"\x0a" + varint(length), tail, 0, 0.0, zeros, float("inf"), 0.0)

    def point(self, series: Series, values: Series | Increment, start: int, time: int) -> bytes:
        """One data point of `series` with these values, as field 1 of its Histogram."""
        head = self.head.pack(
            0x11, start, 0x19, time, 0x21, values.count, 0x29, values.total, self.buckets, *values.counts
        )
        return b"".join((series.prefix, head, series.tail, self.EXTREMES.pack(0x59, values.least, 0x61, values.most)))


class Pod:
    """One gateway pod: its resource, its series by metric, and the end of its last interval."""

    def __init__(self, number: int, layouts: list[Layout], series_per_metric: int, now: int) -> None:
        gateway = f"gateway-{number // 10}"
        name = f"envoy-default-{gateway}-7f9c6b5d4-{number:05d}"
        resource = (
            ("aigw.gateway.name", gateway),
            ("aigw.gateway.namespace", "default"),
            ("job_name", "envoy-ai-gateway"),
            ("k8s.pod.name", name),
            ("service.instance.id", name),
            ("service.layer", "ENVOY_AI_GATEWAY"),
            ("service.name", gateway),
            ("telemetry.sdk.language", "go"),
            ("telemetry.sdk.name", "opentelemetry"),
            ("telemetry.sdk.version", "1.44.0"),
        )
        self.resource = field(1, b"".join(attribute(1, key, value) for key, value in resource))
        self.series = [[layout.series(index) for index in range(series_per_metric)] for layout in layouts]
        self.created = now
        self.last = now


class Fleet:
    """`series` series, spread over pods that send `points` points a request with the given temporality."""

    def __init__(self, series: int, points: int, *, temporality: int, now: int, seed: int = 3) -> None:
        self.random = random.Random(seed)
        self.temporality = temporality
        self.points = points
        self.layouts = [Layout(number, self.random) for number in range(len(METRICS))]
        per_metric = points * 5 // 4 // len(METRICS)
        pods, rest = divmod(series, per_metric * len(METRICS))
        if rest or not pods:
            msg = f"{series} series cannot be spread over pods of {per_metric * len(METRICS)}"
            raise ValueError(msg)
        self.pods = [Pod(number, self.layouts, per_metric, now) for number in range(pods)]

    def body(self, pod: Pod, per_metric: int, now: int) -> bytes:
        """The pod's next export: `per_metric` of its series of each metric, in any order."""
        time = max(now, pod.last + MILLISECOND)
        delta = self.temporality == DELTA
        start = pod.last if delta else pod.created
        metrics = [field(1, field(1, b"envoyproxy/ai-gateway"))]
        for layout, all_series in zip(self.layouts, pod.series, strict=True):
            points = []
            for series in self.random.sample(all_series, per_metric):
                increment = layout.increments[self.random.randrange(INCREMENTS)]
                series.add(increment)
                points.append(layout.point(series, increment if delta else series, start, time))
            head = [layout.metric.name, layout.metric.description, layout.metric.unit]
            histogram = b"".join(points) + bytes((0x10, self.temporality))
            metrics.append(
                field(2, b"".join(field(n, text.encode()) for n, text in enumerate(head, 1)) + field(9, histogram))
            )
        pod.last = time
        schema = field(3, b"https://opentelemetry.io/schemas/1.41.0")
        return field(1, pod.resource + field(2, b"".join(metrics)) + schema)

    def everything(self, now: int) -> Iterator[tuple[int, bytes]]:
        """(pod, body): every series of every pod once."""
        for number, pod in enumerate(self.pods):
            yield number, self.body(pod, len(pod.series[0]), now)

    def exports(self, count: int, now: int) -> Iterator[tuple[int, bytes]]:
        """(pod, body): the next `count` exports, the pods in turn."""
        for number in range(count):
            pod = number % len(self.pods)
            yield pod, self.body(self.pods[pod], self.points // len(METRICS), now)

    def totals(self) -> dict[str, tuple[int, float]]:
        """By name of a sample on /metrics: how many samples there must be, and what they add up to."""
        expected: dict[str, tuple[int, float]] = {}
        for number, layout in enumerate(self.layouts):
            streams = [series for pod in self.pods for series in pod.series[number] if series.count]
            size = len(layout.metric.bounds) + 1
            # Bucket b is part of its own and of all later cumulative samples.
            cumulative = sum((size - b) * count for series in streams for b, count in enumerate(series.counts))
            family = layout.metric.family
            expected[family + "_bucket"] = (size * len(streams), float(cumulative))
            expected[family + "_count"] = (len(streams), float(sum(series.count for series in streams)))
            expected[family + "_sum"] = (len(streams), sum(series.total for series in streams))
        return expected
