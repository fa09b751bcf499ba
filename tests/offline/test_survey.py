"""What events are like, however the log was cut into batches."""

from __future__ import annotations

import json

import pytest

from schemas.events.batch import Batch, Record, part_of
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.offline import survey
from streamer.offline.faults import faults, parse_spec
from streamer.offline.replay import Replay
from streamer.offline.survey import Seen, Stretch, Survey
from tests.offline.past import BEGIN, DAY, EAGER, configured, reader, write_past


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> list[Batch]:
    path, decode = write_past(tmp_path_factory.mktemp("survey"), days=3, a_day=96), Decoder(fields_of(configured()))
    return [decode(records, "inferences") for _, records in reader(path)("")]


def test_stretches_and_samples_of_each_model(batches: list[Batch]) -> None:
    found, cut = Survey(), Survey()
    for batch in batches:
        found.take(batch)
        middle = int(batch.offsets[len(batch.offsets) // 3])
        cut.take(part_of(batch, 0, middle))
        cut.take(part_of(batch, middle, batch.next_offset))
    assert (cut.models, cut.fields) == (found.models, found.fields)
    assert {model: one.events for model, one in found.models.items()} == {"fraud": 288, "churn": 144}
    assert found.models["fraud"].first_ms == BEGIN * 1000
    assert found.models["fraud"].last_ms == (BEGIN + 3 * DAY - 900) * 1000
    amount = found.fields["fraud", "features.amount"]
    assert amount.numbers == len(amount.sample) == 288
    assert 99 < amount.centre < 101
    assert 8 < amount.scale < 12
    labels = found.fields["churn", "prediction.label"]
    assert (labels.words, set(labels.texts)) == (144, {"ok", "bad"})


def test_what_is_kept_has_a_limit(batches: list[Batch], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "SAMPLE", 10)
    monkeypatch.setattr(survey, "TEXTS_MAX", 1)
    monkeypatch.setattr(survey, "FIELDS_MAX", 3)
    found = Survey()
    for batch in batches:
        found.take(batch)
    assert len(found.fields) == 3
    assert all(len(one.sample) <= 10 and len(one.texts) <= 1 for one in found.fields.values())
    assert found.fields["fraud", "features.amount"].numbers == 288


def test_ids_are_whole_and_hardly_come_twice() -> None:
    assert Seen(sample=[float(i * 7919 % 100_003) for i in range(100)]).like_an_id
    assert not Seen(sample=[float(i % 50) for i in range(100)]).like_an_id
    assert not Seen(sample=[i + 0.5 for i in range(100)]).like_an_id
    assert not Seen(sample=[1.0, 2.0, 3.0]).like_an_id, "too few to know"
    assert (Seen().centre, Seen().scale) == (0.0, 0.0)


def test_labels_and_feedback_are_no_inferences_and_go_on_when_a_model_is_silent() -> None:
    more = "labels: {label: /truth, event_id: /about}\nfeedback: {action: /done, event_id: /of}\n"
    lines = [{"model": "m", "time": 1, "event_id": "a"}, {"model": "m", "time": 9, "truth": "ok", "about": "a"}]
    lines += [{"model": "other", "time": 9, "done": "no", "of": "a"}]
    records = [Record(i, -1, None, json.dumps(line).encode()) for i, line in enumerate(lines)]
    config, found = configured(EAGER + more), Survey()
    [cut] = Replay(config, fields_of(config), ticking=False).cuts([(("inferences", 0), records)])
    [(part, _)] = cut.parts
    assert part is not None
    found.take(part)
    assert found.models == {"m": Stretch(1, 1000, 1000)}
    [silence] = faults(parse_spec("silence"), found)
    assert silence.changed(part, {"m": 0}).offsets.tolist() == [1, 2]
