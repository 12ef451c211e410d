"""A price book, and which of its entries is the price of a request. Where a book comes from stands in `formats`.

Money is counted in whole units of 1e-12 USD, and so are prices per token: a price of up to six decimal places per
million tokens is exact. It does no sum (see `cost`) and opens no file.
"""

import dataclasses
import enum
import re
from typing import Final

from aigw_receiver.core.pricing import names
from aigw_receiver.core.pricing.names import Form

# The unit of money: a millionth of a millionth of a USD.
UNITS_PER_USD: Final = 10**12

# Names that are remembered with what was found for them; when there are more, remembering begins anew.
_REMEMBERED: Final = 4096

# Characters of a model's name; a longer one is no model's. A client can send any name, and names are remembered.
_LONGEST: Final = 256


class TokenKind(enum.StrEnum):
    """Kinds of tokens that do not overlap; the values are those of gen_ai.token.type.

    Unlike there, INPUT is without the cache's tokens and OUTPUT without reasoning, so that kinds add up.
    """

    INPUT = "input"
    CACHED = "cached_input"
    CREATION = "cache_creation_input"
    OUTPUT = "output"
    REASONING = "reasoning"


@dataclasses.dataclass(frozen=True, slots=True)
class Rates:
    """Prices of one token of each kind, in 1e-12 USD. None: the book says nothing.

    Without a price of their own, cached tokens and tokens written to the cache cost what input costs, and reasoning
    costs what output costs.
    """

    input: int | None = None
    cached: int | None = None
    creation: int | None = None
    output: int | None = None
    reasoning: int | None = None
    each: tuple[int | None, ...] = dataclasses.field(init=False, repr=False, compare=False, default=())
    """what a token costs, by the order of TokenKind; None where there is no price"""

    def __post_init__(self) -> None:
        each = (
            self.input,
            self.input if self.cached is None else self.cached,
            self.input if self.creation is None else self.creation,
            self.output,
            self.output if self.reasoning is None else self.reasoning,
        )
        object.__setattr__(self, "each", each)


@dataclasses.dataclass(frozen=True, slots=True)
class Tier:
    """Prices of a whole request with more input tokens than `above`."""

    above: int
    rates: Rates


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """Prices of some models, under some conditions. Names and patterns are normalised."""

    label: str
    """how the entry is called when it is told of: its place in the book and its first name"""
    models: tuple[str, ...]
    rates: Rates
    patterns: tuple[str, ...] = ()
    """`*` is any text, `?` any one character; a pattern is of the whole name"""
    tiers: tuple[Tier, ...] = ()
    """by `above`, rising"""
    providers: tuple[str, ...] = ()
    """only requests to one of these; none: to any"""
    backends: tuple[str, ...] = ()
    """only requests to a backend that one of these patterns fits; none: to any"""
    begin: int | None = None
    """nanoseconds since 1970, inclusive"""
    end: int | None = None
    """nanoseconds since 1970, exclusive"""

    def is_valid(self, time: int) -> bool:
        """Whether these are the prices at a time."""
        return (self.begin is None or self.begin <= time) and (self.end is None or time < self.end)

    def is_for(self, provider: str, backend: str) -> bool:
        """Whether the conditions are met. What the request does not tell meets none."""
        return (not self.providers or provider in self.providers) and (
            not self.backends or any(glob(pattern).fullmatch(backend) for pattern in self.backends)
        )

    def tier_for(self, size: int) -> tuple[int, Rates]:
        """The number of the tier (0: the base) and the prices of a request with `size` input tokens."""
        number, rates = 0, self.rates
        for index, tier in enumerate(self.tiers, start=1):
            if size > tier.above:
                number, rates = index, tier.rates
        return number, rates


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a book: the prices of a request that began at `time` (nanoseconds since 1970)."""

    answered: str
    """the model that the provider says it used; "" where it is not known"""
    requested: str
    provider: str = ""
    """the API schema, such as aws.bedrock"""
    backend: str = ""
    """namespace/name"""
    time: int = 0


class Reason(enum.StrEnum):
    """Why something has no price."""

    NO_MODEL = "no_model"
    UNKNOWN_MODEL = "unknown_model"
    NOT_IN_FORCE = "not_in_force"
    """the book knows the model, but has no price for the date"""
    NO_RATE = "no_rate"
    """the entry has no price for a kind of token that was used"""
    NO_TOKENS = "no_tokens"
    """it is not known how many tokens were used"""


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """The entry that is the price of a request, and how it was found."""

    entry: Entry
    how: str
    model: str
    """the name under which it was found"""


@dataclasses.dataclass(frozen=True, slots=True)
class NoMatch:
    """There is no price, and why."""

    reason: Reason
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class Book:
    """Entries in the order of the file. `beyond` is asked for what they know nothing of."""

    source: str
    """what the book is called"""
    date: str
    """YYYY-MM-DD, or "" where it says none"""
    entries: tuple[Entry, ...]
    prefixes: tuple[tuple[str, str], ...] = ()
    """beginnings of model names, and the provider that each tells (SkyWalking's prefix-match); never a price"""
    beyond: "Book | None" = None
    _by_model: dict[str, list[Entry]] = dataclasses.field(init=False, repr=False, compare=False, default_factory=dict)
    _answers: dict[tuple[str, str, str, str], tuple[tuple[Match, ...], ...]] = dataclasses.field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for entry in self.entries:
            for model in entry.models:
                self._by_model.setdefault(model, []).append(entry)

    def find(self, query: Query) -> Match | NoMatch:
        """The prices of a request: of the answered model, or else of the requested one."""
        if max(len(query.answered), len(query.requested)) > _LONGEST:
            return NoMatch(Reason.UNKNOWN_MODEL, f"a name of more than {_LONGEST} characters")
        key = (query.answered, query.requested, query.provider, query.backend)
        answers = self._answers.get(key)
        if answers is None:
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            answers = self._answers[key] = tuple(
                self._matches(role, name, query) for role, name in _asked(query.answered, query.requested)
            )
        for matches in answers:
            for match in matches:
                if match.entry.is_valid(query.time):
                    return match
            if matches:
                detail = f"{matches[0].entry.label} knows {matches[0].model!r}, but not at that date"
                return NoMatch(Reason.NOT_IN_FORCE, detail)
        if not answers:
            return NoMatch(Reason.NO_MODEL, "the request names no model")
        asked = " and ".join(repr(name) for _, name in _asked(query.answered, query.requested))
        return NoMatch(Reason.UNKNOWN_MODEL, f"no entry for {asked}")

    def _matches(self, role: str, name: str, query: Query) -> tuple[Match, ...]:
        """What this book and those beyond it have under a name, the best first, whatever the dates."""
        matches: list[Match] = []
        book: Book | None = self
        while book is not None:
            matches += book.seek(role, names.forms(name), query.provider.lower(), query.backend)
            book = book.beyond
        return tuple(matches)

    def seek(self, role: str, forms: tuple[Form, ...], provider: str, backend: str) -> list[Match]:
        """The entries of this book under one of the forms, the best first: exact ones, or else by pattern."""
        for form in forms:
            entries = [entry for entry in self._by_model.get(form.name, ()) if entry.is_for(provider, backend)]
            if entries:
                how = f"{role} model, exact name{_taken_off(form)}"
                return [Match(entry, how, form.name) for entry in _best_first(entries)]
        for form in forms:
            fitting = {id(entry): pattern for entry in self.entries if (pattern := _fitting(entry, form.name))}
            entries = [entry for entry in self.entries if id(entry) in fitting and entry.is_for(provider, backend)]
            if entries:
                return [
                    Match(entry, f"{role} model, pattern {fitting[id(entry)]!r}{_taken_off(form)}", form.name)
                    for entry in _best_first(entries)
                ]
        return []

    def provider_of(self, model: str) -> str:
        """The provider that a name's beginning tells, the longest one deciding; "" where there is none."""
        name = names.normalise(model)
        fitting = [(len(prefix), provider) for prefix, provider in self.prefixes if name.startswith(prefix)]
        return max(fitting)[1] if fitting else ""


def _asked(answered: str, requested: str) -> list[tuple[str, str]]:
    """The names to look up, in this order: the answered model, then the requested one.

    The other way round where the requested name is the answered one in its wrapping, which says more: Claude answers
    as claude-x where us.anthropic.claude-x was asked for, and only that tells the region and so the price.
    """
    asked = [("answered", answered), ("requested", requested)]
    asked = [(role, name) for role, name in asked if not names.is_missing(name)]
    if len(asked) == 2 and any(form.name == names.normalise(answered) for form in names.forms(requested)):
        asked.reverse()
    return asked


def _best_first(entries: list[Entry]) -> tuple[Entry, ...]:
    """More conditions first (a backend says more than a provider), then as in the file."""
    return tuple(sorted(entries, key=lambda entry: (not entry.backends, not entry.providers)))


def _fitting(entry: Entry, name: str) -> str:
    """The first of an entry's patterns that fits a name, or ""."""
    return next((pattern for pattern in entry.patterns if glob(pattern).fullmatch(name)), "")


def _taken_off(form: Form) -> str:
    return f" {form.name!r} without {', '.join(form.steps)}" if form.steps else ""


_GLOBS: Final[dict[str, re.Pattern[str]]] = {}


def glob(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression: `*` is any text, `?` any one character, nothing else is special."""
    compiled = _GLOBS.get(pattern)
    if compiled is None:
        if len(_GLOBS) >= _REMEMBERED:
            _GLOBS.clear()
        parts = (
            ".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern)
        )
        compiled = _GLOBS[pattern] = re.compile("".join(parts), re.DOTALL)
    return compiled
