"""Scenario tests: a config, a stream of events, and the alerts that must come of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
from pydantic import Field

from schemas.events.batch import Record
from streamer.config import model as cfg
from streamer.config.decoder_fields import fields_of
from streamer.config.load import build, validated
from streamer.config.problems import ConfigError, Problem, in_order
from streamer.config.types import Model
from streamer.config.yaml_source import PathKey, Source, parse
from streamer.engine.task import Task
from streamer.offline.event_files import EventFiles
from streamer.offline.generator import BadGenerator, Stream, literal, records
from streamer.offline.replay import BASE, CHUNK, BadInput, Replay
from streamer.offline.reviewers import TOGETHER, Answers, Items, Reviewers
from streamer.port import Out

AT = ("inferences", 0)
TOLD_MAX = 8


class Expected(Model):
    """An alert that must come: what is said here must be so."""

    status: Literal["firing", "resolved"] = "firing"
    monitor: str | None = None
    signal: str | None = None
    model: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    direction: Literal["up", "down", "unknown"] | None = None
    within: list[int] | None = Field(None, min_length=2, max_length=2)
    sentence: str | None = None
    count: int | None = Field(None, ge=1)
    shadow: bool = False

    def wanted_labels(self) -> dict[str, str]:
        named = {"monitor": self.monitor, "signal": self.signal, "model": self.model}
        return {name: text for name, text in named.items() if text is not None} | self.labels

    def fits(self, alert: dict[str, Any]) -> bool:
        labels, offset = alert["alert"]["labels"], alert["trigger"]["offset"]
        return (
            alert["status"] == self.status
            and all(labels.get(name) == text for name, text in self.wanted_labels().items())
            and alert.get("shadow", False) == self.shadow
            and self.direction in (None, alert["direction"])
            and (self.within is None or self.within[0] <= offset <= self.within[1])
            and (self.sentence is None or self.sentence in alert["sentence"])
        )

    def __str__(self) -> str:
        said = self.model_dump(exclude_defaults=True)
        return ", ".join(f"{name} {value}" for name, value in said.items()) or "any alert"


class Incidents(Model):
    """What the alerts of a model, or of all, must be told as: how many incidents, and over how many alerts."""

    model: str | None = None
    count: int = Field(ge=0)
    alerts: list[int] | None = Field(None, min_length=2, max_length=2)
    status: Literal["open", "resolved"] | None = None
    fleet: bool | None = None

    def wrong(self, newest: Iterable[dict[str, Any]]) -> Iterator[str]:
        """Of `newest`, the newest record of each incident."""
        mine = [told for told in newest if self.model in (None, told["model"])]
        if len(mine) != self.count:
            yield f"expected {self.count} incidents{f' of {self.model}' if self.model else ''}: there are {len(mine)}"
            yield from (f"came: {told['sentence']}" for told in mine[:TOLD_MAX])
        for told in mine:
            count, fleet = told["alerts"]["count"], told["fleet"] is not None
            if self.alerts is not None and not self.alerts[0] <= count <= self.alerts[1]:
                yield f"expected an incident of {self.alerts[0]} to {self.alerts[1]} alerts: {told['sentence']}"
            if self.status not in (None, told["status"]):
                yield f"expected an incident that is {self.status}: {told['sentence']}"
            if self.fleet not in (None, fleet):
                yield f"expected an incident in {'a' if self.fleet else 'no'} fleet: {told['sentence']}"


class Restart(Model):
    """From an event on the service runs with another config; what it keeps of its state is what `run` would keep."""

    at: int = Field(ge=1)
    config: dict[str, Any]


class Scenario(Model):
    description: str = Field(min_length=1)
    config: dict[str, Any] = Field(default_factory=dict)
    stream: Stream | None = None
    records: list[Any] = Field(default_factory=list)
    input: str | None = None
    restart: Restart | None = None
    expect: list[Expected] = Field(default_factory=list)
    first: Expected | None = None
    incidents: list[Incidents] = Field(default_factory=list)
    reviewers: Reviewers | None = None
    items: list[Items] = Field(default_factory=list)
    others: Literal["forbidden", "allowed"] = "forbidden"
    account: dict[Literal["used", "late", "duplicate", "filtered", "dead_lettered"], int] | None = None
    twin: Literal["silent"] | None = None


class Plan(NamedTuple):
    """A scenario that can be run."""

    scenario: Scenario
    config: cfg.Config
    after: cfg.Config | None  # of the restart
    given: Sequence[Record] = ()  # of the file it names


class Came(NamedTuple):
    """What came of a stream: alerts in their order, each incident as it was told last, the account of all records, and
    items of the review queue.
    """

    alerts: list[dict[str, Any]]
    incidents: dict[str, dict[str, Any]]
    account: dict[str, int]
    items: list[dict[str, Any]]


class Case(NamedTuple):
    """What became of a scenario, or of its twin."""

    name: str
    wrong: list[str]  # empty when all is well


def read(path: Path, env: Mapping[str, str]) -> Plan:
    """The scenario of a file; ConfigError with every problem and its place."""
    try:
        source = parse(path.read_bytes(), str(path), env)
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, 1, "unreadable", "", f"{error.strerror}.")]) from None
    found = validated(source, Scenario) if source.value is not None and source.complete else None
    configs: list[cfg.Config | None] = [None, None]
    if found is not None:
        if found.stream is not None:
            _check_generators(source, found.stream)
        configs = [_config(source, ("config",), found.config)]
        configs.append(_config(source, ("restart", "config"), found.restart.config) if found.restart else None)
    if source.problems or found is None or configs[0] is None:
        raise ConfigError(in_order(source.problems))
    return Plan(found, configs[0], configs[1], _given(source, found, configs[0], path.parent))


def _given(source: Source, scenario: Scenario, config: cfg.Config, folder: Path) -> list[Record]:
    """The events of the file that a scenario names, which is looked for beside it."""
    if scenario.input is None:
        return []
    try:
        return [record for _, records in EventFiles((folder / scenario.input,), config) for record in records]
    except BadInput as error:
        source.report("unreadable", ("input",), f"{error}.")
        raise ConfigError(in_order(source.problems)) from error


def _check_generators(source: Source, stream: Stream) -> None:
    try:
        next(records(stream))
    except BadGenerator as error:
        source.report("bad-value", ("stream", *error.path), f"{error}.")


def _config(source: Source, path: PathKey, value: dict[str, Any]) -> cfg.Config | None:
    """A config that stands within another file; its problems are told at their places there."""
    places = {p[len(path) :]: place for p, place in source.places.items() if p[: len(path)] == path}
    inner = Source(source.file, source.env, *source.place(path), value={**BASE, **value}, places=places)
    inner.indent = 0
    config = build(inner)
    source.problems += inner.problems
    return config


def run(plan: Plan, name: str, cut: int = CHUNK) -> list[Case]:
    """The scenario, and its twin where it has one."""
    scenario = plan.scenario
    cases = [Case(name, judge(scenario, play(plan, True, cut)))]
    if scenario.twin is not None:
        alerts = play(plan, False, cut).alerts
        said = [f"the twin must be silent: {alert['sentence']}" for alert in alerts if alert["status"] == "firing"]
        cases.append(Case(f"{name} (twin)", said[:TOLD_MAX]))
    return cases


def run_seeds(plan: Plan, name: str, seeds: int, cut: int = CHUNK) -> list[Case]:
    """The same over so many seeds, from that of the file on: a case is right where it is with each of them."""
    stream = plan.scenario.stream
    if stream is None or seeds == 1:
        return run(plan, name, cut)
    wrong: dict[str, dict[int, list[str]]] = {}
    for seed in range(stream.seed, stream.seed + seeds):
        for case in run(with_seed(plan, seed), name, cut):
            wrong.setdefault(case.name, {})[seed] = case.wrong
    return [Case(name, _over_seeds(by_seed)) for name, by_seed in wrong.items()]


def _over_seeds(by_seed: dict[int, list[str]]) -> list[str]:
    failed = [seed for seed, wrong in by_seed.items() if wrong]
    if not failed:
        return []
    told = [f"seed {seed}: {text}" for seed in failed for text in by_seed[seed]]
    return [f"{len(failed)} of {len(by_seed)} seeds fail: {', '.join(map(str, failed))}", *told[:TOLD_MAX]]


def with_seed(plan: Plan, seed: int) -> Plan:
    """The same scenario of other chance."""
    stream = plan.scenario.stream
    assert stream is not None
    drawn = stream.model_copy(update={"seed": seed})
    return plan._replace(scenario=plan.scenario.model_copy(update={"stream": drawn}))


def play(plan: Plan, changed: bool, cut: int) -> Came:
    """A scenario, or its twin."""
    scenario, engine = plan.scenario, Replay(plan.config, fields_of(plan.config), together=True)
    drawn = records(scenario.stream, changed) if scenario.stream else ()
    all_of = [*((None, one) for one in drawn), *literal(scenario.records), *((None, one) for one in plan.given)]
    events = [(topic or AT[0], record._replace(offset=offset)) for offset, (topic, record) in enumerate(all_of)]
    turn = scenario.restart.at if scenario.restart is not None and changed else len(events)
    came, answers = Came([], {}, {}, []), None
    if scenario.reviewers is not None and scenario.stream is not None:
        given = [record for _, record in events]
        answers = Answers(scenario.reviewers, plan.config, scenario.stream.seed, changed, given)
    _step(engine, events[:turn], cut, came, answers)
    if turn < len(events) and plan.after is not None:
        later = Replay(plan.after, fields_of(plan.after), together=True)
        later.tasks = {at: Task.load(plan.after, at, task.dump()) for at, task in engine.tasks.items()}
        if later.joined is not None and engine.joined is not None:
            later.joined.next, later.joined.end = engine.joined.next, engine.joined.end
        later.ticks, engine = engine.ticks, later
        _step(engine, events[turn:], cut, came, answers)
    return came._replace(account=dict(engine.account().counts))


def _step(
    engine: Replay, events: list[tuple[str, Record]], cut: int, came: Came, answers: Answers | None = None
) -> None:
    """The events, and where people answer what they say of some of them before the others come."""
    at_once = len(events) if answers is None else TOGETHER
    for begin in range(0, len(events), max(at_once, 1)):
        some = events[begin : begin + at_once]
        outs = [out for topic, mine in runs(some, cut) for out in engine.step((topic, 0), mine)]
        _note(outs, came)
        said = answers.to(outs) if answers is not None else []
        if said and engine.config.verdicts is not None:
            _note(engine.step((engine.config.verdicts.topic, 0), said), came)


def _note(outs: Iterable[Out], came: Came) -> None:
    for out in outs:
        if out.topic == "review" and out.value is not None:
            came.items.append(orjson.loads(out.value)["data"])
        elif out.topic in ("alerts", "shadow"):
            record = orjson.loads(out.value or b"")
            if record["data"]["status"] == "resolved" or int(record["sequence"]) == 1:  # Not what is told again.
                came.alerts.append(record["data"])
        elif out.topic == "incidents":
            told = orjson.loads(out.value or b"")["data"]
            came.incidents[told["incident"]] = told


def runs(events: list[tuple[str, Record]], most: int) -> Iterator[tuple[str, list[Record]]]:
    """Records that follow each other in one topic, at most so many at once."""
    for topic, mine in groupby(events, key=lambda one: one[0]):
        some = [record for _, record in mine]
        for begin in range(0, len(some), most):
            yield topic, some[begin : begin + most]


def judge(scenario: Scenario, came: Came) -> list[str]:
    """Everything that is not as expected, in sentences."""
    alerts, account = came.alerts, came.account
    wrong = [said for one in scenario.incidents for said in one.wrong(came.incidents.values())]
    wrong += [said for expected in scenario.items for said in expected.wrong(came.items)]
    for expected in scenario.expect:
        count = sum(expected.fits(alert) for alert in alerts)
        if count == 0 or expected.count not in (None, count):
            wrong.append(f"expected {expected}: came {count} times")
    firing = [alert for alert in alerts if alert["status"] == "firing"]
    if scenario.first is not None:
        live = [alert for alert in firing if alert.get("shadow", False) == scenario.first.shadow]
        if not (live and scenario.first.fits(live[0])):
            wrong.append(f"expected first {scenario.first}: came {live[0]['sentence'] if live else 'nothing'}")
    known = [*scenario.expect, *([scenario.first] if scenario.first else [])]
    if scenario.others == "forbidden":
        others = [alert for alert in firing if not any(expected.fits(alert) for expected in known)]
        wrong += [f"not expected: {_told(alert)}" for alert in others[:TOLD_MAX]]
    elif wrong:
        wrong += [f"came: {_told(alert)}" for alert in firing[:TOLD_MAX]]
    for name, count in (scenario.account or {}).items():
        if account[name] != count:
            wrong.append(f"expected {count:,} {name.replace('_', '-')} records: there are {account[name]:,}")
    return wrong


def _told(alert: dict[str, Any]) -> str:
    return f"{alert['alert']['labels']['monitor']}: {alert['sentence']}"


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files named, and the scenarios among the YAML files of folders."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")]) if path.is_dir() else [path]
        for file in inside:
            if not path.is_dir() or is_scenario(file):
                found[file] = None
    return list(found)


def is_scenario(path: Path) -> bool:
    text = "\n" + path.read_text("utf-8", "replace")
    return "\ndescription:" in text and any(f"\n{key}:" in text for key in ("stream", "records", "input"))
