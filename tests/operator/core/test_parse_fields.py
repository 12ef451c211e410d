"""Durations, and how a fault is reported."""

import pytest

from aigw_operator.core import parse_fields
from aigw_operator.core.parse_fields import Fields


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("10s", 10_000),
        ("1m30s", 90_000),
        ("500ms", 500),
        ("1h", 3_600_000),
        ("1h2m3s4ms", 3_723_004),
        ("0s", 0),
        ("99999h", 359_996_400_000),
        ("", None),
        ("10", None),
        ("s", None),
        ("1.5s", None),
        ("-1s", None),
        ("1s1m", None),
        ("1s 1ms", None),
        ("100000s", None),
        ("1d", None),
        ("1s\n", None),
        ("\u0661s", None),
    ],
)
def test_milliseconds(text: str, milliseconds: int | None) -> None:
    """A duration is read as another one, or text that is none is taken for one."""
    assert milliseconds == parse_fields.milliseconds(text)


def test_long_values_are_cut() -> None:
    """A message about a huge value is itself huge, and the status with it."""
    fields = Fields("spec", {"mode": "x" * 500}, [])
    assert "" == fields.choice("mode", ("Apply",))
    assert [f"spec.mode: expected one of Apply, got '{'x' * 99}…"] == fields.errors


def test_null_is_absent() -> None:
    """A key without a value, as a template leaves it, is refused."""
    fields = Fields("", dict.fromkeys("abcdefg"), [])
    assert {} == fields.section("a").raw
    assert (True, "x", "y") == (fields.flag("b", True), fields.choice("c", ("z",), "x"), fields.text("d", 9, "y"))
    assert (7, 8, []) == (fields.number("e", 1, 9, 7), fields.duration("f", 8), fields.items("g", 1))
    assert [] == fields.errors
