"""Every file that is generated from the boards, as text. It writes none."""

import json
from typing import Final

from board import gateway, grafana, overview, page
from board.model import Board
from board.promql import Source

CHART: Final = "charts/aigw-telemetry/files/dashboards"


def boards() -> list[Board]:
    """Every dashboard, from both sources of numbers."""
    return [
        board for source in Source for board in (overview.board(source, gateway.uid(source)), gateway.board(source))
    ]


def files() -> dict[str, str]:
    """Every file that is generated, by its path in the repository."""
    found = {}
    for board in boards():
        text = grafana.text_of(board)
        found[f"dashboards/{board.uid}.json"] = text
        # A ConfigMap is small: the chart's copies have no spaces.
        short = json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
        found[f"{CHART}/{board.uid}.json"] = f"{short}\n"
    found["docs/dashboards.md"] = page.page(boards())
    return found
