"""One receiver for all tests of the contract; a case has a gateway of its own in it."""

from collections.abc import Iterator

import pytest

from contract.target import Target, open_target


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    """Give the receiver under test."""
    with open_target() as target:
        yield target
