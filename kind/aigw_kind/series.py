"""Prometheus' text format, as far as sums and counts of series need it. Pure; it shares no code with the receiver."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_LINE: Final = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \S+)?$")
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: name, labels and value."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> list[Sample]:
    """All samples of an exposition."""
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = _LINE.match(line)
            if match is None:
                message = f"no line of Prometheus' text format: {line!r}"
                raise ValueError(message)
            found.append(Sample(match[1], dict(_LABEL.findall(match[2] or "")), float(match[3])))
    return found


def total(samples: Iterable[Sample], name: str, **labels: str | Iterable[str]) -> float:
    """The sum of a name's samples whose labels have these values, or one of them."""
    wanted = {key: {value} if isinstance(value, str) else set(value) for key, value in labels.items()}
    return sum(
        sample.value
        for sample in samples
        if sample.name == name and all(sample.labels.get(key, "") in values for key, values in wanted.items())
    )
