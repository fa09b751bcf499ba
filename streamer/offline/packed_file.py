"""Files by their first bytes: what gzip packed is unpacked whatever its name, and what nobody unpacks here is named."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, cast

GZIP = b"\x1f\x8b"
OTHERS = {
    b"\x28\xb5\x2f\xfd": "is packed by zstd: unpack it first, as by zstd -d",
    b"BZh": "is packed by bzip2: unpack it first, as by bunzip2",
    b"\xfd7zXZ": "is packed by xz: unpack it first, as by unxz",
    b"\x04\x22\x4d\x18": "is packed by LZ4: unpack it first, as by lz4 -d",
    b"PK\x03\x04": "is a ZIP archive or a spreadsheet: unpack it first, or save it as CSV",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet: save it as CSV",
    b"Obj\x01": "is an Avro file: convert it to JSON lines or Parquet",
    b"PAR1": "is Parquet: let its name end in .parquet",
}
LONGEST, LOOK = max(map(len, OTHERS)), 1 << 16
BROKEN = (OSError, EOFError, zlib.error)
"""What reading a file may raise."""


def opened(path: Path) -> BinaryIO:
    """The bytes of a file of text. OSError says what it is instead, where it is known."""
    with path.open("rb") as handle:
        head = handle.read(LONGEST)
    if head.startswith(GZIP) and (path.suffix.lower() == ".gz" or _unpacks(path)):
        return cast("BinaryIO", gzip.open(path, "rb"))
    for magic, words in OTHERS.items():
        if head.startswith(magic):
            raise OSError(words)
    return path.open("rb")


def _unpacks(path: Path) -> bool:
    """Lines may begin so as well, where a producer packs its records."""
    try:
        with gzip.open(path, "rb") as handle:
            handle.read(LOOK)
    except BROKEN:
        return False
    return True
