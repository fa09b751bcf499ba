"""The two engines: all that exists in Python and compiled, as one set of constructors each. One of them is chosen here,
once, and handed to the task; nothing below asks again. Both give the same results to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

from detectors import make_bank, make_compiled_bank
from detectors.compiled import CompiledDistribution, CompiledHistory, CompiledReference
from detectors.compiled_levels import CompiledLevels
from detectors.distribution import Distribution
from detectors.history import History
from detectors.levels import Levels
from detectors.reference import Reference
from schemas.core import native
from schemas.events.decoder import Decoder
from schemas.events.fields import Fields
from schemas.events.packing import Pack, Unpacker, packer
from schemas.events.side import Side, SideDecoder
from streamer.engine.admission import Gate
from streamer.monitors.base import Monitor, MonitorParts
from streamer.monitors.fused_sweep import Sweep, fits
from streamer.series.row_cache import RowCache
from streamer.series.table import SeriesTable, TableParts
from streamer.signals.columns import group


class Engine(NamedTuple):
    """`gate`: watched models, lateness in ms, event ids remembered, most models. `sweep`: the fused way through a table
    for these monitors, None where there is none; the flag: others want to see its column, too.
    """

    name: str
    decoder: Callable[[Fields], Decoder]
    side: Callable[[Side], SideDecoder]
    pack: Pack
    unpacker: Callable[[], Unpacker]
    gate: Callable[[Collection[str] | None, int, int, int, int], Any]
    table: TableParts
    monitors: MonitorParts
    sweep: Callable[[SeriesTable, Sequence[Monitor], bool], Sweep | None]


def no_sweep(table: SeriesTable, monitors: Sequence[Monitor], shown: bool) -> None:
    """In Python the parts of a table stand alone."""


def compiled_sweep(table: SeriesTable, monitors: Sequence[Monitor], shown: bool) -> Sweep | None:
    return Sweep(table, monitors, shown) if fits(table) else None


PYTHON = Engine(
    "python",
    partial(Decoder, compiled=False),
    partial(SideDecoder, compiled=False),
    packer(compiled=False),
    partial(Unpacker, compiled=False),
    Gate,
    TableParts(Reference, History, None, group),
    MonitorParts(make_bank, Distribution, Levels),
    no_sweep,
)
COMPILED = None
if native is not None:
    COMPILED = Engine(
        "compiled",
        Decoder,
        SideDecoder,
        packer(),
        Unpacker,
        native.Admission,
        TableParts(CompiledReference, CompiledHistory, RowCache, native.group),
        MonitorParts(make_compiled_bank, CompiledDistribution, CompiledLevels),
        compiled_sweep,
    )
ENGINE: Engine = COMPILED or PYTHON
