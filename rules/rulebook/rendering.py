"""Rules as the text of Prometheus' rule files, and the page of the meters. It writes no file."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from rulebook import meters, parity
from rulebook.model import Alert, Group, Meter, Parameter, Record, runbook

_PARAMETER: Final = re.compile(r"@\{(\w+)\}")

HEAD: Final = "# Generated from rules/rulebook by `make docs`; edit it there.\n"

PAGE: Final = """# Meters

This page is generated from `rules/rulebook` by `make docs`; edit it there.

`rules/meters.yaml` is recording rules for Prometheus: what each gateway, and each of its pods, does in a minute. They
stand for every meter that SkyWalking has for AI Gateway, and for the two that its SWIP-10 announces
(`total_token_rate`, `estimated_cost`). Prometheus reads them where its configuration names the file under `rule_files`,
with `rules/alerts.yaml` ([alerts](runbooks/README.md)) beside it.

Names are `level:metric:operations`. The level says which labels are left:

| part of the level | labels |
| --- | --- |
"""

TEXT: Final = """
## What the numbers are

- Over {window}: `{per_minute}` is 60 times `rate(…[{window}])`, so a count per minute. Scrape at least once a minute.
- Durations are in seconds; SkyWalking's are in milliseconds.
- Rates are taken of each series before they are summed: a restart makes no step, and pods may come and go.
- A gateway that is idle has counts of 0. Its averages, percentiles and shares are **absent**, not 0 and not NaN.
- A percentile (label `quantile`: {quantiles}) is interpolated in its bucket, over the buckets of all
  pods. One that lies above the last bound is shown as the last bound. `{overflow}` is the share of
  observations that do: where it is larger than 1 minus the quantile, read the percentile as "at least".
- `input` tokens contain the cached ones and `output` those of reasoning. `gateway:{tokens}:{per_minute}`
  is input and output together; never add up all types. In the series of cost types do not overlap: all are summed.
- Failed MCP messages are those with `status` `failed` (the tool said so) or `error` (the protocol did). SkyWalking
  counts only the latter.
- A gateway's requests are counted once for each attempt at a provider, as the gateway counts them.

## SkyWalking's meters

| SkyWalking | here | unit |
| --- | --- | --- |
"""

MORE: Final = """
## Beyond these

| series | unit |
| --- | --- |
"""


ALERTS: Final = """# Alerts

This page is generated from `rules/rulebook` by `make docs`; edit it there.

`rules/alerts.yaml` is alerts for Prometheus; they need the [meters](../meters.md) of `rules/meters.yaml` beside
them. Each has a page here, to which its annotation `runbook_url` leads.

| alert | severity |
| --- | --- |
"""

PARAMETERS: Final = """
There is none about certificates: neither the receiver nor the operator has one of its own.

## Parameters

Other values than these: `python rules/generate.py --alerts '{"costBudget": 100}' > alerts.yaml`.

| parameter | default | meaning |
| --- | --- | --- |
"""


def _literal(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines as blocks."""


_Dumper.add_representer(str, _literal)


def text_of(document: Any) -> str:
    """YAML in the order in which it was built."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1 << 20, allow_unicode=True)


def _rule(rule: Record | Alert) -> dict[str, Any]:
    if isinstance(rule, Record):
        recorded: dict[str, Any] = {"record": rule.name, "expr": rule.expr}
        return recorded | ({"labels": dict(rule.labels)} if rule.labels else {})
    return {
        "alert": rule.name,
        "expr": rule.expr,
        "for": rule.wait,
        "labels": {"severity": rule.severity},
        "annotations": {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": f"@{{runbookBase}}{runbook(rule.name)}",
        },
    }


def rules(groups: Iterable[Group]) -> str:
    """A rule file. Parameters stand in it as @{name}."""
    document = [{"name": group.name, "rules": [_rule(rule) for rule in group.rules]} for group in groups]
    return HEAD + text_of({"groups": document})


def number(value: float | str) -> str:
    """A parameter's value as it stands in an expression: with a point rather than an exponent."""
    return value if isinstance(value, str) else f"{value:.12f}".rstrip("0").rstrip(".")


def fill(text: str, values: Mapping[str, float | str]) -> str:
    """A rule file with its parameters."""
    return _PARAMETER.sub(lambda found: number(values[found[1]]), text)


def values(parameters: Iterable[Parameter]) -> str:
    """The parameters with their defaults, as values of a chart."""
    lines = [HEAD]
    for parameter in parameters:
        choices = f": {', '.join(map(number, parameter.choices))}" if parameter.choices else ""
        shown = '""' if parameter.default == "" else number(parameter.default)
        lines.append(f"# {parameter.text}{choices}.\n{parameter.name}: {shown}\n")
    return "".join(lines)


def page(table: Iterable[Meter], groups: Iterable[Group]) -> str:
    """The page of the meters."""
    lines = [
        PAGE.removesuffix("\n"),
        "| `gateway` | `gateway_namespace`, `gateway_name` |",
        "| `pod` | `gateway_pod` |",
    ]
    lines += [f"| `{part}` | `{label}` |" for part, label in meters.DIMENSIONS.items()]
    lines.append("| `quantile` | `quantile` |")
    lines.append(
        TEXT.format(
            window=meters.WINDOW,
            per_minute=meters.PER_MINUTE,
            overflow=meters.OVERFLOW,
            tokens=meters.TOKENS,
            quantiles=", ".join(meters.QUANTILES),
        ).removesuffix("\n")
    )
    shown = set()
    for meter in table:
        shown.add(meter.series)
        lines.append(f"| `{meter.peer}` | `{meter.series}{meter.selector}` | {meter.unit} |")
    lines.append(MORE.removesuffix("\n"))
    recorded = dict.fromkeys(rule.name for group in groups for rule in group.rules if isinstance(rule, Record))
    lines += [f"| `{name}` | {unit(name)} |" for name in recorded if name not in shown]
    return "\n".join(lines) + "\n"


def alerts_page(groups: Iterable[Group], parameters: Iterable[Parameter]) -> str:
    """The list of the alerts and of their parameters."""
    lines = [ALERTS.removesuffix("\n")]
    severities: dict[str, list[str]] = {}
    for group in groups:
        for rule in group.rules:
            if isinstance(rule, Alert):
                severities.setdefault(rule.name, []).append(rule.severity)
    lines += [f"| [{name}]({name}.md) | {', '.join(severity)} |" for name, severity in severities.items()]
    lines.append(PARAMETERS.removesuffix("\n"))
    for parameter in parameters:
        choices = f": {', '.join(map(number, parameter.choices))}" if parameter.choices else ""
        lines.append(f"| `{parameter.name}` | {number(parameter.default) or 'empty'} | {parameter.text}{choices} |")
    return "\n".join(lines) + "\n"


def unit(series: str) -> str:
    """The unit of a recorded series of the meters."""
    _, metric, operations = series.split(":")
    if operations != meters.PER_MINUTE:
        return parity.SECONDS if operations in (meters.MEAN, meters.QUANTILE) else "share, 0 to 1"
    units = {meters.TOKENS: parity.TOKENS, meters.COST: parity.COST, meters.CAPABILITIES: "capabilities/min"}
    units |= {meters.ERRORS: parity.REQUESTS, meters.METHODS: parity.CALLS, meters.METHOD_ERRORS: parity.CALLS}
    units |= {meters.PROGRESS: "notifications/min"}
    return units.get(metric) or ("s/min" if metric.endswith("_sum") else "observations/min")
