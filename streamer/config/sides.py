"""What is told of an inference later, elsewhere: feedback and labels, in the topics of the inferences or in their own;
what people say of items of the review queue and of alerts, and commands of operators, in topics of their own.

A topic of its own has records that are about inferences of other topics. Where its fields are is its own matter, and so
are the names of its columns: those of the roles, which no field of an inference can have.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from schemas.events.fields import parse_field, parse_selector
from streamer.config.types import Duration, Model, Topic
from streamer.signals.roles import (
    ACTION,
    ALERTED,
    COMMAND,
    LABELLED,
    REASON,
    REFERENCE,
    REVIEWED,
    REVIEWER,
    TRUTH,
    VERDICT,
)  # fmt: skip


def _place(text: str) -> str:
    if not text:
        raise ValueError("the empty pointer is the whole event, which is no text.")
    return parse_selector(text).text


def _time(text: str) -> str:
    return parse_field("time", text).text


Place = Annotated[str, AfterValidator(_place)]
OWN = "Of a topic of its own where"
DEFAULT = "; default: where `fields` says."


class Side(Model):
    """`about`: the role of the id of the inference; `or_about`: roles of ids of what else a record may be about;
    `keys`: by role the key that says where it is, if one does.
    """

    about: ClassVar[str]
    or_about: ClassVar[tuple[str, ...]] = ()
    keys: ClassVar[dict[str, str]] = {}
    says: ClassVar[str]  # what the topic is read for

    topic: Topic | None = Field(
        None,
        description="A topic of its own, of records about inferences of topics.events; it means kafka.order: model.",
    )
    model: Place | None = Field(None, description=f"{OWN} the model's name is{DEFAULT}")
    time: Annotated[str, AfterValidator(_time)] | None = Field(
        None, description=f"{OWN} the time is{DEFAULT} It decides nothing."
    )

    def places(self) -> dict[str, str]:
        """By role where it is found."""
        return {role: getattr(self, key) for role, key in self.keys.items()}


class Feedback(Side):
    """What people did with a prediction: the signals action.NAME."""

    about = REFERENCE
    keys: ClassVar[dict[str, str]] = {ACTION: "action", REFERENCE: "event_id"}
    says = "feedback is read"

    action: Place = Field("/feedback/action", description="Where the action is: accept, override, ignore ...")
    event_id: Place = Field(
        "/feedback/event_id", description="Where a feedback event names the inference, by the text of its event_id."
    )
    pending: int = Field(
        100_000, ge=1, le=10_000_000, description="Inferences per partition that feedback is waited for."
    )


class Labels(Side):
    """What was true of an inference, told later by a record of its own: realised error."""

    about = LABELLED
    keys: ClassVar[dict[str, str]] = {TRUTH: "label", LABELLED: "event_id"}
    says = "labels are read"

    event_id: Place = Field(
        "/label/event_id",
        description="Where a label record names the inference, by the text of its event_id; of a topic of its own"
        " /event_id by default.",
    )
    label: Place = Field(
        "/label/value",
        description="Where the truth is: a text, true or false, or a number; of a topic of its own /label by default.",
    )
    ttl_ms: Duration = Field(
        "30d",
        alias="ttl",
        ge=60_000,
        validate_default=True,
        description="Event time for which an inference waits for its label, and a label that comes first for it.",
    )
    pending: int = Field(
        1_000_000,
        ge=1,
        le=100_000_000,
        description="Inferences per partition that labels are waited for, and labels that wait for theirs; each takes "
        "up to 64 bytes.",
    )
    window_ms: Duration = Field(
        "1h",
        alias="window",
        ge=60_000,
        validate_default=True,
        description="Of the inferences' event time: what records of performance in topics.windows are about.",
    )

    @model_validator(mode="before")
    @classmethod
    def _of_its_own(cls, given: Any) -> Any:
        """Beside inferences labels need a place of theirs; a topic of labels has nothing else."""
        if isinstance(given, dict) and given.get("topic") is not None:
            return {"event_id": "/event_id", "label": "/label", **given}
        return given


class Verdicts(Side):
    """What people say: of an item of the review queue whether the prediction was right, of an alert whether it was of
    use.
    """

    about = REVIEWED
    or_about = (ALERTED,)
    keys: ClassVar[dict[str, str]] = {
        REVIEWED: "review_id", ALERTED: "alert_id", REVIEWER: "reviewer", VERDICT: "verdict", REASON: "reason"
    }  # fmt: skip
    says = "verdicts are read"

    topic: Topic = Field(description="A topic of its own, of verdicts; it means kafka.order: model.")
    review_id: Place = Field("/review_id", description="Where the id of the item is, as the review topic has it.")
    alert_id: Place = Field(
        "/alert_id",
        description="Where the id of the alert is, its `correlationid`; a record is about an item or an alert.",
    )
    reviewer: Place = Field("/reviewer", description="Where the name of who says it is; without one it counts nothing.")
    verdict: Place = Field(
        "/verdict",
        description="Where the verdict is: right, wrong or unsure of an item; useful or not_useful of an alert.",
    )
    hash_reviewers: bool = Field(False, description="Of reviewers' names state, records and alerts have only the hash.")
    reason: Place = Field(
        "/reason",
        description="Where it is why an alert was not useful: false_alarm, repeated, expected, harmless, late, other.",
    )


class Control(Side):
    """What operators say of alerts: commands, each an event of its own on topics.alerts once it has worked or was
    refused. Its records are ours, so their places are fixed; `schemas/README.md` has them.
    """

    about = COMMAND
    says = "commands are read"

    topic: Topic = Field(description="Where commands of operators are read from; it means kafka.order: model.")
    model: Literal["/model"] = Field("/model", description="Where a command says whose alerts it is about; fixed.")
    time: Literal["/time"] = Field("/time", description="Where it says when it was given; fixed. It decides nothing.")

    def places(self) -> dict[str, str]:
        return dict(COMMAND_PLACES)


COMMAND_PLACES = {COMMAND: "/id", "control.type": "/type", "control.by": "/by", "control.why": "/why"} | {
    f"control.{name}": f"/data/{name}" for name in ("alert", "monitor", "segment", "until", "for", "change")
}
"""By the name of the column that a command's text stands in, where it is in the record."""

SECTIONS: dict[str, type[Side]] = {"feedback": Feedback, "labels": Labels, "verdicts": Verdicts, "control": Control}
"""By name. What else is told of inferences is an entry here, and a key of the config."""


def topics_of(raw: Any) -> dict[str, str]:
    """The topics of their own by section, of a config as its file has it."""
    found = {name: raw.get(name) for name in SECTIONS} if isinstance(raw, dict) else {}
    named = {name: value.get("topic") for name, value in found.items() if isinstance(value, dict)}
    return {name: topic for name, topic in named.items() if isinstance(topic, str)}
