"""The receiver under test: one that is up already, by environment variables, or ours, started for the occasion.

    OTLP_GRPC=127.0.0.1:4317 OTLP_HTTP=http://127.0.0.1:4318 python -m pytest tests/contract

Against another receiver, what the specifications leave open (`Rule.OURS`), `/metrics` and the drain are skipped.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.model import Rule, Sample, Source
from receiver_program import Receiver, start_receiver

IDENTITY = ("gateway_namespace", "gateway_name", "gateway_pod")

# Families that say something about a source, or are made of others.
_DERIVED = ("target", "target_info", "gen_ai_estimated_cost_usd", "gen_ai_unpriced_tokens")


@dataclass(frozen=True, slots=True)
class Target:
    """Where the receiver listens, and the program itself where we started it."""

    grpc: str
    http: str
    program: Receiver | None

    def admit(self, rule: Rule) -> None:
        """Skip what another receiver is free to answer otherwise."""
        if self.program is None and rule is Rule.OURS:
            pytest.skip("the specifications leave this to the receiver")

    def shown(self, source: Source, expected: tuple[Sample, ...]) -> tuple[Sample, ...]:
        """Return all samples of the source, to be compared with `in_order(expected)`.

        `_created`, `target_info` and cost are left out, and so are buckets where none is expected. Another
        receiver's samples cannot be seen; they are taken to be as expected.
        """
        if self.program is None:
            return in_order(expected)
        hidden = (
            ("_created",) if any(sample.name.endswith("_bucket") for sample in expected) else ("_created", "_bucket")
        )
        found = [
            Sample(sample.name, sample.value, tuple(item for item in sample.labels.items() if item[0] not in IDENTITY))
            for family in text_string_to_metric_families(self.program.scrape())
            for sample in family.samples
            if sample.labels.get("gateway_name") == source.gateway and family.name not in _DERIVED
        ]
        return in_order(sample for sample in found if not sample.name.endswith(hidden))

    def peak_memory(self) -> int:
        """Return the most memory that the receiver has held so far, in bytes."""
        status = Path(f"/proc/{self.own_program().pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def own_program(self) -> Receiver:
        """Return the program that we started, or skip the test."""
        if self.program is None:
            pytest.skip("needs a receiver that the test has started")
        return self.program


@contextmanager
def open_target() -> Iterator[Target]:
    """Give the receiver that the environment names, or start ours."""
    grpc, http = os.environ.get("OTLP_GRPC"), os.environ.get("OTLP_HTTP")
    if grpc and http:
        yield Target(grpc, http, None)
        return
    with start_receiver() as program:
        yield Target(program.grpc, program.otlp_http, program)


def in_order(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Return the samples sorted, with their labels sorted."""
    return tuple(sorted(replace(sample, labels=tuple(sorted(sample.labels))) for sample in samples))


def new_source(name: str) -> Source:
    """Return a sender that no other test uses."""
    return Source(f"{name}-{time.monotonic_ns()}".replace("_", "-"), time.time_ns())
