"""The chart's rules are those of rules/ (tests/rules); its dashboards are those of dashboards/ (tests/dashboards)."""

import json

import pytest
import yaml

from install.helm import CHART, TREE, Helm


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
