"""What stands in deploy/ works with this version."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from streamer.config.load import check, load_config

ROOT = Path(__file__).parent.parent


def test_the_example_config_is_valid_without_any_variable_set() -> None:
    config, problems = check((ROOT / "deploy" / "driftline.yaml").read_bytes(), "driftline.yaml", {})
    assert problems == []
    assert config is not None


def test_the_demo_runs_the_monitors_the_readme_shows() -> None:
    text = (ROOT / "streamer" / "commands" / "demo.yaml").read_text()
    monitors = text.partition("\nmonitors:\n")[2].partition("\ncommit:")[0]
    assert monitors.count("signal:") == 3
    assert f"\nmonitors:\n{monitors}\n```" in (ROOT / "README.md").read_text()
    load_config(ROOT / "streamer" / "commands" / "demo.yaml", {"KAFKA_BROKERS": "b:1"})


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_the_dockerfile_is_clean() -> None:
    done = subprocess.run(["hadolint", ROOT / "deploy" / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@needs_systemd
def test_the_unit_is_shut_to_what_the_service_does_not_need() -> None:
    unit = str(ROOT / "deploy" / "driftline.service")
    # The threshold is in tenths: 2.0 of 10.
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze does not judge files")
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@needs_systemd
def test_the_unit_file_is_one(tmp_path: Path) -> None:
    unit = tmp_path / "driftline.service"
    text = (ROOT / "deploy" / "driftline.service").read_text()
    command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    unit.write_text(text.replace(command, "ExecStart=/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "driftline" in line]) == (0, [])
