"""The arithmetic of totals: what was gained between two readings."""

from aigw_receiver.core.rollup.model import Distribution, Measure, Totals


def subtract(later: Totals, earlier: Totals) -> Totals:
    """What was gained from `earlier` to `later`. Nothing is ever negative: a total that fell has gained nothing."""
    numbers = {number: value - earlier.numbers.get(number, 0) for number, value in later.numbers.items()}
    measures: dict[Measure, tuple[Distribution, ...]] = {}
    for measure, distributions in later.measures.items():
        before = {one.bounds: one for one in earlier.measures.get(measure, ())}
        gained = [_gained(one, before.get(one.bounds)) for one in distributions]
        there = tuple(one for one in gained if any(one.counts))
        if there:
            measures[measure] = there
    return Totals({number: value for number, value in numbers.items() if value > 0}, measures)


def _gained(later: Distribution, earlier: Distribution | None) -> Distribution:
    if earlier is None:
        return later
    pairs = zip(later.counts, earlier.counts, strict=True)
    # Thousands are made for one chart, and max() takes three times as long.
    counts = [after - before if after > before else 0 for after, before in pairs]
    return Distribution(later.bounds, tuple(counts), max(later.sum - earlier.sum, 0.0))
