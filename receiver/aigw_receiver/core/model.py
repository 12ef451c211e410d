"""The values that the steps of an export hand to each other. No behaviour beyond counting; no wire formats."""

import dataclasses
import enum
from typing import Final, NamedTuple, TypeAlias

# A float64, which is what Prometheus stores, holds every integer below this one exactly.
EXACT_LIMIT: Final = 1 << 53


class DropReason(enum.StrEnum):
    """Why a data point was refused; the word is the `reason` label and stands in the partial success."""

    MALFORMED_POINT = "malformed_point"
    NO_TIME = "no_time"
    METRIC_NOT_ADMITTED = "metric_not_admitted"
    UNSUPPORTED_TYPE = "unsupported_type"
    UNSPECIFIED_TEMPORALITY = "unspecified_temporality"
    TYPE_CONFLICT = "type_conflict"
    INCONSISTENT_BUCKETS = "inconsistent_buckets"
    INVALID_BOUNDS = "invalid_bounds"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    NEGATIVE_INCREMENT = "negative_increment"
    LATE = "late"
    NAME_TOO_LONG = "name_too_long"
    TOO_MANY_LABELS = "too_many_labels"
    STREAM_LIMIT = "stream_limit"
    RESOURCE_LIMIT = "resource_limit"


class FoldReason(enum.StrEnum):
    """Why a label of a data point that was kept does not show what was sent."""

    LABEL_VALUE_TOO_LONG = "label_value_too_long"
    TOO_MANY_LABEL_VALUES = "too_many_label_values"
    INVALID_UTF8 = "invalid_utf8"


class Kind(enum.StrEnum):
    """The shapes of an OTLP metric, by the name of its field in `Metric.data`."""

    GAUGE = "gauge"
    SUM = "sum"
    HISTOGRAM = "histogram"
    EXPONENTIAL_HISTOGRAM = "exponential_histogram"
    SUMMARY = "summary"


class Temporality(enum.IntEnum):
    """`AggregationTemporality` of opentelemetry/proto/metrics/v1/metrics.proto."""

    UNSPECIFIED = 0
    DELTA = 1
    CUMULATIVE = 2


class FamilyType(enum.Enum):
    """The types of a Prometheus family that an OTLP metric can become."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Which gateway, and which of its pods, a resource speaks for; an unknown part is empty."""

    namespace: str
    name: str
    pod: str


class MetricHeader(NamedTuple):
    """What one `Metric` says about all of its data points; `scope` is a digest of the instrumentation scope."""

    scope: bytes
    name: bytes
    unit: bytes
    kind: Kind
    temporality: int
    monotonic: bool


AttributeValue: TypeAlias = "str | bool | int | float | bytes | list[AttributeValue] | dict[str, AttributeValue] | None"


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """One data point in the one form that all kinds and encodings share.

    Times are nanoseconds since 1970, 0 where the sender gave none. `counts` holds the buckets, one more than
    `bounds` has; both are empty for a number. `value` is the number, or the sum of a histogram.
    """

    start: int
    time: int
    value: float
    counts: tuple[int, ...]
    bounds: tuple[float, ...]
    attributes: tuple[tuple[str, AttributeValue], ...]
    no_value: bool = False
    invalid_utf8: bool = False


class PointError(Exception):
    """A data point cannot be taken; it says why, and nothing else of its request is touched."""

    def __init__(self, reason: DropReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclasses.dataclass(slots=True)
class Outcome:
    """What became of the data points of one export."""

    accepted: int = 0
    duplicates: int = 0
    outdated: int = 0
    overlaps: int = 0
    resets: int = 0
    fast: int = 0
    full: int = 0
    rejected: dict[DropReason, int] = dataclasses.field(default_factory=dict)
    folded: dict[FoldReason, int] = dataclasses.field(default_factory=dict)
    examples: dict[str, str] = dataclasses.field(default_factory=dict)

    def reject(self, reason: DropReason, count: int, example: str) -> None:
        """Count `count` data points as refused; the first example of a reason is kept."""
        if count:
            self.rejected[reason] = self.rejected.get(reason, 0) + count
            self.examples.setdefault(reason.value, example)

    def fold(self, reason: FoldReason, example: str) -> None:
        """Count one label of a data point that was kept as changed."""
        self.folded[reason] = self.folded.get(reason, 0) + 1
        self.examples.setdefault(reason.value, example)

    @property
    def rejected_points(self) -> int:
        """How many data points were refused."""
        return sum(self.rejected.values())
