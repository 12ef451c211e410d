"""How hard the property tests try. It sets nothing for tests that do not ask for it.

Examples follow from the test alone, so that a run says the same everywhere; HYPOTHESIS_PROFILE=long draws new ones
each time, and many more.
"""

import os
import random
from typing import Final

import hypothesis
import hypothesis.strategies as st

_LONG: Final = os.environ.get("HYPOTHESIS_PROFILE") == "long"
_LONG_FACTOR: Final = 50


def examples(count: int) -> hypothesis.settings:
    """The settings of a property that is tried `count` times in a usual run."""
    return hypothesis.settings(
        max_examples=count * (_LONG_FACTOR if _LONG else 1),
        derandomize=not _LONG,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def randoms() -> st.SearchStrategy[random.Random]:
    """Sources of choices: some that shrink to a small failure, and some that are even-handed and have no end."""
    return st.randoms(use_true_random=False) | st.integers(0, 2**32 - 1).map(random.Random)
