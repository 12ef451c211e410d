"""Reads what the page shows, by the attributes that its modules document. It waits for nothing and asserts nothing.

table[data-table] tr[data-row] [data-field][data-value]    tables
[data-tile] [data-field][data-value]                       tiles
figure[data-chart] tr[data-time] td[data-series]           the numbers of a chart, once its table is open
"""

from collections.abc import Mapping

from playwright.sync_api import Locator, Page

from web import truth

_VALUES = "parts => Object.fromEntries(parts.map(each => [each.dataset.field, each.dataset.value]))"
_ROWS = """rows => Object.fromEntries(rows.map(row => {
    const values = [...row.querySelectorAll("[data-field]")].map(each => [each.dataset.field, each.dataset.value]);
    return [row.dataset.row, Object.fromEntries(values)];
}))"""
_CHART = """rows => rows.map(row => {
    const cells = [...row.querySelectorAll("td[data-series]")].map(each => [each.dataset.series, each.dataset.value]);
    return [Number(row.dataset.time), Object.fromEntries(cells)];
})"""

Shown = dict[str, str]


def rows(page: Page, table: str) -> dict[str, Shown]:
    """The values of each row of a table, by the row's key."""
    found: dict[str, Shown] = page.locator(f"table[data-table={table}] tbody tr").evaluate_all(_ROWS)
    return found


def tiles(page: Page) -> Shown:
    """The values of all tiles that can be seen."""
    found: Shown = page.locator("[data-tile]:visible [data-field]").evaluate_all(_VALUES)
    return found


def chart(page: Page, name: str) -> list[tuple[float, Shown]]:
    """The numbers of a chart by the end of each step, oldest first; opens its table."""
    figure = chart_figure(page, name)
    if not figure.locator("details").evaluate("each => each.open"):
        figure.locator("summary").click()
    figure.locator("tr[data-time]").first.wait_for()
    found = figure.locator("tr[data-time]").evaluate_all(_CHART)
    return sorted((time, values) for time, values in found)


def chart_figure(page: Page, name: str) -> Locator:
    """The figure of a chart."""
    return page.locator(f"figure[data-chart={name}]")


def number(text: str) -> float | None:
    """The number of a data-value; empty is none."""
    return float(text) if text else None


def differences(wanted: Mapping[str, float | None], shown: Mapping[str, str]) -> list[str]:
    """Each field that is shown with another number than the one wanted; fields that are not numbers are left out."""
    return [
        f"{field}: {wanted[field]} was recorded, {text or 'nothing'} is shown"
        for field, text in shown.items()
        if field in wanted and not truth.equal(wanted[field], number(text))
    ]
