"""The Prometheus beside the demo's receiver: a real one, one that does not start, and none."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import pytest
import yaml

from aigw_demo import prometheus
from aigw_demo.prometheus import Prometheus, Rule, render_rules, start_prometheus
from aigw_demo.receiver import POLL_SECONDS, Addresses, StartError, hold_start_lock
from aigw_demo.stage import Stage, set_stage
from truth.programs import find_program

# Nothing listens there.
ADDRESSES: Final = Addresses("127.0.0.1:1", "http://127.0.0.1:1", "http://127.0.0.1:1", "http://127.0.0.1:1")
ANY_PORTS: Final = (0, 0, 0, 0)
PATIENCE_SECONDS: Final = 60.0
NONE: Final = (
    "Prometheus beside it      none: with prometheus on the PATH, the recording rules, the alerts and longer ranges "
    "would be there"
)
# Two series on one side, of which each would match.
AMBIGUOUS: Final = 'vector(1) * on() (label_replace(vector(1), "a", "b", "", "") or vector(2))'


def write_rules(path: Path, expression: str) -> str:
    """A file with a rule of this expression, and one that is right."""
    rules = [{"record": "job:right:sum", "expr": "vector(1)"}, {"record": "job:wrong:sum", "expr": expression}]
    path.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    return str(path)


@contextlib.asynccontextmanager
async def stage_without_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A stage where only the programs of this folder are on the PATH."""
    monkeypatch.setenv("PATH", str(folder))
    async with set_stage(ANY_PORTS) as stage:
        yield stage


@contextlib.asynccontextmanager
async def start_alone(rules: str) -> AsyncIterator[Prometheus]:
    """A Prometheus with the rules of this file and nothing to scrape."""
    async with contextlib.AsyncExitStack() as stack:
        async with hold_start_lock():
            running = await stack.enter_async_context(start_prometheus(ADDRESSES, [rules]))
        yield running


async def wait_for_scrapes(url: str, count: int) -> set[str]:
    """The addresses that a Prometheus has scraped with success, once there are so many."""
    found: set[str] = set()
    async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as session:
        while len(found) < count:
            async with session.get(f"{url}/api/v1/targets") as response:
                targets = (await response.json())["data"]["activeTargets"]
            found = {each["scrapeUrl"] for each in targets if each["health"] == "up"}
            await asyncio.sleep(POLL_SECONDS)
    return found


async def test_rules_beside_the_receiver() -> None:
    """The demo's Prometheus does not scrape the receiver, does not know a rule of this tree, or one of them fails."""
    find_program("prometheus")
    files = [yaml.safe_load(Path(file).read_text()) for file in prometheus.RULES]
    expected = sorted(
        rule.get("record") or rule["alert"] for file in files for group in file["groups"] for rule in group["rules"]
    )
    async with set_stage(ANY_PORTS) as stage:
        assert stage.prometheus is not None
        addresses, url = stage.receiver.addresses, stage.prometheus.url
        rules = await stage.prometheus.settle_rules()
        scraped = await wait_for_scrapes(url, 2)
    assert [] == [rule for rule in rules if rule.health != "ok"]
    assert expected == sorted(rule.name for rule in rules)
    assert {addresses.http + "/metrics", addresses.telemetry + "/metrics"} == scraped
    assert [f"open this page            {addresses.http}/", f"Prometheus beside it      {url}/"] == [
        stage.head[0],
        stage.head[1].partition(" (")[0],
    ]


async def test_a_rule_that_fails(tmp_path: Path) -> None:
    """A rule that Prometheus cannot evaluate is not noticed, or nobody is told which it is."""
    find_program("prometheus")
    async with start_alone(write_rules(tmp_path / "rules.yaml", AMBIGUOUS)) as running:
        rules = await running.settle_rules()
    failed, verdict = render_rules(rules)
    assert "job:wrong:sum: found duplicate series for the match group {}" == failed[:60]
    assert "1 of 2 rules of Prometheus failed" == verdict


async def test_one_that_does_not_start(tmp_path: Path) -> None:
    """The demo ends in a traceback, or waits, where Prometheus refuses its configuration."""
    find_program("prometheus")
    with pytest.raises(StartError, match=r"^prometheus ended with status [1-9]: .*could not parse expression"):
        async with start_alone(write_rules(tmp_path / "rules.yaml", "sum by")):
            pass


async def test_receiver_goes_on_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Prometheus, or with one that fails, there is no demo, or nobody is told what is missing."""
    async with stage_without_program(tmp_path, monkeypatch) as stage:
        assert (None, NONE) == (stage.prometheus, stage.head[1])
        assert "target_info" in await stage.receiver.addresses.scrape()
    program = tmp_path / "prometheus"
    program.write_text("#!/bin/sh\necho no space left >&2\nexit 3\n")
    program.chmod(0o755)
    async with stage_without_program(tmp_path, monkeypatch) as stage:
        line = "Prometheus beside it      prometheus ended with status 3: no space left"
        assert (None, line) == (stage.prometheus, stage.head[1])
        assert stage.receiver.process.returncode is None


def test_verdict() -> None:
    """The number of rules that failed is wrong, or one that was never evaluated counts as right."""
    right = [Rule("a", "recording", "ok", ""), Rule("b", "alerting", "ok", "")]
    assert ["Prometheus evaluated 1 recording rules and 1 alerts, none failed"] == render_rules(right)
    assert ["c: not evaluated yet", "1 of 3 rules of Prometheus failed"] == render_rules(
        [*right, Rule("c", "recording", "unknown", "")]
    )


def test_it_stays_small() -> None:
    """A demo that is left running fills the disk with what its Prometheus stores."""
    assert ("--storage.tsdb.retention.time=1d", "--storage.tsdb.retention.size=256MB") == prometheus.RETENTION
    # The program itself must know both.
    help_text = asyncio.run(_read_help(find_program("prometheus")))
    assert [] == [flag for flag in prometheus.RETENTION if flag.partition("=")[0] not in help_text]


async def _read_help(program: str) -> str:
    process = await asyncio.create_subprocess_exec(
        program, "--help", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return output.decode()
