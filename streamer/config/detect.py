"""The part of the config that says how change is detected, and what values must be."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union, get_args, get_type_hints

from pydantic import BeforeValidator, Discriminator, Field, Tag, create_model, model_validator

from detectors import DETECTORS, Detector
from detectors.distances import DISTANCES
from detectors.params import OF_THE_BUDGET, RIVER_DETECTORS, Params, River
from detectors.peers import LEAST
from streamer.config.problems import quoted
from streamer.config.types import Date, Direction, Duration, Model, Pattern, Pointer, Share, Zone
from streamer.signals.checks import Check, texts_of

DAYS = "A breach is also beyond what its healthy days have shown, once there was a week of them"


class CheckRule(Model):
    """What the values under one name must be; those that are not count as invalid.NAME."""

    type: Literal["number", "text"] | None = Field(None, description="Kind of value.")
    min: float | None = Field(None, description="A number below is invalid.")
    max: float | None = Field(None, description="A number above is invalid.")
    allowed: list[str | int | float | bool] | None = Field(
        None,
        min_length=1,
        description="What is none of these is invalid; 12 in the event is also '12', true 'true'; 2.0 here is 2, and"
        " 1.10 without quotes is 1.1 and '1.10'.",
    )
    pattern: Pattern | None = Field(None, description="A text that does not match as a whole is invalid (Python re).")
    required: bool = Field(False, description="Absent or null is invalid.")
    same_as: Pointer | None = Field(
        None, description="JSON Pointer to what it must be equal to, such as its value computed again; nothing without."
    )
    tolerance: Annotated[float, Field(ge=0, lt=1)] = Field(
        1e-6, description="Numbers may differ from `same_as` by this share of the larger one."
    )

    @model_validator(mode="after")
    def _order(self) -> CheckRule:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: every number would be invalid.")
        return self

    def compiled(self) -> Check:
        allowed = None if self.allowed is None else tuple(text for value in self.allowed for text in texts_of(value))
        pattern = None if self.pattern is None else re.compile(self.pattern)
        return Check(self.type, self.min, self.max, allowed, pattern, self.required, self.same_as, self.tolerance)


NOMINAL: dict[str, str] = {
    "adwin": "delta {0.delta:g} bounds each of its checks",
    "shiryaev_roberts": "at most one in {0.arl:,.0f} values of a series, on average",
}


class Detect(Model):
    """What all kinds share, and what the rules of the config ask of a kind."""

    held: ClassVar[bool] = False  # a breach can be held for a while, `for`, before it fires
    windowed: ClassVar[bool] = False  # its verdicts are over windows of its own
    counted: ClassVar[bool] = False  # of the share of ones per window
    aggregated: ClassVar[bool] = False  # only for aggregates, which have windows themselves
    ticked: ClassVar[bool] = False  # time passes by ticks of the clock
    learns: ClassVar[bool] = False  # without a reference it has no verdict
    edged: ClassVar[bool] = False  # what it finds are edges, which end by `resolve`
    recovers: ClassVar[bool] = True  # what it found can be over: back where it was, or clear
    ones: ClassVar[bool] = False  # it looks at the ones of a 0/1 signal, and a number has none
    sampled: ClassVar[bool] = False  # it learns from the values of the warm-up themselves
    timed: ClassVar[bool] = False  # its windows are of time
    compares: ClassVar[bool] = False  # the values of `by` with each other
    divided: ClassVar[bool] = True  # its part of the budget is, among the series that live
    labelled: ClassVar[bool] = False  # labels with confidence: only of `realised_error`
    if TYPE_CHECKING:
        kind: str

    direction: Direction = Field("both", description="Which way the mean must move to alert.")
    raw: bool = Field(
        False, description="Feed the values as they are, from the first on, instead of standardised ones."
    )

    @property
    def scale_free(self) -> bool:
        """Whether the units of the values do not matter."""
        return not self.raw or (self.kind in DETECTORS and DETECTORS[self.kind].raw)

    @property
    def budgeted(self) -> bool:
        """Whether its limits follow from `false_alarms`."""
        bank = DETECTORS.get(self.kind)
        given = bank is not None and any(one.metadata == OF_THE_BUDGET for one in dataclasses.fields(bank.params))  # type: ignore[arg-type]
        return given or getattr(self, "days", False) is True or getattr(self, "against", "") == "days"

    @property
    def nominal(self) -> str:
        """What its own parameters say of false alarms, where they do."""
        return NOMINAL[self.kind].format(self) if self.kind in NOMINAL else "no rate is known"

    def shown(self) -> dict[str, Any]:
        """The parameters as an alert shows them."""
        return self.model_dump(exclude={"kind", "raw"}, mode="json")

    def params(self) -> Params:
        """The parameters of the bank that looks for change points; TypeError for a kind without one."""
        if self.kind not in DETECTORS:
            raise TypeError(f"{self.kind} has no bank")
        kind: Any = DETECTORS[self.kind].params
        # The monitor looks at the direction, so a bank that has no use for it need not know it.
        names = {one.name for one in dataclasses.fields(kind)}
        made: Params = kind(**{name: value for name, value in self.shown().items() if name in names})
        return made


class BankDetect(Detect):
    """Looks for change points with a bank of `detectors.DETECTORS`."""

    edged: ClassVar[bool] = True
    learns: ClassVar[bool] = True


class DetectRiver(BankDetect):
    """Any other drift detector of river."""

    kind: Literal["river"] = Field(description=DETECTORS["river"].title)
    name: str = Field(
        description=f"One of {', '.join(RIVER_DETECTORS)}.", json_schema_extra={"enum": list(RIVER_DETECTORS)}
    )
    given: dict[str, bool | int | float | str] = Field(
        default_factory=dict, alias="params", description="The detector's own parameters, by river's names for them."
    )

    def params(self) -> River:
        return River(self.name, tuple(sorted(self.given.items())), self.direction)


class DetectOccurrence(Detect):
    """The first one, and every other while the alert is not over: for what must not happen at all."""

    edged: ClassVar[bool] = True
    recovers: ClassVar[bool] = False
    ones: ClassVar[bool] = True
    kind: Literal["occurrence"] = Field(description=DETECTORS["occurrence"].title)
    raw: Literal[True] = Field(True, description="There is nothing to wait for.")


class DetectScan(BankDetect):
    """An edge when ones of a 0/1 signal that are rare come closer together than ever, and than chance."""

    ones: ClassVar[bool] = True
    kind: Literal["scan"] = Field(description=DETECTORS["scan"].title)


def model_of(kind: str, detector: Detector) -> type[Detect]:
    """The model of a detector, made from what its parameters say of themselves."""
    types = get_type_hints(detector.params)
    fields: dict[str, Any] = {"kind": (Literal[kind], Field(description=detector.title))}
    params: Any = detector.params  # Any dataclass: the base has no fields by which one could be known.
    for one in dataclasses.fields(params):
        if one.name != "direction" and one.metadata.get("given", True):
            default = ... if one.default is dataclasses.MISSING else one.default
            fields[one.name] = types[one.name], Field(default, **one.metadata)
    if detector.raw:
        fields["raw"] = Literal[True], Field(True, description="It ranks the values, so there is no scale to wait for.")
    name = f"Detect{kind.title().replace('_', '')}"
    made: type[Detect] = create_model(name, __base__=BankDetect, __doc__=detector.summary, **fields)
    return made


class DetectFraction(Detect):
    """The share of ones per window: a level, which breaches and clears."""

    held: ClassVar[bool] = True
    windowed: ClassVar[bool] = True
    counted: ClassVar[bool] = True
    kind: Literal["fraction"] = Field(description="Share of a 0/1 signal per window.")
    max: Share = Field(description="The share of a window above which it is a breach.")
    clear: Share | None = Field(None, description="At or below this it is clear again; default 0.8 of max.")
    days: bool = Field(False, description=f"{DAYS}: the shares of its windows.")
    min_count: int = Field(30, ge=1, description="A window of time with fewer events has no verdict.")

    @property
    def clear_below(self) -> float:
        return 0.8 * self.max if self.clear is None else self.clear


class DetectShare(Detect):
    """The share of ones per window against that of the reference: a level."""

    held: ClassVar[bool] = True
    windowed: ClassVar[bool] = True
    counted: ClassVar[bool] = True
    learns: ClassVar[bool] = True
    kind: Literal["share"] = Field(description="Share of a 0/1 signal per window against its reference's.")
    change: float = Field(0.5, gt=0, le=1000, description="A breach is off by more than this part of the reference ..")
    chance: Share = Field(1e-6, description=".. and would come by chance more seldom than this (Fisher's exact test).")
    min_count: int = Field(30, ge=1, description="A window of time with fewer events has no verdict.")


Counted = DetectFraction | DetectShare
"""Shares per window of a 0/1 signal."""


class Season(Model):
    """The season by the clock of a zone, with its two changes a year."""

    per: Literal["day", "week"] = Field("week", description="The same hour of earlier days or weeks.")
    zone: Zone = Field(description="Whose clock says which hour it is: Europe/Amsterdam, UTC, +02:00.")


def _season(said: Any) -> Any:
    """One sentence for what the union would have one for each of its members."""
    if said not in ("day", "week") and not isinstance(said, dict | Season):
        raise ValueError(f"wanted is day, week, or {{zone: Europe/Amsterdam}}; this is {quoted(said)}.")
    return said


AnySeason = Annotated[
    Annotated[Literal["day", "week"], Tag("by_utc")] | Annotated[Season, Tag("by_zone")],
    Discriminator(lambda said: "by_utc" if isinstance(said, str) else "by_zone"),
    BeforeValidator(_season),
]


class DetectLevel(Detect):
    """A window's value far from what others were: a level, for aggregates."""

    held: ClassVar[bool] = True
    aggregated: ClassVar[bool] = True
    kind: Literal["level"] = Field(description="An aggregate far from its reference, or from its last windows.")
    against: Literal["reference", "recent", "days"] = Field(
        "recent", description="What a window is compared with; `days`: with what whole healthy days have shown."
    )
    recent: int = Field(30, ge=5, le=10_000, description="Windows remembered; those in breach are not.")
    season: AnySeason | None = Field(
        None,
        description="Compare with the same hour of earlier days or weeks (UTC), `recent` windows of each hour; by the "
        "clock of a zone, with its two changes a year: `{zone: Europe/Amsterdam, per: week}`.",
    )
    change: Share = Field(0.5, description="A breach is a value off by more than this share ..")
    beyond: float = Field(4.0, gt=0, description=".. and so many deviations away, by the median and MAD.")

    @property
    def least(self) -> int:
        """Windows without which there is no verdict."""
        return 3 if self.season else min(10, self.recent)


class DetectTrend(Detect):
    """A slow rise or fall over many windows: a level, for aggregates."""

    held: ClassVar[bool] = True
    aggregated: ClassVar[bool] = True
    kind: Literal["trend"] = Field(
        description="A steady rise or fall of an aggregate (Mann 1945, Theil 1950, Sen 1968)."
    )
    points: int = Field(336, ge=20, le=2_000, description="Windows that are looked at together.")
    max: float = Field(0.1, gt=0, description="A breach is a rise or fall over all points by more than this share ..")
    beyond: float = Field(5.0, gt=0, description=".. whose Mann-Kendall statistic is beyond so many deviations.")

    @property
    def clock(self) -> int:
        """Look once in so many windows: a slow change is in no hurry."""
        return max(self.points // 14, 1)


class DetectAge(Detect):
    """Too long since the model was trained, or since its reference was learned: a level, looked at with every tick."""

    ticked: ClassVar[bool] = True
    kind: Literal["age"] = Field(description="Event time since a date, or since the first event of the series.")
    max_ms: Duration = Field(alias="max", ge=1000, le=3650 * 86_400_000, description="A breach is an age above this.")
    since: Date | None = Field(None, description="YYYY-MM-DD: when the model was trained; default its first event.")


class DetectSilence(Detect):
    """No event for a while: a level, which breaches by ticks of the clock and clears with the next event."""

    ticked: ClassVar[bool] = True
    divided: ClassVar[bool] = False  # Who speaks seldom has a small share, see `series/presence.py`.
    kind: Literal["silence"] = Field(description="No event of a series for too long.")
    after_ms: Duration = Field(
        "1h",
        alias="after",
        ge=1000,
        le=31 * 86_400_000,
        validate_default=True,
        description="So long no event is a breach.",
    )
    min_count: int = Field(30, ge=1, description="A series with fewer events so far is not missed.")
    days: bool = Field(False, description=f"{DAYS}: its gaps, and of a caller those in events of others.")


class DetectDistribution(Detect):
    """The histogram of a window against that of the reference: a level, which breaches and clears."""

    held: ClassVar[bool] = True
    windowed: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    learns: ClassVar[bool] = True
    kind: Literal["distribution"] = Field(description="Distribution per window against the reference's.")
    distance: Literal[tuple(DISTANCES)] = Field(  # type: ignore[valid-type]
        "psi", description="How far apart two histograms are."
    )
    max: float = Field(0.2, gt=0, description="A breach is a distance above this ..")
    clear: float | None = Field(None, gt=0, description="At or below this it is clear again; default 0.8 of max.")
    surprise: float = Field(
        5.0, ge=0, description=".. that is also so many standard deviations beyond chance, given both sample sizes."
    )
    against: Literal["reference", "recent"] = Field(
        "reference", description="What a window is compared with; of the recent ones those in breach do not count."
    )
    recent: int = Field(20, ge=1, le=1_000, description="Windows that `against: recent` adds up.")
    days: bool = Field(False, description=f"{DAYS}: the distances of its windows.")
    bins: int = Field(10, ge=2, le=100, description="Bins of a number, of about equal share in the reference.")

    @property
    def clear_below(self) -> float:
        return 0.8 * self.max if self.clear is None else self.clear


class DetectPeers(Detect):
    """One of several of a kind (host, shard, region, caller) outside of what the others have between them: a level,
    which needs no history. Peers are the values of the last field of `by`; those before it are what they share.
    """

    held: ClassVar[bool] = True
    windowed: ClassVar[bool] = True
    timed: ClassVar[bool] = True
    compares: ClassVar[bool] = True
    kind: Literal["peers"] = Field(description="One of the values of `by` far from the others, window by window.")
    effect: float = Field(
        0.1,
        ge=0,
        le=10,
        description="A breach is beyond chance, and off by so many deviations of values (of a share: Cohen's h).",
    )
    min_count: int = Field(30, ge=2, description="Who has fewer events in a window is not compared in it.")
    min_peers: int = Field(5, ge=LEAST, description="Fewer than so many in a window are not compared.")

    @property
    def budgeted(self) -> bool:
        return True


class DetectGap(Detect):
    """More errors, by labels, than confidence promised for the same predictions: a level. The relation of inputs to
    outcomes changed, which no look at inputs and predictions shows.
    """

    labelled: ClassVar[bool] = True
    kind: Literal["gap"] = Field(description="Realised error outside of what was estimated for the same predictions.")

    @property
    def budgeted(self) -> bool:
        return True


OWN: dict[str, type[Detect]] = {"river": DetectRiver, "occurrence": DetectOccurrence, "scan": DetectScan}
"""Models of detectors that are more than their parameters."""
LEVELS: tuple[type[Detect], ...] = (
    DetectFraction,
    DetectShare,
    DetectDistribution,
    DetectLevel,
    DetectTrend,
    DetectAge,
    DetectSilence,
    DetectPeers,
    DetectGap,
)
DETECTS: dict[str, type[Detect]] = {kind: OWN.get(kind) or model_of(kind, one) for kind, one in DETECTORS.items()} | {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in LEVELS
}
"""By `detect.kind`."""

if TYPE_CHECKING:
    AnyDetect = Detect
else:
    AnyDetect = Annotated[Union[tuple(DETECTS.values())], Field(discriminator="kind")]  # noqa: UP007


def kinds_that(are: str) -> list[str]:
    """The kinds of which something is so: one of the class variables of `Detect`."""
    return [kind for kind, model in DETECTS.items() if getattr(model, are)]
