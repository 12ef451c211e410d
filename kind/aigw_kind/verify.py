"""`kind/verify`: compares what the receiver shows with what a ledger of kind/traffic says; a line for each check.

The numbers come by exports and batches, so it asks again until they are right, or until the time is up. It ends with 0
where every check has passed, with 1 where one has not, and with 2 where it could not ask.
"""

import argparse
import datetime as dt
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aigw_kind import checks, kube, series
from aigw_kind.ledger import Ledger, read

_PAUSE_SECONDS: Final = 2.0


def look(ledger: Ledger) -> checks.Seen:
    """Ask the receiver for everything that the checks need."""
    receiver = kube.Receiver(ledger.receiver)
    began = dt.datetime.fromtimestamp(ledger.started, dt.UTC).isoformat().replace("+00:00", "Z")
    kept = [log for gateway in ledger.pods for log in receiver.logs(gateway=gateway, **{"from": began})]
    before, after = series.parse(ledger.before), series.parse(receiver.metrics())
    return checks.Seen(before, after, receiver.sources(), kept)


def wait(ledger: Ledger, seconds: float, *, outage: bool = False) -> list[checks.Check]:
    """The checks, once all have passed or the time is up."""
    until = time.monotonic() + seconds
    while True:
        try:
            found = checks.run(ledger, look(ledger), outage=outage)
        except kube.KubeError:
            # A receiver that starts is away for a moment.
            if time.monotonic() > until:
                raise
        else:
            if all(check.passed for check in found) or time.monotonic() > until:
                return found
        time.sleep(_PAUSE_SECONDS)


def summary(found: Sequence[checks.Check]) -> str:
    """A line for each check, and one for all."""
    failed = sum(not check.passed for check in found)
    end = f"{failed} of {len(found)} checks failed" if failed else f"all {len(found)} checks passed"
    return "\n".join([*map(str, found), end])


def main() -> int:
    """Compare."""
    parser = argparse.ArgumentParser(prog="kind/verify", description=__doc__)
    parser.add_argument(
        "--ledger", type=Path, default=Path("ledger.json"), help="what kind/traffic wrote (ledger.json)"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to wait for the numbers (60)")
    parser.add_argument(
        "--outage",
        action="store_true",
        help="the receiver was away meanwhile: access logs and metrics of temporality delta may be fewer, but not more",
    )
    chosen = parser.parse_args()
    try:
        found = wait(read(chosen.ledger), chosen.seconds, outage=chosen.outage)
    except FileNotFoundError:
        sys.stderr.write(f"error: there is no {chosen.ledger}: kind/traffic --ledger {chosen.ledger}\n")
        return 2
    except (kube.KubeError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(summary(found) + "\n")
    return 0 if all(check.passed for check in found) else 1


if __name__ == "__main__":
    sys.exit(main())
