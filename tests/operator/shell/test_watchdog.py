"""A watch that is open and says nothing is found, and none that works is suspected."""

import pytest

from aigw_operator.core import model
from aigw_operator.core.model import NamespacedName
from aigw_operator.shell.store import Changed
from aigw_operator.shell.watchdog import Watchdog

_NAME = NamespacedName("ns", "a")
_DEAD = "the watch of gateways is dead: it has not shown ns/a"


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    """A clock that stands still until it is moved."""
    return _Clock()


def test_watch_that_says_nothing(clock: _Clock) -> None:
    """A dead watch is not found, or before it could have been opened anew."""
    watchdog = Watchdog(clock)
    watchdog.expect(model.GATEWAY, [Changed(_NAME, "7")])
    clock.now = 180.0
    assert "" == watchdog.dead()

    # A later list shows it again; the watch has had no more time by that.
    watchdog.expect(model.GATEWAY, [Changed(_NAME, "8")])
    clock.now = 181.0
    assert _DEAD == watchdog.dead()


@pytest.mark.parametrize(("version", "expected"), [("7", ""), ("8", ""), ("10", ""), ("6", _DEAD), ("opaque", "")])
def test_event_that_comes_later(clock: _Clock, version: str, expected: str) -> None:
    """A watch that was only late is called dead, or one that shows only the past is called alive."""
    watchdog = Watchdog(clock)
    watchdog.expect(model.GATEWAY, [Changed(_NAME, "7")])
    watchdog.see(model.GATEWAY, _NAME, version)
    clock.now = 200.0

    assert expected == watchdog.dead()


def test_what_is_gone(clock: _Clock) -> None:
    """An event is waited for that never comes: that of a deletion during a cut."""
    watchdog = Watchdog(clock)
    watchdog.expect(model.GATEWAY, [Changed(_NAME, "7")])
    watchdog.expect(model.GATEWAY, [Changed(_NAME, ""), Changed(NamespacedName("ns", "b"), "")])
    clock.now = 200.0

    assert "" == watchdog.dead()
