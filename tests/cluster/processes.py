"""Starts the programs of a control plane and ends them again, whatever happens; knows nothing of Kubernetes."""

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_STOP_SECONDS: Final = 10.0
_TAIL_LINES: Final = 8
_LINE_LENGTH: Final = 300


class ProgramEndedError(Exception):
    """A program ended, or did not begin to serve in time; the note of the error holds the end of every log."""


@dataclasses.dataclass(slots=True)
class Program:
    """A program that runs, or has run; its output is in a file."""

    name: str
    log: Path
    process: "subprocess.Popen[bytes]"
    gentle: bool = True
    """whether SIGTERM ends it"""

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def stop(self) -> None:
        """End it by SIGTERM, and by SIGKILL where that is not enough."""
        if self.running and self.gentle:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self.running:
            self.process.kill()
        self.process.wait(_STOP_SECONDS)

    def pause(self) -> None:
        """Stop it in its tracks, as an overloaded node does."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def tail(self) -> str:
        """The end of what it wrote."""
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        state = "running" if self.running else f"ended with {self.process.returncode}"
        return "\n".join([f"--- {self.name} ({state}), {self.log}", *(line[:_LINE_LENGTH] for line in lines)])


class Programs:
    """All programs of one folder, ended in the reverse order of their start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Program] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        gentle: bool = True,
    ) -> Program:
        """Start a program with its output in log/NAME.log; environment is added to ours."""
        log = self.folder / "log" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*_dies_with_us(), *command],
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # An interrupt at the terminal is for us: we end them in order.
                start_new_session=True,
            )
        program = Program(name, log, process, gentle)
        self._started.append(program)
        return program

    def end(self, program: Program) -> None:
        """End one of them."""
        self._started.remove(program)
        program.stop()

    def stop(self) -> None:
        """End all of them, newest first."""
        while self._started:
            self._started.pop().stop()

    @contextlib.contextmanager
    def deadline(self, seconds: float, what: str) -> Iterator["Deadline"]:
        """Give a loop that waits for the programs its bound; whatever fails in it is told with the end of every log."""
        try:
            yield Deadline(self, time.monotonic() + seconds, f"not within {seconds:.0f} s: {what}")
        except Exception as error:
            error.add_note(self.tails())
            raise

    def check(self) -> None:
        """ProgramEndedError where one has ended by itself."""
        for program in self._started:
            if not program.running:
                message = f"{program.name} ended"
                raise ProgramEndedError(message)

    def tails(self) -> str:
        """The end of every log."""
        return "\n".join(program.tail() for program in self._started)


@dataclasses.dataclass(frozen=True, slots=True)
class Deadline:
    """The bound of a loop that waits for programs."""

    programs: Programs
    until: float
    message: str

    def tick(self, seconds: float = 0.05) -> None:
        """Wait a moment; ProgramEndedError where time is up, or a program has ended."""
        self.programs.check()
        if time.monotonic() > self.until:
            raise ProgramEndedError(self.message)
        time.sleep(seconds)


def _dies_with_us() -> list[str]:
    # Where the tests are killed, nobody is left to end their programs: the kernel does it.
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
