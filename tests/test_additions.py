"""What an addition costs: a toy one of each kind is made in a copy of the sources, and works all the way through.

Counted are the files that are touched, without tests, generated schemas and generated parts of READMEs. CONTRIBUTING in
README.md says the same numbers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
New = Mapping[str, str]
"""File -> what is in it."""
Edits = Mapping[str, tuple[str, str]]
"""File -> a text in it, and what stands there instead."""

RUN = """
import json, sys
from streamer.commands.config import json_schema
from streamer.config.load import check
from streamer.offline.generator import BEGIN_MS
from streamer.offline.replay import Replay
from streamer.config.decoder_fields import fields_of
from streamer.engine.task import Task
from schemas.events.batch import Record
given = json.loads(sys.argv[1])
config, problems = check(given["config"].encode(), "toy.yaml", {})
assert config is not None, [str(problem) for problem in problems]
engine, outs = Replay(config, fields_of(config)), []
events = [Record(i, BEGIN_MS + i * 1000, None, json.dumps(event).encode()) for i, event in enumerate(given["events"])]
half = len(events) // 2
outs += engine.step(("inferences", 0), events[:half])
[(at, task)] = engine.tasks.items()
engine.tasks[at] = Task.load(config, at, task.dump())  # Its state is in the snapshot, too.
outs += engine.step(("inferences", 0), events[half:])
bad = [str(p) for text in given["bad"] for p in check(text.encode(), "bad.yaml", {})[1]]
shown = [json.loads(out.value)["data"] for out in outs if out.topic == "alerts"]
print(json.dumps({"alerts": shown, "bad": bad, "schema": json_schema()}))
"""


def config_with(monitor: str) -> str:
    head = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\nreference: {warmup: 30}\n'
    return f"{head}monitors:\n  toy: {monitor}\n"


def added(
    folder: Path, cost: int, new: New, edits: Edits, config: str, events: list[Any], bad: tuple[str, ...] = ()
) -> Any:
    """What a copy of the sources with these changes says of the events."""
    assert len(new) + len(edits) == cost
    for package in ("schemas", "detectors", "streamer"):
        ignored = shutil.ignore_patterns("native", "*.md")  # What is compiled is taken along.
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    for name, text in new.items():
        assert not (folder / name).exists()
        (folder / name).write_text(text)
    for name, (old, instead) in edits.items():
        before = (folder / name).read_text()
        assert before.count(old) == 1, f"{name} no longer has one {old!r}"
        (folder / name).write_text(before.replace(old, instead))
    given = json.dumps({"config": config, "events": events, "bad": bad})
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, given], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def event_of(number: int, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "features": {"amount": 100 + number % 7}, **fields}


DETECTOR = '''
"""Toy: a value beyond a limit."""
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from detectors.bank import Hits, check_values, hits_of, rows_of
from detectors.params import Params, param


@dataclass(frozen=True)
class Toy(Params):
    limit: float = param(2.0, "Beyond so many deviations it fires.", gt=0)


class ToyBank:
    def __init__(self, params):
        self.params, self.seen = params, np.zeros(0, np.int64)

    @property
    def rows(self):
        return len(self.seen)

    def resize(self, rows):
        self.seen = np.concatenate([self.seen, np.zeros(max(rows - self.rows, 0), np.int64)])

    def retain(self, rows):
        self.seen = self.seen[rows]

    def update(self, rows, values):
        check_values(rows, values)
        np.add.at(self.seen, rows, 1)
        places = np.flatnonzero(np.abs(values) > self.params.limit).tolist()
        return hits_of([(i, int(np.sign(values[i])), abs(float(values[i])), self.params.limit) for i in places])

    def dump(self):
        return {"seen": self.seen.copy()}

    def load(self, state):
        rows_of(state, "seen")
        self.seen = state["seen"].copy()
'''


def test_a_detector_is_its_file_and_one_entry(tmp_path: Path) -> None:
    entry = 'DETECTORS = {\n    "toy": Detector(Toy, ToyBank, "Toy (nobody, never).", "A value beyond a limit."),\n'
    told = added(
        tmp_path,
        2,
        {"detectors/toy.py": DETECTOR},
        {"detectors/__init__.py": ("DETECTORS = {\n", f"from detectors.toy import Toy, ToyBank\n\n{entry}")},
        config_with("{signal: features.amount, detect: {kind: toy, limit: 2.5}, keep_firing_for: 1m}"),
        [event_of(i, **({"features": {"amount": 900}} if i == 150 else {})) for i in range(200)],
        (
            config_with("{signal: features.amount, detect: {kind: toy, limit: -1}}"),
            config_with("{signal: features.amount, detect: {kind: toy, limits: 1}}"),
            config_with("{signal: features.amount, detect: {kind: toy}, for: 2m}"),
            config_with("{signal: features.amount, detect: {kind: toy}, window: {events: 100}}"),
        ),
    )
    assert [alert["status"] for alert in told["alerts"]] == ["firing"]
    [alert] = told["alerts"]
    assert alert["trigger"]["offset"] == 150
    assert alert["detector"] == {"kind": "toy", "params": {"direction": "both", "limit": 2.5}, "scale_free": True}
    assert "mean of features.amount" in alert["sentence"]
    assert "found by toy" in alert["sentence"]
    range_, unknown, held, window = told["bad"]
    assert "monitors.toy.detect.limit: -1 must be > 0 (default 2.0)." in range_
    assert "monitors.toy.detect.limits: unknown field. Did you mean 'limit'?" in unknown
    assert "monitors.toy.for: it fires at once" in held
    assert "monitors.toy.window: only detect.kind" in window
    assert told["schema"]["$defs"]["DetectToy"]["properties"]["limit"]["description"].startswith("Beyond so many")


OBSERVER = '''
"""Toy: texts that shout."""
from __future__ import annotations
import numpy as np
from streamer.signals.columns import Observed
from streamer.signals.observe import one_text


def observe_shouting(batch, groups, takes):
    event, codes = one_text(batch, groups, "prediction.label")
    loud = np.array([text.isupper() for text in batch.strings] or [False], bool)
    return Observed(event, groups.of_event[event], np.zeros_like(event), loud[codes] * 1.0, ["shouting"])
'''
SHOUTING = """
KINDS: dict[str, SignalKind] = {
    "shouting": SignalKind(
        ("shouting",),
        FLAG,
        words={"shouting": Word("shouting", ("labels that shout", "shout"))},
        observe=observe_shouting,
    ),
"""


def test_a_signal_kind_is_the_function_that_finds_it_and_one_entry(tmp_path: Path) -> None:
    told = added(
        tmp_path,
        2,
        {"streamer/signals/shouting.py": OBSERVER},
        {
            "streamer/signals/kinds.py": (
                "\nKINDS: dict[str, SignalKind] = {\n",
                f"\nfrom streamer.signals.shouting import observe_shouting\n{SHOUTING}",
            )
        },
        config_with("{signal: shouting, by: [caller], window: {events: 50}, detect: {kind: fraction, max: 0.2}}"),
        [event_of(i, caller="c", prediction={"label": "YES" if i >= 100 and i % 2 else "no"}) for i in range(200)],
        (config_with("{signal: shoutin, detect: {kind: adwin}}"),),
    )
    [alert] = told["alerts"]
    assert alert["sentence"].startswith("m (c): 50.0% of 50 events shout (limit 20.0%)")
    assert "Did you mean 'shouting'?" in told["bad"][0]
    assert "shouting" in told["schema"]["$defs"]["Monitor"]["properties"]["signal"]["description"]


SOURCE = '''
"""Toy: the number of the event within its group."""
from __future__ import annotations
import numpy as np
from streamer.series.source_base import SourceBase
from streamer.signals.columns import Column


class Odometer(SourceBase):
    def __init__(self):
        self.seen = {}

    def column(self, batch, groups, table, known):
        events = np.flatnonzero(groups.of_event >= 0)
        table.begin(batch, events)
        rows, values = [], []
        for group in groups.of_event[events].tolist():
            key = groups.keys[group]
            self.seen[key] = self.seen.get(key, 0) + 1
            rows.append(table.row(key, "odometer"))
            values.append(float(self.seen[key] % 5 + 50 * (self.seen[key] > 150)))
        table.resize()
        return Column(np.array(rows, np.int64), np.array(values), events)

    def dump(self):
        return [[list(key), n] for key, n in self.seen.items()]

    def load(self, state):
        self.seen = {tuple(key): n for key, n in state}
'''


def test_a_signal_kind_with_a_memory_is_its_file_and_two_entries(tmp_path: Path) -> None:
    """Its words belong to the grammar, which the config needs, and its maker to the series, which need the config."""
    kind = '    "odometer": SignalKind(("odometer",), NUMBER, words={"odometer": Word("odometer")}),\n'
    maker = 'SOURCES: dict[str, SourceSpec] = {\n    "odometer": SourceSpec((), lambda *_: Odometer()),\n'
    told = added(
        tmp_path,
        3,
        {"streamer/series/odometer.py": SOURCE},
        {
            "streamer/signals/kinds.py": (
                "KINDS: dict[str, SignalKind] = {\n",
                f"KINDS: dict[str, SignalKind] = {{\n{kind}",
            ),
            "streamer/series/sources.py": (
                "SOURCES: dict[str, SourceSpec] = {\n",
                f"from streamer.series.odometer import Odometer\n\n{maker}",
            ),
        },
        config_with("{signal: odometer, detect: {kind: page_hinkley, threshold: 5}, keep_firing_for: 1h}"),
        [event_of(i) for i in range(200)],
    )
    [alert] = told["alerts"]
    assert 150 <= alert["trigger"]["offset"] < 160
    assert "mean of odometer" in alert["sentence"]


def test_an_alert_field_is_one_entry_and_its_line_of_the_schema(tmp_path: Path) -> None:
    entry = '        "changed_offset": str(at.offset),\n        "lasted_ms": str(at.time_ms - opened.time_ms),\n'
    property_ = '"properties": {\n        "lasted_ms": {"type": "integer", "description": "Since the trigger."},\n'
    told = added(
        tmp_path,
        2,
        {},
        {
            "streamer/alerts/alert_record.py": ('        "changed_offset": str(at.offset),\n', entry),
            "schemas/alert.v1.json": ('"properties": {\n        "status": {', f'{property_}        "status": {{'),
        },
        config_with("{signal: features.amount, detect: {kind: adwin, delta: 0.01}, keep_firing_for: 30s}"),
        [event_of(i, features={"amount": i % 7 + 50 * (200 <= i < 300)}) for i in range(500)],
    )
    lasted = [alert["lasted_ms"] for alert in told["alerts"]]
    assert [alert["status"] for alert in told["alerts"]][:2] == ["firing", "resolved"]
    assert lasted[0] == 0
    assert lasted[1] >= 30_000
    known = json.loads((tmp_path / "schemas" / "alert.v1.json").read_text())["properties"]["data"]["properties"]
    assert known["lasted_ms"]["type"] == "integer"


@pytest.mark.parametrize("mapping", ["", "fields: {region: /where/region}\n"])
def test_an_event_field_is_two_entries_and_its_line_of_the_schema(tmp_path: Path, mapping: str) -> None:
    field = 'PLAIN_FIELDS: dict[str, Field] = {"region": Field("/region", "text", "the region is")}'
    kind = '    "region": _text_shares("region", "region", ("region {}", "come from region {}")),\n'
    where = "south" if mapping else "north"
    told = added(
        tmp_path,
        3,
        {},
        {
            "schemas/events/fields.py": ("PLAIN_FIELDS: dict[str, Field] = {}", field),
            "streamer/signals/kinds.py": (
                "KINDS: dict[str, SignalKind] = {\n",
                f"KINDS: dict[str, SignalKind] = {{\n{kind}",
            ),
            "schemas/event.v1.json": (
                '\n  "properties": {\n',
                '\n  "properties": {\n    "region": {"type": "string"},\n',
            ),
        },
        mapping + config_with("{signal: region.south, window: {events: 50}, detect: {kind: fraction, max: 0.9}}"),
        [event_of(i, region="south" if i >= 100 else "north", where={"region": where}) for i in range(200)],
    )
    firing = [alert for alert in told["alerts"] if alert["status"] == "firing"]
    assert len(firing) == 1
    assert firing[0]["sentence"].startswith("m: 100.0% of 50 events come from region south")
    assert told["schema"]["$defs"]["FieldMap"]["properties"]["region"]["default"] == "/region"
