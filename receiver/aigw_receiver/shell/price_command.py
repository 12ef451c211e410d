"""`aigw-receiver price MODEL`: which entry of a price book matches, how it was found, and the sum."""

import argparse
import time
from pathlib import Path
from typing import Final

from aigw_receiver.core.access_logs.model import Tokens
from aigw_receiver.core.pricing import cost, reading
from aigw_receiver.core.pricing.book import Book, NoMatch, Query, Rates, TokenKind
from aigw_receiver.core.pricing.cost import Unpriced
from aigw_receiver.core.pricing.reading import BookError
from aigw_receiver.shell import price_book

_PRICED, _UNPRICED, _WRONG = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="the model, as the provider or the gateway calls it")
    parser.add_argument("--provider", default="", metavar="P", help="the API schema, such as openai or aws.bedrock")
    parser.add_argument("--backend", default="", metavar="B", help="the backend, as namespace/name")
    for name, text in (
        ("input", "input tokens, with those of the cache"),
        ("cached", "input tokens read from the cache"),
        ("creation", "input tokens written to the cache"),
        ("output", "output tokens, with those of reasoning"),
        ("reasoning", "output tokens of reasoning"),
    ):
        parser.add_argument(f"--{name}", type=_count, metavar="N", help=text)
    parser.add_argument("--at", metavar="DATE", help="the day of the request, YYYY-MM-DD in UTC (default: now)")
    parser.add_argument("--book", type=Path, metavar="FILE", help="a price book (default: the shipped one)")


def _count(text: str) -> int:
    if not text.isdecimal():
        message = f"expected a number of tokens, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def run(args: argparse.Namespace) -> tuple[str, int]:
    """What to print, and the exit status: 0 where there is a price, 1 where there is none, 2 for a wrong argument."""
    try:
        moment = time.time_ns() if args.at is None else reading.date("--at", args.at)[1]
    except BookError as error:
        return f"{error}\n", _WRONG
    try:
        book = _open(args.book)
    except BookError as error:
        return f"{args.book}: {error}\n", _WRONG
    except OSError as error:
        return f"{args.book}: cannot be read: {error.strerror or error}\n", _WRONG
    query = Query(args.model, "", args.provider, args.backend, moment)
    tokens = Tokens(args.input, args.cached, args.creation, args.output, args.reasoning)
    return explain(book, query, tokens)


def _open(path: Path | None) -> Book:
    shipped = price_book.shipped_book()
    return shipped if path is None else price_book.parse(price_book.read_file(path), str(path), shipped)


def explain(book: Book, query: Query, tokens: Tokens) -> tuple[str, int]:
    """The text and the exit status for one request."""
    lines = [("book", f"{book.source}, {book.date or 'without a date'}"), ("model", query.answered)]
    match = book.find(query)
    if isinstance(match, NoMatch):
        provider = book.provider_of(query.answered)
        lines += [("provider", provider)] if provider else []
        return _text([*lines, ("unpriced", f"{match.detail} ({match.reason.value})")]), _UNPRICED
    lines += [("entry", match.entry.label), ("found by", match.how)]
    if all(count is None for count in (tokens.input, tokens.cached, tokens.creation, tokens.output, tokens.reasoning)):
        lines.append(("prices", _rates(match.entry.rates)))
        lines += [(f"above {tier.above}", _rates(tier.rates)) for tier in match.entry.tiers]
        return _text(lines), _PRICED
    if tokens.input is None and tokens.output is None:
        return _text([*lines, ("unpriced", "give --input or --output")]), _WRONG
    priced = cost.price(book, query, tokens)
    if isinstance(priced, Unpriced):
        return _text([*lines, ("unpriced", f"{priced.detail} ({priced.reason.value})")]), _UNPRICED
    above = f"above {match.entry.tiers[priced.tier - 1].above} input tokens" if priced.tier else "base"
    lines.append(("tier", above))
    lines += [
        (part.kind.value, f"{part.tokens} x {_per_million(part.rate)} / 1M = {cost.usd_text(part.cost)} USD")
        for part in priced.parts
        if part.tokens
    ]
    lines += [("note", note) for note in priced.notes]
    return _text([*lines, ("cost", f"{cost.usd_text(priced.cost)} USD")]), _PRICED


def _rates(rates: Rates) -> str:
    """The prices of an entry, per million tokens, with what follows from what is not given."""
    given = ((kind, cost.rate_of(rates, kind)) for kind in TokenKind)
    return ", ".join(f"{kind.value} {_per_million(rate)}" for kind, rate in given if rate is not None)


def _per_million(rate: int) -> str:
    """A price per token as USD per million tokens."""
    return cost.usd_text(rate * 10**6)


_WIDTH: Final = 21  # that of the longest name, cache_creation_input


def _text(lines: list[tuple[str, str]]) -> str:
    return "".join(f"{name:<{_WIDTH}} {value}\n" for name, value in lines)
