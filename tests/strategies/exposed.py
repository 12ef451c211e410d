"""What a reader finds in the text format 0.0.4. It checks no grammar; promtool does that elsewhere."""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from aigw_receiver.core import exposition
from aigw_receiver.core.store import Store

Labels: TypeAlias = frozenset[tuple[str, str]]
Key: TypeAlias = tuple[str, Labels]

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} (\S+)")
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPES: Final = {r"\\": "\\", r"\n": "\n", r"\"": '"'}


def text_of(store: Store, mark: int | None = None) -> str:
    """One scrape of the store."""
    return b"".join(exposition.render(store, exposition.TEXT, mark)).decode()


def samples(text: str) -> dict[Key, float]:
    """The samples by name and labels, without `target_info` and the `_created` ones."""
    found: dict[Key, float] = {}
    for line in text.split("\n"):
        if not line or line.startswith("#"):
            continue
        match = _SAMPLE.fullmatch(line)
        assert match is not None, line
        name, labels, value = match.groups()
        if name == "target_info" or name.endswith("_created"):
            continue
        key = name, frozenset((label, _unescape(text)) for label, text in _LABEL.findall(labels))
        assert key not in found, f"two samples of one series: {line}"
        found[key] = float(value)
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\.", lambda match: _ESCAPES[match.group()], text)


def number_samples(name: str, labels: Mapping[str, str], value: float) -> dict[Key, float]:
    """The sample of a counter or gauge."""
    return {(name, frozenset(labels.items())): value}


def histogram_samples(
    name: str, labels: Mapping[str, str], counts: list[int], bounds: tuple[float, ...], total: float
) -> dict[Key, float]:
    """The samples of a histogram: its buckets cumulated, its count and its sum."""
    expected = {}
    for index, bound in enumerate((*bounds, float("inf"))):
        le = exposition.go_float(bound).removesuffix(".0")
        expected[f"{name}_bucket", frozenset({**labels, "le": le}.items())] = float(sum(counts[: index + 1]))
    expected[f"{name}_count", frozenset(labels.items())] = float(sum(counts))
    expected[f"{name}_sum", frozenset(labels.items())] = total
    return expected
