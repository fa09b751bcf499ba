"""What may be a model's name: few texts that every record has, in its value, its headers or its key."""

from __future__ import annotations

from schemas.events.batch import Record
from streamer.offline.may_name import called, places


def of(i: int, key: bytes | None = None, *headers: tuple[str, bytes | None]) -> Record:
    return Record(i, 0, key, b"{}", headers)


def test_a_header_is_called_like_a_model() -> None:
    records = [of(i, None, ("X-Model-Name", b"m"), ("trace", b"t")) for i in range(3)]
    assert called(records, ["model", "model_name"]) == "header:X-Model-Name"
    assert called([*records, of(3)], ["model_name"]) is None, "one record has none"
    assert called([], ["model_name"]) is None


def test_few_texts_of_all_records_are_named_the_fewest_first() -> None:
    documents = [{"a": {"b": f"m{i % 3}"}, "id": f"r{i}", "on": True, "label": "ok"} for i in range(100)]
    records = [of(i, b"k", ("svc", b"m%d" % (i % 2)), ("trace", b"t%d" % i)) for i in range(100)]
    texts = ["/a/b", "/id", "/on", "/label"]
    assert places(records, documents, texts, {"label": "/label"}) == ["key", "header:svc", "/a/b"]
    assert places([of(i, b"%d" % i) for i in range(100)], documents, [], {}) == []
    assert places([], [], ["/a"], {}) == []
