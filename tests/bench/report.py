"""The figures of a run as one table. It knows no servers; nothing is measured here."""

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Final

HEADER: Final = ("what", "ours", "baseline", "ratio median (range)", "bar", "met?")


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    baseline: str = ""
    ratio: str = ""
    bar: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """The line as text."""
        met = "" if self.met is None else "yes" if self.met else "NO"
        return self.what, self.ours, self.baseline, self.ratio, self.bar, met


def ratios(baseline: Sequence[float], ours: Sequence[float]) -> list[float]:
    """By round, how many times the baseline's cost is ours."""
    return [theirs / own for theirs, own in zip(baseline, ours, strict=True)]


def spread(values: Sequence[float]) -> str:
    """The median and the range."""
    return f"{statistics.median(values):.2f}x ({min(values):.2f}-{max(values):.2f})"


def compared(
    what: str, ours: Sequence[float], baseline: Sequence[float], *, unit: str, against: str, bar: float | None
) -> Row:
    """A line that compares costs of the same rounds: the least of each, and the ratios."""
    by_round = ratios(baseline, ours)
    return Row(
        what,
        f"{min(ours):.3g} {unit}",
        f"{min(baseline):.3g} {unit} ({against})",
        spread(by_round),
        f">= {bar:g}x" if bar else "",
        statistics.median(by_round) >= bar if bar else None,
    )


def table(rows: Sequence[Row]) -> str:
    """All lines in columns."""
    cells = [HEADER, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADER))]
    text = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    text.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in text)
