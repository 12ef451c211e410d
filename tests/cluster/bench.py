"""`python -m cluster.bench` (`make bench-operator`): what the operator does to a cluster with hundreds of Gateways.

The real control plane, the stand-in for AI Gateway, and the operator under the rules that it ships. The writes are
those of the API server's audit log. The exit status says whether a start and a resync with nothing changed wrote
nothing; it says nothing about speed, which depends on the machine.
"""

import argparse
import contextlib
import datetime as dt
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cluster import ai_gateway, audit, control_plane, envoy_gateway, fleet, operator_program, processes, scene
from cluster.parts import catalog

_RECEIVER: Final = {"name": "default", "namespace": operator_program.NAMESPACE}
_SHARDS: Final = 3
_SECONDS: Final = 900.0
# How long nothing may happen until it counts as the end: longer than anything that the operator waits for by itself.
_QUIET: Final = 12.0
_RESYNC: Final = 20
_TICK: Final = 0.2


class Costs:
    """What a run of the operator has used until now, as the system counts it."""

    def __init__(self, operator: operator_program.Operator) -> None:
        self._operator = operator
        self._folder = Path(f"/proc/{operator.program.process.pid}")

    def processor_seconds(self) -> float:
        """User and system time: fields 14 and 15 of proc_pid_stat(5), the 12th and 13th after the name."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, which: str) -> float:
        """VmRSS or VmHWM (the highest that it was) of proc_pid_status(5), in MiB."""
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{which}:"))

    def reconciles(self) -> tuple[int, float]:
        """How many keys it has looked at, and the seconds that this took, writes included."""
        values: Counter[str] = Counter()
        for line in self._operator.metrics().splitlines():
            name, _, value = line.rpartition(" ")
            if not line.startswith("#"):
                values[name.partition("{")[0]] += float(value)  # type: ignore[assignment]
        seconds = values["aigw_operator_reconcile_duration_seconds_sum"]
        return int(values["aigw_operator_reconciles_total"]), float(seconds)


class Bench:
    """One fleet on one control plane."""

    def __init__(self, plane: control_plane.ControlPlane, found: fleet.Fleet, programs: processes.Programs) -> None:
        self._plane = plane
        self._fleet = found
        self._programs = programs

    def wire(self) -> None:
        """From two kinds of objects applied to every Gateway wired."""
        with operator_program.running(self._plane, self._programs, arguments=("--log-level", "info")) as operator:
            costs, mark, began = Costs(operator), self._plane.audit.mark(), time.monotonic()
            self._apply()
            for kind in ("Injected", "AccessLogsWired"):
                fleet.await_until(lambda kind=kind: self._is_true(kind), f"all {kind}", _SECONDS)  # type: ignore[misc]
                say(f"all {kind}", f"{time.monotonic() - began:.0f} s after the policies were applied")
            self._quiet(mark)
            say("processor time of the operator", f"{costs.processor_seconds():.1f} s")
            say("memory of the operator", f"{costs.memory('VmRSS'):.0f} MiB, at most {costs.memory('VmHWM'):.0f} MiB")
            count, seconds = costs.reconciles()
            say("reconciles", f"{count:,} in {seconds:.1f} s, writes included")
            report_writes(self._requests(mark))

    def rest(self) -> int:
        """A start and a resync with nothing changed; how many writes there were, which must be none."""
        mark = self._plane.audit.mark()
        arguments = ("--log-level", "info", "--resync", str(_RESYNC))
        with operator_program.running(self._plane, self._programs, name="again", arguments=arguments) as operator:
            costs = Costs(operator)
            self._look(costs, "start", self._plane.audit.mark(), resynced=True)
            self._look(costs, "resync", self._plane.audit.mark(), resynced=False)
            writes = [each for each in self._requests(mark) if each.writes]
        say("writes of the start and the resync", f"{len(writes)}")
        return len(writes)

    def _look(self, costs: Costs, what: str, mark: int, *, resynced: bool) -> None:
        """Wait for the end of one look at everything, and tell what it took; it begins with its first list."""
        while not resynced and not any(each.verb == "list" for each in self._requests(mark)):
            time.sleep(_TICK)
        used = 0.0 if resynced else costs.processor_seconds()
        before, last = costs.reconciles()[0], time.time()
        before = 0 if resynced else before
        count = before
        while time.time() < last + _RESYNC / 4 or count == before:
            time.sleep(_TICK)
            now = costs.reconciles()[0]
            count, last = now, last if now == count else time.time()
        processor = costs.processor_seconds() - used
        took = "" if resynced else f"{last - self._first_list(mark):.1f} s from its first list to its last plan, "
        say(
            f"a {what} with nothing changed",
            f"{took}{count - before} keys, {processor:.1f} s of the processor",
        )

    def _first_list(self, mark: int) -> float:
        received = next(each.received for each in self._requests(mark) if each.verb == "list")
        return dt.datetime.fromisoformat(received).timestamp()

    def _requests(self, mark: int) -> list[audit.Request]:
        return self._plane.audit.of_service_account(operator_program.NAMESPACE, operator_program.ACCOUNT, mark)

    def _apply(self) -> None:
        everyone = {"from": "All"}
        found = scene.receiver(operator_program.NAMESPACE, shards=_SHARDS, allowedNamespaces=everyone)
        self._plane.api.apply(found)
        for namespace in self._fleet.namespaces:
            self._plane.api.apply(scene.policy(namespace, receiverRef=_RECEIVER))

    def _is_true(self, kind: str) -> bool:
        """Whether the policies say so of every Gateway."""
        entries = [
            entry
            for policy in self._plane.api.items(scene.TELEMETRY, "TelemetryPolicy")
            for entry in policy.get("status", {}).get("ancestors", ())
        ]
        true = sum(
            any(item["type"] == kind and item["status"] == "True" for item in entry["conditions"]) for entry in entries
        )
        return true == len(self._fleet.names)

    def _quiet(self, mark: int) -> None:
        """Return once nothing has been written for a while."""
        last, since = -1, time.monotonic()
        while time.monotonic() < since + _QUIET:
            time.sleep(1)
            writes = sum(each.writes for each in self._requests(mark))
            if writes != last:
                last, since = writes, time.monotonic()


def _out(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say(what: str, figure: str) -> None:
    """One line of the report, at once."""
    _out(f"  {what:<44}{figure}")


def report_writes(requests: Sequence[audit.Request]) -> None:
    """Writes by what they were, and the most that any one object got; refused ones count."""
    writes = [each for each in requests if each.writes]
    refused = Counter(each.code for each in writes if each.code >= 400)
    told = ", ".join(f"{count} with {code}" for code, count in sorted(refused.items())) or "none"
    say("writes", f"{len(writes):,}; refused: {told}")
    kinds = Counter((each.resource, each.subresource, each.verb) for each in writes)
    # The path of a creation does not name the object, nor does the audit log's reference.
    by_object = Counter((each.resource, each.subresource, each.verb, each.namespace, each.name) for each in writes)
    for (resource, subresource, verb), count in sorted(kinds.items()):
        most = max(number for key, number in by_object.items() if key[:3] == (resource, subresource, verb))
        detail = "" if verb == "create" else f", at most {most} for one object"
        say(f"  {verb} {resource}{'/' * bool(subresource)}{subresource}", f"{count:,}{detail}")
    named = Counter((each.resource, each.namespace, each.name) for each in writes if each.name)
    (resource, namespace, name), count = max(named.items(), key=lambda item: item[1])
    say("most writes to one object", f"{count}: {resource} {namespace}/{name}")


def run(size: int, namespaces: int, *, real: bool) -> int:
    """Measure one layout; how many writes there were where none may be."""
    pods = "by Envoy Gateway" if real else "by hand, with its labels: no Envoy Gateway"
    policies = "one policy" if namespaces == 1 else f"{namespaces} namespaces with a policy each"
    _out(f"{size} Gateways, {policies}; Deployments made {pods}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aigw-bench-")))
        plane = stack.enter_context(control_plane.running(folder))
        ai = stack.enter_context(_gateways(plane, real=real))
        operator_program.install(plane)
        found = fleet.Fleet(plane, ai, size=size, namespaces=namespaces, by_hand=not real)
        began = time.monotonic()
        found.create(_SECONDS)
        say("the Gateways and their pods", f"{time.monotonic() - began:.0f} s, before the operator is started")
        bench = Bench(plane, found, plane.programs)
        bench.wire()
        return bench.rest()


@contextlib.contextmanager
def _gateways(plane: control_plane.ControlPlane, *, real: bool) -> Iterator[ai_gateway.AiGateway]:
    envoy = envoy_gateway.EnvoyGateway(plane)
    envoy.install()
    try:
        if real:
            envoy.start()
        with ai_gateway.running(plane, scene.V1_1) as ai:
            yield ai
    finally:
        envoy.stop()


def main() -> int:
    """Measure every layout that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m cluster.bench", description=__doc__)
    parser.add_argument("--gateways", type=int, default=300, help="how many (default 300)")
    parser.add_argument("--namespaces", type=int, nargs="+", default=[3, 1], help="layouts, one run each (default 3 1)")
    parser.add_argument("--envoy-gateway", action="store_true", help="let the real Envoy Gateway make the Deployments")
    chosen = parser.parse_args()
    if missing := catalog.missing():
        sys.stderr.write(f"{', '.join(missing)} missing: {catalog.BUILD_COMMAND}\n")
        return 2
    load = os.getloadavg()[0]
    _out(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; load {load:.1f} before")
    wrong = sum(run(chosen.gateways, each, real=chosen.envoy_gateway) for each in chosen.namespaces)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
