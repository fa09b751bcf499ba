"""The tasks of the ordered log when its models are shared out over another number of partitions: each model's state
goes where its events will. Pure: from the snapshots of all tasks, which stand at the end of their partitions, to new
ones.

What is of a model moves whole: its series with their references, detectors, windows and alerts, its clock, halves that
wait for another, incidents, what is known beside the monitors. An alert that is open keeps its id, for it remembers
where it opened.

What cannot be told apart by model stays with the number of its partition: the account of records, with the alerts about
it, counters, ticks, what is retained history, and the newest fleet. Ids that tell duplicates, and inferences that wait
for feedback, go along as far as they are among the newest of both.

Much is decided by what came before what, so offsets of the partition that is left are counted on from those of the one
that is entered: as if all of it had come there just before. They may be negative, which says where they are from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from heapq import merge
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from streamer.alerts.alert import Opened
from streamer.alerts.leaving import forget
from streamer.alerts.recovery import FIELDS as RECOVERY
from streamer.config.model import Config
from streamer.engine import snapshot
from streamer.engine.engines import ENGINE, Engine
from streamer.engine.ordering import part_of
from streamer.engine.rings import rings_joined, rings_without
from streamer.engine.task import Task
from streamer.monitors.window_outcomes import NOBODY
from streamer.series.living import joined as living_joined
from streamer.signals.columns import I64

NUMBERED = {
    *(
        "away",
        "calm",
        "doubts",
        "early",
        "first",
        "following",
        "gaps",
        "held",
        "hours",
        "kept",
        "loads",
        "normal",
        "places",
        "recent",
        "runs",
        "swings",
    ),
    *("texts", "usual"),
}
"""Lists in the state of a monitor, a source or the homes of names whose items begin with a row."""
NEVER, OF_A_FILE = int(np.iinfo(np.int64).max), -1
"""Offsets that are none: what a file of references knows is of no log."""
OF_SUMMARY = 3, 4
"""Where a `Summary` has offsets."""
PLACES = {"following": (3,), "normal": (4, 5), "open": (2, 3)}
"""Where items of lists in the state of a monitor have offsets; `open` has a list of windows per row."""
State = dict[str, Any]
Moves = dict[str, tuple[int, int]]
"""By model the partitions it goes from and to."""
Where = Callable[[str, int], int]
"""The partition of a model, over so many."""


class Way(NamedTuple):
    """From a partition to another, in which offsets are larger by so much. `seeded`: some rows are of a file."""

    source: int
    number: int
    by: int
    seeded: bool = False

    def offsets(self, known: I64) -> I64:
        """Those as they are counted there."""
        none = known == NEVER
        if self.seeded:
            none |= known == OF_A_FILE
        return np.where(none, known, known + self.by)


class NotDivisible(ValueError):
    """Something is known of a model that has no part; see `by_key.divisible`."""


def by_name(model: str, parts: int) -> int:
    """The partition of a model."""
    return part_of([model], parts)


def moves_of(models: Sequence[Collection[str]], before: int, parts: int, where: Where = by_name) -> Moves:
    """Which models go where, when the ordered log has so many parts instead of so many `before`. models: those of each
    partition.
    """
    found: Moves = {}
    for number, own in enumerate(models):
        for model in own:
            last, next_ = where(model, before), where(model, parts)
            # Where nobody knew of a change of partitions a model was learned twice: what counts is where it went last.
            if model in found and number != last:
                continue
            found[model] = number, next_
    return found


def repartitioned(
    config: Config,
    blobs: Sequence[bytes],
    before: int,
    parts: int,
    topic: str,
    engine: Engine = ENGINE,
    where: Where = by_name,
) -> list[bytes]:
    """The snapshots of all tasks after the move, as many as there were. blobs: of partition 0, 1 ... of the ordered
    log, also of those that have no part yet, or none any more. Raises InvalidSnapshot.
    """
    tasks = [Task.load(config, (topic, number), blob, engine) for number, blob in enumerate(blobs)]
    met = [models_of(task) for task in tasks]
    moves = moves_of(met, before, parts, where)
    del tasks  # Of large ones at most two are to be in memory.

    def stay(number: int) -> set[str]:
        return {model for model in met[number] if moves[model] == (number, number)}

    made = []
    for number, blob in enumerate(blobs):
        at = topic, number
        comes = {model: source for model, (source, to) in moves.items() if to == number != source}
        if not comes and len(stay(number)) == len(met[number]):
            made.append(blob)
            continue
        own = Task.load(config, at, blob, engine)
        lost = {model for model in met[number] if moves[model][0] != number}
        state = without(own, (met[number] - stay(number)) | comes.keys(), snapshot.decode(blob), lost)
        for source in sorted(set(comes.values())):
            other = Task.load(config, (topic, source), blobs[source], engine)
            mine = {model for model, place in comes.items() if place == source}
            more = without(other, known_by(other) - mine, {})
            for name, beside in own.beside.items():
                beside.join(other.beside[name], mine)
            joined(
                own,
                state,
                counted_on(more, Way(source, number, own.position - other.position, config.given is not None)),
            )
        state |= {name: beside.dump() for name, beside in own.beside.items()}
        made.append(Task.load(config, at, snapshot.encode(state), engine).dump())
    return made


def models_of(task: Task) -> set[str]:
    """Those it has met."""
    beside = (model for other in task.beside.values() for model in other.models())
    return {*task.models(), *(task.pairs.newest_ms if task.pairs is not None else ()), *beside}


def known_by(task: Task) -> set[str]:
    """And those that a file of references told of."""
    return {*models_of(task), *(group[0] for table in task.tables.values() for group, _ in table.keys)}


def without(task: Task, models: Collection[str], before: State, lost: Collection[str] = ()) -> State:
    """The state of a task that knows nothing of these models, the `lost` ones of which go on nowhere; its counters are
    as they were `before`.
    """
    for beside in task.beside.values():
        beside.leave(models, lost)
    if task.pairs is not None:
        task.pairs.leave(models)
    forget(task.book, models)
    task.room.forget(models, task.position)
    task.admission.places.forget(list(models))
    task.admission.forget([model for model in task.admission.newest_ms if model in models])
    state = task.state()
    for name in ("tables", "monitors"):
        for identity, one in before.get(name, {}).items() if name in before else ():
            own = state[name].get(identity)
            if own is None:
                continue
            if name == "tables":
                own["values"] = one["values"]
            elif isinstance(own["state"], dict) and "verdicts" in own["state"]:
                _keep_nobody(own["state"], one["state"])
    state["rings"] = rings_without(state["rings"], models)
    book = state["incidents"]
    book["incidents"] = [one for one in book["incidents"] if one["model"] not in models]
    left = {one["id"] for one in book["incidents"]}
    book["newest"], book["ended"] = ([id for id in book[name] if id in left] for name in ("newest", "ended"))
    return state


def _keep_nobody(state: State, before: State) -> None:
    """Windows of models that are forgotten count for nobody; of those that move they go along."""
    others = [one for one in state["verdicts"] if one[0] != NOBODY]
    state["verdicts"] = [one for one in before["verdicts"] if one[0] == NOBODY] + others


def joined(task: Task, state: State, other: State) -> None:
    """Add to a state of the task the models of another one."""
    bases = {identity: len(table["keys"]) for identity, table in state["tables"].items()}
    of_monitor = {name: bases[monitor.table.identity] for name, monitor in task.monitors.items()}
    for identity, table in state["tables"].items():
        _join_tables(table, other["tables"][identity], bases[identity])
    for identity, rule in state["rules"].items():
        made = _joined(rule, other["rules"][identity], bases[identity])
        if task.config.feedback is not None and isinstance(made, dict) and "unmatched" in made:
            for name in ("ids", "numbers", "marks"):
                made[name] = made[name][-task.config.feedback.pending :]
        state["rules"][identity] = made
    for name, monitor in state["monitors"].items():
        more = other["monitors"][name]["state"]
        monitor["state"] = _joined(monitor["state"], more, of_monitor[name])
    _join_admission(state["admission"], other["admission"])
    state["rings"] = rings_joined(state["rings"], other["rings"])
    state["muted"] = sorted([*state["muted"], *other["muted"]])
    homes = state["homes"]
    further = _joined({**homes, "of": []}, {**other["homes"], "of": []}, len(homes["keys"]))
    state["homes"] = {**further, "of": homes["of"]}
    if state["pairs"] is not None:
        for name in ("open", "newest_ms"):
            state["pairs"][name] = [*state["pairs"][name], *other["pairs"][name]]
    _join_alerts(state["alerts"], other["alerts"], of_monitor)
    _join_incidents(state["incidents"], other["incidents"])
    if other["history"][1] and not state["history"][1]:
        state["history"] = [task.position, True]


def _join_tables(table: State, other: State, base: int) -> None:
    table["keys"] = [*table["keys"], *other["keys"]]
    since = [one["since"] for one in (table, other) if one["since"] is not None]
    table["since"] = min(since, default=None)
    table["began"] = [*table["began"], *([row + base, at] for row, at in other["began"])]
    table["unpinned"] = [*table["unpinned"], *(row + base for row in other["unpinned"])]
    table["further"] = [*table["further"], *other["further"]]
    for name in ("categories", "reference", "history", "tails"):
        table[name] = _joined(table[name], other[name], base)
    table["living"] = living_joined(table["living"], base, other["living"], len(other["keys"]))


def _joined(own: Any, other: Any, base: int, name: str = "") -> Any:
    """Both, one behind the other. Rows of the other begin at `base`; an array has one element per row, or several,
    those of a row one after another. `name`: what it is called.
    """
    if isinstance(own, dict):
        if "heard" in own:
            return _join_places(own, other)
        if "unmatched" in own:
            return _join_remembered(own, other)
        return {key: _joined(value, other[key], base, key) for key, value in own.items()}
    if isinstance(own, np.ndarray):
        if name == "row":
            other = other + base
        return np.concatenate([own, other])
    if name == "clocks":
        return [*own, *map(_Shifted(base).clock, other)]
    if name == "verdicts":
        return sorted([*own, *(one for one in other if one[0] != NOBODY)])
    if name == "events":
        return sorted([*own, *other])
    if isinstance(own, list):
        if name in NUMBERED:
            return [*own, *([row + base, *rest] for row, *rest in other)]
        # What a monitor of silence has told of is no more than rows.
        return [*own, *(one + base if not name and isinstance(one, int) else one for one in other)]
    return own


class _Shifted:
    """Rows in what aggregates remember of the clock of a model."""

    def __init__(self, base: int) -> None:
        self.base = base

    def rows(self, items: Sequence[Any]) -> list[Any]:
        return [[row + self.base, *rest] for row, *rest in items]

    def clock(self, clock: Sequence[Any]) -> list[Any]:
        model, newest_ms, spoke, skipped, windows, first, going = clock
        open_ = [[window, self.rows(parts)] for window, parts in windows]
        return [model, newest_ms, spoke, skipped, open_, self.rows(first), self.rows(going)]


def _join_places(own: State, other: State) -> State:
    return {**own, "heard": np.concatenate([one["heard"].reshape(-1, 2) for one in (own, other)])}


def _join_remembered(own: State, other: State) -> State:
    """Inferences that wait for feedback, the newest last."""
    other = {**other, "numbers": other["numbers"] + len(own["groups"])}
    known, columns = dict[int, tuple[int, int]](), ("ids", "numbers", "marks")
    for event_id, *told in newest_last(
        *([*zip(*(one[name].tolist() for name in columns), strict=True)] for one in (own, other))
    ):
        known.pop(event_id, None)
        known[event_id] = told[0], told[1]
    return {
        **own,
        "ids": np.array([*known], np.uint64),
        "numbers": np.array([number for number, _ in known.values()], np.int64),
        "marks": np.array([marks for _, marks in known.values()], np.uint64),
        "groups": [*own["groups"], *other["groups"]],
    }


def newest_last(one: Sequence[Any], other: Sequence[Any]) -> Iterator[Any]:
    """Two sequences, each with its newest behind, as one: what has as many behind it counts as equally old."""
    ages = [[(place - len(items), item) for place, item in enumerate(items)] for items in (one, other)]
    return (item for _, item in merge(*ages, key=itemgetter(0)))


def _join_admission(own: State, other: State) -> None:
    own["places"] = _join_places(own["places"], other["places"])
    for name in ("newest_ms", "clocks"):
        own[name] = [*own[name], *other[name]]
    ids = dict.fromkeys(newest_last(other["ids"].tolist(), own["ids"].tolist()))
    own["ids"] = np.fromiter(ids, np.uint64, len(ids))


def _join_alerts(own: State, other: State, bases: Mapping[str, int]) -> None:
    moved = [{**alert, "row": alert["row"] + bases[alert["monitor"]]} for alert in other["alerts"]]
    own["alerts"] = [*own["alerts"], *moved]
    own["silent"] = [*own["silent"], *other["silent"]]


def _join_incidents(own: State, other: State) -> None:
    for name in ("incidents", "newest", "ended"):
        own[name] = [*own[name], *other[name]]
    own["fleet"] = own["fleet"] or other["fleet"]


def counted_on(state: State, way: Way) -> State:
    """What goes this way, with its offsets counted on."""
    by = way.by
    for table in state["tables"].values():
        table["since"] = None if table["since"] is None else table["since"] + by
        table["began"] = [[row, at + by] for row, at in table["began"]]
        table["history"]["last_offset"] = table["history"]["last_offset"] + by
        for name in ("first_offset", "last_offset"):
            table["reference"][name] = way.offsets(table["reference"][name])
    for monitor in state["monitors"].values():
        monitor["state"] = _counted_on(monitor["state"], by)
    for identity, rule in state["rules"].items():
        state["rules"][identity] = _counted_on(rule, by)
    homes = state["homes"]["state"]
    for name in ("first", "came"):
        homes[name] = way.offsets(homes[name])
    state["admission"]["places"] = _counted_on(state["admission"]["places"], by)
    if state["pairs"] is not None:
        state["pairs"]["open"] = [[*half[:5], half[5] + by, *half[6:]] for half in state["pairs"]["open"]]
    state["alerts"]["alerts"] = [_alert_on(alert, way) for alert in state["alerts"]["alerts"]]
    for incident in state["incidents"]["incidents"]:
        opened_in = way.source if incident["home"] is None else incident["home"]
        incident["home"] = None if opened_in == way.number else opened_in
    return state


def _counted_on(state: Any, by: int, name: str = "") -> Any:
    """The state of a monitor, a source or of places."""
    if isinstance(state, dict):
        return {key: _counted_on(value, by, key) for key, value in state.items()}
    if isinstance(state, np.ndarray):
        if name in ("first_offset", "last_offset"):
            return state + by
        if name in ("latest", "heard"):  # Pairs of a time and an offset.
            return state.reshape(-1, 2) + np.array([0, by])
        return state
    if name in PLACES:
        if name == "open":
            return [[_with(window, PLACES[name], by) for window in windows] for windows in state]
        return [_with(item, PLACES[name], by) for item in state]
    return state


def _with(item: Sequence[Any], places: Sequence[int], by: int) -> list[Any]:
    """With so much added to the numbers at these places."""
    return [value + by if place in places else value for place, value in enumerate(item)]


def _alert_on(alert: State, way: Way) -> State:
    opened: Opened | None = alert["opened"]
    if opened is not None:
        home = opened.home or (way.source, opened.offset)
        at_home = home[0] == way.number
        opened = opened._replace(offset=home[1] if at_home else opened.offset + way.by, home=None if at_home else home)
    recovery = alert["recovery"]
    if recovery is not None:
        known = dict(zip(RECOVERY, recovery, strict=False))  # One of a mean has only the first of them.
        known |= {"now": _with(known["now"], OF_SUMMARY, way.by), "first_offset": known["first_offset"] + way.by}
        recovery = [*known.values()]
    return {**alert, "opened": opened, "recovery": recovery}
