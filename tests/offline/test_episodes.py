"""What a run told, as episodes: opened, told again, over, begun anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from streamer.config.decoder_fields import fields_of
from streamer.offline.episodes import Told, firing_ms
from streamer.offline.replay import Replay
from streamer.port import Out
from tests.offline.past import BEGIN, DAY, SHIFT, configured, episode, reader, write_past


def outs_of(path: Path) -> list[Out]:
    engine = Replay(configured(), fields_of(configured()))
    return [out for p, records in reader(path)("") for out in engine.step(p, records)]


def test_each_alert_and_incident_is_one_however_often_it_is_told(tmp_path: Path) -> None:
    outs, told = outs_of(write_past(tmp_path)), Told()
    new = [one for out in outs for one in told.take([out])]
    records = [orjson.loads(out.value or b"") for out in outs if out.topic == "alerts"]
    assert len(records) > len(new) == len(told.alerts) > 0
    assert {r["correlationid"] for r in records} == set(told.alerts)
    first = next(one for one in told.alerts.values() if one.model == "fraud")
    assert (first.monitor, first.severity) == ("amounts", "warning")
    assert first.series == "features.amount, inferences[0]"
    begin_ms = int((BEGIN + SHIFT * DAY) * 1000)
    assert begin_ms - 3_600_000 < first.onset_ms <= first.found_ms < begin_ms + 12 * 3_600_000
    assert first.ended_ms is not None
    assert first.ended_ms > first.found_ms
    incident = next(one for one in told.incidents.values() if one.model == "fraud")
    assert incident.key == ("fraud", "", "")
    assert incident.found_ms == first.found_ms
    assert " over; " not in incident.sentence


def record(status: str, time: str) -> Out:
    data: dict[str, Any] = {"status": status, "sentence": status, "model": "m", "severity": "info", "since": time}
    data |= {place: {"topic": "t", "partition": 0, "offset": 1, "time": time} for place in ("opened", "changed")}
    return Out("incidents", b"k", orjson.dumps({"correlationid": "incident-1", "data": data}), ())


def test_an_incident_that_goes_on_is_open_again_and_shadows_are_not_heard() -> None:
    told = Told()
    times = ("2026-01-05T00:00:00Z", "2026-01-05T01:00:00Z", "2026-01-05T02:00:00Z")
    told.take([record("open", times[0]), record("resolved", times[1])])
    assert told.incidents["incident-1"].ended_ms == (BEGIN + 3600) * 1000
    told.take([record("open", times[2]), Out("shadow", b"k", b"not looked at", ())])
    assert told.incidents["incident-1"].ended_ms is None
    assert told.incidents["incident-1"].found_ms == BEGIN * 1000


def test_time_in_which_several_are_open_counts_once() -> None:
    open_ones = [episode(onset_ms=10, ended_ms=20), episode(onset_ms=15, ended_ms=25), episode(onset_ms=40)]
    assert firing_ms(open_ones, 0, 50) == 15 + 10
    assert firing_ms(open_ones, 18, 22) == 4
    assert firing_ms([], 0, 50) == 0
