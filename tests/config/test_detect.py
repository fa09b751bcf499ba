"""How change is detected: one model per kind, made of what its detector says of itself."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from detectors import DETECTORS
from streamer.config.detect import (
    DETECTS,
    AnyDetect,
    CheckRule,
    Detect,
    DetectDistribution,
    DetectFraction,
    DetectLevel,
    DetectTrend,
    Season,
    kinds_that,
)
from streamer.config.problems import ConfigError
from streamer.monitors.registry import MONITORS
from tests.series.windows import config

NEEDED: dict[str, dict[str, Any]] = {"fraction": {"max": 0.1}, "age": {"max": "7d"}, "river": {"name": "KSWIN"}}
"""Keys without a default."""


def detect(kind: str, **more: Any) -> Detect:
    return TypeAdapter(AnyDetect).validate_python({"kind": kind, **NEEDED.get(kind, {}), **more})


@pytest.mark.parametrize("kind", DETECTS)
def test_every_kind_is_made_from_its_name_and_what_it_needs(kind: str) -> None:
    made = detect(kind)
    assert type(made) is DETECTS[kind]
    assert made.kind == kind
    assert get_args(DETECTS[kind].model_fields["kind"].annotation) == (kind,)
    shown = made.shown()
    assert not {"kind", "raw"} & set(shown)
    for name in NEEDED.get(kind, {}):
        with pytest.raises(ValidationError, match="Field required"):
            TypeAdapter(AnyDetect).validate_python({"kind": kind})
        assert name in shown or f"{name}_ms" in shown


@pytest.mark.parametrize("kind", DETECTS)
def test_a_kind_has_a_bank_or_a_monitor_of_its_own(kind: str) -> None:
    made = detect(kind)
    if kind in DETECTORS:
        assert type(made.params()) is DETECTORS[kind].params
    else:
        assert kind in MONITORS
        with pytest.raises(TypeError, match=f"{kind} has no bank"):
            made.params()


@pytest.mark.parametrize("kind", [kind for kind in DETECTORS if kind != "river"])
def test_limits_and_defaults_are_those_of_the_detector(kind: str) -> None:
    model, params = DETECTS[kind], list(fields(DETECTORS[kind].params))
    params = [param for param in params if param.metadata.get("given", True)]
    # Which way the mean must move the monitor looks at, whether the detector knows of it or not.
    assert set(model.model_fields) == {"kind", "raw", "direction", *(param.name for param in params)}
    for param in params:
        given = model.model_fields[param.name]
        assert param.default is MISSING or given.default == param.default
        limits = {name: limit for name, limit in param.metadata.items() if name != "description"}
        for name, limit in limits.items():
            beyond = limit if name in ("gt", "lt") else limit - 1 if name == "ge" else limit + 1
            with pytest.raises(ValidationError):
                detect(kind, **{param.name: beyond})


def test_parameters_reach_the_bank() -> None:
    assert detect("adwin", delta=0.01, direction="up").params() == DETECTORS["adwin"].params(delta=0.01, direction="up")
    river = detect("river", params={"seed": 3, "alpha": 0.05}).params()
    assert river.params == (("alpha", 0.05), ("seed", 3)), "in one order, whatever the file's was"  # type: ignore[attr-defined]
    assert detect("occurrence").raw is True


@pytest.mark.parametrize("made", [DetectFraction, DetectDistribution])
def test_it_is_clear_again_at_four_fifths_of_the_limit_unless_it_says_otherwise(made: Any) -> None:
    kind = get_args(made.model_fields["kind"].annotation)[0]
    assert detect(kind, max=0.5).clear_below == pytest.approx(0.4)  # type: ignore[attr-defined]
    assert detect(kind, max=0.5, clear=0.1).clear_below == 0.1  # type: ignore[attr-defined]


def test_how_many_windows_a_verdict_takes() -> None:
    assert [DetectLevel(kind="level", recent=n).least for n in (5, 10, 30)] == [5, 10, 10]
    assert DetectLevel(kind="level", recent=30, season="day").least == 3
    assert DetectLevel(kind="level", recent=30, season=Season(zone="UTC")).least == 3
    assert [DetectTrend(kind="trend", points=n).clock for n in (20, 336, 2000)] == [1, 24, 142]


def test_kinds_that_are_something_are_those_whose_class_says_so() -> None:
    for what in ("held", "windowed", "counted", "aggregated", "ticked", "learns", "timed", "compares"):
        assert kinds_that(what) == [kind for kind in DETECTS if getattr(DETECTS[kind], what)]
        assert 0 < len(kinds_that(what)) < len(DETECTS)
    assert not set(kinds_that("aggregated")) & set(kinds_that("windowed")), "an aggregate has windows itself"
    assert not set(kinds_that("ticked")) & set(kinds_that("held")), "the clock decides, not how long it lasts"
    assert set(kinds_that("compares")) <= set(kinds_that("timed")) <= set(kinds_that("windowed"))
    assert set(kinds_that("counted")) <= set(kinds_that("windowed")) <= set(kinds_that("held"))


def test_a_rule_is_compiled_as_it_stands() -> None:
    rule = CheckRule(type="text", allowed=["b", "a"], pattern="[ab]+", same_as="/x", tolerance=0.5)
    made = rule.compiled()
    assert (made.kind, made.allowed, made.same_as, made.tolerance, made.required) == (
        "text",
        ("b", "a"),
        "/x",
        0.5,
        False,
    )
    assert isinstance(made.pattern, re.Pattern)
    assert made.pattern.fullmatch("abba")
    nothing = CheckRule().compiled()
    assert nothing[:6] == (None, None, None, None, None, False)


def test_what_ranks_its_values_takes_them_as_they_are_and_is_free_of_scale_all_the_same() -> None:
    made = detect("shiryaev_roberts")
    assert made.raw
    assert made.scale_free
    assert made.shown() == {"direction": "both", "arl": 1e6}
    with pytest.raises(ValidationError):
        detect("shiryaev_roberts", raw=False)
    assert detect("adwin").scale_free
    assert not detect("adwin", raw=True).scale_free
    assert not detect("occurrence").scale_free


@pytest.mark.parametrize(
    ("season", "path", "said"),
    [
        ("month", "season", "wanted is day, week, or {zone: Europe/Amsterdam}; this is 'month'."),
        ("[day]", "season", "wanted is day, week, or {zone: Europe/Amsterdam}; this is a list."),
        ("{zone: Europe/Amsterdm}", "season.zone", "'Europe/Amsterdm' is no time zone"),
        ("{per: day}", "season.zone", "is needed"),
        ("{zone: UTC, per: month}", "season.per", "Known: day, week."),
    ],
)
def test_a_season_that_is_none_is_told_once_and_at_its_key(season: str, path: str, said: str) -> None:
    text = f"  t: {{signal: traffic, detect: {{kind: level, season: {season}}}}}\n"
    with pytest.raises(ConfigError) as error:
        config(text)
    assert f"monitors.t.detect.{path}: " in str(error.value)
    assert said in str(error.value)
    assert len(error.value.problems) == 1


def test_a_season_of_utc_is_written_as_ever_so_that_nobody_starts_anew() -> None:
    assert DetectLevel(kind="level", season="week").shown()["season"] == "week"
