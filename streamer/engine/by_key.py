"""The tasks of the ordered log when models that are shared out by more than their name, `kafka.order_by`, get another
number of partitions: what is known of each key, a model and these values, goes where its events will.

For the move a key is a model of its own: `apart` gives each what it has of its model, `together` makes those of one
model in a partition one again. What is known of a model and of no key each of them takes along: its clock, its silence,
what its values are. What is counted of a model goes with its first key, so that sums stay what they are.

An incident goes with the first of its alerts that are open, else with the first key of its model; alerts that go
elsewhere leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from streamer.alerts.alert_record import number_of
from streamer.config.model import Config
from streamer.engine import snapshot
from streamer.engine.engines import ENGINE, Engine
from streamer.engine.event_clock import NOW
from streamer.engine.ordering import part_of
from streamer.engine.repartition import NotDivisible, State, moves_of, repartitioned
from streamer.engine.rings import HOURS
from streamer.engine.task import Task
from streamer.monitors.window_outcomes import NOBODY
from streamer.series.homes import OPEN

SEPARATOR = "\0"
"""Between the values of a key, as `part_of` has it."""
Keys = dict[str, list[str]]
"""By model its keys."""
EACH_KEY: dict[str, Callable[[Any], Iterator[list[Any]]]] = {
    "action": lambda rule: iter(rule["groups"]),
    "distance": lambda rule: (one[0] for one in rule["spaces"]),
    "new_feature": lambda rule: (one[0] for one in rule["groups"]),
    "version_change": lambda rule: (one[0] for one in rule),
}
"""By the kind of a signal the groups in the state of its source."""


class Apart(NamedTuple):
    """A state in which keys are models, which they are, and the incidents, each with its key."""

    state: State
    names: list[str]
    incidents: list[tuple[str, State]]


def shared_out(
    config: Config, blobs: Sequence[bytes], before: int, parts: int, topic: str, engine: Engine = ENGINE
) -> list[bytes]:
    """See `repartitioned`; for models as for keys of them."""
    divisible(config)
    if not config.kafka.order_by:
        return repartitioned(config, blobs, before, parts, topic, engine)
    loaded = [Task.load(config, (topic, number), blob, engine) for number, blob in enumerate(blobs)]
    cut = [apart(task) for task in loaded]
    del loaded
    whole = [snapshot.encode(one.state) for one in cut]
    made = repartitioned(config, whole, before, parts, topic, engine, where)
    moves = moves_of([one.names for one in cut], before, parts, where)
    states = [together(snapshot.decode(blob)) for blob in made]
    for number, one in enumerate(cut):
        for name, incident in one.incidents:
            source, to = moves[name]
            if source == number:
                _put(states[to]["incidents"], incident, source, to)
    for number, one in enumerate(cut):
        if made[number] == whole[number] and not _moved(one, states[number]):
            continue
        _newest_alone(states[number]["incidents"])
        blob = snapshot.encode(states[number])
        made[number] = Task.load(config, (topic, number), blob, engine).dump()
    return [blob if new == old else new for blob, new, old in zip(blobs, made, whole, strict=True)]


def _moved(one: Apart, state: State) -> bool:
    """Whether it has other incidents than before."""
    return [incident["id"] for _, incident in one.incidents] != [i["id"] for i in state["incidents"]["incidents"]]


def divisible(config: Config) -> None:
    """NotDivisible where something is known of several keys of a model together, in words that name it."""
    by = config.kafka.order_by
    if not by:
        return
    shared = f"kafka.order_by shares a model out by {', '.join(by)}"
    monitors = config.effective_monitors()
    whole = [name for name, one in monitors.items() if not {*by} <= {*one.by}]
    if whole:
        more = f" and {len(whole) - 3} more" if len(whole) > 3 else ""
        raise NotDivisible(
            f"{shared}: {', '.join(whole[:3])}{more} watch all of a partition's together, which has no part; say `by` "
            "there, or in `defaults`"
        )
    peers = [name for name, one in monitors.items() if one.detect.kind == "peers" and one.by[-1] in by]
    if peers:
        raise NotDivisible(f"{shared}: {', '.join(peers)} compares them with each other, those of a partition alone")
    if config.labels is not None:
        raise NotDivisible(f"{shared}: a label that waits for its inference, `labels`, says its model and no more")
    if config.given is not None:
        raise NotDivisible(f"{shared}: what a file of references says is in all partitions")


def where(name: str, parts: int) -> int:
    """The partition of a key; of a model without any the one where it is, which its name says."""
    head, _, number = name.rpartition(SEPARATOR * 2 + "@")
    return int(number) if head and number.isdigit() else part_of([name], parts)


def keys_of(config: Config, state: Mapping[str, Any]) -> list[str]:
    """The models that a snapshot of stage 2 has met, or their keys."""
    met = [str(model) for model, *_ in state["admission"]["newest_ms"]]
    if not config.kafka.order_by:
        return met
    task = Task(config, (str(state["partition"][0]), int(state["partition"][1])), 0)
    keys = _keys(met, _of_rows(config, _by(task), state), task.partition[1])
    return [name for names in keys.values() for name in names]


def told(name: str) -> str:
    """A key, as people read it."""
    return name.replace(SEPARATOR, " ")


def model_of(name: str) -> str:
    """The model of a key."""
    return name.partition(SEPARATOR)[0]


def nothing(rule: Any) -> Iterator[list[Any]]:
    """What is remembered is of rows."""
    return iter(())


def _by(task: Task) -> dict[str, tuple[str, ...]]:
    """By the identity of a table what its rows are split by."""
    return {table.identity: table.by for table in task.tables.values()}


def _named(group: Sequence[str], by: tuple[str, ...], order_by: Sequence[str]) -> str:
    """The key of a group that is split by these."""
    return SEPARATOR.join([group[0], *(group[1 + by.index(field)] for field in order_by)])


def _of_rows(config: Config, by: Mapping[str, tuple[str, ...]], state: Mapping[str, Any]) -> dict[str, list[str]]:
    """By table the key of each row."""
    order_by, tables = config.kafka.order_by, state["tables"]
    return {name: [_named(group, by[name], order_by) for group, _ in tables[name]["keys"]] for name in tables}


def _keys(met: Sequence[str], of_rows: Mapping[str, list[str]], number: int) -> Keys:
    """The keys of each model that was met; one without any row stays in its partition."""
    names = dict.fromkeys(name for rows in of_rows.values() for name in rows)
    found: Keys = {model: [] for model in met}
    for name in names:
        found.setdefault(model_of(name), []).append(name)
    return {model: found[model] or [f"{model}{SEPARATOR * 2}@{number}"] for model in met}


def apart(task: Task) -> Apart:
    """The state of a task in which each key is a model of its own."""
    state, config, by = snapshot.decode(task.dump()), task.config, _by(task)
    of_rows = _of_rows(config, by, state)
    tables, remembered = {table.identity: table for table in task.tables.values()}, list[str]()
    for identity, rule in state["rules"].items():
        for group in EACH_KEY.get(tables[identity].signal.kind, nothing)(rule):
            group[0] = _named(group, by[identity], config.kafka.order_by)
            remembered.append(group[0])
    keys = _keys([*task.models()], {**of_rows, "": remembered}, task.partition[1])
    if any(SEPARATOR in model for model in keys):
        raise NotDivisible("the name of a model has a NUL character in it")
    for identity, table in state["tables"].items():
        table["keys"] = [
            [[name, *group[1:]], m] for name, (group, m) in zip(of_rows[identity], table["keys"], strict=True)
        ]
        for group, _ in table["further"]:
            group[0] = _named(group, by[identity], config.kafka.order_by)
    for identity, rule in state["rules"].items():
        if isinstance(rule, dict) and "clocks" in rule:
            rule["clocks"] = [one for clock in rule["clocks"] for one in _clocks(clock, keys, of_rows[identity])]
        if isinstance(rule, dict) and "silent_ms" in rule:
            rule["events"] = _each(rule["events"], keys)
    for monitor in state["monitors"].values():
        if isinstance(monitor["state"], dict) and "verdicts" in monitor["state"]:
            verdicts = monitor["state"]["verdicts"]
            nobody = [one for one in verdicts if one[0] == NOBODY]
            monitor["state"]["verdicts"] = sorted([*nobody, *_first(verdicts, keys)])
    incidents = _with_keys(task, state["incidents"], keys, of_rows)
    state["incidents"] |= {"incidents": [], "newest": [], "ended": []}
    identity_of = {name: monitor.table.identity for name, monitor in task.monitors.items()}
    for alert in state["alerts"]["alerts"]:
        alert["model"] = of_rows[identity_of[alert["monitor"]]][alert["row"]]
    state["alerts"]["silent"] = _each(state["alerts"]["silent"], keys)
    state["muted"] = sorted(_first(state["muted"], keys))
    _admission_apart(state["admission"], keys)
    _rings_apart(state["rings"], keys)
    _homes_apart(state["homes"], keys)
    return Apart(state, [name for names in keys.values() for name in names], incidents)


def _each(items: Sequence[Any], keys: Keys) -> list[Any]:
    """What is said of a model, of each of its keys."""
    return [[name, *rest] for model, *rest in items for name in keys.get(model, ())]


def _first(items: Sequence[Any], keys: Keys) -> list[Any]:
    """What is counted of a model, of its first key."""
    return [[keys[model][0], *rest] for model, *rest in items if model in keys]


def _clocks(clock: Sequence[Any], keys: Keys, of_rows: Sequence[str]) -> Iterator[list[Any]]:
    """The clock of a model in aggregates, with the rows of each key."""
    model, newest_ms, spoke, skipped, windows, first, going = clock
    for number, name in enumerate(keys.get(model, ())):

        def mine(items: Sequence[Any], name: str = name) -> list[Any]:
            return [item for item in items if of_rows[item[0]] == name]

        open_ = [[window, mine(parts)] for window, parts in windows]
        yield [name, newest_ms, spoke, skipped * (number == 0), open_, mine(first), mine(going)]


def _admission_apart(state: State, keys: Keys) -> None:
    places = [place for place, (model, *_) in enumerate(state["newest_ms"]) for _ in keys[model]]
    first = [number == 0 for model, *_ in state["newest_ms"] for number, _ in enumerate(keys[model])]
    known = _each(state["newest_ms"], keys)
    state["newest_ms"] = [
        [name, time_ms, count * own] for (name, time_ms, count), own in zip(known, first, strict=True)
    ]
    state["clocks"] = [state["clocks"][place] for place in places]
    state["places"]["heard"] = state["places"]["heard"].reshape(-1, 2)[places]


def _rings_apart(state: State, keys: Keys) -> None:
    rows = [row for row, model in enumerate(state["names"]) for _ in keys[model]]
    first = np.array([number == 0 for model in state["names"] for number, _ in enumerate(keys[model])], bool)
    state["names"] = [name for model in state["names"] for name in keys[model]]
    state["events"], state["counts"] = state["events"][rows] * first, state["counts"][rows] * first[:, None]
    state["counts"] = state["counts"].astype(np.int32)


def _homes_apart(state: State, keys: Keys) -> None:
    rows = [row for row, (model, _) in enumerate(state["keys"]) for _ in keys.get(model, ())]
    texts = dict(state["texts"])
    state["keys"] = [[name, member] for model, member in state["keys"] for name in keys.get(model, ())]
    state["state"] = {name: values[rows] for name, values in state["state"].items()}
    state["texts"] = [[new, texts[row]] for new, row in enumerate(rows) if row in texts]


def _with_keys(task: Task, book: State, keys: Keys, of_rows: Mapping[str, list[str]]) -> list[tuple[str, State]]:
    """Incidents, each with the key that it goes with; of one that is over `ended` says when it ended."""
    name_of: dict[str, str] = {}
    for (monitor, row), alert in task.book.alerts.items():
        home = None if alert.opened is None else number_of(alert.opened)
        identity = task.records.series_at((monitor, row, alert.retained, home)).identity
        name_of[identity.fingerprint] = of_rows[task.monitors[monitor].table.identity][row]
    order = [*(i for i in book["incidents"] if not i["over"])]
    over = {incident["id"]: incident for incident in book["incidents"]}
    order += (over[id] for id in book["ended"])
    found = []
    for incident in order:
        names = [name_of[one] for one in [*incident["open"], *(m[0] for m in incident["members"])] if one in name_of]
        if names or incident["model"] in keys:
            found.append((names[0] if names else keys[incident["model"]][0], incident))
    return found


def _put(book: State, incident: State, source: int, to: int) -> None:
    """An incident that comes from a partition."""
    home = source if incident["home"] is None else incident["home"]
    book["incidents"].append({**incident, "home": None if home == to else home})


def _newest_alone(book: State) -> None:
    """Of each line of a model the newest incident is the one that others may join; what else is over is forgotten."""
    newest: dict[tuple[str, bool], State] = {}
    for incident in book["incidents"]:
        line = incident["model"], incident["retained"]
        if line not in newest or newest[line]["stretch"][1] < incident["stretch"][1]:
            newest[line] = incident
    book["incidents"] = [i for i in book["incidents"] if not i["over"] or newest[i["model"], i["retained"]] is i]
    book["newest"] = [incident["id"] for incident in newest.values()]
    book["ended"] = [incident["id"] for incident in book["incidents"] if incident["over"]]


def together(state: State) -> State:
    """The inverse of `apart`, whatever keys are there."""
    for identity, rule in state["rules"].items():
        if isinstance(rule, dict) and "silent_ms" in rule:
            _gaps_together(rule, [group[0] for group, _ in state["tables"][identity]["keys"]])
    for table in state["tables"].values():
        for group, _ in [*table["keys"], *table["further"]]:
            group[0] = model_of(group[0])
    for identity, rule in state["rules"].items():
        kind = identity.partition("|")[0]
        for group in EACH_KEY.get(kind, nothing)(rule):
            group[0] = model_of(group[0])
        if isinstance(rule, dict) and "clocks" in rule:
            rule["clocks"] = _clocks_of_models(rule["clocks"])
    for monitor in state["monitors"].values():
        if isinstance(monitor["state"], dict) and "verdicts" in monitor["state"]:
            monitor["state"]["verdicts"] = sorted(_summed(monitor["state"]["verdicts"]))
    for alert in state["alerts"]["alerts"]:
        alert["model"] = model_of(alert["model"])
    state["alerts"]["silent"] = _most(state["alerts"]["silent"])
    state["muted"] = sorted(_summed(state["muted"]))
    _admission_together(state["admission"])
    _rings_together(state["rings"])
    _homes_together(state["homes"])
    return state


def _summed(items: Sequence[Any]) -> list[Any]:
    """Counts of keys, of their models."""
    found: dict[str, list[int]] = {}
    for name, *counts in items:
        model = model_of(name)
        found[model] = [a + b for a, b in zip(found.get(model, [0] * len(counts)), counts, strict=True)]
    return [[model, *counts] for model, counts in found.items()]


def _most(items: Sequence[Any]) -> list[Any]:
    """Of all keys of a model the largest of each number."""
    found: dict[str, list[int]] = {}
    for name, *numbers in items:
        model = model_of(name)
        found[model] = [max(a, b) for a, b in zip(found.get(model, numbers), numbers, strict=True)]
    return [[model, *numbers] for model, numbers in found.items()]


def _clocks_of_models(clocks: Sequence[Any]) -> list[Any]:
    found: dict[str, list[Any]] = {}
    for name, newest_ms, spoke, skipped, windows, first, going in clocks:
        model = model_of(name)
        one = found.setdefault(model, [model, newest_ms, spoke, 0, {}, [], []])
        one[1:4] = max(one[1], newest_ms), max(one[2], spoke), one[3] + skipped
        for window, parts in windows:
            one[4].setdefault(window, []).extend(parts)
        one[5].extend(first)
        one[6].extend(going)
    return [[*one[:4], [[w, parts] for w, parts in one[4].items()], *one[5:]] for one in found.values()]


def _gaps_together(rule: State, names: Sequence[str]) -> None:
    """Gaps are counted in events of the model, of which each key knows as many as there were in its partition. `names`:
    the key of each row.
    """
    counts, most = dict(rule["events"]), dict(_most(rule["events"]))
    more = {name: most[model_of(name)] - count for name, count in counts.items()}
    rule["at"] = rule["at"] + np.array([more.get(name, 0) for name in names], np.int64)
    rule["events"] = sorted([model, count] for model, count in most.items())


def _admission_together(state: State) -> None:
    """A model's clock is the newest of its keys'."""
    found: dict[str, list[Any]] = {}
    rows = zip(state["newest_ms"], state["clocks"], state["places"]["heard"].reshape(-1, 2).tolist(), strict=True)
    for (name, time_ms, count), clock, heard in rows:
        one = found.setdefault(model_of(name), [time_ms, 0, clock, heard])
        newest = max(one[2], clock, key=itemgetter(NOW))
        one[:] = max(one[0], time_ms), one[1] + count, newest, max(one[3], heard, key=itemgetter(1))
    state["newest_ms"] = [[model, time_ms, count] for model, (time_ms, count, *_) in found.items()]
    state["clocks"] = [clock for _, _, clock, _ in found.values()]
    state["places"]["heard"] = np.array([one[3] for one in found.values()], np.int64).reshape(-1, 2)


def _rings_together(state: State) -> None:
    models = [model_of(name) for name in state["names"]]
    row_of = {model: row for row, model in enumerate(dict.fromkeys(models))}
    rows = [row_of[model] for model in models]
    events, counts = np.zeros(len(row_of), np.int64), np.zeros((len(row_of), HOURS), np.int32)
    np.add.at(events, rows, state["events"])
    np.add.at(counts, rows, state["counts"])
    state["names"], state["events"], state["counts"] = [*row_of], events, counts


def _homes_together(state: State) -> None:
    """What is known already stays known."""
    kind, n = state["state"]["kind"].tolist(), state["state"]["n"].tolist()
    best: dict[tuple[str, str], int] = {}
    for row, (name, member) in enumerate(state["keys"]):
        key = model_of(name), member
        if key not in best or (kind[row] != OPEN, n[row]) > (kind[best[key]] != OPEN, n[best[key]]):
            best[key] = row
    rows, texts = [*best.values()], dict(state["texts"])
    state["keys"] = [list(key) for key in best]
    state["state"] = {name: values[rows] for name, values in state["state"].items()}
    state["texts"] = [[new, texts[row]] for new, row in enumerate(rows) if row in texts]
