"""From a notice of the alert book to the record that crosses Kafka: evidence, one plain sentence, how to repeat it.

A field of the record that varies is an entry of `episode_facts` or `change_facts`; `schemas/records/alert.py` has the
place of the older ones, a new one stands in `data` under its name, and `schemas/alert.v1.json` says what it means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from schemas.records import alert as wire
from schemas.records.envelope import HEADERS
from streamer.alerts.alert import ACCEPTED, CURRENT, FADED, GONE, RETAINED_SEVERITY, Acknowledged, Level, Notice, Opened
from streamer.config import model as cfg
from streamer.monitors.base import Monitor, MonitorBase
from streamer.monitors.evidence import Evidence, Summary, summary, told
from streamer.monitors.words import label_of, now_before
from streamer.port import Out, Partition
from streamer.signals.grammar import member_title

Key = tuple[str, int, bool, int | None]
"""Monitor, row, whether its alert is of the retained history, and the partition of before where it opened in another:
to its readers these are others.
"""
BEGUN_MAX = 4096
"""Episodes whose texts are kept for their later records; those of others are written again."""


class Series(NamedTuple):
    """What all records of a series of a monitor repeat; texts as they stand in JSON, without their quotes."""

    identity: wire.Identity
    who: str
    detector: str
    partition: Partition
    beside: str  # what `who` says beyond the model; no JSON


def key_of(notice: Notice) -> Key:
    return notice.monitor, notice.row, notice.retained, number_of(notice.opened)


def number_of(opened: Opened) -> int | None:
    """The partition in which it opened, where that is another one than its model has now."""
    return None if opened.home is None else opened.home[0]


def severity_of(monitor: Monitor, retained: bool) -> str:
    """What its alerts are told as."""
    return RETAINED_SEVERITY if retained else monitor.config.severity


def series_of(monitor: Monitor, row: int, partition: Partition, retained: bool = False) -> Series:
    labels = labels_of(monitor, row)
    extra = [v for k, v in labels.items() if k not in ("model", "monitor", "detector", "signal") and v]
    who = labels["model"] + (f" ({', '.join(extra)})" if extra else "")
    # Each partition has alerts of its own of what is one series to its producer; no other knows when they are over.
    where = f"{partition[0]}[{partition[1]}]"
    told_as = {**labels, "partition": where} | ({"retained": "true"} if retained else {})
    own = wire.identity(told_as, severity_of(monitor, retained))
    detector, beside = wire.inner(labels["detector"]), who.removeprefix(labels["model"])
    return Series(own, wire.inner(who), detector, partition, beside)


class Episode(NamedTuple):
    """What no later record of an episode says otherwise."""

    opened: Opened
    series: Series
    evidence: Evidence
    monitor: Monitor
    moved: str  # in words, of one who knows the series
    facts: dict[str, str]
    levels: list[tuple[Summary, bool, str]]  # the newest: where the series was, whether that is away; in JSON


def episode_of(monitor: Monitor, series: Series, opened: Opened, retained: bool) -> Episode:
    evidence = told(opened.evidence)
    moved = monitor.sentence(series.identity.labels, evidence)
    flags = {"shadow": monitor.config.shadow, "retained": retained}
    facts = episode_facts(series, opened, evidence, moved) | {name: "true" for name, so in flags.items() if so}
    return Episode(opened, series, evidence, monitor, moved, facts, [])


def episode_facts(series: Series, opened: Opened, evidence: Evidence, moved: str) -> dict[str, str]:
    """What records of an episode repeat. Each as it stands in JSON, texts without their quotes."""
    own = series.identity
    return {
        "fingerprint": own.fingerprint,
        "subject": own.subject,
        "labels": own.shown,
        **place_facts(opened, series),
        "trigger_place": opened.place,
        "began": wire.rfc3339(opened.time_ms),
        "finding": wire.inner({**evidence["finding"], "evidence": evidence["evidence"]}),
        "first_offset": str(opened.first_offset),
        "what_moved": f"{series.who}: {wire.inner(moved)}",
    }


def place_facts(opened: Opened, series: Series) -> dict[str, str]:
    """Where the record is that triggered: of an event of the ordered log the one it came in."""
    name, partition, offset, row = opened.origin or (*series.partition, opened.there, -1)
    topic = wire.quoted(name)
    at = f"{topic}[{partition}]@{offset}" + (f" row {row}" if row >= 0 else "")
    found = {
        "trigger_topic": topic,
        "trigger_partition": str(partition),
        "trigger_offset": str(offset),
        "found_at": f"{series.detector} at {at}.",
    }
    if opened.origin is not None:
        found["ordered"] = wire.written({"offset": opened.there, "row": opened.row})
    return found


def change_facts(notice: Notice, episode: Episode, labels: Mapping[str, str]) -> dict[str, str]:
    """All facts of a record: what it says for itself, and what `episode_facts` says."""
    at, opened, begun, monitor = notice.at, notice.opened, episode.facts, episode.monitor
    latest = latest_of(notice) if monitor.windowed else None
    words = verdict(notice, labels, monitor.over, monitor.sentence(labels, latest) if latest else "")
    return {
        **begun,
        "sequence": str(notice.sequence),
        "ordinal": f"{notice.sequence:010d}",
        "changed_offset": str(at.offset),
        "changed": begun["began"] if at.time_ms == opened.time_ms else wire.rfc3339(at.time_ms),
        "ends": wire.rfc3339(notice.ends_ms),
        "number": str(notice.episode),
        "detections": str(notice.detections),
        "suppressed": str(notice.suppressed),
        "sentence": f"{begun['what_moved']}; {wire.inner(words)} by {begun['found_at']}",
        # What came since its model has moved does not stand behind what came before.
        "end_offset": str((at.offset if opened.home is None else opened.there) + 1),
        "history": f" --first-end {notice.news_from}" if opened.first_offset < notice.news_from else "",
        "resolution": f'{{"how":"{notice.how}"}}' if notice.how else "null",
        "level": level_json(notice.level, episode),
        **({"latest": wire.written(latest and latest["evidence"]["window"])} if monitor.windowed else {}),
    }


def latest_of(notice: Notice) -> Evidence | None:
    """Of an alert that is told again: its newest window, if that is another than the one that opened it."""
    return notice.latest if notice.status == "renewed" else None


def level_json(level: Level | None, episode: Episode) -> str:
    """Where the series stands, which changes less often than its alert is told."""
    if level is None:
        return "null"
    before, band, away, now, wide = level
    for known, was_away, text in episode.levels:
        if known is now and was_away == away:
            return text
    said = {"before": before, "band": band, "away": away, "now": summary(now)}
    text = wire.written({**said, "spread": True} if wide else said)
    episode.levels[:] = [(now, away, text)]
    return text


def place_of(level: Level) -> tuple[float, float, str]:
    """Where the series is, and was before; and what of it, where that is not its mean."""
    return (level.now[2], level.before, "deviation ") if level.wide else (level.now[1], level.before, "")


def verdict(notice: Notice, labels: Mapping[str, str], over: str = MonitorBase.over, latest: str = "") -> str:
    """What became of the alert, in plain words and numbers; who found it follows. `over`: what is no longer so;
    `latest`: its newest window.
    """
    if notice.status == "firing":
        return "found in retained history" if notice.retained else "found"
    where = now_before(labels["signal"], *place_of(notice.level)) if notice.level else ""
    away = notice.level is not None and notice.level.away
    if notice.status == "renewed":
        firing = f"still firing, by now {latest}" if latest else "still firing"
        text = firing if not where else f"still away from before{where}" if away else f"back near before{where}"
    elif notice.how == ACCEPTED:
        text = f"accepted: this is the normal from here on{where}"
    elif notice.how == CURRENT:
        text = f"still so where the retained history ends, news from here on{where}"
    elif notice.how == FADED:
        text = f"faded, still away from before{where}" if away else f"faded{where}"
    elif notice.how == GONE:
        text = "resolved since the series fell silent and its place was given to another"
    else:
        text = f"{over}{where}"
    return f"{text}, was found"


def known_of(ack: Acknowledged) -> dict[str, Any]:
    """Who knows of an alert, as its records say it."""
    time = wire.rfc3339(ack.time_ms)
    return {"by": ack.by, "why": ack.why, "command": ack.command, "offset": ack.offset, "time": time}


PARTS = frozenset({"what_moved", "found_at"})
"""Facts that stand within others."""


class AlertRecords:
    """Writes the records of one partition. What those of a monitor, a series or an episode repeat is made once."""

    def __init__(
        self, config: cfg.Config, partition: Partition, monitors: Mapping[str, Monitor], generation: int = 0
    ) -> None:
        self.config, self.partition, self.monitors, self.generation = config, partition, monitors, generation
        self.forms: dict[tuple[str, bool, int | None], dict[str, wire.Form]] = {}  # as keys without row; then by status
        self.series: dict[Key, Series] = {}  # those that had an alert
        self.begun: dict[tuple[Key, int, int], Episode] = {}  # by series and trigger those that are told and not over

    def record(self, notice: Notice) -> Out:
        """The record of one alert that changed its status. A function of state, offsets and config alone."""
        key = key_of(notice)
        begun = self.episode(notice, key)
        self.told(notice, key)
        monitor = begun.monitor
        facts = change_facts(notice, begun, begun.series.identity.labels)
        if self.config.control is not None:
            facts["acknowledged"] = "null" if notice.ack is None else wire.written(known_of(notice.ack))
        forms = self.forms.get((notice.monitor, *key[2:])) or self._forms(monitor, facts, *key[2:])
        form = forms["resolved" if notice.status == "resolved" else "firing"]
        topic = "shadow" if monitor.config.shadow else "alerts"
        return Out(topic, begun.facts["fingerprint"].encode(), wire.render(form, facts), HEADERS)

    def told(self, notice: Notice, key: Key) -> None:
        """Nothing is kept of an episode whose last record is written, or never will be."""
        if notice.status == "resolved":
            self.begun.pop((key, notice.opened.offset, notice.opened.row), None)

    def forget(self, monitors: Collection[str]) -> None:
        """The rows of these monitors mean other series from now on."""
        self.series = {key: made for key, made in self.series.items() if key[0] not in monitors}
        self.begun = {key: begun for key, begun in self.begun.items() if key[0][0] not in monitors}

    def episode(self, notice: Notice, key: Key) -> Episode:
        """What no later record of the notice's episode says otherwise. A series may have opened its next one before the
        records of this are written.
        """
        opened = notice.opened
        place = key, opened.offset, opened.row
        known = self.begun.get(place)
        if known is not None and known.opened is opened:
            return known
        made = episode_of(self.monitors[notice.monitor], self.series_at(key), opened, notice.retained)
        if self.config.mapping.each:
            made.facts["row"] = str(opened.row if opened.origin is None else opened.origin[3])
        if len(self.begun) < BEGUN_MAX:
            self.begun[place] = made
        return made

    def series_at(self, key: Key) -> Series:
        """The series of a monitor's row, with what its records repeat."""
        name, row, retained, home = key
        series = self.series.get(key)
        if series is None:
            series = self.series[key] = series_of(self.monitors[name], row, self.opened_in(home), retained)
        return series

    def opened_in(self, home: int | None) -> Partition:
        """The partition that an episode is named after: where it opened."""
        return self.partition if home is None else (self.partition[0], home)

    def _forms(
        self, monitor: Monitor, facts: Mapping[str, str], retained: bool, home: int | None
    ) -> dict[str, wire.Form]:
        """The records of a monitor, with a place in `data` for each fact that has none elsewhere."""
        made = monitor.config
        record = wire.template(tuple(name for name in facts if name not in wire.FACTS | PARTS))
        where = *self.opened_in(home), self.generation, self.config.file
        source = wire.Source(self.config.kafka.group, self.config.config_hash, *where, self.partition[1])
        own = wire.forms(record, severity_of(monitor, retained), annotations_of(made), detector_of(made), source)
        self.forms[monitor.name, retained, home] = own
        return own


def annotations_of(config: cfg.Monitor) -> dict[str, str]:
    """What the user wrote for the reader of an alert."""
    chosen = {"description": config.description, "runbook_url": config.runbook_url}
    return {name: text for name, text in chosen.items() if text}


def detector_of(config: cfg.Monitor) -> dict[str, Any]:
    """The detector as alerts show it."""
    detect = config.detect
    return {"kind": detect.kind, "params": detect.shown(), "scale_free": detect.scale_free}


def labels_of(monitor: Monitor, row: int) -> dict[str, str]:
    """What tells an alert of this series from all others; it never changes."""
    table = monitor.table
    group, member = table.keys[row]
    labels = {"model": group[0], "monitor": monitor.name, "detector": monitor.config.detect.kind}
    labels["signal"] = member_title(table.signal, member)
    for field, value in zip(table.by, group[1:], strict=True):
        labels[label_of(field)] = value
    return labels
