"""Runs a coroutine in a thread with an event loop of its own, beside a test that is not asynchronous."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

_SECONDS: Final = 60.0
_LAST_TURNS_SECONDS: Final = 0.1
T = TypeVar("T")
Main = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]
"""what is to run; it calls its argument once it is ready"""


class Background:
    """One run of a coroutine, from start to stop; what it raises ends its thread, of which pytest tells."""

    def __init__(self, name: str, main: Main) -> None:
        self._main = main
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Run it, and return once it is ready."""
        self._thread.start()
        if not self._ready.wait(_SECONDS) or not self._thread.is_alive():
            self.stop()
            message = f"{self._thread.name} did not start within {_SECONDS:.0f} s"
            raise TimeoutError(message)

    def stop(self) -> None:
        """Cancel it, and return once it has ended."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(_SECONDS)
        assert not self._thread.is_alive(), f"{self._thread.name} did not end within {_SECONDS:.0f} s"

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something else in the same loop, from another thread; its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()

    def _run(self) -> None:
        try:
            with contextlib.closing(self._loop):
                self._task = self._loop.create_task(self._main(self._ready.set))
                with contextlib.suppress(asyncio.CancelledError):
                    self._loop.run_until_complete(self._task)
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
                # Connections that were closed are let go of in the loop's next turns.
                self._loop.run_until_complete(asyncio.sleep(_LAST_TURNS_SECONDS))
        finally:
            self._ready.set()
