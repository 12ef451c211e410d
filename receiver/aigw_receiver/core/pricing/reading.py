"""Checks of a price book's values, for both formats. A mistake names its path and what was expected there."""

import re
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from aigw_receiver.core.pricing.book import UNITS_PER_USD

_PER_MILLION: Final = UNITS_PER_USD // 10**6
_HIGHEST: Final = Decimal(10**6)  # USD per million tokens: a USD a token, above all that was ever asked for
_DAY: Final = 86_400 * 10**9
_MONTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class BookError(Exception):
    """A price book cannot be used; the message names the path of the value and what was expected there."""


def fail(path: str, expected: str, value: object) -> typing.NoReturn:
    """Refuse a value."""
    message = f"{path or 'the price book'}: expected {expected}, got {value!r:.100}"
    raise BookError(message)


def mapping(path: str, value: object, keys: frozenset[str] | None = None) -> Mapping[str, Any]:
    """A mapping with text keys; with `keys`, it may have no others."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        fail(path, "a mapping", value)
    for key in value if keys is not None else ():
        if key not in typing.cast("frozenset[str]", keys):
            message = f"{join(path, key)}: unknown key, expected one of {', '.join(sorted(keys or ()))}"
            raise BookError(message)
    return value


def join(path: str, key: str) -> str:
    """The path of a key of a mapping."""
    return f"{path}.{key}" if path else key


def text(path: str, value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        fail(path, "a text", value)
    return value.strip()


def texts(path: str, value: object) -> tuple[str, ...]:
    """A list of texts; one text is a list of one."""
    if isinstance(value, str):
        return (text(path, value),)
    if not isinstance(value, list) or not value:
        fail(path, "a text or a list of texts", value)
    return tuple(text(f"{path}[{index}]", item) for index, item in enumerate(value))


def price(path: str, value: object, exchange: Decimal = Decimal(1)) -> int:
    """A price per million tokens, in units of money worth `exchange` USD, as 1e-12 USD a token.

    With an exchange rate the result is rounded to the nearest unit, half to even; without one it is exact.
    """
    amount = decimal(path, value, "a price per million tokens")
    if amount < 0 or amount > _HIGHEST:
        fail(path, f"a price per million tokens from 0 to {_HIGHEST}", value)
    units = amount * _PER_MILLION
    if units != units.to_integral_value():
        fail(path, "a price with at most six decimal places", value)
    return int((units * exchange).to_integral_value())


def decimal(path: str, value: object, expected: str) -> Decimal:
    """A number, or the text of one; a float is taken as it is written."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        fail(path, expected, value)
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        fail(path, expected, value)
    if not number.is_finite():
        fail(path, expected, value)
    return number


def count(path: str, value: object) -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        fail(path, "a whole number of at least 1", value)
    return value


def date(path: str, value: object) -> tuple[str, int]:
    """A date as YYYY-MM-DD, and the nanoseconds from 1970 to its begin in UTC."""
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", value) if isinstance(value, str) else None
    if match is not None:
        year, month, day = (int(part) for part in match.groups())
        if 1970 <= year and 1 <= month <= 12 and 1 <= day <= _MONTHS[month - 1] + (month == 2 and _is_leap(year)):
            return match[0], _days(year, month, day) * _DAY
    fail(path, "a date such as 2026-01-31", value)


def next_day(begin: int) -> int:
    """The begin of the day behind the one that begins at `begin`."""
    return begin + _DAY


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01."""
    years = year - 1
    before = years * 365 + years // 4 - years // 100 + years // 400
    within = sum(_MONTHS[: month - 1]) + (month > 2 and _is_leap(year)) + day - 1
    return before + within - 719_162  # the days from 0001-01-01 to 1970-01-01
