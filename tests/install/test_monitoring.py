"""The chart's rules are those of rules/ (tests/rules), and its dashboards name series that exist."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from install.helm import CHART, TREE, Helm

_DASHBOARDS = CHART / "files" / "dashboards"

_SERIES = re.compile(r"\b(?:gen_ai|mcp|aigw)_[a-z0-9_]+\b")
# What Prometheus makes of a histogram.
_PARTS = re.compile(r"_(?:bucket|count|sum)$")


@pytest.mark.parametrize("overridden", [False, True])
def test_rules(each_helm: Helm, *, overridden: bool) -> None:
    """The chart's rules are not those that are tested, or a parameter does not arrive in its alert."""
    values = {"prometheusRule": {"enabled": True, "parameters": {"costBudget": 1234567, "errorBudget": 0.25}}}
    found = each_helm.template(values if overridden else {"prometheusRule": {"enabled": True}})
    (rule,) = (item for (kind, _, _), item in found.items() if kind == "PrometheusRule")
    text = json.dumps(rule["spec"]["groups"])
    if overridden:
        assert ("1234567" in text, "0.25" in text, "@{" in text) == (True, True, False)
    else:
        expected = [yaml.safe_load((TREE / "rules" / name).read_text()) for name in ("meters.yaml", "alerts.yaml")]
        assert [group for file in expected for group in file["groups"]] == rule["spec"]["groups"]


def test_parameters() -> None:
    """A parameter is new, or has another default, and the chart's values do not know."""
    parameters = yaml.safe_load((TREE / "rules" / "chart" / "parameters.yaml").read_text())
    assert parameters == yaml.safe_load((CHART / "values.yaml").read_text())["prometheusRule"]["parameters"]


def _expressions() -> Iterator[str]:
    for file in sorted(_DASHBOARDS.glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            yield from (target["expr"] for target in panel["targets"])


def test_series_exist() -> None:
    """A panel or an alert is about a series that nobody makes."""
    documented = "".join((TREE / "docs" / page).read_text() for page in ("metrics.md", "operator.md", "sampling.md"))
    known = set(_SERIES.findall(documented))
    # Labels look like names of series; those that are grouped by or compared stand in braces or parentheses.
    bare = [re.sub(r"\{[^}]*\}|by \([^)]*\)", "", expression) for expression in _expressions()]
    named = {name for expression in bare for name in _SERIES.findall(expression)}
    assert named
    assert set() == {name for name in named if name not in known and _PARTS.sub("", name) not in known}


def test_panels() -> None:
    """Two panels lie upon each other, or have one id."""
    for file in sorted(_DASHBOARDS.glob("*.json")):
        panels = json.loads(file.read_text())["panels"]
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
        assert len(panels) == len(set(places)) == len({panel["id"] for panel in panels})
