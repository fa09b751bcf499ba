"""What the budget of false alarms means for a config, in words and numbers: for `lint`, `explain` and the metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from detectors.audit import POWER, needed
from detectors.estimated_error import standardised
from detectors.falling import REFERENCE
from detectors.falling import needed as falling
from streamer.config import model as cfg
from streamer.config.budget import Part, named_models, parts
from streamer.config.review import CONFIDENCE

AT_FIRST, FALLS, BEGUN = 4, (0.3, 0.4, 0.6), 10
"""Of the first items how many a reviewer differed in, shares of later ones, and how late that begins: the bet's number.
"""
PAIRS = 100, 1000
"""Labels that a calibration has at a confidence."""
SAYS, WORSE = 0.05, (0.07, 0.09, 0.15)
"""An error that confidence says, and others that it may have instead."""


def expected(config: cfg.Config) -> dict[str, Part]:
    """By monitor what it may say falsely of one model in a week."""
    return parts(config.false_alarms, config.effective_monitors())


def in_all(of: Mapping[str, Part]) -> float:
    """False alarms of one model in a week."""
    return sum(part.a_week() for part in of.values())


def told(config: cfg.Config) -> Iterator[str]:
    """A line for all, and one for each monitor of which the budget says nothing."""
    of, monitors = expected(config), config.effective_monitors()
    within = [part for part in of.values() if monitors[part.monitor].detect.budgeted]
    if within:
        many, given = any(part.series > 1 for part in within), config.false_alarms.series
        told = f"false alarms: {in_all(of):.3g} a week expected of a healthy model at most, {of_whom(config)}"
        members = "shares its part among those that live" if given is None else f"is taken to have {given} series"
        members = f"; a signal with a * {members}" if many else ""
        yield f"{told}{_count(len(within), 'monitor')}{members}."
    for name, one in monitors.items():
        if not one.detect.budgeted:
            yield f"not in the budget: {name} ({one.detect.kind}: {one.detect.nominal})."
    if config.review is not None and config.review.audit is not None:
        yield from of_audit(config.review.audit.alpha, config.review.audit.against)
    if config.review is not None and config.review.agreement_alpha:
        yield from of_agreement(config.review.agreement_alpha)


def of_audit(alpha: float, against: str = CONFIDENCE) -> Iterator[str]:
    """How many verdicts it takes to find a model that is worse than it says; exactly, see `detectors/audit.py`."""
    ever = f"a model that is no worse than it says is told of with {alpha:.0%} at most, ever"
    if against == CONFIDENCE:
        yield f"review.audit: where confidence says {SAYS:.0%}, {_found(SAYS, alpha)}; {ever}."
        return
    for pairs in PAIRS:
        border = standardised(SAYS, pairs)[1]
        says = f"where {pairs:,} labels at that confidence say {SAYS:.0%}, so {border:.1%} at most"
        yield f"review.audit: {says}, {_found(border, alpha)}; {ever}."


def _found(estimated: float, alpha: float) -> str:
    found = [f"{truth:.0%} by {needed(estimated, truth, alpha):,}" for truth in WORSE if truth > 1.1 * estimated]
    return f"with {POWER:.0%} chance an error of {', of '.join(found)} verdicts"


def of_agreement(alpha: float) -> Iterator[str]:
    """How many items it takes to find a reviewer whose agreement falls; at least, see `detectors/falling.py`."""
    found = [f"{fall:.0%} by {falling(AT_FIRST, fall, alpha, BEGUN) or 0:,}" for fall in FALLS]
    usual = f"who differed from the others in {AT_FIRST} of the first {REFERENCE} items is found"
    power = f"{usual}, with {POWER:.0%} chance, to differ in {', in '.join(found)} more items"
    yield f"review.agreement: {power}; one who differs no more often than at first is told of with {alpha:.0%} at most."


def of_whom(config: cfg.Config) -> str:
    """Where the number comes from."""
    budget = config.false_alarms
    if budget.scope == "model":
        return "shared by "
    models = budget.models or named_models(config.effective_monitors()) or 1
    return f"a part of the service's {budget.budget:g} for {_count(models, 'model')}, shared by "


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
