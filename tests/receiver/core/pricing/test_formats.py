"""What a price book may hold, in both formats, and what is said of one that cannot be used."""

from typing import Any

import pytest

from aigw_receiver.core.access_logs.model import Tokens
from aigw_receiver.core.pricing import cost, formats, reading
from aigw_receiver.core.pricing.book import Match, Query, Rates, Reason, Tier
from aigw_receiver.core.pricing.cost import Priced
from aigw_receiver.core.pricing.reading import BookError

_PRICES: dict[str, Any] = {"input": 1, "output": 2}


def _ours(*entries: Any, **top: Any) -> dict[str, Any]:
    return {"date": "2026-01-01", "entries": list(entries), **top}


def _model(**keys: Any) -> dict[str, Any]:
    return {"models": ["m"], **_PRICES, **keys}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "the price book: expected entries (our format) or providers (SkyWalking's gen-ai-config.yml)"),
        ({"models": []}, "the price book: expected entries (our format) or providers (SkyWalking's gen-ai-config.yml)"),
        ({"entries": [_model()]}, "date: expected a date such as 2026-01-31, got None"),
        (_ours(_model(), date="2026-02-30"), "date: expected a date such as 2026-01-31, got '2026-02-30'"),
        (_ours(), "entries: expected a list of entries, got []"),
        ({"date": "2026-01-01", "entries": {"a": 1}}, "entries: expected a list of entries, got {'a': 1}"),
        (
            _ours(_model(), curency="USD"),
            "curency: unknown key, expected one of currency, date, entries, extends, usd_per_unit",
        ),
        (_ours("m"), "entries[0]: expected a mapping, got 'm'"),
        (
            _ours(_model(), _model(models=["n"], inptu=1)),
            (
                "entries[1].inptu: unknown key, expected one of backend, cached, creation, from, input, models, "
                "output, patterns, provider, reasoning, tiers, to"
            ),
        ),
        (_ours(_PRICES), "entries[0]: expected models or patterns"),
        (_ours({"models": ["m"], "output": 1}), "entries[0].input: expected a price per million tokens, got nothing"),
        (_ours(_model(input="cheap")), "entries[0].input: expected a price per million tokens, got 'cheap'"),
        (_ours(_model(input=True)), "entries[0].input: expected a price per million tokens, got True"),
        (_ours(_model(input=-1)), "entries[0].input: expected a price per million tokens from 0 to 1000000, got -1"),
        (_ours(_model(input=float("nan"))), "entries[0].input: expected a price per million tokens, got nan"),
        (_ours(_model(cached=1e-7)), "entries[0].cached: expected a price with at most six decimal places, got 1e-07"),
        (_ours(_model(models=[])), "entries[0].models: expected a text or a list of texts, got []"),
        (_ours(_model(models=["a", 1])), "entries[0].models[1]: expected a text, got 1"),
        (_ours(_model(patterns=["*"])), "entries[0].patterns: expected patterns that name something, got ['*']"),
        (_ours(_model(**{"from": "soon"})), "entries[0].from: expected a date such as 2026-01-31, got 'soon'"),
        (
            _ours(_model(**{"from": "2026-02-02", "to": "2026-02-01"})),
            "entries[0].to: expected a day not before from, got '2026-02-01'",
        ),
        (
            _ours(_model(tiers=[{"above": 0, **_PRICES}])),
            "entries[0].tiers[0].above: expected a whole number of at least 1, got 0",
        ),
        (
            _ours(_model(tiers=[{"above": 9, **_PRICES}, {"above": 9, **_PRICES}])),
            "entries[0].tiers[1].above: expected more than the 9 of the tier before, got 9",
        ),
        (
            _ours(_model(tiers=[{"above": 9, "input": 1}])),
            "entries[0].tiers[0].output: expected a price per million tokens, got nothing",
        ),
        (_ours(_model(), _model()), "entries[1] (m): m has a price in entries[0] (m) at the same time"),
        (
            _ours(_model(), extends="others"),
            "extends: expected the word shipped, and not in the shipped book itself, got 'others'",
        ),
        (_ours(_model(), currency="EUR"), "usd_per_unit: expected what one EUR is worth in USD, got None"),
        (_ours(_model(), usd_per_unit=1), "usd_per_unit: expected nothing: the currency is USD, got 1"),
        ({"providers": {}}, "providers: expected a list of providers, got {}"),
        ({"providers": [{"models": []}]}, "providers[0].provider: expected a text, got None"),
        (
            {"providers": [{"provider": "p", "prefix-match": {"a": 1}}]},
            "providers[0].prefix-match: expected a text or a list of texts, got {'a': 1}",
        ),
        ({"providers": [{"provider": "p", "models": [{}]}]}, "providers[0].models[0].name: expected a text, got None"),
        (
            {"providers": [{"provider": "p", "models": [{"name": "m", "input-estimated-cost-per-m": "x"}]}]},
            "providers[0].models[0].input-estimated-cost-per-m: expected a price per million tokens, got 'x'",
        ),
    ],
)
def test_mistakes(data: object, expected: str) -> None:
    """Whoever made a mistake in a price book would not be told where, and what was expected."""
    with pytest.raises(BookError) as raised:
        formats.read_book(data, "test")
    assert expected == str(raised.value)


def test_an_entry_of_ours() -> None:
    """A key of our format would not mean what the documentation says."""
    data = _ours(
        {
            "models": ["M-One"], "patterns": "My-*", "provider": "OpenAI", "backend": ["prod/*"],
            "from": "2026-01-02", "to": "2026-01-03",
            "input": "1.25", "cached": 0.1, "creation": 2, "output": 10, "reasoning": 0.000001,
            "tiers": [{"above": 5, "input": 2, "output": 20}],
        }
    )  # fmt: skip
    book = formats.read_book(data, "test")
    (entry,) = book.entries
    day = 86_400 * 10**9
    assert ("test", "2026-01-01", None) == (book.source, book.date, book.beyond)
    assert (("m-one",), ("my-*",), ("openai",), ("prod/*",)) == (
        entry.models,
        entry.patterns,
        entry.providers,
        entry.backends,
    )
    assert (20_455 * day, 20_457 * day) == (entry.begin, entry.end)
    assert Rates(1_250_000, 100_000, 2_000_000, 10_000_000, 1) == entry.rates
    assert (Tier(5, Rates(2_000_000, output=20_000_000)),) == entry.tiers
    assert "entries[0] (m-one)" == entry.label


@pytest.mark.parametrize(
    ("text", "days"),
    [("1970-01-01", 0), ("1970-12-31", 364), ("2000-02-29", 11_016), ("2000-03-01", 11_017), ("2026-11-22", 20_779)],
)
def test_dates(text: str, days: int) -> None:
    """A price would begin or end on another day."""
    assert (text, days * 86_400 * 10**9) == reading.date("", text)


@pytest.mark.parametrize("text", ["2026-00-01", "2026-13-01", "2025-02-29", "2100-02-29", "1969-12-31", "26-01-01", 1])
def test_no_dates(text: object) -> None:
    """A day that is none would be taken for another one."""
    with pytest.raises(BookError):
        reading.date("", text)


def test_another_currency() -> None:
    """Prices in EUR would be shown as if they were USD."""
    book = formats.read_book(_ours(_model(input=1, output=2), currency="EUR", usd_per_unit="1.085"), "test")
    assert Rates(1_085_000, output=2_170_000) == book.entries[0].rates


def test_what_ours_extends() -> None:
    """A negotiated price would hide all other prices, or be hidden by them."""
    shipped = formats.read_book(_ours(_model(), _model(models=["n"])), "shipped")
    data = _ours(_model(input=0.5, output=1, **{"from": "2026-01-01"}), extends="shipped")
    book = formats.read_book(data, "ours", shipped)

    def price(model: str, day: str) -> str:
        result = cost.price(book, Query(model, "", time=reading.date("", day)[1]), Tokens(10**6))
        assert isinstance(result, Priced)
        return cost.usd_text(result.cost)

    assert ["0.50", "1.00", "1.00"] == [price("m", "2026-01-01"), price("m", "2025-12-31"), price("n", "2026-01-01")]


def test_dates_may_follow_each_other() -> None:
    """A price that changes could not be written down."""
    data = _ours(_model(to="2026-01-31"), _model(**{"from": "2026-02-01"}), _model(provider="openai"))
    assert 3 == len(formats.read_book(data, "test").entries)


def test_a_pattern_is_of_the_whole_name() -> None:
    """A pattern would work as a prefix, or its dot as any character."""
    book = formats.read_book(_ours({"patterns": ["a.b-?"], **_PRICES}), "test")
    found = [isinstance(book.find(Query(name, "")), Match) for name in ("a.b-1", "A.B-2", "a.b-12", "axb-1", "xa.b-1")]
    assert [True, True, False, False, False] == found


def test_exact_names_win_over_patterns() -> None:
    """A pattern would hide the price of a name that is in the book."""
    book = formats.read_book(_ours({"patterns": ["m*"], "input": 9}, {"models": ["m-1"], "input": 1}), "test")
    match = book.find(Query("m-1-2026-01-01", ""))
    assert isinstance(match, Match)
    assert "entries[1] (m-1)" == match.entry.label


def test_conditions_need_what_they_ask_for() -> None:
    """A request that tells no provider would get the price of one."""
    book = formats.read_book(_ours(_model(provider=["aws.bedrock"])), "test")
    reasons = [
        None if isinstance(found := book.find(Query("m", "", provider)), Match) else found.reason
        for provider in ("aws.bedrock", "AWS.Bedrock", "openai", "")
    ]
    assert [None, None, Reason.UNKNOWN_MODEL, Reason.UNKNOWN_MODEL] == reasons


def test_skywalking_entries() -> None:
    """A file that SkyWalking reads would not be understood, or a missing price taken for 0."""
    data = {
        "last-updated": "2026-03-23",
        "something-new": 1,
        "providers": [
            {
                "provider": "p",
                "prefix-match": "p-",
                "models": [{"name": "P-1", "aliases": ["q"], "output-estimated-cost-per-m": "0.5", "note": "x"}],
            },
        ],
    }
    book = formats.read_book(data, "test")
    assert (("p-", "p"),) == book.prefixes
    assert "2026-03-23" == book.date
    assert [(("p-1", "q"), Rates(output=500_000))] == [(entry.models, entry.rates) for entry in book.entries]
