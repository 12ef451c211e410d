"""A store as plain data and arrays, and back. It opens no file (see the journal in the shell).

What is not here is learnt again: the spellings of the fast path, and which bytes are which resource.
"""

import dataclasses
from typing import Any, Final

import numpy as np

from aigw_receiver.core.limits import LabelValues
from aigw_receiver.core.model import FamilyType, Identity
from aigw_receiver.core.naming import FamilyName
from aigw_receiver.core.series import Family, Run
from aigw_receiver.core.sources import Source
from aigw_receiver.core.store import Store

# Raised with every change of what is written; an older snapshot is not read.
VERSION: Final = 2


def dump(store: Store) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """The state of a store: a document that JSON can hold, and arrays by name."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    families: list[dict[str, Any]] = []
    for family in store.families.values():
        layouts: list[dict[str, Any]] = []
        for rows in family.layouts.values():
            prefix = f"{len(families)}.{len(layouts)}."
            arrays.update({prefix + name: array for name, array in rows.arrays().items()})
            earlier = [[row, start, *run] for (row, start), run in rows.earlier.items()]
            layouts.append({"bounds": rows.bounds, "labels": list(rows.labels), "earlier": earlier})
        name = family.name
        families.append({"name": [name.name, name.type.value, name.unit, name.help], "layouts": layouts})
    document = {
        "version": VERSION,
        "census": dataclasses.asdict(store.census),
        "next_number": store.next_number,
        "scrapers": store.scrapers.state(),
        "families": families,
        "sources": [_dump_source(source) for source in store.sources.values()],
        "label_values": [[*gateway, values.state()] for gateway, values in store.label_values.items()],
        "forgotten": [[*_plain(who), time] for who, time in store.forgotten.items()],
    }
    return document, arrays


def load(store: Store, document: dict[str, Any], arrays: dict[str, Any], now: int) -> None:
    """Fill an empty store with what `dump` gave. Silence of the pods counts from `now`: we did not listen before."""
    if document["version"] != VERSION:
        message = f"this is a snapshot of version {document['version']}, not {VERSION}"
        raise ValueError(message)
    for name, value in document["census"].items():
        setattr(store.census, name, value)
    store.next_number = document["next_number"]
    store.scrapers.restore(document["scrapers"])
    for number, entry in enumerate(document["families"]):
        name, family_type, unit, text = entry["name"]
        family = store.families[name] = Family(FamilyName(name, FamilyType(family_type), unit, text))
        for layout_number, layout in enumerate(entry["layouts"]):
            prefix = f"{number}.{layout_number}."
            rows = family.rows_for(tuple(layout["bounds"] or ()))
            own = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
            rows.restore(own, layout["labels"])
            for row, start, time, counts, value in layout["earlier"]:
                rows.remember(row, start, Run(time, tuple(counts), value))
    for entry in document["sources"]:
        source = _load_source(entry, now)
        store.sources[source.identity] = source
        store.show(source, live=not source.ended)
    for namespace, gateway, values in document["label_values"]:
        store.label_values.setdefault((namespace, gateway), LabelValues()).restore(values)
    for *who, time in document["forgotten"]:
        store.forgotten[Identity(*who)] = time


def _plain(who: Identity) -> tuple[str, str, str]:
    return who.namespace, who.name, who.pod


def _dump_source(source: Source) -> dict[str, Any]:
    plain = {field.name: getattr(source, field.name) for field in dataclasses.fields(source)}
    return plain | {"identity": _plain(source.identity), "gaps": list(source.gaps)}


def _load_source(entry: dict[str, Any], now: int) -> Source:
    gaps = entry.pop("gaps")
    source = Source(**(entry | {"identity": Identity(*entry["identity"]), "quiet_since": now}))
    source.gaps.extend(gaps)
    return source
