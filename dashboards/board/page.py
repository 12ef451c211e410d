"""The page of docs about the dashboards: what is on them, and where the panels of others are. It writes no file."""

from collections.abc import Iterable
from typing import Final

from board import peers
from board.model import Board, Panel
from board.promql import Source

_HEAD: Final = """\
# Dashboards for Grafana

This page is generated from `dashboards/board` by `make docs`; edit it there.

Four files in `dashboards/`, for Grafana 10 and later:

| file | shows | numbers |
| --- | --- | --- |
"""

_TEXT: Final = """
They are imported by hand (Dashboards, New, Import), by Grafana's provisioning, or by its sidecar from the ConfigMaps
that the chart makes with `dashboards.enabled`. `uid`s and the numbers of panels stay, so links to them do.

## Plain series or recording rules

Both sets have the same panels, in the same places. The link at the top leads from one to the other, with time range and
variables.

- **Plain series** need nothing but a Prometheus that scrapes the receiver. Begin with these.
- **Recording rules** read what [rules/meters.yaml](meters.md) has recorded: quick over weeks and thousands of series.
  What no rule records still comes from plain series, and the panel's description says so; so do the variables, and the
  state in the overview.

It is two sets and not a variable, since with a variable Grafana would ask Prometheus both ways each time. They differ
in this:

| | plain series | recording rules |
| --- | --- | --- |
| provider, model, MCP server | chosen for every panel | chosen for what is shown by them |
| rates | over `$__rate_interval`: four scrapes or more | over 5 minutes |
| amounts | `increase()` over the time range | the sum of the recorded minutes of the time range |

A recorded minute is the average of five, so an amount contains a little of what was just before the time range, and
lacks as much at its end.

Increases and rates are taken of each series before anything is summed, so a restart makes no step. Where nothing was,
averages, percentiles and shares are absent; counts are 0. Percentiles are interpolated over the buckets of all pods,
and never above the last bound; beside them, at the right axis, is the share of observations that lie above it.

## Variables

| variable | what |
| --- | --- |
| `datasource` | a Prometheus, or what speaks like one |
| `namespace`, `gateway` | of the gateways; several in the overview |
| `pod`, `provider`, `model` | several, or all; not in the overview |
| `backend` | MCP servers; several, or all; not in the overview |
| `page` | the address of the receiver's port 8080, as your browser reaches it; links to requests lead there |

Numbers from access logs know no pod. A gateway whose namespace is unknown can be seen in the overview only.

The state in the overview is of the time range: *active* had requests, *idle* sends metrics but had none, *silent* has
requests in its access logs and sends no metrics, *ended* was there and has no pod any more. Pods are counted by
`target_info`.
"""

_PEERS: Final = """
## Where the panels of others are

Each panel of SkyWalking's dashboards for AI Gateway (a service is a gateway; an instance is a pod: choose it as `pod`),
of its dashboards for Virtual GenAI that apply to a gateway, and of AI Gateway's own example dashboard.
"""


def page(boards: list[Board]) -> str:
    """All of it."""
    lines = [_HEAD.removesuffix("\n")]
    for board in boards:
        source = "recording rules" if board.uid.endswith("-rules") else "plain series"
        what = "all gateways, and the receivers" if "overview" in board.uid else "one gateway"
        lines.append(f"| `{board.uid}.json` | {what} | {source} |")
    lines.append(_TEXT.removesuffix("\n"))
    plain = boards[: len(boards) // len(Source)]
    lines += _peers(plain)
    for board in plain:
        lines += _panels(board)
    return "\n".join(lines) + "\n"


def _peers(boards: Iterable[Board]) -> list[str]:
    titles = {panel.slug: (row.title, panel) for board in boards for row in board.rows for panel in row.panels}
    lines = [_PEERS.removesuffix("\n")]
    for name, rows in peers.TABLES.items():
        lines += ["", f"| {name} | here | row |", "| --- | --- | --- |"]
        for theirs, slugs in rows:
            ours = [titles[slug] for slug in slugs]
            in_rows = ", ".join(dict.fromkeys(row for row, _ in ours))
            lines.append(f"| {theirs} | {'; '.join(panel.title for _, panel in ours)} | {in_rows} |")
    return lines


def _panels(board: Board) -> list[str]:
    lines = ["", f"## {board.title}: all panels", "", "| row | panel | what it shows |", "| --- | --- | --- |"]
    return lines + [f"| {row.title} | {panel.title} | {_shown(panel)} |" for row in board.rows for panel in row.panels]


def _shown(panel: Panel) -> str:
    if not panel.queries:
        return "links to the receiver's page and to its API"
    return panel.text.replace("|", "\\|")
