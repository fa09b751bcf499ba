"""`driftline run` around the service: what it refuses before it starts anything, and the code it ends with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streamer.commands import run as under_test
from streamer.commands.cli import main
from streamer.config.model import Config
from streamer.service.stopper import Stopper
from tests.config.samples import LEAST


def test_run_refuses_with_78_and_starts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("version: 2\n")
    result = CliRunner().invoke(main, ["run", "-c", str(path)])
    assert result.exit_code == 78
    assert "Nothing was started." in result.output
    missing = CliRunner().invoke(main, ["run", "-c", str(tmp_path / "none.yaml")])
    assert missing.exit_code == 78
    assert "error[unreadable]" in missing.output


@pytest.mark.parametrize("code", [0, 69, 75])
def test_a_good_config_is_run_until_a_signal_and_its_code_is_the_programs(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, bool]] = []

    class Noted(Stopper):
        installed = False

        def install(self) -> None:
            self.installed = True

    def run_service(config: Config, stopper: Any, stage: int | None, path: Path) -> int:
        assert (stage, path.name) == (None, "a.yaml")
        told.append((config.kafka.group, stopper.installed))
        return code

    monkeypatch.setattr(under_test, "Stopper", Noted)
    monkeypatch.setattr(under_test, "run_service", run_service)
    path = tmp_path / "a.yaml"
    path.write_text(LEAST.replace("brokers:", "group: mine, brokers:"))
    done = CliRunner().invoke(main, ["run", "-c", str(path)])
    assert (done.exit_code, told) == (code, [("mine", True)]), "signals are ours before anything runs"


def test_a_config_is_needed() -> None:
    done = CliRunner().invoke(main, ["run"])
    assert done.exit_code == 2
    assert "-c" in done.output


def test_one_stage_alone_needs_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int | None] = []
    monkeypatch.setattr(under_test, "run_service", lambda config, stopper, stage, path: ran.append(stage) or 0)
    monkeypatch.setattr(under_test.Stopper, "install", lambda self: None)
    path = tmp_path / "a.yaml"
    path.write_text(LEAST)
    done = CliRunner().invoke(main, ["run", "-c", str(path), "--stage", "1"])
    assert done.exit_code == 2
    assert "kafka.order: model" in done.output
    path.write_text(LEAST.replace("brokers:", "order: model, brokers:"))
    assert CliRunner().invoke(main, ["run", "-c", str(path), "--stage", "2"]).exit_code == 0
    assert ran == [2]
