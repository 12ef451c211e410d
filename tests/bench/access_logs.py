"""CPU time of a log record in process: from the bytes of a request to what is dropped, counted, and written as JSON.

Requests of 20 records with 26 attributes, written as Envoy writes them; 1 of 20 concerns a rule. Both designs apply the
same rules and count the same things (requests, decisions, tokens); that they decided and counted alike is checked. Ours
is the whole intake as a server has it, but for the threads of its sinks.
"""

import time
from typing import Final

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from prometheus_client.parser import text_string_to_metric_families

from aigw_receiver.core import exposition
from aigw_receiver.core.access_logs import rule_settings
from aigw_receiver.core.store import Store
from aigw_receiver.shell.log_intake import LogIntake
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.sinks.base import Sink
from bench import log_bodies, report
from bench.straightforward_logs import FAMILIES, SLOW, Straightforward

NAME: Final = "access-logs-in-process"
BAR: Final = 6.0
# Each round has new numbers, ids and addresses, as traffic has; before the first one, memos fill.
REQUESTS: Final = 400
WARM_UP: Final = 4

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Lines(Sink):
    """A sink that only counts what it is given."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.count = 0
        super().__init__("lines", telemetry.sink_records)

    def put(self, line: bytes) -> None:  # noqa: ARG002
        """Count a line."""
        self.count += 1

    def write(self, lines: list[bytes]) -> int:
        """Nothing comes here."""
        return len(lines)


class Ours:
    """The receiver's intake."""

    def __init__(self) -> None:
        # The straightforward design learns no thresholds, so that both have the same rules.
        slow = rule_settings.Slow(adaptive=False, llm=int(SLOW) * 1_000_000)
        telemetry = Telemetry()
        self.sink = Lines(telemetry)
        settings = rule_settings.RuleSettings(slow=slow)
        self.intake = LogIntake(Store(log_bodies.NOW), telemetry, None, settings=settings, sinks=[self.sink])

    def export(self, body: bytes) -> None:
        """Take one export."""
        self.intake.take(body, log_bodies.NOW)

    def settle(self) -> None:
        """What a server does every second."""
        self.intake.settle(log_bodies.NOW)

    def samples(self) -> Samples:
        """What the counters show."""
        self.intake.publish(log_bodies.NOW)
        return samples(b"".join(self.intake.render(exposition.TEXT, None)).decode())

    def tokens(self) -> dict[tuple[str, ...], tuple[int, int]]:
        """Input and output tokens by gateway and model."""
        return {key: (counts.input, counts.output) for key, counts in self.intake.logged.items()}


class Plain:
    """The straightforward design."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.intake = Straightforward(self.lines.append)

    def export(self, body: bytes) -> None:
        """Take one export."""
        self.intake.Export(logs_service_pb2.ExportLogsServiceRequest.FromString(body), None)

    def settle(self) -> None:
        """Nothing waits."""

    def samples(self) -> Samples:
        """What was counted."""
        return {
            (f"{name}_total", frozenset(zip(FAMILIES[name], values, strict=True))): count
            for name, counter in self.intake.counts.items()
            for values, count in counter.items()
        }

    def tokens(self) -> dict[tuple[str, ...], tuple[int, int]]:
        """Input and output tokens by gateway and model."""
        given, answered = self.intake.tokens.values()
        return {key: (int(given[key]), int(answered[key])) for key in given}


def samples(text: str) -> Samples:
    """The counters of an exposition that both designs have."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        if family.name in FAMILIES
        for sample in family.samples
    }


def measure(rounds: int) -> tuple[list[report.Row], list[str]]:
    """Measure in interleaved rounds of the same requests: the line of the table, and what was wrong."""
    plain, ours = Plain(), Ours()
    costs: dict[str, list[float]] = {"plain": [], "ours": []}
    for number in range(WARM_UP + rounds):
        bodies = list(log_bodies.requests(number, REQUESTS))
        for name, design in (("plain", plain), ("ours", ours)):
            begin = time.process_time()
            for body in bodies:
                design.export(body)
            design.settle()
            cost = (time.process_time() - begin) / (REQUESTS * log_bodies.RECORDS) * 1e6
            if number >= WARM_UP:
                costs[name].append(cost)
    row = report.compared(NAME, costs["ours"], costs["plain"], unit="us/record", against="straightforward", bar=BAR)
    return [row], wrong(plain, ours)


def wrong(plain: Plain, ours: Ours) -> list[str]:
    """What the two designs did not agree on."""
    complaints = []
    if plain.samples() != ours.samples():
        complaints.append(f"{NAME}: the counts differ")
    if {key: sums for key, sums in ours.tokens().items() if any(sums)} != plain.tokens():
        complaints.append(f"{NAME}: the tokens differ")
    if len(plain.lines) != ours.sink.count:
        complaints.append(f"{NAME}: {len(plain.lines)} records were kept by one design, {ours.sink.count} by the other")
    return complaints
