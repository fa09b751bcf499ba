"""`driftline version`: what results depend on, a line each or as JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import libversion

from streamer import __version__
from streamer.commands.version import version
from streamer.service.run import versions
from streamer.service.sbom import sbom


def test_a_line_each() -> None:
    done = CliRunner().invoke(version, [], catch_exceptions=False)
    assert done.exit_code == 0
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert lines == versions()
    assert lines["version"] == __version__
    assert lines["river"] == metadata.version("river")
    assert lines["librdkafka"] == libversion()[0]  # The binding has versions of its own.
    assert re.fullmatch(r"\d+\.\d+\.\d+", lines["version"])


def test_the_same_as_json() -> None:
    done = CliRunner().invoke(version, ["--json"], catch_exceptions=False)
    assert json.loads(done.stdout) == versions()


def test_it_takes_nothing_else() -> None:
    assert CliRunner().invoke(version, ["more"]).exit_code == 2


def test_a_bill_of_materials(tmp_path: Path) -> None:
    lock = Path(__file__).resolve().parent.parent.parent / "requirements.txt"
    done = CliRunner().invoke(version, ["--sbom", "--requirements", str(lock)], catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout) == sbom(lock.read_text())
    assert str(Path(sys.prefix)) not in done.stdout
    other = tmp_path / "other.txt"
    other.write_text("click==1.2.3 --hash=sha256:" + "a" * 64)
    done = CliRunner().invoke(version, ["--sbom", "--requirements", str(other)])
    assert done.exit_code == 1
    assert re.search(r"other\.txt: click [\d.]+ is installed, and the lock file has 1\.2\.3\.", done.stderr)
    assert CliRunner().invoke(version, ["--requirements", str(lock)]).exit_code == 2


@pytest.mark.parametrize("verb", ["version", "run"])
def test_nobody_else_waits_for_it(verb: str) -> None:
    code = f"import sys, streamer.commands.{verb}; print([m for m in sys.modules if 'sbom' in m or 'cyclonedx' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
