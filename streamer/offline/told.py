"""What `driftline lint --sample` prints of a sample: the account of its records, and what each monitor costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from streamer.engine.matching import listed, matching
from streamer.engine.task import Task
from streamer.offline.absent import matched
from streamer.offline.account import unused
from streamer.offline.cost import Estimate
from streamer.port import Partition


def told_of(name: str, estimate: Estimate, place: Callable[[Partition, int], str]) -> str:
    """The text for one config. Where nothing is used, nothing costs anything."""
    speed = "" if estimate.events_per_day is None else f", {estimate.events_per_day:,.0f} events a day"
    models = f"{estimate.models} model{'' if estimate.models == 1 else 's'}"
    lines = [f"{name}: {estimate.account.sum(' of the sample')}; {models}{speed}", *unused(estimate.account, place)]
    halves = estimate.sample.halves()
    lines += [f"  {halves.told()}"] if any(halves) else []
    lines += [*matched(estimate.sample.config, estimate.sample.names), *matched_signals(estimate.sample.tasks.values())]
    return "\n".join([*lines, *(costs(estimate) if estimate.account.used else ())])


def matched_signals(tasks: Iterable[Task]) -> Iterator[str]:
    """Of each pattern of signals which they are, of all models together."""
    found: dict[str, dict[str, None]] = {}
    for task in tasks:
        for (_, signal), members in matching(task.by_order).items():
            found.setdefault(signal, {}).update(members)
    for signal, members in found.items():
        count = f"{len(members):,} signal{'' if len(members) == 1 else 's'}"
        yield f"{signal!r} is {count} of the sample: {listed(members)}"


def costs(estimate: Estimate) -> Iterator[str]:
    """A table of the monitors, a line each."""
    heads = ("monitor", "series", "state bytes", "windows a day", "false alarms a week", "in school")
    rows: list[tuple[str, ...]] = [heads]
    for cost in estimate.costs:
        windows = "-" if cost.windows_per_day is None else f"{cost.windows_per_day:,.1f}"
        quiet = "-" if cost.false_alarms is None else f"{cost.false_alarms:.3g}"
        days = f" ({cost.days_left} more day{'' if cost.days_left == 1 else 's'})" if cost.in_school else ""
        school = f"{cost.in_school:,}{days}"
        rows.append((cost.monitor, f"{cost.series:,}", f"{cost.state_bytes:,}", windows, quiet, school))
    in_all = [sum(numbers) for numbers in zip(*((c.series, c.state_bytes) for c in estimate.costs), strict=True)]
    expected = sum(cost.false_alarms or 0.0 for cost in estimate.costs)
    rows.append(("in all", *(f"{number:,}" for number in in_all), "", f"{expected:.3g}", ""))
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        numbers = (text.rjust(width) for text, width in zip(others, wide[1:], strict=True))
        yield "  ".join([first.ljust(wide[0]), *numbers]).rstrip()
