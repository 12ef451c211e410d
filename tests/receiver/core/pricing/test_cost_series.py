"""Cost from the metrics: every token is priced once, with the price of its time, and no counter ever falls."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import otlp_messages as otlp
from aigw_receiver.core import exposition, naming
from aigw_receiver.core.access_logs.model import Tokens
from aigw_receiver.core.exposition import OPENMETRICS, TEXT
from aigw_receiver.core.pricing import cost, cost_exposition, formats, labels, reading
from aigw_receiver.core.pricing.book import UNITS_PER_USD, Book, Query
from aigw_receiver.core.pricing.cost import Priced
from aigw_receiver.core.pricing.cost_series import FAMILY, CostSeries, Mark
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
        self.series = CostSeries()
        self.now = NOW
        self.journal: list[tuple[str, Any, int]] = []
        """what the program would have kept: exports, openings and marks, in their order"""

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
        self.journal.append(("export", body, self.now))

    def tick(self) -> None:
        """Price what has come."""
        family = self.store.families.get(FAMILY)
        self._keep(self.series.observe(family, self.book, self.store.scrapers.opened, self.now))

    def open(self) -> None:
        """Open what has been seen at 0."""
        if self.store.scrapers.open(self.now):
            self.journal.append(("opening", self.store.scrapers.opened, self.now))
        self._keep(self.series.open(self.store.scrapers, self.now))

    def _keep(self, mark: Mark | None) -> None:
        if mark is not None:
            self.journal.append(("mark", json.loads(json.dumps(mark)), self.now))

    def restart(self, book: Book) -> None:
        """Begin anew with nothing but the journal, and other prices."""
        scrapers = self.store.scrapers.state()
        self.store, self.series, self.book = Store(NOW - 60 * SECOND), CostSeries(), book
        for kind, what, now in self.journal:
            if kind == "export":
                self.store.export(what, now)
            elif kind == "opening":
                self.store.scrapers.open_up_to(what)
            else:
                self.series.replay(what, self.store.families.get(FAMILY), self.store.scrapers.opened, now)
        self.store.scrapers.waiting.clear()
        self.store.scrapers.restore(scrapers)

    def scrape(self, name: str = "=one") -> dict[str, float]:
        """What a scraper is shown, by family and kind of token."""
        self.now += SECOND
        self.tick()
        scrapers = self.store.scrapers
        scraper = scrapers.begin(name, 0, self.now)
        self.open()
        mark, newest = scrapers.opened, self.store.census.newest
        shown = self.read(to_scraper=True)
        scrapers.complete(scraper, mark, newest, self.now)
        return shown

    def read(self, *, to_scraper: bool = False) -> dict[str, float]:
        """The samples of all pods, by family and kind."""
        pieces = cost_exposition.render(self.series, TEXT, self.store.live, to_scraper=to_scraper)
        text = b"".join(pieces).decode()
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
    assert {"estimated.input": 0.0} == receiver.read(to_scraper=True)
    receiver.open()
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


def test_looks_that_find_nothing_leave_no_mark() -> None:
    """The journal of a receiver whose gateways rest would grow for ever."""
    receiver = _Receiver()
    receiver.tick()
    receiver.export(input=3_000_000)
    receiver.tick()
    receiver.tick()
    receiver.export(input=3_000_000)
    receiver.tick()
    receiver.export(input=4_000_000)
    receiver.tick()
    prices = [what["prices"] for kind, what, _ in receiver.journal if kind == "mark"]
    rates = [1_000_000, 250_000, 1_000_000, 4_000_000, 4_000_000]
    assert [[["m", "m", "openai", rates]], []] == prices


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
    assert {"estimated.input": 1.0} == receiver.read()
    receiver.export(model="m-2024-01-01", input=3_000_000)
    receiver.tick()
    (rows,) = receiver.series.layouts()
    assert (2, 2, 2) == (rows.size, len(rows.hashes), int(np.count_nonzero(rows.total)))
    assert {"estimated.input": 4.0} == receiver.read()


def test_a_restart_goes_on() -> None:
    """After a restart a counter would begin anew, fall, or be shown at 0 once more; or be priced by today's prices."""
    receiver = _Receiver(_priced(4))
    receiver.scrape()
    receiver.export(input=1_000_000)
    receiver.scrape()
    assert {"estimated.input": 4.0} == receiver.scrape()
    receiver.export(input=2_000_000)  # acknowledged and journalled, but not priced before the crash
    receiver.restart(_priced(1))
    assert {"estimated.input": 5.0} == receiver.scrape()


def test_a_snapshot_holds_everything() -> None:
    """After a restart from a snapshot a counter would begin anew, or rows be priced as those of other models."""
    receiver = _Receiver(_book({"models": ["m"], "input": 4, "cached": 1}))
    receiver.scrape()
    for model in ("m", "m-2024-01-01", "a"):
        receiver.export(model=model, input=1_000_000, cached_input=400_000, output=5)
    receiver.scrape()
    before = receiver.scrape()
    document, arrays = receiver.series.state()
    later = CostSeries()
    later.restore(json.loads(json.dumps(document)), arrays, receiver.store.families[FAMILY])
    receiver.series = later
    receiver.export(model="m-2024-01-01", input=2_000_000, cached_input=900_000, output=6)
    after = receiver.scrape()
    gained = {name: after[name] - before[name] for name in after}
    # 500,000 tokens of input and 500,000 cached ones, at 4 and 1 USD a million.
    expected = {"estimated.input": 2.0, "estimated.cached_input": 0.5, "unpriced.output": 1.0}
    assert pytest.approx(expected, rel=1e-9) == gained


def test_marks_after_a_snapshot_say_all_prices() -> None:
    """What was priced after a snapshot would have no price after a restart, since only what came before says it."""
    receiver = _Receiver()
    receiver.export(input=1_000_000)
    receiver.tick()
    receiver.series.state()
    receiver.export(input=2_000_000)
    receiver.tick()
    assert "m" == receiver.journal[-1][1]["prices"][0][0]


def test_numbers_that_are_too_large() -> None:
    """A sum that no gateway can have makes a counter fall, or takes all others of the look with it."""
    receiver = _Receiver(_priced(250_000))
    receiver.scrape()
    receiver.export(input=1e30)
    receiver.export(output=2.0)
    receiver.scrape()
    assert {"estimated.input": float(1 << 51), "estimated.output": 2.0} == receiver.scrape()
    receiver.export(output=5.0)
    assert {"estimated.input": float(1 << 51), "estimated.output": 5.0} == receiver.scrape()


def test_groups_of_forgotten_pods_are_used_again() -> None:
    """A group that is used again would keep the model of another pod, and be priced as that; or memory would grow."""
    receiver = _Receiver(_book({"models": ["a"], "input": 1}, {"models": ["b"], "input": 10}))
    receiver.store.expiry = Expiry(retention=60 * SECOND)
    for number, model in enumerate(("a", "b", "a", "b")):
        receiver.export(model=model, pod=f"pod-{number}", input=1_000_000)
        receiver.tick()
        assert {"estimated.input": {"a": 1.0, "b": 10.0}[model]} == receiver.read()
        (source,) = receiver.store.sources.values()
        receiver.store.show(source, live=False)
        source.last_seen = source.quiet_since = receiver.now - 61 * SECOND
        receiver.store.expire(receiver.now)
        receiver.tick()
    assert {} == receiver.read()


def test_the_text() -> None:
    """The families would not be written as all others are, or not with the labels that the documentation names."""
    receiver = _Receiver()
    receiver.export(input=1_500_000)
    receiver.tick()
    found = (
        'gateway_name="gateway",gateway_namespace="default",gateway_pod="pod-1",gen_ai_operation_name="chat",'
        'gen_ai_provider_name="openai",gen_ai_request_model="m",gen_ai_response_model="m",gen_ai_token_type="input"'
    )
    text = "Estimated cost of tokens in USD. Kinds add up: input is without cached ones, output without reasoning."
    created = exposition.go_float(receiver.now / SECOND)
    expected = (
        f"# HELP gen_ai_estimated_cost_usd {text}\n# TYPE gen_ai_estimated_cost_usd counter\n"
        f"{_COST}{{{found}}} 1.5\ngen_ai_estimated_cost_usd_created{{{found}}} {created}\n"
    )
    pieces = cost_exposition.render(receiver.series, OPENMETRICS, receiver.store.live, to_scraper=False)
    assert expected == b"".join(pieces).decode()
    expected = (
        f"# HELP {_COST} {text}\n# TYPE {_COST} counter\n{_COST}{{{found}}} 1.5\n"
        f"# HELP gen_ai_estimated_cost_usd_created {text}\n# TYPE gen_ai_estimated_cost_usd_created gauge\n"
        f"gen_ai_estimated_cost_usd_created{{{found}}} {created}\n"
    )
    pieces = cost_exposition.render(receiver.series, TEXT, receiver.store.live, to_scraper=False)
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


_TEXT: Final = st.lists(st.sampled_from(("kind", ",", "=", '"', "\\", "\n", "a")), max_size=6).map("".join)


@examples(200)
@hypothesis.given(st.dictionaries(st.sampled_from(("a", "kind", "ki", "le2", "z_kind")), _TEXT))
def test_one_label_is_found(found: dict[str, str]) -> None:
    """A value that looks like a label would be taken for one, or a label be cut off in its middle."""
    text = naming.render_labels({"a": "", **found})
    for name in ("a", "kind", "ki", "le2", "z_kind", "nd"):
        value, others = labels.split(text, name)
        assert {"a": "", **found}.get(name, "") == value == labels.value(text, name)
        left = {key: value for key, value in {"a": "", **found}.items() if key != name}
        assert left == labels.parse(others)


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
    total = sum(int(rows.usd.sum()) * UNITS_PER_USD + int(rows.units.sum()) for rows in receiver.series.layouts())
    assert expected == total
    assert sorted(shown) == shown
    before = receiver.read()
    receiver.restart(_priced(11))
    assert before == receiver.read()
