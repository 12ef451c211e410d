"""Every expression of every panel and variable, asked of a real Prometheus that has scraped a real receiver.

The numbers are counted from what the driver has sent. Plain series are asked at the moment of a scrape, where rate()
and increase() add nothing, and must be exact. A recorded rate may be larger by what Prometheus adds between two
scrapes; shares of it, averages and percentiles must be exact too.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from board import files
from board.model import Board, Panel
from dashboards import expected, play
from dashboards.play import Scene
from dashboards.questions import Answer, Kind
from dashboards.seen import Seen
from rulebook import meters
from rulebook.model import Record

_BOARDS: Final = {board.uid: board for board in files.boards()}
_OF_ONE: Final = {"namespace": "prod", "gateway": "chat"}
_EXACT: Final = 1e-9

# What is chosen, and the panels of the rules' dashboards that it concerns: a recorded series has not all labels.
_CHOSEN: Final[Mapping[str, tuple[dict[str, str], str]]] = {
    "all": ({}, ""),
    "a pod": ({"pod": "a"}, ""),
    "a provider": ({"provider": "openai"}, r"providers?\b"),
    "a model": ({"model": "gpt-4.1", "pod": "a"}, r"models?\b"),
    "a server": ({"backend": "files", "pod": "a"}, r"mcp-servers?\b"),
}
_GROUPS: Final = {
    rule.name: group.name for group in meters.groups() for rule in group.rules if isinstance(rule, Record)
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Give a Prometheus that holds all that the driver has sent."""
    with play.playing(tmp_path_factory.mktemp("dashboards")) as found:
        yield found


def _panels(board: Board) -> list[Panel]:
    return [panel for row in board.rows for panel in row.panels if panel.queries]


def _tolerance(scene: Scene, expr: str, kind: Kind) -> float:
    recorded = set(re.findall(r"\bgateway_pod\w*:[\w:]+", expr))
    if not recorded:
        # The receiver has no 0 before its first refusal.
        return scene.stretch if "aigw_receiver_" in expr and kind is Kind.RATE else _EXACT
    # A group has one moment for all of its rules; but what is asked for in the future may be in the middle of one.
    same = kind is Kind.SHARE and len({_GROUPS[name] for name in recorded}) == 1 and scene.is_past(expr)
    return _EXACT if same else scene.stretch


def _wrong(scene: Scene, expr: str, answer: Answer, variables: Mapping[str, str]) -> str:
    """What is wrong with an answer of Prometheus; empty where nothing is."""
    factor = scene.widened(expr) if answer.kind is Kind.AMOUNT else 1.0
    wanted = {labels: number * factor for labels, number in answer.numbers.items()}
    found = scene.ask(expr, variables)
    if answer.kind is Kind.LABELS:
        right = wanted.keys() == found.keys()
    else:
        right = found == pytest.approx(wanted, rel=_tolerance(scene, expr, answer.kind), abs=_EXACT)
    if right:
        return ""
    return f"{expr}\n  expected {wanted}\n  got      {found}"


@pytest.mark.parametrize("chosen", _CHOSEN)
@pytest.mark.parametrize("uid", [uid for uid in _BOARDS if uid.startswith("aigw-gateway")])
def test_one_gateway(uid: str, chosen: str, scene: Scene) -> None:
    """A panel shows another number than what the driver has sent, or a variable does not choose."""
    words, concerned = _CHOSEN[chosen]
    seen = dataclasses.replace(Seen(namespace="prod"), **words)
    wrong = []
    for panel in _panels(_BOARDS[uid]):
        if uid.endswith("-rules") and not re.match(concerned, panel.slug):
            continue
        questions = expected.ANSWERS[panel.slug]
        assert len(questions) == len(panel.queries), panel.slug
        for query, question in zip(panel.queries, questions, strict=True):
            found = _wrong(scene, query.expr, question(seen), {**_OF_ONE, **words})
            wrong += [f"{panel.slug}, {query.legend}: {found}"] * bool(found)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("uid", [uid for uid in _BOARDS if uid.startswith("aigw-overview")])
def test_overview(uid: str, scene: Scene) -> None:
    """The table or a panel of all gateways, or of the receivers, shows another number than what was sent."""
    wrong = []
    for panel in _panels(_BOARDS[uid]):
        questions = expected.ANSWERS[panel.slug]
        assert len(questions) == len(panel.queries), panel.slug
        for query, question in zip(panel.queries, questions, strict=True):
            found = _wrong(scene, query.expr, question(Seen()), {})
            wrong += [f"{panel.slug}, {query.legend}: {found}"] * bool(found)
    assert not wrong, "\n".join(wrong)


_VALUES: Final = {
    "namespace": ["dev", "prod"],
    "gateway": ["chat", "ended", "quiet"],
    "pod": ["a", "b", "c"],
    "provider": ["aws.bedrock", "openai"],
    "model": ["claude", "gpt-4.1", "gpt-4.1-mini"],
    "backend": ["files", "search"],
}


@pytest.mark.parametrize("uid", _BOARDS)
def test_variables(uid: str, scene: Scene) -> None:
    """A list above the panels lacks something that was sent, or shows what belongs to another gateway."""
    for variable in _BOARDS[uid].variables:
        assert _VALUES[variable.name] == sorted(scene.values(variable.query, _OF_ONE)), variable.name
