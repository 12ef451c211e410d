"""The tab Requests: what was kept, found, followed and explained."""

import json
from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from aigw_demo.series import SeriesMap
from web import reading
from web.conftest import Opener
from web.site import FAILING, Site

STOREFRONT = "/gateways/shop/storefront/requests"
RESEARCH = "/gateways/data/research/requests"
ROWS = "table[data-table=requests] tbody tr"


def kept(site: Site, gateway: str, **filters: str) -> dict[str, dict[str, Any]]:
    """The records that the API has, by id, the newest first."""
    query = "".join(f"&{name}={value}" for name, value in filters.items())
    page = site.read(f"/api/logs?gateway={gateway}&limit=1000{query}")
    return dict(zip(page["ids"], page["logs"], strict=True))


def test_all_that_was_kept_of_both_gateways(site: Site, recorded: SeriesMap, look: Opener) -> None:
    """A kept request is not shown, or is shown twice, or a rule that kept it is not named."""
    assert recorded
    shown: list[reading.Shown] = []
    with look() as reader:
        for path, gateway in ((STOREFRONT, "shop/storefront"), (RESEARCH, "data/research")):
            rows = reading.rows(reader.open(f"{path}?limit=1000&refresh=off"), "requests")
            assert list(kept(site, gateway)) == list(rows)
            shown += rows.values()
    account = site.account
    assert account.kept.holds(len(shown))
    rules = Counter(rule for row in shown for rule in row["rules"].split(","))
    assert dict.fromkeys(account.rules, True) == {
        rule: account.rules[rule].holds(rules[rule]) for rule in account.rules
    }


def test_a_row_is_its_record(site: Site, recorded: SeriesMap, look: Opener) -> None:
    """A value of the list is not that of the record."""
    assert recorded
    with look() as reader:
        page = reader.open(f"{RESEARCH}?limit=1000&refresh=off")
        rows = reading.rows(page, "requests")
        times = page.locator(f"{ROWS} [data-field=time]").all_inner_texts()
    records = kept(site, "data/research")
    # To the millisecond: ".250" of "2026-01-31T12:00:00.250000000Z".
    assert [record["time"][19:23] for record in records.values()] == [time.strip()[-4:] for time in times]
    for id_, record in records.items():
        for field in (
            "time",
            "status",
            "ending",
            "rules",
            "duration_ms",
            "time_to_first_token_ms",
            "total_tokens",
            "cost_usd",
        ):
            value = record.get(field)
            text = rows[id_][field]
            assert (field, value) == (field, float(text) if isinstance(value, int | float) else text or None)


@pytest.mark.parametrize(
    ("control", "value", "parameter", "wanted"),
    [
        ("select[name=route_type]", "mcp", {"route_type": "mcp"}, {"mcp_errors"}),
        ("input[name=status]", "429", {"status": "429"}, {"errors"}),
        ("input[name=model]", "longstream", {"model": "longstream"}, {"aborted"}),
    ],
    ids=["route_type", "status", "model"],
)
def test_filters(  # a fixture each, and the columns of the table
    site: Site,
    recorded: SeriesMap,
    look: Opener,
    control: str,
    value: str,
    parameter: dict[str, str],
    wanted: set[str],
) -> None:
    """A filter finds what it does not name, or not all of it, or a link to what was found finds something else."""
    assert recorded
    with look() as reader:
        page = reader.open(f"{STOREFRONT}?refresh=off")
        search(page, control, value)
        reader.drawn()
        found = reading.rows(page, "requests")
        address = reader.link
    assert list(kept(site, "shop/storefront", **parameter)) == list(found) != []
    assert wanted == {rule for row in found.values() for rule in row["rules"].split(",")}
    with look() as other:
        assert list(found) == list(reading.rows(other.open(address), "requests"))


def search(page: Page, control: str, value: str) -> None:
    """Fill in one control of the form and search."""
    field = page.locator(f"#search {control}")
    if not field.is_visible():
        page.locator("#search summary").click()
    if control.startswith("select"):
        field.select_option(value)
    else:
        field.fill(value)
        field.press("Enter")
    page.wait_for_url(lambda url: f"={value}" in url)


def test_nothing_found_says_what_to_do(recorded: SeriesMap, look: Opener) -> None:
    """A search without a result looks like one that has failed."""
    assert recorded
    with look() as reader:
        page = reader.open(f"{STOREFRONT}?text=nothing-like-this&refresh=off")
        expect(page.locator("[data-notice=empty]")).to_contain_text("No kept request matches")
        page.get_by_role("link", name="Take out all filters").click()
        page.locator(ROWS).first.wait_for()


def test_drawer_has_every_field_and_the_reason(site: Site, recorded: SeriesMap, look: Opener) -> None:
    """A field of a record cannot be seen, or nobody learns why it was kept; a link to it leads elsewhere."""
    assert recorded
    records = kept(site, "data/research", rule="tokens")
    id_, record = next(iter(records.items()))
    with look() as reader:
        page = reader.open(f"{RESEARCH}?rule=tokens&refresh=off")
        page.locator(f"{ROWS}[data-row='{id_}'] a").first.click()
        check_drawer(page, id_, record)
        address = reader.link
        page.keyboard.press("Escape")
        expect(page.locator("#record")).not_to_be_visible()
        assert id_ == page.evaluate("document.activeElement.closest('tr')?.dataset.row")
    with look() as other:
        check_drawer(other.open(address), id_, record)


def check_drawer(page: Page, id_: str, record: dict[str, Any]) -> None:
    """It is open, with this record."""
    drawer = page.locator(f"dialog#record[open][data-record='{id_}']")
    drawer.wait_for()
    rules = drawer.locator("[data-reason]").evaluate_all("parts => parts.map(each => each.dataset.reason)")
    assert record["rules"].split(",") == rules
    assert "tokens" in drawer.locator("[data-reason=tokens]").inner_text().lower()
    fields = drawer.locator(".record-field").evaluate_all(
        "parts => parts.map(each => [each.dataset.field, each.dataset.value])"
    )
    shown = dict(fields)
    assert len(shown) == len(fields)
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in record.items()}
    assert {name for name in written if name != "rules"} <= set(shown)
    numbers = {name for name, value in record.items() if isinstance(value, int | float)}
    assert {name: written[name] for name in shown if name not in numbers} == {
        name: text for name, text in shown.items() if name not in numbers
    }
    assert {name: record[name] for name in numbers & set(shown)} == {
        name: float(text) for name, text in shown.items() if name in numbers
    }


def test_live_follow_shows_a_new_request(site: Site, recorded: SeriesMap, look: Opener) -> None:
    """Who watches for an error does not see it come, or sees it twice; what came while it was paused is lost."""
    assert recorded
    with look() as reader:
        page = reader.open(f"{STOREFRONT}?limit=1000&refresh=off")
        before = set(reading.rows(page, "requests"))
        page.locator("#live").click()
        page.locator("#live-state[data-state=open]").wait_for()
        site.send_failing_request("shop", "storefront")
        expect(page.locator(ROWS)).to_have_count(len(before) + 1)
        new = {id_: row for id_, row in reading.rows(page, "requests").items() if id_ not in before}
        assert [(FAILING.model, "404", "errors")] == [
            (row["what"], row["status"], row["rules"]) for row in new.values()
        ]
        page.locator("#pause").click()
        site.send_failing_request("shop", "storefront")
        expect(page.locator("#live-state")).to_contain_text("1 new request held back")
        assert len(before) + 1 == page.locator(ROWS).count()
        page.locator("#pause").click()
        expect(page.locator(ROWS)).to_have_count(len(before) + 2)
        assert list(kept(site, "shop/storefront")) == list(reading.rows(page, "requests"))
        page.locator("#live").click()
