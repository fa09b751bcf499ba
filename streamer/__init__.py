"""The service: config, series, alert book, task (pure), worker (the loop), Kafka, metrics, command line.

From Python: `from streamer import Watch, replay, compare`; see `streamer/offline/watch.py`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamer.offline.watch import Watch, compare, replay

__all__ = ["Watch", "compare", "replay"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The Python interface is loaded when it is asked for, since the service does not need it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("streamer.offline.watch"), name)
