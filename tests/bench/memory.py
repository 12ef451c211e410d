"""Memory a series, and time, CPU and memory of scrapes, of our receiver and of the straightforward design."""

import contextlib
import statistics
from collections.abc import Sequence
from typing import Final

from bench import bodies, ingest, load, processes, report, scrape

POINTS: Final = 400
# The straightforward design with the fewest threads: what is measured here does not depend on them.
WORKERS: Final = 1
# Every series is sent so often before memory is read, so that what the second point of a series needs is there too.
PASSES: Final = 3
MOST_BYTES_A_SERIES: Final = 1200
SCRAPE_BAR: Final = 40.0
BAR_SERIES: Final = 100_000
# "No growth": what two chunks, their compressed form and the allocator's rounding may take, whatever the text's size.
MOST_GROWTH: Final = 8 << 20
SIZES: Final = (10_000, 100_000)
# A second of a machine that others use as well says little beside the minute that the straightforward design takes.
SCRAPES_OF_OURS: Final = 5
ENCODINGS: Final = ("identity", "gzip")
MEBIBYTE: Final = 1 << 20


def name(size: int, temporality: int) -> str:
    """The name by which `--only` finds the measurement."""
    return f"series-{ingest.TEMPORALITY_NAMES[temporality]}-{size // 1000}k"


class Filled:
    """Our receiver and the straightforward one, holding the same series."""

    def __init__(self, stack: contextlib.ExitStack, size: int, temporality: int) -> None:
        self.size = size
        self.temporality = temporality
        self.generator = stack.enter_context(load.Load(size, POINTS, temporality, core=processes.cores()[1]))
        self.ours = stack.enter_context(processes.receiver())
        self.plain = stack.enter_context(processes.straightforward(WORKERS))
        self.wrong: list[str] = []
        before = [server.memory() for server in self.servers]
        for _ in range(PASSES):
            self.generator.everything()
            for server in self.servers:
                complaints = self.generator.send(server.grpc).complaints
                self.wrong += [f"{server.name}: {complaint}" for complaint in complaints[:3]]
        after = [server.memory() for server in self.servers]
        self.bytes_a_series = [(end - begin) / size for begin, end in zip(before, after, strict=True)]
        self.resident = after

    @property
    def servers(self) -> list[processes.Server]:
        """Both servers."""
        return [self.ours, self.plain]

    def verify(self) -> None:
        """Compare what is shown with what was sent; the straightforward design's many series would take a minute."""
        expected = self.generator.totals()
        for server in self.servers if self.size < BAR_SERIES else [self.ours]:
            self.wrong += scrape.wrong_totals(server, expected)

    def memory_row(self) -> report.Row:
        """Bytes a series before any scrape; of few series what serving takes at all is too large a part for the bar."""
        ours, plain = self.bytes_a_series
        with_bar = self.size >= BAR_SERIES
        return report.Row(
            f"memory a series, {self.size} {ingest.TEMPORALITY_NAMES[self.temporality]} series",
            f"{ours:.0f} B (RSS {self.resident[0] / MEBIBYTE:.0f} MiB)",
            f"{plain:.0f} B (RSS {self.resident[1] / MEBIBYTE:.0f} MiB)",
            f"{plain / ours:.2f}x",
            f"<= {MOST_BYTES_A_SERIES} B" if with_bar else "",
            ours <= MOST_BYTES_A_SERIES if with_bar else None,
        )


def scraped_in_turn(filled: Filled, rounds: int) -> dict[tuple[str, str], list[scrape.Scrape]]:
    """By server and encoding, what each scrape took; gzip of the straightforward design only where it is short."""
    turns = [(filled.ours, encoding) for encoding in ENCODINGS]
    turns += [(filled.plain, encoding) for encoding in ENCODINGS[: 1 if filled.size >= BAR_SERIES else 2]]
    # A stream is shown to a new scraper at 0 first; a scrape like all others is the second one.
    scrape.scrape(filled.ours)
    taken: dict[tuple[str, str], list[scrape.Scrape]] = {}
    for _ in range(rounds):
        for server, encoding in turns:
            times = SCRAPES_OF_OURS if server is filled.ours else 1
            one = scrape.mean([scrape.scrape(server, encoding=encoding) for _ in range(times)])
            taken.setdefault((server.name, encoding), []).append(one)
    return taken


def scrape_rows(filled: Filled, taken: dict[tuple[str, str], list[scrape.Scrape]]) -> list[report.Row]:
    """Time, CPU and growth of memory of the scrapes."""
    against = filled.plain.name
    rows = []
    for encoding in ENCODINGS:
        ours = taken[filled.ours.name, encoding]
        # Where the baseline was not asked for gzip, its plain text is what there is to compare with.
        plain = taken.get((against, encoding), taken[against, ENCODINGS[0]])
        bar = SCRAPE_BAR if filled.size >= BAR_SERIES and encoding == ENCODINGS[0] else None
        label = f"scrape of {filled.size} series, {encoding}"
        for unit, field in (("s", "seconds"), ("s CPU", "cpu")):
            rows.append(
                report.compared(
                    label if field == "seconds" else f"{label}: CPU",
                    [getattr(each, field) for each in ours],
                    [getattr(each, field) for each in plain],
                    unit=unit,
                    against=against if (against, encoding) in taken else f"{against}, identity",
                    bar=bar if field == "seconds" else None,
                )
            )
        rows.append(growth_row(label, ours, plain))
    return rows


def growth_row(label: str, ours: Sequence[scrape.Scrape], plain: Sequence[scrape.Scrape]) -> report.Row:
    """How far memory rose during a scrape above its level before, at most."""
    growth = max(each.growth for each in ours)
    size = statistics.median(each.size for each in ours)
    return report.Row(
        f"{label}: memory",
        f"+{growth / MEBIBYTE:.1f} MiB ({size / MEBIBYTE:.1f} MiB sent)",
        f"+{max(each.growth for each in plain) / MEBIBYTE:.0f} MiB",
        "",
        f"<= {MOST_GROWTH // MEBIBYTE} MiB",
        growth <= MOST_GROWTH,
    )


def measure(size: int, temporality: int, rounds: int) -> tuple[list[report.Row], list[str]]:
    """Fill both servers, read their memory, scrape them in turn: lines of the table, and what was wrong.

    Cumulative series differ from delta ones in memory only, so that they are not scraped.
    """
    with contextlib.ExitStack() as stack:
        filled = Filled(stack, size, temporality)
        rows = [filled.memory_row()]
        if temporality == bodies.DELTA:
            rows += scrape_rows(filled, scraped_in_turn(filled, rounds))
        filled.verify()
        return rows, filled.wrong
