"""What is printed of a backtest: every part of it, in words and as JSON."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from streamer.offline import backtest_told
from streamer.offline.backtest import Asked, Backtest, backtest
from streamer.offline.backtest_told import plain, table, told
from streamer.offline.faults import parse_spec
from streamer.offline.known import Known
from tests.offline.past import BEGIN, DAY, EAGER, SHIFT, configured, reader, write_past


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    return judged(tmp_path_factory.mktemp("told"))


def judged(folder: Path) -> Backtest:
    """The eager config against one that sees nothing, with a known incident and one fault."""
    begin_ms = int((BEGIN + SHIFT * DAY) * 1000)
    blind = EAGER.replace("features.*", "features.nothing")
    configs = [("new.yaml", configured()), ("old.yaml", configured(blind))]
    known = [Known("fraud", begin_ms, begin_ms + DAY * 1000, "k.csv:2")]
    specs = parse_spec("unit=5@features.amount")
    return backtest(reader(write_past(folder)), Asked(configs, known=known, specs=specs, begin_at=0.5))


def test_each_part_is_said(found: Backtest) -> None:
    lines = list(told(found))
    assert lines[0] == (
        "new.yaml against old.yaml: 1,440 events of 2 models, 2026-01-05 00:00 to 2026-01-09 23:52 (4d 23h)"
    )
    assert lines[1] == "1,440 records = 1,440 used + 0 late + 0 duplicate + 0 filtered + 0 rejected"
    text = "\n".join(lines)
    gained = len(found.runs[0].incidents)
    assert f"incidents: {gained} gained, 0 lost, 0 moved, 0 the same" in lines
    assert "  gained  2026-01-08" in text
    assert "new.yaml: 1 of 1 known incident found (recall 100.0%), median delay " in text
    assert "old.yaml: 0 of 1 known incident found (recall 0.0%); 0 incidents told" in text
    assert "put into copies of the history after 50% of each model's time: 2 of 2 faults found" in lines
    assert any(line.startswith("features.amount in another unit: x 5  fraud  amounts ") for line in lines)


def test_alone_a_config_tells_its_incidents(found: Backtest) -> None:
    run = found.runs[0]
    alone = Backtest(Asked([("new.yaml", run.config)]), [run], found.watched, None, None, None, [])
    lines = list(told(alone))
    assert lines[0].startswith("new.yaml: 1,440 events")
    assert [line[18:] for line in lines[-len(run.incidents) :]] == [one.sentence for one in run.incidents]
    assert not any("gained" in line or "known" in line or "copies" in line for line in lines)


def test_json_has_all_and_no_values_of_events(found: Backtest) -> None:
    made = orjson.loads(orjson.dumps(plain(found)))
    assert [run["config"] for run in made["runs"]] == ["new.yaml", "old.yaml"]
    assert made["runs"][0]["records"]["used"] == 1440
    assert len(made["runs"][0]["alerts"]) == len(found.runs[0].alerts)
    assert made["difference"]["incidents"]["gained"][0]["model"] == "fraud"
    assert made["known"][0]["recall"] == 1.0
    assert made["injected"][0]["found"]["monitor"] == "amounts"
    assert made["tolerance"] == "1h"
    assert "NL" not in str(made)


def test_many_lines_are_cut_and_that_is_said(found: Backtest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest_told, "SHOWN", 0)
    more = len(found.runs[0].incidents)
    assert f"  and {more} more: --format json has all" in list(told(found))


def test_numbers_stand_at_the_right() -> None:
    assert list(table(("what", "n"), [("a", "1,000"), ("bcdef", "7"), ("x", "-")])) == [
        "what       n",
        "a      1,000",
        "bcdef      7",
        "x          -",
    ]
    assert list(table(("a", "b"), [])) == ["a  b"]
