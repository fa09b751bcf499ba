"""Past incidents that people know of, and how well a run over that history found them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import orjson

from streamer.offline.episodes import Episode
from streamer.offline.replay import BadInput
from streamer.offline.times import time_ms_of
from streamer.signals.grammar import matches

NAMES = ("model", "begin", "end")


class Known(NamedTuple):
    """One of them, as the file has it; `model` may be a pattern."""

    model: str
    begin_ms: int
    end_ms: int
    place: str  # `incidents.csv:3`


class Judged(NamedTuple):
    """`found`: the first incident that was told of it."""

    known: Known
    found: Episode | None

    @property
    def delay_ms(self) -> int | None:
        """From its begin until it was told; what was told before is at once."""
        return None if self.found is None else max(self.found.found_ms - self.known.begin_ms, 0)


class Scores(NamedTuple):
    """`beside`: incidents that are of none of them. `outside`: known ones of which the history has nothing."""

    judged: list[Judged]
    told: int
    beside: list[Episode]
    outside: int

    @property
    def found(self) -> int:
        return sum(one.found is not None for one in self.judged)

    @property
    def recall(self) -> float | None:
        """Share of the known that were found."""
        return self.found / len(self.judged) if self.judged else None

    @property
    def precision(self) -> float | None:
        """Share of the incidents told that are of a known one."""
        return 1 - len(self.beside) / self.told if self.told else None

    @property
    def delay_ms(self) -> int | None:
        """Median of those that were found."""
        delays = [one.delay_ms for one in self.judged if one.delay_ms is not None]
        return round(median(delays)) if delays else None

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        found = [
            {**one.known._asdict(), "found": one.found and one.found.plain(), "delay_ms": one.delay_ms}
            for one in self.judged
        ]
        figures = {"recall": self.recall, "precision": self.precision, "delay_ms": self.delay_ms}
        beside = [one.plain() for one in self.beside]
        return {**figures, "known": found, "told": self.told, "beside": beside, "outside": self.outside}


def read_known(path: Path) -> list[Known]:
    """Of a CSV file with a header, or of JSON lines. BadInput names the line of what cannot be read."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or 'it is no UTF-8'}") from error
    rows = _rows_of_csv(path, lines) if path.suffix.lower() == ".csv" else _rows_of_json(path, lines)
    return [_known(f"{path.name}:{number}", row) for number, row in rows]


def _rows_of_csv(path: Path, lines: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(lines)
    lacking = [name for name in NAMES if name not in (reader.fieldnames or ())]
    if lacking:
        raise BadInput(f"{path}: it has no column {lacking[0]!r}; it needs {', '.join(NAMES)}")
    for row in reader:
        yield reader.line_num, row


def _rows_of_json(path: Path, lines: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise BadInput(f"{path.name}:{number}: it is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise BadInput(f"{path.name}:{number}: it is no object with {', '.join(NAMES)}")
        yield number, row


def _known(place: str, row: Mapping[str, Any]) -> Known:
    model, begin, end = (row.get(name) for name in NAMES)
    if not model or begin in (None, "") or end in (None, ""):
        raise BadInput(f"{place}: it needs {', '.join(NAMES)}")
    try:
        begin_ms, end_ms = (time_ms_of(f"@{one}" if isinstance(one, int | float) else str(one)) for one in (begin, end))
    except BadInput:
        example = "2026-01-31T12:00:00Z or, as JSON, seconds since 1970"
        raise BadInput(f"{place}: begin and end are times such as {example}") from None
    if end_ms < begin_ms:
        raise BadInput(f"{place}: it ends before it begins")
    return Known(str(model), begin_ms, end_ms, place)


def judge(
    known: Sequence[Known],
    incidents: Sequence[Episode],
    spans: Mapping[str, tuple[int, int]],
    tolerance_ms: int,
) -> Scores:
    """A known incident is found by one of its model that is told from its begin to its end, give or take a tolerance.

    `spans`: first and last event of each model.
    """
    inside = [one for one in known if any(_seen(one, model, span) for model, span in spans.items())]
    judged, of_known = list[Judged](), set[Episode]()
    for one in inside:
        begin, end = one.begin_ms - tolerance_ms, one.end_ms + tolerance_ms
        hits = [told for told in incidents if matches(one.model, told.model) and begin <= told.found_ms <= end]
        of_known |= set(hits)
        judged.append(Judged(one, min(hits, key=lambda told: told.found_ms, default=None)))
    beside = [told for told in incidents if told not in of_known]
    return Scores(judged, len(incidents), beside, len(known) - len(inside))


def _seen(one: Known, model: str, span: tuple[int, int]) -> bool:
    return matches(one.model, model) and span[0] <= one.end_ms and one.begin_ms <= span[1]
