"""From what the YAML says to what is watched, and back to what an alert calls it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamer.signals.derived import entropy
from streamer.signals.grammar import (
    Signal,
    aggregate_of,
    computed,
    member_title,
    number_of,
    parse_signal,
    path_of,
    pointers_of,
    ratio_of,
)
from tests.signals.events import batch_of


def test_pointers_of_a_ratio_are_decoded() -> None:
    assert pointers_of("ratio(/usage/out, /usage/in)") == ["/usage/out", "/usage/in"]
    assert pointers_of("/x") == ["/x"]
    assert pointers_of("features.*") == []
    for wrong in ("ratio(a)", "ratio(/a, missing.b)", "ratio(features.*, /a)", "invalid.", "status."):
        with pytest.raises(ValueError, match="ratio|unknown signal"):
            parse_signal(wrong)


@pytest.mark.parametrize(
    ("text", "kind", "path", "every"),
    [
        ("features.*", "number", "features.", True),
        ("features.a.b", "number", "features.a.b", False),
        ("confidence", "number", "prediction.confidence", False),
        ("score.yes", "number", "prediction.scores.yes", False),
        ("logit.0", "number", "prediction.logits.0", False),
        ("/a~1b/0", "number", "/a~1b/0", False),
        ("ratio(features.a, /b)", "number", "ratio(features.a, /b)", False),
        ("traffic", "aggregate", "traffic", False),
        ("p95(ratio(value, /b))", "aggregate", "p95(ratio(value, /b))", False),
        ("label", "category", "prediction.label", False),
        ("label.yes", "label", "yes", False),
        ("category.*", "category", "features.", True),
        ("missing.age", "missing", "features.age", False),
        ("invalid.*", "invalid", "", True),
        ("invalid.age", "invalid", "features.age", False),
        ("invalid.features.age", "invalid", "features.age", False),
        ("invalid.confidence", "invalid", "prediction.confidence", False),
        ("invalid.version", "invalid", "version", False),
        ("anomaly", "anomaly", "", False),
        ("new_label", "unseen", "prediction.label", False),
        ("status.*", "status", "", True),
    ],
)
def test_what_a_text_means(text: str, kind: str, path: str, every: bool) -> None:
    assert parse_signal(text) == Signal(kind, path, every)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("features.*", ["features.age", "features.age_at", "features.id", "features.x[0]"]),
        ("features.age*", ["features.age", "features.age_at"]),
        ("category.*_at", ["features.age_at"]),
        ("missing.??", ["features.id"]),
        ("features.x[0]", ["features.x[0]"]),
        ("score.a*", ["prediction.scores.a", "prediction.scores.ab"]),
        ("invalid.a*", ["features.age", "features.age_at"]),
        ("label.*b", ["prediction.scores.ab"]),
    ],
)
def test_a_star_is_any_text_and_all_else_means_itself(text: str, names: list[str]) -> None:
    known = [f"features.{name}" for name in ("age", "age_at", "id", "x[0]")]
    known += ["prediction.scores.a", "prediction.scores.ab"]
    assert [name for name in known if parse_signal(text).takes(name)] == names


@pytest.mark.parametrize(("text", "of_whatever"), [
    ("features.*", True), ("features.i*", True), ("missing.*", True), ("unseen.*", True), ("category.*", True),
    ("anomaly", True), ("distance", True), ("ood", True), ("confident_ood", True), ("new_feature.*", True),
    ("features.id", False), ("label.*", False), ("invalid.*", False), ("version_change", False), ("score.*", True),
    ("score.a*", True), ("logit.*", True), ("score.a", False), ("logit.0", False),
])  # fmt: skip
def test_what_is_excluded_is_so_of_all_that_looks_at_whatever_features_there_are(text: str, of_whatever: bool) -> None:
    signal = parse_signal(text)
    assert signal.of_whatever == of_whatever
    without = replace(signal, without=("features.i?", "features.*_at"))
    if signal.every and signal.path == "prediction.scores.":
        some = replace(signal, without=(path_of("score.a?"), path_of("features.id")))
        assert [some.takes(f"prediction.scores.{name}") for name in ("ab", "a")] == [False, True]
    elif signal.every and signal.path != "prediction.logits." and of_whatever:
        assert [without.takes(name) for name in ("features.id", "features.x_at")] == [False, False]
        assert not without.whole
        assert without.takes("features.idx") == signal.takes("features.idx")


@pytest.mark.parametrize(
    "text", ["", "features", "features.", "nothing.x", "p42(value)", "mean()", "mean(features.*)", "mean(missing.a)"]
)
def test_what_is_no_signal(text: str) -> None:
    with pytest.raises(ValueError, match="unknown signal|is not STAT"):
        parse_signal(text)


def test_the_number_behind_a_signal() -> None:
    assert aggregate_of("traffic") == ("count", None)
    assert aggregate_of("p95(score.yes)") == ("p95", "prediction.scores.yes")
    assert ratio_of("ratio( value , /b )") == ("prediction.value", "/b")
    assert number_of(parse_signal("mean(ratio(value, /b))")) == "ratio(value, /b)"
    assert (number_of(parse_signal("traffic")), number_of(parse_signal("value"))) == ("", "prediction.value")
    assert computed(parse_signal("entropy")) is computed(parse_signal("p90(entropy)")) is entropy
    assert all(computed(parse_signal(text)) is None for text in ("value", "traffic", "mean(value)", "label.yes"))
    batch = batch_of([{"prediction": {"value": 6}, "features": {"b": 3}}])
    for text in ("ratio(value, features.b)", "std(ratio(value, features.b))"):
        compute = computed(parse_signal(text))
        assert compute is not None
        assert [array.tolist() for array in compute(batch)] == [[0], [2.0]]


@pytest.mark.parametrize(
    ("text", "pointers"),
    [("mean(/a)", ["/a"]), ("p90(ratio(/a, value))", ["/a"]), ("ratio(value, /b)", ["/b"]), ("traffic", [])],
)
def test_pointers_within_aggregates_and_ratios(text: str, pointers: list[str]) -> None:
    assert pointers_of(text) == pointers


@pytest.mark.parametrize(
    ("text", "member", "title"),
    [
        ("features.*", "features.a.b", "features.a.b"),
        ("score.yes", "prediction.scores.yes", "score.yes"),
        ("invalid.*", "prediction.confidence", "invalid.confidence"),
        ("invalid.*", "features.age", "invalid.age"),
        ("label.*", "features.x", "label.x"),
        ("new_caller", "caller", "new_caller"),
        ("anomaly", "anomaly", "anomaly"),
        ("category.*", "features.country", "category.country"),
        ("label", "prediction.label", "label"),
    ],
)
def test_a_member_is_called_as_the_config_would(text: str, member: str, title: str) -> None:
    assert member_title(parse_signal(text), member) == title
