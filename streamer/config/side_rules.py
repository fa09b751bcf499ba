"""What goes together with a topic of its own, of feedback, labels, verdicts, commands, or items to review: rules over
the values as the file has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.events.fields import FIELDS
from streamer.config.cross_checks import Complaint, Rule, as_items, at
from streamer.config.order import ORDER_BY
from streamer.config.problems import quoted
from streamer.config.sides import SECTIONS, topics_of
from streamer.config.topics import Topics

ONLY_THERE = ("model", "time")


def a_topic_of_its_own_is_another_one(raw: Any) -> Iterator[Complaint]:
    topics = at(raw, "topics")
    uses: dict[Any, str] = {
        field.default: f"the default of topics.{role}" for role, field in Topics.model_fields.items() if field.default
    }
    uses |= {name: f"topics.{role} already" for role, name in as_items(topics) if isinstance(name, str)}
    uses |= {name: f"topics.events[{i}] already" for i, name in as_items(at(topics, "events")) if isinstance(name, str)}
    review = at(raw, "review", "topic")
    for section, name in {**topics_of(raw), **({"review": review} if isinstance(review, str) else {})}.items():
        if name in uses:
            message = f"{quoted(name)} is {uses[name]}; every topic has one use."
            yield Complaint((section, "topic"), "bad-value", message)
        uses.setdefault(name, f"{section}.topic already")


def who_meets_is_in_one_order(raw: Any) -> Iterator[Complaint]:
    """What two topics say of a model meets in the ordered log, and nowhere else."""
    for section in topics_of(raw):
        if at(raw, "kafka", "order") == "topic":
            message = f"{section}.topic is a topic of its own: only in the order of models do two topics meet."
            yield Complaint(("kafka", "order"), "bad-value", f"{message} Leave it out, or say model.")
        if as_items(at(raw, *ORDER_BY)):
            message = f"what {section}.topic has does not repeat it and would never meet its inference"
            yield Complaint(ORDER_BY, "bad-value", f"{message}: order by model alone.")


def places_are_of_a_topic_of_its_own(raw: Any) -> Iterator[Complaint]:
    """In an inference topic what it says of an inference is a member of an event like all others."""
    own = topics_of(raw)
    for section, model in SECTIONS.items():
        if section in own or at(raw, section) is None:
            continue
        for key in ONLY_THERE:
            if at(raw, section, key) is not None:
                yield Complaint((section, key), "bad-value", f"is of a topic of its own: say {section}.topic.")
        for key in model.keys.values():
            place = at(raw, section, key)
            if isinstance(place, str) and not place.startswith("/"):
                message = (
                    f"{quoted(place)} is no JSON Pointer such as '/{key}', as it must be without a topic of its own"
                )
                yield Complaint((section, key), "bad-value", f"{message} ({section}.topic).")


def nothing_is_about_itself(raw: Any) -> Iterator[Complaint]:
    """In a topic of inferences: then none of them would be one."""
    own = at(raw, "fields", "event_id") or FIELDS["event_id"].pointer
    for section, model in SECTIONS.items():
        if model.about not in model.keys:
            continue
        key = model.keys[model.about]
        place = at(raw, section, key) or model.model_fields[key].default
        if isinstance(at(raw, section), dict) and section not in topics_of(raw) and place == own:
            message = f"{quoted(place)} is where events have an id of their own: say {section}.topic, or another {key}."
            yield Complaint((section, key) if at(raw, section, key) else (section,), "bad-value", message)


def its_name_is_no_model(raw: Any) -> Iterator[Complaint]:
    if at(raw, "fields", "model") != "topic":
        return
    for section in topics_of(raw):
        if at(raw, section, "model") is None and SECTIONS[section].model_fields["model"].default is None:
            message = "fields.model is the topic's name, which is none here: say where the model is, model: /model."
            yield Complaint((section, "topic"), "bad-value", message)


def who_is_asked_can_answer(raw: Any) -> Iterator[Complaint]:
    """Verdicts also mean the order of models, by which a budget is shared."""
    if isinstance(at(raw, "review"), dict) and not isinstance(at(raw, "verdicts"), dict):
        yield Complaint(("review",), "bad-value", "nobody could answer: say verdicts: {topic: NAME}.")


def who_learns_hears_verdicts_and_commands(raw: Any) -> Iterator[Complaint]:
    """Without verdicts there is nothing to learn from, and without commands nobody could undo it."""
    if at(raw, "false_alarms", "learn") in ("propose", "apply"):
        for section in ("verdicts", "control"):
            if not isinstance(at(raw, section), dict):
                message = f"learns from verdicts, and is undone by commands: say {section}: {{topic: NAME}}."
                yield Complaint(("false_alarms", "learn"), "bad-value", message)


def a_silence_becomes_a_command(raw: Any) -> Iterator[Complaint]:
    if at(raw, "bridges", "alertmanager", "silences") == "both" and not isinstance(at(raw, "control"), dict):
        message = "a silence becomes a mute by a command: say control: {topic: NAME}, or silences: told."
        yield Complaint(("bridges", "alertmanager", "silences"), "bad-value", message)


SIDE_RULES: tuple[Rule, ...] = (
    a_topic_of_its_own_is_another_one,
    who_meets_is_in_one_order,
    places_are_of_a_topic_of_its_own,
    nothing_is_about_itself,
    its_name_is_no_model,
    who_is_asked_can_answer,
    who_learns_hears_verdicts_and_commands,
    a_silence_becomes_a_command,
)
