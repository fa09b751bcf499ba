"""What a restart finds again: every name by which something is known is spoken of when it is another one."""

from __future__ import annotations

import pytest

from streamer.config.continuity import SESSION_S, TRANSACTION_S, changes, without_offsets, without_state
from streamer.config.load import load_text
from streamer.config.model import Config, Kafka, Topics
from streamer.kafka.client import CONSUMER_DEFAULTS
from streamer.kafka.transactions import PRODUCER_FIXED

BEFORE = {"brokers": "a:1", "group": "g", "instance": "i", "start": "earliest", "order": "model", "order_by": "[]"}
TOPICS = {
    "events": "[one, two]",
    "alerts": "al",
    "state": "st",
    "heartbeats": "hb",
    "dead_letter": "dl",
    "windows": "wi",
    "incidents": "in",
    "shadow": "sh",
    "ordered": "or",
}


def config(more: str = "", **changed: str) -> Config:
    kafka = ", ".join(f"{key}: {changed.get(key, value)}" for key, value in BEFORE.items() if changed.get(key) != "")
    topics = ", ".join(f"{key}: {changed.get(key, value)}" for key, value in TOPICS.items() if changed.get(key) != "")
    return load_text(f"version: 1\nkafka: {{{kafka}}}\ntopics: {{{topics}}}\n{more}", "x", {})


def told(more: str = "", **changed: str) -> dict[str, tuple[bool, str]]:
    return {change.path: (change.lost, change.sentence) for change in changes(config(more), config(more, **changed))}


def test_without_a_change_nothing_is_said() -> None:
    assert told() == {}


@pytest.mark.parametrize("key", [*Kafka.model_fields, *Topics.model_fields])
def test_every_name_is_spoken_of(key: str) -> None:
    value = {"start": "latest", "events": "[three]", "order": "topic", "order_by": "[caller]"}.get(
        key, "x:1" if key == "brokers" else "another"
    )
    if key not in ("client", "give_up_after_ms"):  # Neither is a name that anything is found by.
        assert list(told(**{key: value})) == [f"{'topics' if key in TOPICS else 'kafka'}.{key}"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("auto", "model", "in the order of models already"),
        ("auto", "topic", "reads by partition already"),
        ("model", "auto", "in the order of models goes on so"),
    ],
)
def test_what_was_found_out_or_will_be_is_told_as_that(before: str, after: str, words: str) -> None:
    [one] = changes(config(order=before, ordered=""), config(order=after, ordered=""))
    assert (one.path, one.lost) == ("kafka.order", False)
    assert words in one.sentence


def test_another_group_begins_where_kafka_start_says() -> None:
    [(path, (lost, why))] = told(group="h").items()
    assert (path, lost) == ("kafka.group", True)
    assert why == without_offsets(config(group="h"))
    assert "0 series are kept, every topic is read anew from its oldest record (kafka.start: earliest)" in why
    assert "published once more, under the ids they had" in why
    both = told(group="h", start="latest")
    assert list(both) == ["kafka.group"]
    assert "reading begins at the end (kafka.start: latest)" in both["kafka.group"][1]


def test_another_state_topic_is_the_loss_of_state_by_policy() -> None:
    lost, why = told(state="new")["topics.state"]
    assert lost
    assert "the snapshots are in 'st', which is not read any more; 'new' has no snapshot of it" in why
    assert "they learn again (commit.on_state_loss: rebaseline), and alerts that fire now never resolve" in why
    halt = told("commit: {on_state_loss: halt}\n", state="new")["topics.state"][1]
    assert halt.endswith("so it stops (commit.on_state_loss: halt)")
    assert without_state(config(state="new")) in why


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ("[two, one]", []),
        ("[one, two, three]", [(False, "three: new, read from its oldest record (kafka.start: earliest)")]),
        ("[one]", [(False, "two: not read any more; alerts about it that fire now never resolve")]),
        ("[three]", [(True, "three: new, read from"), (False, "one, two: not read any more")]),
    ],
)
def test_topics_of_events_are_told_by_name(events: str, found: list[tuple[bool, str]]) -> None:
    said = list(changes(config(), config(events=events)))
    assert [change.lost for change in said] == [lost for lost, _ in found]
    assert all(change.sentence.startswith(words) for change, (_, words) in zip(said, found, strict=True))


def test_a_topic_of_its_own_is_told_of_under_its_section() -> None:
    before, after = "feedback: {topic: clicks}\n", "feedback: {topic: taps}\n"
    [one] = changes(config(before), config(after))
    begin = "taps: new, read from its oldest record (kafka.start: earliest)"
    assert (one.path, one.sentence, one.lost) == ("feedback.topic", f"{begin}; clicks: not read any more", False)
    assert [one.path for one in changes(config(before), config("feedback: {}\n"))] == ["feedback.topic"]
    assert [one.path for one in changes(config(""), config("verdicts: {topic: said}\n"))] == ["verdicts.topic"]
    found = changes(config("feedback: {}\n", order="auto", ordered=""), config(before, order="auto", ordered=""))
    assert [one.path for one in found] == ["feedback.topic", "kafka.order"]


def test_another_instance_keeps_the_state_and_fences_nobody() -> None:
    lost, why = told(instance="j")["kafka.instance"]
    assert not lost
    assert "driftline-g-j now, which does not fence the old: stop the old process first" in why
    assert why.endswith("state is kept")
    assert "a name of its own at every start" in told(instance="")["kafka.instance"][1]
    [change] = changes(config(instance=""), config())
    assert "give each replica another one" in change.sentence


def test_who_reads_alerts_is_thought_of() -> None:
    lost, why = told(alerts="new")["topics.alerts"]
    assert (lost, why) == (
        False,
        "alerts go to 'new' from now on, also the end of what fires now; who reads 'al' is told nothing more",
    )
    assert told(windows="")["topics.windows"] == (False, "not published any more")
    assert told(incidents="")["topics.incidents"] == (False, "records go to 'al' from now on")


def test_the_times_are_those_of_the_clients() -> None:
    assert PRODUCER_FIXED["transaction.timeout.ms"] == TRANSACTION_S * 1000
    assert CONSUMER_DEFAULTS["session.timeout.ms"] == SESSION_S * 1000
