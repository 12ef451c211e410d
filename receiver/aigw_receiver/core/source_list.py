"""The list of the gateway pods that were heard, as plain data for JSON. It changes nothing and has no clock.

    {"now": SECONDS, "sources": [{
        "gateway_namespace": TEXT, "gateway_name": TEXT, "gateway_pod": TEXT, "ended": BOOLEAN, "streams": NUMBER,
        "signals": {"metrics": {"last": SECONDS, "interval": SECONDS}, "logs": {"last": SECONDS}}}]}

Names and meanings are an interface: see docs/api.md.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from aigw_receiver.core.model import Identity
from aigw_receiver.core.sources import SECOND, Expiry, Source


def list_sources(
    sources: Iterable[Source], expiry: Expiry, now: int, logs: Mapping[Identity, int] | None = None
) -> dict[str, Any]:
    """Every pod that is remembered, in the order of its gateway's namespace and name, and its own name.

    `now` is nanoseconds since 1970; all times in the answer are seconds since 1970, of the receiver's clock. `logs` is
    when pods last sent an access log.
    """
    entries = {source.identity: _entry(source, expiry) for source in sources}
    for who, last in (logs or {}).items():
        # Logs come only with requests, so their silence does not tell that a pod has ended.
        entry = entries.setdefault(who, _named(who) | {"ended": False, "streams": 0, "signals": {}})
        entry["signals"]["logs"] = {"last": last / SECOND}
    return {"now": now / SECOND, "sources": [entries[who] for who in sorted(entries, key=_plain)]}


def _entry(source: Source, expiry: Expiry) -> dict[str, Any]:
    signals = {"metrics": {"last": source.last_seen / SECOND, "interval": source.interval(expiry) / SECOND}}
    return _named(source.identity) | {"ended": source.ended, "streams": source.streams, "signals": signals}


def _named(who: Identity) -> dict[str, Any]:
    return {"gateway_namespace": who.namespace, "gateway_name": who.name, "gateway_pod": who.pod}


def _plain(who: Identity) -> tuple[str, str, str]:
    return who.namespace, who.name, who.pod
