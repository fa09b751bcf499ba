"""`driftline alerts`: what operators say of alerts."""

from __future__ import annotations

import click


@click.group("alerts")
def alerts() -> None:
    """Acknowledge, mute or accept alerts, and say whether they were of use."""
