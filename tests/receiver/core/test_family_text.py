"""Small families as text: byte for byte what prometheus-client writes, a piece at a time."""

from collections.abc import Iterator, Sequence
from typing import Final

import prometheus_client
import pytest
from prometheus_client import core as prometheus_core
from prometheus_client import registry
from prometheus_client.openmetrics import exposition as openmetrics_exposition

from aigw_receiver.core import family_text, naming
from aigw_receiver.core.exposition import OPENMETRICS, TEXT, Format
from aigw_receiver.core.family_text import FamilyHead, Sample
from aigw_receiver.core.model import FamilyType

_HELP: Final = 'A "help" text\nwith \\ in it.'

# Labels, value, and when it began.
_Row = tuple[dict[str, str], float, int]
_ROWS: Final[Sequence[_Row]] = [
    ({"a": 'x"\\\n', "z": "é"}, 1234567.0, 1_700_000_000_500_000_000),
    ({"a": "", "le_not": "2"}, 0.25, 1_700_000_001_000_000_000),
    *(({"a": "b", "n": f"{number:03}"}, number, 1_700_000_000_000_000_000 + number) for number in range(150)),
]


class _Oracle(registry.Collector):
    """The same family, for prometheus-client."""

    def __init__(self, family_type: FamilyType) -> None:
        self._type = family_type

    def collect(self) -> Iterator[prometheus_core.Metric]:
        """The family."""
        metric = prometheus_core.Metric("some", _HELP, self._type.value)
        for labels, value, created in _ROWS:
            if self._type is FamilyType.COUNTER:
                metric.add_sample("some_total", labels, value)
                metric.add_sample("some_created", labels, created / 1_000_000_000)
            else:
                metric.add_sample("some", labels, value)
        yield metric


def _sample(row: _Row) -> Sample:
    labels, value, created = row
    return Sample(naming.render_labels(labels), value, created)


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS])
@pytest.mark.parametrize("family_type", [FamilyType.COUNTER, FamilyType.GAUGE])
def test_text(text_format: Format, family_type: FamilyType) -> None:
    """The text of a family is not what Prometheus' own client writes."""
    own = prometheus_client.CollectorRegistry()
    own.register(_Oracle(family_type))
    if text_format.openmetrics:
        lines: bytes = openmetrics_exposition.generate_latest(own)  # type: ignore[no-untyped-call]
        expected = lines.removesuffix(b"# EOF\n")
    else:
        expected = prometheus_client.generate_latest(own)
    family = FamilyHead("some", _HELP, family_type)
    assert expected == b"".join(family_text.render(family, _ROWS, _sample, text_format))


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS])
def test_nothing(text_format: Format) -> None:
    """A family without a series is shown."""
    family = FamilyHead("some", _HELP, FamilyType.COUNTER)
    assert [] == list(family_text.render(family, [], _sample, text_format))


def test_pieces() -> None:
    """All rows are looked at before the first piece is sent, so that exports wait and values are old."""
    asked: list[int] = []

    def sample(row: int) -> Sample:
        asked.append(row)
        return Sample("", row)

    pieces = family_text.render(FamilyHead("some", _HELP, FamilyType.GAUGE), range(130), sample, TEXT)
    assert [0, 64, 128, 130] == [len(asked) for _ in pieces]
