"""Small families of counters and gauges as text, in the two formats of `exposition`, in pieces.

For what is not in the store: the caller has the rows, and says of each what it shows. Rows are asked for a piece at a
time, when it is written, so that exports get in between and no piece is older than its writing. It keeps nothing, and
writes no "# EOF".
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from aigw_receiver.core.exposition import Format, created_text, go_float, head
from aigw_receiver.core.model import FamilyType

_Row = TypeVar("_Row")

# Series written at a time.
_CHUNK: Final = 64


@dataclasses.dataclass(frozen=True, slots=True)
class FamilyHead:
    """What stands before the samples of a family; its name is without `_total`. No histograms."""

    name: str
    help: str
    type: FamilyType


class Sample(NamedTuple):
    """What one series shows."""

    labels: str
    """as `naming.render_labels` makes them; none is `le`, and `gateway_name` or so stands before that"""
    value: float
    created: int = 0
    """when the series began, nanoseconds since 1970; only of counters"""


def render(
    family: FamilyHead, rows: Sequence[_Row], sample_of: Callable[[_Row], Sample], text_format: Format
) -> Iterator[bytes]:
    """The pieces of one family, its rows in their order; nothing where there are none."""
    if not rows:
        return
    is_counter = family.type is FamilyType.COUNTER
    name = f"{family.name}_total" if is_counter else family.name
    yield head(family.name, family.help, family.type.value, "", text_format)
    for samples in _pieces(rows, sample_of):
        lines = []
        for sample in samples:
            lines.append(f"{name}{{{sample.labels}}} {go_float(sample.value)}\n")
            if is_counter and text_format.openmetrics:
                lines.append(_created(family, sample))
        yield _encode(lines)
    if is_counter and not text_format.openmetrics:
        # The format 0.0.4 has no place for it beside the sample, so it is a family of its own.
        yield head(f"{family.name}_created", family.help, "gauge", "", text_format)
        for samples in _pieces(rows, sample_of):
            yield _encode([_created(family, sample) for sample in samples])


def _pieces(rows: Sequence[_Row], sample_of: Callable[[_Row], Sample]) -> Iterator[list[Sample]]:
    for start in range(0, len(rows), _CHUNK):
        yield [sample_of(row) for row in rows[start : start + _CHUNK]]


def _created(family: FamilyHead, sample: Sample) -> str:
    return f"{family.name}_created{{{sample.labels}}} {created_text(sample.created)}\n"


def _encode(lines: list[str]) -> bytes:
    return "".join(lines).replace("\0", ",").encode()
