"""CPU time of the servers for a data point, end to end over gRPC, in interleaved rounds of the same bodies."""

import contextlib
import dataclasses
from typing import Final

from bench import bodies, load, processes, report, scrape

# Worker threads of the straightforward design: what one takes without thinking, and what suits the interpreter's lock.
WORKERS: Final = (4, 1)
# Enough for a round of the fastest server to take some tens of milliseconds, and a hundred calls at least.
ROUND_POINTS: Final = 40_000
QUICK_ROUND_POINTS: Final = 20_000
# Rounds before the measurement; the last of them decides which straightforward server is the baseline.
WARM_UP: Final = 2
# Before so many calls the Collector's garbage collector has not shown its cost.
COLLECTOR_CALLS: Final = 1_000
BARS: Final = {400: 5.0, 80: 3.5}
COLLECTOR_BARS: Final = {bodies.CUMULATIVE: 2.5, bodies.DELTA: 4.0}
TEMPORALITY_NAMES: Final = {bodies.CUMULATIVE: "cumulative", bodies.DELTA: "delta"}


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """What is sent: so many series, so many points a request, with one temporality."""

    series: int
    points: int
    temporality: int

    @property
    def name(self) -> str:
        """The name by which `--only` finds the case."""
        return f"ingest-{TEMPORALITY_NAMES[self.temporality]}-{self.series // 1000}k-{self.points}"


CASES: Final = tuple(
    Case(series, points, temporality)
    for temporality in (bodies.DELTA, bodies.CUMULATIVE)
    for series in (1_000, 10_000)
    for points in (80, 400)
)
# The case that the Collector takes part in.
COLLECTOR_CASE: Final = (10_000, 400)


class Rounds:
    """The rounds of one case: what was spent by each server, and what went wrong."""

    def __init__(self, case: Case, generator: load.Load) -> None:
        self.case = case
        self.generator = generator
        self.wrong: list[str] = []
        self.microseconds: dict[str, list[float]] = {}

    def send(self, server: processes.Server) -> float:
        """Send the present batch to a server: its CPU seconds."""
        before = server.cpu()
        sent = self.generator.send(server.grpc)
        spent = server.cpu() - before
        self.wrong += [f"{server.name}: {complaint}" for complaint in sent.complaints[:3]]
        return spent

    def first_sight(self, servers: list[processes.Server]) -> dict[str, float]:
        """Send every series once: CPU microseconds a series, by server."""
        self.generator.everything()
        return {server.name: self.send(server) / self.case.series * 1e6 for server in servers}

    def round(self, servers: list[processes.Server], calls: int) -> None:
        """Make new bodies, send them to each server, and note what a point cost."""
        self.generator.exports(calls)
        for server in servers:
            cost = self.send(server) / (calls * self.case.points) * 1e6
            self.microseconds.setdefault(server.name, []).append(cost)

    def verify(self, servers: list[processes.Server]) -> None:
        """Compare each server's totals with what was sent."""
        expected = self.generator.totals()
        for server in servers:
            self.wrong += scrape.wrong_totals(server, expected)


def measure(case: Case, count: int, *, round_points: int, collector: str | None) -> tuple[list[report.Row], list[str]]:
    """Measure one case in `count` rounds: its lines of the table, and what was wrong."""
    calls = round_points // case.points
    with contextlib.ExitStack() as stack:
        generator = stack.enter_context(
            load.Load(case.series, case.points, case.temporality, core=processes.cores()[1])
        )
        rounds = Rounds(case, generator)
        ours = stack.enter_context(processes.receiver())
        plain = [stack.enter_context(processes.straightforward(workers)) for workers in WORKERS]
        others = []
        if collector and (case.series, case.points) == COLLECTOR_CASE:
            delta = case.temporality == bodies.DELTA
            others = [stack.enter_context(processes.collector(collector, delta=delta))]
        # Everyone gets every batch, or totals could not be compared; the slower of the plain ones stays behind.
        everyone = [ours, *plain, *others]
        first = rounds.first_sight(everyone)
        for _ in range(WARM_UP):
            rounds.round(everyone, calls)
        baseline = min(plain, key=lambda server: rounds.microseconds[server.name][-1])
        if others:
            for _ in range(COLLECTOR_CALLS // calls):
                rounds.round([ours, baseline, *others], calls)
        rounds.microseconds.clear()
        for _ in range(count):
            rounds.round([ours, baseline, *others], calls)
        rounds.verify([ours, baseline, *others])
    return rows(case, rounds.microseconds, first, baseline.name), rounds.wrong


def rows(case: Case, spent: dict[str, list[float]], first: dict[str, float], baseline: str) -> list[report.Row]:
    """The lines of a case: the steady state, the first sight of many series, and the Collector where it took part."""
    ours = spent["receiver"]
    lines = [
        report.compared(case.name, ours, spent[baseline], unit="us/point", against=baseline, bar=BARS[case.points])
    ]
    if case.series == max(each.series for each in CASES) and case.points == max(BARS):
        name = f"first sight of {case.series} series, {TEMPORALITY_NAMES[case.temporality]}"
        lines.append(
            report.compared(name, [first["receiver"]], [first[baseline]], unit="us/series", against=baseline, bar=None)
        )
    if "collector" in spent:
        bar = COLLECTOR_BARS[case.temporality]
        name = f"collector-{case.name}"
        lines.append(report.compared(name, ours, spent["collector"], unit="us/point", against="collector", bar=bar))
    return lines
