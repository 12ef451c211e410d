"""A price book's file: read, read again when it changes, and kept when it becomes bad."""

import asyncio
import logging
import os
from pathlib import Path

import pytest

from aigw_receiver.core.access_logs.model import Tokens
from aigw_receiver.core.pricing import cost, names, reading
from aigw_receiver.core.pricing.book import Book, Match, Query
from aigw_receiver.core.pricing.cost import Priced
from aigw_receiver.core.pricing.reading import BookError
from aigw_receiver.shell import price_book
from aigw_receiver.shell.price_book import PriceBook

_TODAY = reading.date("", "2026-11-22")[1]


def _content(price: float, date: str = "2026-11-22") -> str:
    return f"date: {date}\nentries:\n  - {{models: [m], input: {price}, output: 2}}\n"


def _price(book: Book, model: str = "m") -> str:
    result = cost.price(book, Query(model, "", time=_TODAY), Tokens(1_000_000))
    return cost.usd_text(result.cost) if isinstance(result, Priced) else result.reason.value


def _read_and_adopt(prices: PriceBook) -> bool:
    book = prices.read()
    if book is not None:
        prices.adopt(book)
    return book is not None


def test_a_file_that_changes(tmp_path: Path) -> None:
    """A new price would wait for a restart, or a file that rests would be read as a new one."""
    file = tmp_path / "prices.yaml"
    file.write_text(_content(1))
    prices = PriceBook(file)
    assert "1.00" == _price(prices.book)
    assert not _read_and_adopt(prices)
    before = file.stat()
    file.write_text(_content(3))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # two edits in one tick of the clock
    assert _read_and_adopt(prices)
    assert "3.00" == _price(prices.book)


def test_a_config_map_is_swapped(tmp_path: Path) -> None:
    """A changed ConfigMap, which swaps the link to its directory, would not be noticed."""
    for number in (1, 2):
        directory = tmp_path / f"..version-{number}"
        directory.mkdir()
        (directory / "prices.yaml").write_text(_content(number))
    data = tmp_path / "..data"
    data.symlink_to("..version-1")
    (tmp_path / "prices.yaml").symlink_to("..data/prices.yaml")
    prices = PriceBook(tmp_path / "prices.yaml")
    assert "1.00" == _price(prices.book)
    (tmp_path / "..data_tmp").symlink_to("..version-2")
    (tmp_path / "..data_tmp").rename(data)
    assert _read_and_adopt(prices)
    assert "2.00" == _price(prices.book)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("entries: [", "the file: expected YAML, got: while parsing a flow node"),
        ("a: *b", "the file: expected YAML, got: found undefined alias 'b'"),
        ("date: !!python/object:os.system {}", "the file: expected YAML, got: could not determine a constructor"),
        ("[" * 1_000, "the file: expected YAML, got: maximum recursion depth exceeded"),
        ("date: 2026-01-01\nentries:\n  - {models: [m], input: 1, input: 2}", "line 3: the key 'input' stands twice"),
        ("", "the price book: expected entries (our format)"),
        (_content(-1), "entries[0].input: expected a price per million tokens from 0 to 1000000, got -1"),
        ("#" * (2 << 20), "the file: expected at most 1048576 bytes"),
    ],
    ids=["cut off", "alias", "object", "deep", "twice", "empty", "negative", "large"],
)
def test_a_bad_file_keeps_the_old_book(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str, expected: str
) -> None:
    """One mistake would take away all prices, or say nothing, or say it again and again."""
    file = tmp_path / "prices.yaml"
    file.write_text(_content(1))
    prices = PriceBook(file)
    file.write_text(content)
    with caplog.at_level(logging.ERROR):
        assert [False, False] == [_read_and_adopt(prices), _read_and_adopt(prices)]
    assert ["the price book cannot be used; the one before stays in use"] == [
        record.message for record in caplog.records
    ]
    assert expected == prices.error[: len(expected)]
    assert "1.00" == _price(prices.book)
    file.write_text(_content(5))
    assert _read_and_adopt(prices)
    assert ("5.00", "") == (_price(prices.book), prices.error)


def test_a_file_that_goes_and_comes_back(tmp_path: Path) -> None:
    """A file that is away for a moment would end the prices, or not be taken when it is back as it was."""
    file = tmp_path / "prices.yaml"
    file.write_text(_content(1))
    prices = PriceBook(file)
    file.unlink()
    assert not _read_and_adopt(prices)
    assert ("1.00", "cannot be read: No such file or directory") == (_price(prices.book), prices.error)
    file.write_text(_content(1))
    assert _read_and_adopt(prices)
    assert "" == prices.error


def test_without_a_good_book_nothing_has_a_price(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the user's first book is bad, list prices would be shown as if they were the user's."""
    file = tmp_path / "prices.yaml"
    file.write_text("nothing")
    prices = PriceBook(file)
    assert "unknown_model" == _price(prices.book, "gpt-4.1")
    assert ["the price book cannot be used; nothing has a price"] == [record.message for record in caplog.records]
    file.write_text(_content(1))
    assert _read_and_adopt(prices)
    assert "1.00" == _price(prices.book)


def test_extends_the_shipped_book(tmp_path: Path) -> None:
    """One negotiated price would need all other prices to be written down with it."""
    file = tmp_path / "prices.yaml"
    file.write_text(_content(1) + "extends: shipped\n")
    prices = PriceBook(file)
    assert ["1.00", "2.00"] == [_price(prices.book, model) for model in ("m", "gpt-4.1")]


async def test_follow(tmp_path: Path) -> None:
    """A changed file would not reach those who use the book."""
    file = tmp_path / "prices.yaml"
    file.write_text(_content(1))
    prices = PriceBook(file)
    changed: asyncio.Queue[Book] = asyncio.Queue()
    task = asyncio.create_task(price_book.follow(prices, changed.put_nowait, period=0.001))
    file.write_text(_content(2))
    book = await asyncio.wait_for(changed.get(), timeout=30)
    task.cancel()
    assert ("2.00", "1.00") == (_price(book), _price(prices.book))


# Prices of one million input tokens, and what was asked for: carried over by hand from the providers' pages.
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4.1-2025-04-14", "2.00"),
        ("gpt-4.1-mini", "0.40"),
        ("gpt-4o-2024-05-13", "5.00"),
        ("gpt-5-nano", "0.05"),
        ("gpt-5.4", "5.00"),
        ("gpt-5.6-luna", "0.40"),
        ("claude-opus-4-1-20250805", "15.00"),
        ("claude-3-haiku-20240307", "0.25"),
        ("claude-haiku-5-5", "0.50"),
        ("claude-sonnet-4-5@20250929", "6.00"),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "1.00"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "1.10"),
        ("gemini-2.5-pro", "2.50"),
        ("gemini-2.0-flash-001", "0.10"),
        ("amazon.nova-micro-v1:0", "0.035"),
        ("us.meta.llama3-3-70b-instruct-v1:0", "0.72"),
        ("text-embedding-3-small", "0.02"),
        ("command-r-08-2024", "0.15"),
        ("gpt-35-turbo", "0.50"),
        ("llama3.1", "unknown_model"),
        ("gpt-4.1-turbo", "unknown_model"),
        ("qwen2.5:0.5b", "unknown_model"),
    ],
)
def test_the_shipped_book(model: str, expected: str) -> None:
    """A common model would have no price, or another one's, in the book that comes with the receiver."""
    assert expected == _price(price_book.shipped_book(), model)


def test_the_shipped_book_is_sane() -> None:
    """A slip of the hand would stand in the book: dear cache reads, cheap output, a tier below its base."""
    book = price_book.shipped_book()
    assert "2026-11-22" == book.date
    for entry in book.entries:
        for rates in (entry.rates, *(tier.rates for tier in entry.tiers)):
            assert rates.input, entry.label
            assert rates.cached is None or 0 < rates.cached < rates.input, entry.label
            assert rates.creation is None or rates.input < rates.creation < 2 * rates.input, entry.label
            assert rates.output is None or rates.input <= rates.output <= 10 * rates.input, entry.label
        assert all(tier.rates.input > (entry.rates.input or 0) for tier in entry.tiers if tier.rates.input), entry.label
        assert all(len(names.forms(model)) for model in entry.models)
        assert isinstance(book.find(Query(entry.models[0], "", time=entry.begin or _TODAY)), Match)


def test_regions_of_bedrock_are_a_tenth_dearer() -> None:
    """A price of a region would have been worked out wrong, or have lost a tier or a date of the global one."""
    book = price_book.shipped_book()

    def prices(prefix: str, model: str) -> list[object]:
        entries = [entry for entry in book.entries if f"{prefix}{model}" in entry.models]
        tenth = 11 if prefix == "global.anthropic." else 10
        rates = [[entry.rates, *(tier.rates for tier in entry.tiers)] for entry in entries]
        each = [[tuple(rate * tenth for rate in one.each if rate) for one in per_entry] for per_entry in rates]
        return [[(entry.begin, entry.end, [tier.above for tier in entry.tiers]) for entry in entries], each]

    models = [
        name.removeprefix("us.anthropic.") for entry in book.entries for name in entry.models if name[:3] == "us."
    ]
    assert 14 == len(set(models))
    for model in models:
        for prefix in ("us.anthropic.", "eu.anthropic.", "anthropic."):
            assert prices("global.anthropic.", model) == prices(prefix, model), model


def test_yaml_dates_stay_text() -> None:
    """An unquoted date would be refused as no text."""
    assert "2026-11-22" == price_book.parse(_content(1).encode(), "test").date
    with pytest.raises(BookError, match="date: expected a date such as 2026-01-31, got '2026-11-31'"):
        price_book.parse(_content(1, "2026-11-31").encode(), "test")
