"""Bounds on the labels of series made from access logs: what a client can choose is `other` beyond them.

It works as `core/limits` does for the streams of metrics, but for each gateway with far fewer values: these series are
made of texts that any client can send.
"""

import dataclasses
from typing import TypeAlias

from aigw_receiver.core import naming
from aigw_receiver.core.limits import OTHER

Gateway: TypeAlias = tuple[str, str]
"""namespace and name"""


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """How much the counters hold at most."""

    gateways: int = 5_000
    label_values: int = 200
    """different values of one label of one gateway"""
    label_length: int = 256
    models: int = 5_000
    """models of one gateway whose requests are compared with its metrics; no series is made of them"""
    cells: int = 5_000
    """combinations of labels of one gateway; of further ones, what a client can choose is `other`"""


class GatewayState:
    """What is known of one gateway: the values that its labels have had, and when it last sent."""

    __slots__ = ("cells", "last", "values")

    def __init__(self, now: int) -> None:
        self.cells = 0
        self.last = now
        self.values: dict[str, set[str]] = {}


class Labels:
    """The gateways that were met, and the values that their labels have had."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.gateways: dict[Gateway, GatewayState] = {}

    def meet(self, gateway: Gateway, now: int) -> Gateway:
        """The name under which a gateway is counted, made known."""
        gateway = naming.clean(gateway[0]), naming.clean(gateway[1])
        too_long = max(map(len, gateway)) > self.bounds.label_length
        if gateway not in self.gateways and (too_long or len(self.gateways) >= self.bounds.gateways):
            gateway = (OTHER, OTHER)
        if gateway not in self.gateways:
            self.gateways[gateway] = GatewayState(now)
        return gateway

    def fold(self, gateway: Gateway, label: str, value: str, most: int) -> str:
        """The value of a label as it is shown, where the label may have so many; "" takes up no room."""
        value = naming.clean(value)
        if len(value) > self.bounds.label_length:
            return OTHER
        values = self.gateways[gateway].values.setdefault(label, set())
        if value in values or value in ("", OTHER):
            return value
        if len(values) >= most:
            return OTHER
        values.add(value)
        return value
