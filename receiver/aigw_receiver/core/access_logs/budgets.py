"""How many records a minute a rule may keep, and how many ordinary ones are sampled. It knows no rules and no records.

Both are counted for each gateway by itself: a gateway in trouble does not use up what is left for the others, and the
numbers mean the same however the gateways are spread over shards. Times are nanoseconds since 1970; one that is earlier
than the last one is taken for that.
"""

import collections
from collections.abc import Hashable
from typing import Final

MINUTE: Final = 60_000_000_000

# Gateways that are followed at one time; of more, those that were quiet for longest begin anew.
_GATEWAYS: Final = 5_000


class _Bucket:
    """What one gateway has left. `level` is in nanoseconds of refill, so that nothing is ever rounded."""

    __slots__ = ("debt", "indebted", "level", "time")

    def __init__(self, level: int, time: int) -> None:
        self.level = level
        self.time = time
        self.debt = 0.0
        self.indebted = time


class Budget:
    """So many records a minute of each gateway: a token bucket that holds a minute's worth, and begins full.

    What is refused for the budget is not lost to the sums: the next record that is kept stands for it too, so the
    weights of what is kept add up to what came. Only what was refused more than a minute before it is left out, since
    nobody would look for it there.
    """

    __slots__ = ("_buckets", "_per_minute")

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: collections.OrderedDict[Hashable, _Bucket] = collections.OrderedDict()

    def spend(self, gateway: Hashable, now: int) -> bool:
        """Whether one more record can be kept; if so, it is taken off."""
        bucket = self._bucket(gateway, now)
        if now > bucket.time:
            refilled = bucket.level + (now - bucket.time) * self._per_minute
            bucket.level = min(self._per_minute * MINUTE, refilled)
            bucket.time = now
        if bucket.level < MINUTE:
            return False
        bucket.level -= MINUTE
        return True

    def owe(self, gateway: Hashable, weight: float, now: int) -> None:
        """A record that stands for `weight` was dropped."""
        bucket = self._bucket(gateway, now)
        if not bucket.debt or now - bucket.indebted > MINUTE:
            bucket.debt = 0.0
            bucket.indebted = now
        bucket.debt += weight

    def pay(self, gateway: Hashable, now: int) -> float:
        """What a record that is kept stands for beside itself."""
        bucket = self._bucket(gateway, now)
        debt = bucket.debt if now - bucket.indebted <= MINUTE else 0.0
        bucket.debt = 0.0
        return debt

    def debt(self, gateway: Hashable) -> float:
        """What was dropped and has not been stood for yet."""
        bucket = self._buckets.get(gateway)
        return bucket.debt if bucket is not None else 0.0

    def _bucket(self, gateway: Hashable, now: int) -> _Bucket:
        bucket = self._buckets.get(gateway)
        if bucket is None:
            bucket = self._buckets[gateway] = _Bucket(self._per_minute * MINUTE, now)
            if len(self._buckets) > _GATEWAYS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(gateway)
        return bucket


class _Minute:
    """The ordinary requests of one gateway in one minute of the clock, and in the one before."""

    __slots__ = ("before", "count", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.count = 0
        self.before = 0


class Rate:
    """About so many a minute of each gateway, by a probability that is known before a record is looked at.

    The k-th record of a minute is kept with probability N/k, or N/(records of the minute before) where that is less.
    Weights of 1/probability are therefore unbiased whatever the traffic does. In even traffic N a minute are kept; a
    minute with M records after a quiet one keeps N * (1 + ln(M/N)).
    """

    __slots__ = ("_minutes", "_per_minute")

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._minutes: collections.OrderedDict[Hashable, _Minute] = collections.OrderedDict()

    def probability(self, gateway: Hashable, now: int) -> float:
        """The probability with which the record that arrives now is to be kept; it is counted."""
        number = now // MINUTE
        minute = self._minutes.get(gateway)
        if minute is None or number > minute.number:
            minute = self._turn(gateway, minute, number)
        minute.count += 1
        return min(1.0, self._per_minute / max(minute.count, minute.before))

    def _turn(self, gateway: Hashable, last: _Minute | None, number: int) -> _Minute:
        minute = self._minutes[gateway] = _Minute(number)
        if last is not None and last.number == number - 1:
            minute.before = last.count
        self._minutes.move_to_end(gateway)
        if len(self._minutes) > _GATEWAYS:
            self._minutes.popitem(last=False)
        return minute
