"""`make bench`: what the receiver costs, as ratios to other designs that are measured in the same run.

Prints each figure as it is found and one table at the end. The exit status says whether every server gave the right
totals; it says nothing about speed, which depends on the machine.
"""

import argparse
import functools
import os
import platform
import sys
from collections.abc import Callable, Iterator

from bench import access_logs, access_logs_end_to_end, api, bodies, ingest, memory, page, processes, report, rollup

ROUNDS = 7
QUICK_ROUNDS = 3
# One scrape of 100,000 series takes the straightforward design half a minute.
SCRAPE_ROUNDS = {10_000: 5, 100_000: 2}
Measured = tuple[list[report.Row], list[str]]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--collector", metavar="PATH", help="an OpenTelemetry Collector to measure beside us")
    parser.add_argument("--rounds", type=int, help=f"interleaved rounds of a case (default {ROUNDS})")
    parser.add_argument("--only", metavar="NAME", default="", help="measure what has NAME in its name; see --list")
    parser.add_argument("--quick", action="store_true", help="three rounds, and nothing of 100,000 series")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    return parser.parse_args()


def measurements(options: argparse.Namespace) -> Iterator[Measured]:
    """Run what was asked for, piece by piece; a server that fails costs its piece and no other."""
    for name, measure in pieces(options):
        if options.only in name:
            try:
                yield measure()
            except (RuntimeError, OSError) as error:
                yield [], [f"{name}: {error}"]


def pieces(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], Measured]]]:
    """By name, everything that can be measured with these options."""
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    points = ingest.QUICK_ROUND_POINTS if options.quick else ingest.ROUND_POINTS
    for case in ingest.CASES:
        yield (
            case.name,
            functools.partial(ingest.measure, case, rounds, round_points=points, collector=options.collector),
        )
    yield access_logs.NAME, functools.partial(access_logs.measure, rounds)
    yield access_logs_end_to_end.NAME, functools.partial(access_logs_end_to_end.measure, rounds)
    yield rollup.STEP, functools.partial(rollup.measure_step, rounds)
    yield rollup.READ, functools.partial(rollup.measure_read, rounds)
    yield api.NAME, functools.partial(api.measure, rounds)
    yield page.NAME, functools.partial(page.measure, rounds)
    for temporality in (bodies.DELTA, bodies.CUMULATIVE):
        for size in memory.SIZES:
            if size < memory.BAR_SERIES or not options.quick:
                scrapes = min(rounds, SCRAPE_ROUNDS[size])
                yield memory.name(size, temporality), functools.partial(memory.measure, size, temporality, scrapes)


def main() -> int:
    """Measure, and print."""
    options = arguments()
    if options.list:
        print("\n".join(name for name, _ in pieces(options)))
        return 0
    os.sched_setaffinity(0, processes.cores()[1])
    load = os.getloadavg()[0]
    where = f"Python {platform.python_version()}, {len(processes.ALL_CORES)} cores, {platform.machine()}"
    print(f"{where}; load average before the start {load:.1f}: above 1, believe the ratios only", flush=True)
    rows: list[report.Row] = []
    wrong: list[str] = []
    for measured, complaints in measurements(options):
        rows += measured
        wrong += complaints
        for row in measured:
            print("; ".join(cell for cell in row.cells() if cell), flush=True)
    print(f"\n{report.table(rows)}")
    for complaint in wrong:
        print(f"WRONG: {complaint}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
