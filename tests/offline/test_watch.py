"""Driftline from Python: what comes is what `replay` prints, to the byte, from whatever the events are in."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from streamer import Watch, compare, replay
from streamer.commands.cli import main
from streamer.config.problems import ConfigError
from streamer.engine.snapshot import InvalidSnapshot
from streamer.offline.replay import BadInput
from streamer.offline.watch import Alert, Incident, Told, Window

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {
    "reference": {"warmup": 100},
    "monitors": {
        "mean": {"signal": "features.*", "detect": {"kind": "adwin"}},
        "odd": {"signal": "error", "window": {"events": 100}, "detect": {"kind": "fraction", "max": 0.2}},
        "quiet": {"signal": "events", "detect": {"kind": "silence", "after": "10m"}},
    },
}


def events(n: int = 1200) -> list[dict[str, Any]]:
    """A shift half-way, and an hour of silence before the last hundred."""
    rng = random.Random(4)
    return [
        {
            "model": "m",
            "time": 1_700_000_000 + i + (3600 if i >= n - 100 else 0),
            "features": {"a": rng.gauss(5 if i >= n // 2 else 0, 1), "c": rng.choice("xy")},
            "status": "ok",
        }
        for i in range(n)
    ]


def values(told: list[Told]) -> dict[str, list[bytes]]:
    """The bytes for each topic, where their order is."""
    return {kind.__name__: [one.value for one in told if type(one) is kind] for kind in (Alert, Incident, Window)}


def test_the_records_are_those_that_replay_prints(tmp_path: Path) -> None:
    (tmp_path / "drift.yaml").write_text(
        json.dumps({"version": 1, "kafka": {"brokers": "none:9092"}, "topics": {"events": ["inferences"]}, **CONFIG})
    )
    (tmp_path / "e.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events()))
    arguments = ["replay", "-c", str(tmp_path / "drift.yaml"), "--input", str(tmp_path / "e.jsonl")]
    printed = [json.loads(line) for line in CliRunner().invoke(main, arguments).stdout.splitlines()]
    found = [one for one in Watch(tmp_path / "drift.yaml").records(events()) if not isinstance(one, Window)]
    for record in (*printed, *(one.record for one in found)):
        record["data"].pop("config", None)  # Windows have a topic here, which is another config.
        record["data"].get("replay", {}).clear()
    assert [one.record for one in found] == printed
    assert {type(one) for one in found} == {Alert, Incident}


def test_what_an_alert_says() -> None:
    alerts = list(Watch(CONFIG)(events()))
    shift = alerts[0]
    assert (shift.status, shift.labels["monitor"], shift.labels["signal"]) == ("firing", "mean", "features.a")
    assert 600 <= shift.offset < 700
    assert str(shift) == shift.sentence == shift.data["sentence"]
    assert {alert.labels["monitor"] for alert in alerts} == {"mean", "quiet"}, "silence is known from the times"
    assert not any(alert.again for alert in alerts)


def test_all_of_it_at_once() -> None:
    found = replay(CONFIG, events())
    assert found.alerts.to_dicts() == [alert.record for alert in found.alerts]
    assert (len(found.windows), found.windows[0].labels["monitor"]) == (12, "odd")
    assert len(found.incidents) >= 1
    assert found.account == {"used": 1200, "late": 0, "duplicate": 0, "filtered": 0, "dead_lettered": 0}
    bad = replay(CONFIG, [b"{", {"features": {}}])
    assert (bad.account["dead_lettered"], len(bad.rejected)) == (2, 2)


@pytest.mark.parametrize("cut", [0, 1, 650, 1199, 1200])
def test_a_state_that_is_saved_goes_on(cut: int, tmp_path: Path) -> None:
    whole = Watch(CONFIG)
    wanted = values(list(whole.records(events())))
    first = Watch(CONFIG)
    found = list(first.records(events()[:cut]))
    assert first.save(tmp_path / "state") == (tmp_path / "state").read_bytes()
    second = Watch.load(CONFIG, tmp_path / "state")
    assert values(found + list(second.records(events()[cut:]))) == wanted
    assert second.save() == whole.save()


def test_bytes_that_are_no_state() -> None:
    with pytest.raises(InvalidSnapshot):
        Watch.load(CONFIG, b"nonsense")


def test_events_in_whatever_they_are() -> None:
    wanted = values(list(Watch(CONFIG).records(events())))
    texts = [json.dumps(event) for event in events()]
    assert values(list(Watch(CONFIG).records(texts))) == wanted
    assert values(list(Watch(CONFIG).records(text.encode() for text in texts))) == wanted
    rich = [
        {
            **event,
            "time": datetime.fromtimestamp(event["time"], UTC),
            "features": {"a": np.float64(event["features"]["a"]), "c": event["features"]["c"]},
        }
        for event in events()
    ]
    assert values(list(Watch(CONFIG).records(rich))) == wanted
    assert replay(CONFIG, [{"model": "m", "features": {"a": Decimal("1.5"), "t": np.int64(3)}}]).account["used"] == 1
    with pytest.raises(TypeError, match="not JSON serializable: object"):
        replay(CONFIG, [{"model": object()}])


def test_frames_and_files(tmp_path: Path) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    wanted = values(list(Watch(CONFIG).records(events())))
    rows = [{"time": e["time"], "a": e["features"]["a"], "c": e["features"]["c"], "status": "ok"} for e in events()]
    for frame in (pandas.DataFrame(rows), polars.DataFrame(rows)):
        assert values(list(Watch(CONFIG, model="m").records(frame))) == wanted
    pandas.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    assert values(list(Watch(CONFIG, model="m").records(tmp_path / "t.csv"))) == wanted


def test_what_moved_between_two_sets() -> None:
    moved = compare(events()[:600], events()[600:], {"standard": True})
    assert (moved[0].what, moved[0].name) == ("moved", "number features.*: m / features.a")
    assert 4 < moved[0].deviations < 6
    assert compare(events(), events()) == []
    with pytest.raises(BadInput, match="after: none of 1 events is used"):
        compare(events(), [{}])


def test_the_example_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """What it prints is what a reader is told to expect."""
    text = (ROOT / "streamer/offline/README.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    first, *_, account, moved = capsys.readouterr().out.splitlines()
    assert re.match(r"30\d\d fraud: mean of features.amount went from 10\d.* to 15\d", first)
    assert account.startswith("{'used': 4000, ")
    assert moved.startswith("number features.*: fraud / features.amount mean 10")


def test_every_mistake_of_a_config_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Watch({"monitors": {"a": {"signal": "nonsense", "detect": {"kind": "adwin", "delta": 7}}}})
    assert "monitors.a.signal" in str(caught.value)
    assert "monitors.a.detect.delta" in str(caught.value)


def test_the_service_does_not_load_it() -> None:
    code = (
        "import streamer, sys; assert 'streamer.offline.watch' not in sys.modules\nfrom streamer import Watch\nWatch()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ImportError):
        from streamer import nothing  # type: ignore[attr-defined]  # noqa: F401
