"""From a notice of the alert book to the record that crosses Kafka: evidence, one plain sentence, how to repeat it."""

from __future__ import annotations

from typing import NamedTuple

from schemas.records.alert import (
    AlertFacts,
    Identity,
    Source,
    edge_records,
    forms,
    identity,
    inner,
    render,
    rfc3339,
    written,
)
from schemas.records.envelope import HEADERS
from streamer.alerts.lifecycle import AnyNotice, Notice, notice_of
from streamer.config import model as cfg
from streamer.config.units import show_duration
from streamer.monitors.evidence import Evidence, told
from streamer.monitors.registry import Monitor
from streamer.port import Out, Partition
from streamer.signals.grammar import member_title

BY_LABELS = {"version": "model_version", "caller": "caller"}
PHRASES = {
    # Head of a 0/1 signal -> the events it counts, and what they do.
    "missing": ("events without {}", "lack {}"),
    "label": ("label {}", "have label {}"),
    "status": ("status {}", "have status {}"),
    "caller": ("caller {}", "come from {}"),
    "version": ("version {}", "are of version {}"),
    "action": ("feedback {}", "have feedback {}"),
    "unseen": ("events with an unseen {}", "have a {} the reference never saw"),
    "new_label": ("events with a new label", "have a label the reference never saw"),
    "new_feature": ("events with the new feature {}", "have the feature {}, which the reference never saw"),
    "new_version": ("events of a new version", "are of a version the reference never saw"),
    "new_caller": ("events of a new caller", "are from a caller the reference never saw"),
    "version_change": ("changes of version", "are of another version than the one before"),
    "invalid": ("events with an invalid {}", "have an invalid {}"),
    "error": ("failed events", "failed"),
    "ood": ("unfamiliar events", "are unfamiliar"),
    "confident_ood": ("unfamiliar events the model is sure of", "are unfamiliar, and the model is sure of them"),
    "anomaly": ("anomalous events", "are anomalous"),
}


class Words(NamedTuple):
    """What every sentence about a series has in it."""

    who: str
    quantity: str  # what it is the mean of
    place: str  # the detector and the partition; an offset follows
    share: bool  # whether the mean is told as a share


def alert_record(config: cfg.Config, partition: Partition, monitor: Monitor, notice: AnyNotice) -> Out:
    """The record of one alert that changed its status. A function of state, offsets and config alone."""
    if not monitor.forms:
        source = Source(config.kafka.group, config.config_hash, *partition)
        monitor.forms = forms(monitor.config.severity, monitor.annotations, monitor.detector, source)
        if monitor.config.detect.kind != "occurrence":  # Of that nothing is told that moved.
            monitor.writer = edge_records(monitor.forms, monitor.hold_ms)
    if monitor.writer is None or isinstance(notice, Notice):
        plain = notice if isinstance(notice, Notice) else notice_of(notice.plain())
        return Out("alerts", *written_out(partition, monitor, plain), HEADERS)
    record: tuple[bytes, bytes] | None = monitor.writer.write(notice)
    if record is None:
        labels, *named = identity_of(monitor, notice.row)
        *words, share = words_of(labels, partition)
        monitor.writer.add(notice.row, named, (*map(inner, words), share))
        record = monitor.writer.write(notice)
    assert record is not None
    return Out("alerts", record[0], record[1], HEADERS)


def written_out(partition: Partition, monitor: Monitor, notice: Notice) -> tuple[bytes, bytes]:
    """Key and value of any notice's record; the compiled writer of edges is held against this."""
    at, opened = notice.at, notice.opened
    own = monitor.identities.get(notice.row)
    if own is None:
        own = monitor.identities[notice.row] = identity_of(monitor, notice.row)
    shown = told(opened.evidence)
    firing = notice.status == "firing"
    words = words_of(own.labels, partition)
    verdict = "found by" if firing else "resolved, was found by"
    text = f"{words.who}: {moved(own.labels, shown)}; {verdict} {words.place}{opened.offset}."
    began_ms = opened.time_ms
    began = rfc3339(began_ms)
    ends_ms = notice.ended_ms if notice.ended_ms is not None else max(began_ms, at.now_ms) + monitor.hold_ms
    facts = AlertFacts(
        mark=own.mark,
        subject=own.subject,
        labels=own.shown,
        trigger_offset=str(opened.offset),
        began=began,
        changed_offset=str(at.offset),
        changed=rfc3339(at.time_ms) if at.time_ms != began_ms else began,
        ends=rfc3339(ends_ms),
        number=str(notice.episode),
        detections=str(notice.detections),
        suppressed=str(notice.suppressed),
        finding=inner(shown["finding"]),
        evidence=written(shown["evidence"]),
        sentence=inner(text),
        first_offset=str(opened.first_offset),
        end_offset=str(at.offset + 1),
    )
    return render(monitor.forms[notice.status], facts)


def identity_of(monitor: Monitor, row: int) -> Identity:
    """What names a series in its records."""
    return identity(labels_of(monitor, row), monitor.config.severity)


def labels_of(monitor: Monitor, row: int) -> dict[str, str]:
    """What tells an alert of this series from all others; it never changes."""
    table = monitor.table
    group, member = table.keys[row]
    labels = {"model": group[0], "monitor": monitor.name, "detector": monitor.config.detect.kind}
    labels["signal"] = member_title(table.signal, member)
    for field, value in zip(table.by, group[1:], strict=True):
        labels[BY_LABELS.get(field, field.replace(".", "_"))] = value
    return labels


def words_of(labels: dict[str, str], partition: Partition) -> Words:
    """The words for a series with these labels."""
    extra = [v for k, v in labels.items() if k not in ("model", "monitor", "detector", "signal") and v]
    who = labels["model"] + (f" ({', '.join(extra)})" if extra else "")
    place = f"{labels['detector']} at {partition[0]}[{partition[1]}]@"
    return Words(who, _quantity(labels["signal"]), place, bool(_phrase(labels["signal"], 0)))


def moved(labels: dict[str, str], shown: Evidence) -> str:
    """What moved, from what to what, and how sure, in one line."""
    signal, finding, evidence = labels["signal"], shown["finding"], shown["evidence"]
    before, after, window = evidence["before"], evidence["after"], evidence["window"]
    if window and "distance" in window:
        text = f"the distribution of {signal} moved by {window['distance']:.3g} (limit {finding['threshold']:.3g})"
        most = window["moved"][0]
        text += f" in {window['n']} events, most {most['bin']} ({most['before']:.1%} to {most['after']:.1%})"
    elif window and labels["detector"] == "trend":
        text = (
            f"{signal} went steadily {_from_to(signal, window['expected'], window['value'])} in {window['n']} windows"
        )
    elif window and "value" in window:
        text = f"{signal} was {_number(window['value'])}, {_number(window['expected'])} expected"
        text += f" ({window['deviations']:+.1f} deviations)"
    elif window:
        share, limit = f"{window['fraction']:.1%}", f"{finding['threshold']:.1%}"
        text = f"{share} of {window['n']} events {_phrase(signal, 1)} (limit {limit})"
        if window["reasons"]:
            top = window["reasons"][0]
            text += f", most often {top['reason']} ({top['count']})"
    elif labels["detector"] == "silence":
        silent, limit = (show_duration(1000 * int(finding[name])) for name in ("statistic", "threshold"))
        text = f"no events for {silent} (limit {limit})"
    elif labels["detector"] == "age":
        old, limit = (finding[name] / 86_400 for name in ("statistic", "threshold"))
        text = f"the model is {old:.1f} days old (limit {limit:g})"
    elif labels["detector"] == "occurrence":
        text = f"events {_phrase(signal, 1)}"
    elif before and after:
        text = f"{_quantity(signal)} went {_from_to(signal, before['mean'], after['mean'])}"
        deviations = finding["effect"]["deviations"]
        text += f" ({deviations:+.1f} deviations)" if deviations is not None else ""
    elif after:
        text = f"{_quantity(signal)} moved to {_number(after['mean'])}"
    else:
        text = f"{_quantity(signal)} changed"
    return text


def _quantity(signal: str) -> str:
    counted = _phrase(signal, 0)
    return f"share of {counted}" if counted else f"mean of {signal}"


def _phrase(signal: str, form: int) -> str:
    """A 0/1 signal in words, see PHRASES; empty for a number."""
    head, _, name = signal.partition(".")
    return PHRASES[head][form].format(name) if head in PHRASES else ""


def _from_to(signal: str, before: float, after: float) -> str:
    if _phrase(signal, 0):
        return f"from {before:.1%} to {after:.1%}"
    return f"from {_number(before)} to {_number(after)}"


def _number(value: float) -> str:
    return f"{value:.4g}"
