"""`aigw-receiver price MODEL` explains a price."""

import argparse
from pathlib import Path

import pytest

from aigw_receiver.shell import price_command

_BOOK = """\
date: 2026-11-22
entries:
  - {models: [claude-x], input: 3, cached: 0.3, creation: 3.75, output: 15,
     tiers: [{above: 200000, input: 6, cached: 0.6, creation: 7.5, output: 22.5}]}
  - {models: [luna], from: 2026-07-30, input: 0.2, output: 1.2}
  - {models: [embedding], input: 0.02}
"""
_SKYWALKING = "providers: [{provider: openai, prefix-match: [gpt], models: []}]"


@pytest.fixture
def book(tmp_path: Path) -> str:
    """The path of a price book."""
    path = tmp_path / "prices.yaml"
    path.write_text(_BOOK)
    return str(path)


def _run(*arguments: str) -> tuple[str, int]:
    parser = argparse.ArgumentParser()
    price_command.add_arguments(parser)
    return price_command.run(parser.parse_args(arguments))


def test_a_sum(book: str) -> None:
    """The command would not show what the cost is made of."""
    text, status = _run(
        "anthropic.claude-x-20250101-v1:0", "--book", book, "--input", "10000", "--cached", "5000",
        "--creation", "4000", "--output", "1000", "--reasoning", "400",
    )  # fmt: skip
    assert 0 == status
    expected = f"""\
book                  {book}, 2026-11-22
model                 anthropic.claude-x-20250101-v1:0
entry                 entries[0] (claude-x)
found by              answered model, exact name 'claude-x' without Bedrock vendor, Bedrock version, date
tier                  base
input                 1000 x 3.00 / 1M = 0.003 USD
cached_input          5000 x 0.30 / 1M = 0.0015 USD
cache_creation_input  4000 x 3.75 / 1M = 0.015 USD
output                600 x 15.00 / 1M = 0.009 USD
reasoning             400 x 15.00 / 1M = 0.006 USD
cost                  0.0345 USD
"""
    assert expected == text


def test_a_tier_and_a_note(book: str) -> None:
    """The command would hide that a tier was used, or that counts contradict each other."""
    text, status = _run("claude-x", "--book", book, "--input", "200001", "--cached", "200002")
    assert 0 == status
    assert text.splitlines()[4:] == [
        "tier                  above 200000 input tokens",
        "cached_input          200002 x 0.60 / 1M = 0.1200012 USD",
        "note                  more cached and written tokens than input: no token was charged as plain input",
        "cost                  0.1200012 USD",
    ]


def test_prices_only(book: str) -> None:
    """Without counts the command would show no prices."""
    text, status = _run("claude-x", "--book", book)
    assert 0 == status
    assert text.splitlines()[4:] == [
        "prices                input 3.00, cached_input 0.30, cache_creation_input 3.75, output 15.00, reasoning 15.00",
        "above 200000          input 6.00, cached_input 0.60, cache_creation_input 7.50, output 22.50, reasoning 22.50",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected", "status"),
    [
        (("claude-y",), "unpriced              no entry for 'claude-y' (unknown_model)", 1),
        (
            ("luna", "--at", "2026-07-29"),
            "unpriced              entries[1] (luna) knows 'luna', but not at that date (not_in_force)",
            1,
        ),
        (("luna", "--at", "2026-07-30", "--input", "10"), "cost                  0.000002 USD", 0),
        (
            ("embedding", "--input", "1", "--output", "1"),
            "unpriced              entries[2] (embedding) has no price for output tokens (no_rate)",
            1,
        ),
        (("claude-x", "--cached", "1"), "unpriced              give --input or --output", 2),
        (("luna", "--at", "soon"), "--at: expected a date such as 2026-01-31, got 'soon'", 2),
    ],
)
def test_other_answers(book: str, arguments: tuple[str, ...], expected: str, status: int) -> None:
    """Whoever asks would not be told why there is no price, and a script could not tell by the status."""
    text, answered = _run(*arguments, "--book", book)
    assert (expected, status) == (text.splitlines()[-1], answered)


def test_the_provider_of_a_prefix(tmp_path: Path) -> None:
    """SkyWalking's prefix-match would not be shown where a model has no price."""
    path = tmp_path / "gen-ai-config.yml"
    path.write_text(_SKYWALKING)
    text, status = _run("gpt-9", "--book", str(path))
    assert 1 == status
    expected = ["provider              openai", "unpriced              no entry for 'gpt-9' (unknown_model)"]
    assert expected == text.splitlines()[2:]


def test_bad_books(tmp_path: Path) -> None:
    """A file that is missing or wrong would end in a traceback."""
    missing = tmp_path / "missing.yaml"
    assert (f"{missing}: cannot be read: No such file or directory\n", 2) == _run("m", "--book", str(missing))
    bad = tmp_path / "bad.yaml"
    bad.write_text("entries: 1\ndate: 2026-01-01")
    assert (f"{bad}: entries: expected a list of entries, got 1\n", 2) == _run("m", "--book", str(bad))


def test_the_shipped_book_is_the_default() -> None:
    """Without a book of their own, users would be told nothing."""
    text, status = _run("gpt-4.1", "--input", "1000", "--output", "500", "--at", "2026-11-22")
    assert (0, "cost                  0.006 USD") == (status, text.splitlines()[-1])


def test_counts_are_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """A count that is no number would be taken for 0."""
    with pytest.raises(SystemExit):
        _run("m", "--input", "-1")
    assert "expected a number of tokens, got '-1'" in capsys.readouterr().err
