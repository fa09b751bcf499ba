"""Every kind of fault does what it says, to the events that it is about, however the log is cut; and to no others."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.events.batch import Batch, number_of_event, part_of, text_of_event
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.offline import faults as under_test
from streamer.offline.faults import KINDS, NEW, Fault, Spec, chosen, faults, parse_spec
from streamer.offline.replay import BadInput
from streamer.offline.survey import Survey
from tests.offline.past import BEGIN, DAY, configured, reader, write_past

ONSET = (BEGIN + DAY) * 1000
ONSETS = {"fraud": ONSET, "churn": ONSET}


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    path, decode = write_past(tmp_path_factory.mktemp("faults"), days=3, a_day=96), Decoder(fields_of(configured()))
    return decode([record for _, records in reader(path)("") for record in records], "inferences")


@pytest.fixture(scope="module")
def survey(batch: Batch) -> Survey:
    found = Survey()
    found.take(batch)
    return found


def one(text: str, survey: Survey) -> Fault:
    [fault] = faults(parse_spec(text), survey)
    return fault


def amounts(batch: Batch) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return number_of_event(batch, "features.amount")


def texts(batch: Batch, name: str) -> list[str | None]:
    return [batch.strings[code] if code >= 0 else None for code in text_of_event(batch, name).tolist()]


def equal(one: Batch, other: Batch) -> bool:
    """Whether two batches have the same events, whatever their texts are called within."""
    alike = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("offsets", "times_ms"))
    names = one.names == other.names and all(
        np.array_equal(number_of_event(one, name), number_of_event(other, name), equal_nan=True)
        and texts(one, name) == texts(other, name)
        for name in one.names
    )
    nulls = [(b.nulls.event.tolist(), [b.names[code] for code in b.nulls.name.tolist()]) for b in (one, other)]
    return alike and names and nulls[0] == nulls[1]


@pytest.mark.parametrize("kind", KINDS)
def test_no_cutting_shows_and_before_the_onset_nothing_is_changed(kind: str, batch: Batch, survey: Survey) -> None:
    fault = one(kind, survey)
    whole = fault.changed(batch, ONSETS)
    assert not equal(whole, batch)
    for middle in (1, 100, 200, 431):
        parts = [part_of(batch, 0, middle), part_of(batch, middle, batch.next_offset)]
        for part in parts:
            low, high = int(part.offsets[0]), part.next_offset
            assert equal(fault.changed(part, ONSETS), part_of(whole, low, high))
    first = int(np.argmax(batch.times_ms >= ONSET))
    assert equal(part_of(whole, 0, first), part_of(batch, 0, first))
    assert whole.next_offset == batch.next_offset


def test_numbers_are_changed_by_their_size(batch: Batch, survey: Survey) -> None:
    late, before = batch.times_ms >= ONSET, amounts(batch)
    fraud = late & (np.array(texts_of_model(batch)) == "fraud")
    seen = survey.fields["fraud", "features.amount"]
    wanted = {
        "unit": before[fraud] * 100,
        "shift=0.5": before[fraud] + 0.5 * seen.scale,
        "spread=3": seen.centre + 3 * (before[fraud] - seen.centre),
        "stuck": np.full(fraud.sum(), seen.centre),
    }
    for text, values in wanted.items():
        fault = one(text, survey)
        alone = Fault(fault.kind, fault.size, {"fraud": fault.targets["fraud"]})
        after = amounts(alone.changed(batch, ONSETS))
        assert np.array_equal(after[fraud], values), text
        assert np.array_equal(after[~fraud], before[~fraud]), text
    crept = amounts(one("creep=2", survey).changed(batch, ONSETS)) - before
    assert crept[fraud][0] == 0
    assert np.all(np.diff(crept[fraud]) >= -1e-9)
    assert crept[fraud][-1] == pytest.approx(2 * seen.scale)


def texts_of_model(batch: Batch) -> list[str]:
    return [batch.strings[code] for code in batch.model.tolist()]


def test_a_share_of_texts_and_nulls(batch: Batch, survey: Survey) -> None:
    late = int((batch.times_ms >= ONSET).sum())
    nulls = one("nulls=0.3@features.amount", survey).changed(batch, ONSETS)
    assert 0.2 * late < len(nulls.nulls.event) < 0.4 * late
    assert len(nulls.numbers.event) + len(nulls.nulls.event) == len(batch.numbers.event)
    assert (np.diff(nulls.nulls.event) >= 0).all()
    assert one("nulls", survey).words("fraud") == "10% of features.amount are null"
    new = texts(one("new-category=0.2", survey).changed(batch, ONSETS), "features.country")
    assert 0.1 * late < new.count(NEW) < 0.3 * late
    labels = texts(one("label-collapse", survey).changed(batch, ONSETS), "prediction.label")
    assert set(labels[-late:]) == {"ok"}
    assert "bad" in labels[:-late]
    silent = one("silence", survey).changed(batch, ONSETS)
    assert len(silent.offsets) == len(batch.offsets) - late
    assert int(silent.numbers.event.max()) < len(silent.offsets)


def test_what_is_chosen_is_a_share_and_no_pattern() -> None:
    picked = chosen(np.arange(200_000), 0.05)
    assert 0.048 < picked.mean() < 0.052
    for step in (2, 3, 7, 10, 24, 96):
        assert 0.04 < picked[::step].mean() < 0.06, step
    assert chosen(np.arange(1000), 1.0).all()
    assert not chosen(np.arange(1000), 0.0).any()


def test_specs() -> None:
    assert [spec.kind for spec in parse_spec("all")] == list(KINDS)
    assert parse_spec("unit=1e-3@features.a*") == [Spec("unit", 0.001, "features.a*")]
    for text, said in (
        ("shfit", "Did you mean 'shift'?"),
        ("shift=x", "is none of all, unit"),
        ("silence@features.a", "takes no feature"),
    ):
        with pytest.raises(BadInput) as error:
            parse_spec(text)
        assert said in str(error.value)


def test_a_pattern_is_a_fault_for_each_feature_and_they_have_a_limit(
    survey: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = [{target.name for target in fault.targets.values()} for fault in faults(parse_spec("nulls@*"), survey)]
    assert named == [{"features.amount"}, {"features.country"}]
    without = [*faults(parse_spec("nulls@*"), survey, ["features.c*"])]
    assert len(without) == 1, "nobody watches what is excluded"
    assert not [*faults(parse_spec("unit@features.country"), survey)], "it is no number"
    assert not [*faults(parse_spec("latency"), Survey())], "no event has it"
    monkeypatch.setattr(under_test, "LANES_MAX", 1)
    with pytest.raises(BadInput, match="more than 1 faults"):
        list(faults(parse_spec("nulls@*"), survey))


def test_a_feature_that_is_no_id_is_taken_first(survey: Survey) -> None:
    mixed = Survey()
    mixed.models, mixed.fields = survey.models, dict(survey.fields)
    amount = survey.fields["fraud", "features.amount"]
    mixed.fields["fraud", "features.account"] = type(amount)(999, sample=[float(i * 7919 % 100_003) for i in range(99)])
    assert one("unit", mixed).targets["fraud"].name == "features.amount"
