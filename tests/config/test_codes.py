"""What a code cannot be asked for is refused where it stands."""

from __future__ import annotations

import pytest

from streamer.config.codes import numbers_in
from streamer.config.load import load_text
from streamer.config.problems import ConfigError
from streamer.signals.grammar import parse_signal
from tests.signals.events import HEAD

CODES = "categorical: [features.store, 'features.*_code']\n"
ADWIN = "detect: {kind: adwin}"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (f"monitors: {{m: {{signal: features.store, {ADWIN}}}}}", "monitors.m.signal", "watch it as category.store"),
        (f'monitors: {{m: {{signal: "ratio(value, features.a_code)", {ADWIN}}}}}', "monitors.m.signal", "category.a_"),
        ("monitors: {m: {signal: mean(features.store), detect: {kind: level}}}", "monitors.m.signal", "no number"),
        ("checks: {features.store: {min: 1}}", "checks.features.store.min", "use allowed"),
        ("checks: {features.store: {max: 1}}", "checks.features.store.max", "use allowed"),
        ("checks: {features.store: {type: number}}", "checks.features.store.type", "its type is text"),
        ("categorical: [store]", "categorical[0]", "Did you mean 'features.store'?"),
    ],
)
def test_a_code_is_no_number(text: str, place: str, words: str) -> None:
    head = HEAD + (CODES if "categorical" not in text else "")
    with pytest.raises(ConfigError) as found:
        load_text(head + text + "\n", "x", {})
    [problem] = found.value.problems
    assert problem.path == place
    assert words in problem.message


def test_what_goes_with_codes_is_taken() -> None:
    monitors = f"monitors: {{a: {{signal: features.*, {ADWIN}}}, b: {{signal: features.amount, {ADWIN}}}}}\n"
    checks = "checks: {features.store: {allowed: [12, 47], type: text}, features.amount: {min: 0}}\n"
    config = load_text(HEAD + CODES + checks + monitors, "x", {})
    assert config.categorical == ["features.store", "features.*_code"]
    assert config.config_hash != load_text(HEAD + checks + monitors, "x", {}).config_hash


@pytest.mark.parametrize(
    ("allowed", "texts"),
    [
        ("[1.10, 2.0]", ("1.1", "2", "2.0", "1.10")),
        ('["1.10", 007, 7]', ("1.10", "7", "7.0", "7", "7.0", "007")),
        ("[0x1F, 1e3, +5]", ("31", "31.0", "1000", "1000.0", "5", "5.0", "0x1F", "1e3", "+5")),
        ("[True, true]", ("true", "true", "True")),
        ("[12, '${N}', 007]", ("12", "12.0", "1.50", "7", "7.0", "007")),
        ("&a [on, 2026-01-01, ~x]", ("on", "2026-01-01", "~x")),
    ],
)
def test_what_is_allowed_is_also_as_it_is_written(allowed: str, texts: tuple[str, ...]) -> None:
    config = load_text(f"{HEAD}checks: {{features.x: {{allowed: {allowed}}}}}\n", "x", {"N": "1.50"})
    assert config.checks["features.x"].compiled().allowed == texts


def test_the_numbers_of_a_signal() -> None:
    found = [numbers_in(parse_signal(text)) for text in ("features.a", "mean(value)", "ratio(features.a, value)")]
    assert found == [("features.a",), ("prediction.value",), ("features.a", "prediction.value")]
