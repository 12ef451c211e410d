"""The dashboards as files: current, whole, and such that Grafana shows them; and the page that tells of them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from board import files, peers, promql
from board.model import Kind, Panel
from dashboards import expected, questions

_TREE: Final = Path(__file__).parents[2]
_BOARDS: Final = {board.uid: board for board in files.boards()}
_TEXTS: Final = {uid: (_TREE / "dashboards" / f"{uid}.json").read_text() for uid in _BOARDS}

_RECORDED: Final = re.compile(r"\bgateway[a-z_]*:[\w:]+")
_SERIES: Final = re.compile(r"(?<![\w:])(?:gen_ai|mcp|aigw)_[a-z0-9_]+\b(?!:)|\btarget_info\b")
_PARTS: Final = re.compile(r"_(?:bucket|count|sum)$")
_PAGES: Final = ("metrics.md", "operator.md", "sampling.md", "access-logs.md")
_REFERENCE: Final = re.compile(r"\$\{?(\w+)")

# Grafana's own.
_GIVEN: Final = {"__all", "__rate_interval", "__range", "__from", "__to", "__field", "__data", "__url_time_range"}

# What a ConfigMap may be for `kubectl apply`, which keeps a copy in an annotation.
_CONFIG_MAP_BYTES: Final = 256 * 1024


def _shown(uid: str) -> Iterator[dict[str, Any]]:
    """The panels of a file, but for the rows themselves."""
    for panel in json.loads(_TEXTS[uid])["panels"]:
        yield from panel["panels"] if panel["type"] == "row" else [panel]


def _expressions(uid: str) -> list[str]:
    return [target["expr"] for panel in _shown(uid) for target in panel.get("targets", ())]


def test_current() -> None:
    """A board was changed, and not what is generated from it."""
    command = [sys.executable, str(_TREE / "dashboards" / "generate.py"), "--check"]
    environment = {**os.environ, "PYTHONPATH": str(_TREE / "rules")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert (0, "") == (done.returncode, done.stdout + done.stderr)


@pytest.mark.parametrize("uid", _BOARDS)
def test_schema(uid: str) -> None:
    """Grafana's own model of a dashboard does not know something that stands in the file, or lacks something."""
    document = json.loads(_TEXTS[uid])
    assert document == json.loads(JSONEncoder().encode(Dashboard.from_json(document)))


def test_uids() -> None:
    """A link or a bookmark to a dashboard leads nowhere, since its uid is another."""
    assert ["aigw-overview", "aigw-gateway", "aigw-overview-rules", "aigw-gateway-rules"] == list(_BOARDS)
    for uid, text in _TEXTS.items():
        assert (uid, ["aigw-telemetry"]) == (json.loads(text)["uid"], json.loads(text)["tags"])


def test_numbers_of_panels() -> None:
    """A link to a panel shows another one after an update."""
    found = {panel["title"]: panel["id"] for panel in _shown("aigw-gateway")}
    assert _NUMBERS == {title: found[title] for title in _NUMBERS}


_NUMBERS: Final = {"Requests by model": 954210, "Failed messages": 893350, "Single requests": 398046}


@pytest.mark.parametrize("uid", _BOARDS)
def test_numbers_are_unique(uid: str) -> None:
    """Two panels have one number: Grafana shows one of them twice."""
    panels = json.loads(_TEXTS[uid])["panels"]
    numbers = [panel["id"] for panel in panels] + [below["id"] for panel in panels for below in panel.get("panels", ())]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("uid", _BOARDS)
def test_places(uid: str) -> None:
    """Two panels lie upon each other, or one reaches over the edge."""
    taken: set[tuple[int, int]] = set()
    panels = json.loads(_TEXTS[uid])["panels"]
    for panel in [*panels, *(below for row in panels for below in row.get("panels", ()))]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


@pytest.mark.parametrize("uid", _BOARDS)
def test_each_panel_explains_itself(uid: str) -> None:
    """A panel has no unit, no description, or lines and columns without a name."""
    for panel in _shown(uid):
        assert panel["title"], panel
        assert panel["description"], panel["title"]
        if panel["type"] == "text":
            continue
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGHIJKL"[: len(panel["targets"])])
        if panel["type"] == "timeseries":
            assert panel["options"]["legend"]["showLegend"], panel["title"]
        else:
            assert all(target["instant"] for target in panel["targets"]), panel["title"]


def test_each_panel_has_an_answer() -> None:
    """A panel was added whose number no test has seen."""
    asked = {panel.slug for board in _BOARDS.values() for row in board.rows for panel in row.panels if panel.queries}
    assert asked == set(expected.ANSWERS)


@pytest.mark.parametrize("uid", _BOARDS)
def test_series_exist(uid: str) -> None:
    """A panel or a variable is about a series that nobody makes."""
    documented = "".join((_TREE / "docs" / page).read_text() for page in _PAGES)
    documented = documented.replace("`…_", "`aigw_receiver_")
    known = set(_SERIES.findall(documented))
    groups = yaml.safe_load((_TREE / "rules" / "meters.yaml").read_text())["groups"]
    recorded = {rule["record"] for group in groups for rule in group["rules"]}
    variables = [variable.selector for variable in _BOARDS[uid].variables]
    for text in [*_expressions(uid), *variables]:
        # Labels look like names of series; they stand in braces and parentheses.
        bare = re.sub(r'\{[^}]*\}|(?:by|without) \([^)]*\)|"[^"]*"', "", text)
        assert set() == set(_RECORDED.findall(bare)) - recorded, text
        plain = set(_SERIES.findall(_RECORDED.sub("", bare)))
        assert plain or _RECORDED.findall(bare), text
        assert set() == {name for name in plain if name not in known and _PARTS.sub("", name) not in known}, text


def test_sources() -> None:
    """A dashboard of plain series needs the rules, or one of the rules has none of them."""
    assert not [
        text for uid in ("aigw-overview", "aigw-gateway") for text in _expressions(uid) if _RECORDED.search(text)
    ]
    for uid in ("aigw-overview-rules", "aigw-gateway-rules"):
        assert {True, False} == {bool(_RECORDED.search(text)) for text in _expressions(uid)}


def test_both_have_the_same_panels() -> None:
    """The two sources of numbers show different things."""
    for one in ("aigw-overview", "aigw-gateway"):
        slugs = [[panel.slug for row in _BOARDS[uid].rows for panel in row.panels] for uid in (one, f"{one}-rules")]
        assert slugs[0] == slugs[1]


@pytest.mark.parametrize("uid", _BOARDS)
def test_references(uid: str) -> None:
    """An expression or a link has a variable that the dashboard has not."""
    document = json.loads(_TEXTS[uid])
    known = {variable["name"] for variable in document["templating"]["list"]}
    assert set() == set(_REFERENCE.findall(_TEXTS[uid])) - known - _GIVEN


def test_counters_are_never_summed() -> None:
    """A number falls when a pod restarts: a sum of counters themselves."""
    counter = re.compile(r"\b(?:gen_ai|mcp|aigw)_\w+_(?:total|count|sum|bucket)\{[^}]*\}(?!\[)")
    assert not [text for uid in _BOARDS for text in _expressions(uid) if counter.search(_RECORDED.sub("", text))]


def test_quantiles() -> None:
    """The percentiles of panels are others than those of the meters."""
    assert promql.QUANTILES == tuple(f"{one:g}" for one in questions.QUANTILES)


def _of(slug: str) -> Panel:
    found = [panel for row in _BOARDS["aigw-gateway"].rows for panel in row.panels if panel.slug == slug]
    found += [panel for row in _BOARDS["aigw-overview"].rows for panel in row.panels if panel.slug == slug]
    return found[0]


def test_each_panel_of_the_peers() -> None:
    """A panel that SkyWalking or AI Gateway's own dashboard has is missing here."""
    named = {slug for rows in peers.TABLES.values() for _, slugs in rows for slug in slugs}
    assert all(_of(slug).kind is not Kind.TEXT or slug == "requests-links" for slug in named)
    assert {name: len(rows) for name, rows in peers.TABLES.items()} == _PEERS


_PEERS: Final = {
    "SkyWalking, AI Gateway": 33,
    "SkyWalking, Virtual GenAI": 14,
    "AI Gateway's example dashboard": 12,
}


def test_config_maps() -> None:
    """`kubectl apply` refuses a dashboard of the chart, or it is another one than here."""
    chart = _TREE / "charts" / "aigw-telemetry" / "files" / "dashboards"
    found = {file.stem: file.read_text() for file in chart.glob("*.json")}
    assert {uid: json.loads(text) for uid, text in _TEXTS.items()} == {
        uid: json.loads(text) for uid, text in found.items()
    }
    assert all(len(text.encode()) < 0.8 * _CONFIG_MAP_BYTES for text in found.values())
