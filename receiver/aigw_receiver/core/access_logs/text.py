"""Counters made from access logs as text, in pieces. How a family is written stands in `core/family_text`."""

from collections.abc import Iterable, Iterator

from aigw_receiver.core import family_text
from aigw_receiver.core.access_logs.families import Family, Series
from aigw_receiver.core.exposition import Format
from aigw_receiver.core.family_text import FamilyHead, Sample
from aigw_receiver.core.model import FamilyType


def render_counters(families: Iterable[Family], text_format: Format, mark: int | None) -> Iterator[bytes]:
    """The families in this order. Series born after `mark` are shown at 0; None shows all at their value."""

    def sample(series: Series) -> Sample:
        value = 0 if mark is not None and series.birth > mark else series.value
        return Sample(series.text, value, series.created)

    for family in families:
        head = FamilyHead(family.name, family.help, FamilyType.COUNTER)
        yield from family_text.render(head, list(family.series.values()), sample, text_format)
