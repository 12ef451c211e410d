"""What becomes of one record that was read in full, as an intake asks it of one that it only looked at."""

from aigw_receiver.core.access_logs import rules
from aigw_receiver.core.access_logs.model import AccessLog
from aigw_receiver.core.access_logs.rules import Rules, Verdict


def decide(decider: Rules, log: AccessLog, now: int, random: float) -> Verdict:
    """The decision on a record that arrives at `now`, in nanoseconds since 1970."""
    weight = rules.weight_of(log.tokens.total, log.tokens.input, log.tokens.output)
    return decider.decide(log, decider.concerned(log), log.duration, weight, now, random)
