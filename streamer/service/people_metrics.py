"""What is counted of people's part: rows of `catalogue.py`, all of them counters."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.alerts.commands import RESULTS as COMMANDS
from streamer.alerts.holds import WHY
from streamer.alerts.learning import RESULTS as ON_ALERTS
from streamer.engine.erasing import RESULTS as ERASURES
from streamer.engine.figures import Name
from streamer.review.asked import OUTCOMES, RESULTS
from streamer.review.audits import KINDS
from streamer.series.feedback import AWAITED
from streamer.series.feedback import RESULTS as FEEDBACK

TOPIC: Mapping[str, tuple[str, ...]] = {"topic": ()}

PEOPLE: dict[Name, tuple[str, Mapping[str, tuple[str, ...]]]] = {
    "feedback_total": (
        "What became of feedback events: they met their inference, had been said before, or named none that is "
        "remembered.",
        {**TOPIC, "result": FEEDBACK},
    ),
    "feedback_awaited_total": (
        "What became of inferences that feedback events were waited for: the first came, or none before "
        "feedback.pending others did, or before it was erased; others wait.",
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
    "review_no_share_total": ("Inferences in partitions beyond review.partitions: nobody is asked about them.", TOPIC),
    "review_uncompared_total": ("Comparisons of reviewers that were left out, as a model has too many.", TOPIC),
    "verdicts_total": (
        "What became of verdicts on items: matched, contradicting another reviewer, repeated, changed, of no open "
        "item, unusable, or of more reviewers than an item may have.",
        {**TOPIC, "result": RESULTS},
    ),
    "alert_verdicts_total": (
        "What became of verdicts on alerts, with false_alarms.learn: counted, as many for as against, replaced by the "
        "same reviewer's, after others had counted, of no known alert, unusable, forgotten; others wait.",
        {**TOPIC, "result": ON_ALERTS},
    ),
    "erasures_total": (
        "Ids that were to be erased: something was known of them, or nothing.",
        {**TOPIC, "result": ERASURES},
    ),
    "control_commands_total": (
        "Commands of operators: applied, there already by their id, or why they were refused.",
        {**TOPIC, "result": COMMANDS},
    ),
    "alerts_held_total": (
        "Alert records that nobody was told: muted, or too weak for what verdicts say of their monitor.",
        {**TOPIC, "why": WHY},
    ),
}
"""By name: help, and the labels with their closed sets of values, or none."""
