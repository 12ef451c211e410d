"""How long readings are kept, and how closely: fine ones for a while, then the last of each minute, then of ten.

All times are nanoseconds. It deletes nothing.
"""

from typing import Final, NamedTuple

from aigw_receiver.core.sources import SECOND

FINEST: Final = 10 * SECOND
"""how often a reading is taken"""

AGES: Final = ((3600 * SECOND, 60 * SECOND), (12 * 3600 * SECOND, 600 * SECOND))
"""beyond which age no more is kept than the last reading of each step"""

# Where there is no room, all ages are divided by this, down to some seconds.
LEAST_SHARE: Final = 1 / 1024


class Tier(NamedTuple):
    """Of readings up to `until`, the last of each `step` is kept, the step's end being part of it."""

    until: int
    step: int


class Plan(NamedTuple):
    """What is kept: the tiers, the finest first; and of readings up to `since` only the last."""

    tiers: tuple[Tier, ...]
    since: int


def plan(now: int, retention: int, share: float = 1.0) -> Plan:
    """What is kept at `now`, with all ages shortened to this share. A tier ends with a whole step."""
    tiers = (Tier((now - int(age * share)) // step * step, step) for age, step in AGES)
    return Plan(tuple(tiers), now - int(retention * share))
