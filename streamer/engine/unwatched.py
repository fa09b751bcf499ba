"""What is not watched, or not on its own, though the config asks for it: said once, since silence looks like health."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from streamer.series.table import SeriesTable
from streamer.signals.categories import CODES
from streamer.signals.grammar import member_title
from streamer.signals.kinds import FAMILY_MAX, KINDS, LABELS_MAX

Why = Literal["no_category", "together", "beyond"]
WHY: tuple[Why, ...] = ("no_category", "together", "beyond")
OTHER = "other"
"""The category that all are which have no number of their own."""
SHOWN_MAX = 20
"""Of one model in a heartbeat."""


class Unwatched(NamedTuple):
    """`no_category`: a text that has too many values; `together`: so many members have no series of their own;
    `beyond`: nor one together.
    """

    model: str
    signal: str
    why: Why
    members: int

    def words(self) -> str:
        if self.why == "no_category":
            told = "its texts are no categories: new ones keep coming, as of an id or a free text"
            return f"{self.signal} is not watched, {told}"
        if self.why == "beyond":
            told = f"beyond the first {FAMILY_MAX} are not watched: a monitor of its own may name some"
            return f"{self.signal}: {self.members:,} {told}"
        one = KINDS[self.signal.partition(".")[0]].other if self.signal != "label" else None
        if one is not None:
            return f"{self.signal}: {self.members:,} beyond the first {LABELS_MAX} are watched together, as {one!r}"
        return f"{self.signal}: {self.members:,} categories beyond the first {CODES} are watched together, as {OTHER!r}"


def unwatched(tables: Iterable[SeriesTable]) -> list[Unwatched]:
    """All there is of it; of several groups of a model the one with the most."""
    found: dict[tuple[str, str, Why], int] = {}
    for table in tables:
        for model, signal, why, members in _of_table(table):
            key = model, signal, why
            found[key] = max(found.get(key, 0), members)
    return [Unwatched(*key, members) for key, members in found.items()]


def _of_table(table: SeriesTable) -> Iterator[Unwatched]:
    signal = table.signal
    written = member_title(signal, signal.path + (signal.pattern or "*")) if signal.every else ""
    why: Why = "beyond" if signal.spec.other is None else "together"
    for group, names in table.beyond.items():
        yield Unwatched(group[0], written, why, len(names))
    if table.categories is None:
        return
    for row, (group, member) in enumerate(table.keys):
        title = member_title(table.signal, member)
        if not table.categories.is_category(row):
            yield Unwatched(group[0], title, "no_category", 1)
        elif table.signal.kind == "category" and (more := table.categories.beyond(row)):
            yield Unwatched(group[0], title, "together", more)
