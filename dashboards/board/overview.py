"""The dashboard of all gateways, and of the receivers that hear them."""

import dataclasses
from typing import Final

from board import panels
from board import series as of
from board.model import Board, Link, Panel, Query, Row, Variable
from board.promql import Over, Scope, Source
from board.series import LABELS, Family

_BY: Final = ("namespace", "gateway")
_STATES: Final = {
    0: ("ended", "text"),
    1: ("silent", "red"),
    2: ("idle", "blue"),
    3: ("active", "green"),
}


def uid(source: Source) -> str:
    """The dashboard's name in addresses."""
    return "aigw-overview" if source is Source.PLAIN else "aigw-overview-rules"


def board(source: Source, gateway: str) -> Board:
    """All of it; `gateway` is the uid of the dashboard of one gateway."""
    scope = Scope(source, ('gateway_namespace=~"$namespace"', 'gateway_name=~"$gateway"'))
    return Board(
        uid(source),
        "AI gateways" if source is Source.PLAIN else "AI gateways (recording rules)",
        "All gateways at a glance. A line of the table leads to the gateway.",
        (
            Variable("namespace", "Namespace", 'target_info{gateway_name!=""}', "gateway_namespace"),
            Variable("gateway", "Gateway", 'target_info{gateway_namespace=~"$namespace"}', "gateway_name"),
        ),
        (_gateways(scope, gateway), _receivers()),
    )


def state(scope: Scope) -> str:
    """3: requests in the time range; 2: sends metrics; 1: requests, but no metrics; 0: all pods have ended."""
    # The rules have neither pods that only send, nor those that have ended.
    scope = dataclasses.replace(scope, source=Source.PLAIN)
    by = f"by ({', '.join(LABELS[word] for word in _BY)})"
    selector = scope.selector(Family.GATEWAY)
    live, ever = f"target_info{selector}", f"last_over_time(target_info{selector}[$__range])"
    silent = "aigw_telemetry_completeness_ratio" + scope.selector(Family.GATEWAY, 'check="metrics"')
    return (
        f"1 + 0 * (max {by} ({silent}) == 0)\n"
        f"or 0 * (count {by} ({ever}) unless count {by} ({live}))\n"
        f"or 3 + 0 * (({scope.total(of.REQUESTS, *_BY)}) > 0)\n"
        f"or 3 + 0 * (({scope.total(of.MESSAGES, *_BY)}) > 0)\n"
        f"or 2 + 0 * count {by} ({live})"
    )


def _gateways(scope: Scope, gateway: str) -> Row:
    unit = panels.REQUESTS
    found = (
        panels.number("all-gateways", "Gateways", "That have sent metrics.", _heard(scope)),
        panels.number("all-requests", "Requests", "To LLMs.", scope.total(of.REQUESTS)),
        panels.number(
            "all-error-ratio",
            "Error ratio",
            "Share of failed requests.",
            scope.ratio(of.ERRORS, of.REQUESTS, over=Over.RANGE),
            panels.RATIO,
        ),
        panels.number("all-tokens", "Tokens", "Input and output.", scope.total(of.TOKENS)),
        panels.number("all-cost", "Cost", "Of what has a price.", scope.total(of.COST), panels.USD),
        panels.number("all-unpriced", "Unpriced tokens", "Of models without a price.", scope.total(of.UNPRICED)),
        panels.number("all-messages", "MCP messages", "Of all methods.", scope.total(of.MESSAGES)),
        panels.number(
            "all-mcp-error-ratio",
            "MCP error ratio",
            "Share of messages with status failed or error.",
            scope.ratio(of.MESSAGE_ERRORS, of.MESSAGES, over=Over.RANGE),
            panels.RATIO,
        ),
        _table(scope, gateway),
        panels.rates(scope, "gateway-requests", "Requests", of.REQUESTS, *_BY, unit=unit),
        panels.shares(
            scope, "gateway-error-ratio", "Error ratio", of.ERRORS, of.REQUESTS, *_BY, text="Share of failed requests."
        ),
        panels.means(scope, "gateway-duration", "Request duration", of.REQUEST, *_BY),
        panels.p95(scope, "gateway-duration-p95", "Request duration, p95", of.REQUEST, *_BY),
        panels.p95(scope, "gateway-first-token-p95", "Time to first token, p95", of.FIRST_TOKEN, *_BY),
        panels.rates(scope, "gateway-input-tokens", "Input tokens", of.INPUT, *_BY),
        panels.rates(scope, "gateway-output-tokens", "Output tokens", of.OUTPUT, *_BY),
        panels.rates(scope, "gateway-cost", "Estimated cost", of.COST, *_BY, unit=panels.USD),
        panels.rates(scope, "gateway-messages", "MCP messages", of.MESSAGES, *_BY, unit=panels.MESSAGES),
        panels.shares(
            *(scope, "gateway-mcp-error-ratio", "MCP error ratio", of.MESSAGE_ERRORS, of.MESSAGES, *_BY),
            text="Share of messages with status failed or error.",
        ),
        _completeness(scope),
        _pods(scope),
    )
    return Row("Gateways", found, closed=False)


def _heard(scope: Scope) -> str:
    labels = ", ".join(LABELS[word] for word in _BY)
    return f"count(count by ({labels}) (last_over_time(target_info{scope.selector(Family.GATEWAY)}[$__range])))"


def _table(scope: Scope, gateway: str) -> Panel:
    fields = "var-namespace=${__data.fields.gateway_namespace}&var-gateway=${__data.fields.gateway_name}"
    links = (
        Link(
            "This gateway",
            f"/d/{gateway}?{fields}&${{__url_time_range}}&var-datasource=${{datasource}}&var-page=${{page:percentencode}}",
            inside=True,
        ),
        Link(
            "On the receiver's page",
            "${page:raw}/gateways/${__data.fields.gateway_namespace}/${__data.fields.gateway_name}/overview",
        ),
    )
    table = panels.breakdown(
        *(scope, "gateways", "Gateways", "What each did in the time range.", *_BY),
        links=links,
        more=(
            Query(scope.total(of.MESSAGES, *_BY), "MCP messages"),
            Query(_complete(scope), "Completeness", panels.RATIO),
            Query(state(scope), "State", "none"),
        ),
    )
    return Panel(
        table.slug,
        table.title,
        f"{table.text} State: active (had requests), idle (sends metrics, had none), silent (its access logs show "
        "requests, but no metrics arrive), ended (no pod is there any more).",
        table.unit,
        table.queries,
        table.kind,
        table.width,
        10,
        links=table.links,
        columns=table.columns,
        names=_STATES,
    )


def _complete(scope: Scope) -> str:
    selector = scope.selector(Family.GATEWAY, 'check=~"access_logs|metrics"')
    labels = ", ".join(LABELS[word] for word in _BY)
    return f"min by ({labels}) (aigw_telemetry_completeness_ratio{selector})"


def _completeness(scope: Scope) -> Panel:
    text = "Of the last hour's requests, the share that both metrics and access logs have; the worst model of each."
    query = Query(_complete(scope), panels.legend(*_BY))
    return Panel("gateway-completeness", "Completeness", text, panels.RATIO, (query,))


def _pods(scope: Scope) -> Panel:
    labels = ", ".join(LABELS[word] for word in _BY)
    expr = f"count by ({labels}) (target_info{scope.selector(Family.GATEWAY)})"
    text = "Pods that send metrics. A pod leaves when it has missed three exports."
    return Panel("gateway-pods", "Pods", text, "short", (Query(expr, panels.legend(*_BY)),))


def _receivers() -> Row:
    refused = 'result!~"success|partial|unimplemented|404|405"'
    asked = (
        ("points", "Data points taken in", "points_total", 'result="accepted"', ()),
        ("points-refused", "Data points refused", "points_rejected_total", "", ("reason",)),
        ("exports-refused", "Exports refused", "requests_total", refused, ("transport", "result")),
        ("records", "Access logs taken in", "log_records_total", 'result="accepted"', ()),
        ("records-refused", "Access logs refused", "log_records_rejected_total", "", ("reason",)),
        ("records-lost", "Kept access logs lost", "sink_records_total", 'result!="written"', ("sink", "result")),
    )
    found = []
    for slug, title, name, matcher, labels in asked:
        expr = f"60 * {_sum(labels)} (rate(aigw_receiver_{name}{{{matcher}}}[$__rate_interval]))"
        # All reasons there can be are there from the start.
        found.append(_receiver(slug, title, f"{expr} > 0" if "reason" in labels else expr, labels))
    held = (
        ("streams", "Streams", "aigw_receiver_streams", ()),
        ("pods-heard", "Pods", "aigw_receiver_pods", ("state",)),
        ("journal", "Journal", "aigw_receiver_journal_size_bytes", ()),
        ("price-book", "Price book in use as its file is", "aigw_receiver_price_book_current", ()),
    )
    units = {"journal": "bytes", "price-book": "bool_yes_no"}
    found += [
        _receiver(slug, title, f"{_sum(labels)} ({name})", labels, units.get(slug, "short"), "What it holds.")
        for slug, title, name, labels in held
    ]
    return Row("Receivers", tuple(found))


def _sum(labels: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(('instance', *labels))})"


def _receiver(
    slug: str,
    title: str,
    expr: str,
    labels: tuple[str, ...],
    unit: str = panels.EACH,
    text: str = panels.PER_MINUTE,
) -> Panel:
    shown = " ".join(f"{{{{{label}}}}}" for label in ("instance", *labels))
    about = f"{text} By receiver; needs its port 8081 to be scraped."
    return Panel(f"receiver-{slug}", f"{title}", about, unit, (Query(expr, shown),))
