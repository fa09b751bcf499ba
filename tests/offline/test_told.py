"""What lint prints of a sample: the account, a line per reason with its first place, and a table of the monitors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamer.offline.told import told_of
from streamer.port import Partition
from tests.offline.samples import estimated


def line_of(path: Path) -> Callable[[Partition, int], str]:
    return lambda partition, offset: f"{path}:{offset + 1}"


def test_the_account_comes_first_then_the_reasons_then_the_table(tmp_path: Path) -> None:
    good = [{"model": "m", "time": 1_700_000_000 + i, "features": {"a": i}} for i in range(8)]
    records = [*good, b"m,1", b"m,2", b'{"model": true}']
    own = "monitors: {mean: {signal: features.a, detect: {kind: adwin}}}\n"
    file = tmp_path / "events.jsonl"
    first, second, third, few, head, mean, in_all = told_of(
        "c.yaml", estimated(own, tmp_path, records), line_of(file)
    ).splitlines()
    assert first.startswith("c.yaml: 11 records of the sample = 8 used + 0 late + 0 duplicate + 0 filtered + 3 rejecte")
    assert "; 1 model, " in first
    assert second.startswith("  rejected: 2 bad_json: ")
    assert f"; first {file}:9 (" in second
    assert second.endswith(
        "; most likely comma-separated text (CSV): Driftline reads JSON, one object per record: send"
        " that, or convert the topic."
    )
    assert f"; first {file}:11 (/model); point `fields` at what the field takes." in third
    assert few == "  Only 72.7% of the records are used."
    assert (head.split()[0], mean.split()[:2], in_all.split()[:3]) == ("monitor", ["mean", "1"], ["in", "all", "1"])


def test_where_nothing_is_used_there_is_no_table(tmp_path: Path) -> None:
    told = told_of("c.yaml", estimated("", tmp_path, [b"m,1"]), line_of(tmp_path / "e.jsonl")).splitlines()
    assert told[0].startswith("c.yaml: 1 record of the sample = 0 used + ")
    assert [line.split()[0] for line in told[1:]] == ["rejected:", "Only"]


def test_what_is_still_in_school_after_the_sample_says_how_long(tmp_path: Path) -> None:
    mean = "mean: {signal: features.a, detect: {kind: envelope}}"
    own = f"monitors: {{{mean}, old: {{signal: features.a, detect: {{kind: adwin}}}}}}\n"
    every_s = 600
    events = [
        {"model": "m", "time": 1_700_006_400 + every_s * i, "features": {"a": i % 7 * 1.5}} for i in range(3 * 144 + 72)
    ]
    told = told_of("c.yaml", estimated(own, tmp_path, events), line_of(tmp_path / "e.jsonl"))
    head, mean, old, _ = told.splitlines()[1:]
    assert head.endswith("in school")
    assert mean.endswith(" 1 (4 more days)")
    assert old.endswith(" 0")
