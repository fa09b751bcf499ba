"""What a monitor's config means for its alerts."""

from __future__ import annotations

from streamer.alerts.alert import RECOVERED, Policy
from streamer.config import model as cfg
from streamer.monitors.edges import DIRECTIONS
from streamer.signals.kinds import phrase_of

RANKS = frozenset({"shiryaev_roberts", "envelope"})
"""Kinds that tell any change of a distribution."""


def policy_of(monitor: cfg.Monitor) -> Policy:
    return Policy(
        monitor.for_ms,
        monitor.keep_firing_for_ms,
        monitor.cooldown_ms,
        monitor.resolves,
        monitor.accept_after_ms,
        monitor.repeat_interval_ms,
        monitor.recover_band,
        DIRECTIONS.get(monitor.detect.direction, 0),
        "keep_firing_for_ms" not in monitor.model_fields_set,
        monitor.detect.kind in RANKS and not phrase_of(monitor.signal, 0),
        monitor.detect.kind == "envelope" and monitor.resolves == RECOVERED,
    )
