"""Compares the totals that a replay of the captures gives with those that the gateway itself showed."""

import dataclasses
import math

from prometheus_client import parser

# Where the receiver's names differ from the gateway's: both MCP durations are seconds.
_RENAMED = {
    "mcp_request_duration": "mcp_request_duration_seconds",
    "mcp_initialization_duration_token": "mcp_initialization_duration_seconds",
}
# Labels that only one of the two has.
_DROPPED = {
    "otel_scope_name",
    "otel_scope_schema_url",
    "otel_scope_version",
    "gateway_namespace",
    "gateway_name",
    "gateway_pod",
}

# What the receiver makes of the gateway's series; the gateway itself does not show it.
OUR_FAMILIES = ("gen_ai_estimated_cost_usd", "gen_ai_unpriced_tokens")

Key = tuple[str, frozenset[tuple[str, str]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Replayed:
    """The gateway's families in an exposition: type and help text by name, and samples by name and labels."""

    families: dict[str, tuple[str, str]]
    samples: dict[Key, float]


def totals_of(text: str, pod: str | None = None) -> Replayed:
    """The GenAI and MCP families of an exposition in 0.0.4, by the receiver's names, without start times.

    With `pod`, only the samples of that pod are taken.
    """
    families: dict[str, tuple[str, str]] = {}
    samples: dict[Key, float] = {}
    for family in parser.text_string_to_metric_families(text):
        if not family.name.startswith(("gen_ai_", "mcp_")) or family.name.endswith("_created"):
            continue
        if family.name in OUR_FAMILIES:
            continue
        name = _RENAMED.get(family.name, family.name)
        families[name] = (family.type, family.documentation)
        for sample in family.samples:
            if pod is not None and sample.labels["gateway_pod"] != pod:
                continue
            labels = frozenset((key, value) for key, value in sample.labels.items() if key not in _DROPPED)
            samples[name + sample.name.removeprefix(family.name), labels] = sample.value
    return Replayed(families, samples)


def compare_totals(truth: Replayed, shown: Replayed, *, relative: float) -> None:
    """Assert that both say the same; only sums may differ, by `relative`, since float addition depends on its order."""
    assert truth.families == shown.families
    assert truth.samples.keys() == shown.samples.keys()
    wrong = {
        key: (value, shown.samples[key])
        for key, value in truth.samples.items()
        if not math.isclose(
            value, shown.samples[key], rel_tol=relative if key[0].endswith("_sum") else 0.0, abs_tol=0.0
        )
    }
    assert {} == wrong
