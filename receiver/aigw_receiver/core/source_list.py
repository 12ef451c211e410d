"""The list of the gateway pods that were heard, as plain data for JSON. It changes nothing and has no clock.

    {"now": SECONDS, "sources": [{
        "gateway_namespace": TEXT, "gateway_name": TEXT, "gateway_pod": TEXT, "ended": BOOLEAN, "streams": NUMBER,
        "signals": {"metrics": {"last": SECONDS, "interval": SECONDS}}}]}

Names and meanings are an interface: see docs/api.md.
"""

from collections.abc import Iterable
from typing import Any

from aigw_receiver.core.sources import SECOND, Expiry, Source


def list_sources(sources: Iterable[Source], expiry: Expiry, now: int) -> dict[str, Any]:
    """Every pod that is remembered, in the order of its gateway's namespace and name, and its own name.

    `now` is nanoseconds since 1970; all times in the answer are seconds since 1970, of the receiver's clock.
    """
    entries = [_entry(source, expiry) for source in sources]
    entries.sort(key=lambda entry: (entry["gateway_namespace"], entry["gateway_name"], entry["gateway_pod"]))
    return {"now": now / SECOND, "sources": entries}


def _entry(source: Source, expiry: Expiry) -> dict[str, Any]:
    who = source.identity
    return {
        "gateway_namespace": who.namespace,
        "gateway_name": who.name,
        "gateway_pod": who.pod,
        "ended": source.ended,
        "streams": source.streams,
        "signals": {"metrics": {"last": source.last_seen / SECOND, "interval": source.interval(expiry) / SECOND}},
    }
