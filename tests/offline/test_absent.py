"""Monitors about what no event of a sample has are named with the true reason; others are not named."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.offline.absent import COLUMNS, Names, matched
from streamer.offline.told import told_of
from streamer.signals.kinds import KINDS
from tests.offline.samples import estimated, said

EVENTS = [
    {
        "model": ("fraud-eu", "fraud-us")[i % 2],
        "model_version": "7",
        "time": 1_700_000_000 + i,
        "features": {"amount": float(i % 7), "country": ("NL", "DE")[i % 2], "flag": None},
        "prediction": {"label": "ok"},
        "latency_ms": 4.0,
        "segment": {"tier": "gold"},
        "own": {"score": 1.5},
    }
    for i in range(100)
]
ADWIN, BINS, LEVEL = "{kind: adwin}", "{kind: distribution}", "{kind: level}"


def never(monitor: str, folder: Path) -> dict[str, str]:
    found = said(estimated(f"monitors: {{m: {{{monitor}}}}}\n", folder, EVENTS), "never-fires")
    return {place.removeprefix("monitors.m."): why for place, why in found.items() if "to learn" not in why}


@pytest.mark.parametrize(
    ("monitor", "key", "words"),
    [
        (f"model: froud-*, signal: features.amount, detect: {ADWIN}", "model", "of model 'froud-*'. Known: "),
        (f"model: [fraud-*, 'x?'], signal: features.amount, detect: {ADWIN}", "model.1", "of model 'x?'. Known: "),
        (f"model: fraud-uk, signal: traffic, detect: {LEVEL}", "model", "Did you mean 'fraud-us'?"),
        (f"signal: features.country, detect: {ADWIN}", "signal", "is text, not a number: watch text as category.count"),
        (f"signal: p95(features.country), detect: {LEVEL}", "signal", "is text, not a number"),
        (f"signal: category.amount, detect: {BINS}", "signal", "is a number, not text: watch a number as features.amo"),
        (f"signal: unseen.amount, detect: {ADWIN}", "signal", "is a number, not text"),
        (f"signal: features.flag, detect: {ADWIN}", "signal", "is null, not a number: watch that with missing.flag."),
        (f"signal: features.amuont, detect: {ADWIN}", "signal", "watches nothing. Did you mean 'features.amount'?"),
        (f"signal: features.zip, detect: {ADWIN}", "signal", "watches nothing. Known: "),
        (f"signal: category.cuntry, detect: {BINS}", "signal", "Did you mean 'category.country'?"),
        (f"signal: missing.amuont, detect: {ADWIN}", "signal", "missing in all. Did you mean 'missing.amount'?"),
        (f'signal: "ratio(features.amount, value)", detect: {ADWIN}', "signal", "it watches nothing."),
        (f"signal: mean(value), detect: {LEVEL}", "signal", "it watches nothing."),
        (f"signal: entropy, detect: {ADWIN}", "signal", "it watches nothing."),
        (f"signal: error, detect: {ADWIN}", "signal", "no event of the sample has 'error': it watches nothing."),
        (f"signal: caller.*, detect: {ADWIN}", "signal", "it watches nothing."),
        (f"signal: /own/scor, detect: {ADWIN}", "signal", "watches nothing. Known: "),
        (f"signal: latency_ms, by: [segment.teir], detect: {ADWIN}", "by.0", "splits nothing. Did you mean 'segment.t"),
    ],
)
def test_the_true_reason_is_given(monitor: str, key: str, words: str, tmp_path: Path) -> None:
    found = never(monitor, tmp_path)
    assert list(found) == [key]
    assert words in found[key]


@pytest.mark.parametrize(
    "monitor",
    [
        f"signal: features.*, detect: {ADWIN}",
        f"signal: features.amount, by: [version, label, segment.tier], detect: {ADWIN}",
        f"signal: category.*, detect: {BINS}",
        f"signal: category.country, detect: {BINS}",
        f"signal: unseen.country, detect: {ADWIN}",
        f"signal: missing.flag, detect: {ADWIN}",
        f"signal: missing.country, detect: {ADWIN}",
        f"signal: label, detect: {BINS}",
        f"signal: label.fraud, detect: {ADWIN}",
        f"signal: version.*, detect: {ADWIN}",
        f"signal: new_label, detect: {ADWIN}",
        f"signal: new_version, detect: {ADWIN}",
        f"signal: p95(latency_ms), detect: {LEVEL}",
        f"signal: traffic, detect: {LEVEL}",
        f'signal: "ratio(features.amount, latency_ms)", detect: {ADWIN}',
        f"signal: /own/score, detect: {ADWIN}",
        f"signal: anomaly, detect: {ADWIN}",
        "signal: new_feature.x, detect: {kind: occurrence}",
        "signal: events, detect: {kind: silence}",
        f"model: fraud-eu, signal: features.amount, detect: {ADWIN}",
    ],
)
def test_of_what_events_have_or_may_yet_have_nothing_is_said(monitor: str, tmp_path: Path) -> None:
    assert never(monitor, tmp_path) == {}


def test_a_shared_split_is_complained_of_where_it_stands(tmp_path: Path) -> None:
    found = said(estimated("defaults: {by: [version, caller]}\n", tmp_path, EVENTS))
    assert list(found) == ["defaults.by.1"]


def test_the_kinds_that_read_one_column_exist() -> None:
    assert set(COLUMNS) <= set(KINDS)
    assert Names().under("x") == set()


def test_an_exclusion_that_no_feature_of_the_sample_has_is_told(tmp_path: Path) -> None:
    text = 'exclude: ["features.am*", features.contry, "features.*_at"]\n'
    found = said(estimated(text, tmp_path, EVENTS), "not-in-sample")
    assert set(found) == {"exclude.1", "exclude.2"}
    assert "Did you mean 'features.country'?" in found["exclude.1"]


def test_a_feature_that_is_another_field_as_well_is_told(tmp_path: Path) -> None:
    events = [{"model": "m", "time": 1_790_000_000 + i, "x": i % 7, "pred": 0.5} for i in range(30)]
    text = 'fields: {features: "", value: /pred}\n'
    found = said(estimated(text, tmp_path, events), "read-twice")
    assert found == {
        "fields.features": "features.model is the field model; features.time is the field time; features.pred is the "
        "field value: leave them out of the features: 'exclude: [features.model, features.time, features.pred]'."
    }
    text += "exclude: [features.model, features.time, features.pred]\n"
    assert said(estimated(text, tmp_path, events), "read-twice") == {}


def test_a_pattern_that_nothing_is_of_is_told(tmp_path: Path) -> None:
    found = never(f"signal: 'features.x*', detect: {ADWIN}", tmp_path)
    assert "watches nothing" in found["signal"]
    assert "is text, not a number" in never(f"signal: 'features.c*', detect: {ADWIN}", tmp_path)["signal"]
    assert never(f"signal: 'features.am*', detect: {ADWIN}", tmp_path) == {}


def test_what_a_pattern_of_models_is_about_is_told(tmp_path: Path) -> None:
    own = (
        f"monitors: {{m: {{model: [fraud-*, 'x?', fraud-us], signal: features.amount, detect: {ADWIN}}}}}\n"
        "calendar: {days: [{date: 2026-12-25, models: ['fr*', 'fr?', elsewhere]}]}\n"
    )
    found = estimated(own, tmp_path, [{**EVENTS[0], "model": f"fraud-{name}"} for name in ("us", "eu")])
    assert list(matched(found.sample.config, found.sample.names)) == [
        "monitors.m.model.0: 'fraud-*' is 2 models of the sample: fraud-eu, fraud-us",
        "monitors.m.model.1: 'x?' is 0 models of the sample",
        "calendar.days.0.models.0: 'fr*' is 2 models of the sample: fraud-eu, fraud-us",
        "calendar.days.0.models.1: 'fr?' is 0 models of the sample",
    ]
    assert "calendar.days.0.models.1" in said(found, "not-in-sample")
    assert "'fraud-*' is 2 models of the sample: fraud-eu" in told_of("x", found, lambda _, offset: str(offset))
