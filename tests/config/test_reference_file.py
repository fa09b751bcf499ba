"""The file of references as data: what is no such file is named where the config names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from streamer.config.problems import ConfigError
from streamer.config.reference_file import References
from streamer.signals.categories import NAMES_MAX
from tests.engine.referenced import configured


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "error[unreadable] reference.file: 'bad.json': No such file"),
     ("{", "error[bad-value] reference.file: is no file of"),
     ('{"format": 2, "source": "", "config": "", "tables": []}', "format: Input should be less than or equal to 1")],
)  # fmt: skip
def test_a_bad_file_is_named_at_its_key(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "bad.json").write_text(content)
    with pytest.raises(ConfigError) as error:
        configured(tmp_path, "bad.json")
    assert ":5:" in str(error.value)
    assert said in str(error.value)


SERIES: dict[str, Any] = {
    "key": ["fraud"], "member": "features.a", "n": 30, "centre": 1.0, "scale": 0.5, "mean": 1.0, "std": 0.5,
    "below": 0.5, "above": 0.5, "offsets": [0, 29], "begin": "a", "end": "b", "begin_ms": 0, "end_ms": 1,
    "bins": {"10": {"edges": [0.0], "counts": [1, 2]}},
}  # fmt: skip


def file_of(**changes: Any) -> References:
    table = {"signal": "number features.*", "series": [{**SERIES, **changes}]}
    return References.model_validate({"source": "s", "config": "c", "tables": [table]})


def test_what_is_written_is_read() -> None:
    made = file_of(categories=["NL"] * NAMES_MAX)
    assert References.model_validate_json(made.model_dump_json(exclude_none=True)) == made
    assert made.format == 1
    assert made.tables[0].series[0].bins["10"].counts == [1, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"std": -0.1},
        {"scale": float("nan")},
        {"above": float("inf")},
        {"key": []},
        {"offsets": [1]},
        {"categories": ["x"] * (NAMES_MAX + 1)},
        {"more": 1},
        {"n": "30"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_series_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        file_of(**wrong)
