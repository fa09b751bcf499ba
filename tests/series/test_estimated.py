"""The signal `estimated_error`: it follows the inputs, and never the labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.config.load import check
from streamer.engine.snapshot import decode, encode
from streamer.series import calibrations
from streamer.series.estimated import Estimated
from tests.engine.labelled import Outcome, config_of, lived, stream
from tests.engine.tasks import LEAST

SIGNALS = """
heartbeat: {interval: 1h}
reference: {warmup: 100}
monitors:
  estimate: {signal: estimated_error, by: [segment.country], detect: {kind: adwin}}
"""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrations, "BLOCK", 100)


def source_of(told: Outcome) -> Any:
    [source] = [one for one in told.task.sources.values() if isinstance(one, Estimated)]
    return source


def values_of(told: Outcome) -> list[tuple[int, float]]:
    """How many values each row had, and their mean in its reference."""
    [table] = told.task.tables.values()
    return [(table.taken, table.reference.at(row).mean) for row in range(len(table.keys))]


def test_values_begin_with_the_first_calibration_and_are_of_it() -> None:
    config = config_of(SIGNALS)
    told = lived(config, stream(1, 1500))
    [table] = told.task.tables.values()
    source = source_of(told)
    assert sorted(key[0] for key in table.keys) == [("m", "DE"), ("m", "NL")]
    assert [one.version for one in source.of_row.values()] == [1, 1]
    learned = source.labels.calibrations
    versions = {key[1]: history.calibration.version for key, history in learned.histories.items() if key[0]}
    assert versions == {("m", "DE"): 6, ("m", "NL"): 6}
    # 100 labels of a country are there after 320 inferences.
    assert table.taken == pytest.approx(1500 - 320, abs=5)
    for row in range(2):
        expected = source.of_row[row].wrong.sum() / 100
        assert table.reference.at(row).mean == pytest.approx(expected, abs=0.06)


def test_another_relation_moves_it_not_though_the_calibration_learns_it() -> None:
    config = config_of(SIGNALS)
    healthy, other = (lived(config, stream(3, 2200, change)) for change in ("", "relation"))
    assert [alert["sentence"] for alert in other.alerts] == []
    assert repr(other.task.tables.popitem()[1].history.dump()) == repr(healthy.task.tables.popitem()[1].history.dump())
    assert lived(config, stream(3, 2200, "inputs")).fired() != []


def test_state_is_plain_and_rows_leave() -> None:
    source = source_of(lived(config_of(SIGNALS), stream(1, 900)))
    state = decode(encode({"": source.dump()}))[""]
    [table] = [Estimated.__new__(Estimated)]
    table.of_row = {}
    table.load(state)
    assert encode({"": table.dump()}) == encode({"": source.dump()})
    kept = source.of_row[1]
    source.retain(np.array([1]), None)
    assert source.of_row == {0: kept}
    row, version, given = state[0]
    with pytest.raises(ValueError, match="more errors"):
        table.load([[row, version, {**given, "wrong": given["n"] + 1}]])


def test_it_needs_labels() -> None:
    problems = check(f"{LEAST}{SIGNALS}".encode(), "x", {})[1]
    assert any("needs the section labels" in str(problem) for problem in problems)
