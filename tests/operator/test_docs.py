"""docs/operator.md is complete: every reason that a status can have stands in its tables."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aigw_operator import settings

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
