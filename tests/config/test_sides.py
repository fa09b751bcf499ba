"""What is told of inferences, and where: the sections that may have a topic of their own."""

from __future__ import annotations

import pytest

from schemas.events.fields import INTERVAL_FIELDS
from streamer.config.decoder_fields import sides_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.config.sides import SECTIONS, Control, Feedback, Labels, topics_of
from streamer.config.stages import in_order_of_models, stage_configs, undecided
from streamer.signals.roles import ABOUT, ACTION, COMMAND, ERASED, LABELLED, REFERENCE, TRUTH
from tests.config.samples import LEAST

OWN = "feedback: {topic: clicks, event_id: key, action: /kind}\nlabels: {topic: truths}\n"
INTERVAL = {name: field.pointer for name, field in INTERVAL_FIELDS.items()}


def config(more: str) -> Config:
    return load_text(LEAST + more, "x", {})


def test_every_section_is_a_key_and_knows_what_it_is_about() -> None:
    assert set(SECTIONS) <= set(Config.model_fields)
    # What asks for an erasure is a record without a value, of any of these topics.
    said = sorted(role for one in SECTIONS.values() for role in (one.about, *one.or_about))
    assert said == sorted(ABOUT.keys() - {ERASED})
    assert all(
        {one.about, *one.or_about} <= set(one.keys) and set(one.keys.values()) <= set(one.model_fields)
        for one in SECTIONS.values()
        if one is not Control
    )


def test_places_of_commands_are_fixed_and_there_is_no_control_without_a_topic() -> None:
    one = config("control: {topic: drift-control}\nfields: {model: topic}\n")
    assert one.topics.sides == {"control": "drift-control"}
    assert one.about["control"].places()[COMMAND] == "/id"
    assert sides_of(one)["drift-control"].fields.texts[:3:2] == ("/model", "/time")
    assert one.topics.ordered == "drift-ordered"
    with pytest.raises(Exception, match="control"):
        config("control: {}\n")


def test_without_a_topic_of_its_own_it_is_found_in_events_and_with_one_nowhere_else() -> None:
    assert config("feedback: {action: /did}\n").roles() == {ACTION: "/did", REFERENCE: "/feedback/event_id"}
    assert config("labels: {event_id: /of}\n").roles() == {LABELLED: "/of", TRUTH: "/label/value", **INTERVAL}
    assert config(OWN).roles() == INTERVAL
    assert config(OWN + "privacy: {opt_out: /out}\n").roles() == {"opt_out": "/out", **INTERVAL}


def test_a_topic_of_its_own_is_read_and_means_the_order_of_models() -> None:
    one = config(OWN)
    assert one.topics.sides == {"feedback": "clicks", "labels": "truths"}
    assert one.topics.named() == [*one.topics.events, "clicks", "truths"]
    assert one.topics.ordered == "drift-ordered"
    assert not undecided(one)
    assert in_order_of_models(one) is one
    first, second = stage_configs(one)
    assert first.topics.inputs() == [*one.topics.events, "clicks", "truths"]
    assert second.topics.inputs() == ["drift-ordered"]
    assert one.topics.inputs() == first.topics.inputs(), "the other stage's are not its own"


def test_the_name_of_a_topic_changes_nothing_of_what_is_detected_and_that_there_is_one_does() -> None:
    named = {name: config(f"feedback: {{topic: {name}}}\n").config_hash for name in ("clicks", "others")}
    assert named["clicks"] == named["others"] != config("feedback: {}\n").config_hash


@pytest.mark.parametrize("raw", [None, [], {}, {"feedback": None}, {"feedback": []}, {"feedback": {"topic": 3}}])
def test_what_is_no_topic_is_none(raw: object) -> None:
    assert topics_of(raw) == {}


def test_what_labels_are_by_default() -> None:
    labels = Labels()
    assert (labels.ttl_ms, labels.window_ms, labels.pending) == (30 * 86_400_000, 3_600_000, 1_000_000)
    assert Feedback().action != labels.label


@pytest.mark.parametrize("text", ["{ttl: 1s}", "{pending: 0}", "{label: value}", "{window: 1s}", "{time: /t}"])
def test_labels_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(Exception, match="labels"):
        load_text(f"{LEAST}labels: {text}\n", "x", {})


def test_the_standard_set_watches_realised_error_where_there_are_labels() -> None:
    about = {
        "realised-error",
        "absolute-error",
        "prediction-bias",
        "brier",
        "gap",
        "label-delay",
        "no-labels",
        "unlabelled",
    }
    without = load_text(LEAST, "x", {})
    with_labels = load_text(f"{LEAST}labels: {{}}\n", "x", {})
    assert set(with_labels.effective_monitors()) - set(without.effective_monitors()) == about
    assert with_labels.roles() == without.roles() | {LABELLED: "/label/event_id", TRUTH: "/label/value", **INTERVAL}
