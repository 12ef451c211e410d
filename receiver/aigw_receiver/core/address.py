"""Where the receiver listens, and how that is written. It listens to nothing."""

import dataclasses
import re

from aigw_receiver.core import keys


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. An IPv6 host is written in brackets; an empty host or "*" is all addresses."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(path: str, value: object) -> Address:
    """HOST:PORT."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.%]+)\]|([^:\[\]]*)):(\d{1,5})", value) if isinstance(value, str) else None
    if match is None or int(match[3]) > 65535:
        keys.fail(path, "HOST:PORT", value)
    host = match[1] or match[2]
    return Address("0.0.0.0" if host in ("", "*") else host, int(match[3]))


def read_addresses(path: str, value: object) -> tuple[Address, ...]:
    """Several of them, in a list or with commas between them."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not value:
        keys.fail(path, "a list of HOST:PORT", value)
    return tuple(read_address(f"{path}[{index}]", item) for index, item in enumerate(value))
