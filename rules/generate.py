"""Writes the rule files, the chart's template of the alerts, and two pages of docs, from the rulebook beside it.

python rules/generate.py            writes them
python rules/generate.py --check    only compares
python rules/generate.py --alerts '{"costBudget": 100}'
                                    prints the alerts, with these parameters instead of their defaults
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rulebook import alerts_own, alerts_telemetry, alerts_traffic, alerts_usage, meters, parity, rendering
from rulebook.model import Group
from rulebook.parameters import PARAMETERS

TREE: Final = Path(__file__).parents[1]


def alert_groups() -> list[Group]:
    """The groups of all alerts."""
    modules = (alerts_traffic, alerts_usage, alerts_telemetry, alerts_own)
    return [group for module in modules for group in module.groups()]


def template() -> str:
    """The alerts, with their parameters as @{name}."""
    return rendering.rules(alert_groups())


def alerts(changed: Mapping[str, float | str]) -> str:
    """The alerts, ready for Prometheus."""
    values = {parameter.name: parameter.default for parameter in PARAMETERS}
    unknown = sorted(set(changed) - set(values))
    if unknown:
        message = f"there is no parameter {', '.join(unknown)}"
        raise SystemExit(message)
    return rendering.fill(template(), {**values, **changed})


def files() -> dict[str, str]:
    """Every file that is generated, by its path in the repository."""
    return {
        "rules/meters.yaml": rendering.rules(meters.groups()),
        "rules/alerts.yaml": alerts({}),
        "rules/chart/alerts.yaml": template(),
        "rules/chart/parameters.yaml": rendering.values(PARAMETERS),
        "docs/meters.md": rendering.page(parity.table(), meters.groups()),
        "docs/runbooks/README.md": rendering.alerts_page(alert_groups(), PARAMETERS),
    }


def main() -> int:
    """Write the files, or with --check tell which are not current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--alerts", metavar="JSON", help="print the alerts with these parameters")
    arguments = parser.parse_args()
    if arguments.alerts is not None:
        sys.stdout.write(alerts(json.loads(arguments.alerts)))
        return 0
    stale = [path for path, text in files().items() if not _is(TREE / path, text)]
    if arguments.check:
        for path in stale:
            sys.stderr.write(f"{path} is not current: run `make docs`\n")
        return 1 if stale else 0
    for path in stale:
        (TREE / path).parent.mkdir(exist_ok=True)
        (TREE / path).write_text(files()[path])
    return 0


def _is(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
