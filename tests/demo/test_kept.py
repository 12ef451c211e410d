"""The file of kept access logs, read while it is written and after it was rotated."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from aigw_demo.kept import SHOWN, KeptLogs


def line(number: int, rules: str = "errors", cost: str = "") -> str:
    """A kept record."""
    text = json.dumps({"number": number, "rules": rules})
    return (text[:-1] + f', "cost_usd": {cost}}}' if cost else text) + "\n"


def numbers(kept: KeptLogs) -> list[object]:
    """The latest records."""
    return [each["number"] for each in kept.latest]


def test_file_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    """The demo would end before the first record."""
    kept = KeptLogs(tmp_path / "kept.jsonl")
    kept.read()
    assert 0 == kept.count


def test_sums_and_the_latest(tmp_path: Path) -> None:
    """A sum that misses a rule or a thousandth of a cent would call right decisions wrong."""
    path = tmp_path / "kept.jsonl"
    path.write_text("".join(line(number, "slow,tokens", "1e-05") for number in range(SHOWN + 2)) + line(99))
    kept = KeptLogs(path)
    kept.read()
    kept.close()
    assert (SHOWN + 3, Decimal("0.00007")) == (kept.count, kept.cost)
    assert Counter({"slow": SHOWN + 2, "tokens": SHOWN + 2, "errors": 1}) == kept.rules
    assert [*range(3, SHOWN + 2), 99] == numbers(kept)


def test_half_a_line_is_read_once_it_is_whole(tmp_path: Path) -> None:
    """A record that is being written would end the table in an error, or be lost."""
    path = tmp_path / "kept.jsonl"
    path.write_text(line(1) + line(2)[:10])
    kept = KeptLogs(path)
    kept.read()
    assert [1] == numbers(kept)
    with path.open("a") as file:
        file.write(line(2)[10:])
    kept.read()
    kept.close()
    assert [1, 2] == numbers(kept)


@pytest.mark.parametrize("already_read", [True, False])
def test_rotated_file_is_read_to_its_end_first(tmp_path: Path, already_read: bool) -> None:
    """In a long run the records that were written just before a new file would be missing, or counted twice."""
    path = tmp_path / "kept.jsonl"
    path.write_text(line(1))
    kept = KeptLogs(path)
    kept.read()
    with path.open("a") as file:
        file.write("" if already_read else line(2))
    path.rename(tmp_path / "kept.jsonl.1")
    path.write_text(line(3))
    kept.read()
    kept.close()
    assert ([1, 3] if already_read else [1, 2, 3]) == numbers(kept)


def test_nothing_is_lost_between_two_files(tmp_path: Path) -> None:
    """A long run would end in an error if it looked when the old file was renamed and the new one was not there."""
    path = tmp_path / "kept.jsonl"
    path.write_text(line(1))
    kept = KeptLogs(path)
    kept.read()
    with path.open("a") as file:
        file.write(line(2))
    path.rename(tmp_path / "kept.jsonl.1")
    kept.read()
    path.write_text(line(3))
    kept.read()
    kept.close()
    assert [1, 2, 3] == numbers(kept)
