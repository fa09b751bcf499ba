"""The config's `mapping`: short forms, and one clear sentence with its place for what cannot be."""

from __future__ import annotations

import pytest

from schemas.events.codecs import CODECS
from streamer.config.decoder_fields import fields_of
from streamer.config.load import check, load_text
from streamer.config.mapping import Mapping
from tests.config.samples import LEAST


def said(mapping: str) -> list[str]:
    _, problems = check(f"{LEAST}mapping: {mapping}\n".encode(), "c.yaml", {})
    return [f"{problem.path}: {problem.message}" for problem in problems]


def test_short_forms_mean_the_long_ones() -> None:
    rows = LEAST + "fields: {features: /rows}\n"
    short = load_text(rows + "mapping: {decode: [gzip, csv], each: /rows}\n", "x", {}).mapping
    assert (short.decode, short.each) == ({"": ["gzip", "csv"]}, ["/rows"])
    plan = fields_of(load_text(rows + "mapping: {each: /rows, names: {/rows: [a]}}\n", "x", {})).plan
    assert plan == Mapping(each=["/rows"], names={"/rows": ["a"]}).plan()


def test_without_it_nothing_comes_before_the_fields() -> None:
    assert fields_of(load_text(LEAST, "x", {})).plan is None
    assert Mapping().pair is None


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("{decode: {/a: [zip]}}", "mapping.decode./a[0]: 'zip' is nothing that can be unpacked. Did you mean 'gzip'?"),
        ("{decode: {a: [json]}}", "'a' is not a JSON Pointer such as '/a'."),
        ("{each: rows}", "'rows' is not a JSON Pointer such as '/rows'."),
        ("{each: [/a, /a/b]}", "mapping.each: '/a/b' lies within the rows of '/a'."),
        ("{pair: {within: 0.5}}", "mapping.pair.within: "),
        ("{eech: /a}", "mapping.eech: unknown field. Did you mean 'each'?"),
    ],
)
def test_a_mistake_is_one_sentence(mapping: str, message: str) -> None:
    assert any(message in text for text in said(mapping)), said(mapping)


def test_every_codec_is_in_the_description() -> None:
    text = Mapping.model_fields["decode"].description or ""
    assert all(name in text for name in CODECS)
