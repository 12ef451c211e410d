"""The series of cost of a running receiver: priced once, 0 first, kept over a restart, and told when a book is bad."""

import itertools
import os
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest
from prometheus_client import parser

import otlp_messages as otlp
from aigw_receiver.core.exposition import TEXT
from aigw_receiver.core.store import Store
from aigw_receiver.shell.costs import Costs
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.journal import Journal
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.price_book import PriceBook
from gateway_captures import metrics_since
from otlp_messages import CUMULATIVE, NOW, SECOND
from receiver_program import Ports, Receiver, start_receiver

_CAPTURES: Final = Path(__file__).parents[2] / "captures"
_FAMILIES: Final = {"gen_ai_estimated_cost_usd": "cost", "gen_ai_unpriced_tokens": "unpriced"}
_DEADLINE_SECONDS: Final = 60.0

_BOOK: Final = """
date: 2023-11-14
entries:
  - {models: [gpt-5-nano], input: 0.05, cached: 0.005, output: 0.4}
"""

# Five chats of 2006 input (1920 of them cached) and 300 output tokens (128 of them reasoning), at 0.05, 0.005 and 0.40
# USD a million. For the other models, one chat like these among them, the book has no price.
_TRAFFIC: Final = {
    "cost gpt-5-nano input": 2.15e-05,
    "cost gpt-5-nano cached_input": 4.8e-05,
    "cost gpt-5-nano cache_creation_input": 0.0,
    "cost gpt-5-nano output": 3.44e-04,
    "cost gpt-5-nano reasoning": 2.56e-04,
    "unpriced big input": 100_000.0,
    "unpriced big output": 3.0,
    "unpriced slow cached_input": 1920.0,
    "unpriced slow input": 86.0,
    "unpriced slow output": 172.0,
    "unpriced slow reasoning": 128.0,
    "unpriced small input": 31.0,
    "unpriced small output": 3.0,
    "unpriced text-embedding-3-small input": 9.0,
}


def _captures(temporality: str, began: int) -> list[bytes]:
    """What a real gateway sent, as if it had begun at `began`: what is older than the receiver is not priced."""
    return [request.SerializeToString() for request in metrics_since(temporality, began)]


def _tokens(began: int, at: int, **sums: int) -> bytes:
    """Cumulative tokens of one stream of the model gpt-5-nano for each kind."""
    points = [
        otlp.buckets(
            (0, 1, 0),
            total,
            {"gen_ai.request.model": "gpt-5-nano", "gen_ai.token.type": kind},
            start=began,
            time=began + at * SECOND,
        )
        for kind, total in sums.items()
    ]
    return otlp.export(otlp.histogram(*points, unit="token", temporality=CUMULATIVE))


def _send(receiver: Receiver, body: bytes) -> None:
    request = urllib.request.Request(
        f"{receiver.otlp_http}/v1/metrics", data=body, headers={"Content-Type": "application/x-protobuf"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        assert b"" == response.read()


def _costs(text: str) -> dict[str, float]:
    """The samples of cost in an exposition in 0.0.4, by family, model and kind of token."""
    return {
        f"{_FAMILIES[family.name]} {sample.labels['gen_ai_request_model']} {sample.labels['gen_ai_token_type']}": (
            sample.value
        )
        for family in parser.text_string_to_metric_families(text)
        if family.name in _FAMILIES
        for sample in family.samples
    }


def _wait(holds: Callable[[], bool]) -> None:
    """Return once something holds."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(name="book")
def _book(tmp_path: Path) -> Path:
    """The file of a price book."""
    file = tmp_path / "prices.yaml"
    file.write_text(_BOOK)
    return file


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_what_a_real_gateway_sent(temporality: str, book: Path) -> None:
    """A token is not priced, or twice; or a scraper is shown a new series at its value, and loses it."""
    with start_receiver(config={"prices": {"file": str(book)}}) as receiver:
        assert {} == _costs(receiver.scrape(scraper="one"))
        for body in _captures(temporality, time.time_ns()):
            _send(receiver, body)
        assert pytest.approx(_TRAFFIC, rel=1e-12) == _costs(receiver.scrape())
        assert dict.fromkeys(_TRAFFIC, 0.0) == _costs(receiver.scrape(scraper="one"))
        assert pytest.approx(_TRAFFIC, rel=1e-12) == _costs(receiver.scrape(scraper="one"))
        openmetrics = receiver.scrape(openmetrics=True, scraper="one")
        assert 0 == receiver.stop()
    assert openmetrics.endswith("# EOF\n")
    assert 1 == openmetrics.count("# TYPE gen_ai_estimated_cost_usd counter\n")


@pytest.mark.parametrize("end", [Receiver.stop, Receiver.kill], ids=["SIGTERM", "SIGKILL"])
def test_a_restart_neither_loses_nor_doubles(end: Callable[[Receiver], object], book: Path, tmp_path: Path) -> None:
    """After a restart a counter falls, begins anew, is 0 once more, or counts what it had counted."""
    config = {"prices": {"file": str(book)}, "expiry": {"minimum_interval": "1h"}}
    ports, bodies = Ports.free(), list[bytes]()
    shown = []
    for part in (slice(0, 3), slice(3, 5), slice(5, None)):
        with start_receiver(config=config, data_dir=tmp_path / "data", ports=ports) as receiver:
            bodies = bodies or _captures("cumulative", time.time_ns())
            shown += [_costs(receiver.scrape(scraper="one"))]
            for body in bodies[part]:
                _send(receiver, body)
            shown += [_costs(receiver.scrape(scraper="one")) for _ in range(2)]
            end(receiver)
    assert {} == shown[0]
    assert {0.0} == set(shown[1].values())
    for before, after in ((2, 3), (5, 6)):
        assert shown[before] == shown[after]
    for earlier, later in itertools.pairwise(shown):
        assert all(value <= later[key] for key, value in earlier.items())
    assert pytest.approx(_TRAFFIC, rel=1e-12) == shown[-1]


def test_a_price_that_changes(book: Path) -> None:
    """A new price waits for a restart or changes what was counted before, or a bad file takes all prices away."""
    key = "cost gpt-5-nano input"
    config = {"prices": {"file": str(book)}, "expiry": {"minimum_interval": "1h"}}
    with start_receiver(config=config) as receiver:
        began = time.time_ns()
        _send(receiver, _tokens(began, 1, input=1_000_000))
        assert {key: 0.05} == _costs(receiver.scrape())
        _send(receiver, _tokens(began, 2, input=2_000_000))
        _replace(book, _BOOK.replace("0.05", "7"))
        _wait(lambda: "prices changed" in receiver.log.read_text())
        assert {key: 0.1} == _costs(receiver.scrape())
        _send(receiver, _tokens(began, 3, input=3_000_000))
        assert {key: 7.1} == _costs(receiver.scrape())
        assert "aigw_receiver_price_book_current 1.0\n" in receiver.own_metrics()
        _replace(book, "date: 2023-11-14\nentries: none")
        _wait(lambda: "aigw_receiver_price_book_current 0.0\n" in receiver.own_metrics())
        _send(receiver, _tokens(began, 4, input=4_000_000))
        assert {key: 14.1} == _costs(receiver.scrape())
        log = receiver.log.read_text()
        assert 0 == receiver.stop()
    (line,) = (line for line in log.splitlines() if "the price book cannot be used" in line)
    assert "the one before stays in use" in line
    assert "entries: expected" in line


def _replace(file: Path, text: str) -> None:
    """Change a file at once, so that no half of it is read."""
    temporary = file.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(file)


def test_names_of_ours_are_refused() -> None:
    """A metric of a sender is shown under the name of a family of ours, twice in one exposition."""
    store = Store(NOW - 60 * SECOND)
    for name in ("gen_ai.estimated_cost_usd", "gen_ai.unpriced_tokens", "gen_ai.estimated_cost_usd_created"):
        outcome = store.export(otlp.export(otlp.counter(otlp.number(1), name=name, monotonic="_c" not in name)), NOW)
        assert ["type_conflict"] == [reason.value for reason in outcome.rejected]


class _Run:
    """One run of a receiver on a data directory, without its listeners."""

    def __init__(self, directory: Path, book: Path) -> None:
        telemetry = Telemetry()
        self.journal = Journal(directory, telemetry, max_size=1 << 20)
        self.store = self.journal.restore(lambda: Store(NOW - 60 * SECOND), NOW)
        self.ingest = Ingest(self.store, telemetry, self.journal)
        self.prices = PriceBook(book)
        self.costs = Costs(self.ingest, self.prices, self.journal)

    def count(self, at: int, **sums: int) -> None:
        """Take in token sums by kind, and price them."""
        assert not self.ingest.export_metrics(_tokens(NOW, at, **sums), "http").rejected
        self.costs.observe(NOW)

    def scrape(self) -> Mapping[str, float]:
        """What a scraper is shown once everything is open."""
        self.costs.open(NOW + 3600 * SECOND)
        return _costs(b"".join(self.costs.render(TEXT, to_scraper=True)).decode())


def test_a_disk_that_was_full(book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was shown while the journal could not be written is lost, and a counter falls after the restart."""
    run = _Run(tmp_path / "data", book)
    run.count(1, input=1_000_000, cached_input=1_000_000)
    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", lambda *_: 0)
        before = run.scrape()
    run.costs.open(NOW)
    book.write_text(_BOOK.replace("0.005", "5"))
    again = _Run(tmp_path / "data", book)
    again.costs.observe(NOW)
    assert {"cost gpt-5-nano input": 0.0, "cost gpt-5-nano cached_input": 0.005} == before
    assert before == again.scrape()


def test_looks_while_the_disk_was_full(book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was priced while the journal could not be written is priced by later prices after a restart."""
    run = _Run(tmp_path / "data", book)
    run.count(1, input=1_000_000)
    assert not run.ingest.export_metrics(_tokens(NOW, 2, input=2_000_000), "http").rejected
    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", lambda *_: 0)
        run.costs.observe(NOW)
    run.costs.observe(NOW)
    book.write_text(_BOOK.replace("0.05", "5"))
    again = _Run(tmp_path / "data", book)
    assert {"cost gpt-5-nano input": 0.1} == run.scrape() == again.scrape()


def test_a_snapshot_and_what_follows(book: Path, tmp_path: Path) -> None:
    """What a snapshot says of cost is lost, or what was priced after it is priced by other prices."""
    first = _Run(tmp_path / "data", book)
    first.count(1, input=1_000_000)
    first.journal.close(first.store)
    second = _Run(tmp_path / "data", book)
    second.count(2, input=2_000_000)
    book.write_text(_BOOK.replace("0.05", "5"))
    third = _Run(tmp_path / "data", book)
    assert {"cost gpt-5-nano input": 0.1} == third.scrape()


def test_costs_of_another_version(book: Path, tmp_path: Path) -> None:
    """A journal with costs of a later version keeps the receiver from starting, or is thrown away in silence."""
    run = _Run(tmp_path / "data", book)
    run.count(1, input=1_000_000)
    run.journal.append_costs({"version": 99}, NOW)
    again = _Run(tmp_path / "data", book)
    again.costs.observe(NOW)
    assert {"cost gpt-5-nano input": 0.05} == again.scrape()
    assert 1 == len(list((tmp_path / "data").glob("journal-*.bin.damaged")))
