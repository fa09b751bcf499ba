"""How the interpreter and the C library keep memory, for a service that allocates in batches."""

from __future__ import annotations

import ctypes
import gc
import sys

MALLOC = {-1: 64 << 20, -3: 32 << 20}
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc, in bytes: what is kept is more than all fetches under way."""


def settle_memory() -> None:
    """What is alive now stays alive, and every batch brings hundreds of objects that no cycle can hold.

    Left alone the cycle collector looks at all of them again and again, some 10 % of the service's time. And glibc
    hands what was fetched back to the system, by the megabyte, to have it cleared again page by page: 4 to 15 %.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", lambda *_: 0)  # musl has none.
        for option, value in MALLOC.items():
            set_option(option, value)
