"""The rule files: current, valid to Prometheus, and right in what they compute and when they fire, by promtool."""

import functools
import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rules import meter_cases
from truth.programs import find_program

_TREE: Final = Path(__file__).parents[2]
_RULES: Final = _TREE / "rules"
_METERS: Final = _RULES / "meters.yaml"
_ALERTS: Final = _RULES / "alerts.yaml"
_PLAYED: Final = sorted((_RULES / "tests").glob("*.yaml"))

# A rule test that needs other parameters than the defaults says so in its head.
_PARAMETERS: Final = re.compile(r"^# parameters: (.*)$", re.MULTILINE)
_SERIES: Final = re.compile(r"(?<![\w:])(?:gen_ai|mcp|aigw)_[a-z0-9_]+\b(?!:)")
_RECORDED: Final = re.compile(r"\bgateway[a-z_]*:[\w:]+")
_PARTS: Final = re.compile(r"_(?:bucket|count|sum)$")
_PAGES: Final = ("metrics.md", "operator.md", "sampling.md", "access-logs.md")

_LLM: Final = (
    *("request_cpm", "request_latency_avg", "request_latency_percentile", "input_token_rate", "output_token_rate"),
    *("ttft_avg", "ttft_percentile", "tpot_avg", "tpot_percentile"),
    *("provider_request_cpm", "provider_token_rate", "provider_latency_avg"),
    *("model_request_cpm", "model_token_rate", "model_latency_avg", "model_ttft_avg", "model_tpot_avg"),
    *("total_token_rate", "estimated_cost"),
)
_MCP: Final = (
    *("request_cpm", "request_latency_avg", "request_latency_percentile", "method_cpm", "error_cpm"),
    *("initialization_latency_avg", "initialization_latency_percentile", "capabilities_cpm"),
    *("backend_request_cpm", "backend_request_latency_avg", "backend_method_cpm", "backend_error_cpm"),
    "backend_initialization_latency_avg",
)


def _run(*command: str, folder: Path = _TREE) -> tuple[int, str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def _generated(parameters: str) -> str:
    status, text = _run(sys.executable, str(_RULES / "generate.py"), "--alerts", parameters)
    assert 0 == status, text
    return text


def _rules(file: Path, kind: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load(file.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


@functools.cache
def _tests() -> list[dict[str, Any]]:
    return [test for file in _PLAYED for test in yaml.safe_load(file.read_text())["tests"]]


def test_current() -> None:
    """The rulebook was changed, and not what is generated from it."""
    assert (0, "") == _run(sys.executable, str(_RULES / "generate.py"), "--check")


def test_cases_current() -> None:
    """The scenario or the oracle was changed, and the rule test still has the old numbers."""
    assert meter_cases.text() == meter_cases.FILE.read_text()


def test_valid() -> None:
    """Prometheus refuses a rule file as a whole."""
    status, output = _run(find_program("promtool"), "check", "rules", str(_METERS), str(_ALERTS))
    assert 0 == status, output


@pytest.mark.parametrize("file", _PLAYED, ids=lambda file: file.stem)
def test_played(file: Path, tmp_path: Path) -> None:
    """A meter has another number than what happened; or an alert fires too early, not at all, or for ever."""
    promtool = find_program("promtool")
    (tmp_path / "tests").mkdir()
    shutil.copy2(file, tmp_path / "tests")
    shutil.copy2(_METERS, tmp_path)
    parameters = _PARAMETERS.search(file.read_text())
    (tmp_path / "alerts.yaml").write_text(_generated(parameters[1]) if parameters else _ALERTS.read_text())
    status, output = _run(promtool, "test", "rules", f"tests/{file.name}", folder=tmp_path)
    assert 0 == status, output


def test_each_meter_has_a_series() -> None:
    """A meter that SkyWalking has or promised has nothing in its place."""
    scopes = (("meter_envoy_ai_gw", _LLM), ("meter_envoy_ai_gw_mcp", _MCP))
    expected = [f"{prefix}{scope}_{name}" for prefix, names in scopes for scope in ("", "_instance") for name in names]
    assert 64 == len(expected)
    assert sorted(expected) == sorted(peer for peer, _, _, _ in meter_cases.rows())


def _is_step(series: str) -> bool:
    """Whether a series is there only to compute others from."""
    return bool(re.search(r":(gen_ai|mcp)\w+_seconds_(bucket|count|sum):", series))


def test_each_meter_is_asserted() -> None:
    """A series was added whose number no test has seen; or a test expects that nothing is there at all."""
    asked = [test for played in _tests() for test in played.get("promql_expr_test", ())]
    shown: dict[str, list[bool]] = {}
    for test in asked:
        (series,) = _RECORDED.findall(test["expr"])
        shown.setdefault(series, []).append(bool(test["exp_samples"]))
    recorded = {rule["record"] for rule in _rules(_METERS, "record")}
    assert {series for series in recorded if not _is_step(series)} <= set(shown)
    assert {series.partition("{")[0] for _, _, _, series in meter_cases.rows()} <= set(shown)
    assert [] == [series for series, moments in shown.items() if not any(moments) or len(moments) < 3]


def test_idle_is_absent() -> None:
    """The average of nothing is shown as a number."""
    asked = [test for played in _tests() for test in played.get("promql_expr_test", ())]
    idle = {test["expr"]: test["exp_samples"] for test in asked if test["eval_time"] == "26m30s"}
    averages = [expr for expr in idle if re.search(r":(mean|histogram_quantile|overflow_ratio|ratio)", expr)]
    assert averages
    assert [] == [expr for expr in averages if idle[expr]]
    counts = [sample["value"] for expr, samples in idle.items() if expr not in averages for sample in samples]
    assert {0.0} == set(counts)


def _seconds(duration: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


def _firing(name: str) -> Iterator[list[frozenset[str]]]:
    """For each test that looks at an alert: the severities that fire, moment by moment."""
    for played in _tests():
        looks = [test for test in played.get("alert_rule_test", ()) if test["alertname"] == name]
        looks.sort(key=lambda test: _seconds(test["eval_time"]))
        fired = [frozenset(alert["exp_labels"]["severity"] for alert in test.get("exp_alerts", ())) for test in looks]
        yield [severities for severities, _ in itertools.groupby(fired)]


def test_each_alert_is_played() -> None:
    """An alert was added that no test has seen not firing, firing, and recovering."""
    for rule in _rules(_ALERTS, "alert"):
        severity = rule["labels"]["severity"]
        played = [[severity in moment for moment in moments] for moments in _firing(rule["alert"])]
        # Neighbours that differ in another severity only are one.
        assert [False, True, False] in [[fires for fires, _ in itertools.groupby(moments)] for moments in played], rule


def test_each_alert_is_complete() -> None:
    """Whoever is paged is not told what is wrong, how bad it is, or what to do."""
    for rule in _rules(_ALERTS, "alert"):
        assert {"summary", "description", "runbook_url"} == set(rule["annotations"])
        assert rule["labels"]["severity"] in ("critical", "warning")
        page = (_TREE / rule["annotations"]["runbook_url"]).read_text()
        headings = [line for line in page.splitlines() if line.startswith("#")]
        name = rule["alert"]
        assert [f"# {name}", "## What it means", "## What to look at", "## What to do"] == headings


def test_each_page_is_of_an_alert() -> None:
    """An alert was renamed or removed, and its page was not."""
    pages = {file.stem for file in (_TREE / "docs" / "runbooks").glob("Aigw*.md")}
    assert {rule["alert"] for rule in _rules(_ALERTS, "alert")} == pages


def test_links_of_pages() -> None:
    """A page sends the reader to one that is not there."""
    folder = _TREE / "docs" / "runbooks"
    for file in folder.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text()):
            assert (folder / target).exists(), f"{file.name}: {target}"


def _texts() -> Iterator[str]:
    for file in (_METERS, _ALERTS):
        yield from (rule["expr"] for rule in _rules(file, "expr"))
    for file in (_TREE / "docs" / "runbooks").glob("Aigw*.md"):
        yield from re.findall(r"`([^`]+)`", file.read_text())


def test_series_exist() -> None:
    """A rule or a page is about a series that nobody makes."""
    documented = "".join((_TREE / "docs" / page).read_text() for page in _PAGES)
    # In its tables "`…_total`" goes on with the name before.
    documented = documented.replace("`…_", "`aigw_receiver_")
    known = set(re.findall(r"\b(?:gen_ai|mcp|aigw)_[a-z0-9_]+\b", documented))
    recorded = {rule["record"] for file in (_METERS, _ALERTS) for rule in _rules(file, "record")}
    for text in _texts():
        # Labels look like names of series; those that are compared or grouped by stand in braces or parentheses.
        bare = re.sub(r'\{[^}]*\}|(?:by|on) \([^)]*\)|"[^"]*"', "", text)
        assert set() == set(_RECORDED.findall(bare)) - recorded, text
        plain = set(_SERIES.findall(_RECORDED.sub("", bare)))
        assert set() == {name for name in plain if name not in known and _PARTS.sub("", name) not in known}, text


def test_parameters() -> None:
    """The chart fills in its template otherwise than the generator does, or a parameter is in neither."""
    template = (_RULES / "chart" / "alerts.yaml").read_text()
    values = yaml.safe_load((_RULES / "chart" / "parameters.yaml").read_text())
    assert set(values) == set(re.findall(r"@\{(\w+)\}", template))
    # As Helm does it: one replacement of text for each value.
    for name, value in values.items():
        template = template.replace(f"@{{{name}}}", str(value))
    assert yaml.safe_load(_ALERTS.read_text()) == yaml.safe_load(template)


def test_other_parameters() -> None:
    """A parameter that was set is not in the alerts, or a misspelt one is taken silently."""
    changed = {"runbookBase": "https://docs.example/", "costBudget": 2500000}
    alerts = yaml.safe_load(_generated(json.dumps(changed)))
    by_name = {rule["alert"]: rule for group in alerts["groups"] for rule in group["rules"] if "alert" in rule}
    budget = by_name["AigwCostBudget"]
    assert "https://docs.example/docs/runbooks/AigwCostBudget.md" == budget["annotations"]["runbook_url"]
    assert "> 2500000\n" in budget["expr"]
    status, output = _run(sys.executable, str(_RULES / "generate.py"), "--alerts", '{"costBudgets": 1}')
    assert (1, "there is no parameter costBudgets\n") == (status, output)
