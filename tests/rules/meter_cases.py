"""`PYTHONPATH=tests python -m rules.meter_cases` writes rules/tests/meters.yaml, the scenario and its numbers.

promtool plays the scenario to the recording rules and compares. Moments lie between two samples, so that it is the same
to every version of Prometheus whether a window contains the sample at its edge.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from rules import oracle, scenario

TREE: Final = Path(__file__).parents[2]
FILE: Final = TREE / "rules" / "tests" / "meters.yaml"

MOMENTS: Final = {
    "10m30s": "three pods, one of which has ended two minutes before",
    "14m30s": "pod b was restarted within the window",
    "26m30s": "idle for more than the window",
}

HEAD: Final = """\
# Generated from tests/rules/{scenario,oracle}.py by `make docs`.
# Numbers are counted from what happened, not computed by Prometheus.
"""

_ROW: Final = re.compile(r"\| `meter_envoy_ai_gw(_mcp)?(_instance)?_(\w+)` \| `([\w:]+)(\{.*\})?` \|")
_POD: Final = "gateway_pod"


def rows() -> list[tuple[str, str, bool, str]]:
    """The table of docs/meters.md: SkyWalking's name, the oracle's name, whether by pod, and the series."""
    found = []
    for match in _ROW.finditer((TREE / "docs" / "meters.md").read_text()):
        mcp, instance, suffix, series, selector = match.groups(default="")
        peer = f"meter_envoy_ai_gw{mcp}{instance}_{suffix}"
        found.append((peer, f"{mcp}_{suffix}".removeprefix("_"), bool(instance), f"{series}{selector}"))
    return found


def _minutes(moment: str) -> float:
    minutes, seconds = re.fullmatch(r"(\d+)m(\d+)s", moment).groups()  # type: ignore[union-attr]
    return int(minutes) + int(seconds) / 60


def _test(series: str, moment: str, numbers: Mapping[oracle.Labels, float]) -> dict[str, Any]:
    # Sums of floats differ in the last digits by the order in which they are taken.
    samples = [
        {"labels": scenario.braces(labels), "value": round(value, 6) + 0.0} for labels, value in sorted(numbers.items())
    ]
    return {"expr": f"round({series}, 0.000001)", "eval_time": moment, "exp_samples": samples}


def tests() -> Iterator[dict[str, Any]]:
    """What is asked, and what must be answered: each series at each moment."""
    for moment in MOMENTS:
        by_scope = {pods: oracle.Window(_minutes(moment), pods=pods) for pods in (False, True)}
        meters = {pods: oracle.meters(window) for pods, window in by_scope.items()}
        for _, meter, pods, series in rows():
            yield _test(series, moment, meters[pods][meter])
        for pods, window in by_scope.items():
            for series, numbers in oracle.beyond(window).items():
                yield _test(f"{_POD if pods else 'gateway'}{series}", moment, numbers)


def text() -> str:
    """The whole file."""
    moments = "".join(f"# {moment}: {what}\n" for moment, what in MOMENTS.items())
    document = {
        "rule_files": ["../meters.yaml"],
        "evaluation_interval": "30s",
        "tests": [
            {
                "name": "what the meters are",
                "interval": "1m",
                "input_series": scenario.input_series(),
                "promql_expr_test": list(tests()),
            }
        ],
    }
    return HEAD + moments + yaml.safe_dump(document, sort_keys=False, width=1 << 20, default_flow_style=None)


if __name__ == "__main__":
    sys.exit(FILE.write_text(text()) == 0)
