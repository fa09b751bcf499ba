"""What a file is, its first bytes say, whatever its name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest

from streamer.config.load import load_text
from streamer.offline.event_files import reading
from streamer.offline.packed_file import OTHERS, opened
from streamer.offline.replay import BadInput

LEAST = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [t]}\n'


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: bytes(pyarrow.compress(data, codec="zstd", asbytes=True)),
    "none": bytes,
}


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv"])
@pytest.mark.parametrize("pack", PACKERS)
def test_what_packed_a_file_is_known_by_its_bytes(pack: str, name: str, tmp_path: Path) -> None:
    packed = PACKERS[pack](b"model,features.a\n" + b"fraud,1\n" * 30_000)
    for path in (tmp_path / name, tmp_path / f"{name}.{pack}"):
        path.write_bytes(packed)
        with opened(path) as handle:
            assert handle.read().count(b"fraud") == 30_000
    (tmp_path / f"t.csv.{pack}").write_bytes(packed)
    if pack != "none":
        read, _ = reading(tmp_path / f"t.csv.{pack}", load_text(LEAST, "x", {}))
        assert sum(map(len, read())) == 30_000, "the name of a table may have an ending behind its own"


def test_who_cannot_unpack_says_what_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.jsonl.zst").write_bytes(PACKERS["zst"](b"{}"))
    with pytest.raises(OSError, match=r"zstd -d, or pip install 'driftline\[tables\]'"):
        opened(tmp_path / "t.jsonl.zst")


def test_a_pipe_is_refused_since_it_can_be_read_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p")
    with pytest.raises(OSError, match="is a pipe"):
        opened(tmp_path / "p")


@pytest.mark.parametrize("magic", OTHERS)
def test_what_is_not_unpacked_is_named(magic: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(magic + b"rest")
    with pytest.raises(OSError, match=OTHERS[magic]):
        opened(tmp_path / "t.csv")


def test_a_record_that_a_producer_packed_is_no_packed_file(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(gzip.compress(b"{}")[:9] + b"\n{}\n")
    with opened(tmp_path / "t.jsonl") as handle:
        assert len(handle.readlines()) == 2


@pytest.mark.parametrize("name", ["t.jsonl.gz", "t.csv.gz", "t.csv", "t.jsonl.bz2", "t.jsonl.xz", "t.csv.zst"])
def test_a_packed_file_that_is_broken_is_one_error_with_its_name(name: str, tmp_path: Path) -> None:
    pack = PACKERS.get(name.rpartition(".")[2], gzip.compress)
    whole = bytearray(pack(b"".join(b"fraud,%d\n" % (i * i) for i in range(5_000))))
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / name).write_bytes(whole)
    with pytest.raises(BadInput, match=name):
        list(reading(tmp_path / name, load_text(LEAST, "x", {}))[0]())
