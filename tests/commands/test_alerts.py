"""`driftline alerts`: what it prints of what is published, and its exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from schemas.events.batch import Record
from streamer.commands import alert_marks
from streamer.commands.alerts import alerts, silenced_by
from streamer.commands.cli import main
from streamer.config.load import load_text
from streamer.kafka import tail, topic_range
from streamer.port import LogDown
from streamer.service.past import Past
from tests.bridges.samples import BEGIN_MS, changed, incidents, of, records
from tests.kafka.service import ROOT, produce
from tests.service.receiver import Receiver
from tests.waiting import PATIENCE_S, until

MEAN, NULLS = of("amount-mean")[0], of("nulls")[0]
HEARD: list[bytes] = []  # signs of life
SAID: list[bytes] = []  # what became of commands


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample's records are retained: alerts in one topic, incidents in another."""
    asked: list[tuple[str, str | None]] = []

    def read(
        config: object, topic: str, *_: object, begin: str | None = None, most: int | None = None
    ) -> Iterator[Any]:
        if topic == "drift-heartbeats":
            yield (topic, 0), [Record(n, n, None, value) for n, value in enumerate(HEARD)]
            return
        asked.append((topic, begin))
        kind = {"al": "alert", "inc": "incident"}[topic]
        found = [Record(n, n, None, one.value) for n, one in enumerate(records()) if one.kind == kind]
        others = [Record(9, 9, None, value) for value in (None, b"?", *SAID)] if kind == "alert" else []
        yield (topic, 0), [*others, *found]

    monkeypatch.setattr(topic_range, "TopicRange", read)
    monkeypatch.setattr(sys.modules[__name__], "asked", asked, raising=False)
    monkeypatch.setattr(sys.modules[__name__], "HEARD", [b"?"])
    monkeypatch.setattr(sys.modules[__name__], "SAID", [b"io.driftline.control.?"])
    path = tmp_path / "driftline.yaml"
    path.write_text('version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [in], alerts: al, incidents: inc}\n')
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["alerts", *arguments, "-c", str(config)])


def test_list_tells_how_things_stand(config: Path) -> None:
    result = run(config, "list")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "2 firing, 1 resolved."
    assert "RESOLVED" not in run(config, "list", "--open").stdout
    assert run(config, "list", "--model", "nobody").stdout == "0 firing, 0 resolved.\n"
    only = run(config, "list", "--monitor", "nulls").stdout
    assert (NULLS.key in only, MEAN.key in only, "incident" in only) == (True, False, False)


def test_a_time_is_one_or_so_long_ago(config: Path) -> None:
    run(config, "list", "--since", "2026-01-01T00:00:00Z")
    run(config, "list", "--since", "1d")
    (_, exact), _, (_, ago), _ = asked  # type: ignore[name-defined]  # noqa: F821
    assert exact == "@1767225600.0"
    assert abs(float(ago[1:]) - (time.time() - 86400)) < 100
    for text in ("yesterday", "1x", "99999999d"):
        assert run(config, "list", "--since", text).exit_code == 2


def test_each_format_is_one_a_line(config: Path) -> None:
    newest = {one.key: one for one in records()}
    found = {form: run(config, "list", "--format", form).stdout.splitlines() for form in ("json", "slack", "pagerduty")}
    assert sorted(found["json"]) == sorted(one.value.decode() for one in newest.values())
    assert {json.loads(line)["event_action"] for line in found["pagerduty"]} == {"trigger", "resolve"}
    assert not any("routing_key" in line for line in found["pagerduty"])
    assert all(json.loads(line)["blocks"] for line in found["slack"])
    bodies = [json.loads(line) for line in run(config, "list", "--format", "alertmanager").stdout.splitlines()]
    assert sorted(one["labels"]["monitor"] for [one] in bodies) == ["amount-mean", "amount-shape", "nulls"]


def test_fail_if_firing_is_about_what_is_shown(config: Path) -> None:
    assert run(config, "list", "--fail-if-firing").exit_code == 1
    assert run(config, "list", "--fail-if-firing", "--monitor", "amount-mean").exit_code == 0
    assert run(config, "show", NULLS.key, "--fail-if-firing").exit_code == 1
    assert run(config, "show", MEAN.key, "--fail-if-firing").exit_code == 0


@pytest.mark.parametrize("name", [MEAN.key, MEAN.key[:6], MEAN.episode, MEAN.id])
def test_show_finds_one_by_any_of_its_names(config: Path, name: str) -> None:
    result = run(config, "show", name)
    assert result.exit_code == 0
    assert result.stdout.startswith("RESOLVED  critical  fraud: amount-mean")
    assert "Timeline (times of events)\n  2026-01-01T00:01:44.300Z  fired\n" in result.stdout


def test_show_takes_incidents_and_formats(config: Path) -> None:
    shown = run(config, "show", incidents()[1].key).stdout
    assert "grew: 2 alerts" in shown
    assert all(one.sentence in shown for one in (of("amount-mean")[-1], of("amount-shape")[-1])), "as they are by now"
    assert run(config, "show", NULLS.key, "--format", "json").stdout == NULLS.value.decode() + "\n"


def beat(number: int, **more: object) -> bytes:
    data = {"model": "fraud", "topic": "inferences", "partition": 0, "tick": {"number": number, "time_ms": BEGIN_MS}}
    return orjson.dumps({"type": "io.driftline.heartbeat.v1", "data": data | more})


def test_show_tells_what_was_deployed_about_then(config: Path, tmp_path: Path) -> None:
    came = {"version": "7", "before": "6", "time": "2026-01-01T00:00:40.000Z"}
    HEARD[:] = [beat(1, config="a"), beat(2, config="b", deploys=[came]), beat(3, deploys=[came], model="other")]
    changed = {"time": "2026-01-01T00:01:50.000Z"}
    SAID.append(
        orjson.dumps(
            {
                "type": "io.driftline.control.applied.v1",
                "data": {
                    "status": "applied",
                    "model": "fraud",
                    "changed": changed,
                    "command": {"type": "deploy", "by": "ci <b>", "why": "rates"},
                },
            }
        )
    )
    shown = run(config, "show", MEAN.key)
    assert shown.stderr == ""
    told = shown.stdout.split("Deployed and changed\n")[1].split("\n\n")[0].splitlines()
    assert [line.split() for line in told] == [
        ["100", "s", "before", "it", "began", "the", "config", "was", "changed,", "2026-01-01T00:00:00.000Z"],
        ["60", "s", "before", "it", "began", "version", "7", "came", "after", "6,", "2026-01-01T00:00:40.000Z"],
        ["10", "s", "after", "it", "began", "ci", "<b>", "deployed", "rates,", "2026-01-01T00:01:50.000Z"],
    ]
    firing = run(config, "show", incidents()[1].key).stdout
    assert "Look at what was deployed or changed 60 s before it began: version 7 came after 6. Then at" in firing
    file = tmp_path / "alert.html"
    run(config, "show", MEAN.key, "--html", str(file))
    assert "<dt>10 s after it began</dt><dd>ci &lt;b&gt; deployed rates, 2026" in file.read_text()
    data = orjson.loads(run(config, "show", MEAN.key, "--format", "json").stdout)["data"]
    assert [one["word"] for one in data["marks"]] == ["config", "version 7", "rates"]
    assert {name: value for name, value in data.items() if name != "marks"} == of("amount-mean")[-1].record["data"]


def test_show_does_without_signs_of_life(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> Past:
        raise LogDown("drift-heartbeats: no right to read it")

    monkeypatch.setattr(alert_marks, "past_between", gone)
    shown = run(config, "show", MEAN.key)
    assert shown.exit_code == 0
    assert shown.stderr == "what was deployed is known in part: drift-heartbeats: no right to read it\n"
    assert "Deployed" not in shown.stdout


def test_show_says_when_there_is_none_or_several(config: Path) -> None:
    none, several = run(config, "show", "ffff"), run(config, "show", "incident-")
    assert (none.exit_code, "no alert or incident ffff is retained" in none.stderr) == (2, True)
    assert (several.exit_code, "2 begin so: incident-" in several.stderr) == (2, True)


def test_what_is_not_as_ours_are_is_said(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value = changed(NULLS, data__trigger=None)
    one = [Record(0, 0, None, value)]
    monkeypatch.setattr(topic_range, "TopicRange", lambda *_, **__: iter([(("al", 0), one)]))
    result = run(config, "show", NULLS.key)
    assert (result.exit_code, "--format json shows it" in result.stderr) == (2, True)
    assert run(config, "show", NULLS.key, "--format", "json").stdout == value.decode() + "\n"


def test_show_writes_one_file(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "alert.html"
    result = run(config, "show", MEAN.key, "--html", str(file))
    assert result.stdout == f"wrote {file}\n"
    assert file.read_text().startswith("<!doctype html>")
    assert "fraud (NL &lt;b&gt;)" in file.read_text()
    run(config, "show", incidents()[1].key, "--html", str(file))
    assert file.read_text().count("<h3>fraud") == 2, "its alerts, each with its evidence"


def test_what_alertmanager_keeps_silent_is_asked_with_our_login(config: Path) -> None:
    assert "bridges.alertmanager.url" in run(config, "list", "--silenced").stderr
    text = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [in], alerts: al, incidents: inc}\n'
    with Receiver() as receiver:
        there = f'{text}bridges: {{alertmanager: {{url: "{receiver.url}", authorization: Bearer correct-horse-7}}}}\n'
        alerts = [{"fingerprint": mark, "status": {"silencedBy": by}} for mark, by in (("a", ["s"]), ("b", []))]
        receiver.page = orjson.dumps(alerts)
        assert silenced_by(load_text(there, "x", {})) == ["a"]
        assert receiver.sent[0].headers["Authorization"] == "Bearer correct-horse-7"
        receiver.page = b"{"
        config.write_text(there)
        assert "no list of alerts" in run(config, "list", "--silenced").stderr


def test_a_broker_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "LOOK_S", 0.5)
    path = tmp_path / "driftline.yaml"
    path.write_text('version: 1\nkafka: {brokers: "127.0.0.1:1"}\ntopics: {events: [in]}\n')
    for verb in (["list"], ["tail"], ["show", "x"]):
        result = run(path, *verb)
        assert (result.exit_code, "connection_refused" in result.stderr) == (69, True)


def test_it_lists_its_verbs() -> None:
    shown = CliRunner().invoke(main, ["alerts", "--help"]).output
    assert {"tail", "list", "show", "ack", "mute", "accept", "verdict"} <= set(alerts.commands)
    assert all(f"  {verb} " in shown for verb in alerts.commands)


@pytest.mark.broker
def test_of_a_real_topic(broker: str, make_topics: Callable[..., list[str]], tmp_path: Path) -> None:
    topic, other = make_topics("al", "inc", partitions=2)
    now_ms = int(1000 * time.time())
    for kind, name in (("alert", topic), ("incident", other)):
        found = [one for one in records() if one.kind == kind]
        produce(broker, name, {1: [Record(0, now_ms, b"k", one.value) for one in found]})
    path = tmp_path / "driftline.yaml"
    path.write_text(
        f'version: 1\nkafka: {{brokers: "{broker}"}}\ntopics: {{events: [in], alerts: {topic}, incidents: {other}}}\n'
    )
    assert run(path, "list", "--since", "1h").stdout.splitlines()[-1] == "2 firing, 1 resolved."
    ends = run(path, "tail", "--since", "1h", "--monitor", "nulls", "--fail-if-firing")
    assert (ends.exit_code, len(ends.stdout.splitlines())) == (1, 1)
    command = [sys.executable, "-m", "streamer", "alerts", "tail", "-c", str(path), "--format", "json"]
    out = tmp_path / "out"
    with out.open("wb") as sink, subprocess.Popen(command, cwd=ROOT, stdout=sink) as one:

        def once_more() -> None:
            produce(broker, topic, {0: [Record(0, 0, b"k", NULLS.value)]})
            time.sleep(0.5)

        until(lambda: out.stat().st_size, step=once_more)  # It begins at the end, wherever that is by then.
        one.send_signal(signal.SIGINT)
        assert one.wait(PATIENCE_S) == 0
    assert set(out.read_bytes().splitlines()) == {NULLS.value}
