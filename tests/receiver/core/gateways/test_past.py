"""What is remembered of a Prometheus, and for how long."""

from aigw_receiver.core.gateways import past
from aigw_receiver.core.gateways.past import Past
from aigw_receiver.core.gateways.window import MINUTE
from otlp_messages import SECOND


def test_answers() -> None:
    """Each refresh asks again, or an answer is that of another time, or is believed for ever."""
    known = Past()
    assert None is known.recall(0, 10 * MINUTE, 0)
    known.remember(0, 10 * MINUTE, 0, answer=True)
    known.remember(5 * MINUTE, 10 * MINUTE, 0, answer=False)
    slid = 10 * SECOND, 10 * MINUTE + 59 * SECOND
    assert (True, False) == (known.recall(*slid, MINUTE - 1), known.recall(5 * MINUTE, 10 * MINUTE, MINUTE - 1))
    assert None is known.recall(MINUTE, 10 * MINUTE, 0)
    assert None is known.recall(0, 11 * MINUTE, 0)
    assert None is known.recall(0, 10 * MINUTE, MINUTE)


def test_doubt() -> None:
    """A Prometheus that has begun to fail is asked for everything, and each page waits for it."""
    known = Past()
    known.remember(0, MINUTE, 0, answer=True)
    known.doubt()
    assert None is known.recall(0, MINUTE, 0)


def test_failures() -> None:
    """Each page waits for a Prometheus that hangs; or one that is well again is never asked again."""
    known = Past()
    assert None is known.failure(0)
    known.fail(0, "no answer")
    assert ("no answer", None) == (known.failure(30 * SECOND - 1), known.failure(30 * SECOND))
    known.remember(0, MINUTE, 0, answer=True)
    assert None is known.failure(0)


def test_bounded() -> None:
    """Whoever asks for ever other windows fills the memory."""
    known = Past()
    for number in range(past.MOST + 2):
        known.remember(number * MINUTE, 1000 * MINUTE, 0, answer=True)
        known.remember(0, 1000 * MINUTE, 0, answer=True)
    recalled = [known.recall(number * MINUTE, 1000 * MINUTE, 0) for number in range(past.MOST + 2)]
    assert [True, None, None, *[True] * (past.MOST - 1)] == recalled
