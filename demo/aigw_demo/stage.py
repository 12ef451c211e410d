"""What stands before the traffic comes: the receiver, and a Prometheus beside it where there is the program."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aigw_demo.prometheus import Prometheus, start_prometheus
from aigw_demo.receiver import (
    DEFAULT_PORTS,
    Addresses,
    Receiver,
    StartError,
    choose_addresses,
    hold_start_lock,
    start_receiver,
)
from aigw_demo.table import render_addresses


@dataclass(frozen=True, slots=True)
class Stage:
    """Both, and what to tell of them."""

    receiver: Receiver
    prometheus: Prometheus | None
    head: list[str]
    """where to look, line by line"""


@contextlib.asynccontextmanager
async def set_stage(ports: tuple[int, ...] = DEFAULT_PORTS) -> AsyncIterator[Stage]:
    """A receiver that is ready, on these ports where they are free; both are ended with the block. Raises StartError.

    Without a Prometheus, or with one that does not start, everything else goes on.
    """
    async with contextlib.AsyncExitStack() as stack:
        async with hold_start_lock():
            addresses = choose_addresses(ports)
            prometheus, words = await _start_beside(stack, addresses)
            url = "" if prometheus is None else prometheus.url
            receiver = await stack.enter_async_context(start_receiver(addresses, url))
        yield Stage(receiver, prometheus, render_addresses(addresses, words))


async def _start_beside(stack: contextlib.AsyncExitStack, addresses: Addresses) -> tuple[Prometheus | None, str]:
    """A Prometheus and its address, or none and why."""
    try:
        prometheus = await stack.enter_async_context(start_prometheus(addresses))
    except StartError as error:
        return None, str(error)
    return prometheus, f"{prometheus.url}/ (rules/meters.yaml, rules/alerts.yaml)"
