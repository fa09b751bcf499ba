"""What an estimated error was worth on a sample: of each model, and of groups that it is not to be trusted of."""

from __future__ import annotations

import json

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.offline.estimates import NOWHERE, told, with_windows
from streamer.offline.explain import explain
from tests.engine.labelled import config_of, stream
from tests.engine.tasks import AT, LEAST
from tests.series.test_coverage import CONFIG, swaying


def test_it_is_said_of_the_model_and_of_groups_in_doubt() -> None:
    lines = {}
    for change, events in (("", stream(1, 3000)), ("sways", swaying(1, 3000))):
        records = [Record(i, -1, None, json.dumps(one).encode()) for i, one in enumerate(events)]
        source = [(AT, records[begin : begin + 500]) for begin in range(0, len(records), 500)]
        sample, _ = explain(CONFIG, source)
        every = list(told(sample.tasks.values()))
        lines[change] = [line for line in every if not line.startswith("no estimated error of ")]
        [without] = [line for line in every if line not in lines[change]]
        assert "Confidence is not calibrated yet: that takes 500 labels of the group, and " in without
    [healthy] = lines[""]
    assert healthy.startswith("estimated error of m: its interval held in ")
    assert healthy.endswith("; at least 90% are promised.")
    of_model = lines["sways"][0]
    assert of_model.startswith("estimated error of m: its interval held in ")
    assert of_model.endswith("windows whose labels are there: it is not to be trusted here.")
    assert all("not to be trusted" in line for line in lines["sways"])
    assert any(line.startswith("estimated error of m, segment_country NL: ") for line in lines["sways"])


def test_windows_are_made_and_told_whether_they_are_published_or_not() -> None:
    assert with_windows(load_text(LEAST, "x", {})).topics.windows == NOWHERE
    assert with_windows(CONFIG) is CONFIG
    labelled = load_text(f"{LEAST}labels: {{}}\n", "x", {})
    assert with_windows(labelled).topics.windows == NOWHERE
    assert labelled.topics.windows is None
    assert list(told([])) == []
    assert config_of().topics.windows == "w"
