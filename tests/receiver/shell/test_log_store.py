"""The store of kept access logs: what a search finds, whatever happens around it, by a real SQLite."""

import json
import random
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aigw_receiver.core.access_logs import search
from aigw_receiver.core.access_logs.search import Position
from aigw_receiver.shell.sinks import store_file
from aigw_receiver.shell.sinks.store import Batch
from aigw_receiver.shell.sinks.store_file import TooLong
from kept_logs import HOUR, SECOND, Record, Store, asked, numbers, record

_NOW = 1_795_000_000 * SECOND
_TEXT = st.text("aAéÉßs%_\n\0'", max_size=4)
_VALUES: dict[str, tuple[str, ...]] = {
    "gateway_namespace": ("", "a"),
    "gateway_name": ("a", "b"),
    "gateway_pod": ("", "p"),
    "ai_route_type": ("llm", "mcp"),
    "ending": ("ok", "aborted"),
    "rules": ("slow", "errors,slow", "slower"),
    "requested_model": ("m", "n"),
    "answered_model": ("m", "M"),
    "provider": ("m", "OpenAI"),
    "backend": ("a/b", "b/a"),
    "mcp_tool": ("t", "'"),
}
_RECORDS = st.fixed_dictionaries(
    {"at": st.integers(-3, 3), **{name: st.sampled_from(values) for name, values in _VALUES.items()}},
    optional={
        "status": st.sampled_from((200, 404, 499, 500)),
        **dict.fromkeys(("path", "response_code_details", "request_id", "session_id", "body", "user_agent"), _TEXT),
    },
)
_PARAMETERS = st.sampled_from(
    (
        *(("gateway", "a/a"), ("gateway", "/b"), ("pod", "p"), ("model", "m"), ("model", "n"), ("model", "M")),
        *(("provider", "OpenAI"), ("backend", "a/b"), ("route_type", "mcp"), ("status", "404"), ("status", "4xx")),
        *(("status", "200-499,none"), ("status", "none"), ("ending", "aborted"), ("rule", "slow")),
        *(("rule", "errors"), ("rule", "slower"), ("tool", "t"), ("tool", "'")),
    )
)


def _is_found(record: Record, parameters: list[tuple[str, str]], since: int | None, until: int | None) -> bool:
    """What the documentation says, word by word."""
    wanted: dict[str, list[str]] = {}
    for name, value in parameters:
        wanted.setdefault(name, []).append(value)
    status = record.get("status")
    of_status = {"404": status == 404, "4xx": status in (404, 499), "none": status is None}
    of_status["200-499,none"] = status in (None, 200, 404, 499)
    texts = ("path", "response_code_details", "request_id", "session_id", "body")
    tests: dict[str, Callable[[str], bool]] = {
        "gateway": lambda value: f"{record['gateway_namespace']}/{record['gateway_name']}" == value,
        "pod": lambda value: record["gateway_pod"] == value,
        "model": lambda value: value in (record["requested_model"], record["answered_model"]),
        "provider": lambda value: record["provider"] == value,
        "backend": lambda value: record["backend"] == value,
        "route_type": lambda value: record["ai_route_type"] == value,
        "status": lambda value: of_status[value],
        "ending": lambda value: record["ending"] == value,
        "rule": lambda value: value in record["rules"].split(","),
        "tool": lambda value: record["mcp_tool"] == value,
        "text": lambda value: any(value.casefold() in record.get(name, "").casefold() for name in texts),
    }
    return (
        all(any(tests[name](value) for value in values) for name, values in wanted.items())
        and (since is None or record["at"] >= since)
        and (until is None or record["at"] < until)
    )


@given(
    st.lists(_RECORDS, max_size=30),
    st.lists(_PARAMETERS, max_size=4),
    st.none() | st.text("aAéÉßs%_\n'", min_size=1, max_size=3),
    st.none() | st.integers(-4, 3),
    st.none() | st.integers(0, 5),
    st.integers(1, 7),
)
@settings(deadline=None)
def test_what_is_found(
    records: list[Record],
    parameters: list[tuple[str, str]],
    text: str | None,
    since: int | None,
    length: int | None,
    limit: int,
) -> None:
    """A search finds a record that was not asked for, misses one, or has another order; and so does who follows."""
    until = None if length is None else (since or 0) + length + 1
    parameters = [*parameters, *([] if text is None else [("text", text)])]
    kept = [record(_NOW + one["at"], **one, number=number) for number, one in enumerate(records)]
    expected = [one for one in kept if _is_found(one, parameters, since, until)]
    for name, value in (("from", since), ("to", until)):
        if value is not None:
            parameters.append((name, record(_NOW + value)["time"]))
    store = Store()
    batches: list[Batch] = []
    store.sink.listen(batches.append)
    try:
        store.write(kept)
        pages = _all_pages(store, [*parameters, ("limit", str(limit))])
        wanted = asked(*parameters)
        followed = [
            json.loads(one.line) for batch in batches for one in batch.records if search.matches(wanted, one.fields)
        ]
        tag = store.sink.position().tag
        read = [json.loads(one) for _, one in store.sink.read_after(wanted, Position(tag, 0)).lines]
    finally:
        store.sink.close()
    assert expected == followed
    assert expected == read
    newest_first = sorted(expected, key=lambda one: (one["at"], one["number"]), reverse=True)
    assert [newest_first[at : at + limit] for at in range(0, max(len(expected), 1), limit)] == pages


def _all_pages(store: Store, parameters: list[tuple[str, str]]) -> list[list[Record]]:
    pages = []
    cursor: list[tuple[str, str]] = []
    while True:
        page = store.sink.search(asked(*parameters, *cursor))
        pages.append([json.loads(one) for _, one in page.lines])
        if page.next is None:
            return pages
        cursor = [("cursor", search.encode_cursor(page.next))]


@pytest.mark.parametrize("seed", range(5))
def test_paging_while_records_come_and_go(tmp_path: Path, seed: int) -> None:
    """A record that was there all the time is shown twice, or not at all, or one is shown that came meanwhile."""
    chance = random.Random(seed)
    now = [_NOW]
    store = Store(tmp_path, clock=lambda: now[0], retention=HOUR)

    def write(first: int, count: int) -> None:
        times = [_NOW + chance.randrange(20) for _ in range(count)]
        store.write([record(at, request_id=str(first + number)) for number, at in enumerate(times)])

    write(0, 40)
    now[0] += HOUR // 2
    write(100, 60)
    shown: list[int] = []
    cursor: list[tuple[str, str]] = []
    for page_number in range(100):
        page = store.sink.search(asked(("limit", "7"), *cursor))
        shown += numbers([json.loads(one) for _, one in page.lines])
        if page.next is None:
            break
        cursor = [("cursor", search.encode_cursor(page.next))]
        write(1000 * (page_number + 1), 3)
        if page_number == 4:
            now[0] += HOUR // 2 + 1
            store.sink.retain()
    store.sink.close()
    assert len(set(shown)) == len(shown)
    assert set(range(100, 160)) == {number for number in shown if number >= 100}


def test_pages_of_a_store_that_was_begun_anew() -> None:
    """Ids of the store before hide records of the new one."""
    store = Store()
    store.write([record(_NOW, request_id=str(number)) for number in range(3)])
    before = search.Cursor(_NOW + 1, 1, 0, Position("00000000", 1))
    page = store.sink.search(asked(("cursor", search.encode_cursor(before))))
    newest = store.sink.position()
    store.sink.close()
    assert ([3, 2, 1], newest) == (_ids(page.lines), page.newest)


def test_one_record(tmp_path: Path) -> None:
    """A link to a record leads to another one, or to one of another store."""
    now = [_NOW]
    store = Store(tmp_path, clock=lambda: now[0], retention=HOUR)
    store.write([record(_NOW, request_id=str(number)) for number in range(3)])
    tag = store.sink.position().tag

    def find(number: int, name: str = tag) -> list[int]:
        line = store.sink.find(Position(name, number))
        return [] if line is None else numbers([json.loads(line)])

    found = [find(0), find(1), find(3), find(4), find(1, "00000000")]
    now[0] += HOUR + 1
    store.sink.retain()
    found.append(find(1))
    store.sink.close()
    assert [[], [0], [2], [], [], []] == found


def test_page_of_large_records(tmp_path: Path) -> None:
    """A page holds as many megabytes as a thousand records can have, or ends without a word."""
    store = Store(tmp_path)
    store.write([record(_NOW + number, request_id=str(number), user_agent="x" * 1_000_000) for number in range(12)])
    pages = _all_pages(store, [])
    store.sink.close()
    assert [[11, 10, 9, 8, 7, 6, 5, 4, 3], [2, 1, 0]] == [numbers(page) for page in pages]


def test_put(tmp_path: Path) -> None:
    """What the intake hands over is not written, not counted, or not shown as it was."""
    store = Store(tmp_path)
    written = threading.Event()
    store.sink.listen(lambda _: written.set())
    one = b'{"time":"2026-11-22T13:16:14.756107000Z","weight":1.0,"a":"\xc3\xa9 \\u00e9",  "rules":"x"}'
    store.sink.put(one + b"\n")
    assert written.wait(30)
    assert ((1, one),) == store.sink.search(asked()).lines
    store.sink.put(b"no record\n")
    store.sink.put(b'{"time":"yesterday"}\n')
    store.sink.put(b"7\n")
    store.sink.close()
    assert {"written": 1, "failed": 3} == store.results()


@pytest.mark.parametrize("has_directory", [True, False])
def test_restart(tmp_path: Path, *, has_directory: bool) -> None:
    """A restart loses what was kept, or gives its ids to other records."""
    directory = tmp_path if has_directory else None
    first = Store(directory)
    first.write([record(_NOW, request_id="1"), record(_NOW, request_id="2")])
    before = first.sink.position()
    first.sink.close()
    second = Store(directory)
    second.write([record(_NOW, request_id="3")])
    after = second.sink.position()
    found = numbers(second.find())
    second.sink.close()
    if has_directory:
        assert ["access-logs.sqlite"] == [path.name for path in tmp_path.iterdir()]
        assert (0o640, [3, 2, 1]) == ((tmp_path / "access-logs.sqlite").stat().st_mode & 0o777, found)
        assert Position(before.tag, 3) == after
    else:
        assert [3] == found
        assert before.tag != after.tag


def test_a_reader_holds_up_no_writer(tmp_path: Path) -> None:
    """Somebody who reads for long keeps records from being written, or sees them come while he reads."""
    store = Store(tmp_path)
    store.write([record(_NOW, request_id="1")])
    reader = sqlite3.connect(tmp_path / "access-logs.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    assert (1,) == reader.execute("SELECT count(*) FROM logs").fetchone()
    assert 500 == store.write([record(_NOW, body="x" * 10_000)] * 500)
    assert (1,) == reader.execute("SELECT count(*) FROM logs").fetchone()
    reader.close()
    assert 100 == len(store.find(("text", "xxx")))
    store.sink.close()


@pytest.mark.parametrize("has_directory", [True, False])
def test_a_search_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_directory: bool) -> None:
    """A search runs for as long as it likes, or the store is of no use after it."""
    monkeypatch.setattr(store_file, "LOOK", 1000)
    store = Store(tmp_path if has_directory else None, patience=0)
    store.write([record(_NOW, request_id=str(number)) for number in range(1000)])
    with pytest.raises(TooLong, match=r"^the search took longer than 0 s$"):
        store.find(("text", "nowhere"))
    assert 1 == store.write([record(_NOW + 1, request_id="7")])
    assert [7] == numbers(store.find(("limit", "1")))
    store.sink.close()


def _ids(lines: tuple[tuple[int, bytes], ...]) -> list[int]:
    return [number for number, _ in lines]


def test_reading_on(tmp_path: Path) -> None:
    """A follower misses a record, gets one twice, or is not told what was removed before it came."""
    now = [_NOW]
    store = Store(tmp_path, clock=lambda: now[0], retention=HOUR)
    store.write([record(_NOW, gateway_pod=f"pod-{number % 2}") for number in range(6)])
    tag = store.sink.position().tag
    odd = asked(("pod", "pod-1"))

    def read(after: int, name: str = tag) -> tuple[list[int], Position, Any]:
        piece = store.sink.read_after(odd, Position(name, after))
        return _ids(piece.lines), piece.position, piece.lost

    end = Position(tag, 6)
    assert ([2, 4, 6], end, 0) == read(0)
    assert ([4, 6], end, 0) == read(3)
    assert ([], end, 0) == read(6)
    assert ([], end, None) == read(7)
    assert ([], end, None) == read(3, "00000000")
    now[0] += HOUR + 1
    store.write([record(_NOW, gateway_pod="pod-1")])
    store.sink.retain()
    end = Position(tag, 7)
    assert ([7], end, 6) == read(0)
    assert ([7], end, 2) == read(4)
    assert ([7], end, 0) == read(6)
    now[0] += HOUR + 1
    store.sink.retain()
    assert ([], end, 3) == read(4)
    store.sink.close()


def test_reading_on_in_steps(tmp_path: Path) -> None:
    """A follower that was away for long reads all of the store at once, or loses what lies between two steps."""
    store = Store(tmp_path)
    store.write([record(_NOW, gateway_pod=f"pod-{number % 1000}") for number in range(12_000)])
    position = Position(store.sink.position().tag, 0)
    found: list[int] = []
    steps: list[Position] = []
    while not steps or steps[-1] != position:
        steps.append(position)
        piece = store.sink.read_after(asked(("pod", "pod-7")), position)
        found += _ids(piece.lines)
        position = piece.position
    store.sink.close()
    assert [0, 5000, 10_000, 12_000] == [step.id for step in steps]
    assert list(range(8, 12_000, 1000)) == found
