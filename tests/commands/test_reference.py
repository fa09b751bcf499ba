"""`driftline reference`: files of references built from tables of events, shown and compared."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from streamer.port import LogDown
from tests.engine.referenced import build, configured, event, invoke


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return build(tmp_path)


def test_show_and_diff(built: Path) -> None:
    shown = invoke("show", built / "ref.json")
    assert "number features.*: fraud / features.amount: 3,000 values, mean " in shown.stdout
    assert "2 categories: " in shown.stdout
    rng = random.Random(6)
    (built / "later.jsonl").write_text(
        "".join(json.dumps(event(rng, i, shift=40.0, country="FR")) + "\n" for i in range(3000))
    )
    made = invoke("build", "-c", built / "drift0.yaml", "--input", built / "later.jsonl", "-o", built / "later.json")
    assert made.exit_code == 0
    moved = invoke("diff", built / "ref.json", built / "later.json", "--fail-above", "1")
    assert moved.exit_code == 1
    lines = moved.stdout.splitlines()
    assert "features.country: PSI" in lines[0]
    assert "new: FR" in lines[0]
    assert "features.amount: mean 100" in lines[1] or "features.amount: mean 99" in lines[1]
    same = invoke("diff", built / "ref.json", built / "ref.json", "--fail-above", "0.01")
    assert same.exit_code == 0
    assert re.fullmatch(r"nothing moved; (\d+) of \1 series are the same\n", same.stdout)


def test_a_table_of_events(tmp_path: Path) -> None:
    configured(tmp_path)
    rows = "".join(f"{100 + i % 7},{'NL' if i % 2 else ''},y\n" for i in range(200))
    (tmp_path / "t.csv").write_text("features.amount,features.country,prediction.label\n" + rows)
    arguments = ("build", "-c", tmp_path / "drift0.yaml", "--input", tmp_path / "t.csv", "-o", tmp_path / "r.json")
    assert invoke(*arguments, "--model", "fraud").exit_code == 0
    shown = invoke("show", tmp_path / "r.json").stdout
    assert "features.amount: 200 values, mean 103" in shown
    assert "features.country: 100 values, 1 category: NL" in shown


def test_a_build_says_what_it_used_and_of_nothing_makes_no_file(built: Path) -> None:
    again = ("build", "-c", built / "drift0.yaml", "--input", built / "good.jsonl", "--input", built / "good.jsonl")
    made = invoke(*again, "-o", built / "two.json")
    assert made.stderr.splitlines()[:3] == [
        "6,000 records of 2 partitions = 6,000 used + 0 late + 0 duplicate + 0 filtered + 0 rejected",
        "  inferences[0]: 3,000 used + 0 late + 0 duplicate + 0 filtered + 0 rejected",
        "  inferences[1]: 3,000 used + 0 late + 0 duplicate + 0 filtered + 0 rejected",
    ]
    assert "features.amount: 6,000 values" in invoke("show", built / "two.json").stdout
    (built / "bad.jsonl").write_text("fraud,1\n" * 50)
    failed = invoke("build", "-c", built / "drift0.yaml", "--input", built / "bad.jsonl", "-o", built / "none.json")
    assert failed.exit_code == 1
    assert "50 records of 1 partition = 0 used + 0 late + 0 duplicate + 0 filtered + 50 rejected" in failed.stderr
    assert "none.json is not written: no series has 30 values to learn from; driftline lint " in failed.stderr
    assert f"drift0.yaml --sample {built / 'bad.jsonl'} says why" in failed.stderr
    assert not (built / "none.json").exists()


def test_a_table_and_lines_of_the_same_events_are_one_reference(tmp_path: Path) -> None:
    """Codes, versions, ids and booleans are what their column is, and each cell is not a guess of its own."""
    rng, names = random.Random(1), "model,model_version,event_id,features.zip,features.new,features.a,prediction.label"
    rows = [("m", "7", str(10**18 + i), rng.choice(["01234", "90210"]), i % 3 == 0, i / 8, i % 2) for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join([names, *(",".join(map(str, row)) for row in rows)]) + "\n")
    lines = [
        {
            "model": m,
            "model_version": v,
            "event_id": e,
            "features": {"zip": z, "new": n, "a": a},
            "prediction": {"label": c},
        }
        for m, v, e, z, n, a, c in rows
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = configured(tmp_path)
    assert config.reference.file is None
    for name in ("t.csv", "t.jsonl"):
        arguments = ("-c", tmp_path / "drift0.yaml", "--input", tmp_path / name, "-o", tmp_path / f"{name}.json")
        assert invoke("build", *arguments).stderr.startswith("60 records of 1 partition = 60 used")
    first, second = (json.loads((tmp_path / f"{name}.json").read_bytes())["tables"] for name in ("t.csv", "t.jsonl"))
    assert first == second
    assert "nothing moved" in invoke("diff", tmp_path / "t.csv.json", tmp_path / "t.jsonl.json").stdout


def test_shuffled_rows_are_all_used_and_a_stretch_of_time_can_be_cut(tmp_path: Path) -> None:
    configured(tmp_path)
    rng = random.Random(2)
    lines = [json.dumps(event(rng, i * 60)) + "\n" for i in range(3000)]
    rng.shuffle(lines)
    (tmp_path / "t.jsonl").write_text("".join(lines))
    arguments = ("build", "-c", tmp_path / "drift0.yaml", "--input", tmp_path / "t.jsonl", "-o", tmp_path / "r.json")
    assert invoke(*arguments).stderr.startswith("3,000 records of 1 partition = 3,000 used")
    cut = invoke(*arguments, "--from", "2026-01-01T01:00:00Z", "--to", "2026-01-02T01:00:00Z")
    assert cut.stderr.startswith("1,440 records of 1 partition = 1,440 used"), cut.stderr
    assert "t.jsonl from 2026-01-01T01:00:00Z to 2026-01-02T01:00:00Z" in invoke("show", tmp_path / "r.json").stdout


def test_parquet_needs_its_library_or_reads(tmp_path: Path) -> None:
    configured(tmp_path)
    arguments = ("build", "-c", tmp_path / "drift0.yaml", "--input", tmp_path / "t.parquet", "-o", tmp_path / "r.json")
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        (tmp_path / "t.parquet").write_bytes(b"")
        assert "pip install 'driftline[tables]'" in invoke(*arguments).output
        return
    parquet.write_table(pyarrow.table({"model": ["m"] * 100, "features.a": list(range(100))}), tmp_path / "t.parquet")
    assert invoke(*arguments).exit_code == 0
    assert "features.a: 100 values, mean 49.5" in invoke("show", tmp_path / "r.json").stdout


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"format": 1}')
    for arguments in (("show", tmp_path / "x.json"), ("diff", tmp_path / "x.json", tmp_path / "x.json")):
        done = invoke(*arguments)
        assert done.exit_code == 1
        assert (
            "x.json is no file of references: source: Field required; `driftline reference build` makes one"
            in done.output
        )


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        ((), 2, "Give either --input FILE (repeatable) or --topic T."),
        (("--input", "a", "--topic", "t"), 2, "Give either"),
        (("--input", "none.jsonl"), 1, "none.jsonl: No such file or directory"),
    ],
)
def test_mistakes_of_a_build_get_one_sentence(more: tuple[str, ...], code: int, text: str, tmp_path: Path) -> None:
    configured(tmp_path)
    done = invoke("build", "-c", tmp_path / "drift0.yaml", "-o", tmp_path / "r.json", *more)
    assert (done.exit_code, text in done.output) == (code, True)
    assert not (tmp_path / "r.json").exists()


def test_a_broker_that_is_not_there_is_69(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_topic(*given: Any) -> Any:
        raise LogDown("nobody there")

    monkeypatch.setattr("streamer.kafka.topic_range.TopicRange", read_topic)
    configured(tmp_path)
    done = invoke("build", "-c", tmp_path / "drift0.yaml", "-o", tmp_path / "r.json", "--topic", "t")
    assert (done.exit_code, done.stderr) == (69, "driftline: broker_unreachable: nobody there\n")
