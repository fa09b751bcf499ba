"""Which silences mutes ask for, and which mutes silences do: from the answers to commands of a real task."""

from __future__ import annotations

import json
from typing import Any

from schemas.records.alert import ms_of, rfc3339
from streamer.bridges.payloads import alertmanager
from streamer.bridges.silences import MOST, OVER, THEIRS, Mutes, command_of, mark_of, target_of
from streamer.bridges.told import told as read
from tests.engine.commands import command, config_of, log_of, told, values

NOW_MS, HOUR_MS = 1_800_000_000_000, 3_600_000
SHIFTED = values((100.0, 600), (140.0, 900))


def answers(*commands: bytes) -> list[bytes]:
    """All that is published of a shift with these commands after it."""
    task = told(config_of(), log_of(config_of(), SHIFTED, {1400: list(commands)}))
    return [out.value for out in task.outbox if out.value is not None]


def mutes_of(*commands: bytes) -> Mutes:
    made = Mutes()
    for value in answers(*commands):
        made.take(value, NOW_MS)
    return made


def silence(
    of: dict[str, Any], id: str = "s1", state: str = "active", ends_ms: int = NOW_MS + HOUR_MS
) -> dict[str, Any]:
    """As Alertmanager lists one."""
    matchers = [{"name": name, "value": text, "isRegex": False, "isEqual": True} for name, text in of.items()]
    times = {"startsAt": rfc3339(NOW_MS), "endsAt": rfc3339(ends_ms)}
    return {
        "id": id,
        "status": {"state": state},
        "matchers": matchers,
        **times,
        "comment": "load test",
        "createdBy": "bo",
    }


MUTE = command("mute", "c1", why="load (test)", monitor="mean", **{"for": "2h"})
FORM = {"alertname": "ModelDrift", "severity": "warning", "model": "fraud", "monitor": "mean", "detector": "adwin"}
MINE = {"model": "fraud", "monitor": "mean"}
TAKEN = f"{THEIRS}s1-{NOW_MS + HOUR_MS}"


def mine(state: str = "active") -> dict[str, Any]:
    [one] = mutes_of(MUTE).to_make([])
    return {**one.body(NOW_MS), "id": "s0", "status": {"state": state}}


def test_a_mute_is_a_silence_of_its_labels_for_as_long_by_the_wall_clock() -> None:
    [one] = mutes_of(MUTE).to_make([])
    found = one.body(NOW_MS)
    assert {m["name"]: m["value"] for m in found["matchers"]} == MINE
    assert ms_of(found["endsAt"]) - ms_of(found["startsAt"]) == 2 * HOUR_MS, "events are of another year"
    assert (found["createdBy"], found["comment"]) == ("ada", "load (test) (driftline mute c1)")


def test_a_mute_of_an_alert_is_of_all_its_labels() -> None:
    alert = next(r for r in map(read, answers()) if r is not None and r.kind == "alert")
    [one] = mutes_of(command("mute", "c1", alert=alert.id, **{"for": "2h"})).to_make([])
    labels = alert.record["data"]["alert"]["labels"]
    assert one.labels == {name: labels[name] for name in ("model", "monitor", "signal")}


def test_it_is_made_once_and_never_again_once_somebody_ended_it_there() -> None:
    mutes = mutes_of(MUTE)
    for state in ("active", "pending", "expired"):
        assert mutes.to_make([mine(state)]) == []
        assert mutes.to_end([mine(state)]) == []
    assert len(mutes.to_make([silence(MINE)])) == 1, "somebody else's silence is another one"


def test_one_that_is_unmuted_is_ended_in_whatever_order_it_is_heard() -> None:
    values = [v for v in answers(MUTE, command("unmute", "c2", monitor="mean")) if b"control." in v]
    for order in (values, values[::-1], values[1:]):
        mutes = Mutes()
        for value in order:
            mutes.take(value, NOW_MS)
        assert mutes.to_make([]) == []
        assert mutes.to_end([mine()]) == ["s0"]
        assert mutes.to_end([mine("expired"), silence(MINE)]) == []


def test_what_is_over_is_forgotten() -> None:
    mutes = mutes_of(MUTE, command("unmute", "c2", monitor="mean"))
    mutes.pass_time(NOW_MS + 3 * HOUR_MS)
    assert (mutes.given, mutes.ended) == ({}, {})


def test_refusals_and_what_is_none_of_ours_say_nothing() -> None:
    mutes = mutes_of(command("mute", "c1", monitor="other", **{"for": "2h"}), command("ack", "c2", monitor="mean"))
    assert not mutes.given
    assert not any(mutes.take(value, NOW_MS) for value in (None, b"?", b'{"type": "io.driftline.control.applied.v1"}'))


def test_memory_is_bounded() -> None:
    record = json.loads(next(value for value in answers(MUTE) if b"control." in value))
    mutes = Mutes()
    for number in range(MOST + 5):
        record["data"]["mutes"][0]["id"] = f"m{number}"
        mutes.take(json.dumps(record).encode(), NOW_MS)
    assert len(mutes.given) == MOST


# The other way


def test_a_silence_of_one_model_and_monitor_is_a_mute_until_its_end() -> None:
    [(id, (key, value))], left = Mutes().to_command([silence(FORM | {"segment_country": "NL"})], NOW_MS)
    said = json.loads(value)
    assert (id, key, left) == (TAKEN, b"fraud", [])
    assert (said["type"], said["model"], said["by"], said["why"]) == ("mute", "fraud", "bo", "load test")
    until = {"until": rfc3339(NOW_MS + HOUR_MS)}
    assert said["data"] == {"monitor": "mean", "segment": "segment_country=NL", **until}


def test_the_service_takes_it_and_then_it_is_known() -> None:
    until = rfc3339(ms_of("2023-11-20T00:00:00Z"))
    mutes = mutes_of(command("mute", TAKEN, monitor="mean", until=until))
    assert mutes.to_command([silence(FORM)], NOW_MS) == ([], [])
    assert mutes.to_make([silence(FORM)]) == [], "it has its silence"


def test_one_that_ended_before_its_time_ends_the_mute_unless_another_one_holds() -> None:
    theirs = command("mute", TAKEN, monitor="mean", **{"for": "2h"})
    mutes = mutes_of(theirs)
    [(id, (_, value))], _ = mutes.to_command([silence(FORM, state="expired")], NOW_MS)
    assert (id, json.loads(value)["type"], json.loads(value)["data"]) == (TAKEN + OVER, "unmute", {"monitor": "mean"})
    assert len(mutes.to_command([], NOW_MS)[0]) == 1, "it is gone altogether"
    assert mutes_of(theirs, MUTE).to_command([], NOW_MS) == ([], [])
    assert mutes_of(theirs, command("unmute", TAKEN + OVER, monitor="mean")).to_command([], NOW_MS) == ([], [])


def test_another_end_is_another_mute_and_a_shorter_one_ends_the_first() -> None:
    mutes = mutes_of(command("mute", TAKEN, monitor="mean", **{"for": "2h"}))
    for ends_ms, kinds in ((NOW_MS + 2 * HOUR_MS, ["mute"]), (NOW_MS + HOUR_MS // 2, ["unmute", "mute"])):
        found, _ = mutes.to_command([silence(FORM, ends_ms=ends_ms)], NOW_MS)
        assert [json.loads(value)["type"] for _, (_, value) in found] == kinds


def test_a_mute_that_came_from_a_silence_and_is_ended_here_ends_it() -> None:
    theirs = command("mute", TAKEN, monitor="mean", **{"for": "2h"})
    mutes = mutes_of(theirs, command("unmute", "c2", monitor="mean"))
    assert mutes.to_end([silence(FORM)]) == ["s1"]
    assert mutes.to_command([silence(FORM)], NOW_MS) == ([], []), "and it is not taken again"


def test_what_cannot_be_a_mute_says_why() -> None:
    for labels in ({"model": "fraud"}, {"monitor": "mean"}, MINE | {"caller": "a,b"}, MINE | {"caller": ""}):
        assert isinstance(target_of(silence(labels)), str)
    for other in ({"isRegex": True}, {"isEqual": False}):
        one = silence(MINE)
        one["matchers"][0] |= other
        assert isinstance(target_of(one), str)
        assert Mutes().to_command([one], NOW_MS)[1][0][0] == "s1"
    assert target_of(silence(FORM)) == MINE
    assert mark_of(silence(MINE)) == ""
    assert command_of(silence(MINE)) == TAKEN


def test_who_acknowledged_an_alert_stands_in_its_annotations() -> None:
    found = [read(value) for value in answers(command("ack", monitor="mean"))]
    last = [one for one in found if one is not None and one.kind == "alert"][-1]
    assert alertmanager(last, NOW_MS, 60_000)["annotations"]["acknowledged"] == "by ada: known"
