"""From a notice of the alert book to the record that crosses Kafka: evidence, one plain sentence, how to repeat it."""

from __future__ import annotations

from typing import Any, NamedTuple

from schemas.alert import AlertFacts, Source, forms, identity, inner, render, rfc3339, written
from schemas.envelope import HEADERS
from streamer import config as cfg
from streamer.alerting import Notice
from streamer.log import Out, Partition
from streamer.monitors import Monitor
from streamer.signals import member_title
from streamer.units import show_duration

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


class Told(NamedTuple):
    """What both records of an episode say of it, written once."""

    sentence: tuple[str, str]  # before and behind the verdict
    finding: str  # see AlertFacts
    evidence: str


def alert_record(config: cfg.Config, partition: Partition, monitor: Monitor, notice: Notice) -> Out:
    """The record of one alert that changed its status. A function of state, offsets and config alone."""
    at, opened = notice.at, notice.opened
    if not monitor.forms:
        source = Source(config.kafka.group, *partition)
        monitor.forms = forms(monitor.config.severity, monitor.annotations, monitor.detector, source)
    own = monitor.identities.get(notice.row)
    if own is None:
        own = monitor.identities[notice.row] = identity(labels_of(monitor, notice.row), monitor.config.severity)
    if not notice.told:
        parts = sentence(own.labels, opened, partition)
        notice.told.append(Told(parts, inner(opened["finding"]), written(opened["evidence"])))
    told: Told = notice.told[0]
    firing = notice.status == "firing"
    began_ms: int = opened["time_ms"]
    began = rfc3339(began_ms)
    ends_ms = notice.ended_ms if notice.ended_ms is not None else max(began_ms, at.now_ms) + monitor.hold_ms
    facts = AlertFacts(
        mark=own.mark,
        subject=own.subject,
        labels=own.shown,
        trigger_offset=str(opened["offset"]),
        began=began,
        changed_offset=str(at.offset),
        changed=rfc3339(at.time_ms) if at.time_ms != began_ms else began,
        ends=rfc3339(ends_ms),
        number=str(notice.episode),
        detections=str(notice.detections),
        suppressed=str(notice.suppressed),
        finding=told.finding,
        evidence=told.evidence,
        sentence=written(("found by" if firing else "resolved, was found by").join(told.sentence)),
        replay=_replay(config, partition, opened["first_offset"], at.offset + 1),
    )
    return Out("alerts", *render(monitor.forms[notice.status], facts), HEADERS)


def labels_of(monitor: Monitor, row: int) -> dict[str, str]:
    """What tells an alert of this series from all others; it never changes."""
    table = monitor.table
    group, member = table.keys[row]
    labels = {"model": group[0], "monitor": monitor.name, "detector": monitor.config.detect.kind}
    labels["signal"] = member_title(table.signal, member)
    for field, value in zip(table.by, group[1:], strict=True):
        labels[BY_LABELS.get(field, field.replace(".", "_"))] = value
    return labels


def _replay(config: cfg.Config, partition: Partition, begin: int, end: int) -> str:
    """The series' whole history in the range makes the repetition exact: same reference, same detector state.

    A topic's name needs no escape, nor does anything else in it.
    """
    topic, number = partition
    place = f"--topic {topic} --partition {number} --from {begin} --to {end}"
    return (
        f'{{"ranges":[{{"topic":"{topic}","partition":{number},"from":{begin},"to":{end}}}],'
        f'"config":"{config.config_hash}","command":"driftline replay -c driftline.yaml {place}"}}'
    )


def sentence(labels: dict[str, str], opened: dict[str, Any], partition: Partition) -> tuple[str, str]:
    """What moved, from what to what, how sure and where, in one line: before and behind the verdict."""
    where = f"{partition[0]}[{partition[1]}]@{opened['offset']}"
    extra = [v for k, v in labels.items() if k not in ("model", "monitor", "detector", "signal") and v]
    who = labels["model"] + (f" ({', '.join(extra)})" if extra else "")
    signal, finding, evidence = labels["signal"], opened["finding"], opened["evidence"]
    before, after, window = evidence["before"], evidence["after"], evidence["window"]
    if window and "distance" in window:
        moved = f"the distribution of {signal} moved by {window['distance']:.3g} (limit {finding['threshold']:.3g})"
        most = window["moved"][0]
        moved += f" in {window['n']} events, most {most['bin']} ({most['before']:.1%} to {most['after']:.1%})"
    elif window and labels["detector"] == "trend":
        moved = (
            f"{signal} went steadily {_from_to(signal, window['expected'], window['value'])} in {window['n']} windows"
        )
    elif window and "value" in window:
        moved = f"{signal} was {_number(window['value'])}, {_number(window['expected'])} expected"
        moved += f" ({window['deviations']:+.1f} deviations)"
    elif window:
        share, limit = f"{window['fraction']:.1%}", f"{finding['threshold']:.1%}"
        moved = f"{share} of {window['n']} events {_phrase(signal, 1)} (limit {limit})"
        if window["reasons"]:
            top = window["reasons"][0]
            moved += f", most often {top['reason']} ({top['count']})"
    elif labels["detector"] == "silence":
        silent, limit = (show_duration(1000 * int(finding[name])) for name in ("statistic", "threshold"))
        moved = f"no events for {silent} (limit {limit})"
    elif labels["detector"] == "age":
        old, limit = (finding[name] / 86_400 for name in ("statistic", "threshold"))
        moved = f"the model is {old:.1f} days old (limit {limit:g})"
    elif labels["detector"] == "occurrence":
        moved = f"events {_phrase(signal, 1)}"
    elif before and after:
        moved = f"{_quantity(signal)} went {_from_to(signal, before['mean'], after['mean'])}"
        deviations = finding["effect"]["deviations"]
        moved += f" ({deviations:+.1f} deviations)" if deviations is not None else ""
    elif after:
        moved = f"{_quantity(signal)} moved to {_number(after['mean'])}"
    else:
        moved = f"{_quantity(signal)} changed"
    return f"{who}: {moved}; ", f" {labels['detector']} at {where}."


def _quantity(signal: str) -> str:
    return "share of " + _phrase(signal, 0) if _phrase(signal, 0) else f"mean of {signal}"


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
