"""A real Prometheus beside the receiver, with the rules of this tree, where the program is on the PATH.

It must not change what the receiver counts: it only scrapes and evaluates. Its data are in a temporary directory.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from aigw_demo.receiver import HOST, POLL_SECONDS, Addresses, StartError, choose_ports, stop_process, wait_until_ready

PROGRAM: Final = "prometheus"
# Its own port; any other one where that is in use.
PORT: Final = 9090
RULES: Final = tuple(str(Path(__file__).parents[2] / "rules" / name) for name in ("meters.yaml", "alerts.yaml"))
INTERVAL_SECONDS: Final = 5
# Of what is stored, whichever is reached first.
RETENTION: Final = ("--storage.tsdb.retention.time=1d", "--storage.tsdb.retention.size=256MB")
# A group of rules is evaluated within one interval after the start, on an idle machine.
RULES_SECONDS: Final = 30.0
SHOWN_FAILURES: Final = 10
# What /api/v1/rules calls a rule that was not evaluated yet, and one whose last evaluation went well.
UNKNOWN: Final = "unknown"
OK: Final = "ok"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as Prometheus lists it: `kind` is recording or alerting, `health` ok, err or unknown."""

    name: str
    kind: str
    health: str
    error: str


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    async def settle_rules(self) -> list[Rule]:
        """All rules, once each was evaluated, or patience is at its end. Raises aiohttp.ClientError, TimeoutError."""
        deadline = asyncio.get_running_loop().time() + RULES_SECONDS
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            while True:
                async with session.get(f"{self.url}/api/v1/rules") as response:
                    rules = parse_rules(await response.json())
                evaluated = all(rule.health != UNKNOWN for rule in rules)
                if evaluated or asyncio.get_running_loop().time() > deadline:
                    return rules
                await asyncio.sleep(POLL_SECONDS)


def find_prometheus() -> str:
    """The program, or what would be here with it."""
    found = shutil.which(PROGRAM)
    if found is None:
        message = f"none: with {PROGRAM} on the PATH, the recording rules, the alerts and longer ranges would be there"
        raise StartError(message)
    return found


def build_configuration(addresses: Addresses, rules: Sequence[str]) -> dict[str, object]:
    """Scrapes of the gateways' series and of the receiver's own, often enough to be watched."""
    jobs = {"aigw-gateways": addresses.http, "aigw-receiver": addresses.telemetry}
    return {
        "global": {"scrape_interval": f"{INTERVAL_SECONDS}s", "evaluation_interval": f"{INTERVAL_SECONDS}s"},
        "rule_files": [*rules],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [address.removeprefix("http://")]}]}
            for name, address in jobs.items()
        ],
    }


@contextlib.asynccontextmanager
async def start_prometheus(addresses: Addresses, rules: Sequence[str] = RULES) -> AsyncIterator[Prometheus]:
    """One that is ready and will scrape a receiver at these addresses. Raises StartError."""
    program = find_prometheus()
    (port,) = choose_ports((PORT,))
    with tempfile.TemporaryDirectory(prefix="aigw-demo-") as directory:
        config, log = Path(directory) / "prometheus.yaml", Path(directory) / "prometheus.log"
        config.write_text(yaml.safe_dump(build_configuration(addresses, rules)))
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(program, f"--config.file={config}", f"--storage.tsdb.path={directory}/data", *RETENTION),
                *(f"--web.listen-address={HOST}:{port}", "--log.level=warn"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C in the terminal must not end it before its rules are looked at.
                start_new_session=True,
            )
        try:
            url = f"http://{HOST}:{port}"
            await wait_until_ready(PROGRAM, process, f"{url}/-/ready", log)
            yield Prometheus(url)
        finally:
            await stop_process(process)


def parse_rules(document: Mapping[str, Any]) -> list[Rule]:
    """The rules in an answer of /api/v1/rules."""
    return [
        Rule(rule["name"], rule["type"], rule["health"], rule.get("lastError", ""))
        for group in document["data"]["groups"]
        for rule in group["rules"]
    ]


def render_rules(rules: Sequence[Rule]) -> list[str]:
    """The verdict on the rules, below those that failed."""
    failed = [rule for rule in rules if rule.health != OK]
    if not failed:
        kinds = Counter(rule.kind for rule in rules)
        return [
            f"Prometheus evaluated {kinds['recording']} recording rules and {kinds['alerting']} alerts, none failed"
        ]
    lines = [f"{rule.name}: {rule.error or 'not evaluated yet'}" for rule in failed[:SHOWN_FAILURES]]
    return [*lines, f"{len(failed)} of {len(rules)} rules of Prometheus failed"]
