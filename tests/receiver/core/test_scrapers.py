"""Every scraper sees each new stream at 0 before its value, and none sees a 0 after a value."""

from collections.abc import Mapping

import pytest

from aigw_receiver.core.scrapers import Scrapers, scraper_name
from otlp_messages import NOW, SECOND

_PROMETHEUS = {"User-Agent": "Prometheus/2.42.0", "X-Prometheus-Scrape-Timeout-Seconds": "10"}


@pytest.mark.parametrize(
    ("headers", "query", "name"),
    [
        (_PROMETHEUS, {}, "10.0.0.1 Prometheus/2.42.0 10"),
        ({"User-Agent": "Prometheus/3.5.0"}, {}, "10.0.0.1 Prometheus/3.5.0 "),
        (
            {"User-Agent": "vm_promscrape", "X-Prometheus-Scrape-Timeout-Seconds": "10.000"},
            {},
            "10.0.0.1 vm_promscrape 10.000",
        ),
        (_PROMETHEUS, {"scraper": "one"}, "=one"),
        ({"User-Agent": "curl/8.5.0"}, {"scraper": "one"}, "=one"),
        (_PROMETHEUS, {"scraper": ""}, "10.0.0.1 Prometheus/2.42.0 10"),
        ({"User-Agent": "curl/8.5.0"}, {}, None),
        ({"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Prometheus/1"}, {}, None),
        ({"User-Agent": "Python-urllib/3.11"}, {"other": "x"}, None),
        ({}, {}, None),
    ],
)
def test_name(headers: Mapping[str, str], query: Mapping[str, str], name: str | None) -> None:
    """A Prometheus is taken for a person, who sees values at once, or a person for a Prometheus."""
    assert name == scraper_name(headers, query, "10.0.0.1")


def _scrape(scrapers: Scrapers, name: str, connection: int, now: int, newest: int) -> int:
    """A whole scrape; answers the mark above which births were shown at 0."""
    scraper = scrapers.begin(name, connection, now)
    scrapers.open(now)
    mark = scrapers.opened
    scrapers.complete(scraper, mark, newest, now)
    return mark


def _bear(scrapers: Scrapers, *births: int, now: int = NOW) -> None:
    for birth in births:
        scrapers.bear(birth, now)


def test_zero_then_value() -> None:
    """A scraper sees a new stream at its value first, or at 0 forever."""
    scrapers = Scrapers()
    _bear(scrapers, 1, 2)
    assert 0 == _scrape(scrapers, "p", 1, NOW, 2)
    _bear(scrapers, 3)
    assert 2 == _scrape(scrapers, "p", 1, NOW + SECOND, 3)
    assert 3 == _scrape(scrapers, "p", 1, NOW + 2 * SECOND, 3)
    assert [] == list(scrapers.waiting)


def test_every_live_scraper_gets_its_zero() -> None:
    """A stream is shown at its value before each of two Prometheus servers has had it at 0."""
    scrapers = Scrapers()
    assert 0 == _scrape(scrapers, "p", 1, NOW, 0)
    assert 0 == _scrape(scrapers, "p", 2, NOW, 0)
    _bear(scrapers, 1)
    assert 0 == _scrape(scrapers, "p", 1, NOW + 1 * SECOND, 1)
    assert 0 == _scrape(scrapers, "p", 1, NOW + 2 * SECOND, 1)
    assert 0 == _scrape(scrapers, "p", 2, NOW + 3 * SECOND, 1)
    assert 1 == _scrape(scrapers, "p", 2, NOW + 4 * SECOND, 1)
    assert 1 == _scrape(scrapers, "p", 1, NOW + 5 * SECOND, 1)


def test_no_zero_after_a_value() -> None:
    """A Prometheus that joins, restarts, or cannot be told from another is shown 0 for what was shown at a value."""
    scrapers = Scrapers()
    _bear(scrapers, 1, 2, 3)
    for at in range(2):
        _scrape(scrapers, "p", 1, NOW + at, 3)
    _bear(scrapers, 4)
    marks = [3]
    for at, connection in enumerate((2, 1, 3, 2, 1, 4, 3, 2, 1)):
        if at == 5:
            scrapers.close(3, NOW + SECOND)
        marks.append(_scrape(scrapers, "p", connection, NOW + (at + 2) * SECOND, 4))
    assert sorted(marks) == marks
    assert (3, 4) == (marks[0], marks[-1])


def test_slow_scraper_holds_for_five_minutes_at_most() -> None:
    """A scraper that is known but comes rarely keeps all others at 0 forever."""
    scrapers = Scrapers()
    for at in range(0, 601, 200):
        _scrape(scrapers, "slow", 1, NOW + at * SECOND, 0)
    born = NOW + 601 * SECOND
    _bear(scrapers, 1, now=born)
    assert 0 == _scrape(scrapers, "fast", 2, born + 1, 1)
    assert 0 == _scrape(scrapers, "fast", 2, born + 300 * SECOND, 1)
    assert 1 == _scrape(scrapers, "fast", 2, born + 300 * SECOND + 1, 1)


def test_scraper_that_is_gone_holds_nothing() -> None:
    """A Prometheus that was removed keeps new streams at 0."""
    scrapers = Scrapers()
    for at in (0, 15, 30):
        _scrape(scrapers, "gone", 1, NOW + at * SECOND, 0)
        _scrape(scrapers, "here", 2, NOW + at * SECOND, 0)
    _bear(scrapers, 1, now=NOW + 31 * SECOND)
    marks = [_scrape(scrapers, "here", 2, NOW + at * SECOND, 1) for at in (45, 60, 75, 76, 90)]
    assert [0, 0, 0, 1, 1] == marks


def test_nobody_scrapes_for_long() -> None:
    """Births pile up where nobody scrapes."""
    scrapers = Scrapers()
    for birth in range(1, 1000):
        scrapers.bear(birth, NOW + birth * SECOND)
        scrapers.open(NOW + birth * SECOND)
    assert (698, 301) == (scrapers.opened, len(scrapers.waiting))


def test_scrape_that_failed_changes_nothing() -> None:
    """A scrape that broke off counts as seen, so that its zeros were shown to nobody."""
    scrapers = Scrapers()
    _bear(scrapers, 1)
    scraper = scrapers.begin("p", 1, NOW)
    assert scraper is scrapers.begin("p", 1, NOW + 1)
    assert not scrapers.open(NOW + 1)
    assert (0, 0, 0) == (scraper.seen, scraper.scrapes, scrapers.opened)


def test_births_during_a_scrape_are_not_seen() -> None:
    """A stream that is born while a scrape is written is taken for shown."""
    scrapers = Scrapers()
    _bear(scrapers, 1, 2)
    scraper = scrapers.begin("p", 1, NOW)
    _bear(scrapers, 3)
    scrapers.complete(scraper, 0, 2, NOW)
    assert scrapers.open(NOW)
    assert (2, 2, 0) == (scrapers.opened, scraper.seen, scraper.valued)


def test_connection_that_closed_is_taken_up_by_name() -> None:
    """A Prometheus whose connection was closed is taken for one more, for which all others have to wait."""
    scrapers = Scrapers()
    _scrape(scrapers, "p", 1, NOW, 3)
    scrapers.close(1, NOW + 1)
    _scrape(scrapers, "p", 7, NOW + 2, 3)
    (scraper,) = scrapers.known
    assert (7, 2) == (scraper.connection, scraper.scrapes)


def test_open_connection_is_not_taken_up() -> None:
    """Two Prometheus servers behind one address are taken for one."""
    scrapers = Scrapers()
    assert scrapers.begin("p", 1, NOW) is not scrapers.begin("p", 2, NOW)
    assert scrapers.begin("p", 1, NOW) is not scrapers.begin("q", 1, NOW)


def test_explicit_name_keeps_its_identity_over_connections() -> None:
    """A scraper that names itself is a new one with every connection."""
    scrapers = Scrapers()
    first = scrapers.begin("=one", 1, NOW)
    scrapers.close(1, NOW)
    assert first is scrapers.begin("=one", 2, NOW + 1)


def test_closed_scrapers_are_forgotten_after_a_while() -> None:
    """Every Prometheus that ever came is remembered, or one that restarts is forgotten."""
    scrapers = Scrapers()
    for number, name in enumerate(("a", "b", "=c")):
        _scrape(scrapers, name, number, NOW + number, 0)
    for number in range(3):
        scrapers.close(number, NOW + 300 * SECOND)
    assert ["a", "b", "=c"] == [one.name for one in scrapers.known]
    scrapers.close(99, NOW + 300 * SECOND + 1)
    assert ["b", "=c"] == [one.name for one in scrapers.known]


def test_number_of_scrapers_is_bounded() -> None:
    """Connections without end fill the memory."""
    scrapers = Scrapers()
    for number in range(1000):
        _scrape(scrapers, "p", number, NOW + number, 0)
    assert 256 == len(scrapers.known)
    assert set(range(744, 1000)) == {one.connection for one in scrapers.known}


@pytest.mark.parametrize(
    ("gaps", "silence", "live"),
    [
        ((), 180 * SECOND, True),
        ((), 180 * SECOND + 1, False),
        ((15 * SECOND,), 45 * SECOND, True),
        ((15 * SECOND,), 45 * SECOND + 1, False),
        ((15 * SECOND, 20 * SECOND, 15 * SECOND), 60 * SECOND, True),
        ((15 * SECOND, 15 * SECOND, 600 * SECOND), 300 * SECOND, True),
        ((15 * SECOND, 15 * SECOND, 600 * SECOND), 300 * SECOND + 1, False),
        ((SECOND // 10,), 15 * SECOND, True),
        ((SECOND // 10,), 15 * SECOND + 1, False),
    ],
)
def test_is_live(gaps: tuple[int, ...], silence: int, *, live: bool) -> None:
    """A scraper that is gone holds up streams and pods, or one that is slow is not waited for."""
    scraper = Scrapers().begin("p", 1, NOW)
    scraper.gaps.extend(gaps)
    assert live == scraper.is_live(NOW + silence)


@pytest.mark.parametrize(
    ("changed", "birth", "seen"),
    [(NOW - 1, 3, True), (NOW, 3, False), (NOW + 1, 3, False), (NOW - 1, 4, False), (NOW - 1, 0, True)],
)
def test_have_all_seen(changed: int, birth: int, *, seen: bool) -> None:
    """A pod leaves before a scraper had its last values, or has seen its newest stream above 0."""
    scrapers = Scrapers()
    _bear(scrapers, 1, 2, 3, now=NOW - SECOND)
    _scrape(scrapers, "p", 1, NOW - SECOND, 3)
    _bear(scrapers, 4, now=NOW)
    _scrape(scrapers, "p", 1, NOW, 4)
    assert seen == scrapers.have_all_seen(changed, birth, NOW)


def test_nobody_scrapes() -> None:
    """A receiver that nobody scrapes keeps the series of ended pods forever."""
    assert Scrapers().have_all_seen(NOW, 5, NOW)


def test_state_survives_a_restart() -> None:
    """After a restart of ours a value is followed by a 0, or a new stream has no 0."""
    scrapers, restored = Scrapers(), Scrapers()
    _bear(scrapers, 1, 2)
    for at in (0, 15):
        _scrape(scrapers, "p", 1, NOW + at * SECOND, 2)
        _scrape(scrapers, "=q", 2, NOW + at * SECOND, 2)
    _bear(scrapers, 3, now=NOW + 15 * SECOND)
    restored.restore(scrapers.state())
    assert 2 == _scrape(restored, "p", 9, NOW + 30 * SECOND, 3)
    assert 2 == _scrape(restored, "=q", 9, NOW + 30 * SECOND, 3)
    assert 3 == _scrape(restored, "p", 9, NOW + 45 * SECOND, 3)
    assert 2 == len(restored.known)
    assert restored.known[0].is_live(NOW + 90 * SECOND)
    assert not restored.known[0].is_live(NOW + 91 * SECOND)


def test_scrapes_of_an_earlier_run() -> None:
    """The journal's record of a scrape is given to another scraper, or makes a new one each time."""
    scrapers = Scrapers()
    _bear(scrapers, 1)
    for at in range(3):
        scrapers.repeat(5, "p", 0, 1, NOW + at * SECOND)
        scrapers.repeat(6, "p", 0, 1, NOW + at * SECOND)
    assert [(5, "p", None, 3), (6, "p", None, 3)] == [
        (one.number, one.name, one.connection, one.scrapes) for one in scrapers.known
    ]
    assert 7 == scrapers.begin("other", 1, NOW + 3 * SECOND).number
    scrapers.open_up_to(1)
    assert (1, 0) == (scrapers.opened, len(scrapers.waiting))


def test_twins_that_return_must_both_have_a_birth() -> None:
    """After a restart the faster of two servers behind one address would open what the slower has not had."""
    scrapers = Scrapers()
    fast, slow = (scrapers.begin("twin", connection, NOW) for connection in (1, 2))
    for scraper in (fast, slow):
        scrapers.complete(scraper, 0, 0, NOW)
    scrapers.bear(1, NOW)
    scrapers.complete(fast, 0, 1, NOW + SECOND)
    for connection in (1, 2):
        scrapers.close(connection, NOW + SECOND)

    scrapers.complete(scrapers.begin("twin", 3, NOW + 2 * SECOND), 0, 1, NOW + 2 * SECOND)

    assert (False, 0) == (scrapers.open(NOW + 3 * SECOND), scrapers.opened)

    scrapers.complete(scrapers.begin("twin", 4, NOW + 3 * SECOND), 0, 1, NOW + 3 * SECOND)

    assert (True, 1) == (scrapers.open(NOW + 4 * SECOND), scrapers.opened)
