"""An executor that is done at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


def at_once(work: Callable[[], Any]) -> Future[Any]:
    """What it came to, be it an error."""
    future: Future[Any] = Future()
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
    return future
