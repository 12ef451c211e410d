"""The rollup: a step over 100,000 series, what it keeps in memory of each, and readings of a large installation.

The straightforward design keeps a dictionary of numbers for each cell and adds every series to it in each step, by its
labels, which are read once. Both sides look at the same store; that they find the same is checked. Readings are those
of 200 gateways with 2,000 pods and 100 models each.
"""

import concurrent.futures
import ctypes
import gc
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aigw_receiver.core.gateways.window import MOST_TOP
from aigw_receiver.core.pricing import labels
from aigw_receiver.core.rollup.model import Cell, Distribution, Measure, Number, Totals, View
from aigw_receiver.core.store import Store
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.price_book import PriceBook
from aigw_receiver.shell.rollup import PERIOD, Rollup
from aigw_receiver.shell.rollup_store import RollupStore
from bench import bodies, report

STEP: Final = "rollup-step"
READ: Final = "rollup-read"
SERIES: Final = 100_000
POINTS: Final = 400
BAR: Final = 10.0
MOST_BYTES_A_SERIES: Final = 25
GATEWAYS, PODS, MODELS, TIMES = 200, 10, 100, 90
# Milliseconds; no answer of the API is to take more than 100.
MOST_OF_GATEWAYS, MOST_OF_MODELS = 20.0, 100.0
SECOND: Final = 1_000_000_000
NOW: Final = 1_800_000_000 * SECOND
DAY: Final = 86_400 * SECOND

Sums = dict[tuple[str, ...], list[float]]


class Filled:
    """A store of so many series, with its rollup in a directory."""

    def __init__(self, directory: Path, series: int) -> None:
        self.store = Store(NOW - DAY)
        self.fleet = bodies.Fleet(series, POINTS, temporality=bodies.DELTA, now=NOW)
        self.now = NOW
        telemetry = Telemetry()
        self.ingest = Ingest(self.store, telemetry, None)
        self.costs = Costs(self.ingest, PriceBook(None), None)
        self.kept = RollupStore(directory, size=256 << 20, retention=7 * DAY, telemetry=telemetry)
        self.rollup = Rollup(self.ingest, self.costs, self.kept)
        self.rollup.observe(self.now)
        for _ in range(2):
            self.everything()

    def everything(self) -> None:
        """Every series gains something; its tokens are priced as they are each second."""
        self.now += PERIOD * SECOND
        for _, body in self.fleet.everything(self.now):
            self.store.export(body, self.now)
        with self.ingest.lock:
            self.costs.observe(self.now)

    def step(self) -> None:
        """A step of the rollup, with its write."""
        self.rollup.observe(self.now)

    def durations(self) -> Sums:
        """Counts and sum of the durations of every model."""
        cells = self.kept.cells(View.MODEL)
        readings = self.kept.read(cells, [self.kept.latest()])
        return {
            (cell.name, *cell.key): [*map(float, one.counts), one.sum]
            for cell, (totals,) in zip(cells, readings, strict=True)
            for one in totals.measures[Measure.DURATION]
        }


class Straightforward:
    """Numbers by cell, family and what a series counts, in dictionaries."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.read: dict[str, list[tuple[str, ...]]] = {}
        self.cells: Sums = {}

    def step(self) -> None:
        """Add every series to its cells."""
        self.cells = {}
        for name, family in self.store.families.items():
            for rows in family.layouts.values():
                for row, text in enumerate(rows.labels):
                    if text is not None:
                        values = [*map(float, rows.counts[row].tolist()), float(rows.values[row])]
                        for cell in self.read.get(text) or self._read(text):
                            known = self.cells.setdefault((name, *cell), [0.0] * len(values))
                            for place, value in enumerate(values):
                                known[place] += value

    def _read(self, text: str) -> list[tuple[str, ...]]:
        found = labels.parse(text)
        gateway, kind = found["gateway_name"], found.get("gen_ai_token_type", "")
        provider, model = found["gen_ai_provider_name"], found["gen_ai_response_model"]
        cells = [(gateway,), (gateway, "pod", found["gateway_pod"]), (gateway, provider), (gateway, provider, model)]
        self.read[text] = [(*cell, kind) for cell in cells]
        return self.read[text]

    def durations(self) -> Sums:
        """Counts and sum of the durations of every model."""
        name = bodies.METRICS[1].family
        return {
            key[1:4]: values
            for key, values in self.cells.items()
            if key[0] == name and len(key) == 5 and key[2] != "pod"
        }


def timed(do: Callable[[], object]) -> float:
    """Milliseconds of processor time."""
    begin = time.process_time()
    do()
    return (time.process_time() - begin) * 1e3


def resident() -> int:
    """Bytes of resident memory, once what is free has been given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def memory(series: int) -> float:
    """Bytes a series that the rollup takes; in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        filled = Filled(Path(directory), series)
        filled.everything()
        before = resident()
        for _ in range(3):
            filled.now += PERIOD * SECOND
            filled.step()
        return (resident() - before) / series


def measure_step(rounds: int, series: int = SERIES) -> tuple[list[report.Row], list[str]]:
    """Time of a step, in interleaved rounds, and memory."""
    with tempfile.TemporaryDirectory() as directory:
        filled = Filled(Path(directory), series)
        plain = Straightforward(filled.store)
        filled.step()
        plain.step()
        ours, theirs, held = list[float](), list[float](), list[float]()
        for _ in range(rounds):
            filled.everything()
            ours.append(timed(filled.step))
            theirs.append(timed(plain.step))
            reading = filled.rollup._reading  # noqa: SLF001 - the part that is done under the lock of the store
            held.append(timed(lambda: reading.step(filled.store, filled.now)))  # noqa: B023 - called at once
        wrong = [] if filled.durations() == plain.durations() else [f"{STEP}: the totals differ"]
    label = f"sums of the rollup, {series} series"
    rows = [report.compared(label, held, theirs, unit="ms CPU", against="straightforward", bar=BAR)]
    rows.append(report.Row("a whole step, with its write", f"{min(ours):.3g} ms CPU"))
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        taken = pool.submit(memory, series).result()
    bar = f"<= {MOST_BYTES_A_SERIES} B"
    rows.append(
        report.Row("memory of the rollup, a series", f"{taken:.1f} B", "", "", bar, taken <= MOST_BYTES_A_SERIES)
    )
    return rows, wrong


def totals(count: int) -> Totals:
    """Totals of a busy cell: four numbers of tokens, cost, three measures with eight buckets each."""
    measures: dict[Measure, tuple[Distribution, ...]] = {
        measure: (
            Distribution(
                metric.bounds,
                tuple(count * 7 * (2 < place < 11) for place in range(len(metric.bounds) + 1)),
                count * 1.37,
            ),
        )
        for measure, metric in zip(Measure, bodies.METRICS[1:], strict=False)
    }
    numbers: dict[Number, float] = {
        Number.INPUT: count * 1000,
        Number.OUTPUT: count * 100,
        Number.CACHED_INPUT: count * 500,
        Number.REASONING: count * 10,
        Number.COST: count * 0.0123,
    }
    return Totals(numbers, measures)


def large(directory: Path) -> RollupStore:
    """A store of all cells of a large installation, and so many steps of two views."""
    kept = RollupStore(directory, size=1 << 30, retention=7 * DAY, telemetry=Telemetry())
    for number in range(GATEWAYS):
        gateway = (f"ns{number % 10}", f"gateway-{number}")
        top = Cell(View.GATEWAY, *gateway, ())
        for pod in range(PODS):
            kept.known.walk((Cell(View.POD, *gateway, (f"pod-{pod}",)),))
        for model in range(MODELS):
            provider = bodies.PROVIDERS[model % len(bodies.PROVIDERS)]
            kept.known.walk(
                (top, Cell(View.PROVIDER, *gateway, (provider,)), Cell(View.MODEL, *gateway, (provider, f"m{model}")))
            )
    every = list(kept.known.numbers())
    some = [
        kept.known.find(cell) for cell in (*kept.cells(View.GATEWAY), *kept.cells(View.MODEL, ("ns0", "gateway-0")))
    ]
    for step in range(TIMES + 1):
        now = totals(step + 1)
        numbers = every if step % (TIMES // 2) == 0 else some
        kept.write(NOW + step * PERIOD * SECOND, numbers, lambda of: dict.fromkeys(of, now), is_all=False)  # noqa: B023
    return kept


def measure_read(rounds: int) -> tuple[list[report.Row], list[str]]:
    """Processor time of the readings behind the first page and behind a chart of as many models as it can have."""
    with tempfile.TemporaryDirectory() as directory:
        kept = large(Path(directory))
        times = [NOW + step * PERIOD * SECOND for step in range(1, TIMES + 1)]
        gateways, models = kept.cells(View.GATEWAY), kept.cells(View.MODEL, ("ns0", "gateway-0"))
        models = models[:MOST_TOP]
        first, chart = list[float](), list[float]()
        for _ in range(rounds):
            first.append(timed(lambda: kept.read(gateways, [times[0] - 1, times[-1]])))
            chart.append(timed(lambda: kept.read(models, times)))
        last = [one.numbers[Number.INPUT] for *_, one in kept.read(models, times)]
        wrong = [] if last == [1000.0 * (TIMES + 1)] * MOST_TOP else [f"{READ}: the totals differ"]
        size = len(kept.known)
        kept.close()
    return [
        _row(f"{len(gateways)} gateways at 2 times, of {size} cells", first, MOST_OF_GATEWAYS),
        _row(f"{len(models)} of {MODELS} models at {TIMES} times", chart, MOST_OF_MODELS),
    ], wrong


def _row(what: str, taken: list[float], most: float) -> report.Row:
    figure = f"{min(taken):.3g} ms CPU (median {statistics.median(taken):.3g})"
    return report.Row(f"reading {what}", figure, "", "", f"<= {most:g} ms", min(taken) <= most)
