"""What audits and reviewers' agreement amount to, as their records have it."""

from __future__ import annotations

from typing import Any

from detectors.agreement import Agreement, Figure
from detectors.audit import AuditTest
from detectors.estimated_error import Share
from streamer.alerts.verdict_alerts import MOST
from streamer.review.audits import Window


def audit_facts(window: Window, test: AuditTest) -> dict[str, Any]:
    """A window as far as verdicts on it are there, and the test of its model by now."""
    parts = zip(window.events, window.asked, window.answered, window.wrong, strict=True)
    named = ("events", "asked", "answered", "wrong")
    lowest, rest = (dict(zip(named, part, strict=True)) for part in parts)
    error = window.error()
    told = {"events": sum(window.events), "lowest": lowest, "rest": rest, "estimated": window.estimated}
    shown: dict[str, Any] = (
        {} if error is None else {"error": {"share": error.share, "interval": [error.low, error.high]}}
    )
    verdicts = {"verdicts": test.verdicts, "wrong": test.wrong, "expected": test.expected}
    limit = {"evidence": min(test.evidence, MOST), "limit": 1.0 / test.alpha, "fired": test.told_at > 0}
    return {**told, **shown, "test": {**verdicts, **limit}}


def agreement_facts(agreement: Agreement) -> dict[str, Any]:
    """Of all items so far."""
    names = list(agreement.reviewers)
    pairs = []
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            n = int(agreement.table(one, other).sum())
            if n:
                kappa = agreement.kappa(one, other)
                pairs.append({"reviewers": [one, other], "n": n, "kappa": _figure(kappa)})
    return {
        "items": agreement.items,
        "overlapping": agreement.overlapping,
        "conflicting": agreement.conflicting,
        "overlap": _share(agreement.overlap()),
        "alpha": _figure(agreement.alpha()),
        "pairs": pairs,
        "reviewers": [{"reviewer": who, "agrees": _share(agreement.reviewer(who))} for who in names],
    }


def _figure(figure: Figure | None) -> dict[str, Any] | None:
    return None if figure is None else {"value": figure.value, "interval": [figure.low, figure.high], "n": figure.n}


def _share(share: Share) -> dict[str, Any]:
    return {"share": share.share, "interval": [share.low, share.high]}
