"""Types of config values: what each takes, and the one sentence with which it refuses all else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from streamer.config import types
from streamer.config.types import (
    ByText,
    CheckedName,
    Date,
    Duration,
    EventTopic,
    ExcludedNames,
    FeatureNames,
    Listen,
    Model,
    ModelName,
    ModelNames,
    Name,
    Patience,
    Pattern,
    Pointer,
    Share,
    SignalText,
    Size,
    Topic,
    Version,
    Zone,
    check_pointer,
)
from streamer.signals.kinds import FORMS

CASES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    # Name -> the type, what it takes, what it refuses.
    "Patience": (Patience, ["never", "0s", "2h"], ["Never", "", 0, "ever", None, False]),
    "Duration": (Duration, ["0s", "250ms", "36500d"], ["", "1", 1, "1.5s", "-1s", "1 s", "1S", "36501d", None]),
    "Size": (Size, ["1MiB", "7", 7, 0], ["", -1, True, "1.5KB", "1kb", "1 MiB"]),
    "Name": (Name, ["a", "0", "a-b_c", "a" * 63], ["", "A", "-a", "a" * 64, "a.b", "ä"]),
    "Topic": (Topic, ["a", "A.b_c-1", "a" * 249], ["", ".", "..", "a" * 250, "a b", "a/b"]),
    "EventTopic": (EventTopic, ["a", "^a-.*"], ["", ".", "a*", "^", "^a|b", "^(a", "a" * 250]),
    "ByText": (ByText, ["version", "caller", "label", "segment.a b"], ["", "model", "segment.", "segment. a"]),
    "Pattern": (Pattern, ["a+", ""], ["(", "[", "*"]),
    "CheckedName": (CheckedName, ["features.a", "features.A B", "version"], ["features.*", "features.", "a", "a "]),
    "ExcludedNames": (
        ExcludedNames,
        ["features.row id", "score.*", "score.very good", "logit.1?"],
        ["id", "score.", "logit.a", "label.x", "confidence", ""],
    ),
    "FeatureNames": (FeatureNames, ["features.id", "features.* at", "features.?"], ["id", "features.", "features.a "]),
    "Pointer": (Pointer, ["/a", "/a~1b/0", "/"], ["", "a", "/a~", "key", "/" + "x" * 256]),
    "Listen": (Listen, ["h:0", "[::1]:65535", "127.0.0.1:80"], ["h", ":80", "h:65536", "h:-1", "a b:1", "h:"]),
    "Version": (Version, [1], [True, 1.0, 2, "1", None]),
    "Date": (Date, ["2026-01-31"], ["2026-02-30", "31.01.2026", "", "2026-13-01"]),
    "Zone": (Zone, ["UTC", "Europe/Amsterdam", "+02:00", "-11:30"], ["", "Mars/Base", "+2", "../x", "+25:00"]),
    "Share": (Share, [0.5, 1e-9], [0.0, 1.0, -0.1, float("nan")]),
    "ModelName": (ModelName, ["fraud", "credit-*"], ["", 5]),
    "ModelNames": (ModelNames, ["fraud", ["fraud", "credit-*"]], ["", 5, [], [5], ["a", ""], {"a": 1}]),
    "SignalText": (
        SignalText,
        ["features.*", "/a", "logit.0", "logit.*", "score.x", "score.*"],
        ["logit.x", "logit.a*", "score.", "nothing", "/a~", ""],
    ),
}  # fmt: skip
TAKEN = [(name, value) for name, (_, good, _) in CASES.items() for value in good]
REFUSED = [(name, value) for name, (_, _, bad) in CASES.items() for value in bad]


@pytest.mark.parametrize(("name", "value"), TAKEN)
def test_what_a_type_takes(name: str, value: Any) -> None:
    TypeAdapter(CASES[name][0]).validate_python(value)


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_what_it_refuses_with_one_sentence(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as error:
        TypeAdapter(CASES[name][0]).validate_python(value)
    [detail] = error.value.errors()
    if detail["type"] == "value_error":
        said = str(detail["ctx"]["error"])
        assert len(said.splitlines()) == 1
        assert len(said) < 400


def test_every_type_is_tried() -> None:
    annotated = {name for name in vars(types) if hasattr(getattr(types, name), "__metadata__")}
    assert annotated - {"Annotated"} == set(CASES)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_help_is_a_signal_once_its_places_are_filled(form: str) -> None:
    for place, text in (("ratio(A, B)", "ratio(/a, value)"), ("NUMBER", "value"), ("INDEX", "3")):
        form = form.replace(place, text)
    assert TypeAdapter(SignalText).validate_python(form) == form


def test_a_pointer_is_itself() -> None:
    assert check_pointer("/a~1b") == "/a~1b"
    with pytest.raises(ValueError, match="'a' is not a JSON Pointer such as '/a'."):
        check_pointer("a")


class Toy(Model):
    length: Duration = 0
    size: Size = 0


def test_models_are_strict_frozen_and_written_as_they_were_read() -> None:
    toy = Toy.model_validate({"length": "90s", "size": "2KiB"})
    assert (toy.length, toy.size) == (90_000, 2048)
    assert toy.model_dump(mode="json") == {"length": "90s", "size": "2KiB"}
    assert Toy.model_validate(toy.model_dump(mode="json")) == toy
    for wrong in ({"more": 1}, {"length": 90}, {"size": 1.0}):
        with pytest.raises(ValidationError):
            Toy.model_validate(wrong)
    with pytest.raises(ValidationError, match="frozen"):
        toy.size = 3
