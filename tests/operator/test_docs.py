"""The pages on the operator are true: every reason and setting stands in them, and their samples can be used."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

import paper_cluster as paper
from aigw_operator import settings
from aigw_operator.core import rendering
from aigw_operator.core.model import Installation
from aigw_operator.shell import templates

TREE: Final = Path(__file__).parents[2]
CORE: Final = TREE / "operator" / "aigw_operator" / "core"

# Where the reason stands in the call.
POSITIONS: Final = {"Note": 0, "Condition": 2}

# Seen by the core only: one pod's lack is RollingOut in a status, and a Gateway that is not selected has none.
INTERNAL: Final = {"EnvMissing", "EnvOutdated", "NotSelected"}


def _texts(node: ast.AST) -> Iterator[str]:
    """The reasons among the constants of an expression: CamelCase, as the Kubernetes API conventions have it."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value[:1].isupper():
            yield each.value


def _reasons(tree: ast.AST) -> Iterator[str]:
    """What is given to a Note or a Condition as its reason, or named so before."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in POSITIONS:
            yield from (text for argument in node.args[POSITIONS[node.func.id] :][:1] for text in _texts(argument))
        elif isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["reason"]:
            yield from _texts(node.value)


def test_every_reason_is_explained() -> None:
    """A person would meet a reason that no page explains, or look for one that does not exist any more."""
    used = {reason for path in CORE.glob("*.py") for reason in _reasons(ast.parse(path.read_text()))} - INTERNAL
    page = (TREE / "docs" / "operator.md").read_text()
    explained = set(re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", page, re.MULTILINE))

    assert used == explained
    assert {"Receiving", "RollingOut", "PartlyAccepted", "ShardsNotReady", "UserEndpoint"} <= used


def test_every_setting_is_named() -> None:
    """A setting of the operator would be found by reading its code only."""
    page = (TREE / "docs" / "operator.md").read_text()
    explained = set(re.findall(r"^\| `--([a-z-]+)` \|", page, re.MULTILINE))
    assert {settings.flag(name).removeprefix("--") for name in settings.KEYS} == explained


def _samples(page: str) -> list[dict[str, Any]]:
    """The objects of our two kinds in the code blocks of a page."""
    blocks = re.findall(r"^(?:```yaml|kubectl apply -f - <<'EOF')\n(.*?)^(?:```|EOF)$", page, re.MULTILINE | re.DOTALL)
    found = [raw for block in blocks for raw in yaml.safe_load_all(block)]
    return [
        raw for raw in found if isinstance(raw, dict) and str(raw.get("apiVersion")).startswith("telemetry.aigw.dev/")
    ]


@pytest.mark.parametrize("name", ["README.md", "docs/operator.md"])
def test_samples_can_be_used(name: str) -> None:
    """A newcomer would copy an object that is refused, or that wires nothing."""
    gateway = paper.gateway("gw")
    samples = _samples((TREE / name).read_text())
    installation = Installation(receiver_image="receiver:1")
    found = rendering.render([*samples, gateway], installation, templates.load_templates(), yaml.safe_load)

    assert ["TelemetryReceiver", "TelemetryPolicy"] == [raw["kind"] for raw in samples]
    assert () == found.problems
    assert (12, gateway["metadata"]["name"]) == (len(found.objects), found.objects[-1]["metadata"]["name"])


@pytest.mark.parametrize(
    "path", sorted(TREE.glob("docs/**/*.md")) + sorted(TREE.glob("*.md")), ids=lambda path: path.name
)
def test_links_lead_somewhere(path: Path) -> None:
    """A page would refer to another one that does not exist."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert [] == [link for link in links if not (path.parent / link).exists()]
