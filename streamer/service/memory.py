"""How the interpreter and the C library keep memory, for a service that allocates in batches."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable

MALLOC = {-1: 64 << 20, -3: 32 << 20}
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc, in bytes: what is kept is more than all fetches under way."""


LARGE = 64 << 20
"""Bytes of a snapshot after which it is worth the look."""


def settle_memory() -> None:
    """What is alive now stays alive, and every batch brings hundreds of objects that no cycle can hold.

    Left alone the cycle collector looks at all of them again and again, some 10 % of the service's time. And glibc
    hands what was fetched back to the system, by the megabyte, to have it cleared again page by page: 4 to 15 %.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    set_option = _of_c("mallopt")
    for option, value in MALLOC.items():
        set_option(option, value)


def give_back(size: int) -> None:
    """A snapshot of so many bytes is written: what it took beside the state is nobody's any more.

    glibc keeps it in pieces between what lives on, by these options even more: with 10 million inferences that wait a
    third of what they take. Giving it back takes some milliseconds for each 100 MB.
    """
    if size > LARGE:
        _of_c("malloc_trim")(0)


def _of_c(name: str) -> Callable[..., int]:
    """A function of glibc, where there is one."""
    if sys.platform != "linux":
        return lambda *_: 0
    found: Callable[..., int] = getattr(ctypes.CDLL(None), name, lambda *_: 0)  # musl has none.
    return found
