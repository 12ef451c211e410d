"""Our own format of a price book, from data to a `Book`. docs/prices.md describes it.

date: 2026-11-22            the day for which the prices were looked up
currency: USD               default; with any other, usd_per_unit: "1.08"
extends: shipped            optional: what is not in here is sought in the book that comes with the receiver
entries:
  - models: [gpt-4.1]       exact names; and/or patterns: ["my-gpt-*"]
    provider: openai        optional, one or a list: only for requests to that API schema
    backend: prod/openai    optional, one or a list of patterns of namespace/name
    from: 2025-04-14        optional, the first day in UTC
    to: 2026-12-31          optional, the last day in UTC
    input: 2.00             per million tokens
    cached: 0.50            read from the cache; default: as input
    creation: 2.50          written to the cache; default: as input
    output: 8.00            may be missing where a model has no output (embeddings)
    reasoning: 8.00         default: as output
    tiers:                  optional: prices of the whole request when it has more input tokens than that
      - {above: 200000, input: 4.00, cached: 1.00, output: 12.00}
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from aigw_receiver.core.pricing import names, reading
from aigw_receiver.core.pricing.book import Book, Entry, Rates, Tier
from aigw_receiver.core.pricing.reading import BookError

_RATES: Final = ("input", "cached", "creation", "output", "reasoning")
_TOP_KEYS: Final = frozenset({"date", "currency", "usd_per_unit", "extends", "entries"})
_ENTRY_KEYS: Final = frozenset({"models", "patterns", "provider", "backend", "from", "to", "tiers", *_RATES})
_TIER_KEYS: Final = frozenset({"above", *_RATES})


def read_book(data: object, source: str, shipped: Book | None = None) -> Book:
    """The book that `data` describes; raises BookError. `shipped` is what `extends: shipped` means."""
    top = reading.mapping("", data, _TOP_KEYS)
    date, _ = reading.date("date", top.get("date"))
    exchange = _exchange(top)
    beyond = None
    if "extends" in top:
        if top["extends"] != "shipped" or shipped is None:
            reading.fail("extends", "the word shipped, and not in the shipped book itself", top["extends"])
        beyond = shipped
    entries = top.get("entries")
    if not isinstance(entries, list) or not (entries or beyond):
        reading.fail("entries", "a list of entries", entries)
    read = tuple(_entry(f"entries[{index}]", entry, exchange) for index, entry in enumerate(entries))
    _refuse_overlaps(read)
    return Book(source, date, read, beyond=beyond)


def _exchange(top: Mapping[str, Any]) -> Decimal:
    """What one unit of the book's currency is worth in USD."""
    currency = reading.text("currency", top.get("currency", "USD"))
    if currency == "USD":
        if "usd_per_unit" in top:
            reading.fail("usd_per_unit", "nothing: the currency is USD", top["usd_per_unit"])
        return Decimal(1)
    if "usd_per_unit" not in top:
        reading.fail("usd_per_unit", f"what one {currency} is worth in USD", None)
    exchange = reading.decimal("usd_per_unit", top["usd_per_unit"], f"what one {currency} is worth in USD")
    if exchange <= 0:
        reading.fail("usd_per_unit", "a number above 0", top["usd_per_unit"])
    return exchange


def _entry(path: str, value: object, exchange: Decimal) -> Entry:
    entry = reading.mapping(path, value, _ENTRY_KEYS)
    models = _names(path, entry, "models")
    patterns = _names(path, entry, "patterns")
    if not models and not patterns:
        message = f"{path}: expected models or patterns"
        raise BookError(message)
    if any(not pattern.strip("*?") for pattern in patterns):
        reading.fail(f"{path}.patterns", "patterns that name something", list(patterns))
    begin = reading.date(f"{path}.from", entry["from"])[1] if "from" in entry else None
    end = reading.next_day(reading.date(f"{path}.to", entry["to"])[1]) if "to" in entry else None
    if begin is not None and end is not None and begin >= end:
        reading.fail(f"{path}.to", "a day not before from", entry["to"])
    return Entry(
        label=f"{path} ({(models or patterns)[0]})",
        models=models,
        patterns=patterns,
        rates=_rates(path, entry, exchange),
        tiers=_tiers(f"{path}.tiers", entry.get("tiers", []), exchange, with_output="output" in entry),
        providers=_names(path, entry, "provider"),
        backends=reading.texts(f"{path}.backend", entry["backend"]) if "backend" in entry else (),
        begin=begin,
        end=end,
    )


def _names(path: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    if key not in entry:
        return ()
    return tuple(names.normalise(name) for name in reading.texts(f"{path}.{key}", entry[key]))


def _rates(path: str, entry: Mapping[str, Any], exchange: Decimal) -> Rates:
    if "input" not in entry:
        message = f"{path}.input: expected a price per million tokens, got nothing"
        raise BookError(message)
    return Rates(**{key: reading.price(f"{path}.{key}", entry[key], exchange) for key in _RATES if key in entry})


def _tiers(path: str, value: object, exchange: Decimal, *, with_output: bool) -> tuple[Tier, ...]:
    """The tiers, by size. Each gives all of its prices: none is taken over from the base."""
    if not isinstance(value, list):
        reading.fail(path, "a list of tiers", value)
    tiers: list[Tier] = []
    for index, item in enumerate(value):
        place = f"{path}[{index}]"
        tier = reading.mapping(place, item, _TIER_KEYS)
        above = reading.count(f"{place}.above", tier.get("above"))
        if tiers and above <= tiers[-1].above:
            reading.fail(f"{place}.above", f"more than the {tiers[-1].above} of the tier before", above)
        if with_output and "output" not in tier:
            message = f"{place}.output: expected a price per million tokens, got nothing"
            raise BookError(message)
        tiers.append(Tier(above, _rates(place, tier, exchange)))
    return tuple(tiers)


def _refuse_overlaps(entries: tuple[Entry, ...]) -> None:
    """Two prices for one name, under the same conditions at the same time, are a mistake."""
    seen: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[Entry]] = {}
    for entry in entries:
        for model in dict.fromkeys(entry.models):
            others = seen.setdefault((model, entry.providers, entry.backends), [])
            for other in others:
                if _overlap(entry, other):
                    message = f"{entry.label}: {model} has a price in {other.label} at the same time"
                    raise BookError(message)
            others.append(entry)


def _overlap(one: Entry, other: Entry) -> bool:
    return (one.end is None or other.begin is None or other.begin < one.end) and (
        other.end is None or one.begin is None or one.begin < other.end
    )
