"""Cost from the metrics: every token is priced once, with the price of its time, and no counter ever falls."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import hypothesis
import hypothesis.strategies as st
import pytest

import otlp_messages as otlp
from aigw_receiver.core import exposition
from aigw_receiver.core.access_logs.model import Tokens
from aigw_receiver.core.exposition import OPENMETRICS, TEXT
from aigw_receiver.core.pricing import cost, cost_exposition, formats, labels, reading
from aigw_receiver.core.pricing.book import Book, Query
from aigw_receiver.core.pricing.cost import Priced
from aigw_receiver.core.pricing.cost_series import CostSeries
from aigw_receiver.core.pricing.token_usage import FAMILY, TokenUsage
from aigw_receiver.core.sources import Expiry
from aigw_receiver.core.store import Store
from otlp_messages import CUMULATIVE, DELTA, NOW, SECOND
from strategies.profile import examples

_CAPTURES: Final = Path(__file__).parents[3] / "captures"
_BOUNDS: Final = (1.0, 1000.0)
_COST: Final = "gen_ai_estimated_cost_usd_total"
_UNPRICED: Final = "gen_ai_unpriced_tokens_total"
_STREAM: Final = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m"}


def _book(*entries: Mapping[str, Any]) -> Book:
    return formats.read_book({"date": "2023-11-14", "entries": list(entries)}, "test")


def _priced(price: float, **more: Any) -> Book:
    return _book({"models": ["m"], "input": price, "cached": price / 4, "output": price * 4, **more})


_ONE: Final = _priced(1)


class _Receiver:
    """A store, the series of cost, and what calls them as the program does."""

    def __init__(self, book: Book = _ONE, *, began: int = NOW - 60 * SECOND) -> None:
        self.store = Store(began)
        self.book = book
        self.usage = TokenUsage()
        self.series = CostSeries()
        self.now = NOW

    def export(self, *, model: str = "m", temporality: otlp.Temporality = CUMULATIVE, start: int | None = None,
               pod: str = "pod-1", **sums: float) -> None:  # fmt: skip
        """Take in token sums by kind."""
        self.now += SECOND
        first = NOW - SECOND if start is None else start
        first = self.now - SECOND if temporality == DELTA else first
        points = [
            otlp.buckets(
                (0, 1, 0), total=total, bounds=_BOUNDS, start=first, time=self.now,
                labels={**_STREAM, "gen_ai.response.model": model, "gen_ai.token.type": kind},
            )
            for kind, total in sums.items()
        ]  # fmt: skip
        body = otlp.export(
            otlp.histogram(*points, name=otlp.TOKENS, unit="token", temporality=temporality), resource=otlp.pod(pod)
        )
        assert not self.store.export(body, self.now).rejected

    def tick(self) -> None:
        """Price what has come."""
        readings, forgotten = self.usage.read(self.store.families.get(FAMILY))
        self.series.observe(readings, forgotten, self.book, self.store.scrapers.opened, self.now)

    def scrape(self, name: str = "=one") -> dict[str, float]:
        """What a scraper is shown, by family and kind of token."""
        self.now += SECOND
        self.tick()
        scrapers = self.store.scrapers
        scraper = scrapers.begin(name, 0, self.now)
        scrapers.open(self.now)
        self.series.open(scrapers, self.now)
        mark, newest = scrapers.opened, self.store.census.newest
        shown = self.read(to_scraper=True)
        scrapers.complete(scraper, mark, newest, self.now)
        return shown

    def read(self, *, to_scraper: bool = False) -> dict[str, float]:
        """The samples of all pods, by family and kind."""
        text = b"".join(
            cost_exposition.render(
                self.series, TEXT, lambda number: bool(self.store.live[number]), to_scraper=to_scraper
            )
        ).decode()
        shown: dict[str, float] = {}
        for line in text.splitlines():
            if not line.startswith("#") and "_created" not in line:
                name, _, rest = line.partition("{")
                found, _, value = rest.rpartition("} ")
                key = f"{name.split('_')[2]}.{labels.parse(found)['gen_ai_token_type']}"
                shown[key] = shown.get(key, 0.0) + float(value)
        return shown


def test_kinds_add_up() -> None:
    """Cached tokens would be charged twice, or reasoning beside the output that contains it."""
    receiver = _Receiver()
    receiver.scrape()
    receiver.export(input=2006, cached_input=1920, cache_creation_input=10, output=300, reasoning=128)
    receiver.scrape()
    expected = {
        "estimated.input": 76 / 1e6,
        "estimated.cached_input": 1920 * 0.25 / 1e6,
        "estimated.cache_creation_input": 10 / 1e6,
        "estimated.output": 172 * 4 / 1e6,
        "estimated.reasoning": 128 * 4 / 1e6,
    }
    assert expected == receiver.scrape()


def test_a_new_series_is_0_first() -> None:
    """What a new model cost before the first scrape would be lost in Prometheus."""
    receiver = _Receiver()
    receiver.scrape()
    receiver.export(input=1_000_000)
    assert [{"estimated.input": 0.0}, {"estimated.input": 1.0}] == [receiver.scrape(), receiver.scrape()]
    receiver.export(input=3_000_000)
    assert {"estimated.input": 3.0} == receiver.scrape()


def test_every_scraper_is_shown_0_first() -> None:
    """The second of two scrapers would never see a series at 0."""
    receiver = _Receiver()
    receiver.scrape("=one")
    receiver.scrape("=two")
    receiver.export(input=1_000_000)
    shown = [receiver.scrape(name) for name in ("=one", "=one", "=two", "=one", "=two")]
    assert [0.0, 0.0, 0.0, 1.0, 1.0] == [one["estimated.input"] for one in shown]


def test_a_scraper_that_is_new_waits_for_a_0_too() -> None:
    """A scraper that comes for the first time would be taken for one that has seen the series."""
    receiver = _Receiver()
    receiver.export(input=1_000_000)
    receiver.tick()
    assert [0.0, 1.0] == [receiver.scrape()["estimated.input"] for _ in range(2)]


def test_other_readers_see_values() -> None:
    """A person with curl would see 0."""
    receiver = _Receiver()
    receiver.export(input=1_000_000)
    receiver.tick()
    assert {"estimated.input": 1.0} == receiver.read()


def test_a_series_does_not_wait_for_ever() -> None:
    """Without a scraper that is alive, a series would be shown at 0 for ever."""
    receiver = _Receiver()
    receiver.export(input=1_000_000)
    receiver.tick()
    receiver.now += 301 * SECOND
    receiver.series.open(receiver.store.scrapers, receiver.now)
    assert {"estimated.input": 1.0} == receiver.read(to_scraper=True)


def test_yesterdays_tokens_keep_yesterdays_price() -> None:
    """A counter would fall when a price falls, or rise without a token."""
    receiver = _Receiver(_priced(4))
    receiver.scrape()
    receiver.export(input=1_000_000)
    receiver.scrape()
    receiver.book = _priced(1)
    assert {"estimated.input": 4.0} == receiver.scrape()
    receiver.export(input=2_000_000)
    assert {"estimated.input": 5.0} == receiver.scrape()


def test_the_price_of_the_day() -> None:
    """A price that begins tomorrow would be used today."""
    book = _book(
        {"models": ["m"], "input": 1, "to": "2023-11-14"}, {"models": ["m"], "input": 10, "from": "2023-11-15"}
    )
    receiver = _Receiver(book)
    receiver.scrape()
    receiver.export(input=1_000_000)
    receiver.scrape()
    receiver.now = reading.date("", "2023-11-15")[1]
    receiver.export(input=2_000_000)
    assert {"estimated.input": 11.0} == receiver.scrape()


def test_tiers_are_for_requests() -> None:
    """The sum of many small requests would be priced as one large one."""
    receiver = _Receiver(_priced(1, tiers=[{"above": 10, "input": 100, "output": 100}]))
    receiver.scrape()
    receiver.export(input=1_000_000)
    receiver.scrape()
    assert {"estimated.input": 1.0} == receiver.scrape()


def test_unpriced_is_never_free() -> None:
    """A model without a price would look as if it were free; or tokens would be priced once it gets one."""
    receiver = _Receiver(_priced(1))
    receiver.scrape()
    receiver.export(model="m-new", input=1_000_000, cached_input=400_000, output=5)
    receiver.book = _book({"models": ["other"], "input": 1})
    receiver.scrape()
    unpriced = {"unpriced.input": 600_000.0, "unpriced.cached_input": 400_000.0, "unpriced.output": 5.0}
    assert unpriced == receiver.scrape()
    receiver.book = _book({"models": ["m-new"], "input": 2, "output": 3})
    receiver.export(model="m-new", input=2_000_000, cached_input=400_000, output=5)
    priced = {"estimated.input": 0.0, "estimated.cached_input": 0.0, "estimated.output": 0.0}
    assert unpriced | priced == receiver.scrape()
    assert unpriced | priced | {"estimated.input": 2.0} == receiver.scrape()


def test_a_price_for_some_kinds_only() -> None:
    """Tokens of a kind that the entry has no price for would cost nothing."""
    receiver = _Receiver(_book({"models": ["m"], "input": 1}))
    receiver.scrape()
    receiver.export(input=1_000_000, output=7)
    receiver.scrape()
    assert {"estimated.input": 1.0, "unpriced.output": 7.0} == receiver.scrape()


def test_a_pod_that_begins_anew() -> None:
    """The counter would fall with the gateway's, or miss what came after its restart."""
    receiver = _Receiver()
    receiver.scrape()
    receiver.export(input=3_000_000)
    receiver.scrape()
    receiver.export(input=1_000_000, start=receiver.now)
    assert {"estimated.input": 4.0} == receiver.scrape()


def test_readings_are_what_is_shown() -> None:
    """What a stream counted before its restart would be missing, or one that rests be read again and again."""
    receiver = _Receiver()
    read = [receiver.usage.read(receiver.store.families.get(FAMILY))]
    for total, start in ((3_000_000, None), (1_000_000, NOW + 2 * SECOND)):
        receiver.export(input=total, start=start)
        read.append(receiver.usage.read(receiver.store.families.get(FAMILY)))
    read.append(receiver.usage.read(receiver.store.families.get(FAMILY)))
    assert [[], [3_000_000.0], [4_000_000.0], []] == [[one.value for one in readings] for readings, _ in read]


def test_delta_streams() -> None:
    """Points that add up would be priced as totals."""
    receiver = _Receiver()
    receiver.scrape()
    for _ in range(3):
        receiver.export(input=1_000_000, temporality=DELTA)
    receiver.scrape()
    assert {"estimated.input": 3.0} == receiver.scrape()


def test_streams_that_are_older_than_the_receiver() -> None:
    """What a gateway had counted before we came would be counted as spent just now."""
    receiver = _Receiver(began=NOW)
    receiver.scrape()
    receiver.export(input=5_000_000, start=NOW - 3600 * SECOND)
    receiver.scrape()
    receiver.export(input=6_000_000, start=NOW - 3600 * SECOND)
    assert {"estimated.input": 1.0} == receiver.scrape()


def test_streams_that_come_one_by_one() -> None:
    """Input that was priced before its cached share was known would be charged twice for good."""
    receiver = _Receiver()
    receiver.scrape()
    receiver.export(input=1_000_000)
    receiver.scrape()
    receiver.export(cached_input=400_000)
    assert 1.0 == receiver.scrape()["estimated.input"]
    receiver.export(input=2_000_000)
    assert {"estimated.input": 1.6, "estimated.cached_input": 0.1} == receiver.scrape()


def test_pods_that_end_and_are_forgotten() -> None:
    """The series of a pod would stay for ever, or leave the memory never."""
    receiver = _Receiver()
    receiver.store.expiry = Expiry(retention=60 * SECOND)
    receiver.export(input=1_000_000)
    receiver.export(input=1_000_000, pod="pod-2")
    receiver.tick()
    source = next(source for source in receiver.store.sources.values() if source.identity.pod == "pod-1")
    receiver.store.show(source, live=False)
    assert {"estimated.input": 1.0} == receiver.read()
    source.last_seen = source.quiet_since = receiver.now - 61 * SECOND
    receiver.store.expire(receiver.now)
    receiver.tick()
    state = receiver.series.state()
    assert (1, 1) == (len(state["groups"]), len(state["counters"]))
    assert {"estimated.input": 1.0} == receiver.read()


def _through_json(document: Mapping[str, Any] | None) -> Any:
    return json.loads(json.dumps(document))


def test_a_restart_goes_on() -> None:
    """After a restart a counter would begin anew, fall, or be shown at 0 once more."""
    receiver = _Receiver(_priced(4))
    receiver.scrape()
    receiver.export(input=1_000_000)
    receiver.scrape()
    receiver.scrape()
    changes = _through_json(receiver.series.take_changes())
    receiver.export(input=2_000_000)  # acknowledged and journalled, but not priced before the crash
    receiver.series, receiver.usage, receiver.book = CostSeries(), TokenUsage(), _priced(1)
    receiver.series.restore(changes)
    assert {"estimated.input": 5.0} == receiver.scrape()


def test_changes_are_all_that_changed() -> None:
    """A journal of changes would not lead to the state, or would hold everything each time."""
    receiver = _Receiver()
    later = CostSeries()
    for step in range(4):
        receiver.export(input=1_000_000 * step, output=step)
        receiver.scrape()
        later.restore(_through_json(receiver.series.take_changes()))
    assert receiver.series.take_changes() is None
    assert receiver.series.state() == later.state()
    receiver.export(model="m-2024-01-01", input=5)
    receiver.tick()
    changes = receiver.series.take_changes()
    assert changes is not None
    assert (1, 1) == (len(changes["groups"]), len(changes["counters"]))


def test_groups_that_a_restart_cannot_place() -> None:
    """What a snapshot knows of a pod that the store has forgotten would be kept for ever."""
    receiver = _Receiver()
    receiver.export(input=1_000_000)
    receiver.tick()
    document = _through_json(receiver.series.state())
    other = _Receiver()
    other.series.restore(document)
    other.tick()
    assert {"version": 1, "groups": [], "counters": []} == other.series.state()


def test_the_text() -> None:
    """The families would not be written as all others are, or not with the labels that the documentation names."""
    receiver = _Receiver()
    receiver.export(input=1_500_000)
    receiver.tick()
    found = (
        'gateway_name="gateway",gateway_namespace="default",gateway_pod="pod-1",gen_ai_provider_name="openai",'
        'gen_ai_request_model="m",gen_ai_response_model="m",gen_ai_token_type="input"'
    )
    text = "Estimated cost of tokens in USD. Kinds add up: input is without cached ones, output without reasoning."
    created = exposition.go_float(receiver.now / SECOND)
    expected = (
        f"# HELP gen_ai_estimated_cost_usd {text}\n# TYPE gen_ai_estimated_cost_usd counter\n"
        f"{_COST}{{{found}}} 1.5\ngen_ai_estimated_cost_usd_created{{{found}}} {created}\n"
    )
    pieces = cost_exposition.render(receiver.series, OPENMETRICS, lambda _: True, to_scraper=False)
    assert expected == b"".join(pieces).decode()
    expected = (
        f"# HELP {_COST} {text}\n# TYPE {_COST} counter\n{_COST}{{{found}}} 1.5\n"
        f"# HELP gen_ai_estimated_cost_usd_created {text}\n# TYPE gen_ai_estimated_cost_usd_created gauge\n"
        f"gen_ai_estimated_cost_usd_created{{{found}}} {created}\n"
    )
    pieces = cost_exposition.render(receiver.series, TEXT, lambda _: True, to_scraper=False)
    assert expected == b"".join(pieces).decode()


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_what_a_real_gateway_sent(temporality: str) -> None:
    """The cost of real traffic would not be what its tokens cost: five chats of 2006 input (1920 of them cached) and
    300 output tokens (128 of them reasoning) at 0.05, 0.005 and 0.40 USD a million, and nine tokens of an embedding.
    """
    receiver = _Receiver(
        _book(
            {"models": ["gpt-5-nano"], "input": 0.05, "cached": 0.005, "output": 0.4},
            {"models": ["text-embedding-3-small"], "input": 0.02},
        ),
        began=0,
    )
    for path in sorted(_CAPTURES.glob(f"aigw-{temporality}-metrics-*.pb")):
        receiver.store.export(path.read_bytes(), receiver.now)
        receiver.tick()
    shown = {kind: value for kind, value in receiver.read().items() if kind.startswith("estimated")}
    expected = {
        "estimated.input": pytest.approx(5 * 86 * 0.05e-6 + 9 * 0.02e-6, rel=1e-12),
        "estimated.cached_input": pytest.approx(5 * 1920 * 0.005e-6, rel=1e-12),
        "estimated.cache_creation_input": 0.0,
        "estimated.output": pytest.approx(5 * 172 * 0.4e-6, rel=1e-12),
        "estimated.reasoning": pytest.approx(5 * 128 * 0.4e-6, rel=1e-12),
    }
    assert expected == shown


def test_labels_come_back() -> None:
    """A model with a quote, a comma or a line break in its name would be split there."""
    found = {"a": 'x",b="y', "model": "back\\slash\nline", "zone": "{,}"}
    text = 'a="x\\",b=\\"y"\0model="back\\\\slash\\nline",zone="{,}"'
    assert found == labels.parse(text)


_REQUEST = st.builds(
    lambda plain, cached, visible, reasoning: Tokens(plain + cached, cached, 0, visible + reasoning, reasoning),
    *(st.integers(0, 5000),) * 4,
)


@examples(60)
@hypothesis.given(st.lists(st.tuples(st.lists(_REQUEST, max_size=4), st.booleans(), st.booleans()), max_size=8))
def test_metrics_and_logs_agree(steps: list[tuple[list[Tokens], bool, bool]]) -> None:
    """The sum of what each request costs would be another one than what the metrics show; or a counter would fall."""
    receiver = _Receiver()
    receiver.scrape()
    expected, totals = 0, Tokens(0, 0, 0, 0, 0)
    shown = [0.0]
    prices = itertools.cycle((3, 1, 7))
    for requests, scraped, reloaded in steps:
        for tokens in requests:
            result = cost.price(receiver.book, Query("m", ""), tokens)
            assert isinstance(result, Priced)
            expected += result.cost
            names = ("input", "cached", "creation", "output", "reasoning")
            totals = Tokens(*(getattr(totals, name) + getattr(tokens, name) for name in names))
        receiver.export(
            input=totals.input or 0, cached_input=totals.cached or 0, output=totals.output or 0,
            reasoning=totals.reasoning or 0,
        )  # fmt: skip
        if scraped:
            shown.append(sum(receiver.scrape().values()))
        if reloaded:
            receiver.tick()
            receiver.book = _priced(next(prices))
    receiver.scrape()
    counters = receiver.series.state()["counters"]
    assert expected == sum(values[1] for _, _, values in counters)
    assert sorted(shown) == shown
