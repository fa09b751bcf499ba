"""The process ends in time, with the exit code it deserves, whatever hangs.

A close of librdkafka's consumer can wait for ever for an answer it has itself thrown away (librdkafka#4884): inside the
revoke callback, where the binding holds the interpreter's lock. From then on no Python runs in any thread, so neither a
thread nor a signal handler written in it can end the process. The C library can: its timers call one of its own
functions, which asks nobody for that lock.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

CLOSE_SECONDS = 2.5
"""Closing takes some 0.1 s, on a busy machine 1 s; what takes longer is the hang, and a stop should not seem to be."""
LEAVE_SECONDS = 5.0
"""For what is left to do once the exit code is known, such as a large snapshot that is being encoded for nobody."""
WRITE_SECONDS = 0.1
"""The last line gets this long to be taken, by a pipe that is full for instance."""
MONOTONIC, SIGEV_THREAD, LINE_BUFFERED = 1, 2, 1
_kept: list[Any] = []
"""Texts that a timer may still print: one for each way out of the process, so they stay few."""


class _Notice(ctypes.Structure):
    """`struct sigevent` for SIGEV_THREAD."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("rest", ctypes.c_char * 64),
    )


class _Due(ctypes.Structure):
    """`struct itimerspec`."""

    _fields_ = (("every_s", ctypes.c_long), ("every_ns", ctypes.c_long), ("s", ctypes.c_long), ("ns", ctypes.c_long))


@functools.cache
def _library() -> Any:
    """What has timer_create; older glibc keeps it in a library of its own. OSError where there is none: macOS."""
    for name in ("librt.so.1", None) if sys.platform == "linux" else ():
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(name, use_errno=True)
            library.timer_delete.argtypes = [ctypes.c_void_p]
            library.timer_settime.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
            library.timer_create.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
            return library
    raise OSError(errno.ENOSYS, "timer_create")


def _call_after(library: Any, seconds: float, name: str, value: Any) -> ctypes.c_void_p:
    """The C library calls `name(value)`, in a thread of its own."""
    function = ctypes.cast(library[name], ctypes.c_void_p)
    timer, notice = ctypes.c_void_p(), _Notice(value, 0, SIGEV_THREAD, function)
    due = _Due(0, 0, int(seconds), int(seconds % 1 * 1e9))
    if library.timer_create(MONOTONIC, ctypes.byref(notice), ctypes.byref(timer)):
        raise OSError(ctypes.get_errno(), "timer_create")
    library.timer_settime(timer, 0, ctypes.byref(due), None)
    return timer


def end_after(seconds: float, code: int, line: str = "") -> Callable[[], None]:
    """After that long the process prints the line and ends, hard; unless the result is called before."""
    try:
        return _end_after_in_c(seconds, code, line)
    except OSError:  # Another system, or no more timers for this user: Python can end most hangs.
        return _end_after_in_python(seconds, code, line)


def _end_after_in_c(seconds: float, code: int, line: str) -> Callable[[], None]:
    library = _library()
    timers = [_call_after(library, seconds + (WRITE_SECONDS if line else 0), "_exit", code)]

    def disarm() -> None:
        while timers:
            library.timer_delete(timers.pop())

    if line:
        # Python has a buffer of its own; this one is empty, and shall write the line in one piece.
        library.setvbuf(ctypes.c_void_p.in_dll(library, "stdout"), None, LINE_BUFFERED, ctypes.c_size_t(0))
        _kept.append(ctypes.create_string_buffer(line.encode()))
        try:
            timers.append(_call_after(library, seconds, "puts", ctypes.cast(_kept[-1], ctypes.c_void_p)))
        except OSError:
            disarm()
            raise
    return disarm


def _end_after_in_python(seconds: float, code: int, line: str) -> Callable[[], None]:
    def end() -> None:
        if line:
            print(line, flush=True)
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer.cancel


@contextmanager
def bounded(seconds: float, code: int, line: str = "") -> Iterator[None]:
    """What runs inside takes no longer than that, or it is the last thing the process does. See `end_after`."""
    disarm = end_after(seconds, code, line)
    try:
        yield
    finally:
        disarm()
