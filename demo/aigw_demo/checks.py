"""Checks of the summary: one number as two sides have it, and how many of them are shown. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from aigw_demo.table import render_columns

# The receiver counts whole units of 1e-12 USD and shows floats; a cent is 10,000,000 times more than this.
TOLERANCE: Final = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Check:
    """One number of both sides, as text, and whether they are the same."""

    name: str
    sent: str
    received: str
    passed: bool


def check_number(name: str, sent: int, received: float) -> Check:
    """Two whole numbers."""
    return Check(name, f"{sent:,}", f"{received:,.0f}", passed=sent == received)


def check_cost(name: str, sent: Decimal, received: float) -> Check:
    """Two sums of money."""
    amount = Decimal(received)
    return Check(name, render_usd(sent), render_usd(amount), passed=abs(sent - amount) <= TOLERANCE)


def render_usd(amount: Decimal) -> str:
    """Money to a ten-thousandth of a cent, since the requests of a short run cost little.

    What a float lacks to the decimal that it stands for is taken off first, or half a digit would fall to either side.
    """
    return f"{amount.quantize(TOLERANCE):,.6f} USD"


def render_checks(checks: Sequence[Check], sides: tuple[str, str], *, failed: str, passed: str) -> list[str]:
    """A line for each check under the names of both sides, and the verdict: `failed` or `passed`, with their number."""
    rows = [("pass" if check.passed else "FAIL", check.name, check.sent, check.received) for check in checks]
    number = sum(not check.passed for check in checks)
    verdict = f"{number} of {len(checks)} {failed}" if number else f"{passed}: {len(checks)} checks"
    return [*render_columns([("", "", *sides), *rows]), "", verdict]
