"""Every way in which a request can end, through a real Envoy with the operator's settings into the real receiver."""

import asyncio
import dataclasses
import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from aigw_demo import envoy, envoy_config
from aigw_demo.standin import get_port, serve
from dataplane import outcomes, real_envoy
from dataplane.outcomes import OUTCOMES, Outcome
from dataplane.test_access_log_formats import NODE
from dataplane.test_access_log_intake import SETTINGS
from json_schema import violations
from receiver_program import Receiver, start_receiver

# Of each, so that a record that is counted for another of its kind is seen.
_EACH: Final = 3
_SCHEMA: Final = json.loads((Path(__file__).parents[2] / "docs" / "access-log.schema.json").read_text())
_DEMO: Final = Path(__file__).parents[2] / "demo"
# Nothing that is learned, so that what is slow is said here alone.
_RULES: Final = {"slow": {"llm": outcomes.SLOW_LIMIT, "adaptive": False}}


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What came of the requests: the statuses that clients saw, the receiver's series, and the lines that it kept."""

    statuses: Mapping[str, list[int]]
    scrape: str
    own_metrics: str
    lines: list[dict[str, Any]]

    def count(self, family: str, *labels: str) -> dict[tuple[str, ...], int]:
        """The values of a family by some of its labels."""
        counts: Counter[tuple[str, ...]] = Counter()
        for text, value in re.findall(rf"^{family}\{{(.*)\}} (\S+)$", self.scrape, re.MULTILINE):
            named = dict(re.findall(r'(\w+)="([^"]*)"', text))
            counts[tuple(named[label] for label in labels)] += int(float(value))
        return dict(counts)

    def lines_of(self, outcome: Outcome) -> list[dict[str, Any]]:
        """The kept records of an outcome."""
        return [line for line in self.lines if line.get("user_agent") == outcome.name]


async def _wait_for(receiver: Receiver, total: int) -> None:
    """Return once so many access logs are counted, or when patience is at its end; the tests see what is missing."""
    deadline = time.monotonic() + real_envoy.PATIENCE
    while time.monotonic() < deadline:
        counted = re.findall(
            r"^aigw_access_logs_total\{.*\} (\S+)$", await asyncio.to_thread(receiver.scrape), re.MULTILINE
        )
        if sum(map(float, counted)) >= total:
            return
        await asyncio.sleep(0.1)


async def _send_all(receiver: Receiver) -> dict[str, list[int]]:
    """Send every request, and wait for the records."""
    async with serve(outcomes.build_app()) as address:
        port = get_port(address)
        routes = outcomes.build_routes(port)
        config = envoy_config.build_bootstrap(SETTINGS, logs_port=receiver.ports.grpc[0], routes=routes, mcp_port=port)
        async with envoy.start_envoy(config, NODE) as ports, aiohttp.ClientSession() as client:
            sent = [outcome for outcome in OUTCOMES for _ in range(_EACH)]
            statuses = await asyncio.gather(*(outcomes.send(client, ports, outcome) for outcome in sent))
            await _wait_for(receiver, len(sent))
    return {
        outcome.name: [status for each, status in zip(sent, statuses, strict=True) if each is outcome]
        for outcome in OUTCOMES
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of all requests."""
    real_envoy.find_envoy()
    kept = tmp_path_factory.mktemp("kept") / "kept.jsonl"
    config = {
        "access_logs": {"file": {"path": str(kept)}, "rules": _RULES},
        "prices": {"file": str(_DEMO / "prices.yaml")},
    }
    with start_receiver(config=config) as receiver:
        statuses = asyncio.run(_send_all(receiver))
        scrape, own_metrics = receiver.scrape(), receiver.own_metrics()
        # The sinks are emptied before it ends.
        assert 0 == receiver.stop()
    return Run(statuses, scrape, own_metrics, [json.loads(line) for line in kept.read_text().splitlines()])


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.name)
def test_client_sees_the_status(run: Run, outcome: Outcome) -> None:
    """The request did not end as its row says, and so the row proves something else than it seems to."""
    assert [outcome.status] * _EACH == run.statuses[outcome.name]


def test_each_is_counted_once_with_its_ending(run: Run) -> None:
    """A request is lost on its way, counted twice, or its ending is taken for another one."""
    expected: Counter[tuple[str, ...]] = Counter()
    for outcome in OUTCOMES:
        expected[outcome.route_type, str(outcome.status), outcome.ending] += _EACH
    assert dict(expected) == run.count("aigw_requests_total", "ai_route_type", "status_code", "ending")


def test_each_is_decided_on_once(run: Run) -> None:
    """The counters of decisions do not tell what was dropped, so that no rate can be computed from them."""
    expected: Counter[tuple[str, ...]] = Counter()
    for outcome in OUTCOMES:
        decision = ("kept", outcome.rules.split(",")[0]) if outcome.rules else ("dropped", "none")
        expected[outcome.route_type, *decision] += _EACH
    assert dict(expected) == run.count("aigw_access_logs_total", "ai_route_type", "decision", "rule")


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.name)
def test_each_is_kept_by_exactly_its_rules(run: Run, outcome: Outcome) -> None:
    """A request that matters is dropped, one that does not is kept, or the record says a wrong reason."""
    told = [
        (line["rules"], line["ending"], line["status"], line.get("response_flags", ""), line["weight"])
        for line in run.lines_of(outcome)
    ]
    kept = (outcome.rules, outcome.ending, outcome.status, outcome.flags, 1.0)
    assert ([kept] * _EACH if outcome.rules else []) == told


@pytest.mark.parametrize("outcome", [each for each in OUTCOMES if each.cost], ids=lambda outcome: outcome.name)
def test_cost_is_on_the_record(run: Run, outcome: Outcome) -> None:
    """A request that matters for what it cost does not say what it cost."""
    assert [outcome.cost] * _EACH == [str(Decimal(str(line["cost_usd"]))) for line in run.lines_of(outcome)]


def test_every_line_is_valid(run: Run) -> None:
    """A line is not what the schema promises to those who read it."""
    assert [] == [(line, broken) for line in run.lines if (broken := violations(_SCHEMA, line))]
    assert sum(_EACH for outcome in OUTCOMES if outcome.rules) == len(run.lines)


def test_none_is_refused_or_lost_by_a_sink(run: Run) -> None:
    """A record of a gateway is refused, or lost on its way to the file."""
    records = re.findall(r'^aigw_receiver_log_records_total\{result="(\w+)"\} (\S+)$', run.own_metrics, re.MULTILINE)
    lost = re.findall(r"^aigw_receiver_sink_records_total\{(.*)\} (\S+)$", run.own_metrics, re.MULTILINE)
    assert {"accepted": float(len(OUTCOMES) * _EACH)} == {
        name: value for name, text in records if (value := float(text))
    }
    assert [] == [labels for labels, number in lost if "written" not in labels and float(number)]
