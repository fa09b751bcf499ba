"""Settings of a topic that differ from what they should be; how a plan tells it: `test_topics.py`."""

from __future__ import annotations

import pytest

from streamer.commands.topic_settings import SETTINGS, differing

GOOD = {one.name: one.value for one in SETTINGS["state"]}


@pytest.mark.parametrize(
    ("replicas", "insync", "wants"),
    [
        (1, "1", None),
        (1, "2", None),  # A broker takes it for one.
        (2, "1", None),
        (2, "2", "at most 1"),  # None while a broker restarts.
        (3, "1", "at least 2"),
        (3, "2", None),
        (3, "3", "at most 2"),
        (3, "4", "at most 2"),
        (3, None, None),  # A broker that does not tell.
    ],
)
def test_how_many_replicas_must_have_a_record(replicas: int, insync: str | None, wants: str | None) -> None:
    changed = {} if insync is None else {"min.insync.replicas": insync}
    found = list(differing(SETTINGS["state"], GOOD | changed, replicas))
    assert [one.wants for one in found] == ([] if wants is None else [wants])


def test_a_setting_that_differs_has_what_it_is_and_what_it_is_for() -> None:
    [found] = differing(SETTINGS["state"], GOOD | {"cleanup.policy": "delete"}, 1)
    assert (found.has, found.wants) == ("delete", "compact")
    assert found.why == "a snapshot that was deleted by age is a lost baseline"
