"""Times as Kubernetes writes them (RFC 3339), as numbers. It does not know what time it is."""

import re
from typing import Final

_RFC3339: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z")


def seconds(text: str) -> float | None:
    """Whole seconds since 1970 of a UTC time in RFC 3339 form; None for anything else."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    return ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60.0 + second


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar; a year begins in March here, so that leap days come last."""
    year -= month <= 2
    month = (month + 9) % 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 1 - 719468


def text(moment: float) -> str:
    """RFC 3339, in whole seconds, of a time in seconds since 1970."""
    days, second = divmod(int(moment), 86400)
    # The inverse of _days: 146097 days are four centuries; years begin in March.
    era, day = divmod(days + 719468, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    year += era * 400 + (month >= 10)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{year:04}-{(month + 2) % 12 + 1:02}-{day - (153 * month + 2) // 5 + 1:02}T{clock}Z"


def age(created: str, now: float) -> float:
    """Seconds since a time in RFC 3339 form; 0 for one that cannot be read, since what is unknown is young."""
    then = seconds(created)
    return 0.0 if then is None else max(0.0, now - then)
