"""What is counted of records that are no inferences, as rows of the catalogue in `metrics.py`."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.alerts.commands import RESULTS as COMMANDS
from streamer.alerts.holds import WHY
from streamer.alerts.learning import RESULTS as ALERT_VERDICTS
from streamer.engine.figures import Name
from streamer.review.asked import OUTCOMES
from streamer.review.asked import RESULTS as VERDICTS
from streamer.review.audits import KINDS
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
    "review_items_total": (
        "Items that people were asked to look at: ranked by alarm, drawn beside them, the least confident of a window, "
        "and drawn beside those.",
        {**TOPIC, "kind": KINDS},
    ),
    "review_outcomes_total": (
        "What became of items: found right or wrong, reviewers contradicting each other, nobody sure, no verdict "
        "within review.ttl; those in no outcome are open.",
        {**TOPIC, "outcome": OUTCOMES},
    ),
    "review_no_share_total": ("Inferences in partitions beyond review.partitions, which nobody is asked about.", TOPIC),
    "verdicts_total": (
        "What became of verdicts on items: matched, contradicting another reviewer, repeated, changed, of no open "
        "item, unusable, or of more reviewers than an item may have.",
        {**TOPIC, "result": VERDICTS},
    ),
    "control_commands_total": (
        "Commands of operators: applied, there already by their id, or why they were refused.",
        {**TOPIC, "result": COMMANDS},
    ),
    "alerts_held_total": (
        "Alert records that nobody was told: muted, or too weak for what verdicts say of their monitor.",
        {**TOPIC, "why": WHY},
    ),
    "alert_verdicts_total": (
        "What became of verdicts on alerts, with false_alarms.learn: counted, as many for as against, replaced by the "
        "same reviewer's, after others had counted, of no known alert, unusable, forgotten; others wait.",
        {**TOPIC, "result": ALERT_VERDICTS},
    ),
}
"""By name of a counter: its help, and its labels as `Spec` has them."""
