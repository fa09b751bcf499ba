"""Rules over embeddings and what watches them; the words are those of the fixtures in tests/configs."""

from __future__ import annotations

from streamer.config.embedding_rules import an_embedding_that_is_watched_is_named, each_embedding_is_another_array


def test_whatever_the_file_has_in_their_place_is_passed_over() -> None:
    for raw in (None, [], {"embeddings": 5}, {"embeddings": {"a": 5}, "monitors": {"m": [], "n": {"signal": 3}}}):
        assert [*an_embedding_that_is_watched_is_named(raw), *each_embedding_is_another_array(raw)] == []


def test_a_pattern_is_about_whichever_there_are() -> None:
    raw = {"embeddings": {"text": {"at": "/a"}}, "monitors": {"m": {"signal": "embedding.*"}}}
    assert list(an_embedding_that_is_watched_is_named(raw)) == []
    assert len(list(an_embedding_that_is_watched_is_named({"monitors": raw["monitors"]}))) == 1
