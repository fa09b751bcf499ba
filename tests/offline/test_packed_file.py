"""What a file is, its first bytes say, whatever its name."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from streamer.offline.packed_file import OTHERS, opened


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz"])
@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_gzip_is_known_by_its_bytes(name: str, pack: type[bytes], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pack(b"{}\n"))
    with opened(tmp_path / name) as handle:
        assert handle.read() == b"{}\n"


@pytest.mark.parametrize("magic", OTHERS)
def test_what_is_not_unpacked_is_named(magic: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(magic + b"rest")
    with pytest.raises(OSError, match=OTHERS[magic]):
        opened(tmp_path / "t.csv")
