"""What an estimated error was worth on a sample with labels: how often its interval held what they showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from streamer.config import model as cfg
from streamer.engine.beside import LateLabels
from streamer.engine.task import Task
from streamer.monitors.words import label_of
from streamer.series.coverage import doubt_of
from streamer.series.estimates import reasons_told
from streamer.series.performance import Performance

NOWHERE = "windows"


def with_windows(config: cfg.Config) -> cfg.Config:
    """The config such that its labels make windows, and windows are told, as they are where these are published."""
    if config.topics.windows is not None:
        return config
    return config.model_copy(update={"topics": config.topics.model_copy(update={"windows": NOWHERE})})


def settle(task: Task) -> None:
    """Make the estimates of windows that are over, as a tick would: later labels must not help."""
    labels = task.beside.get("labels")
    if isinstance(labels, LateLabels):
        for _ in labels.tick(0, 0):
            pass


def told(tasks: Iterable[Task]) -> Iterator[str]:
    """A line for each model, and for each group whose estimates are not to be trusted."""
    for task in tasks:
        labels = task.beside.get("labels")
        performance = labels.labels.performance if isinstance(labels, LateLabels) else None
        if performance is not None:
            yield from _of(performance)
            yield from _without(performance)


def _without(performance: Performance) -> Iterator[str]:
    """A line for each reason why inferences of a model have no estimate, in windows that labels may still be of."""
    many, newest = Counter[tuple[str, str]](), dict[tuple[str, str], list[object]]()
    for _, made in sorted(performance.unestimated.of.items()):
        for (number, group), left in made.items():
            for reason, n, *more in left if number == 0 else ():
                many[group[0], reason] += n
                newest[group[0], reason] = [reason, n, *more]
    for (model, reason), n in sorted(many.items()):
        [told] = reasons_told([newest[model, reason]])
        yield f"no estimated error of {n:,} inferences of {model}: {told['text']}"


def _of(performance: Performance) -> Iterator[str]:
    splits = list(performance.splits)
    for number, group in sorted(performance.coverage.totals):
        facts = performance.coverage.facts((number, group))
        by = [f"{label_of(field)} {value}" for field, value in zip(splits[number], group[1:], strict=True)]
        if facts is None or (by and facts["trusted"]):
            continue
        low, high = facts["interval"]
        text = f"estimated error of {', '.join([group[0], *by])}: its interval held in {facts['count']:,} of "
        text += f"{facts['windows']:,} windows, {facts['share']:.0%} ({low:.0%} to {high:.0%})"
        yield f"{text}; at least 90% are promised." if facts["trusted"] else f"{text}. {doubt_of(facts)}"
