"""The cases of other tools' users, each a config and its records: what must be told of them, and how many are used.

DRIFTLINE_CASES names their folder, which is beside the sources where there is one.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from schemas.core import native
from schemas.events import decoder
from schemas.events.batch import Record
from streamer.commands.cli import main
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_config
from streamer.offline.replay import Replay

CASES = Path(os.environ.get("DRIFTLINE_CASES", Path(__file__).parents[3] / "shared" / "cases"))
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the folder of cases is not there")


class Told(NamedTuple):
    """Records used, and what the firing alerts must say, in order."""

    used: int
    sentences: tuple[str, ...] = ()


REPLAYED = {
    "allowed-numbers": Told(2),
    "back-to-normal": Told(
        800, (r"x went from 100\.6 to 130\.9 \(\+", r"failed events .* 2\.0% to 41\.2% \(\+", r"37\.5% to 1\.2% \(-")
    ),
    "clock-ahead": Told(60),
    "counter-feature": Told(1500, (r"share of anomalous events",)),
    "four-digits": Told(300, (r"lat went from 52\.3703 to 52\.3722",)),
    "glob-is-literal": Told(900, (r"age_years went from 40\.09 to 59\.88",) * 2),
    "id-is-odd": Told(1500),
    "many-labels": Told(2500, (r"share of label l39 went from",)),
    "one-bad-field": Told(10),
    "one-bad-field-mapped": Told(3),
}


def records_of(name: str) -> list[Record]:
    lines = (CASES / f"{name}.jsonl").read_bytes().splitlines()
    if name != "clock-ahead":
        return [Record(i, -1, None, line) for i, line in enumerate(lines)]
    told = [json.loads(line) for line in lines]
    return [Record(i, one["record_ms"], None, json.dumps(one["value"]).encode()) for i, one in enumerate(told)]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", REPLAYED)
def test_a_case_is_told_as_it_should_be(name: str, compiled: bool) -> None:
    config = load_config(CASES / f"{name}.yaml", {})
    engine = Replay(config, fields_of(config))
    if not compiled:
        engine.decode = decoder.Decoder(fields_of(config), compiled=False)
    elif native is None:
        pytest.skip("no compiled core")
    outs = engine.step(("inferences", 0), records_of(name))
    alerts = [json.loads(out.value or b"")["data"] for out in outs if out.topic == "alerts"]
    said = [one["sentence"] for one in alerts if one["status"] == "firing" and one["changed"] == one["trigger"]]
    assert engine.account().counts["used"] == engine.account().consumed == REPLAYED[name].used
    assert len(said) == len(REPLAYED[name].sentences), said
    assert all(re.search(pattern, text) for pattern, text in zip(REPLAYED[name].sentences, said, strict=True)), said


def reference(out: Path, *arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(main, ["reference", "build", *arguments, "-o", str(out)])
    assert result.exit_code == 0, result.output
    made: dict[str, object] = json.loads(out.read_bytes())
    said = re.search(r"(\d+) series in", result.output)
    return {**made, "source": "", "series": said and int(said[1])}


def test_equal_rows_of_csv_and_jsonl_are_equal_references(tmp_path: Path) -> None:
    made = []
    for kind in ("csv", "jsonl"):
        inputs = str(CASES / f"table-cells.{kind}")
        made.append(reference(tmp_path / kind, "-c", str(CASES / "table-cells-build.yaml"), "--input", inputs))
    assert made[0] == made[1]
    assert made[0]["series"] == 10


def test_what_a_reference_was_made_of_is_not_odd(tmp_path: Path) -> None:
    name, path = "odd-though-in-reference", tmp_path / "odd-though-in-reference.json"
    reference(path, "-c", str(CASES / f"{name}-build.yaml"), "--input", str(CASES / f"{name}.jsonl"))
    (tmp_path / "c.yaml").write_text((CASES / f"{name}.yaml").read_text())
    config = load_config(tmp_path / "c.yaml", {})
    engine = Replay(config, fields_of(config))
    assert engine.step(("inferences", 0), records_of(name)) == []


@pytest.mark.parametrize("name", ["semicolon", "bom", "plain"])
def test_a_table_is_read_whatever_its_separator_and_names(name: str, tmp_path: Path) -> None:
    inputs = ("--model", "m", "--input", str(CASES / f"table-silence-{name}.csv"))
    made = reference(tmp_path / "r.json", "-c", str(CASES / "table-silence.yaml"), *inputs)
    assert made["series"] == 5


def test_a_reference_of_decimals_and_naive_times(tmp_path: Path) -> None:
    """As pandas and databases write them."""
    begin = datetime(2026, 1, 1)  # no zone: that is the case
    columns = {
        "time": pa.array([begin + timedelta(seconds=i) for i in range(40)], pa.timestamp("us")),
        "features.amount": pa.array([Decimal(i) / 4 for i in range(40)], pa.decimal128(10, 2)),
    }
    for name, column in columns.items():
        table = {"model": ["m"] * 40, name: column} | {"features.n": list(range(40))}
        pq.write_table(pa.table(table), tmp_path / "t.parquet")
        inputs = ("--input", str(tmp_path / "t.parquet"))
        made = reference(tmp_path / "r.json", "-c", str(CASES / "parquet-types.yaml"), *inputs)
        assert made["series"] == (2 if name == "time" else 4), "each feature in two tables"
