"""The format of SkyWalking's gen-ai-config.yml, from data to a `Book`, so that such a file can be used as it is.

    last-updated: 2026-03-23
    providers:
      - provider: openai
        prefix-match: [gpt]                       beginnings of the names of this provider's models
        models:
          - name: gpt-5
            aliases: [gpt-five]
            input-estimated-cost-per-m: 1.25      USD per million tokens
            output-estimated-cost-per-m: 10.0

SkyWalking takes names for prefixes of models, in prices too; here a name is a name, and `prefix-match` only tells the
provider. Where it takes a missing price for 0, the tokens are unpriced here. It has no price of cached tokens, which
therefore cost what input costs. Keys that are not known are left alone: the format is not ours.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aigw_receiver.core.pricing import names, reading
from aigw_receiver.core.pricing.book import Book, Entry, Rates

_INPUT: Final = "input-estimated-cost-per-m"
_OUTPUT: Final = "output-estimated-cost-per-m"


def read_book(data: object, source: str) -> Book:
    """The book that `data` describes; raises BookError."""
    top = reading.mapping("", data)
    providers = top.get("providers")
    if not isinstance(providers, list):
        reading.fail("providers", "a list of providers", providers)
    entries: list[Entry] = []
    prefixes: list[tuple[str, str]] = []
    for index, value in enumerate(providers):
        path = f"providers[{index}]"
        provider = reading.mapping(path, value)
        name = reading.text(f"{path}.provider", provider.get("provider"))
        if provider.get("prefix-match") is not None:
            beginnings = reading.texts(f"{path}.prefix-match", provider["prefix-match"])
            prefixes += [(names.normalise(beginning), name) for beginning in beginnings]
        entries += _entries(f"{path}.models", provider.get("models") or [])
    date = str(top.get("last-updated") or "")
    return Book(source, date, tuple(entries), prefixes=tuple(prefixes))


def _entries(path: str, models: object) -> Iterator[Entry]:
    if not isinstance(models, list):
        reading.fail(path, "a list of models", models)
    for index, value in enumerate(models):
        place = f"{path}[{index}]"
        model = reading.mapping(place, value)
        name = reading.text(f"{place}.name", model.get("name"))
        aliases = reading.texts(f"{place}.aliases", model["aliases"]) if model.get("aliases") else ()
        known = tuple(dict.fromkeys(names.normalise(one) for one in (name, *aliases)))
        rates = Rates(input=_price(place, model, _INPUT), output=_price(place, model, _OUTPUT))
        yield Entry(f"{place} ({known[0]})", known, rates)


def _price(path: str, model: Mapping[str, Any], key: str) -> int | None:
    return None if model.get(key) is None else reading.price(f"{path}.{key}", model[key])
