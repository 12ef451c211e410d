"""What the traffic sent and was answered, as it goes into a file; the truth that the checks compare with."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sent:
    """One request to a model, as its client saw it; tokens are those of the answer."""

    gateway: str
    """namespace/name"""
    pod: str
    model: str
    status: int
    stream: bool = False
    aborted: bool = False
    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Called:
    """One message of an MCP client, as its client saw it."""

    gateway: str
    pod: str
    method: str
    tool: str = ""
    status: int = 200
    failed: bool = False
    """the answer is an error of JSON-RPC, or of the tool"""
    seconds: float = 0.0


@dataclass(slots=True)
class Ledger:
    """One run of the traffic, and what the receiver knew when it began."""

    receiver: str
    """namespace/name of the TelemetryReceiver"""
    started: float = 0.0
    """by the receiver's clock, in seconds since 1970"""
    before: str = ""
    """the receiver's exposition then"""
    pods: dict[str, list[str]] = field(default_factory=dict)
    """the pods of each gateway"""
    delta: list[str] = field(default_factory=list)
    """the gateways that send differences: what one of these cannot deliver in time is gone"""
    sent: list[Sent] = field(default_factory=list)
    called: list[Called] = field(default_factory=list)
    unanswered: int = 0

    def of(self, gateway: str) -> Sequence[Sent]:
        """The requests to a gateway."""
        return [each for each in self.sent if each.gateway == gateway]

    def calls(self, gateway: str) -> Sequence[Called]:
        """The messages to a gateway."""
        return [each for each in self.called if each.gateway == gateway]

    def write(self, path: Path) -> None:
        """Put it into a file."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def read(path: Path) -> Ledger:
    """The ledger of a file."""
    raw = json.loads(path.read_text())
    return Ledger(
        **{
            **raw,
            "sent": [Sent(**each) for each in raw["sent"]],
            "called": [Called(**each) for each in raw["called"]],
        }
    )
