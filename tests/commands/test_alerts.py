"""The group that the verbs for alerts belong to."""

from __future__ import annotations

from click.testing import CliRunner

from streamer.commands.alerts import alerts
from streamer.commands.cli import main


def test_it_lists_its_verbs() -> None:
    shown = CliRunner().invoke(main, ["alerts", "--help"]).output
    assert {"ack", "mute", "accept", "verdict"} <= set(alerts.commands)
    assert all(f"  {verb} " in shown for verb in alerts.commands)
