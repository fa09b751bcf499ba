"""What is counted of records that are no inferences: labels, commands. Rows of the catalogue in `metrics.py`."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.alerts.commands import RESULTS as COMMANDS
from streamer.alerts.holds import WHY
from streamer.engine.figures import Name
from streamer.series.labels import AWAITED, RESULTS

TOPIC: Mapping[str, tuple[str, ...]] = {"topic": ()}

OF_SIDES: dict[Name, tuple[str, Mapping[str, tuple[str, ...]]]] = {
    "labels_received_total": ("Label records used; those that are no result of labels_total yet wait.", TOPIC),
    "labels_total": (
        "What became of label records: joined with their inference, repeated, contradicting, waited in vain, unusable.",
        {**TOPIC, "result": RESULTS},
    ),
    "labels_awaited_total": (
        "What became of inferences that labels were waited for: labelled, no label within labels.ttl, or before "
        "labels.pending others, or refused as there were too many groups, or windows of them.",
        {**TOPIC, "result": AWAITED},
    ),
    "control_commands_total": (
        "Commands of operators: applied, there already by their id, or why they were refused.",
        {**TOPIC, "result": COMMANDS},
    ),
    "alerts_held_total": ("Alert records that nobody was told, since they are muted.", {**TOPIC, "why": WHY}),
}
"""By name of a counter: its help, and its labels as `Spec` has them."""
