"""What a config means as a whole: rules over several keys, as tables.

The rules read the values as the file has them, so that they speak even where a neighbour is wrong and every mistake
shows in one run. A value of the wrong type is for the models to refuse; here it is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from detectors.params import RIVER_DETECTORS, check_river
from streamer.config.calendar import is_clock, is_date, is_moment
from streamer.config.detect import DETECTS, kinds_that
from streamer.config.librdkafka_settings import HIDDEN
from streamer.config.model import Topics
from streamer.config.problems import WARNINGS, did_you_mean, quoted
from streamer.config.topic_patterns import stands_for
from streamer.config.units import parse_duration
from streamer.config.yaml_source import PathKey, Source
from streamer.signals.grammar import Signal, counts_events, is_pattern, matches, parse_signal

TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


class Complaint(NamedTuple):
    path: PathKey
    kind: str
    message: str
    repeats: bool = True
    """Whether the message may have something of the value in it."""


Rule = Callable[[Any], Iterator[Complaint]]


def check_rules(source: Source, rules: Iterable[Rule]) -> None:
    """Report what the rules find, except of values that could not be read."""
    for rule in rules:
        for path, kind, message, repeats in rule(source.value):
            if path not in source.broken:
                hidden = path in source.hidden and repeats and kind not in WARNINGS  # Those repeat no value.
                source.report(kind, path, f"{HIDDEN} is not accepted here." if hidden else message)


def at(value: Any, *keys: str) -> Any:
    """What stands below the keys; None where nothing does."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def as_items(value: Any) -> list[tuple[Any, Any]]:
    """Keys and values of a mapping, places and items of a list; nothing of anything else."""
    return list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())


def what_is_invalid_has_a_check(raw: Any) -> Iterator[Complaint]:
    """Without a check nothing is ever invalid, and the monitor would watch nothing."""
    checks = [name.removeprefix("features.") for name, _ in as_items(at(raw, "checks")) if isinstance(name, str)]
    for name, monitor in as_items(at(raw, "monitors")):
        signal = at(monitor, "signal")
        if not isinstance(signal, str) or not signal.startswith("invalid."):
            continue
        member = signal.removeprefix("invalid.")
        if member not in checks and not (is_pattern(member) and any(matches(member, check) for check in checks)):
            near = did_you_mean(member, checks) if checks else " There are no checks."
            yield Complaint(("monitors", name, "signal"), "bad-value", f"no check is about {quoted(member)}.{near}")


def actions_need_feedback(raw: Any) -> Iterator[Complaint]:
    for name, monitor in as_items(at(raw, "monitors")):
        signal = at(monitor, "signal")
        if isinstance(signal, str) and signal.startswith("action.") and not isinstance(at(raw, "feedback"), dict):
            message = f"{quoted(signal)} needs the section feedback, be it 'feedback: {{}}'."
            yield Complaint(("monitors", name, "signal"), "bad-value", message)


def weights_are_of_monitors(raw: Any) -> Iterator[Complaint]:
    names = [str(name) for name, _ in as_items(at(raw, "monitors"))]
    for name, _ in as_items(at(raw, "false_alarms", "weights")):
        if str(name) not in names:
            near = did_you_mean(str(name), names)
            yield Complaint(("false_alarms", "weights", name), "bad-value", f"there is no monitor of this name.{near}")


def days_are_named_once(raw: Any) -> Iterator[Complaint]:
    """Either a date, or each day of a kind."""
    for i, day in as_items(at(raw, "calendar", "days")):
        path, first, last, every = ("calendar", "days", i), at(day, "date"), at(day, "to"), at(day, "every")
        if isinstance(day, dict) and (first is None) == (every is None):
            text = "needs date or every." if first is None else "either date or every, not both."
            yield Complaint(path, "bad-value", text)
        elif isinstance(day, dict) and last is not None and every is not None:
            yield Complaint((*path, "to"), "bad-value", "goes with date, not with every.")
        elif is_date(first) and is_date(last) and last < first:
            yield Complaint((*path, "to"), "bad-value", f"{last} is before {first}.")


def maintenance_has_a_length(raw: Any) -> Iterator[Complaint]:
    """Both ends are times of a day where it comes again, else times with their date."""
    for i, one in as_items(at(raw, "calendar", "maintenance")):
        path, fits = ("calendar", "maintenance", i), is_clock if at(one, "every") is not None else is_moment
        ends = {end: at(one, end) for end in ("from", "to")}
        for end, text in ends.items():
            if (is_clock(text) or is_moment(text)) and not fits(text):
                wanted = "02:00" if fits is is_clock else "2026-12-01T02:00"
                which = "with" if fits is is_clock else "without"
                yield Complaint((*path, end), "bad-value", f"{which} every it is written as {wanted}.")
        if fits is is_moment and all(map(is_moment, ends.values())) and ends["to"] <= ends["from"]:
            yield Complaint((*path, "to"), "bad-value", f"{ends['to']} is not after {ends['from']}.")


def a_shared_budget_knows_its_models(raw: Any) -> Iterator[Complaint]:
    """How many there are is not to be counted: what a batch has seen of them hangs on how the log was cut."""
    scope, models = at(raw, "false_alarms", "scope"), at(raw, "false_alarms", "models")
    told = [at(monitor, "model") for _, monitor in as_items(at(raw, "monitors"))]
    named = [list(one) if isinstance(one, list) else [one] for one in told]
    known = named and all(isinstance(name, str) and not is_pattern(name) for one in named for name in one)
    if scope == "service" and models is None and not known:
        wanted = "say among how many models it is shared: models: 50"
        yield Complaint(("false_alarms", "scope"), "bad-value", f"{wanted} (or name one in every monitor).")
    if models is not None and scope in (None, "model"):
        yield Complaint(("false_alarms", "models"), "bad-value", "only a budget of scope: service is shared by models.")


def something_is_watched(raw: Any) -> Iterator[Complaint]:
    if isinstance(raw, dict) and raw.get("monitors") == {}:
        yield Complaint(("standard",), "bad-value", "without the standard set and with no monitors nothing is watched.")


def topics_are_distinct(raw: Any) -> Iterator[Complaint]:
    topics = at(raw, "topics")
    uses: list[tuple[PathKey, str]] = [(("events", i), name) for i, name in as_items(at(topics, "events"))]
    uses += [((role,), name) for role, name in as_items(topics) if role != "events" and role in Topics.model_fields]
    first: dict[str, str] = {}
    for role, field in Topics.model_fields.items():
        if isinstance(topics, dict) and role not in topics and isinstance(field.default, str):
            first[field.default] = f"the default of topics.{role}"
    for path, name in uses:
        if isinstance(name, str) and name in first:
            message = f"{quoted(name)} is {first[name]}; every topic has one use."
            yield Complaint(("topics", *path), "bad-value", message)
        elif isinstance(name, str):
            first[name] = "topics." + (str(path[0]) if len(path) == 1 else f"events[{path[1]}]") + " already"


def no_pattern_matches_what_is_written(raw: Any) -> Iterator[Complaint]:
    """The service would take its own alerts for events."""
    topics = at(raw, "topics")
    own = {role: field.default for role, field in Topics.model_fields.items()} | dict(as_items(topics))
    for place, pattern in as_items(at(topics, "events")):
        names = [(role, name) for role, name in own.items() if isinstance(name, str) and stands_for(pattern, name)]
        for role, name in names[:1]:
            told = f"{quoted(pattern)} matches {quoted(name)}, which is topics.{role}: what is written must not be read"
            yield Complaint(("topics", "events", place), "bad-value", f"{told} as events.")


def score_has_a_limit(raw: Any) -> Iterator[Complaint]:
    for section in ("anomaly", "ood"):
        rule = at(raw, section)
        for one, other in (("score", "score_max"), ("score_max", "score")):
            if at(rule, one) is not None and at(rule, other) is None:
                yield Complaint((section, one), "bad-value", f"goes together with {other}.")


def _is(kind: Any, what: str) -> bool:
    """Whether something is so of this `detect.kind`, see `Detect`; of one that does not exist nothing is."""
    return isinstance(kind, str) and kind in DETECTS and bool(getattr(DETECTS[kind], what))


def listed(what: str) -> str:
    """The kinds of which something is so: `fraction, share and distribution`."""
    *others, last = kinds_that(what)
    return f"{', '.join(others)} and {last}"


def signal_of(monitor: Any) -> Signal | None:
    """What a monitor watches; None where that cannot be read, which its own check complains of."""
    text = at(monitor, "signal")
    try:
        return parse_signal(text) if isinstance(text, str) else None
    except ValueError:
        return None


def each_monitor(raw: Any) -> Iterator[Complaint]:
    for name, monitor in as_items(at(raw, "monitors")):
        for rule in MONITOR_RULES:
            for path, kind, message, _ in rule(monitor):
                yield Complaint(("monitors", name, *path), kind, message)


def river_knows_it(monitor: Any) -> Iterator[Complaint]:
    name = at(monitor, "detect", "name")
    if at(monitor, "detect", "kind") != "river" or not isinstance(name, str):
        return
    if name not in RIVER_DETECTORS:
        near = did_you_mean(name, RIVER_DETECTORS)
        yield Complaint(("detect", "name"), "bad-value", f"river has no {quoted(name)}.{near}")
        return
    known, params, fine = RIVER_DETECTORS[name], at(monitor, "detect", "params"), True
    for parameter, value in as_items(params):
        path = ("detect", "params", parameter)
        if parameter not in known:
            yield Complaint(
                path, "unknown-field", f"{name} has no such parameter.{did_you_mean(str(parameter), known)}"
            )
        elif type(value) not in known[parameter] and not (float in known[parameter] and type(value) is int):
            wanted = " or ".join(TYPE_NAMES[t] for t in known[parameter])
            yield Complaint(path, "wrong-type", f"must be {wanted}, not {quoted(value)}.")
        else:
            continue
        fine = False
    if fine and isinstance(params, dict):
        try:
            check_river(name, params)
        except ValueError as error:  # A range, or two parameters that do not go together.
            yield Complaint(("detect", "params"), "out-of-range", f"{error}.")


def clear_is_not_above_max(monitor: Any) -> Iterator[Complaint]:
    clear, most = (at(monitor, "detect", key) for key in ("clear", "max"))
    if all(type(number) in (int, float) for number in (clear, most)) and clear > most:
        yield Complaint(("detect", "clear"), "bad-value", f"{clear} must not be above max, which is {most}.")


def fraction_counts_ones(monitor: Any) -> Iterator[Complaint]:
    signal, kind = signal_of(monitor), at(monitor, "detect", "kind")
    if _is(kind, "counted") and signal is not None and signal.kind == "number":
        name = quoted(at(monitor, "signal"))
        message = f"{kind} counts a 0/1 signal (anomaly, missing.NAME, label.NAME), not {name}."
        yield Complaint(("detect", "kind"), "bad-value", message)


def what_looks_at_ones_is_of_a_share(monitor: Any) -> Iterator[Complaint]:
    signal, kind = signal_of(monitor), at(monitor, "detect", "kind")
    if _is(kind, "ones") and signal is not None and signal.kind == "number":
        name = quoted(at(monitor, "signal"))
        message = f"{kind} is for a 0/1 signal (invalid.NAME, new_label, error), not {name}."
        yield Complaint(("detect", "kind"), "bad-value", message)


def what_only_appears_is_an_occurrence(monitor: Any) -> Iterator[Complaint]:
    """Events without a new feature, or before the first odd one of a field, say nothing of it: there is no share."""
    signal, kind = at(monitor, "signal"), at(monitor, "detect", "kind")
    known = isinstance(kind, str) and kind in DETECTS and kind != "occurrence"
    appears = isinstance(signal, str) and signal.startswith(("new_feature.", "type_change.", "nan_prediction"))
    odd = isinstance(signal, str) and signal.startswith("odd.") and is_pattern(signal)
    if (appears or odd) and known:
        one = ", or name one field" if odd else ""
        message = f"{quoted(signal)} is an event that happens; use occurrence, not {kind}{one}."
        yield Complaint(("detect", "kind"), "bad-value", message)


def a_distribution_has_more_than_two_values(monitor: Any) -> Iterator[Complaint]:
    """Categories have a distribution and no mean; a 0/1 signal has a mean and nothing else."""
    name, kind = at(monitor, "signal"), at(monitor, "detect", "kind")
    signal = signal_of(monitor)
    if signal is None or not isinstance(kind, str):
        return
    if kind == "distribution" and signal.indicator:
        message = f"{quoted(name)} is 0 or 1: its share says it all; use fraction, adwin or page_hinkley."
        yield Complaint(("detect", "kind"), "bad-value", message)
    if kind != "distribution" and signal.kind == "category":
        message = f"{quoted(name)} has categories, which have no mean; use distribution, or label.NAME, unseen.NAME."
        yield Complaint(("detect", "kind"), "bad-value", message)


def a_distribution_counts_events(monitor: Any) -> Iterator[Complaint]:
    if at(monitor, "detect", "kind") == "distribution" and at(monitor, "window", "time") is not None:
        message = "the windows of a distribution are of events, so that all of them are equally sure."
        yield Complaint(("window", "time"), "bad-value", message)


def a_window_can_hold_enough(monitor: Any) -> Iterator[Complaint]:
    """A monitor that can never fire looks like health."""
    least, events = at(monitor, "detect", "min_count"), at(monitor, "window", "events")
    kind = at(monitor, "detect", "kind")
    most = 1000 if at(monitor, "window") is None else events
    if _is(kind, "counted") and type(least) is int and type(most) is int and least > most:
        yield Complaint(("detect", "min_count"), "bad-value", f"a window has {most} events: this can never fire.")


def silence_is_of_events(monitor: Any) -> Iterator[Complaint]:
    """`events` has no value to watch, only that there is none; and time that passes by ticks is not event time."""
    name, kind = at(monitor, "signal"), at(monitor, "detect", "kind")
    if not isinstance(name, str) or not isinstance(kind, str) or (name == "events") == _is(kind, "ticked"):
        return
    if _is(kind, "ticked") and name != "labels":  # See `label_checks.py`.
        yield Complaint(
            ("signal",), "bad-value", f"{kind} is of signal events, not {quoted(name)}; split it with `by`."
        )
    elif name == "events":
        message = f"signal events has no values; only {listed('ticked')}, not {kind}."
        yield Complaint(("detect", "kind"), "bad-value", message)


def an_aggregate_has_values_of_its_own(monitor: Any) -> Iterator[Complaint]:
    """One value per window of time: too few for a histogram, no 0 or 1; and only they can be a level or a trend."""
    name, kind = at(monitor, "signal"), at(monitor, "detect", "kind")
    signal = signal_of(monitor)
    if signal is None or not isinstance(kind, str):
        return
    aggregate = signal.spec.least > 0
    if aggregate and (_is(kind, "windowed") or _is(kind, "ones")):
        message = f"{quoted(name)} is one number per window; use level, trend, adwin or page_hinkley."
        yield Complaint(("detect", "kind"), "bad-value", message)
    if not (aggregate or (signal.spec.of_many and kind == "level")) and _is(kind, "aggregated"):
        message = f"{kind} is for an aggregate (traffic, p95(latency_ms), mean(value)), not {quoted(name)}."
        yield Complaint(("detect", "kind"), "bad-value", message)
    if at(monitor, "window", "least") is not None and (not aggregate or counts_events(signal)):
        message = "only a number that is an aggregate of others, such as p95(latency_ms), can wait for so many of them."
        yield Complaint(("window", "least"), "bad-value", message)
    if aggregate and at(monitor, "window", "events") is not None:
        yield Complaint(("window", "events"), "bad-value", "the windows of an aggregate are of time.")


def a_window_has_one_length(monitor: Any) -> Iterator[Complaint]:
    window = at(monitor, "window")
    if isinstance(window, dict) and (window.get("events") is None) == (window.get("time") is None):
        yield Complaint(("window",), "bad-value", "a window has either events or time.")


def an_edge_has_no_length(monitor: Any) -> Iterator[Complaint]:
    kind = at(monitor, "detect", "kind")
    if not isinstance(kind, str) or kind not in DETECTS or _is(kind, "held"):
        return
    signal = signal_of(monitor)
    if at(monitor, "window") is not None and (signal is None or not signal.spec.least):
        yield Complaint(("window",), "bad-value", f"only detect.kind {listed('windowed')} have windows.")
    try:
        held = parse_duration(at(monitor, "for"))
    except ValueError:
        return
    if held:
        message = f"it fires at once; only detect.kind {listed('held')} can be held."
        yield Complaint(("for",), "bad-value", message)


def it_ends_as_its_kind_can(monitor: Any) -> Iterator[Complaint]:
    """A level is over when it is clear; what must not happen even once has no before to go back to."""
    kind, resolve = at(monitor, "detect", "kind"), at(monitor, "resolve")
    if not isinstance(kind, str) or kind not in DETECTS or resolve not in ("recovered", "faded", "accepted"):
        return
    if not _is(kind, "edged") and resolve != "recovered":
        message = f"{kind} is over when it is clear; only {listed('edged')} can be {resolve}."
        yield Complaint(("resolve",), "bad-value", message)
    if not _is(kind, "recovers") and resolve == "recovered":
        yield Complaint(("resolve",), "bad-value", f"{kind} has no before to go back to; use faded or accepted.")


def split_once_by_each(monitor: Any) -> Iterator[Complaint]:
    by = at(monitor, "by")
    for i, field in as_items(by if isinstance(by, list) else []):
        if field in by[:i]:
            yield Complaint(("by", i), "bad-value", f"{quoted(field)} is named twice.")


MONITOR_RULES: tuple[Rule, ...] = (
    river_knows_it,
    clear_is_not_above_max,
    fraction_counts_ones,
    what_looks_at_ones_is_of_a_share,
    what_only_appears_is_an_occurrence,
    a_distribution_has_more_than_two_values,
    a_distribution_counts_events,
    a_window_can_hold_enough,
    silence_is_of_events,
    an_aggregate_has_values_of_its_own,
    a_window_has_one_length,
    an_edge_has_no_length,
    it_ends_as_its_kind_can,
    split_once_by_each,
)
RULES: tuple[Rule, ...] = (
    topics_are_distinct,
    no_pattern_matches_what_is_written,
    score_has_a_limit,
    what_is_invalid_has_a_check,
    actions_need_feedback,
    weights_are_of_monitors,
    a_shared_budget_knows_its_models,
    something_is_watched,
    days_are_named_once,
    maintenance_has_a_length,
    each_monitor,
)
