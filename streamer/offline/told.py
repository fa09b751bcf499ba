"""What `driftline lint --sample` prints of a sample: the account of its records, and what each monitor costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.events.batch import REASONS
from streamer.offline.account import Account
from streamer.offline.cost import Estimate

ODD_SHOWN = 20


def told_of(name: str, estimate: Estimate, files: Sequence[Path]) -> str:
    """The text for one config. Where nothing is used, nothing costs anything."""
    speed = "" if estimate.events_per_day is None else f", {estimate.events_per_day:,.0f} events a day"
    models = f"{estimate.models} model{'' if estimate.models == 1 else 's'}"
    lines = [f"{name}: {estimate.account.sum()}; {models}{speed}", *rejected(estimate.account, files)]
    lines += left_out(estimate.account, files)
    return "\n".join([*lines, *(costs(estimate) if estimate.account.used else ())])


def rejected(account: Account, files: Sequence[Path]) -> Iterator[str]:
    """A line for each reason why records are no events: how many, where the first is, what it most likely is."""
    for one in account.rejected:
        detail = f" ({one.detail})" if one.detail else ""
        place = f"{files[one.partition[1]]}:{one.offset + 1}"
        told = f"  rejected: {one.records:,} {one.reason}: {REASONS[one.reason]}; first {place}{detail}"
        yield f"{told}{one.hint and '; '}{one.hint}."


def left_out(account: Account, files: Sequence[Path]) -> Iterator[str]:
    """A line for each field that could not be used of some events, the most frequent ones."""
    for one in account.odd[:ODD_SHOWN]:
        place = f"{files[one.partition[1]]}:{one.offset + 1}"
        yield f"  left out: {one.field} of {one.events:,}, {one.reason}: {REASONS[one.reason]}; first {place}."


def costs(estimate: Estimate) -> Iterator[str]:
    """A table of the monitors, a line each."""
    rows: list[tuple[str, ...]] = [("monitor", "series", "state bytes", "windows a day")]
    for cost in estimate.costs:
        windows = "-" if cost.windows_per_day is None else f"{cost.windows_per_day:,.1f}"
        rows.append((cost.monitor, f"{cost.series:,}", f"{cost.state_bytes:,}", windows))
    in_all = [sum(numbers) for numbers in zip(*((c.series, c.state_bytes) for c in estimate.costs), strict=True)]
    rows.append(("in all", *(f"{number:,}" for number in in_all), ""))
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        numbers = (text.rjust(width) for text, width in zip(others, wide[1:], strict=True))
        yield "  ".join([first.ljust(wide[0]), *numbers]).rstrip()
