"""The table of kinds against the grammar that is made of it: what the help writes is read, and shown as it was."""

from __future__ import annotations

import pytest

from streamer.signals.grammar import member_title, parse_signal
from streamer.signals.kinds import CATEGORY, FLAG, FORMS, KINDS, NUMBER, PHRASES, phrase_of
from streamer.signals.observe import FEATURES

STANDS_FOR = {"ratio(A, B)": "ratio(features.a, /b)", "p95(NUMBER)": "p95(latency_ms)"}
PAIRS = [(kind, form) for kind, spec in KINDS.items() for form in spec.forms]
WITHOUT_PHRASE = dict.fromkeys(("events", "labels"), "it has no values, so nothing is ever said of its share")
MEASURED_OR_COUNTED = [kind for kind, spec in KINDS.items() if spec.values != CATEGORY]
"""No sentence has a phrase for categories: only distributions watch them."""


@pytest.mark.parametrize(("kind", "form"), PAIRS)
def test_every_form_is_a_signal_of_its_kind_and_is_shown_as_it_was_written(kind: str, form: str) -> None:
    text = STANDS_FOR.get(form, form)
    signal = parse_signal(text)
    assert signal.kind == kind
    assert signal.every == text.endswith(".*")
    assert signal.spec is KINDS[kind]
    if not signal.every:
        assert member_title(signal, signal.path) == text
    else:  # The members of a signal of features are features, whatever else it may be about.
        prefix = signal.path or (FEATURES if kind == "invalid" else "")
        assert member_title(signal, f"{prefix}some name") == text.replace("*", "some name")


def test_no_two_kinds_share_a_form_a_word_or_a_head() -> None:
    assert len(set(FORMS)) == len(FORMS) == len(PAIRS)
    for names in (
        [w for spec in KINDS.values() for w in spec.words],
        [h for spec in KINDS.values() for h in spec.heads],
    ):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", MEASURED_OR_COUNTED)
def test_what_is_counted_has_a_phrase_and_what_is_measured_has_none(kind: str) -> None:
    spec = KINDS[kind]
    assert spec.values in (NUMBER, FLAG)
    titles = [form.replace("*", "NAME") for form in spec.forms]
    wanted = spec.values == FLAG and kind not in WITHOUT_PHRASE
    for title in titles:
        for form in (0, 1):
            assert bool(phrase_of(title, form)) is wanted, title
            assert "{" not in phrase_of(title, form)
            assert not wanted or ("." not in title) or "NAME" in phrase_of(title, form)


def test_a_phrase_names_the_member_whatever_is_in_it() -> None:
    assert (phrase_of("missing.age", 0), phrase_of("missing.age", 1)) == ("events without age", "lack age")
    assert phrase_of("missing.a.b", 1) == "lack a.b"
    assert phrase_of("label.{}", 0) == "label {}"
    assert (phrase_of("error", 0), phrase_of("features.age", 0), phrase_of("nothing", 1)) == ("failed events", "", "")
    assert all(len(phrase) == 2 and all(phrase) for phrase in PHRASES.values())


def test_each_kind_of_0_or_1_says_how_its_values_are_found_or_a_source_makes_them() -> None:
    from streamer.series.sources import SOURCES  # A room above: only this test looks there.

    for kind, spec in KINDS.items():
        if spec.values == FLAG and kind != "unseen":
            assert (spec.observe is not None) != (kind in SOURCES) or kind in ("action", "truth"), kind
