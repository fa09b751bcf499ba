"""Why and how the process ends: a signal asks it to, or a thread of it has ended without which it is not whole.

A thread that ends by an exception takes down what it did, and nobody hears of it: the loop goes on and waits for what
does not come any more. So the process drains and ends, as it does where its first thread fails, and a supervisor starts
the next.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from streamer.service.closing import LEAVE_SECONDS, end_after

EXIT_INTERNAL = 70
EXIT_NOT_DRAINED = 75
DRAIN_SECONDS = 10.0
"""After a stop signal the last commit, snapshot and group leave get this long; then the process ends, hard."""


class Stopper:
    """SIGTERM and SIGINT ask for a drain; a second signal, or a drain that takes too long, ends the process.

    It also ends when the drain is over and something hangs. Always with the exit code that is true by then.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.why = "a stop signal came"
        self.hung_up: Callable[[], None] = lambda: None
        self.code = EXIT_NOT_DRAINED
        self._signalled, self._failed = False, False
        self._disarm: Callable[[], None] = lambda: None

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda number, frame: self.hung_up())

    def _handle(self, number: int, frame: Any) -> None:
        if self._signalled:
            os._exit(self.code)
        self._signalled = True
        self._ask()

    def fail(self, why: str) -> None:
        """Drain, and end as who has failed. From any thread."""
        if not self.asked.is_set():
            self.why, self._failed = why, True
            self._ask()

    def _ask(self) -> None:
        if not self.asked.is_set():
            self.asked.set()
            self._disarm = end_after(DRAIN_SECONDS, EXIT_NOT_DRAINED)

    def drained(self, landed: bool) -> None:
        """The last commit has landed, which no hang and no further signal can undo, or it has not."""
        if landed:
            self._disarm()
            self.code = EXIT_INTERNAL if self._failed else 0

    def leave(self, code: int) -> int:
        """The code the process ends with, and soon: a thread or a client may hang on a broker that is gone."""
        end_after(LEAVE_SECONDS, code)
        return code


@contextmanager
def threads(ended: Callable[[str, BaseException], object]) -> Iterator[None]:
    """Inside, `ended` is told the name of each thread that ends by an exception, and which, in that thread."""

    def hook(args: Any) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            ended(args.thread.name if args.thread is not None else "", args.exc_value)

    before, threading.excepthook = threading.excepthook, hook
    try:
        yield
    finally:
        threading.excepthook = before
