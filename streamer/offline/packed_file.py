"""Files by their first bytes: what is packed is unpacked whatever its name, and what nobody unpacks here is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

NEEDS = "pip install 'driftline[tables]'"


def _by_arrow(codec: str) -> Callable[[Path], Any]:
    def opens(path: Path) -> Any:
        try:
            import pyarrow
        except ImportError:
            raise OSError(f"is packed by {codec}: unpack it first, as by {codec} -d, or {NEEDS}") from None
        return io.BufferedReader(pyarrow.CompressedInputStream(pyarrow.OSFile(str(path), "rb"), codec))

    return opens


PACKED: dict[bytes, tuple[tuple[str, ...], Callable[[Path], Any]]] = {
    b"\x1f\x8b": ((".gz",), gzip.GzipFile),
    b"BZh": ((".bz2",), bz2.BZ2File),
    b"\xfd7zXZ": ((".xz",), lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": ((".zst", ".zstd"), _by_arrow("zstd")),
    b"\x04\x22\x4d\x18": ((".lz4",), _by_arrow("lz4")),
}
"""By the first bytes: how such files are called, and what unpacks them."""
ENDINGS = frozenset(ending for endings, _ in PACKED.values() for ending in endings)
OTHERS = {
    b"PK\x03\x04": "is a ZIP archive or a spreadsheet: unpack it first, or save it as CSV",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet: save it as CSV",
    b"Obj\x01": "is an Avro file: convert it to JSON lines or Parquet",
    b"PAR1": "is Parquet: let its name end in .parquet",
}
LONGEST, LOOK = max(map(len, (*PACKED, *OTHERS))), 1 << 16
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading a file may raise."""


def opened(path: Path) -> BinaryIO:
    """The bytes of a file of text. OSError says what it is instead, where it is known."""
    if path.is_fifo() or path.is_char_device():  # It is opened more than once, and each time something would be lost.
        raise OSError("is a pipe, which can be read only once: write it to a file first")
    with path.open("rb") as handle:
        head = handle.read(LONGEST)
    for magic, (endings, opens) in PACKED.items():
        if head.startswith(magic) and (path.suffix.lower() in endings or _unpacks(path, opens)):
            return cast("BinaryIO", opens(path))
    for magic, words in OTHERS.items():
        if head.startswith(magic):
            raise OSError(words)
    return path.open("rb")


def _unpacks(path: Path, opens: Callable[[Path], Any]) -> bool:
    """Lines may begin so as well, where a producer packs its records."""
    try:
        with opens(path) as handle:
            handle.read(LOOK)
    except BROKEN:
        return False
    return True
