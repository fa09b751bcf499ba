"""The file of references as data: what is no such file is named where the config names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config.problems import ConfigError
from tests.engine.referenced import configured


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "error[unreadable] reference.file: No such file"), ("{", "error[bad-value] reference.file: is no file of"),
     ('{"format": 2, "source": "", "config": "", "tables": []}', "format: Input should be less than or equal to 1")],
)  # fmt: skip
def test_a_bad_file_is_named_at_its_key(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "bad.json").write_text(content)
    with pytest.raises(ConfigError) as error:
        configured(tmp_path, "bad.json")
    assert ":5:" in str(error.value)
    assert said in str(error.value)
