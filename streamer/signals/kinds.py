"""Every kind of signal, one record each: how it is written, what its values are, which events it is about, and the
words an alert has for it. A new kind is an entry here, and the function that finds its values.

What is made with a memory of its own (aggregates, anomalies ...) has no observer here but a source, see
`streamer/series/sources.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from streamer.signals.derived import DERIVED
from streamer.signals.observe import (
    FEATURES,
    Observe,
    observe_errors,
    observe_invalid,
    observe_not_finite,
    observe_odd,
    observe_presence,
    observe_texts,
)
from streamer.signals.roles import Population

NUMBER, FLAG, CATEGORY = "number", "0 or 1", "category"
"""What a value is: a number of any size, which is standardised; 0 or 1, whose mean is a share; one of some texts."""

LABELS_MAX, LABELS_MAX_BEFORE = 128, 32
"""Texts watched per group, each on its own: every event costs one update per text, so the number is bounded. Groups of
older snapshots that were full stay as they are: what was among the others there is nothing new.
"""
FAMILY_MAX = 32
"""Scores and logits watched per group, each on its own. Further ones have no sum that means something: they are named
as not watched, and a monitor may be about those that matter.
"""
FAMILIES = {"score": "prediction.scores.", "logit": "prediction.logits."}
"""Numbers of which a model has one for each of its classes, and what the batch's names of them begin with."""

NOW_TEXT, NOW_NUMBER = 1.0, 2.0
"""The values of `type_change.NAME`."""
TURNED = {
    NOW_TEXT: "{} is now a text, was a number",
    NOW_NUMBER: "{} is now a number, was a text",
}

LOSSES = ("absolute_error", "prediction_bias", "brier", "label_delay")
"""Numbers of which a label that was joined with its inference has one each."""
RATIO_LEAST = 200
"""Predictions, or labels, of a group and of all others beside it before their rates are compared."""
DAYS_NEEDED = {("labels", "labels"): 3, ("loss", "label_delay"): 3, ("unlabelled", "unlabelled"): 3}
"""By kind and name days with values from which on anything of a signal may be unmistakable. Labels come in batches, and
the first one is of the little that was asked by then: in nine of ten lives with weekly labels the second batch was a
false alarm.
"""

Phrase = tuple[str, str]
"""Of a 0/1 signal: the events it counts, and what they do. `{}` is the member."""


class Word(NamedTuple):
    """A signal that is one word: the batch's name of its value, and its phrase."""

    path: str
    phrase: Phrase | None = None


class SignalKind(NamedTuple):
    """`forms`: how the help writes it. `heads`: of `head.NAME` and `head.*`, with what the batch's names of the members
    begin with. `words`: signals of one word. `observe`: how 0/1 values are found; `hit_when_seen`: they are 1 where a
    member is seen (a label), not where it is not (a missing feature); `every_event`: each event of the group speaks,
    not only those that have the field. `members_max`: of a group; further ones are one member, and one that comes late
    was 0 since the group began; `plural`: what the members are. `referenced`: its series have something to learn.
    `of_features`: one value is made of all the features of an event. `of_many`: of many events, so it comes seldom;
    `least`: one value per window of event time, which sees so many of them unless the monitor says otherwise.
    `as_sent`: it is about the values with the types that they were sent with, not as those that their names are at
    home in.
    """

    forms: tuple[str, ...]
    values: str
    heads: Mapping[str, str] = {}
    words: Mapping[str, Word] = {}
    phrase: Phrase | None = None
    population: Population = Population.INFERENCES
    observe: Observe | None = None
    hit_when_seen: bool = True
    every_event: bool = False
    members_max: int | None = None
    plural: str = ""
    referenced: bool = True
    of_features: bool = False
    of_many: bool = False
    least: int = 0
    as_sent: bool = False

    @property
    def other(self) -> str | None:
        """All further members together, as one whose share is a series like any other. It has the name that an alert
        has for it, which is no class's: a class that is called `other` is one of its own.
        """
        return self.others[0] if self.plural else None

    @property
    def others(self) -> tuple[str, ...]:
        """The same, and what it is called where an older snapshot has it; a group has one of them."""
        most = (self.members_max, LABELS_MAX_BEFORE) if self.plural else ()
        return tuple(f"other ({self.plural} beyond the first {one})" for one in most)


def _text_shares(
    head: str, column: str, phrase: Phrase, population: Population = Population.INFERENCES, plural: str = ""
) -> SignalKind:
    """Texts of which each event has one, and every one they may be has a share."""
    return SignalKind(
        (f"{head}.*", f"{head}.NAME"),
        FLAG,
        heads={head: ""},
        phrase=phrase,
        population=population,
        observe=observe_texts(column),
        members_max=LABELS_MAX,
        plural=plural or f"{head}s",
    )


def _event_flag(word: str, phrase: Phrase, path: str | None = None, of_features: bool = True) -> SignalKind:
    """One 0/1 value per event, made by a source."""
    words = {word: Word(word if path is None else path, phrase)}
    return SignalKind((word,), FLAG, words=words, of_features=of_features)


KINDS: dict[str, SignalKind] = {
    "number": SignalKind(
        (
            *("features.*", "features.NAME", "confidence", "value", "latency_ms"),
            *("score.*", "score.NAME", "logit.*", "logit.INDEX", *DERIVED, "ratio(A, B)", "/json/pointer"),
        ),
        NUMBER,
        heads={"features": FEATURES},
        words={
            "confidence": Word("prediction.confidence"),
            "value": Word("prediction.value"),
            "latency_ms": Word("latency_ms"),
            **{word: Word(word) for word in DERIVED},
        },
    ),
    "aggregate": SignalKind(("traffic", "p95(NUMBER)"), NUMBER, of_many=True, least=1),
    "correlation": SignalKind(
        ("correlation",), NUMBER, words={"correlation": Word("correlation")}, of_features=True, of_many=True
    ),
    "distance": SignalKind(("distance",), NUMBER, words={"distance": Word("distance")}, of_features=True),
    "embedding": SignalKind(
        ("embedding.*", "embedding.NAME.norm", "embedding.NAME.distance"), NUMBER, heads={"embedding": ""}
    ),
    "category": SignalKind(
        ("category.*", "category.NAME", "label"),
        CATEGORY,
        heads={"category": FEATURES},
        words={"label": Word("prediction.label")},
    ),
    "missing": SignalKind(
        ("missing.*", "missing.NAME"),
        FLAG,
        heads={"missing": FEATURES},
        phrase=("events without {}", "lack {}"),
        observe=observe_presence,
        hit_when_seen=False,
        every_event=True,
    ),
    "unseen": SignalKind(
        ("unseen.*", "unseen.NAME", "new_label", "new_version", "new_caller"),
        FLAG,
        heads={"unseen": FEATURES},
        words={
            "new_label": Word("prediction.label", ("events with a new label", "have a label the reference never saw")),
            "new_version": Word("version", ("events of a new version", "are of a version the reference never saw")),
            "new_caller": Word("caller", ("events of a new caller", "are from a caller the reference never saw")),
        },
        phrase=("events with an unseen {}", "have a {} the reference never saw"),
    ),
    "invalid": SignalKind(
        ("invalid.*", "invalid.NAME"),
        FLAG,
        heads={"invalid": ""},
        phrase=("events with an invalid {}", "have an invalid {}"),
        population=Population.SENT,
        observe=observe_invalid({}),
        every_event=True,
        as_sent=True,
    ),
    "odd": SignalKind(
        ("odd.*", "odd.NAME"),
        FLAG,
        heads={"odd": ""},
        phrase=("events with an unusable {}", "have a {} that cannot be used"),
        observe=observe_odd,
        every_event=True,
        members_max=LABELS_MAX,
        plural="fields",
    ),
    "nan_prediction": SignalKind(
        ("nan_prediction",),
        FLAG,
        words={
            "nan_prediction": Word(
                "prediction", ("events with a prediction that is not finite", "have a NaN or infinite prediction")
            )
        },
        observe=observe_not_finite,
        referenced=False,
    ),
    "new_feature": SignalKind(
        ("new_feature.*", "new_feature.NAME"),
        FLAG,
        heads={"new_feature": FEATURES},
        phrase=("events with the new feature {}", "have the feature {}, which the reference never saw"),
        referenced=False,
    ),
    "type_change": SignalKind(
        ("type_change.*", "type_change.NAME"),
        FLAG,
        heads={"type_change": FEATURES},
        phrase=("changes of the type of {}", "have {} as another type"),
        referenced=False,
        as_sent=True,
    ),
    "label": _text_shares("label", "prediction.label", ("label {}", "have label {}")),
    "status": _text_shares("status", "status", ("status {}", "have status {}"), plural="statuses"),
    "caller": _text_shares("caller", "caller", ("caller {}", "come from {}")),
    "version": _text_shares("version", "version", ("version {}", "are of version {}")),
    "action": _text_shares("action", "action", ("feedback {}", "have feedback {}"), Population.USED),
    "realised": SignalKind(
        ("realised_error", "interval_miss"),
        FLAG,
        words={
            "realised_error": Word("realised_error", ("wrong predictions", "were wrong by their label")),
            "interval_miss": Word(
                "interval_miss", ("true numbers outside of the stated interval", "were outside of the stated interval")
            ),
        },
        population=Population.ALL,
    ),
    "loss": SignalKind(
        LOSSES,
        NUMBER,
        words={word: Word(word) for word in LOSSES},
        population=Population.ALL,
    ),
    "unlabelled": SignalKind(
        ("unlabelled",),
        FLAG,
        words={
            "unlabelled": Word(
                "unlabelled", ("inferences without a label", "had no label by the time that labels had come so far")
            )
        },
        population=Population.ALL,
    ),
    "estimate": SignalKind(("estimated_error",), NUMBER, words={"estimated_error": Word("estimated_error")}),
    "selection_ratio": SignalKind(
        ("selection_ratio.LABEL",), NUMBER, heads={"selection_ratio": ""}, of_many=True, least=RATIO_LEAST
    ),
    "error_ratio": SignalKind(
        ("error_ratio",),
        NUMBER,
        words={"error_ratio": Word("error_ratio")},
        population=Population.ALL,
        of_many=True,
        least=RATIO_LEAST,
    ),
    "truth": _text_shares("truth", "truth", ("true label {}", "truly are {}"), Population.ALL, "true labels"),
    "error": SignalKind(
        ("error",), FLAG, words={"error": Word("error", ("failed events", "failed"))}, observe=observe_errors
    ),
    "anomaly": _event_flag("anomaly", ("anomalous events", "are anomalous"), path=""),
    "ood": _event_flag("ood", ("unfamiliar events", "are unfamiliar")),
    "confident_ood": _event_flag(
        "confident_ood",
        ("unfamiliar events the model is sure of", "are unfamiliar, and the model is sure of them"),
    ),
    "version_change": _event_flag(
        "version_change", ("changes of version", "are of another version than the one before"), of_features=False
    ),
    "events": SignalKind(("events",), FLAG, words={"events": Word("events")}, referenced=False),
    "labels": SignalKind(
        ("labels",), FLAG, words={"labels": Word("labels")}, population=Population.ALL, referenced=False
    ),
}
FORMS: tuple[str, ...] = tuple(form for kind in KINDS.values() for form in kind.forms)
"""How all signals are written, for the help and for did-you-mean."""
PHRASES: dict[str, Phrase] = {
    name: phrase
    for kind in KINDS.values()
    for name, phrase in [
        *((head, kind.phrase) for head in kind.heads),
        *((word, given.phrase) for word, given in kind.words.items()),
    ]
    if phrase is not None
}
"""By the head of a signal as alerts show it."""


@lru_cache(1024)
def phrase_of(title: str, form: int) -> str:
    """A 0/1 signal in words (0: the events it counts, 1: what they do); empty for a number."""
    head, _, member = title.partition(".")
    return PHRASES[head][form].format(member) if head in PHRASES else ""


def turned(title: str, value: float) -> str:
    """What a feature has become, in words; empty for all other signals.

    >>> turned("type_change.age", NOW_TEXT), turned("missing.age", 1.0)
    ('features.age is now a text, was a number', '')
    """
    head, _, member = title.partition(".")
    return TURNED[value].format(FEATURES + member) if head == "type_change" and value in TURNED else ""
