"""What rules are made of. No rule is defined here, and nothing is written."""

import dataclasses
from typing import Final

RUNBOOKS: Final = "docs/runbooks"

IDENTITY: Final = ("gateway_namespace", "gateway_name")
"""Labels that name one Gateway."""


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """A recording rule. The name is level:metric:operations, as prometheus.io/docs/practices/rules has it."""

    name: str
    expr: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Alert:
    """An alert. Its texts and its expression can hold parameters, as @{name}."""

    name: str
    expr: str
    severity: str
    summary: str
    description: str
    wait: str
    """how long the expression has to hold, as Prometheus writes durations"""


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates one after the other: a later one sees what an earlier one has just recorded."""

    name: str
    rules: tuple[Record | Alert, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Meter:
    """One of SkyWalking's meters, and where its number stands here."""

    peer: str
    """its name in SkyWalking"""
    series: str
    selector: str
    unit: str


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """A number or text in the alerts that an installation may set otherwise."""

    name: str
    default: float | str
    text: str
    choices: tuple[float, ...] = ()
    """where not empty, no other value has a meaning"""


def runbook(alert: str) -> str:
    """The page of an alert, from the root of the repository."""
    return f"{RUNBOOKS}/{alert}.md"
