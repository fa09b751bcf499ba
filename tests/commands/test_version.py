"""`driftline version`: what results depend on, a line each or as JSON."""

from __future__ import annotations

import json
import re
from importlib import metadata

from click.testing import CliRunner

from streamer import __version__
from streamer.commands.version import version
from streamer.service.run import versions


def test_a_line_each() -> None:
    done = CliRunner().invoke(version, [], catch_exceptions=False)
    assert done.exit_code == 0
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert lines == versions()
    assert lines["version"] == __version__
    assert lines["river"] == metadata.version("river")
    assert re.fullmatch(r"\d+\.\d+\.\d+", lines["version"])


def test_the_same_as_json() -> None:
    done = CliRunner().invoke(version, ["--json"], catch_exceptions=False)
    assert json.loads(done.stdout) == versions()


def test_it_takes_nothing_else() -> None:
    assert CliRunner().invoke(version, ["more"]).exit_code == 2
