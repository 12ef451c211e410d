"""Where things stand in an environment list: which entries are ours, which name is free, where a new entry goes.

It moves nothing that can stay, since another order restarts every Envoy pod; what the entries say is decided elsewhere.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

from aigw_operator.core import expansion, resource_attributes
from aigw_operator.core.model import Raw

# What is noted of a list that we wrote into (it becomes a part of an annotation, so it must not grow):
#   {entries: [EnvVar, …],            ours, exactly as written, in the list's order
#    attributes: {                    what is ours in OTEL_RESOURCE_ATTRIBUTES
#      pairs: ["key=text", …],
#      made: true,                    the whole entry is ours
#      blank: EnvVar}}                the user's entry, where it had no text that our pairs could follow


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """One place of a live list, and what would stand there without us: None where the place is ours."""

    live: Raw
    users: Raw | None


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """The names by which our texts refer to expansion.FIELDS, what of it is new at the front, and which places stay."""

    names: Mapping[str, str]
    front: tuple[Raw, ...]
    standing: frozenset[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """An entry of a list that is being made. `live` is what it comes from, None where it is new."""

    entry: Raw
    ours: bool
    live: Raw | None = None


def places(live: Sequence[Raw], record: Raw) -> tuple[Place, ...]:
    """The live list, with what is still exactly as we wrote it told from what is the user's.

    A record that somebody has spoiled claims nothing.
    """
    found = [Place(entry, entry) for entry in live]
    entries = record.get("entries")
    for entry in entries if isinstance(entries, Sequence) else ():
        at = _find(found, entry) if isinstance(entry, Mapping) and "name" in entry else None
        if at is not None:
            found[at] = Place(found[at].live, None)
    attributes = record.get("attributes")
    if isinstance(attributes, Mapping):
        _withdraw(found, attributes)
    return tuple(found)


def _find(found: Sequence[Place], entry: Raw) -> int | None:
    """Where an entry of ours stands. Where the user has the same: ours about the pod came first, our others last."""
    plain = expansion.normalized(entry)
    order = range(len(found)) if "valueFrom" in plain else reversed(range(len(found)))
    alike = (at for at in order if found[at].users is not None and found[at].live["name"] == plain["name"])
    return next((at for at in alike if expansion.normalized(found[at].live) == plain), None)


def _withdraw(found: list[Place], attributes: Raw) -> None:
    """Take our pairs out of the entry that has them."""
    noted = attributes.get("pairs")
    pairs = [pair for pair in noted if isinstance(pair, str)] if isinstance(noted, Sequence) else []
    made, blank = attributes.get("made") is True, attributes.get("blank")
    candidates = [at for at in reversed(range(len(found))) if resource_attributes.holds(found[at].live, pairs)]
    if made:
        candidates.sort(key=lambda at: found[at].live.get("value") != ",".join(pairs))
    for at in candidates[:1]:
        remaining = resource_attributes.withdraw(found[at].live, pairs)
        if remaining["value"].strip() or not (made or isinstance(blank, Mapping)):
            found[at] = Place(found[at].live, remaining)
        else:
            found[at] = Place(found[at].live, None if made else blank)


def identify(found: Sequence[Place]) -> Identity:
    """Decide by which variables our texts name the pod and its Gateway.

    The user's own of the same meaning serve as well, if they come before what refers to them. Where a name means
    something else, or putting it first would change what a variable of the user expands to, an alias takes its place.
    """
    first_use = _first_use(found)
    names: dict[str, str] = {}
    front: list[Raw] = []
    standing: set[int] = set()
    for preferred, path in expansion.FIELDS.items():
        at = _standing(found, path, first_use)
        if at is not None:
            names[preferred] = found[at].live["name"]
            standing.add(at)
            continue
        for name in _candidates(preferred):
            verdict = _usable(found, name, path, first_use)
            if verdict is not None:
                names[preferred] = name
                front += [expansion.of_pod(name, path)] if verdict else []
                break
    return Identity(names, tuple(front), frozenset(standing))


def _candidates(preferred: str) -> Iterator[str]:
    alias = f"{expansion.ALIAS}{preferred}"
    return itertools.chain((preferred, alias), (f"{alias}_{number}" for number in itertools.count(2)))


def _first_use(found: Sequence[Place]) -> int:
    """The first place whose text refers, or may come to refer, to what says who the pod is."""
    return next(
        (
            at
            for at, place in enumerate(found)
            if place.live["name"] == resource_attributes.NAME or (place.users is None and "valueFrom" not in place.live)
        ),
        len(found),
    )


def _standing(found: Sequence[Place], path: str, first_use: int) -> int | None:
    """The place of ours that holds this field and can stay."""
    for at, place in enumerate(found[:first_use]):
        plain = expansion.normalized(place.live)
        if (
            place.users is None
            and plain == expansion.of_pod(plain["name"], path)
            and _means(found, plain["name"], path)
        ):
            return at
    return None


def _means(found: Sequence[Place], name: str, path: str) -> bool:
    """Whether the user has no variable of this name, or one that holds this field; of duplicates the last counts."""
    last = next((each.users for each in reversed(found) if each.users is not None and each.users["name"] == name), None)
    return last is None or expansion.normalized(last) == expansion.of_pod(name, path)


def _usable(found: Sequence[Place], name: str, path: str, first_use: int) -> bool | None:
    """Whether a name will do: True with an entry of ours at the front, False by the user's own, None not at all."""
    if not _means(found, name, path):
        return None
    own = next(
        (at for at, each in enumerate(found) if each.users is not None and each.users["name"] == name), len(found)
    )
    if own < first_use:
        return False
    # The user's OTEL_RESOURCE_ATTRIBUTES gets our texts anyway: there a reference that resolves at last is a gain.
    early = any(
        name in expansion.references(each.users.get("value") or "")
        for each in found[:own]
        if each.users is not None and each.users["name"] != resource_attributes.NAME
    )
    return None if early else True


def arrange(found: Sequence[Place], identity: Identity, wanted: Mapping[str, Raw]) -> list[Item]:
    """The list: ours of the same name in place, what is no longer wanted gone, what is new behind its predecessor.

    `wanted` are our entries that follow the user's, by name and in their order.
    """
    items = [Item(entry, ours=True) for entry in identity.front]
    placed: set[str] = set()
    for at, place in enumerate(found):
        name = place.live["name"]
        if place.users is not None:
            items.append(Item(place.users, ours=False, live=place.live))
        elif at in identity.standing:
            items.append(Item(place.live, ours=True, live=place.live))
        elif name in wanted and name not in placed:
            placed.add(name)
            items.append(Item(wanted[name], ours=True, live=place.live))
    order = list(wanted)
    for number, name in enumerate(order):
        if name not in placed:
            items.insert(_insertion(items, order, number), Item(wanted[name], ours=True))
            placed.add(name)
    return items


def _insertion(items: Sequence[Item], order: Sequence[str], number: int) -> int:
    """Where a new entry of ours goes; to the end where it would give a reference of the user another meaning."""
    at = {item.entry["name"]: position for position, item in enumerate(items) if item.ours}
    before = next((at[name] + 1 for name in reversed(order[:number]) if name in at), None)
    after = next((at[name] for name in order[number + 1 :] if name in at), len(items))
    position = after if before is None else before
    rest = (item.entry.get("value") or "" for item in items[position:] if not item.ours)
    return len(items) if any(order[number] in expansion.references(text) for text in rest) else position
