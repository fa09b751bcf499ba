"""What a file is, its first bytes say, whatever its name."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from streamer.config.load import load_text
from streamer.offline.event_files import reading
from streamer.offline.packed_file import OTHERS, opened
from streamer.offline.replay import BadInput

LEAST = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [t]}\n'


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


def test_a_record_that_a_producer_packed_is_no_packed_file(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(gzip.compress(b"{}")[:9] + b"\n{}\n")
    with opened(tmp_path / "t.jsonl") as handle:
        assert len(handle.readlines()) == 2


@pytest.mark.parametrize("name", ["t.jsonl.gz", "t.csv.gz", "t.csv"])
def test_a_packed_file_that_is_broken_is_one_error_with_its_name(name: str, tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(b"model,features.amount\nfraud,1\n" * 2_000))
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / name).write_bytes(whole)
    with pytest.raises(BadInput, match=name):
        list(reading(tmp_path / name, load_text(LEAST, "x", {}))[0]())
