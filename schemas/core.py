"""The compiled core (`native/`, in Rust), or None: where it was not built, or where DRIFTLINE_NATIVE=0 asks for Python.

Everything it does exists in Python as well, with the same results to the last bit; only the speed differs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import schemas._native as _native


class Core(Protocol):
    """What the module has. A module has no type that one could write down, and one of unknown type would take any name:
    so its own types are named here, and `_native.pyi` is checked against both this and the module.
    """

    @property
    def __file__(self) -> str | None: ...
    @property
    def Adwin(self) -> type[_native.Adwin]: ...

    @property
    def Envelope(self) -> type[_native.Envelope]: ...
    @property
    def Admission(self) -> type[_native.Admission]: ...
    @property
    def Decoder(self) -> type[_native.Decoder]: ...
    @property
    def Distribution(self) -> type[_native.Distribution]: ...
    @property
    def History(self) -> type[_native.History]: ...
    @property
    def Intake(self) -> type[_native.Intake]: ...
    @property
    def Levels(self) -> type[_native.Levels]: ...
    @property
    def Messages(self) -> type[_native.Messages]: ...
    @property
    def PageHinkley(self) -> type[_native.PageHinkley]: ...
    @property
    def Reference(self) -> type[_native.Reference]: ...
    @property
    def RowIndex(self) -> type[_native.RowIndex]: ...
    def bet_on_ranks(
        self,
        scalars: Sequence[Any],
        wide: Sequence[Any],
        tables: Sequence[_native.F64],
        params: tuple[float, bool],
        column: tuple[_native.I64, _native.F64],
        begin: int,
    ) -> tuple[int, float] | None: ...
    def group(self, columns: Sequence[_native.I64], used: _native.Bool) -> tuple[_native.I64, _native.I64]: ...
    def pack(
        self,
        place: tuple[str, int, int],
        part: _native.I64,
        own: tuple[_native.I64, _native.I64, _native.I32, _native.I32, _native.U64, _native.I32 | None],
        texts: tuple[tuple[str, ...], tuple[str, ...]],
        tables: tuple[_native.OfNumbers, _native.OfTexts, tuple[_native.I32, _native.I32]],
        odd: Sequence[_native.Odd],
    ) -> list[tuple[int, bytes]]: ...
    def sweep(
        self,
        parts: tuple[_native.RowIndex, _native.Reference, _native.History | None],
        banks: Sequence[tuple[_native.Adwin | _native.Envelope | _native.PageHinkley, int, bool, int | None]],
        codes: Sequence[_native.I32],
        value: _native.F64,
        places: Sequence[_native.I64],
        begin: int,
        every: bool,
        show: bool,
    ) -> _native.Swept: ...
    def unpack(
        self,
        values: _native.Messages | Sequence[bytes | None],
        offsets: _native.I64,
        limits: tuple[int, int],
    ) -> _native.Unpacked: ...
    def use_librdkafka_of(self, binding: str) -> None: ...


native: Core | None = None
why_not = ""

if os.environ.get("DRIFTLINE_NATIVE") == "0":
    why_not = "DRIFTLINE_NATIVE is 0"
else:
    try:
        import schemas._native as _native

        native = _native
    except ImportError as error:
        why_not = f"it was not built: {error}"
