"""The judgement: recorded against stored, stream by stream and gateway by gateway. Pure.

It reads raw samples; the rules of Prometheus' own `increase()`, which extrapolates, have no place here.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from truth.ledger import Series
from truth.programs import RawSamples

# The totals that are printed for each gateway.
_SHOWN: Final = (
    "gen_ai_client_token_usage_sum",
    "gen_ai_server_request_duration_seconds_count",
    "mcp_method_count_total",
)
# One broken rule breaks thousands of series; these many show the pattern.
_MOST_SHOWN: Final = 10


def difference(raw: RawSamples) -> float:
    """Reset-aware difference: a fall is a reset, after which the counter began at 0 again.

    The first sample is what counting begins from; a series that left and came back goes on from its last sample.
    """
    return sum(b - a if b >= a else b for (_, a), (_, b) in pairwise(raw.samples))


def mismatches(recorded: Mapping[Series, int], stored: Mapping[Series, RawSamples]) -> list[str]:
    """Where a server that scraped from the beginning does not hold exactly what was recorded."""
    return _worst(
        [f"never recorded: {_text(series)} {_samples(stored[series])}" for series in stored.keys() - recorded.keys()]
        + [f"never stored: {_text(series)} recorded {recorded[series]}" for series in recorded.keys() - stored.keys()]
        + [
            f"{_text(series)} recorded {recorded[series]} stored {difference(raw):g} {_samples(raw)}"
            for series, raw in stored.items()
            if series in recorded and (raw.first != 0 or difference(raw) != recorded[series])
        ]
    )


def late_mismatches(
    recorded: Mapping[Series, int], late: Mapping[Series, RawSamples], early: Mapping[Series, RawSamples], began: float
) -> list[str]:
    """Where a server whose first scrape was at `began` does not hold exactly what was recorded from then on.

    What it first saw of an old stream is its baseline, and never less than what others had seen by then; a stream
    that it did not see at `began` is new, and is first seen at 0.
    """
    wrong = [f"never stored: {_text(series)} recorded {recorded[series]}" for series in recorded.keys() - late.keys()]
    for series, raw in late.items():
        floor = early[series].value_before(began) if series in early else 0.0
        new = raw.first_time > began
        if (new and raw.first != 0) or raw.first < floor or raw.first + difference(raw) != recorded.get(series):
            wrong.append(
                f"{_text(series)} recorded {recorded.get(series)} first {raw.first:g} of at least {floor:g} "
                f"then {difference(raw):g} {_samples(raw)}"
            )
    return _worst(wrong)


def gateway_totals(recorded: Mapping[Series, int], stored: Iterable[Mapping[Series, RawSamples]]) -> list[str]:
    """One line a gateway and total: what was recorded, and what each server stored."""
    differences = [{series: difference(raw) for series, raw in server.items()} for server in stored]
    lines = []
    for gateway in sorted({_label(series, "gateway_name") for series in recorded}):
        for name in _SHOWN:
            sums = [_total(values, gateway, name) for values in (recorded, *differences)]
            lines.append(f"{gateway} {name}: recorded {sums[0]:.0f} / stored {' '.join(f'{s:.0f}' for s in sums[1:])}")
    return lines


def _total(values: Mapping[Series, float], gateway: str, name: str) -> float:
    return sum(
        value for series, value in values.items() if series[0] == name and _label(series, "gateway_name") == gateway
    )


def _label(series: Series, name: str) -> str:
    return dict(series[1]).get(name, "")


def _text(series: Series) -> str:
    return series[0] + "{" + ",".join(f'{key}="{value}"' for key, value in sorted(series[1])) + "}"


def _samples(raw: RawSamples) -> str:
    return "raw " + " ".join(f"{value:.0f}@{moment:.2f}" for moment, value in raw.samples)


def _worst(wrong: list[str]) -> list[str]:
    more = len(wrong) - _MOST_SHOWN
    # A bucket that is wrong has a count that is wrong, which says the same in one line.
    return sorted(wrong, key=lambda line: ("_bucket{" in line, line))[:_MOST_SHOWN] + (
        [f"and {more} more"] if more > 0 else []
    )
