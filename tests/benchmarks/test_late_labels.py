"""Tables with late labels: what is scored, on a table of our own; and with scikit-learn and a folder of tables
(DRIFTLINE_TABLES) on these, too.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import late_labels
from benchmarks.quality.late_labels import Rows, Said, Told, Window, boosted, covered, elec2, played, row_of, streams

DATA = os.environ.get("DRIFTLINE_TABLES", "")


def known(_: Rows) -> object:
    """A classifier that knows how the labels of `table` were drawn."""
    return lambda features: 1 / (1 + np.exp(-features[:, 0] - features[:, 1]))


def table(seed: int, count: int) -> Rows:
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 1.5, (count, 2))
    return Rows(features, (rng.random(count) < known(Rows(features, features))(features)).astype(int))  # type: ignore[operator]


def test_windows_are_held_against_the_estimate_of_before_their_labels() -> None:
    told = Told(
        [Window(20 + i, 0.2, 0.1, 0.3, 0.5 if i in (3, 9) else 0.2, (i, i), True) for i in range(12)],
        [("gap", 27.0, "up")],
    )
    assert covered(told.windows) == pytest.approx(10 / 12)
    row = row_of("t", "s", 2 * 200 * 25, told)
    assert (row["covered_before"], row["covered_after"]) == (0.75, pytest.approx(2 / 3))
    assert (row["gap_before"], row["gap_after"], row["estimate_after"]) == (0, 1, 0)


def test_another_concept_opens_a_gap_and_other_inputs_move_the_estimate_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TRAINED", 1), ("DELAY", 300), ("LEARNED", 1200), ("LEFT_OUT", 1)):
        monkeypatch.setattr(late_labels, name, value)
    rows = table(1, 3_800)
    for stream, said in streams(rows, 1, known):  # type: ignore[arg-type]
        told = played(said)
        row = row_of("own", stream, len(said.truth), told)
        assert row["gap_before"] == row["estimate_before"] == 0
        assert (row["gap_after"] > 0) == (stream == "another concept")
        assert (row["estimate"][1] > 1.2 * row["estimate"][0]) == (stream == "other inputs")
        if stream != "another concept":
            assert row["covered_after"] > 0.6, "of some seven windows"


@pytest.mark.skipif(
    not DATA or importlib.util.find_spec("sklearn") is None, reason="no DRIFTLINE_TABLES, or no scikit-learn"
)
def test_of_a_real_table() -> None:
    rows = {}
    for stream, said in streams(elec2(Path(DATA)), 1, boosted):
        assert isinstance(said, Said)
        rows[stream] = row_of("elec2", stream, len(said.truth), played(said))
    assert rows["other inputs"]["covered_after"] >= 0.9
    assert [name for name, row in rows.items() if row["gap_after"]] == ["another concept"]
    assert rows["another concept"]["estimate_after"] == 0
