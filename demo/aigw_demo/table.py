"""The live table in the terminal: what the receiver shows and keeps, drawn anew each second.

It reads the receiver's /metrics and the file of kept access logs like any other client, and must not look at what the
gateways recorded.
"""

import asyncio
import shutil
import sys
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Final, TextIO

import aiohttp

from aigw_demo.kept import KeptLogs, Line
from aigw_demo.receiver import Addresses
from aigw_demo.rollup import McpRow, ModelRow, Percentile, build_mcp_rows, build_model_rows
from aigw_demo.series import SeriesMap, parse_exposition

TERMINAL_SECONDS: Final = 1.0
# Without a terminal each table stays, so they come more seldom.
PLAIN_SECONDS: Final = 5.0
# ANSI: the cursor to the top left; erase to the end of the line; erase to the end of the screen; and the whole screen.
HOME: Final = "\x1b[H"
ERASE_LINE: Final = "\x1b[K"
ERASE_BELOW: Final = "\x1b[J"
CLEAR: Final = "\x1b[2J"

MODEL_HEADER: Final = ("GATEWAY", "MODEL", "REQUESTS", "ERRORS", "TOKENS IN", "TOKENS OUT", "COST", "P95", "TTFT P95")
MCP_HEADER: Final = ("MCP BACKEND", "METHOD", "SUCCESS", "FAILED", "ERROR")
KEPT_HEADER: Final = ("KEPT AT", "GATEWAY", "MODEL OR TOOL", "KEPT BY", "STATUS", "TOKENS", "COST", "TOOK")
TEXT_COLUMNS: Final = 2
KEPT_TEXT_COLUMNS: Final = 4
# Of a time in RFC 3339: hours, minutes and seconds.
CLOCK: Final = slice(11, 19)


def format_percentile(percentile: Percentile | None) -> str:
    """A latency, with ">" where the histogram only knows that it is larger."""
    if percentile is None:
        return "-"
    seconds = percentile.value
    text = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
    return f">{text}" if percentile.beyond else text


def format_cost(cost: object) -> str:
    """USD to a hundredth of a cent, for one request can cost less than a cent."""
    return f"${cost:,.4f}" if isinstance(cost, (int, float, Decimal)) else "-"


def render_columns(rows: Sequence[Sequence[str]], text_columns: int = TEXT_COLUMNS) -> list[str]:
    """Rows as aligned lines: the first columns are text, the others numbers."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def render_models(rows: Sequence[ModelRow]) -> list[str]:
    """The GenAI table."""
    cells = [
        (
            row.gateway,
            row.model,
            f"{row.requests:,}",
            f"{row.errors:,}",
            f"{row.input_tokens:,}",
            f"{row.output_tokens:,}",
            format_cost(row.cost),
            format_percentile(row.duration_p95),
            format_percentile(row.first_token_p95),
        )
        for row in rows
    ]
    return render_columns([MODEL_HEADER, *cells])


def render_mcp(rows: Sequence[McpRow]) -> list[str]:
    """The MCP table."""
    cells = [(row.backend or "-", row.method, f"{row.success:,}", f"{row.failed:,}", f"{row.error:,}") for row in rows]
    return render_columns([MCP_HEADER, *cells])


def render_kept(lines: Collection[Line], count: int) -> list[str]:
    """The latest kept access logs, and how many there were."""
    cells = [
        (
            str(line["time"])[CLOCK],
            f"{line['gateway_namespace']}/{line['gateway_name']}",
            str(line.get("requested_model") or line.get("mcp_tool") or line.get("mcp_method") or "-"),
            str(line["rules"]),
            str(line.get("status", "-")),
            f"{line['total_tokens']:,}" if "total_tokens" in line else "-",
            format_cost(line.get("cost_usd")),
            f"{line['duration_ms']:.0f} ms" if "duration_ms" in line else "-",
        )
        for line in lines
    ]
    earlier = f"and {count - len(lines):,} before"
    return [*render_columns([KEPT_HEADER, *cells], KEPT_TEXT_COLUMNS), *([earlier] if count > len(lines) else [])]


def render_addresses(addresses: Addresses, prometheus: str) -> list[str]:
    """Where to look, the page first, and where to send to; `prometheus` is its address, or why there is none."""
    return [
        f"open this page            {addresses.http}/",
        f"Prometheus beside it      {prometheus}",
        f"metrics of the gateways   {addresses.http}/metrics",
        f"metrics of the receiver   {addresses.telemetry}/metrics",
        f"OTLP goes to              {addresses.grpc} (gRPC), {addresses.otlp_http} (HTTP)",
    ]


def render_screen(series: SeriesMap, head: Sequence[str], kept: KeptLogs) -> list[str]:
    """All lines of one drawing, below those of where to look."""
    models, mcp = build_model_rows(series), build_mcp_rows(series)
    if not models and not mcp:
        return [*head, "", "waiting for the first export"]
    # Above the MCP table, which a small window cuts off.
    logs = ["", *render_kept(kept.latest, kept.count)] if kept.count else []
    return [*head, "", *render_models(models), *logs, "", *render_mcp(mcp)]


class LiveTable:
    """Draws until it is cancelled."""

    def __init__(
        self, addresses: Addresses, kept: KeptLogs, head: Sequence[str] = (), output: TextIO = sys.stdout
    ) -> None:
        """`head` is shown above each table."""
        self._addresses = addresses
        self._head = head
        self._kept = kept
        self._output = output
        self._terminal = output.isatty()

    async def run(self) -> None:
        """Draw again and again; a scrape that fails is shown, not fatal."""
        if self._terminal:
            self._output.write(CLEAR)
        while True:
            await asyncio.sleep(TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS)
            self._kept.read()
            try:
                series = parse_exposition(await self._addresses.scrape())
                lines = render_screen(series, self._head, self._kept)
            except (aiohttp.ClientError, TimeoutError) as error:
                lines = [f"the receiver does not answer: {error}"]
            self.draw(lines)

    def draw(self, lines: list[str]) -> None:
        """On a terminal draw over the last table, cut to the window; elsewhere add one more."""
        if not self._terminal:
            self._output.write("\n".join([*lines, "", ""]))
        else:
            columns, rows = shutil.get_terminal_size()
            shown = [line[: columns - 1] + ERASE_LINE for line in lines[: rows - 1]]
            self._output.write(HOME + "\n".join(shown) + "\n" + ERASE_BELOW)
        self._output.flush()
