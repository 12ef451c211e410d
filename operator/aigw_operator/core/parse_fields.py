"""How the specs of our own kinds are read field by field: typed, bounded, and with every fault noted by its path.

It holds to what the API server would do by our CRDs, for objects that never saw one. A fault never raises: the field
then has its default, and the list of errors has an entry. This module knows no kind and no field.
"""

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from aigw_operator.core.model import Raw, Selector

LABEL_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
"""The value of a label, as Kubernetes has it; matched whole."""

DURATION: Final = "expected a duration from 1s to 1h such as 10s or 1m30s"
EXPRESSION: Final = "expected values with the operators In and NotIn, and none with Exists and DoesNotExist"

# The bounds of label selectors are those of the CRDs: entries of a map or a list, characters of a key.
_SELECTOR_ENTRIES: Final = 16
_SELECTOR_VALUES: Final = 64
_LABEL_KEY: Final = 317
_LABEL_VALUE: Final = 63

_DURATION: Final = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?(?:(\d{1,5})ms)?", re.ASCII)
_UNITS: Final = (3_600_000, 60_000, 1000, 1)
_SHORTEST: Final = 1000
_LONGEST: Final = 3_600_000
_SHOWN: Final = 100


def milliseconds(text: str) -> int | None:
    """A duration such as 10s, 1m30s or 500ms in milliseconds, None for any other text.

    The form is that of Gateway API's GEP-2257 (whole numbers with h, m, s and ms), with the largest unit first.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        return None
    return sum(int(count) * unit for count, unit in zip(match.groups("0"), _UNITS, strict=True))


@dataclasses.dataclass(frozen=True, slots=True)
class Fields:
    """One object of a spec, and where it stands. `errors` is shared by the whole spec, and grows while one reads."""

    path: str
    raw: Raw
    errors: list[str]

    def refuse(self, name: str, expected: str) -> None:
        """Note a fault of the field `name`, or of the object itself where it is ""."""
        self.errors.append(f"{self._place(name)}: {expected}")

    def expect(self, *names: str) -> None:
        """Note every field that is not one of `names`."""
        for name in self.raw:
            if name not in names:
                self.refuse(str(name), f"unknown field; expected one of {', '.join(names)}")

    def has(self, name: str) -> bool:
        """Whether the field is there; a null counts as absent."""
        return self.raw.get(name) is not None

    def section(self, name: str) -> "Fields":
        """An object below; an empty one where there is none."""
        value = self.raw.get(name)
        if value is not None and not isinstance(value, Mapping):
            self.unlike(name, "an object", value)
        return Fields(self._place(name), value if isinstance(value, Mapping) else {}, self.errors)

    def flag(self, name: str, default: bool) -> bool:
        """A boolean."""
        value = self.raw.get(name)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.unlike(name, "true or false", value)
        return default

    def choice(self, name: str, choices: tuple[str, ...], default: str = "") -> str:
        """One of some words."""
        value = self.raw.get(name)
        if isinstance(value, str) and value in choices:
            return value
        if value is not None:
            self.unlike(name, f"one of {', '.join(choices)}", value)
        return default

    def text(self, name: str, at_most: int, default: str = "", *, required: bool = False) -> str:
        """Text of 1 to `at_most` characters."""
        value = self.raw.get(name)
        if isinstance(value, str) and 1 <= len(value) <= at_most:
            return value
        if value is not None or required:
            self.unlike(name, f"text of 1 to {at_most} characters", value)
        return default

    def number(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.raw.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        if value is not None:
            self.unlike(name, f"a whole number from {low} to {high}", value)
        return default

    def duration(self, name: str, default: int) -> int:
        """A duration from 1s to 1h, in milliseconds."""
        value = self.raw.get(name)
        if value is None:
            return default
        length = milliseconds(value) if isinstance(value, str) else None
        if length is None or not _SHORTEST <= length <= _LONGEST:
            self.refuse(name, DURATION)
            return default
        return length

    def texts(
        self, name: str, at_most: int, longest: int, pattern: re.Pattern[str] | None = None
    ) -> tuple[tuple[str, str], ...]:
        """A map of text to text, sorted by its keys: `at_most` entries with values of `longest` characters."""
        fields = self.section(name)
        if len(fields.raw) > at_most:
            self.refuse(name, f"expected at most {at_most} entries, got {len(fields.raw)}")
        found = {}
        for key, value in fields.raw.items():
            if not isinstance(value, str) or len(value) > longest:
                fields.unlike(str(key), f"text of at most {longest} characters", value)
            elif pattern is not None and pattern.fullmatch(value) is None:
                fields.unlike(str(key), "a label's value", value)
            else:
                found[str(key)] = value
        return tuple(sorted(found.items()))

    def items(self, name: str, at_most: int) -> list[Any]:
        """A list of at most `at_most` entries."""
        value = self.raw.get(name)
        if value is not None and not isinstance(value, list):
            self.unlike(name, "a list", value)
        if not isinstance(value, list):
            return []
        if len(value) > at_most:
            self.refuse(name, f"expected at most {at_most} entries, got {len(value)}")
        return value

    def sections(self, name: str, at_most: int) -> list["Fields"]:
        """A list of at most `at_most` objects."""
        found = []
        for index, item in enumerate(self.items(name, at_most)):
            if isinstance(item, Mapping):
                found.append(Fields(f"{self._place(name)}[{index}]", item, self.errors))
            else:
                self.unlike(f"{name}[{index}]", "an object", item)
        return found

    def selector(self) -> Selector:
        """This object's matchLabels and matchExpressions."""
        labels = self.texts("matchLabels", _SELECTOR_ENTRIES, _LABEL_VALUE, LABEL_VALUE)
        sections = self.sections("matchExpressions", _SELECTOR_ENTRIES)
        return Selector(labels, tuple(_expression(fields) for fields in sections))

    def unique(self, name: str, keys: Iterable[Any]) -> None:
        """Note every entry of the list `name` whose key stands there already; one key an entry, in their order."""
        seen = set()
        for index, key in enumerate(keys):
            if key in seen:
                self.refuse(f"{name}[{index}]", "a duplicate of an earlier entry")
            seen.add(key)

    def refuse_keys(self, name: str, keys: Collection[str], expected: str) -> None:
        """Note a map once, with those of its keys that cannot be."""
        if keys:
            self.refuse(name, f"{expected}; got {', '.join(sorted(keys))}")

    def _place(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path and name else self.path or name

    def unlike(self, name: str, expected: str, value: object) -> None:
        """Note that the field `name` holds a value that is not what was expected."""
        shown = repr(value)
        self.refuse(name, f"expected {expected}, got {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}")


def _expression(fields: Fields) -> tuple[str, str, tuple[str, ...]]:
    fields.expect("key", "operator", "values")
    values = tuple(fields.items("values", _SELECTOR_VALUES))
    for index, value in enumerate(values):
        if not isinstance(value, str) or len(value) > _LABEL_VALUE:
            fields.unlike(f"values[{index}]", f"text of at most {_LABEL_VALUE} characters", value)
    if not fields.has("operator"):
        fields.refuse("operator", "expected one of In, NotIn, Exists, DoesNotExist")
    operator = fields.choice("operator", ("In", "NotIn", "Exists", "DoesNotExist"))
    if operator and (operator in ("In", "NotIn")) != bool(values):
        fields.refuse("", EXPRESSION)
    return fields.text("key", _LABEL_KEY, required=True), operator, tuple(map(str, values))
