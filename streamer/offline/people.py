"""What labels, feedback and people came to on a sample: results of labels and verdicts, items and why they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from streamer.config import model as cfg
from streamer.config.units import show_duration
from streamer.engine.beside import LateLabels
from streamer.engine.reviewing import Reviewing
from streamer.engine.task import Task
from streamer.port import Out
from streamer.review.open_items import items_of, lines_of
from streamer.series.feedback import apart

SHOWN = 3
NOBODY = "ids of items say where an event is in {}, which files do not: replay --topic {} has those of the service."


def _sum(count: int, what: str, parts: Mapping[str, int]) -> str:
    told = " + ".join(f"{n:,} {name}" for name, n in parts.items() if n) or "0"
    return f"{count:,} {what} = {told}"


def labels_told(tasks: Iterable[Task]) -> Iterator[str]:
    """What became of labels and feedback, if there were any."""
    results, waiting = Counter[str](), 0
    actions, awaited = Counter[str](), Counter[str]()
    for task in tasks:
        labels = task.beside.get("labels")
        if isinstance(labels, LateLabels):
            results.update(labels.labels.results)
            waiting += labels.labels.wait
        for source in apart(task.sources):
            actions.update(source.results)
            awaited.update(source.inferences)
    count = sum(results.values()) + waiting
    if count:
        yield _sum(count, "labels", {**results, "that wait for their inference": waiting})
    if any(actions.values()):
        told = _sum(sum(actions.values()), "feedback events", actions)
        yield f"{told}; {awaited['answered']:,} inferences answered, {awaited['displaced']:,} forgotten before"


def review_told(config: cfg.Config, tasks: Iterable[Task], together: bool) -> Iterator[str]:
    """How many items there were, within which budget, and what became of verdicts."""
    found = [one for task in tasks if isinstance(one := task.beside.get("review"), Reviewing)]
    review = config.review
    if review is None or not found:
        return
    kinds, results = Counter[str](), Counter[str]()
    for one in found:
        kinds.update(one.counts)
        results.update(one.asked.results)
    most = f"{review.budget:,} in {show_duration(review.per_ms)}"
    shared = f"shared by {review.partitions} partitions, over which models are shared out as the service does it"
    if not together:
        shared = f"of which each of {review.partitions} partitions has its part"
    yield f"{_sum(sum(kinds.values()), 'review items', kinds)}; at most {most}, {shared}"
    if any(results.values()):
        yield _sum(sum(results.values()), "verdicts on items", results)
    if results["unmatched"] and together:
        yield f"  unmatched: {NOBODY.format(config.topics.ordered, config.topics.ordered)}"


def items_told(outs: Iterable[Out]) -> Iterator[str]:
    """The newest items, and why they were asked."""
    found = [*items_of(out.value for out in outs)][-SHOWN:]
    for item in found:
        head, *rest = lines_of(item)
        yield f"item {head}: {item['chosen']} chosen of {item['of']:,}"
        yield from rest
