"""`driftline run` before it starts anything."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from streamer.commands.cli import main


def test_run_refuses_with_78_and_starts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("version: 2\n")
    result = CliRunner().invoke(main, ["run", "-c", str(path)])
    assert result.exit_code == 78
    assert "Nothing was started." in result.output
    missing = CliRunner().invoke(main, ["run", "-c", str(tmp_path / "none.yaml")])
    assert missing.exit_code == 78
    assert "error[unreadable]" in missing.output
