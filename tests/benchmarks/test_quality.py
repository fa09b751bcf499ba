"""The parts of the benchmark put together, small: every row has its place in the tables, absent data are skipped."""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import families, healthy, show, tables
from benchmarks.quality.bench import QUICK, SETS, WHOLE, jobs
from benchmarks.quality.faults import FAULTS
from benchmarks.quality.weeks import KINDS

SIZE = healthy.Size(1, 1, 600.0)


def test_a_kind_goes_all_the_way_to_its_tables() -> None:
    row = healthy.run("even", SIZE)
    assert row["events"] == pytest.approx(28 * 144, rel=0.1)
    assert [fault["fault"] for fault in row["faults"]] == ["unit change"]
    assert row["faults"][0]["found"]
    assert row["faults"][0]["events"] < 100
    shown = show.shown({"healthy": [row]})
    assert "| even | 4 |" in shown
    assert "| unit change | 1 of 1 | 0 of 0 | 1 | 1 |" in shown


def test_a_family_has_a_row_for_everybody() -> None:
    found = families.run("N(0,1)", families.Size(2, 3, 5_000))
    assert [row["who"].split()[0] for row in found["rows"]] == ["driftline", *["river"] * 4]
    own = found["rows"][0]
    assert own["false"]["exposure"] == 2
    assert own["delays"]["2.0"]["median"] < own["delays"]["0.5"]["median"]
    assert found["log_arl_over_kl"]["2.0"] == pytest.approx(np.log(20_000) / 2)
    assert "| N(0,1) | 0 [0-1.8]: " in show.shown({"families": [found]})


@pytest.mark.parametrize("name", families.FAMILIES)
def test_families_shift_by_what_they_say(name: str) -> None:
    family = families.FAMILIES[name]
    still, moved = (family.draw(np.random.default_rng(1), 50_000, d) for d in (0.0, 2.0))
    assert np.median(moved) > np.median(still) or moved.mean() > 1.3 * still.mean()
    if family.kl is not None:
        assert 0 < family.kl(0.5) < family.kl(1.0) < family.kl(2.0)
    if name.startswith(("N", "Bern", "Poisson", "AR")):
        assert (moved.mean() - still.mean()) / still.std() == pytest.approx(2, rel=0.05)


def test_rivers_rate_is_no_higher_than_what_it_is_compared_at() -> None:
    size = families.Size(1, 1, 20_000)
    equal = families.equal_rate("N(0,1)", size, "PageHinkley", 1.0)
    assert equal["as_quiet"]
    assert equal["false"]["rate"] <= 1.0 < families.river_null("N(0,1)", size, "PageHinkley", 5)["rate"]
    assert not families.equal_rate("Cauchy", size, "PageHinkley", 0.0)["as_quiet"]


def test_drifts_of_error_streams_are_scored_and_the_clock_stands_beside(tmp_path: Path) -> None:
    (tmp_path / "harvard-errors").mkdir()
    draw = np.random.default_rng(1)
    shares = np.repeat([0.05, 0.05, 0.5, 0.05], [5_000, 5_000, 10_000, 15_000])
    errors = (draw.random(35_000) < shares).astype(int)
    lines = "\n".join(["frozen,prequential", *(f"{e},{e}" for e in errors)])
    for kind in ("abrupto", "gradual"):
        (tmp_path / "harvard-errors" / f"sine_{kind}.csv.gz").write_bytes(gzip.compress(lines.encode()))
    rows = {(row["drift"], row["who"]): row for row in tables.harvard(tmp_path)}
    adwin = rows["abrupt", "river ADWIN default"]
    assert (adwin["hits"], adwin["missed"]) == (2, 1)
    assert rows["abrupt", "driftline"]["hits"] >= 1
    ours = {"driftline", "shiryaev_roberts", "shiryaev_roberts, accept_after: 30m"}
    assert {who for _, who in rows} == {*ours, "river ADWIN default", "clock"}
    assert "| harvard errors |" in show.shown({"sets": list(rows.values())})


def test_what_is_absent_is_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nab").mkdir()
    options = argparse.Namespace(parts="healthy,families,sets", kinds=["even"], data=str(tmp_path))
    found = [(job.part, job.name) for job in jobs(options, QUICK)]
    assert found == [("sets", "nab"), ("healthy", "even"), *(("families", name) for name in families.FAMILIES)]
    assert "elec2: not in --data, skipped" in capsys.readouterr().err
    assert set(SETS) == {"elec2", "harvard-errors", "nab"}


def test_the_whole_has_forty_model_weeks_of_each_kind_and_every_fault_often() -> None:
    assert WHOLE.healthy.models * 4 >= 40
    assert len(KINDS) * WHOLE.healthy.models * WHOLE.healthy.branches / len(FAULTS) > 10
