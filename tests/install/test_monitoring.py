"""The chart's alerts and dashboards: Prometheus takes them, and they name series that exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from install.helm import CHART, TREE
from truth.programs import find_program

_RULES = CHART / "files" / "rules.yaml"
_DASHBOARDS = CHART / "files" / "dashboards"
_ALERTS = Path(__file__).with_name("alerts.yaml")

_SERIES = re.compile(r"\b(?:gen_ai|mcp|aigw)_[a-z0-9_]+\b")
# What Prometheus makes of a histogram.
_PARTS = re.compile(r"_(?:bucket|count|sum)$")


def test_rules(tmp_path: Path) -> None:
    """An alert does not fire for what it is about, or for nothing."""
    promtool = find_program("promtool")
    shutil.copy2(_RULES, tmp_path / "rules.yaml")
    shutil.copy2(_ALERTS, tmp_path / "alerts.yaml")
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "alerts.yaml"]):
        done = subprocess.run(
            [str(promtool), *command], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert 0 == done.returncode, done.stdout + done.stderr


def test_each_alert_is_played() -> None:
    """An alert was added that no test has seen fire."""
    alerts = re.findall(r"- alert: (\w+)", _RULES.read_text())
    played = re.findall(r"alertname: (\w+)", _ALERTS.read_text())
    assert alerts
    assert sorted(alerts * 2) == sorted(played)


def _expressions() -> Iterator[str]:
    yield from re.findall(r"expr: (.*)", _RULES.read_text())
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
