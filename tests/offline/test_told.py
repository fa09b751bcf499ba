"""What lint prints of a sample: the account, a line per reason with its first place, and a table of the monitors."""

from __future__ import annotations

from pathlib import Path

from streamer.offline.told import told_of
from tests.offline.samples import estimated


def test_the_account_comes_first_then_the_reasons_then_the_table(tmp_path: Path) -> None:
    good = [{"model": "m", "time": 1_700_000_000 + i, "features": {"a": i}} for i in range(8)]
    records = [*good, b"m,1", b"m,2", b'{"model": 5}']
    own = "monitors: {mean: {signal: features.a, detect: {kind: adwin}}}\n"
    files = (tmp_path / "events.jsonl",)
    first, second, third, head, mean, in_all = told_of("c.yaml", estimated(own, tmp_path, records), files).splitlines()
    assert first.startswith("c.yaml: 11 records of the sample = 8 used + 0 late + 0 duplicate + 0 filtered + 3 rejecte")
    assert "; 1 model, " in first
    assert second.startswith("  rejected: 2 bad_json: ")
    assert f"; first {files[0]}:9 (" in second
    assert second.endswith(
        "; most likely comma-separated text (CSV): Driftline reads JSON, one object per record: send"
        " that, or convert the topic."
    )
    assert f"; first {files[0]}:11 (/model); point `fields` at what the field takes." in third
    assert (head.split()[0], mean.split()[:2], in_all.split()[:3]) == ("monitor", ["mean", "1"], ["in", "all", "1"])


def test_where_nothing_is_used_there_is_no_table(tmp_path: Path) -> None:
    told = told_of("c.yaml", estimated("", tmp_path, [b"m,1"]), (tmp_path / "e.jsonl",)).splitlines()
    assert told[0].startswith("c.yaml: 1 record of the sample = 0 used + ")
    assert [line.split()[0] for line in told[1:]] == ["rejected:"]
