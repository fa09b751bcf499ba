"""Commands between events: what each verb does, why it is refused, and that neither cuts nor restarts change it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema
import pytest

from streamer.alerts.commands import REFUSALS, VERBS
from streamer.engine.control import commands_joined, commands_without
from streamer.engine.ordering import part_of
from streamer.engine.repartition import repartitioned
from streamer.engine.task import Task
from streamer.engine.tasks import Tasks
from streamer.port import Tick
from tests.engine.commands import BASE_MS, TEXT, command, config_of, log_of, of_role, piecewise, results, statuses, told
from tests.engine.commands import values as events_of

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).resolve().parents[2] / "schemas" / "control.v1.json").read_text())
)
SHIFTED = events_of((100.0, 600), (140.0, 2400))
"""An alert at 600 s that stays, told again each 10 minutes: at 1200, 1800, 2400 s."""


def run(commands: dict[int, list[bytes]], events: list[bytes] = SHIFTED) -> Task:
    config = config_of()
    task = told(config, log_of(config, events, commands))
    for record in of_role(task.outbox, "control"):
        SCHEMA.validate(record)
    return task


def answers(task: Task) -> list[tuple[str, str | None, int]]:
    found = [one["data"] for one in of_role(task.outbox, "control")]
    return [(one["status"], one["reason"], one["alerts"]["count"]) for one in found]


def test_without_commands_a_control_topic_changes_nothing_but_that_alerts_say_who_knows() -> None:
    config = config_of()
    with_topic = told(config, log_of(config, SHIFTED, {}))
    assert statuses(with_topic.outbox) == ["firing"] * 4
    assert not of_role(with_topic.outbox, "control")
    plain = TEXT.replace("control: {topic: drift-control}\n", "").replace('"b:1"', '"b:1", order: model')
    other = told(config_of(plain), log_of(config, SHIFTED, {}))
    for one, two in zip(of_role(with_topic.outbox, "alerts"), of_role(other.outbox, "alerts"), strict=True):
        assert one["data"].pop("acknowledged") is None
        one["data"]["replay"]["config"] = two["data"]["replay"]["config"]
        assert one == two


def test_an_acknowledged_alert_is_told_on_with_who_knows_of_it_until_it_is_over() -> None:
    back = events_of((100.0, 600), (140.0, 1500), (100.0, 900))
    task = run({1300: [command("ack", monitor="mean")]}, back)
    assert statuses(task.outbox) == ["firing", "firing", "firing*", "firing*", "resolved*"]
    assert answers(task) == [("applied", None, 1)]
    known = [r["data"]["acknowledged"] for r in of_role(task.outbox, "alerts") if r["data"]["acknowledged"]]
    assert {(one["by"], one["why"], one["command"]) for one in known} == {("ada", "known", "c1")}
    assert all(alert.ack is None for alert in task.book.alerts.values())
    ids = [one["id"] for one in of_role(task.outbox, "alerts")]
    assert len(set(ids)) == len(ids)


def test_who_acknowledged_takes_it_back() -> None:
    task = run({1300: [command("ack", monitor="mean")], 1500: [command("unack", "c2", monitor="mean")]})
    assert statuses(task.outbox) == ["firing", "firing", "firing*", "firing", "firing", "firing"]
    again = run({1500: [command("unack", monitor="mean")]})
    assert answers(again) == [("refused", "not_acknowledged", 0)]
    assert statuses(again.outbox) == ["firing"] * 4


def test_what_gets_worse_is_told_without_who_knew() -> None:
    """Of a share: its limit is 0.2, and twice that is worse."""
    rng = random.Random(5)
    shares = [0.0] * 600 + [0.3] * 800 + [0.9] * 800
    log = [
        json.dumps({"model": "fraud", "time": (BASE_MS + 1000 * i) / 1000, "features": {"a": value}}).encode()
        for i, share in enumerate(shares)
        for value in [1e6 if rng.random() < share else rng.gauss(100.0, 5.0)]
    ]
    said = statuses(run({900: [command("ack", monitor="share")]}, log).outbox, "share")
    assert said.count("firing*") >= 2
    last = len(said) - 1 - said[::-1].index("firing*")
    assert "firing" in said[last:], "it is news again"


def test_a_mute_holds_what_fires_and_tells_it_when_it_ends_if_it_still_holds() -> None:
    task = run({300: [command("mute", monitor="mean", **{"for": "15m"})]})
    first = of_role(task.outbox, "alerts")
    mine = [one for one in first if one["data"]["alert"]["labels"]["monitor"] == "mean"]
    assert statuses(task.outbox) == ["firing"] * 4, "at its end, and as ever"
    assert mine[0]["data"]["changed"]["time"] == "2023-11-14T22:33:19.000Z", "15 minutes after the command"
    assert mine[0]["data"]["trigger"]["time"] < "2023-11-14T22:24", "when it was found"
    assert [r["data"]["members"][0]["monitor"] for r in of_role(task.outbox, "incidents")][-1:] == ["mean"]
    held = {one.labels["why"]: one.value for one in task.counters() if one.name == "alerts_held_total"}
    assert held == {"muted": 1, "weak": 0}
    assert statuses(task.outbox, "share") == ["firing"] * 4, "what is not muted is told"


def test_what_is_over_before_its_mute_ends_nobody_hears_of() -> None:
    back = events_of((100.0, 600), (140.0, 300), (100.0, 900))
    task = run({300: [command("mute", monitor="mean", **{"for": "20m"})]}, back)
    assert statuses(task.outbox) == []
    assert len(of_role(task.outbox, "incidents")) == len(of_role(run({}, back).outbox, "incidents")) - 1


def test_what_was_told_is_told_to_its_end() -> None:
    back = events_of((100.0, 600), (140.0, 900), (100.0, 900))
    task = run({700: [command("mute", monitor="mean", **{"for": "30m"})]}, back)
    assert statuses(task.outbox) == ["firing", "resolved"]
    assert answers(task) == [("applied", None, 1)]


def test_unmute_tells_what_holds() -> None:
    mute = command("mute", monitor="mean", **{"until": "2023-11-15T00:00:00Z"})
    task = run({300: [mute], 900: [command("unmute", "c2", monitor="mean")]})
    assert answers(task) == [("applied", None, 0), ("applied", None, 1)]
    assert statuses(task.outbox)[0] == "firing"
    assert of_role(task.outbox, "control")[0]["data"]["until"] == "2023-11-15T00:00:00.000Z"
    assert task.control is not None
    assert len(task.control.holds) == 0


def test_a_mute_ends_by_the_silence_of_its_model_too() -> None:
    """Ticks take its clock on: whoever fell silent is told of as well, once the mute is over."""
    config, minute = config_of(), 60_000
    log = log_of(
        config, events_of((100.0, 600), (140.0, 300)), {300: [command("mute", monitor="mean", **{"for": "15m"})]}
    )
    for minutes, count in ((4, 0), (5, 1)):
        task, at = told(config, log), BASE_MS + 900_000
        for number in range(minutes + 1):
            task.tick(Tick(len(log), at + number * minute, caught_up=True))
        assert statuses(task.outbox).count("firing") == count, minutes
    beats = of_role(task.outbox, "heartbeats")
    assert [beats[0]["data"]["control"], beats[-1]["data"]["control"]] == [
        {"mutes": 1, "held": 1, "acknowledged": 0}, {"mutes": 0, "held": 0, "acknowledged": 0}
    ]  # fmt: skip


def test_a_mute_given_in_silence_lasts_from_there() -> None:
    config = config_of()
    log = log_of(
        config, events_of((100.0, 600), (140.0, 300)), {900: [command("mute", monitor="mean", **{"for": "2h"})]}
    )
    task = told(config, log[:-1])
    for number in range(100):
        task.tick(Tick(len(log) - 1, BASE_MS + 900_000 + number * 120_000, caught_up=True))
    task.step(Tasks(config).decode(log[-1:], "drift-ordered"))
    [answer] = of_role(task.outbox, "control")
    assert answer["data"]["until"] > "2023-11-15T02:40", "silent for three hours, and muted for two more"


def test_an_accepted_level_is_the_normal_from_the_command_on() -> None:
    again = events_of((100.0, 600), (140.0, 1400), (180.0, 600))
    task = run({1300: [command("accept", monitor="mean")]}, again)
    mine = [r["data"] for r in of_role(task.outbox, "alerts") if r["data"]["alert"]["labels"]["monitor"] == "mean"]
    assert [one["status"] for one in mine] == ["firing", "firing", "resolved", "firing"]
    assert mine[2]["resolution"] == {"how": "accepted"}
    assert mine[2]["changed"]["time"] == "2023-11-14T22:34:59.000Z"
    assert mine[3]["evidence"]["before"]["mean"] == pytest.approx(140.0, abs=2.0)


def test_a_command_is_obeyed_once_however_often_it_comes() -> None:
    task = run({1300: [command("ack", monitor="mean")], 1400: [command("ack", monitor="mean")] * 2})
    assert results(task) == {"applied": 1, "duplicate": 2}
    assert statuses(task.outbox).count("firing*") == 3
    assert sum(results(task).values()) == 3
    assert task.admission.counts == {"used": 3003, "late": 0, "duplicate": 0, "filtered": 0, "dead_lettered": 0}


REFUSED = {
    "unknown_command": command("reset", monitor="mean"),
    "no_author": command("ack", by="", monitor="mean"),
    "no_target": command("ack"),
    "unknown_alert": command("ack", alert="0123456789abcdef-drift-ordered-0-9"),
    "unknown_monitor": command("mute", monitor="means", **{"for": "1h"}),
    "nothing_open": command("ack", monitor="mean", segment="signal=features.b"),
    "not_acknowledged": command("unack", monitor="mean"),
    "not_muted": command("unmute", monitor="mean"),
    "no_end": command("mute", monitor="mean"),
    "expired": command("mute", monitor="mean", until="2023-11-14T22:00:00Z"),
    "no_level": command("accept", monitor="share"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_makes_no_sense_is_refused_with_its_reason_and_changes_nothing(why: str) -> None:
    task = run({1300: [REFUSED[why]]})
    assert answers(task) == [("refused", why, 0)]
    assert results(task) == {why: 1}
    assert REFUSALS[why] in of_role(task.outbox, "control")[0]["data"]["sentence"]
    assert statuses(task.outbox) == ["firing"] * 4


def test_of_a_model_that_is_not_known_nothing_is_open() -> None:
    task = run(
        {1300: [command("ack", model="other", monitor="mean")], 1301: [command("ack", "c2", model="x", alert="a-b")]}
    )
    assert [why for _, why, _ in answers(task)] == ["nothing_open", "unknown_alert"]
    assert set(task.admission.newest_ms) == {"fraud"}, "no model of that name is known for it"


def test_an_alert_is_named_by_any_of_its_records_and_one_that_is_over_by_none() -> None:
    back = events_of((100.0, 600), (140.0, 600), (100.0, 900), (140.0, 600))
    before = of_role(run({}, back).outbox, "alerts")
    first, *_, last = [r for r in before if r["data"]["alert"]["labels"]["monitor"] == "mean"]
    named = {name: run({2650: [command("ack", alert=text)]}, back) for name, text in
             {"id": last["id"], "episode": last["correlationid"], "over": first["id"]}.items()}  # fmt: skip
    assert {name: answers(task) for name, task in named.items()} == {
        "id": [("applied", None, 1)], "episode": [("applied", None, 1)], "over": [("refused", "over", 0)]
    }  # fmt: skip
    muted = run({2000: [command("mute", alert=first["id"], **{"for": "2h"})]}, back)
    assert statuses(muted.outbox) == statuses(run({}, back[:2000]).outbox), "its series is muted, though it is over"
    [told] = [one["data"] for one in of_role(muted.outbox, "control")]
    assert f" until {told['until']}: " in told["sentence"], "it says when it is over"


MANY = {
    300: [command("mute", "m1", monitor="mean", **{"for": "15m"})],
    700: [command("ack", "a1", monitor="share"), command("ack", "a1", monitor="share"), command("reset", "r1")],
    1400: [command("ack", "a2", monitor="mean"), command("mute", "m2", monitor="share", **{"for": "10m"})],
    1900: [command("accept", "x1", monitor="mean"), command("unack", "u1", monitor="share")],
    2100: [command("unmute", "m3", monitor="share"), command("mute", "m4", monitor="mean", **{"for": "2m"})],
    2101: [command("learn", "l1", monitor="mean", change="undo")],
    2600: [command("deploy", "d1", why="version 7")],
}


@pytest.mark.parametrize("seed", range(3))
def test_neither_cuts_nor_restarts_change_what_commands_do(seed: int) -> None:
    config = config_of()
    log = log_of(config, events_of((100.0, 600), (140.0, 1500), (300.0, 600)), MANY, piece=7)
    whole = told(config, log)
    outs, cut = piecewise(config, log, random.Random(seed))
    assert outs == list(whole.outbox)
    assert cut.dump() == whole.dump()
    assert sum(results(whole).values()) == sum(map(len, MANY.values()))
    assert {one["data"]["command"]["type"] for one in of_role(outs, "control")} >= set(VERBS)


def test_what_is_known_of_commands_moves_with_its_model() -> None:
    config = config_of()
    log = log_of(config, SHIFTED, MANY | {10: [command("mute", "o", model="other", monitor="mean", **{"for": "90d"})]})
    state = told(config, log).state()["control"]
    left, gone = commands_without(state, {"other"}), commands_without(state, {"fraud"})
    assert [one[1] for one in gone["mutes"]] == ["other"]
    assert dict(left["ids"]).keys() | dict(gone["ids"]).keys() == dict(state["ids"]).keys()
    both = commands_joined(left, gone)
    assert sorted(both["ids"]) == sorted(state["ids"])
    assert both["results"] == state["results"], "counts stay with the partition"


def test_a_muted_and_acknowledged_alert_goes_on_in_another_partition() -> None:
    config = config_of()
    model = next(name for name in ("fraud", "churn", "spam", "m3") if part_of([name], 2) == 1)
    events = events_of((100.0, 600), (140.0, 900), model=model)
    mute = command("mute", "m", model, monitor="share", **{"for": "90d"})
    log = log_of(config, events, {300: [mute], 1300: [command("ack", "a", model, monitor="mean")]})
    blobs = [told(config, log).dump(), Tasks(config).new(("drift-ordered", 1), 0).dump()]
    before, after = (
        Tasks(config).load(("drift-ordered", number), blob)
        for number, blob in enumerate(repartitioned(config, blobs, 1, 2, "drift-ordered"))
    )
    assert before.control is not None
    assert after.control is not None
    assert (len(before.control.holds), len(after.control.holds)) == (0, 1)
    assert (before.control.ids, after.control.ids) == ({}, {"m": model, "a": model})
    assert results(before) == {"applied": 2}
    standing = {(one.monitor, one.held, one.ack is not None) for one in after.book.alerts.values()}
    assert standing == {("mean", "", True), ("share", "muted", False)}
    more = log_of(config, events_of((140.0, 10), model=model), {0: [command("ack", "a", model, monitor="mean")]})
    after.step(
        Tasks(config).decode([one._replace(offset=one.offset + after.position) for one in more], "drift-ordered")
    )
    assert results(after) == {"duplicate": 1}
