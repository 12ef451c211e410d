"""Counts every record, kept or not: how it was decided, and what the gateways' own metrics cannot tell.

A record is counted once in `aigw_access_logs_total`, under one decision and one rule, so that the sum over all labels
is the number of records; and once in `aigw_requests_total`. What is common to records is a `Cell`, and to count one is
to add to its cell; cells become the values of series when `changes` is called, before a scrape or now and then.

Series are gateways', not pods': what was counted stays where pods come and go. Labels that a client can choose are
bounded (see `labels`). Nothing here knows a file or a socket; `changes` and `dump` say what a journal and a snapshot
are to hold.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from aigw_receiver.core.access_logs.families import Family, Key, Registry, Series, as_row
from aigw_receiver.core.access_logs.labels import Bounds, Gateway, Labels
from aigw_receiver.core.access_logs.model import Common, Ending, RouteType
from aigw_receiver.core.access_logs.rules import Verdict
from aigw_receiver.core.limits import OTHER
from aigw_receiver.core.reconciliation import Counts
from aigw_receiver.core.store import Store

KEPT: Final = "kept"
DROPPED: Final = "dropped"
OVER_BUDGET: Final = "over_budget"
NONE: Final = "none"
"""the rule of an ordinary record that was not sampled; the status code of a request that was not answered"""

_GATEWAY: Final = ("gateway_namespace", "gateway_name")
_ROUTE_TYPE: Final = "ai_route_type"
_BACKEND, _MODEL, _METHOD, _TOOL = "backend", "gen_ai_original_model", "mcp_method_name", "mcp_tool_name"
_OPEN: Final = (_BACKEND, _MODEL, _METHOD, _TOOL)
"""labels whose values a client or a configuration chooses"""

# Endings of requests that a provider answered in full, so that the gateway's own metrics have them as well.
_ANSWERED: Final = frozenset({Ending.OK, Ending.CLIENT_ERROR, Ending.UPSTREAM_ERROR})

# Keys that are remembered with their cells; more only cost a look at the labels.
_MEMORY: Final = 20_000

# A gateway that sent no record for this long is not taken over by the next run: a week.
_RETENTION: Final = 7 * 86_400 * 1_000_000_000


class Counted(Common, Protocol):
    """What the counters read of a record: of an `AccessLog`, or of what many records have in common."""

    @property
    def backend(self) -> str: ...  # noqa: D102
    @property
    def mcp_backend(self) -> str: ...  # noqa: D102
    @property
    def mcp_method(self) -> str: ...  # noqa: D102
    @property
    def mcp_tool(self) -> str: ...  # noqa: D102


class Cell:
    """Records that have all labels in common, counted since the last `changes`. It stays the same for good."""

    __slots__ = ("count", "input", "logged", "metered", "output", "reported", "series")

    def __init__(self, series: tuple[Series, ...], logged: Counts | None, reported: tuple[str, ...]) -> None:
        self.series = series
        self.logged = logged
        self.reported = reported
        """the fields of `logged` that these records are counted in"""
        self.count = self.metered = self.input = self.output = 0

    def add(self, input_tokens: int | None, output_tokens: int | None) -> None:
        """Count one record."""
        self.count += 1
        if input_tokens is not None or output_tokens is not None:
            self.metered += 1
            self.input += input_tokens or 0
            self.output += output_tokens or 0

    def add_many(self, count: int, with_tokens: int, input_tokens: int, output_tokens: int) -> None:
        """Count many records at once, of which so many have token counts."""
        self.count += count
        self.metered += with_tokens
        self.input += input_tokens
        self.output += output_tokens


class Counters:
    """All counters made from access logs. The caller holds the lock that also guards the births."""

    def __init__(self, bear: Callable[[int], int], bounds: Bounds | None = None) -> None:
        """`bear` announces a new series at a time, and answers the number of its birth."""
        self._decisions = Family(
            "aigw_access_logs",
            "Access log records by what was decided, and by the first rule that did.",
            ("decision", "rule", _ROUTE_TYPE, *_GATEWAY),
        )
        self._requests = Family(
            "aigw_requests",
            "Requests by backend, status code and ending, from access logs.",
            (_ROUTE_TYPE, _BACKEND, "status_code", "ending", *_GATEWAY),
        )
        self._aborted = Family(
            "aigw_aborted_requests",
            "Requests whose client went away before the answer was complete, from access logs.",
            (_ROUTE_TYPE, _BACKEND, _MODEL, *_GATEWAY),
        )
        self._mcp = Family(
            "aigw_mcp_requests",
            "MCP requests by backend, method, tool and ending, from access logs.",
            (_BACKEND, _METHOD, _TOOL, "ending", *_GATEWAY),
        )
        self.logged: dict[tuple[str, str, str], Counts] = {}
        """by gateway and requested model, for `core/reconciliation`"""
        self._registry = Registry((self._decisions, self._requests, self._aborted, self._mcp), bear)
        self._labels = Labels(bounds or Bounds())
        self._cells: dict[Key, Cell] = {}
        self._memory: dict[tuple[Any, ...], Cell] = {}

    @property
    def families(self) -> tuple[Family, ...]:
        """What is shown to scrapers, sorted by name."""
        return self._registry.families

    @property
    def born(self) -> bool:
        """Whether a series began since the last `changes`."""
        return self._registry.born

    def cell(self, record: Counted, verdict: Verdict, now: int) -> Cell:
        """Where a record is counted; the caller may keep it for records that are the same in all that is read."""
        identity, mcp = record.identity, record.route_type is RouteType.MCP
        decision, rule = decision_labels(verdict)
        key = (
            identity.namespace,
            identity.name,
            decision,
            rule,
            record.route_type.value,
            record.status,
            record.ending.value,
            bool(record.response_flags),
            _backend(record),
            *((record.mcp_method, record.mcp_tool) if mcp else (record.requested_model,)),
        )
        cell = self._memory.get(key)
        if cell is None:
            if len(self._memory) >= _MEMORY:
                self._memory.clear()
            cell = self._memory[key] = self._find(record, decision, rule, now)
        return cell

    def changes(self, now: int) -> list[list[Any]]:
        """Bring the series up to what was counted; answers those that changed since this was last called.

        JSON can hold the answer, and a journal must before anyone is shown the series. It must also be called and
        written when a series was `born`, before the next record of the journal.
        """
        for cell in self._cells.values():
            if cell.count:
                self._settle(cell, now)
        return self._registry.take_changes()

    def replay(self, rows: Iterable[list[Any]], now: int) -> None:
        """Take over what `changes` answered in an earlier run at `now`; twice is as good as once."""
        for row in rows:
            self._remember(self._registry.take(row, now))

    def dump(self) -> dict[str, Any]:
        """All series, as JSON can hold them; after `changes`, so that nothing waits in a cell."""
        gateways = [[*gateway, state.last] for gateway, state in self._labels.gateways.items()]
        return {"gateways": gateways, "series": [as_row(series) for series in self._registry]}

    def restore(self, document: dict[str, Any], now: int) -> None:
        """Take over what `dump` gave, into empty counters. Gateways that were silent for a week are left behind."""
        last_heard = {(space, name): last for space, name, last in document["gateways"]}
        for row in document["series"]:
            gateway = tuple(row[1][-2:])
            last = last_heard.get(gateway, now)
            if now - last <= _RETENTION:
                self._remember(self._registry.take(row, None))
                if gateway in self._labels.gateways:
                    self._labels.gateways[gateway].last = last

    def _remember(self, series: Series | None) -> None:
        """Know the label values of a series of an earlier run."""
        if series is None:
            return
        gateway = self._labels.meet((series.labels[-2], series.labels[-1]), series.created)
        for label, value in zip(series.family.labels, series.labels, strict=True):
            if label in _OPEN:
                self._labels.fold(gateway, label, value, self._labels.bounds.label_values)

    def _find(self, record: Counted, decision: str, rule: str, now: int) -> Cell:
        """The cell of a record, by its labels as they are shown; made if there is none."""
        gateway = self._labels.meet((record.identity.namespace, record.identity.name), now)
        labels = self._labels_of(gateway, record) | {"decision": decision, "rule": rule}
        reported = _fields_of(record)
        model = self._labels.fold(gateway, "", record.requested_model, self._labels.bounds.models) if reported else ""
        cell = self._cells.get(_key(labels, model, reported))
        if cell is None:
            state = self._labels.gateways[gateway]
            if state.cells < self._labels.bounds.cells:
                state.cells += 1
            else:
                labels |= {label: OTHER for label in _OPEN if labels[label]}
                model = OTHER if model else ""
                cell = self._cells.get(_key(labels, model, reported))
        return cell or self._make(record, labels, (*gateway, model), reported, now)

    def _make(
        self,
        record: Counted,
        labels: dict[str, str],
        compared: tuple[str, str, str],
        reported: tuple[str, ...],
        now: int,
    ) -> Cell:
        families = [self._decisions, self._requests]
        families += [self._aborted] if record.ending is Ending.ABORTED else []
        families += [self._mcp] if record.route_type is RouteType.MCP else []
        series = tuple(self._registry.series(family, labels, now) for family in families)
        logged = self.logged.setdefault(compared, Counts()) if reported else None
        cell = self._cells[_key(labels, compared[-1], reported)] = Cell(series, logged, reported)
        return cell

    def _labels_of(self, gateway: Gateway, record: Counted) -> dict[str, str]:
        """The labels of a record, bounded."""
        mcp = record.route_type is RouteType.MCP
        values = {
            _BACKEND: _backend(record),
            # Only what has a series by it takes up a value.
            _MODEL: record.requested_model if record.ending is Ending.ABORTED else "",
            _METHOD: record.mcp_method if mcp else "",
            _TOOL: record.mcp_tool if mcp else "",
        }
        most = self._labels.bounds.label_values
        return {
            **{label: self._labels.fold(gateway, label, value, most) for label, value in values.items()},
            _ROUTE_TYPE: record.route_type.value,
            "status_code": NONE if record.status is None else str(record.status),
            "ending": record.ending.value,
            **dict(zip(_GATEWAY, gateway, strict=True)),
        }

    def _settle(self, cell: Cell, now: int) -> None:
        """Move what a cell has counted into its series."""
        for series in cell.series:
            self._registry.add(series, cell.count)
        *_, namespace, name = cell.series[0].labels
        self._labels.gateways[namespace, name].last = now
        if cell.logged is not None:
            for field in cell.reported:
                setattr(cell.logged, field, getattr(cell.logged, field) + cell.count)
            cell.logged.with_tokens += cell.metered if "good" in cell.reported else 0
            cell.logged.input += cell.input
            cell.logged.output += cell.output
        cell.count = cell.metered = cell.input = cell.output = 0


def _key(labels: dict[str, str], model: str, reported: tuple[str, ...]) -> Key:
    return (*labels.values(), model, *reported)


def _backend(record: Counted) -> str:
    """The backend of a request: that of MCP has a field of its own."""
    return record.mcp_backend or record.backend if record.route_type is RouteType.MCP else record.backend


def decision_labels(verdict: Verdict) -> tuple[str, str]:
    """The decision, and the one rule that a record is counted under."""
    if verdict.rules:
        return KEPT, verdict.rules[0]
    if verdict.over_budget:
        return OVER_BUDGET, verdict.over_budget[0]
    return DROPPED, NONE


def _fields_of(record: Counted) -> tuple[str, ...]:
    """In which fields of `Counts` a record is counted."""
    if record.route_type is RouteType.MCP:
        return ()
    if record.ending is Ending.ABORTED:
        return ("aborted",)
    # With a flag, the gateway answered by itself; its metrics know nothing of that.
    if record.ending not in _ANSWERED or record.status is None or record.response_flags:
        return ()
    return ("answered", "good") if record.ending is Ending.OK else ("answered",)


def counters_beside(store: Store) -> Counters:
    """Counters whose series are born among the streams of a store, so that scrapers are shown both alike."""

    def bear(now: int) -> int:
        store.census.newest += 1
        store.scrapers.bear(store.census.newest, now)
        return store.census.newest

    return Counters(bear)
