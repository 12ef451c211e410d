"""The counters made from access logs: their sums, bounds, births and text, and what a restart keeps."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Final

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import core as prometheus_core
from prometheus_client import registry
from prometheus_client.openmetrics import exposition as openmetrics_exposition

from aigw_receiver.core.access_logs import text
from aigw_receiver.core.access_logs.counters import Counters
from aigw_receiver.core.access_logs.labels import Bounds
from aigw_receiver.core.access_logs.model import AccessLog, Ending, RouteType, Tokens
from aigw_receiver.core.access_logs.rule_settings import Errors, RuleSettings, Sample
from aigw_receiver.core.access_logs.rules import DROPPED, Rules, Verdict
from aigw_receiver.core.exposition import OPENMETRICS, TEXT, Format
from aigw_receiver.core.model import Identity
from aigw_receiver.core.reconciliation import Counts
from aigw_receiver.core.scrapers import Scrapers
from decisions import decide

NOW: Final = 1_700_000_000_000_000_000
_DAY: Final = 86_400_000_000_000
_LLM: Final = AccessLog(
    Identity("default", "gateway", "pod-1"),
    RouteType.LLM,
    NOW,
    Ending.OK,
    status=200,
    requested_model="gpt-5-nano",
    backend="default/openai",
    tokens=Tokens(input=31, output=4),
)
_MCP: Final = dataclasses.replace(
    _LLM,
    route_type=RouteType.MCP,
    requested_model="",
    backend="",
    mcp_backend="everything",
    mcp_method="tools/call",
    mcp_tool="echo",
    tokens=Tokens(),
)
_ERROR: Final = Verdict(("errors", "slow"))


class Births:
    """Births as the store of the gateways' streams numbers them."""

    def __init__(self) -> None:
        self.times: list[int] = []

    def bear(self, now: int) -> int:
        """The next number."""
        self.times.append(now)
        return len(self.times)


def _counters(bounds: Bounds | None = None) -> Counters:
    return Counters(Births().bear, bounds)


def _count(counters: Counters, log: AccessLog, verdict: Verdict = DROPPED, now: int = NOW) -> None:
    counters.cell(log, verdict, now).add(log.tokens.input, log.tokens.output)


def _llm(**changes: Any) -> AccessLog:
    return dataclasses.replace(_LLM, **changes)


def _values(counters: Counters, family: str) -> dict[tuple[str, ...], int]:
    """The values of a family by labels, without those of the gateway."""
    (found,) = [one for one in counters.families if one.name == family]
    return {labels[:-2]: series.value for labels, series in found.series.items()}


def test_series() -> None:
    """A record is counted under another decision, rule or label than it has, or twice in one family."""
    counters = _counters()
    for _ in range(3):
        _count(counters, _LLM)
    _count(counters, _llm(ending=Ending.CLIENT_ERROR, status=404, tokens=Tokens()), _ERROR)
    _count(counters, _llm(ending=Ending.ABORTED, status=None, tokens=Tokens()), Verdict((), 1.0, ("aborted", "slow")))
    _count(counters, _MCP, Verdict(("sample",), 10.0))
    counters.changes(NOW)
    assert {
        ("dropped", "none", "llm"): 3,
        ("kept", "errors", "llm"): 1,
        ("over_budget", "aborted", "llm"): 1,
        ("kept", "sample", "mcp"): 1,
    } == _values(counters, "aigw_access_logs")
    assert {
        ("llm", "default/openai", "200", "ok"): 3,
        ("llm", "default/openai", "404", "client_error"): 1,
        ("llm", "default/openai", "none", "aborted"): 1,
        ("mcp", "everything", "200", "ok"): 1,
    } == _values(counters, "aigw_requests")
    assert {("llm", "default/openai", "gpt-5-nano"): 1} == _values(counters, "aigw_aborted_requests")
    assert {("everything", "tools/call", "echo", "ok"): 1} == _values(counters, "aigw_mcp_requests")


def test_compared_with_metrics() -> None:
    """What is brought to the reconciliation holds requests that no metric can know, or lacks tokens."""
    counters = _counters()
    error = _llm(ending=Ending.CLIENT_ERROR, status=404, tokens=Tokens())
    _count(counters, _LLM)
    _count(counters, _llm(tokens=Tokens(input=9)))
    _count(counters, _llm(tokens=Tokens()))
    _count(counters, error, _ERROR)
    _count(counters, _llm(ending=Ending.ABORTED, tokens=Tokens()))
    # The gateway's own answers, and MCP, which has no tokens.
    _count(counters, dataclasses.replace(error, response_flags="NR", requested_model="made-up"), _ERROR)
    _count(counters, _llm(ending=Ending.TIMEOUT, status=504, tokens=Tokens()), _ERROR)
    _count(counters, _MCP)
    counters.changes(NOW)
    key = ("default", "gateway", "gpt-5-nano")
    assert {key: Counts(answered=4, good=3, aborted=1, with_tokens=2, input=40, output=4)} == counters.logged


def _sum(counters: Counters, family: str) -> int:
    """The sum of a family over all labels."""
    return sum(series.value for one in counters.families if one.name == family for series in one.series.values())


_LOGS: Final = st.builds(
    _llm,
    identity=st.builds(Identity, st.sampled_from("ab"), st.sampled_from(["a", "b", "\0", "x" * 300]), st.just("")),
    route_type=st.sampled_from(list(RouteType)),
    ending=st.sampled_from(list(Ending)),
    status=st.sampled_from([None, 200, 404, 503]),
    backend=st.sampled_from(["", "a", "b", "c", "other", "\0"]),
    requested_model=st.sampled_from(["", "m1", "m2", "m3", "x" * 300]),
    mcp_tool=st.sampled_from(["", "t1", "t2", "t3", "t4"]),
    response_flags=st.sampled_from(["", "DC"]),
)


@given(st.lists(_LOGS, max_size=80), st.floats(0, 1, exclude_max=True))
def test_sums(logs: list[AccessLog], chance: float) -> None:
    """The sum over all labels is not the number of records, or a bound is not kept."""
    counters = _counters(Bounds(gateways=2, label_values=2, models=2, cells=6))
    rules = Rules(RuleSettings(errors=Errors(budget=1), sample=Sample(rate=0.5)))
    for log in logs:
        _count(counters, log, decide(rules, log, NOW, chance))
    counters.changes(NOW)
    assert len(logs) == _sum(counters, "aigw_access_logs")
    assert len(logs) == _sum(counters, "aigw_requests")
    assert sum(log.ending is Ending.ABORTED for log in logs) == _sum(counters, "aigw_aborted_requests")
    assert sum(log.route_type is RouteType.MCP for log in logs) == _sum(counters, "aigw_mcp_requests")
    for family in counters.families:
        assert len({labels[-2:] for labels in family.series}) <= 3
        for position, label in enumerate(family.labels):
            if label in ("backend", "gen_ai_original_model", "mcp_tool_name"):
                for gateway in {labels[-2:] for labels in family.series}:
                    values = {labels[position] for labels in family.series if labels[-2:] == gateway}
                    assert len(values - {"", "other"}) <= 2


def test_folding() -> None:
    """What a client makes up becomes a series of its own beyond the bound, or what was there before is folded."""
    counters = _counters(Bounds(label_values=2, gateways=1, label_length=10))
    aborted = {"ending": Ending.ABORTED, "tokens": Tokens()}
    for model in ("a", "b", "c", "a", "long" * 3):
        _count(counters, _llm(requested_model=model, backend="", **aborted))
    _count(counters, _llm(identity=Identity("second", "gateway", ""), requested_model="a", backend="", **aborted))
    counters.changes(NOW)
    (family,) = [one for one in counters.families if one.name == "aigw_aborted_requests"]
    assert {
        ("llm", "", "a", "default", "gateway"): 2,
        ("llm", "", "b", "default", "gateway"): 1,
        ("llm", "", "other", "default", "gateway"): 2,
        ("llm", "", "a", "other", "other"): 1,
    } == {labels: series.value for labels, series in family.series.items()}


def test_many_at_once() -> None:
    """Records that are counted together count otherwise than one by one."""
    counters = _counters()
    counters.cell(_LLM, DROPPED, NOW).add_many(5, 3, 90, 12)
    counters.changes(NOW)
    assert {("dropped", "none", "llm"): 5} == _values(counters, "aigw_access_logs")
    expected = Counts(answered=5, good=5, with_tokens=3, input=90, output=12)
    assert {("default", "gateway", "gpt-5-nano"): expected} == counters.logged


def test_cells_are_kept() -> None:
    """A cell that a caller keeps is not the one that is counted, so that what it adds is lost."""
    counters = _counters()
    cell = counters.cell(_LLM, DROPPED, NOW)
    cell.add(1, None)
    counters.changes(NOW)
    cell.add(None, None)
    assert cell is counters.cell(_llm(time=5), DROPPED, NOW)
    counters.changes(NOW)
    assert {("dropped", "none", "llm"): 2} == _values(counters, "aigw_access_logs")


def test_changes() -> None:
    """What a journal must hold before a scrape is not said, or said again and again."""
    births = Births()
    counters = Counters(births.bear)
    born = [counters.born]
    _count(counters, _LLM)
    born.append(counters.born)
    changes = counters.changes(NOW)
    born.append(counters.born)
    assert [False, True, False] == born
    assert [
        ["aigw_access_logs", ["dropped", "none", "llm", "default", "gateway"], 1, NOW, 1],
        ["aigw_requests", ["llm", "default/openai", "200", "ok", "default", "gateway"], 2, NOW, 1],
    ] == changes
    assert [NOW, NOW] == births.times
    assert [] == counters.changes(NOW)
    _count(counters, _LLM, now=NOW + 5)
    assert [2, 2] == [row[-1] for row in counters.changes(NOW + 5)]


def test_restart() -> None:
    """A restart loses or doubles what was journalled, gives a series another birth, or forgets label values."""
    first, bounds = Births(), Bounds(label_values=1)
    counters = Counters(first.bear, bounds)
    _count(counters, _LLM)
    counters.changes(NOW)
    assert [NOW, NOW] == first.times
    document = json.loads(json.dumps(counters.dump()))
    _count(counters, _llm(backend="default/second"), _ERROR, NOW + 1)
    journal = [json.loads(json.dumps(counters.changes(NOW + 1)))]
    _count(counters, _LLM)
    journal.append(json.loads(json.dumps(counters.changes(NOW + 2))))

    second = Births()
    second.times = first.times[:2]
    restored = Counters(second.bear, bounds)
    restored.restore(document, NOW + 3)
    for rows in (*journal, journal[0]):
        restored.replay(rows, NOW + 1)
    assert counters.dump()["series"] == restored.dump()["series"]
    assert [NOW, NOW, NOW + 1, NOW + 1] == first.times == second.times
    _count(restored, _llm(backend="default/third"))
    restored.changes(NOW + 4)
    assert {
        ("llm", "default/openai", "200", "ok"): 2,
        ("llm", "other", "200", "ok"): 2,
    } == _values(restored, "aigw_requests")


def test_restore_leaves_old_gateways_behind() -> None:
    """A gateway that was deleted long ago is shown for ever, or one that was just quiet loses its counts."""
    counters = _counters()
    _count(counters, _LLM)
    counters.changes(NOW)
    for days, expected in ((7, 2), (8, 0)):
        restored = _counters()
        restored.restore(counters.dump(), NOW + days * _DAY)
        assert expected == len(restored.dump()["series"])
    restored = _counters(Bounds(gateways=1))
    _count(counters, _llm(identity=Identity("second", "gateway", "")))
    counters.changes(NOW)
    restored.restore(counters.dump(), NOW)
    assert 4 == len(restored.dump()["series"]), "a bound that was lowered takes no series away"


def test_unknown_families_are_left_out() -> None:
    """A journal of another version ends the start."""
    counters = _counters()
    counters.replay([["aigw_of_tomorrow", ["a"], 1, NOW, 1], ["aigw_requests", ["too", "few"], 1, NOW, 1]], NOW)
    assert [] == counters.dump()["series"]


@dataclasses.dataclass(frozen=True, eq=False)
class Expected(registry.Collector):
    """The families as prometheus-client is to write them."""

    counters: Counters
    shown: int | None

    def collect(self) -> Iterator[prometheus_core.Metric]:
        """The families in their order."""
        for family in self.counters.families:
            metric = prometheus_core.Metric(family.name, family.help, "counter")
            for key, series in family.series.items():
                labels = dict(sorted(zip(family.labels, key, strict=True)))
                value = series.value if self.shown is None or series.birth <= self.shown else 0
                metric.add_sample(f"{family.name}_total", labels, value)
                metric.add_sample(f"{family.name}_created", labels, series.created / 1e9)
            if family.series:
                yield metric


def _oracle(counters: Counters, shown: int | None, text_format: Format) -> bytes:
    own = prometheus_client.CollectorRegistry()
    own.register(Expected(counters, shown))
    if not text_format.openmetrics:
        return prometheus_client.generate_latest(own)
    lines: bytes = openmetrics_exposition.generate_latest(own)  # type: ignore[no-untyped-call]
    return lines.removesuffix(b"# EOF\n")


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS])
@pytest.mark.parametrize("mark", [None, 0, 3])
def test_text(text_format: Format, mark: int | None) -> None:
    """The text is not byte for byte what prometheus-client writes, or an unopened series is shown at its value."""
    counters = _counters()
    for number in range(70):
        _count(counters, _llm(backend=f'b"\\\n{number}'), now=NOW + 500_000_000)
    _count(counters, _llm(ending=Ending.ABORTED))
    _count(counters, _MCP)
    cell = counters.cell(_LLM, DROPPED, NOW)
    cell.count = 1_234_567
    counters.changes(NOW)
    assert _oracle(counters, mark, text_format) == b"".join(text.render_counters(counters.families, text_format, mark))


def test_zero_first() -> None:
    """A scraper gets a new series at its value before it has had it at 0, or at 0 after its value."""
    scrapers, births = Scrapers(), Births()

    def bear(now: int) -> int:
        birth = births.bear(now)
        scrapers.bear(birth, now)
        return birth

    counters = Counters(bear)
    shown: dict[str, list[bytes]] = {"one": [], "two": []}
    for second in range(0, 120, 5):
        now = NOW + second * 1_000_000_000
        if second >= 20:
            _count(counters, _LLM, now=now)
        for connection, (name, every) in enumerate((("one", 5), ("two", 15))):
            if second % every == 0:
                scraper = scrapers.begin(name, connection, now)
                scrapers.open(now)
                mark, newest = scrapers.opened, len(births.times)
                counters.changes(now)
                lines = b"".join(text.render_counters(counters.families, TEXT, mark)).splitlines()
                values = [line for line in lines if line.startswith(b"aigw_requests_total")]
                shown[name] += [line.rpartition(b" ")[2] for line in values]
                scrapers.complete(scraper, mark, newest, now)
    assert [b"0.0", b"0.0", b"0.0", b"4.0", b"5.0"] == shown["one"][:5]
    assert [b"0.0", b"6.0", b"9.0"] == shown["two"][:3]


def test_text_without_records() -> None:
    """Families without a series are shown."""
    assert [] == list(text.render_counters(_counters().families, TEXT, None))
