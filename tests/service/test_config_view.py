"""What the view of the config says beside the file."""

from __future__ import annotations

from streamer.config.load import load_text
from streamer.service.config_view import SCHOOL, budget, in_school, references
from tests.config.samples import LEAST


def test_the_parts_of_the_budget_are_of_all_that_takes_of_it() -> None:
    found = budget(load_text(LEAST, "x", {}))
    assert found["says"][0].startswith("false alarms: 1 a week expected of a healthy model at most")
    assert round(sum(one["a_week"] for one in found["parts"]), 9) == 1.0
    of = {one["monitor"]: one for one in found["parts"]}
    assert (of["traffic"]["series"], of["missing"]["series"]) == (1, None)
    assert "nan-prediction" not in of, "its limit does not follow from the budget"
    given = budget(load_text(LEAST + "false_alarms: {series: 40}\n", "x", {}))
    assert {one["monitor"]: one["series"] for one in given["parts"]}["missing"] == 40


def test_what_series_are_compared_with() -> None:
    config = load_text(LEAST, "x", {})
    words = "their first 500 values, aggregates with their first 60."
    assert references(config) == f"Series are compared with {words}"
    named = config.reference.model_copy(update={"file": "good.json"})
    told = references(config.model_copy(update={"reference": named}))
    assert told == f"Series are compared with what good.json has of them; those that it has not with {words}"


def test_who_is_in_school_for_the_longest_comes_first() -> None:
    models = [{"model": str(n), "school_until": f"2026-01-{n % 28 + 1:02}", "tiers": {}} for n in range(SCHOOL + 5)]
    found = in_school([*models, {"model": "out", "school_until": None, "tiers": {}}])
    assert (found["count"], len(found["models"]), found["models"][0]["model"]) == (SCHOOL + 5, SCHOOL, "27")
