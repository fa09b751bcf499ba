"""An embedding is all of its numbers or one odd field, and never a dead letter unless the config says so."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events.batch import Batch, Record
from schemas.events.decoder import Decoder
from schemas.events.embeddings import PREFIX
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from tests.signals.events import HEAD

TEXT = HEAD + "embeddings: {text: {at: /features/emb, dimensions: 3}, image: {at: /raw/0, dimensions: 2}}\n"


def decoded(*values: bytes, text: str = TEXT) -> Batch:
    records = [Record(i, i, None, value) for i, value in enumerate(values)]
    return Decoder(fields_of(load_text(text, "x", {})))(records, "inferences")


def numbers(batch: Batch, event: int) -> dict[str, float]:
    mine = batch.numbers.event == event
    names = (batch.names[code] for code in batch.numbers.name[mine].tolist())
    return dict(zip(names, batch.numbers.value[mine].tolist(), strict=True))


def test_an_embedding_is_no_feature() -> None:
    batch = decoded(
        b'{"model":"m","features":{"emb":[1,2.5,-3],"a":7}}',
        b'{"model":"m","raw":[[4,5]],"features":{"a":[1,2],"emb":null}}',
        b'{"model":"","features":{"emb":[1,2,3]}}',
        b'{"model":"m","features":{"emb":[6,7,8]},"raw":[[9,10]]}',
    )
    text = {"embedding.text.0": 1.0, "embedding.text.1": 2.5, "embedding.text.2": -3.0}
    assert numbers(batch, 0) == {"features.a": 7.0, **text}
    image = {"embedding.image.0": 4.0, "embedding.image.1": 5.0}
    assert numbers(batch, 1) == {"features.a.0": 1.0, "features.a.1": 2.0, **image}
    assert list(numbers(batch, 2).values()) == [6.0, 7.0, 8.0, 9.0, 10.0]
    assert [one.reason for one in batch.rejects] == ["missing_model"]
    assert batch.odd == ()


@pytest.mark.parametrize(("value", "reason"), [
    ("[1,2]", "wrong_dimension"), ("[]", "wrong_dimension"), ("[1,2,3,4]", "wrong_dimension"),
    ("[1,NaN,3]", "not_finite"), ("[1,1e400,3]", "not_finite"), ("NaN", "not_finite"),
    ('[1,"2",3]', "wrong_type"), ("[1,null,3]", "wrong_type"), ("[1,true,3]", "wrong_type"),
    ('"a"', "wrong_type"), ("5", "wrong_type"), ('{"x":1}', "wrong_type"),
])  # fmt: skip
def test_what_cannot_be_used_is_one_odd_field_of_a_good_event(value: str, reason: str) -> None:
    event = f'{{"model":"m","features":{{"emb":{value},"a":7}}}}'.encode()
    batch = decoded(event)
    assert [(one.event, one.field, one.reason) for one in batch.odd] == [(0, "embedding.text", reason)]
    assert (numbers(batch, 0), batch.rejects) == ({"features.a": 7.0}, ())
    [reject] = decoded(event, text=TEXT + "on_odd_field: dead_letter\n").rejects
    assert (reject.reason, reject.detail) == (reason, "/features/emb")


@pytest.mark.parametrize("features", [b"5", b"null", b'{"a":1}', b'"x"'])
def test_where_there_is_none_there_is_none(features: bytes) -> None:
    batch = decoded(b'{"model":"m","features":' + features + b"}")
    assert not any(name.startswith(PREFIX) for name in batch.names)
    assert all("embedding" not in one.field for one in batch.odd)


def test_rows_of_a_record_have_theirs() -> None:
    mapping: Any = "mapping: {each: /rows}\nfields: {features: /rows/f}\n"
    text = HEAD + mapping + "embeddings: {text: {at: /rows/e, dimensions: 2}}\n"
    batch = decoded(b'{"model":"m","rows":[{"f":{"a":1},"e":[1,2]},{"f":{"a":2},"e":[3,4]}]}', text=text)
    assert list(numbers(batch, 1).values()) == [2.0, 3.0, 4.0]
